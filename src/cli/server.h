/* server.h - the commands of the running server and of what its processes hold. */
#ifndef POSTERN_CLI_SERVER_H
#define POSTERN_CLI_SERVER_H

#include "command.h"

int server_serve(struct cli *c);
int server_stop(struct cli *c);
int server_status(struct cli *c);

int queue_list(struct cli *c);
int queue_show(struct cli *c);
int queue_act(struct cli *c);

/* Asks the store process that owns the address of the first argument. */
int store_run(struct cli *c);

extern const struct cli_show show_store, show_mailboxes;

#endif
