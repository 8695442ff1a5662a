/* probe_shot.h - one connection of a probe: connects, talks up to TLS, and then either peeks (tls/peek.h) or does a
 * real handshake and looks around inside. Ends by itself in SHOT_MS at the latest, whatever the server does. */
#ifndef POSTERN_CLI_PROBE_SHOT_H
#define POSTERN_CLI_PROBE_SHOT_H

#include <openssl/ssl.h>

#include <postern/core/loop.h>
#include <postern/net/addr.h>
#include <postern/net/conn.h>
#include <postern/tls/peek.h>

#include "probe_talk.h"

enum {
	SHOT_MS = 9000,
	SHOT_CONNECT_MS = 4000,
	SHOT_SILENCE_MS = 2500, /* guessing: who has not greeted by then waits for our ClientHello */
	SHOT_RENEGOTIATE_MS = 2500, /* no answer by then is a no */
};

enum shot_way { SHOT_STARTTLS, SHOT_TLS_FIRST };

struct shot_aim {
	struct addr at;
	enum shot_way way;
	enum talk_protocol protocol;
	bool guess; /* SMTP or IMAP: by the greeting */
	enum talk_goal goal;
	struct str hostname; /* ours; outlives the shot */
	const struct tls_peek_offer *offer; /* not NULL: peek; read at once when the time comes, outlives the shot */
	SSL *ssl; /* else: the shot's from now on */
	bool renegotiate; /* ask for it once TLS stands, and do nothing else */
};

enum shot_end {
	SHOT_OVER, /* came to its end: the peek was answered, the goodbye said */
	SHOT_UNREACHED, /* no connection; words */
	SHOT_SILENT, /* guessing: nothing was said in the clear */
	SHOT_STOPPED, /* before TLS; talk.stop */
	SHOT_NO_TLS, /* the handshake failed, the peek was refused; words */
	SHOT_LOST, /* the connection broke or stalled elsewhere; words */
};

enum { SHOT_WORDS_SIZE = 160 };

struct shot {
	struct loop *loop;
	struct shot_aim aim;
	enum { SHOT_CONNECTING, SHOT_TALKING, SHOT_PEEKING, SHOT_SHAKING, SHOT_INSIDE, SHOT_FINISHED } stage;
	int fd; /* until the connection has it */
	struct loop_io io;
	struct loop_timer timer;
	struct conn *conn;
	struct talk talk;
	struct tls_peek peek;
	bool heard; /* a byte came */
	bool stalled; /* time ran out: asking again would take as long */
	bool secure; /* the handshake was done */
	bool renegotiated;
	unsigned shakes;
	unsigned tickets;
	long ticket_lifetime; /* seconds, the longest */
	bool early_data;
	enum shot_end end;
	enum tls_peek_found found; /* of a peek that is OVER or NO_TLS */
	char words[SHOT_WORDS_SIZE];
	void (*done)(void *ctx, struct shot *s);
	void *ctx;
};

/* done is called once, never from inside; then the shot is the caller's to look at and to free. */
struct shot *shot_start(struct loop *l, const struct shot_aim *aim, void (*done)(void *ctx, struct shot *s), void *ctx);
/* At any time; done is not called any more. NULL is allowed. */
void shot_free(struct shot *s);

/* For contexts of handshakes: tickets are counted here. */
int shot_on_ticket(SSL *ssl, SSL_SESSION *session);

#endif
