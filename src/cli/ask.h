/* ask.h - a command's way to who owns the thing: over his socket when a server runs, else in this process if he can be
 * done without. */
#ifndef POSTERN_CLI_ASK_H
#define POSTERN_CLI_ASK_H

#include <postern/role/control.h>

#include "command.h"

struct cli_owner {
	const char *socket; /* in <state>/run */
	enum role role;
	/* One page without a server; NULL: there must be one. */
	void (*alone)(const struct conf *conf, const struct strs *words, struct str after, struct arena *a,
	    struct control_answer *out);
};

extern const struct cli_owner cli_auth, cli_dns, cli_log, cli_parent, cli_queue;

/* Asks, page by page. The exit status; unless it is CLI_DONE, why is on standard error. *json (perhaps NULL, also with
 * another status) is the caller's. */
int cli_ask(const struct conf *conf, const struct cli_owner *owner, const struct strs *words, json_t **json);
/* The same for who wants the pages one by one: page gets each (NULL: none came with it; its own from then on) until it returns
 * false. */
int cli_ask_each(const struct conf *conf, const struct cli_owner *owner, const struct strs *words, bool (*page)(void *ctx, json_t *json),
    void *ctx);
/* A connection to the owner's socket: the descriptor, or -1 with errno. */
int cli_connect(const struct conf *conf, const char *socket, int type);

/* Shows what was answered as the row says; lets json go (NULL: nothing). */
int cli_show(const struct cli *c, json_t *json);

/* For rows that need nothing but their words: asks row->owner with noun, verb and arguments and shows the answer. */
int cli_run_asked(struct cli *c);

#endif
