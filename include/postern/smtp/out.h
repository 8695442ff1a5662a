/* out.h - the client side of one SMTP or LMTP connection, without I/O (RFC 5321, RFC 2033 and their extensions).
 *
 * The session is a value: bytes, facts of TLS and time go in through the functions below; commands, questions and
 * results come out through struct smtp_out_ops. The relay owns socket, TLS, policy and message files.
 *
 *   new → start → feed … → (ops.starttls → tls_started) → ops.ready → send → ops.body ⇄ body …
 *       → ops.result × n → ops.done → ops.ready → send … or quit → ops.close → free
 *
 * Feed all bytes that were read before anything else is done with the connection: what stands behind the 220 of
 * STARTTLS in the same piece shows an injection. Ops may be answered from inside. After ops.close nothing more comes; the owner
 * frees the session once it has left the call in which that happened.
 *
 * Every recipient of a message gets exactly one result, then the message is done. The only exception is a session that
 * is freed in the middle: who frees it knows that the rest was not delivered, or (smtp_out_unsure) cannot know.
 *
 * The server is a stranger: its replies are capped (SMTP_OUT_REPLY_MAX) and timed as a whole, single bytes buy no time,
 * and what it says is one clean line (`words`) before anybody sees it. */
#ifndef POSTERN_SMTP_OUT_H
#define POSTERN_SMTP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/clock.h>
#include <postern/core/str.h>
#include <postern/message/envelope.h>

struct smtp_out;

enum {
	SMTP_OUT_FEED_MAX = 64 << 10,   /* bytes in one smtp_out_feed */
	SMTP_OUT_PIECE_MAX = 64 << 10,  /* bytes in one smtp_out_body */
	SMTP_OUT_LINE_MAX = 2048,       /* of a reply, with its end (RFC 5321 4.5.3.1.5 says 512) */
	SMTP_OUT_REPLY_MAX = 64 << 10,  /* all lines of a reply */
	SMTP_OUT_WORDS_MAX = 512,       /* of the server's text in a result */
	SMTP_OUT_MESSAGES = 100,        /* on one connection, unless configured */
	SMTP_OUT_PIPELINE_MAX = 500,    /* commands without a reply (RFC 2920) */
	SMTP_OUT_CHUNKS_MAX = 4,        /* BDAT commands without a reply */
	/* time (RFC 5321 4.5.3.2): each for a whole reply */
	SMTP_OUT_BANNER_SECONDS = 300,
	SMTP_OUT_COMMAND_SECONDS = 300, /* EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET */
	SMTP_OUT_HANDSHAKE_SECONDS = 60,
	SMTP_OUT_DATA_SECONDS = 120,    /* DATA to 354 */
	SMTP_OUT_BLOCK_SECONDS = 180,   /* until the connection takes the next piece */
	SMTP_OUT_END_SECONDS = 600,     /* from the end of the message to the reply */
	SMTP_OUT_QUIT_SECONDS = 10,
	SMTP_OUT_ENVELOPE_SECONDS = 1800, /* from MAIL to the first byte of the message, all in all: 1000 recipients at
	                                  * 299 seconds each would be three days */
};

enum smtp_out_protocol { SMTP_OUT_SMTP, SMTP_OUT_LMTP };

/* What the policy asks for. A STARTTLS that fails ends the session in every case: whether plain text may follow is for
 * the policy to say, on a new connection with SMTP_OUT_PLAIN. */
enum smtp_out_starttls {
	SMTP_OUT_PLAIN,     /* no STARTTLS, also when it is offered */
	SMTP_OUT_OFFERED,   /* when it is offered */
	SMTP_OUT_DEMANDED,  /* the session ends where it is not offered */
	SMTP_OUT_TLS_FIRST, /* the connection begins with TLS (RFC 8314 3.3); start comes after the handshake */
};

/* Immutable, outlives the session. */
struct smtp_out_conf {
	struct str hostname; /* for EHLO: our name, or an address literal */
	enum smtp_out_protocol protocol;
	enum smtp_out_starttls starttls;
	bool chunking;       /* BDAT wherever it is offered, not for binary content only */
	unsigned messages;   /* on this connection; 0: SMTP_OUT_MESSAGES */
	struct str user;     /* log in as; "": no AUTH */
	struct str password;
	bool password_to_anybody; /* also inside TLS whose certificate was not verified */
};

struct smtp_out_tls {
	bool verified; /* the server is who the policy says (certificate, DANE): it may have the password */
};

/* --- a message --- */

/* Texts as in envelope.h: decoded, without <>. */
struct smtp_out_rcpt {
	struct str address;
	unsigned notify;  /* of enum envelope_notify; 0: not given */
	struct str orcpt; /* "type;address", or "" */
};

/* Lives until ops.done. */
struct smtp_out_mail {
	struct str sender;
	enum envelope_ret ret;
	struct str envid;
	unsigned flags; /* of enum envelope_flag */
	uint64_t size;  /* bytes of prefix and body, 0: not known */
	const struct smtp_out_rcpt *rcpts;
	size_t nrcpts;  /* at least one */
};

/* --- results --- */

enum smtp_out_outcome {
	SMTP_OUT_DELIVERED, /* the server has taken responsibility (LMTP: has stored it) */
	SMTP_OUT_TEMP,
	SMTP_OUT_PERM,
	SMTP_OUT_CONVERT,   /* this server takes 7-bit content only: convert and send again, or bounce with this code */
};

/* Which command an answer belongs to. */
enum smtp_out_stage {
	SMTP_OUT_AT_BANNER,
	SMTP_OUT_AT_HELLO,
	SMTP_OUT_AT_STARTTLS,
	SMTP_OUT_AT_HANDSHAKE,
	SMTP_OUT_AT_AUTH,
	SMTP_OUT_AT_IDLE, /* between messages */
	SMTP_OUT_AT_MAIL, /* also what was clear before MAIL, such as a message larger than SIZE */
	SMTP_OUT_AT_RCPT,
	SMTP_OUT_AT_DATA,
	SMTP_OUT_AT_BODY,
	SMTP_OUT_AT_END,  /* after the last byte */
	SMTP_OUT_AT_QUIT,
	SMTP_OUT_STAGES,
};
/* "RCPT TO", "end of data", …: for "in reply to …". */
const char *smtp_out_stage_name(enum smtp_out_stage stage);

struct smtp_out_result {
	enum smtp_out_outcome outcome;
	enum smtp_out_stage stage;
	unsigned code;       /* of the server's reply; 0: these are our words, the server said nothing */
	char enhanced[12];   /* "5.1.1"; its own where its class fits the code (RFC 2034), else X.0.0; never empty */
	struct str words;    /* one line of UTF-8 without control bytes; valid during the op */
	bool unsure;         /* the end of the message went out, no reply came: it may be delivered (RFC 5321 6.1) */
	bool dsn;            /* delivered, and the DSN parameters were passed on (RFC 3461 5.2.1) */
};

enum smtp_out_why {
	SMTP_OUT_QUIT,      /* asked for, or the messages of this connection are used up */
	SMTP_OUT_REFUSED,   /* the server does not want us: banner, EHLO */
	SMTP_OUT_GOING,     /* 421 */
	SMTP_OUT_LOST,      /* the connection broke */
	SMTP_OUT_SLOW,      /* a deadline passed */
	SMTP_OUT_BROKEN,    /* that is no SMTP: grammar, limits, replies out of place */
	SMTP_OUT_NO_TLS,    /* demanded, not offered (RFC 8460 4.3: starttls-not-supported) */
	SMTP_OUT_TLS_REFUSED, /* offered, but STARTTLS got no 220 */
	SMTP_OUT_TLS_FAILED,  /* the handshake */
	SMTP_OUT_INJECTED,  /* plain text behind the 220 of STARTTLS */
	SMTP_OUT_UNREAD,    /* the message could not be read: smtp_out_body_failed */
	SMTP_OUT_NO_LOGIN,  /* AUTH is not offered, not allowed here, or was refused: no fault of the mail */
};

/* How the session ended. */
struct smtp_out_end {
	enum smtp_out_why why;
	bool permanent;     /* REFUSED with 5xx: this host, not the mail; else it may be better next time */
	enum smtp_out_stage stage;
	unsigned code;      /* as in a result */
	char enhanced[12];
	struct str words;
};

struct smtp_out_ops {
	/* Bytes for the server. What can go together comes in one call. */
	void (*write)(void *ctx, struct str bytes);
	/* Do the handshake, once what was written is sent. → smtp_out_tls_started, smtp_out_tls_failed */
	void (*starttls)(void *ctx);
	/* Greeted, secured, logged in. → smtp_out_send or smtp_out_quit; until then the connection is idle, and the
	 * server may end it. */
	void (*ready)(void *ctx);
	/* The next bytes of the message, prefix first. Answer when the connection has sent enough of what was written
	 * before: that is the brake. → smtp_out_body, smtp_out_body_failed. Withdrawn without a word when the message
	 * is done before the answer. */
	void (*body)(void *ctx);
	/* Of recipient number i. No call into the session from inside but its getters. */
	void (*result)(void *ctx, size_t i, const struct smtp_out_result *r);
	/* All results were given; the message is of no interest any more. ready or close follows. */
	void (*done)(void *ctx);
	/* Close the connection. The last op. */
	void (*close)(void *ctx, const struct smtp_out_end *end);
};

/* ops, ctx and conf outlive the session. tls: for SMTP_OUT_TLS_FIRST, else NULL. */
struct smtp_out *smtp_out_new(const struct smtp_out_ops *ops, void *ctx, const struct smtp_out_conf *conf,
    const struct smtp_out_tls *tls);
/* At any time but from inside an op. */
void smtp_out_free(struct smtp_out *s);

/* The connection stands: waits for the banner. */
void smtp_out_start(struct smtp_out *s);
/* At most SMTP_OUT_FEED_MAX bytes. */
void smtp_out_feed(struct smtp_out *s, struct str bytes);
/* The server closed, or the connection broke. */
void smtp_out_eof(struct smtp_out *s);
void smtp_out_tls_started(struct smtp_out *s, const struct smtp_out_tls *tls);
/* why: words for log and result; copied. */
void smtp_out_tls_failed(struct smtp_out *s, struct str why);

/* Answers to ready. False: the session is ending or has ended meanwhile, and the message is not taken: no result, no
 * done. */
bool smtp_out_send(struct smtp_out *s, const struct smtp_out_mail *mail);
/* QUIT; during a message: after it. */
void smtp_out_quit(struct smtp_out *s);

enum smtp_out_more { SMTP_OUT_MORE, SMTP_OUT_LAST };
/* Answers to body: at most SMTP_OUT_PIECE_MAX bytes; none only with LAST. Line ends become CRLF (a bare LF becomes one,
 * a bare CR a blank) and dots are stuffed here; BINARYMIME goes as it is. */
void smtp_out_body(struct smtp_out *s, struct str bytes, enum smtp_out_more more);
/* The message cannot be read: the session ends, the recipients get TEMP. */
void smtp_out_body_failed(struct smtp_out *s);

/* When to call smtp_out_tick; false while the session is idle or over. Look after each call into the session. */
bool smtp_out_deadline(const struct smtp_out *s, struct mono *when);
void smtp_out_tick(struct smtp_out *s);

/* The end of the message went out, the answer is not there: who frees the session now may cause a second delivery. */
bool smtp_out_unsure(const struct smtp_out *s);
/* Does the server offer STARTTLS, or did before TLS started? For the policy and its log. */
bool smtp_out_offers_starttls(const struct smtp_out *s);
/* The name in the last reply to EHLO, cleaned, "" before. Our own name there means mail in circles. Valid until the
 * next call. */
struct str smtp_out_server(const struct smtp_out *s);

#endif
