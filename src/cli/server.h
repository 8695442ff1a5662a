/* server.h - the commands of the running server and of what its processes hold. */
#ifndef POSTERN_CLI_SERVER_H
#define POSTERN_CLI_SERVER_H

#include "command.h"

int do_server_serve(struct cli *c);
int do_server_stop(struct cli *c);
int do_server_status(struct cli *c);

int do_queue_list(struct cli *c);
int do_queue_show(struct cli *c);
int do_queue_act(struct cli *c);
int do_queue_reroute(struct cli *c);
int do_tls_show(struct cli *c);
/* Asks the queue and prints the answer: as JSON, or as add writes it. */
struct strs;
int cli_ask_queue(struct cli *c, const struct strs *words, void (*add)(const json_t *answer, struct buf *out));

/* Asks the store process that owns the address of the first argument. */
int do_store_run(struct cli *c);

/* Ask every process that faces clients. */
int do_session_list(struct cli *c);
int do_session_end(struct cli *c);

extern const struct cli_show show_lookup, show_store, show_mailboxes, show_sessions;

#endif
