/* loop.h - the event loop of a role: descriptors, timers, signals, things to do after this turn.
 *
 * A thin face of libevent so that modules which only need a timer do not see it. Everything runs in the thread
 * that calls loop_run; loop_post is the one call that other threads may make. */
#ifndef POSTERN_CORE_LOOP_H
#define POSTERN_CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct event;
struct event_base;

struct loop *loop_new(void);
void loop_free(struct loop *l);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
/* Runs what is ready now, without waiting; for tests. */
void loop_turn(struct loop *l);
/* Waits for and runs one round of events; for tests and commands. */
void loop_once(struct loop *l);
void loop_stop(struct loop *l);
/* For net, dns, http and fetch, which build on libevent's own objects. */
struct event_base *loop_base(struct loop *l);

/* A one-shot timer inside its owner. init once, start and stop at will, fini at the end. */
struct loop_timer {
	struct event *ev;
	void (*fn)(void *ctx);
	void *ctx;
};
void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fn)(void *ctx), void *ctx);
/* (Re)starts it: fn is called once, ms milliseconds from now. */
void loop_timer_start(struct loop_timer *t, int64_t ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_fini(struct loop_timer *t);

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
/* A watched descriptor inside its owner; the descriptor stays the owner's to close, after fini. */
struct loop_io {
	struct event *ev;
	struct loop *loop;
	int fd;
	void (*fn)(void *ctx, int ready);
	void *ctx;
};
void loop_io_init(struct loop_io *io, struct loop *l, int fd, void (*fn)(void *ctx, int ready), void *ctx);
/* Watches for LOOP_READ, LOOP_WRITE, both or (0) nothing, until told otherwise. */
void loop_io_watch(struct loop_io *io, int what);
void loop_io_fini(struct loop_io *io);

/* Calls fn in the loop for each arrival of the signal, for the life of the loop. */
void loop_signal(struct loop *l, int signo, void (*fn)(void *ctx, int signo), void *ctx);

/* Calls fn once, after what is running now has returned. */
void loop_defer(struct loop *l, void (*fn)(void *ctx), void *ctx);
/* The same from any thread. */
void loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx);

#endif
