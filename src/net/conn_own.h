/* conn_own.h - what the files of the connection share: conn.c (life), conn_io.c (bytes), conn_tls.c, conn_wait.c. */
#ifndef POSTERN_SRC_NET_CONN_OWN_H
#define POSTERN_SRC_NET_CONN_OWN_H

#include <openssl/ssl.h>

#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/net/conn.h>

/* Bytes in the order they leave: those before `at` are gone. */
struct queue {
	struct buf b;
	size_t at;
};

/* The TLS part. Ciphertext goes in through `feed` and comes out in the conn's wire queue: OpenSSL never sees the
 * socket, so that we decide how much it does in one turn and what leaves in one packet. */
struct conn_tls {
	SSL *ssl;
	struct conn *conn;
	enum conn_side side;
	bool begun;          /* a first byte came, or went */
	bool done;           /* the handshake is */
	bool flood;
	unsigned control;    /* messages without data since the handshake */
	struct mono since;   /* the end of the handshake */
	unsigned long error; /* OpenSSL's code of the first failure */
	bool broken;         /* OpenSSL failed: nothing more can be sealed */
	struct str plain;    /* for a peer who does not speak TLS */
	struct str feed;     /* ciphertext OpenSSL has not read yet; empty between two turns */
	struct queue clear;  /* what waits to be encrypted */
};

/* The way of a connection. */
enum conn_phase {
	CONN_OPEN,
	CONN_CLOSING,   /* nothing is taken in, what is queued goes out */
	CONN_LINGERING, /* all is out, the peer is given time to take it */
	CONN_ENDED,     /* on_end was called */
};

struct conn {
	struct loop *loop;
	const struct conn_ops *ops;
	void *ctx;
	struct loop_io io;
	struct loop_timer timer;
	struct conn_tls *tls;
	struct buf in;     /* came, not consumed */
	struct queue wire; /* as it goes to the socket */
	uint64_t bytes_in;
	uint64_t bytes_out;
	int64_t wait_ms[CONN_WAITS];
	struct mono due[CONN_WAITS]; /* ns 0: not running */
	struct mono linger_due;
	struct mono armed; /* when the timer fires; ns 0: it does not */
	int fd;
	size_t lingered; /* bytes thrown away while CONN_LINGERING */
	enum conn_phase phase;
	enum conn_end why;
	enum conn_wait waited;
	enum conn_injected injected;
	bool paused : 1;
	bool full : 1; /* was, and has not come down to CONN_LOW yet */
	bool eof : 1;
	bool eof_told : 1;
	bool delivering : 1; /* on_data runs */
	bool redeliver : 1;  /* conn_resume was called */
	bool running : 1;    /* an event of this conn is being handled */
	bool deferred : 1;   /* a turn of ours is queued in the loop */
	bool freed : 1;      /* by the owner; the memory goes when neither of the two above holds */
};

static inline size_t
queue_left(const struct queue *q)
{
	return q->b.n - q->at;
}
void queue_add(struct queue *q, struct str bytes);
/* The first n bytes are gone; an empty queue holds no memory. */
void queue_took(struct queue *q, size_t n);

/* Ends the connection at the end of this turn; what is queued is not waited for. */
void conn_fail(struct conn *c, enum conn_end why);
/* As conn_close, with another reason: the last words are still delivered. */
void conn_close_for(struct conn *c, enum conn_end why);

/* Gives the owner what he left, in the next turn. */
void conn_redeliver_soon(struct conn *c);

/* conn_io.c */
void conn_io_read(struct conn *c);
/* Gives the owner what he left, and the end of file after it. */
void conn_io_redeliver(struct conn *c);
/* Sends what can be sent. */
void conn_io_flush(struct conn *c);
/* All is out: says goodbye, and CONN_LINGERING begins. */
void conn_io_linger(struct conn *c);
/* Something is queued that could leave if the socket took it. */
bool conn_io_can_send(const struct conn *c);

/* conn_wait.c */
void conn_wait_restart(struct conn *c, enum conn_wait what);
void conn_wait_stop(struct conn *c, enum conn_wait what);
/* The timer fired: does what is due. */
void conn_wait_fire(struct conn *c);
/* Sets the timer to the next deadline. */
void conn_wait_arm(struct conn *c);

/* conn_tls.c */
enum { CONN_CLEAR_MAX = CONN_TURN_BYTES + 32 * 1024 }; /* a turn's bytes and a record that was begun before */
void conn_tls_begin(struct conn *c, SSL *ssl, enum conn_side side, struct str plain);
/* Decrypts wire bytes into clear (CONN_CLEAR_MAX bytes) and returns how many came out. Calls on_secure. */
size_t conn_tls_feed(struct conn *c, struct str wire, char *clear);
/* Encrypts what waits, until about CONN_TURN_BYTES are in the wire queue. */
void conn_tls_seal(struct conn *c);
/* Puts the close_notify into the wire queue. */
void conn_tls_goodbye(struct conn *c);
void conn_tls_free(struct conn_tls *t);

#endif
