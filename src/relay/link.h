/* link.h - one connection to one host: socket, TLS as a decision demands it, and the SMTP session on top.
 *
 *   link_new → greeted → link_send → result × n → done → link_rest → link_send → … → over
 *
 * A link has one user at a time: the job whose mail it takes, or the store of idle ones. After `over', and after `done'
 * with an end, nothing more comes and the link is not to be touched: it closes, and frees itself. */
#ifndef RELAY_LINK_H
#define RELAY_LINK_H

#include <postern/message/envelope.h>
#include <postern/net/addr.h>
#include <postern/net/conn.h>
#include <postern/smtp/out.h>

#include "relay_own.h"

enum {
	LINK_HANDSHAKE_MS = 30000,
	LINK_PIECE = 32 << 10, /* of a message, read at a time */
	/* a message has this long, and a second for so many bytes: who reads a byte a minute does not keep a connection
	 * for days */
	LINK_MAIL_SECONDS = SMTP_OUT_ENVELOPE_SECONDS + SMTP_OUT_END_SECONDS,
	LINK_BYTES_PER_SECOND = 4096,
};

/* What came of TLS. */
struct link_tls {
	bool offered;
	bool tried; /* STARTTLS was accepted, or the connection began with TLS */
	bool stands;
	struct tls_outcome outcome; /* of tried */
};

/* Called from the loop, except result. The texts of an end live as long as the call. */
struct link_ops {
	void (*greeted)(void *ctx);
	/* Of recipient number i; no call into the link from inside. */
	void (*result)(void *ctx, size_t i, const struct smtp_out_result *r);
	/* All results were given. end NULL: the link is good for another message; else it is over. */
	void (*done)(void *ctx, const struct smtp_out_end *end);
	/* The session ended before greeted, or at rest. */
	void (*over)(void *ctx, const struct smtp_out_end *end);
};

struct link_query {
	const struct conf *conf; /* referenced */
	int fd;                  /* connected; the link's */
	struct addr peer;
	const struct tls_decision *decision; /* lives until greeted or over */
	enum conf_protocol protocol;
	bool plain;              /* no STARTTLS, although the decision asks for it */
	struct str user, password;
	bool to_anybody; /* the password, inside TLS: the operator demands no more than that */
};

/* What the jobs that use it later say of it: made and read by them. */
struct link_about {
	char *key;           /* of what may go over it; NULL: nothing but the first message */
	struct mono expires; /* takes no new message after that */
	char *host;
	char *why;           /* of its TLS, in words */
	enum tls_level wanted, got;
	enum tlsrpt_policy policy;
	bool plain;          /* the fallback */
	bool alone;          /* the plan had no other host */
};

enum link_state {
	LINK_GREETING,
	LINK_READY, /* no message: with a job, or at rest */
	LINK_BUSY,
	LINK_LEAVING, /* without a user */
};

struct link {
	LIST_ENTRY(link) entry;
	TAILQ_ENTRY(link) same_key, resting; /* at rest only */
	struct relay *relay;
	const struct link_ops *ops;
	void *ctx;

	enum link_state state;
	const struct conf *conf;
	const struct tls_decision *decision;
	struct conn *conn;
	struct smtp_out *out;
	struct smtp_out_conf out_conf;
	char *user, *password;
	struct addr peer;
	struct link_tls tls;
	struct loop_timer tick;
	bool want_tls, ready, want_body, finished, closed; /* what the session said, and was not acted on yet */
	bool settling, dead;
	struct smtp_out_end end;
	char end_words[SMTP_OUT_WORDS_MAX + 4];

	const struct envelope_reader *message;
	uint64_t at; /* the next byte of it to send */
	struct mono due; /* when it must be over: the message, or the rest */
	struct link_about about;
};

/* Takes a slot of the relay's that the caller holds. */
struct link *link_new(struct relay *r, const struct link_query *q, const struct link_ops *ops, void *ctx);
/* Closes at once; its user hears nothing. */
void link_free(struct link *l);
/* Another user from now on. */
void link_use(struct link *l, const struct link_ops *ops, void *ctx);

/* mail and message live until done. False: the session has ended meanwhile; the link is not the caller's any more, and
 * nothing is called. */
bool link_send(struct link *l, const struct smtp_out_mail *mail, const struct envelope_reader *message);
/* Waits for link_send or link_quit, and says QUIT itself after so long. */
void link_rest(struct link *l, int64_t ms);
/* Says QUIT and goes; its user hears nothing more. */
void link_quit(struct link *l);

/* --- between link*.c --- */
/* Does what was noted. The link may be gone when it returns. */
void link_settle(struct link *l);
/* tls: the facts of a connection that began with it. */
void link_session_begin(struct link *l, const struct smtp_out_tls *tls);
/* Gives the session the next piece of the message. */
void link_session_piece(struct link *l);
/* The end of a session that did not begin. */
void link_end_with(
    struct link *l, enum smtp_out_why why, enum smtp_out_stage stage, const char *enhanced, struct str words);
void link_tls_begin(struct link *l);
/* The handshake is done: the outcome is known. */
void link_tls_note(struct link *l);
/* It failed: why in words, or NULL when OpenSSL knows. */
void link_tls_fail(struct link *l, const char *why);

#endif
