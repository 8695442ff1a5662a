/* table.h - what each role is: one row per kind of process, one row per pair that may talk. */
#ifndef ROLE_TABLE_H
#define ROLE_TABLE_H

#include <postern/conf/conf.h>
#include <postern/ipc/ipc.h>

struct env;
struct control_verb;
struct counters_out;

enum {
	PEERS_MAX = 32, /* processes of one kind */
	DRAIN_LAST = 3, /* the step of who writes the others' last words */
};

/* What a role does; every pointer may be NULL. */
struct role_ops {
	const struct ipc_handlers *handlers;
	/* What the role keeps as long as it lives, for env->role: before any message is read. NULL: it makes it itself. */
	void *(*make)(struct env *env);
	/* The verbs of its control socket, and what they run on (after start). NULL: it has no such socket. */
	const struct control_verb *verbs;
	void *(*admin)(struct env *env);
	/* Files are still there, rights too: open what must be opened by path outside the root to be. */
	void (*open)(struct env *env);
	/* Inside the closed root, without rights: begin. env->conf, peers and listeners are complete. */
	void (*start)(struct env *env);
	/* A new snapshot is in env->conf; was is the one before. */
	void (*reload)(struct env *env, const struct conf *was);
	/* A peer (re)appeared or went. */
	void (*peer)(struct env *env, enum role role, unsigned index, bool there);
	/* A listening socket for the service arrived (before start). */
	void (*listen)(struct env *env, struct str service, struct str address, int fd);
	/* Take nothing new, finish what is open, then call env_end(); at the latest after so many seconds. */
	void (*drain)(struct env *env, unsigned seconds);
	/* The parent died; ends the process soon. NULL: it dies with the parent. */
	void (*parent_gone)(struct env *env);
	/* After the loop was stopped, the last thing. */
	void (*end)(struct env *env);
	/* Adds "name value" pairs for `postern status`. */
	void (*counters)(struct env *env, struct counters_out *out);
};

/* Which system calls beyond the base a role needs (sandbox.c). */
enum role_calls { CALLS_FILES = 1, CALLS_THREADS = 2, CALLS_ACCEPT = 4, CALLS_NETWORK = 8 };

struct role_row {
	enum role role;
	enum conf_role conf;     /* which keys it gets */
	const char *user;        /* whom it runs as */
	const char *root;        /* directory under the state that becomes its root; NULL: the empty one */
	unsigned calls;          /* enum role_calls */
	unsigned (*count)(const struct conf *conf);
	bool several;            /* may be more than one: control sockets are numbered */
	const struct role_ops *ops;
	int drain_step;          /* who ends first: 0 before 1 before 2 before DRAIN_LAST */
};

/* NULL for the parent and the command line. */
const struct role_row *role_row(unsigned role);
/* All rows in the order of starting: NULL gives the first, the last gives NULL. */
const struct role_row *role_row_next(const struct role_row *r);

/* The lowest level that a role (or the parent) writes: all write from info on, whatever log.level says, for what the log leaves
 * out may still be of use to the role log; only its own lines do not pass there. */
enum log_level role_log_level(unsigned role, const struct conf *conf);

/* Pairs that may talk; the channel is made by the parent. sign: a channel of its own for blocking signatures. */
struct role_link {
	enum role a;
	enum role b;
	bool sign;
};
extern const struct role_link role_links[];
extern const size_t role_nlinks;

#endif
