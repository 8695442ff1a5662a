/* fetch.h - HTTPS for postern: one document from one server, through libcurl, which lives in a module of its own that
 * only the fetch role (and `tls probe') loads: it brings some twenty libraries with it.
 *
 * No redirects, no cookies, no proxy, no environment, no name service: the caller brings the addresses. The
 * certificate must lead to a CA of the given bundle and have the host's name (RFC 8461 3.3). */
#ifndef POSTERN_FETCH_FETCH_H
#define POSTERN_FETCH_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/err.h>
#include <postern/core/loop.h>
#include <postern/core/str.h>
#include <postern/net/addr.h>

enum {
	FETCH_AT_ONCE_MAX = 32, /* transfers under way; more wait */
	FETCH_ADDRESSES_MAX = 8,
};

struct fetch;
struct fetch_get;

/* Loads the module and reads the CA bundle: before the root is closed. NULL with words in e: not installed, or broken. */
struct fetch *fetch_open(struct loop *loop, struct str ca_file, struct err *e);
void fetch_close(struct fetch *f);

struct fetch_request {
	struct str host;           /* A-labels: for SNI, certificate and Host */
	struct str path;           /* "/.well-known/mta-sts.txt" */
	uint16_t port;
	const struct addr *addrs;  /* connected to in this order */
	unsigned naddrs;
	size_t max;                /* bytes of the body; more fails */
	int64_t ms;                /* for everything */
};

enum fetch_problem {
	FETCH_OK,
	FETCH_UNREACHABLE,  /* no connection, a timeout, a broken transfer */
	FETCH_CERTIFICATE,  /* the server's certificate is not trusted or has another name */
	FETCH_TOO_LARGE,
};

struct fetch_result {
	enum fetch_problem problem;
	unsigned code;           /* HTTP status; a redirect is just its status */
	struct str content_type;
	struct str body;
	struct str words;        /* of a problem */
};

/* on is called once, never from inside; the result is valid in it only. Texts of the request are copied. */
struct fetch_get *fetch_get(struct fetch *f, const struct fetch_request *q, void (*on)(void *ctx, const struct fetch_result *r),
    void *ctx);
/* on is not called any more. NULL is allowed. */
void fetch_cancel(struct fetch_get *g);

#endif
