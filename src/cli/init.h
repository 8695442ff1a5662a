/* init.h - from nothing to a working site. */
#ifndef POSTERN_CLI_INIT_H
#define POSTERN_CLI_INIT_H

#include "command.h"

int init_run(struct cli *c);

#endif
