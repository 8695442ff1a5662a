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
};

/* Takes over c's callbacks and fd (a connected stream socket, closed by pump_free). Bytes that c holds unconsumed
 * go first. */
struct pump *pump_new(struct loop *l, struct conn *c, int fd, const struct pump_ops *ops, void *ctx);
/* Does not touch the conn beyond its callbacks: call conn_free first, or right after. */
void pump_free(struct pump *p);

#endif
