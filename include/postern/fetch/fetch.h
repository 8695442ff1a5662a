/* fetch.h - HTTPS for postern: one document from one server, through libcurl, which lives in a module of its own that
 * only the fetch role (and `tls probe') loads: it brings some twenty libraries with it.
 *
 * HTTP/1.1 over TLS 1.2 or better. No redirects, no cookies, no proxy, no environment, no name service, no files once it is
 * open: the caller brings the addresses. The certificate must lead to a CA of the given bundle and have the host's name among
 * its DNS names; the common name does not count (RFC 8461 3.3). */
#ifndef POSTERN_FETCH_FETCH_H
#define POSTERN_FETCH_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/err.h>
#include <postern/core/loop.h>
#include <postern/core/str.h>
#include <postern/net/addr.h>

enum {
	FETCH_AT_ONCE_MAX = 32, /* transfers under way; more wait */
	FETCH_ADDRESSES_MAX = 8,
	FETCH_HEADER_MAX = 64 * 1024, /* bytes of all header lines of an answer */
	FETCH_CA_MAX = 4 * 1024 * 1024, /* bytes of the CA bundle */
};

struct fetch;
struct fetch_get;

/* Loads the module and reads the CA bundle: before the root is closed. The module lies beside the program, or where it was
 * installed. NULL with words in e: not there, broken, or no CA in the bundle. */
struct fetch *fetch_open(struct loop *loop, struct str ca_file, struct err *e);
/* Ends what is under way, as fetch_cancel does. Not from inside a callback. */
void fetch_close(struct fetch *f);

struct fetch_request {
	struct str host;           /* A-labels: for SNI, certificate and Host */
	struct str path;           /* "/.well-known/mta-sts.txt" */
	uint16_t port;
	const struct addr *addrs;  /* tried in this order, IPv4 beside IPv6 when the first is slow; their ports do not count */
	unsigned naddrs;           /* 1 to FETCH_ADDRESSES_MAX */
	size_t max;                /* bytes of the body; more fails */
	int64_t ms;                /* for everything, waiting for a turn included */
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
	struct str content_type; /* as the server says it; "" when it does not */
	struct str body;
	struct str words;        /* of a problem: one line, printable */
};

/* on is called once, never from inside; the result is valid in it only. Texts of the request are copied. */
struct fetch_get *fetch_get(struct fetch *f, const struct fetch_request *q, void (*on)(void *ctx, const struct fetch_result *r),
    void *ctx);
/* on is not called any more. NULL is allowed. */
void fetch_cancel(struct fetch_get *g);

#endif
