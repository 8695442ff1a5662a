/* in.h - the server side of one SMTP connection, without I/O (RFC 5321 and its extensions; ports 25, 587 and 465).
 *
 * The session is a value: bytes, answers and time go in through the functions below; replies and questions come out
 * through struct smtp_in_ops. The role owns socket, TLS, timer and channels, tests and the fuzzer own none of them.
 *
 *   new → start → feed … → (starttls → tls_started → feed …) → ops.close → free
 *
 * The session waits for at most one answer at a time. Every question gets exactly one answer, from inside the op or
 * later, unless the session withdraws it with ops.cancel. After ops.close the session neither writes nor asks; the
 * role frees it once it has left the call in which that happened. smtp_in_free at any other time cancels what is asked.
 *
 * Bare CR or LF ends no line (RFC 5321 2.3.8), nothing of the input is ever echoed, AUTH does not exist before TLS. On
 * port 25 AUTH does not exist at all: where strangers' servers come in, nobody guesses passwords. */
#ifndef POSTERN_SMTP_IN_H
#define POSTERN_SMTP_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/clock.h>
#include <postern/core/err.h>
#include <postern/core/str.h>
#include <postern/message/envelope.h>
#include <postern/smtp/reply.h>

struct smtp_in;

enum smtp_in_profile {
	SMTP_MX,          /* port 25: from everybody, for us */
	SMTP_SUBMISSION,  /* port 587: STARTTLS, AUTH, then MAIL (RFC 6409) */
	SMTP_SUBMISSIONS, /* port 465: TLS from the first byte (RFC 8314 3.3); the session starts after the handshake */
	SMTP_LOCAL,       /* the local submission socket: the kernel knows the user; no TLS, no AUTH, any sender */
};

/* How busy the process is: shortens what it waits for (RFC 5321 4.5.3.2.7 wants 5 minutes of a calm one). */
enum smtp_in_load { SMTP_LOAD_CALM, SMTP_LOAD_BUSY, SMTP_LOAD_FULL };

/* Limits of the protocol. */
enum {
	SMTP_FEED_MAX = 64 << 10,    /* bytes in one smtp_in_feed */
	SMTP_BACKLOG_MAX = 32 << 10, /* more than this waiting behind a question: ops.pause */
	SMTP_LINE_MAX = 4096,        /* command line with CRLF (RFC 5321 4.5.3.1.4: 512 and what extensions add) */
	SMTP_AUTH_LINE_MAX = 12290,  /* the same where AUTH is allowed (RFC 4954 4: 12288) */
	SMTP_TEXT_LINE_MAX = 65536,  /* line of a message with CRLF; RFC 5321 says 1000, real mail has longer ones */
	SMTP_HEADER_MAX = 256 << 10, /* header of a message */
	SMTP_HEADER_FIELDS_MAX = 5000,
	SMTP_HOPS_MAX = 100,         /* Received fields; more is a loop (RFC 5321 6.3); unless configured */
	SMTP_FROM_MAX = 20,          /* addresses in From: of a submission; each is asked for */
	SMTP_ERRORS_MAX = 20,        /* 4xx and 5xx to commands but RCPT, in a session; unless configured */
	SMTP_GUESSES_MAX = 100,      /* refused RCPTs in a session without an accepted message in between */
	SMTP_OVERSHOOT_MAX = 1000,   /* RCPTs beyond the limit in a session */
	SMTP_CHAT_MAX = 100,         /* NOOP, RSET, VRFY … without a message in between */
	SMTP_AUTH_FAILURES_MAX = 3,
	SMTP_COMMAND_SECONDS = 300,  /* from the reply to the whole next command; unless configured */
	SMTP_DATA_SECONDS = 180,     /* without a byte */
	SMTP_DATA_GRACE_SECONDS = 60,/* after which a message must have come at … */
	SMTP_DATA_RATE = 500,        /* … so many bytes per second on average */
};

/* The part of the configuration that a session sees; immutable, outlives the session. */
struct smtp_in_conf {
	struct str hostname;         /* in banner, EHLO, Received */
	uint64_t message_size;       /* bytes of a message, 0 is no limit */
	unsigned recipients;         /* of one message, at least 100 (RFC 5321 4.5.3.1.8) */
	unsigned messages;           /* MAIL commands of one session */
	const struct str *mechanisms; /* SASL names, best first; "…-PLUS" is offered with a channel binding only */
	size_t nmechanisms;
	bool tls;                    /* STARTTLS can be offered */
	bool show_client;            /* put a submission's client address into Received */
	unsigned hops;               /* 0: SMTP_HOPS_MAX */
	unsigned errors;             /* 0: SMTP_ERRORS_MAX */
	int64_t command_ms;          /* wait for a command, shortened under load; 0: SMTP_COMMAND_SECONDS */
	int64_t login_ms;            /* on submission from start to login, all in all; 0: no limit of its own */
};

struct smtp_in_peer {
	struct str address; /* "192.0.2.1", "2001:db8::1"; copied */
	struct str sid;     /* session id for the log; copied */
	struct str user;    /* SMTP_LOCAL: who the kernel says it is, "uid=1000"; copied */
};

/* What the handshake brought; texts are copied. Empty where there is nothing. */
struct smtp_in_tls {
	struct str version;    /* "TLSv1.3" */
	struct str cipher;     /* the registered name, "TLS_AES_256_GCM_SHA384" (RFC 8314 4.3) */
	unsigned bits;
	struct str group;      /* "x25519" */
	struct str sni;
	struct str client;     /* subject of a client certificate that was verified */
	struct str exporter;   /* tls-exporter (RFC 9266), raw bytes */
	struct str endpoint;   /* tls-server-end-point (RFC 5929), raw bytes */
};

/* --- questions and answers --- */

struct smtp_in_resolve {
	struct str address; /* of the RCPT, without <>, syntax checked; "postmaster" may come without a domain */
	struct str sender;  /* "" for the null sender */
	struct str login;   /* canonical user, or "" */
	uint64_t size;      /* announced by SIZE, or 0 */
	bool smtputf8;      /* the transaction has SMTPUTF8 (RFC 6531) */
};

struct smtp_in_resolved {
	bool ok;
	struct smtp_reply reply;               /* when not ok: 550, 551, 553, 452, 451 … with its words; copied */
	const struct envelope_target *targets; /* when ok: where it goes; copied */
	size_t ntargets;
};

enum smtp_in_verdict { SMTP_VERDICT_YES, SMTP_VERDICT_NO, SMTP_VERDICT_LATER };

enum smtp_in_auth_result {
	SMTP_AUTH_CHALLENGE, /* data: the server's challenge, raw */
	SMTP_AUTH_DONE,      /* user: the canonical name */
	SMTP_AUTH_REFUSED,   /* wrong, disabled, too often … ; one text for all (SMTP_AUTH_FAILED) */
	SMTP_AUTH_BUSY,      /* 454 */
	SMTP_AUTH_UNKNOWN,   /* no such mechanism: 504 */
	SMTP_AUTH_MALFORMED, /* the client broke the mechanism's syntax: 501 */
	SMTP_AUTH_SHUT_OUT,  /* too many failures from where he is: 421 */
};

struct smtp_in_authed {
	enum smtp_in_auth_result result;
	struct str data;
	struct str user;
};

struct smtp_in_rcpt {
	struct envelope_recipient rcpt;
	const struct envelope_target *targets;
	size_t ntargets;
};

/* A transaction on its way to the sink; lives until submit is answered or the sink is aborted. */
struct smtp_in_mail {
	struct envelope envelope;
	const struct smtp_in_rcpt *rcpts;
	size_t nrcpts;
	uint64_t size; /* announced by SIZE, or 0: a large one may go to a spool file at once */
};

enum smtp_in_sink {
	SMTP_SINK_OK,
	SMTP_SINK_WAIT,   /* taken; at most SMTP_HEADER_MAX + SMTP_FEED_MAX bytes more until smtp_in_sink_ready */
	SMTP_SINK_FAILED, /* e says why; the sink is closed */
};

struct smtp_in_ops {
	/* Bytes for the client. All replies to one feed come in one call. */
	void (*write)(void *ctx, struct str bytes);
	/* Close when what was written is sent. The last op of a session. */
	void (*close)(void *ctx);
	/* Send what was written, then do the handshake, then smtp_in_tls_started; if it fails, close and free. */
	void (*starttls)(void *ctx);
	/* No feed until resume: too much waits already. */
	void (*pause)(void *ctx);
	void (*resume)(void *ctx);
	enum smtp_in_load (*load)(void *ctx);

	/* The question that was asked last is of no interest any more; no answer may come. */
	void (*cancel)(void *ctx);
	/* → smtp_in_answer_resolve */
	void (*resolve)(void *ctx, const struct smtp_in_resolve *q);
	/* May this login send as this address? → smtp_in_answer_may_send */
	void (*may_send)(void *ctx, struct str login, struct str address);
	/* initial: decoded; initial.p NULL when none came (RFC 4954 4). → smtp_in_answer_auth */
	void (*auth_start)(void *ctx, struct str mechanism, struct str initial);
	void (*auth_step)(void *ctx, struct str bytes);
	/* The client gave up (`*`), or broke the rules in the middle of an exchange. No answer. */
	void (*auth_abort)(void *ctx);

	/* The message's bytes: one sink at a time. open with the envelope, write the body piece by piece, then either
	 * submit or abort. open and write fail with e (SMTP_SINK_FAILED counts as aborted). Behind SMTP_SINK_WAIT
	 * smtp_in_sink_ready comes later, not from inside sink_write, and not any more once the sink has failed or was
	 * aborted. */
	bool (*sink_open)(void *ctx, const struct smtp_in_mail *mail, struct err *e);
	enum smtp_in_sink (*sink_write)(void *ctx, struct str bytes, struct err *e);
	void (*sink_abort)(void *ctx);
	/* Finish the message file with this prefix and flags (enum envelope_flag) and give it to the queue.
	 * → smtp_in_answer_submit */
	void (*submit)(void *ctx, struct str prefix, unsigned flags);
};

/* ops, ctx and conf outlive the session. tls: the facts of a handshake that is done already (SMTP_SUBMISSIONS), or
 * NULL. */
struct smtp_in *smtp_in_new(const struct smtp_in_ops *ops, void *ctx, const struct smtp_in_conf *conf,
    enum smtp_in_profile profile, const struct smtp_in_peer *peer, const struct smtp_in_tls *tls);
/* Cancels and aborts what is under way, and forgets the session. Not from inside an op. */
void smtp_in_free(struct smtp_in *s);

/* Greets. Bytes that were fed before it came from a client that does not wait for the greeting: it is sent away. */
void smtp_in_start(struct smtp_in *s);
/* At most SMTP_FEED_MAX bytes, none while paused. */
void smtp_in_feed(struct smtp_in *s, struct str bytes);
void smtp_in_tls_started(struct smtp_in *s, const struct smtp_in_tls *tls);
/* The client closed its side, or the connection broke: nothing more will come. */
void smtp_in_eof(struct smtp_in *s);
/* The server wants to stop: the session ends with 421 as soon as no transaction is under way. */
void smtp_in_shutdown(struct smtp_in *s);

/* When to call smtp_in_tick; false while the session waits for the server's own side. Look after each call into the
 * session; it moves back and forth. A tick that comes too early does nothing. */
bool smtp_in_deadline(const struct smtp_in *s, struct mono *when);
void smtp_in_tick(struct smtp_in *s);

/* The answer to the question of smtp_in_ops that is open, once; what is given is copied. */
void smtp_in_answer_resolve(struct smtp_in *s, const struct smtp_in_resolved *a);
void smtp_in_answer_may_send(struct smtp_in *s, enum smtp_in_verdict verdict);
void smtp_in_answer_auth(struct smtp_in *s, const struct smtp_in_authed *a);
/* 250: accepted (the session adds the queue id); anything else: refused. Copied. */
void smtp_in_answer_submit(struct smtp_in *s, const struct smtp_reply *reply);
/* After SMTP_SINK_WAIT: go on (NULL), or why the sink has failed, which is closed; the words for the log are copied. */
void smtp_in_sink_ready(struct smtp_in *s, const struct err *failed);

/* For `session list`: "" before login. Valid until the next call into the session. */
struct str smtp_in_login(const struct smtp_in *s);

#endif
