/* connect.h - a TCP connection to one host that has several addresses: happy eyeballs (RFC 8305 5).
 *
 * The addresses are tried in their order, a new one RELAY_STAGGER_MS after the one before or as soon as that failed;
 * the first that answers wins, the others are given up. Names are never looked up: what was checked is connected to. */
#ifndef RELAY_CONNECT_H
#define RELAY_CONNECT_H

#include <postern/core/loop.h>
#include <postern/net/addr.h>

struct connect;

enum { CONNECT_WORDS_SIZE = 256, CONNECT_SOURCES_MAX = 8 };

struct connect_query {
	const struct addr *addrs; /* at most RELAY_ADDRESSES_MAX; copied */
	unsigned n;
	int64_t timeout_ms; /* for each address */
	const struct addr *sources; /* bound to before: the first of the same family; copied */
	unsigned nsources;
};

struct connect_result {
	int fd;             /* the receiver's; -1: no address answered */
	struct addr peer;   /* the one that did, or the last that did not */
	unsigned tried;     /* how many were begun */
	bool ours;          /* -1: we had no descriptor or memory for one of them */
	const char *words;  /* -1: each address and why; one line, valid during the call */
};

/* done is called once, never from inside; connect_free is allowed in it. */
struct connect *connect_new(struct loop *loop, const struct connect_query *q,
    void (*done)(void *ctx, const struct connect_result *r), void *ctx);
/* Gives up what is under way. NULL is allowed. */
void connect_free(struct connect *c);

#endif
