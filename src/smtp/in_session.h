/* in_session.h - what the files of the server session share; nobody else includes it.
 *
 *   in.c          the public face: life, feed, answers, time
 *   in_turn.c     the turn: line → row → handler → reply; the one place that writes, logs and counts
 *   in_verb.c     the verb table; guards, wrong state, HELP
 *   in_hello.c    EHLO, HELO, STARTTLS      in_auth.c    AUTH
 *   in_mail.c     MAIL                      in_rcpt.c    RCPT           in_param.c  their parameters
 *   in_data.c     DATA, BDAT                in_content.c the message while it streams
 *   in_header.c   its header: facts, edits  in_received.c the prefix
 *   in_check.c    stage table of checks     in_log.c     accept and refuse lines */
#ifndef POSTERN_SMTP_IN_SESSION_H
#define POSTERN_SMTP_IN_SESSION_H

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/cur.h>
#include <postern/message/address.h>
#include <postern/smtp/in.h>

#include "data.h"
#include "rules.h"

/* Where the dialogue stands; a verb's row names the states it is allowed in. */
enum in_state {
	IN_START = 1,   /* no EHLO yet, or none since TLS */
	IN_READY = 2,   /* no transaction */
	IN_MAIL = 4,    /* MAIL, no recipient yet */
	IN_RCPT = 8,    /* at least one recipient */
	IN_CHUNK = 16,  /* BDAT has begun */
	IN_BROKEN = 32, /* BDAT has failed; the rest of the pipeline is swallowed until RSET (RFC 3030 2) */
	IN_ANY = 63,
};

enum in_reading {
	IN_COMMAND,
	IN_AUTH,  /* lines of a SASL exchange */
	IN_DATA,
	IN_CHUNK_BYTES,
	IN_HANDSHAKE, /* nothing until TLS has started */
	IN_OVER,      /* nothing any more */
};

enum in_ask { ASK_NONE, ASK_RESOLVE, ASK_MAY_SEND, ASK_AUTH, ASK_SINK, ASK_SUBMIT };

/* The parameters of MAIL and RCPT that were given; one bit each, so that none comes twice. */
enum in_param_bit {
	PARAM_SIZE = 1,
	PARAM_BODY = 2,
	PARAM_SMTPUTF8 = 4,
	PARAM_RET = 8,
	PARAM_ENVID = 16,
	PARAM_AUTH = 32,
	PARAM_NOTIFY = 64,
	PARAM_ORCPT = 128,
	PARAM_REQUIRETLS = 256,
};

enum in_body { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

/* What a command's parser found; texts live as long as the command. */
struct in_args {
	struct arena *arena;
	enum smtp_reply_name bad; /* what to say when the parser returns false */
	struct str word;          /* EHLO: name; AUTH: mechanism; VRFY, NOOP, HELP: the rest */
	struct str initial;       /* AUTH: as sent, p NULL when there is none */
	struct str path;          /* as written, without <> and route */
	struct address address;
	unsigned params;          /* of enum in_param_bit */
	uint64_t size;
	enum in_body body;
	enum envelope_ret ret;
	struct str envid;
	unsigned notify;
	struct str orcpt;
	uint64_t chunk;
	bool chunk_last;
};

enum in_flag {
	V_GUARDED = 1, /* a submission needs TLS and login for it (RFC 4954 6: 530) */
	V_CHAT = 2,    /* costs us and brings no mail: counted */
	V_FOREIGN = 4, /* another protocol's: close */
	V_SECRET = 8,  /* its line is wiped */
	V_HIDDEN = 16, /* not in HELP */
};

struct in_verb {
	struct str name;
	unsigned allowed; /* of enum in_state */
	unsigned flags;
	bool (*parse)(struct cur *c, struct in_args *a); /* NULL: takes no arguments */
	struct smtp_reply (*run)(struct smtp_in *s, const struct in_args *a);
	const char *rfc;
};

enum in_stage { STAGE_CONNECT = 1, STAGE_MAIL = 2, STAGE_RCPT = 4, STAGE_CONTENT = 8 };

typedef struct smtp_reply in_then(struct smtp_in *s);

/* The addresses of From: and Sender: that have to belong to the login. */
struct in_owner {
	struct in_owner *next;
	struct str address;
};

/* One mail transaction; lives from MAIL to the final reply, RSET or the end. */
struct in_tx {
	struct arena arena;
	struct envelope envelope;
	struct smtp_in_mail mail; /* what the sink sees */
	struct smtp_in_rcpt *rcpts;
	unsigned nrcpts, cap, ntargets, refused;
	uint64_t announced; /* SIZE, or 0 */
	enum in_body body;
	bool smtputf8;
	bool requiretls;
	bool tls_optional; /* the header says so */

	/* the content while it streams */
	bool ended;                /* all has come: the next reply ends the transaction */
	bool sink;                 /* open */
	enum smtp_reply_name bad;  /* first reason against the message; SMTP_OK: none */
	char bad_log[ERR_LOG_MAX]; /* the sink's own words */
	uint64_t size;             /* bytes of content */
	struct data_reader reader;
	struct rules rules;
	bool in_header;
	struct buf header;
	size_t header_line;        /* where its last, unfinished line begins */
	struct str msgid;
	struct in_owner *owners;   /* not asked yet */
	unsigned from_fields, tls_required_fields;
	bool from_bad;             /* From: or Sender: has no address, or has to be guessed */
	bool from_crowded;
	bool has_date;
	unsigned hops;
	bool utf8_header;
};

struct smtp_in {
	const struct smtp_in_ops *ops;
	void *ctx;
	const struct smtp_in_conf *conf;
	enum smtp_in_profile profile;
	struct arena arena;    /* peer, session */
	struct str address, sid, user;
	struct mono born;
	struct arena hello;    /* what the client said since EHLO */
	struct str helo;
	bool esmtp;
	struct arena secure;   /* what the handshake brought */
	struct smtp_in_tls tls;
	bool has_tls;
	struct str login;      /* in arena; "" before AUTH */

	enum in_state state;
	enum in_reading reading;
	bool started, early, running, paused, gone, stopping;
	bool want_tls, want_close, closed;

	struct str input;      /* what this turn reads: the feed's bytes, or held */
	struct buf held;       /* input that waits */
	struct buf out;        /* replies of this turn */

	/* the command under way */
	struct arena scratch;
	const struct in_verb *verb;
	struct in_args args;
	enum in_ask ask;
	bool answered;
	in_then *then;
	enum in_stage stage;
	size_t check_next;
	in_then *checked;
	/* answers */
	enum smtp_in_verdict verdict;
	struct smtp_in_resolved resolved;
	struct smtp_in_authed authed;
	struct smtp_reply submitted;
	bool auth_running;
	bool counted;          /* the reply has a count of its own, it is none of the errors */
	bool told;             /* the log knows it already: one line for a flood */

	struct in_tx tx;

	uint64_t chunk_left;
	bool chunk_last;
	bool chunk_refused;    /* its bytes are swallowed, then chunk_reply */
	enum smtp_reply_name chunk_reply;
	uint64_t swallowed;    /* bytes of content nobody wants, since the last reply */

	/* counted over the session */
	unsigned mails, errors, guesses, overshoot, chat, auth_failures;
	struct mono since;     /* when the wait for the client began */
	struct mono last_byte;
	uint64_t arrived;      /* content bytes since `since` */
};

/* --- in_turn.c --- */
void in_turn(struct smtp_in *s);
/* Writes, logs, counts and goes on as the reply says; nothing when it is LATER. */
void in_reply(struct smtp_in *s, struct smtp_reply r);
/* Marks a question as asked; the op is called by the caller right after. then runs once it is answered. */
void in_asking(struct smtp_in *s, enum in_ask ask, in_then *then);
/* Ends the session behind what was written. */
void in_close(struct smtp_in *s);
/* Withdraws question, exchange and sink. */
void in_drop_all(struct smtp_in *s);

/* Mail of our own people: edited as a submission. */
static inline bool
in_is_submission(const struct smtp_in *s)
{
	return s->login.n > 0 || s->profile == SMTP_LOCAL;
}

/* --- in_verb.c --- */
const struct in_verb *in_verb_find(struct str name);
/* Takes a whole line: finds the row, guards, parses, runs. */
struct smtp_reply in_verb_run(struct smtp_in *s, struct str line);
/* Must the client log in, or start TLS, first? SMTP_OK: no. */
enum smtp_reply_name in_guard(const struct smtp_in *s);

/* --- commands: parse and run of the verb table's rows --- */
bool hello_parse(struct cur *c, struct in_args *a);
struct smtp_reply ehlo_run(struct smtp_in *s, const struct in_args *a);
struct smtp_reply helo_run(struct smtp_in *s, const struct in_args *a);
struct smtp_reply starttls_run(struct smtp_in *s, const struct in_args *a);
bool auth_parse(struct cur *c, struct in_args *a);
struct smtp_reply auth_run(struct smtp_in *s, const struct in_args *a);
struct smtp_reply auth_line(struct smtp_in *s, struct str line);
bool auth_is_offered(const struct smtp_in *s);
bool mail_parse(struct cur *c, struct in_args *a);
struct smtp_reply mail_run(struct smtp_in *s, const struct in_args *a);
bool rcpt_parse(struct cur *c, struct in_args *a);
struct smtp_reply rcpt_run(struct smtp_in *s, const struct in_args *a);
struct smtp_reply data_run(struct smtp_in *s, const struct in_args *a);
bool bdat_parse(struct cur *c, struct in_args *a);
struct smtp_reply bdat_run(struct smtp_in *s, const struct in_args *a);

/* --- in_param.c --- */
enum in_param_of { PARAM_OF_MAIL = 1, PARAM_OF_RCPT = 2 };
/* *( SP keyword [ "=" value ] ) to the end of the line; false with a->bad. */
bool in_params_parse(struct cur *c, enum in_param_of of, struct in_args *a);

/* --- in_mail.c --- */
/* Forgets the transaction, aborting its sink. */
void in_tx_reset(struct smtp_in *s);

/* --- in_data.c --- */
/* Reads content while it may; true: something was finished, look again. */
bool in_data_read(struct smtp_in *s);
bool in_chunk_read(struct smtp_in *s);

/* --- in_content.c --- */
/* Opens the sink; false with tx.bad. */
bool in_content_begin(struct smtp_in *s);
void in_content_add(struct smtp_in *s, struct str piece);
/* All has come: checks, submit, reply (LATER). */
struct smtp_reply in_content_end(struct smtp_in *s);
/* The message is not wanted: the sink is given up, the rest is swallowed. The first reason stays. */
void in_content_refuse(struct smtp_in *s, enum smtp_reply_name bad);
/* The same for want of storage: the sink is closed already. */
void in_content_fail(struct smtp_in *s, const struct err *why);
/* Bytes that nobody wants; true when they are too many to go on. */
bool in_content_swallow(struct smtp_in *s, size_t n);
/* To the sink, unless the message is refused already. */
void in_content_write(struct smtp_in *s, struct str bytes);

/* --- in_header.c --- */
/* Takes the bytes that belong to the header and returns their number; *done: that was its end. */
size_t in_header_take(struct smtp_in *s, struct str bytes, bool *done);
/* The header is complete, or the message ended in it: facts are noted, edits made, it is written to the sink. */
void in_header_end(struct smtp_in *s);

/* --- in_received.c --- */
void in_received_write(const struct smtp_in *s, struct buf *out);
/* "ESMTPSA", "UTF8SMTPS", … (RFC 3848, RFC 6531 4.3) */
const char *in_protocol(const struct smtp_in *s);

/* --- in_check.c --- */
/* Runs the rows of the stage one after the other; the first refusal is the reply, else then's. */
struct smtp_reply in_check(struct smtp_in *s, enum in_stage stage, in_then *then);

/* --- in_log.c --- */
void in_log_refuse(const struct smtp_in *s, const struct smtp_reply *r);
void in_log_accept(const struct smtp_in *s);
void in_log_lost(const struct smtp_in *s, const char *why);

#endif
