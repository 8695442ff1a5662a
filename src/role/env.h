/* env.h - what a running role has: its loop, configuration, channels. One per process, passed to everything. */
#ifndef ROLE_ENV_H
#define ROLE_ENV_H

#include <postern/core/buf.h>
#include <postern/core/loop.h>

#include "table.h"

/* Where counters for `postern status` are collected. The parent believes no process more than so many, with such names. */
enum { COUNTERS_MAX = 64, COUNTER_NAME_MAX = 64 };

struct counters_out {
	struct arena *arena;
	struct str names[COUNTERS_MAX];
	struct str values[COUNTERS_MAX];
	uint32_t n;
};
void counter_add(struct counters_out *out, const char *name, uint64_t value);

struct front;

struct env {
	const struct role_row *row;
	unsigned index;
	struct loop *loop;
	const struct conf *conf;
	struct ipc_chan *parent;
	struct ipc_chan *peers[ROLE_COUNT][PEERS_MAX]; /* NULL: never there yet */
	unsigned npeers[ROLE_COUNT];                   /* the highest index seen, plus one */
	int sign_fd;                                   /* smtp, imap, relay: blocking channel to keys; -1 */
	bool sign_lost;                                /* it ended, and no other has come */
	int control_fd;                                /* listening, until start; -1 */
	const char *root;                              /* where the role's files are: "/" once the root is closed */
	char skipped[256];                             /* sandbox layers that could not be had */
	uint32_t generation;                           /* how often the parent started this role */
	struct loop_timer lost;                        /* a peer's channel ended: time to look whether a new one came */
	bool started;
	bool draining;
	struct ipc_handlers handlers; /* the role's and the common ones */
	struct front *front;                           /* front.c's, in roles that face clients */
	void *role;                   /* the role's own */
};

/* keys does not answer: its channel is looked at, and another is asked for when it has ended. */
void env_check_sign(struct env *env);
/* The peer of that kind with that index, attached or not (questions are answered NULL then). */
struct ipc_chan *env_peer(struct env *env, enum role role, unsigned index);
/* Ends the process, status 0, after what is running has returned. */
_Noreturn void env_end(struct env *env);

#endif
