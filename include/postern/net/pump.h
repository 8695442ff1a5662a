/* pump.h - carries bytes between a connection and a stream to another process, both ways.
 *
 * After a login the front is only this: TLS outside, plain bytes to the process that owns the mailbox. Each side
 * stops being read while the other does not take (at most CONN_HIGH towards the client, CONN_IN_MAX towards the
 * process). An end of file in one direction is passed on and the other direction goes on; when both have ended, or
 * the process's side has, the connection is closed after everything is delivered. */
#ifndef POSTERN_NET_PUMP_H
#define POSTERN_NET_PUMP_H

#include <stdint.h>

#include <postern/net/conn.h>

struct pump;

struct pump_ops {
	/* The connection ended; why as in conn.h. gone: it was the other process that ended first. The owner calls
	 * pump_free and conn_free. */
	void (*on_end)(void *ctx, enum conn_end why, bool gone);
	/* A deadline of the connection passed (conn_wait); NULL: it ends. */
	void (*on_wait)(void *ctx, enum conn_wait what);
	/* After pump_take_back: the process has said its last. The connection goes on without it, paused, with what it holds
	 * unconsumed; eof: the client will send nothing more than that. The owner calls pump_free and conn_set_ops. NULL where
	 * pump_take_back is never called. */
	void (*on_back)(void *ctx, bool eof);
};

/* Takes over c's callbacks and fd (a connected stream socket, closed by pump_free). Bytes that c holds unconsumed
 * go first. */
struct pump *pump_new(struct loop *l, struct conn *c, int fd, const struct pump_ops *ops, void *ctx);
/* Nothing more goes to the process, which sees the end of what was sent; what it still says is delivered. */
void pump_take_back(struct pump *p);
/* Does not touch the conn beyond its callbacks: call conn_free first, or right after. */
void pump_free(struct pump *p);

#endif
