/* conn.h - one connection: bytes in, bytes out, TLS when it comes, deadlines.
 *
 * Plain at first or TLS at once; plain becomes TLS by conn_secure. The owner gets what arrives through on_data and
 * writes with conn_write. What is written in one turn of the loop leaves in one go (TCP_NODELAY is set, so nothing
 * waits for an acknowledgement). Nothing a stranger does grows memory: reading stops while the owner does not take
 * what came (CONN_IN_MAX) and while the peer does not read what was written (CONN_HIGH). In one turn a connection
 * reads at most CONN_TURN_BYTES, so that others get theirs.
 *
 * An idle connection holds no buffers; under TLS OpenSSL's own are released, too.
 *
 * Life: conn_new … on_end (once, the last callback) … conn_free. conn_free may be called at any time, also inside a
 * callback, and closes at once. All callbacks come from the loop, never from inside conn_write. */
#ifndef POSTERN_NET_CONN_H
#define POSTERN_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/loop.h>
#include <postern/core/str.h>

struct conn;
struct ssl_st; /* OpenSSL's SSL */

enum {
	CONN_IN_MAX = 64 * 1024,       /* bytes kept for an owner who did not take them */
	CONN_HIGH = 256 * 1024,        /* more than this queued: conn_full, reading stops */
	CONN_LOW = 64 * 1024,          /* down to this again: on_drained, reading goes on */
	CONN_OUT_MAX = 4 * 1024 * 1024, /* more than this queued: the connection ends with CONN_END_OVERFLOW */
	CONN_TURN_BYTES = 64 * 1024,
	CONN_LINGER_MS = 2000,         /* how long a close waits for the peer to take the last words */
	CONN_HANDSHAKE_MS = 10000,     /* default of CONN_WAIT_HANDSHAKE */
	CONN_STALL_MS = 300000,        /* default of CONN_WAIT_STALL */
	CONN_TLS_CONTROL_MAX = 32,     /* TLS messages without data (KeyUpdate, …) at once; and one more a minute */
};

/* What a deadline waits for. */
enum conn_wait {
	CONN_WAIT_HANDSHAKE, /* the TLS handshake, from its start */
	CONN_WAIT_IDLE,      /* a byte from the peer, from the last one on */
	CONN_WAIT_TOTAL,     /* the whole connection, from conn_wait on */
	CONN_WAIT_STALL,     /* progress of what is queued for the peer */
	CONN_WAITS,
};

enum conn_end {
	CONN_END_CLOSED,   /* conn_close was called, and all that was written is delivered to the kernel */
	CONN_END_EOF,      /* the peer closed */
	CONN_END_ERROR,    /* the socket failed */
	CONN_END_TLS,      /* the TLS handshake or a record failed: conn_tls_error */
	CONN_END_NOT_TLS,  /* no TLS came where TLS was due */
	CONN_END_WAIT,     /* a deadline passed: conn_ended_wait */
	CONN_END_FLOOD,    /* too many TLS messages without data: renegotiation, KeyUpdate */
	CONN_END_OVERFLOW, /* the owner wrote on although conn_full said no */
	CONN_END_INJECTED, /* bytes were sent in the clear behind the command that begins TLS */
};

struct conn_ops {
	/* Bytes from the peer: all that is unconsumed, oldest first. Returns how many the owner took; the rest comes
	 * again in the next turn, or, if he took nothing, with the next bytes or after conn_resume. */
	size_t (*on_data)(void *ctx, struct str bytes);
	/* The TLS handshake is done. May be NULL. */
	void (*on_secure)(void *ctx);
	/* After conn_full was true: down to CONN_LOW, or below. May be NULL. */
	void (*on_drained)(void *ctx);
	/* The peer will send nothing more; what was written still goes out. The owner closes when it has answered
	 * everything. NULL: conn_close at once. */
	void (*on_eof)(void *ctx);
	/* A deadline passed; the owner may say its last words and call conn_close. If it does not, or is NULL, the
	 * connection ends at once. Not asked for CONN_WAIT_HANDSHAKE and CONN_WAIT_STALL. */
	void (*on_wait)(void *ctx, enum conn_wait what);
	/* It is over; nothing further is called. The owner calls conn_free, now or later. */
	void (*on_end)(void *ctx, enum conn_end why);
};

/* Takes fd (stream socket, made non-blocking; TCP_NODELAY is set where it applies). */
struct conn *conn_new(struct loop *l, int fd, const struct conn_ops *ops, void *ctx);
void conn_free(struct conn *c);
/* Other callbacks from now on: a front hands its connection over to what comes after the login. */
void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx);

/* Queues bytes (copied). Ignored once the connection closes or ended. */
void conn_write(struct conn *c, struct str bytes);
/* More than CONN_HIGH is queued: a producer of much stops here and goes on at on_drained. */
bool conn_full(const struct conn *c);
size_t conn_queued(const struct conn *c);
/* Delivers what is queued, says goodbye properly (close_notify, FIN, CONN_LINGER_MS for the peer to do the same, so
 * that no reset swallows the last line), then on_end(CONN_END_CLOSED). on_data is not called any more. */
void conn_close(struct conn *c);

/* No on_data until conn_resume; at most CONN_IN_MAX bytes are read meanwhile. */
void conn_pause(struct conn *c);
/* on_data comes again, soon and also for bytes it left before. */
void conn_resume(struct conn *c);

/* Sets a deadline in milliseconds from now, 0 takes it off. */
void conn_wait(struct conn *c, enum conn_wait what, int64_t ms);

enum conn_side { CONN_SERVER, CONN_CLIENT };
/* What happens to bytes that came in the clear together with the command that begins TLS (RFC 3207 6,
 * CVE-2011-0411). They never reach on_data either way. */
enum conn_injected { CONN_INJECTED_DROP, CONN_INJECTED_CLOSE };
/* From here on TLS: what is queued (the "220 go ahead") still leaves in the clear, bytes that are already here or
 * were not consumed are dropped or end the connection, the handshake begins and is given CONN_WAIT_HANDSHAKE. ssl
 * is the conn's from now on. plain: said in the clear when the peer does not speak TLS at all (and is not an HTTP
 * client), then the connection ends; empty for silence; static text. Called in on_data, the bytes up to the
 * returned count belong to the command, the rest is what was injected. */
void conn_secure(struct conn *c, struct ssl_st *ssl, enum conn_side side, enum conn_injected injected,
    struct str plain);
/* The TLS state after conn_secure, for facts and channel bindings; NULL on a plain connection. The conn's. */
struct ssl_st *conn_ssl(const struct conn *c);
/* The handshake is done. */
bool conn_is_secure(const struct conn *c);

/* Facts for the log. */
uint64_t conn_bytes_in(const struct conn *c);  /* from the owner's view: after decryption */
uint64_t conn_bytes_out(const struct conn *c);
unsigned long conn_tls_error(const struct conn *c); /* OpenSSL's code, 0 if the peer just closed */
enum conn_wait conn_ended_wait(const struct conn *c);
/* Static words for the log: "peer closed the connection", … */
const char *conn_end_words(enum conn_end why);
int conn_fd(const struct conn *c);

#endif
