/* sendmail.h - the command that other programs send their mail with. */
#ifndef POSTERN_CLI_SENDMAIL_H
#define POSTERN_CLI_SENDMAIL_H

#include "command.h"

/* Its arguments are not looked at before: they have options of their own. */
int sendmail_run(struct cli *c);

#endif
