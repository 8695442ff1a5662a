/* config.h - the commands that need no server. */
#ifndef POSTERN_CLI_CONFIG_H
#define POSTERN_CLI_CONFIG_H

#include "command.h"

int do_config_check(struct cli *c);
int do_config_show(struct cli *c);
int do_config_doc(struct cli *c);
int version_show(struct cli *c);

#endif
