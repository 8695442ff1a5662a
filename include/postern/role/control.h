/* control.h - the command line's door to a process: a socket in <state>/run, ADMIN questions on it.
 *
 * Each owner answers for its own things; no process may ask everything. A verb is a row of the owner's table: noun, verb, words in,
 * one JSON value out. Without a running server the command line runs the same rows itself (control_run). */
#ifndef POSTERN_ROLE_CONTROL_H
#define POSTERN_ROLE_CONTROL_H

#include <jansson.h>

#include <postern/core/arena.h>
#include <postern/core/loop.h>
#include <postern/ipc/ipc.h>

enum { CONTROL_CLIENTS_MAX = 64, CONTROL_JSON_MAX = 60000 };

/* Exit statuses of the command line. */
enum { ADMIN_DONE = 0, ADMIN_FAILED = 1, ADMIN_USAGE = 2, ADMIN_LATER = 75 };

/* One answer being made. */
struct control_answer {
	unsigned status;
	struct str why;  /* what to say when status is not DONE */
	json_t *json;    /* taken over; NULL: nothing to show */
	struct str more; /* ask again with this as `after` for the next page; empty: that was all */
};

/* A request: the words behind noun and verb, the page wanted, memory for the answer. */
struct control_ask {
	struct strs args;
	struct str after;
	struct arena *arena;
	struct ipc_question *question; /* for control_reply; NULL in control_run */
};

/* run returns true when *out is the answer, false when control_reply will be called with the question later. */
struct control_verb {
	const char *noun;
	const char *verb; /* NULL: the noun stands alone */
	unsigned least;   /* words after them */
	unsigned most;
	bool (*run)(void *ctx, const struct control_ask *ask, struct control_answer *out);
};

/* Runs one command in this process, for the command line without a server: a verb that answers later is waited for in the
 * loop (NULL: such a verb is refused). What *out points to lives in a; out->json is the caller's to json_decref. */
void control_run(struct loop *l, const struct control_verb *verbs, void *ctx, const struct strs *words, struct str after,
    struct arena *a, struct control_answer *out);

/* Accepts commands on the listening socket fd (taken over) from root and from uid owner. verbs ends with a row without noun and
 * is kept; ctx goes to every run. For as long as the process lives. */
void control_open(struct loop *l, enum role me, int fd, uid_t owner, const struct control_verb *verbs, void *ctx);

/* A JSON string of bytes that may not be UTF-8: those that are not become U+FFFD. */
json_t *control_text(struct str s);

/* The answer that run left for later, once; it takes answer->json over. q NULL: it is control_run that waits. */
void control_reply(struct ipc_question *q, struct control_answer *answer);
/* Fills *out with a failure; true, so that `return control_fail(out, …)` reads well. why lives in a. */
bool control_fail(struct control_answer *out, struct arena *a, unsigned status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
