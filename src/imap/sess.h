/* sess.h - the inside of a session, for the files of this folder.
 *
 * A session runs one command at a time, in the order they came (RFC 9051 5.5). A command is a chain of steps: a step
 * returns MORE (call me again, perhaps in another turn), WAIT (an answer of the store or a line of the client will
 * come) or DONE (c->reply is set). When it is done, the selected mailbox is looked at once more, the changes are told
 * as far as the command allows, and the tagged answer goes out. */
#ifndef IMAP_SESS_H
#define IMAP_SESS_H

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/imap/session.h>
#include <postern/store/read.h>
#include <postern/store/request.h>
#include <postern/store/user.h>

#include "batches.h"
#include "frame.h"
#include "lex.h"
#include "out.h"
#include "reply.h"
#include "view.h"

struct imap_session;
struct command;
struct context;

/* How mailbox names travel (RFC 9051 5.1, A.1; RFC 9755 3): modified UTF-7 until the client has enabled IMAP4rev2 or
 * UTF8=ACCEPT. */
enum names { NAMES_MUTF7, NAMES_UTF8 };

enum step { STEP_MORE, STEP_WAIT, STEP_DONE };

enum session_state {
	IN_AUTH = 1 << 0,     /* logged in, nothing selected */
	IN_SELECTED = 1 << 1,
	IN_BOTH = IN_AUTH | IN_SELECTED,
	IN_END = 1 << 2,      /* BYE is said */
	IN_NOBODY = 1 << 3,   /* UNAUTHENTICATE is answered */
};

enum verb_flag {
	VERB_UID = 1 << 0,        /* has a UID form */
	VERB_UID_ONLY = 1 << 1,   /* this row is the UID form */
	VERB_NO_EXPUNGE = 1 << 2, /* no EXPUNGE responses while it runs (RFC 9051 7.5.1), unless it is the UID form */
	VERB_NO_UPDATES = 1 << 3, /* what it leaves behind is not looked at */
	VERB_WRITES = 1 << 4,     /* refused in a mailbox that is open read-only */
	VERB_LITERAL8 = 1 << 5,   /* an argument may be a literal8 */
	VERB_EXPUNGES = 1 << 6,   /* EXPUNGE is what it answers: told whatever NOTIFY asks for */
};

/* A command is a row. */
struct verb {
	struct str name;
	unsigned where; /* session states */
	unsigned flags;
	/* Takes what follows the name up to the end; what it finds goes to c->args (arena). NULL: no arguments. */
	bool (*parse)(struct lex *l, struct command *c);
	enum step (*run)(struct imap_session *s, struct command *c);
	const char *capability; /* NULL: part of IMAP4rev1 */
	const char *rfc;
};

/* How far a command is, in messages. */
struct progress {
	uint64_t done;
	uint64_t goal; /* 0: not known */
};

/* Another user whose mailboxes a command is about (owners.h). */
struct owner {
	struct owner *next;
	struct str address;
	bool asked;
	struct store_user *user; /* counted; NULL: not open, or not to be opened */
	uint64_t quota;
};

struct command {
	uint64_t number;               /* of this session: the next one may lie where this one lay */
	char tag[LEX_TAG_MAX];
	size_t tag_size;
	const struct verb *verb;
	bool uid;                      /* the UID form */
	bool numbers;                  /* no need of it by its form, but sequence numbers are among its arguments: no EXPUNGE either */
	bool condstore;                /* its arguments are of a client that knows mod-sequences (RFC 7162 3.1) */
	bool takes_lines;              /* waits for lines of the client (IDLE) */
	bool updating;                 /* its own work is done */
	struct arena arena;
	void *args;
	enum step (*step)(struct imap_session *s, struct command *c);
	struct store_request *request; /* what the store is doing for it */
	struct reply reply;            /* texts are static or in the arena */
	struct imap_session *session;
	struct owner *owners;          /* other users whom its arguments name (owners.h) */
	enum step (*then)(struct imap_session *s, struct command *c); /* when they are open */
	uint32_t limit_uid;            /* the lowest UID it was about, where there were too many; 0: all (limit.h) */
	void (*fini)(struct command *c); /* frees what args hold outside the arena; may be NULL */
	/* How far it is; NULL or false: that cannot be said now (progress.h). */
	bool (*progress)(const struct imap_session *s, const struct command *c, struct progress *p);
	struct mono progress_due;
	enum names names;              /* the client's spelling of names when the command came */
	bool uidonly;                  /* ENABLE UIDONLY had been said when it came */
};

/* The selected mailbox. */
struct selected {
	struct store_user *user; /* its owner, counted */
	uint32_t mailbox;
	uint32_t uidvalidity;
	unsigned rights;       /* what the user may do with it (rights.h) */
	bool rights_changed;   /* the client has not been told yet */
	bool examined;
	bool readonly;         /* examined, or no right to change anything */
	bool deleted;          /* somebody deleted the mailbox, or it may not be read any more: the session ends */
	const char *why;       /* words for that; NULL: deleted */
	bool dirty;            /* something happened since the last look */
	struct view view;      /* what the client knows */
	struct uidset gone;    /* in the view, but not in the mailbox any more: to be told when EXPUNGE is allowed */
	struct uidset recent;  /* \Recent for this session (recent.h) */
	struct uidset saved;   /* "$" (RFC 5182) */
	uint64_t modseq;       /* the client knows all changes up to here, but for what is in `gone` */
	uint64_t told_modseq;  /* it knows all of them up to here */
	size_t keywords;       /* the client has been told so many */
	struct batches batches; /* what UIDBATCHES told (RFC 10022) */
	struct store_watch *watch;
	struct context *contexts; /* results that are kept up to date (context.h) */
	struct uidset mine;    /* new messages that this session put here: NOTIFY does not tell their data */
	struct uidset untold;  /* messages whose flags changed, which NOTIFY does not ask for, … */
	uint64_t untold_since; /* … after this mod-sequence */
	/* What this session changed itself and has told already, or was asked to keep silent about. */
	uint64_t own_modseq;
	struct uidset own;
};

struct append;
struct compress;
struct notify;
struct metadata_news;
struct sync;

struct imap_session {
	struct imap_session_setup setup;
	struct buf sid;
	struct buf client;
	const struct imap_session_ops *ops;
	void *ctx;
	enum session_state state;
	bool rev2;               /* ENABLE IMAP4rev2 */
	bool utf8;               /* ENABLE UTF8=ACCEPT (RFC 9755) */
	bool condstore;          /* FETCH responses carry MODSEQ (RFC 7162 3.1) */
	bool qresync;            /* ENABLE QRESYNC: VANISHED instead of EXPUNGE (RFC 7162 3.2.3) */
	bool uidonly;            /* ENABLE UIDONLY: no sequence numbers any more (uidonly.h) */
	unsigned enabled;        /* what ENABLED has said (cmd_any.c) */
	bool modseq_written;     /* MODSEQ was said by the command under way */
	bool closed;             /* ops.close was called */
	bool in_literal;         /* octets of a literal that was announced are still to come: no other word now */
	struct frame frame;
	struct buf out;          /* written here first; flushed at the end of a turn and in between */
	struct command *command; /* under way, NULL: none */
	struct owner *opening;   /* whom the role is asked for */
	struct append *append;   /* a literal that goes to the store */
	struct selected *box;    /* NULL: nothing is selected */
	struct sync *sync;       /* changes that are being told */
	struct notify *notify;   /* NULL: NOTIFY has not been used (notify.h) */
	struct compress *compress; /* NULL: the stream is plain (RFC 4978) */
	bool begin_compress;     /* behind the tagged answer */
	bool ended_compress;     /* to the client; what comes from him may not have ended */
	bool leaving;            /* UNAUTHENTICATE: the connection is given back behind the tagged answer */
	struct metadata_news *metadata; /* NULL: not enabled (RFC 5464 4.1) */
	unsigned bad;            /* bad commands in a row */
	uint64_t commands;       /* of the client, … */
	uint64_t numbered;       /* … and with the session's own (notify.h) */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

/* --- for handlers --- */

/* Sets the answer; DONE. code: without brackets, "" for none. Texts must be static. */
enum step done_ok(struct command *c, const char *text);
enum step done_ok_code(struct command *c, struct str code, const char *text);
enum step done_no(struct command *c, const char *code, const char *text);
enum step done_bad(struct command *c, const char *text);
enum step done_bad_code(struct command *c, const char *code, const char *text);
/* The answer to a refused request; target: a missing mailbox may be created (TRYCREATE). */
enum refused { REFUSED_HERE, REFUSED_TARGET };
enum step done_refused(struct command *c, const struct store_result *r, enum refused where);
/* The index cannot be read: NO [UNAVAILABLE], with the reason in the log. */
enum step done_unreadable(struct imap_session *s, struct command *c, const struct err *e);

/* WAIT for the request; its callback calls command_go_on with what comes next. */
enum step command_wait(struct command *c, struct store_request *r);
void command_go_on(struct imap_session *s, enum step (*next)(struct imap_session *s, struct command *c));
/* The same when the reply is set and nothing is left to do. */
void command_finish(struct imap_session *s);
/* In callbacks: the command that waits, its request taken off. */
struct command *command_answered(struct imap_session *s);

/* For requests to the store: fn with the session as its ctx, on behalf of its user (place.c). */
struct store_done session_done(struct imap_session *s, void (*fn)(void *ctx, const struct store_result *r));
/* A view of a user's index as the session's user sees it (place.c). */
struct store_view *session_look(const struct imap_session *s, struct store_user *user, struct err *e);

/* True when so much waits for the client that work stops. */
bool session_is_full(const struct imap_session *s);
/* Hands what is in s->out to the role as far as it may have it; flush: only when it is much. */
void session_write_out(struct imap_session *s);
void session_flush(struct imap_session *s);
/* The client takes UTF-8 in names, headers and quoted strings. */
static inline bool
session_takes_utf8(const struct imap_session *s)
{
	return s->rev2 || s->utf8;
}
static inline enum names
session_names(const struct imap_session *s)
{
	return session_takes_utf8(s) ? NAMES_UTF8 : NAMES_MUTF7;
}
/* From here on the stream is compressed: what was written before goes out as it is. */
void session_compress(struct imap_session *s);
/* Says what is to be said and gives the connection back; a compressed one when the end of the client's stream is found. */
void session_leave(struct imap_session *s);
/* The session was left; the end of the compressed stream may have come. */
void session_find_end(struct imap_session *s);
/* Writes out everything and closes. */
void session_end(struct imap_session *s);
void session_bye(struct imap_session *s, const char *code, const char *text);
/* Ends the connection without a word: in the middle of a literal none is possible. */
void session_abort(struct imap_session *s, const char *why);
void session_log_bad(const struct imap_session *s, const char *why);
void session_again(struct imap_session *s);

#endif
