/* listen.h - listening sockets: the parent opens them, a role accepts on them.
 *
 * The accepting side decides who gets a connection at all: so many in total, so many and so fast from one source
 * (addr_source_of), and it stays calm when descriptors run out: it gives one away to refuse the waiting connection,
 * then pauses instead of spinning. Whoever is refused for being too many gets the service's words. */
#ifndef POSTERN_NET_LISTEN_H
#define POSTERN_NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/err.h>
#include <postern/core/loop.h>
#include <postern/core/str.h>
#include <postern/net/addr.h>

/* Opens, binds and listens: SO_REUSEADDR, close-on-exec, non-blocking; IPV6_V6ONLY unless b->any. "*" falls back to
 * IPv4 where the kernel has no IPv6. Returns the descriptor, the caller's, or -1 with words and remedy in e. */
int listen_open(const struct addr_bind *b, int backlog, struct err *e);

/* A limit of 0 is no limit. */
struct listen_limits {
	uint32_t total;             /* connections open at once */
	uint32_t per_source;        /* of these, from one source */
	uint32_t per_source_minute; /* new ones from one source in a minute, with bursts of the same size */
};

enum {
	LISTEN_SOURCES_MAX = 65536, /* sources remembered; past it, those without open connections are forgotten */
	LISTEN_BATCH = 64,          /* connections accepted in one turn of the loop */
	LISTEN_PAUSE_MS = 250,      /* how long accepting rests when descriptors or memory run out */
};

/* Who is connected and how fast they come, for one service of a role. Several listeners may share one. */
struct listen_gate;
/* nets: sources in them are not limited (loopback, relay_from); copied. */
struct listen_gate *listen_gate_new(const struct listen_limits *limits, const struct addr_net *nets, size_t n);
/* Every listener that uses it is gone, every connection left. */
void listen_gate_free(struct listen_gate *g);
/* New limits count from the next connection on. */
void listen_gate_limit(struct listen_gate *g, const struct listen_limits *limits);
/* The owner of an accepted connection says once that it has ended. */
void listen_gate_left(struct listen_gate *g, const struct addr *peer);
uint32_t listen_gate_open(const struct listen_gate *g);

struct listen_ops {
	/* A connection: fd is the callee's, non-blocking and close-on-exec. The callee owes listen_gate_left(peer). */
	void (*on_accept)(void *ctx, int fd, const struct addr *peer, const struct addr *local);
	/* A connection was refused (already closed); why is static text for the log. Must not free the listener.
	 * May be NULL. */
	void (*on_refuse)(void *ctx, const struct addr *peer, const char *why);
	/* What a refused client is told before the close, such as "421 4.7.0 too many connections\r\n". Empty where
	 * a client expects TLS at once. Static text. */
	struct str busy;
};

struct listener;
/* Accepts on fd (the caller keeps it; closes it after listener_free). Begins at once. */
struct listener *listener_new(
    struct loop *l, int fd, struct listen_gate *g, const struct listen_ops *ops, void *ctx);
void listener_free(struct listener *l);
/* Stops and restarts accepting; connections wait in the kernel meanwhile. For draining. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);

#endif
