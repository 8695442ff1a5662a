/* out_session.h - what the files of the client session share; nobody else includes it.
 *
 *   out.c          the public face: life, feed, answers, time
 *   out_turn.c     the turn: replies meet the commands that wait for them; the one place that writes and asks
 *   out_end.c      results and ends: what the relay is told
 *   out_hello.c    banner, EHLO, HELO, STARTTLS      out_auth.c  AUTH
 *   out_mail.c     a message: the steps of its commands, and their replies
 *   out_needs.c    what a message needs of the server
 *   out_envelope.c MAIL and RCPT with their parameters
 *   out_body.c     the bytes of the message          out_reply.c the reader of replies */
#ifndef POSTERN_SMTP_OUT_SESSION_H
#define POSTERN_SMTP_OUT_SESSION_H

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/smtp/out.h>
#include <postern/smtp/out_reply.h>

#include "out_body.h"

enum out_state {
	OUT_NEW,       /* not started */
	OUT_GREETING,  /* banner to AUTH */
	OUT_HANDSHAKE, /* nothing until TLS has started */
	OUT_IDLE,      /* no message */
	OUT_MAILING,
	OUT_LEAVING,   /* QUIT was sent; the end is decided */
	OUT_OVER,
};

/* What a reply is waited for; rows in out_turn.c. */
enum out_verb {
	OUT_BANNER,
	OUT_EHLO,
	OUT_HELO,
	OUT_STARTTLS,
	OUT_AUTH,
	OUT_RSET,
	OUT_MAIL,
	OUT_RCPT,
	OUT_DATA,
	OUT_CHUNK, /* BDAT */
	OUT_END,   /* the dot, or BDAT LAST */
	OUT_EMPTY, /* a dot behind a DATA that nobody wanted to succeed */
	OUT_QUIT,
};

/* So many replies to the same verb in a row. The queue of them is short: a pipeline is RSET, MAIL, RCPT × n, DATA. */
struct out_wait {
	enum out_verb verb;
	size_t count;
};

enum { OUT_WAITS_MAX = 8 };

enum out_cap {
	CAP_8BITMIME = 1,
	CAP_AUTH = 2,
	CAP_BINARYMIME = 4,
	CAP_CHUNKING = 8,
	CAP_DSN = 16,
	CAP_PIPELINING = 32,
	CAP_REQUIRETLS = 64,
	CAP_SIZE = 128,
	CAP_SMTPUTF8 = 256,
	CAP_STARTTLS = 512,
};

enum out_mechanism { OUT_PLAIN = 1, OUT_LOGIN = 2 };

/* The commands of a message, in order. */
enum out_step {
	STEP_CHECK, /* does the server have what the message needs? */
	STEP_RSET,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_GO,   /* DATA was sent, 354 awaited */
	STEP_BODY,
	STEP_END,  /* all was sent */
};

enum out_rcpt_bit { RCPT_ASKED = 1, RCPT_ACCEPTED = 2, RCPT_DONE = 4 };

struct out_tx {
	const struct smtp_out_mail *mail;
	uint8_t *rcpts;    /* of enum out_rcpt_bit */
	size_t open;       /* recipients without a result */
	size_t accepted;   /* of them, accepted by RCPT */
	size_t asked;      /* the next RCPT to send */
	size_t answered;   /* where to look for the recipient of the next reply */
	enum out_step step;
	bool chunks;       /* BDAT, not DATA */
	bool utf8;         /* SMTPUTF8 is declared */
	struct out_body body;
	struct mono began;
};

struct smtp_out {
	const struct smtp_out_ops *ops;
	void *ctx;
	const struct smtp_out_conf *conf;

	enum out_state state;
	bool running, closed;
	struct str input;      /* what this turn reads */
	bool unasked;          /* what is left of it came before anything was asked */
	struct out_reply_reader reader;
	struct buf out;        /* commands of this turn */
	struct out_wait waits[OUT_WAITS_MAX];
	size_t nwaits, waiting; /* rows, and replies in all */
	struct mono since;     /* when the wait for the next reply began */
	bool replying;         /* a row runs */
	enum smtp_out_stage stage; /* of the last reply */

	/* what the server said of itself */
	struct buf server;
	unsigned caps;         /* of enum out_cap */
	unsigned mechanisms;   /* of enum out_mechanism */
	uint64_t size;         /* SIZE; 0: no limit told */
	bool starttls_seen, has_tls, verified;
	enum out_mechanism mechanism;
	unsigned auth_step;

	bool want_tls, want_ready, want_quit, want_body, want_close;
	bool asked_body;
	struct mono asked_body_at;
	unsigned mails;
	bool dirty;            /* the server may think that a transaction is under way */
	struct out_tx tx;

	struct smtp_out_end end;
	struct buf end_words;
};

#define OUT_UNASKED "a reply to nothing that was asked"

/* --- out_turn.c --- */
void out_turn(struct smtp_out *s);
/* Adds a command line, and waits for its reply. */
void out_command(struct smtp_out *s, enum out_verb verb, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* n replies to the verb are to come. */
void out_expect(struct smtp_out *s, enum out_verb verb, size_t n);
/* What the next reply is for; where nothing is waited for, where the session stands. */
enum smtp_out_stage out_stage(const struct smtp_out *s);
/* Until when that reply must be there; false when none is waited for. */
bool out_wait_deadline(const struct smtp_out *s, struct mono *when);
void out_ready(struct smtp_out *s);

/* --- out_end.c --- */
/* A result from the server's reply, or from words of ours. */
struct smtp_out_result out_answer(struct smtp_out *s, const struct out_reply *r, struct buf *words);
struct smtp_out_result out_own(enum smtp_out_outcome outcome, enum smtp_out_stage stage, const char *enhanced,
    struct str words);
/* Gives recipient i its result. */
void out_result(struct smtp_out *s, size_t i, const struct smtp_out_result *r);
/* The same to all that have none yet and have these bits (0: to all). */
void out_result_all(struct smtp_out *s, unsigned bits, const struct smtp_out_result *r);
/* The session ends because of the reply, or (r NULL) for reasons of its own with these words, NULL: the usual ones.
 * Open recipients get their results. */
void out_end(struct smtp_out *s, enum smtp_out_why why, const struct out_reply *r, const char *words);

/* --- out_hello.c --- */
void banner_reply(struct smtp_out *s, const struct out_reply *r);
void ehlo_reply(struct smtp_out *s, const struct out_reply *r);
void helo_reply(struct smtp_out *s, const struct out_reply *r);
void starttls_reply(struct smtp_out *s, const struct out_reply *r);
/* EHLO or LHLO. */
void out_hello(struct smtp_out *s);

/* --- out_auth.c --- */
void out_auth(struct smtp_out *s);
void auth_reply(struct smtp_out *s, const struct out_reply *r);

/* --- out_mail.c --- */
void out_mail_begin(struct smtp_out *s, const struct smtp_out_mail *mail);
/* One step; false when something has to come from outside. */
bool out_mail_step(struct smtp_out *s);
void out_mail_piece(struct smtp_out *s, struct str bytes, enum smtp_out_more more);
/* A reply in the middle of a message while none was waited for. */
void out_mail_early(struct smtp_out *s, const struct out_reply *r);
void rset_reply(struct smtp_out *s, const struct out_reply *r);
void mail_reply(struct smtp_out *s, const struct out_reply *r);
void rcpt_reply(struct smtp_out *s, const struct out_reply *r);
void data_reply(struct smtp_out *s, const struct out_reply *r);
void chunk_reply(struct smtp_out *s, const struct out_reply *r);
void end_reply(struct smtp_out *s, const struct out_reply *r);
void empty_reply(struct smtp_out *s, const struct out_reply *r);

/* --- out_needs.c --- */
/* Gives results to the recipients that this server cannot serve. */
void out_needs_check(struct smtp_out *s);

/* --- out_envelope.c --- */
void out_envelope_mail(struct smtp_out *s);
void out_envelope_rcpt(struct smtp_out *s, const struct smtp_out_rcpt *r);

static inline bool
out_is_good(const struct out_reply *r)
{
	return r->code < 400;
}

#endif
