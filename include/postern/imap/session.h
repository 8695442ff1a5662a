/* session.h - an IMAP connection after login, as a value without I/O (RFC 9051, RFC 3501 and the extensions that
 * CAPABILITY names).
 *
 * Lives in the store process, in the loop thread, on the store library. The role gives it the client's bytes and
 * tells it when the client has read; the session writes, and asks to be run again when it has stopped in the
 * middle of long work. Its first act is the tagged answer to the login. */
#ifndef POSTERN_IMAP_SESSION_H
#define POSTERN_IMAP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/str.h>

struct store;
struct store_user;

enum {
	IMAP_OUTPUT_MAX = 256 * 1024,            /* bytes written and not yet read by the client: work stops here */
	IMAP_SLICE_MS = 3,                       /* one turn of long work */
	IMAP_IDLE_MS = 31 * 60 * 1000,           /* autologout (RFC 9051 5.4: at least 30 minutes) */
	IMAP_STALL_MS = 5 * 60 * 1000,           /* a client that does not read what it asked for */
	IMAP_INFLATE_MAX = 256 * 1024,           /* bytes inflated in one turn */
	IMAP_BAD_MAX = 20,                       /* bad commands in a row until the connection is closed */
	IMAP_LINE_MAX = 64 * 1024,               /* bytes of a command line, literals apart */
	IMAP_LITERAL_MAX = 256 * 1024,           /* one literal, APPEND's apart */
	IMAP_LITERALS_MAX = 1000,                /* literals of one command */
	IMAP_COMMAND_MAX = 1024 * 1024 + IMAP_LINE_MAX, /* all of a command */
	IMAP_SKIP_MAX = 128 * 1024 * 1024,       /* a refused "{n+}" up to this size is read and dropped, a larger one closes */
};

struct imap_session_setup {
	struct store_user *user; /* open, with the address of the login; outlives the session */
	struct store *store;     /* of all users, whose mailboxes are shown below Users/ as their rights allow; NULL: they are not */
	struct str shared_owner; /* address of the one whose mailboxes are shown below Shared/; empty: nobody's; outlives the session */
	struct str sid;          /* session id, for the log; copied */
	struct str client;       /* peer address as text, for the log; copied */
	struct str tag;          /* of the command that logged in; its OK is written at once */
	uint64_t message_max;    /* bytes of one APPEND; limits.message_size, 0: no limit */
	uint64_t quota;          /* bytes the user may have; 0: no limit */
	bool compress;           /* COMPRESS=DEFLATE is offered (RFC 4978) */
	bool accept_8bit;        /* header fields with 8-bit octets in APPEND, of any client; else as RFC 9755 4 has it */
	bool unauthenticate;     /* UNAUTHENTICATE is offered (RFC 8437) */
	struct str comment;      /* /shared/comment of the server (RFC 5464 3.2.1.1); empty: none; outlives the session */
	uint64_t message_limit;  /* messages that one command may be about (RFC 9738); 0: any number */
	uint64_t save_limit;     /* the same for COPY and APPEND only */
};

struct imap_session_ops {
	/* Sends bytes; the role buffers what does not go at once. */
	void (*write)(void *ctx, struct str bytes);
	/* Bytes written and not yet taken by the connection. */
	size_t (*pending)(void *ctx);
	/* Asks for one imap_session_run() after this turn of the loop. Asked again before it came: still one. */
	void (*again)(void *ctx);
	/* Asks for one imap_session_run() in so many ms, instead of one asked for like this before. */
	void (*later)(void *ctx, int64_t ms);
	/* Ends the connection after what was written is out. Nothing else is called afterwards. */
	void (*close)(void *ctx);
	/* Asks for the account of another user, one at a time; imap_session_owner() brings the answer, in a later turn. Forgotten when the
	 * session is freed. NULL where setup.store is. */
	void (*open_owner)(void *ctx, struct str address);
	/* UNAUTHENTICATE is answered: the connection belongs to a front again (imap/front.h). rest, and behind it what input()
	 * did not take, are the first bytes for it. Nothing else is called afterwards. */
	void (*release)(void *ctx, struct str rest);
};

struct imap_session;

/* ops and ctx must outlive the session. Writes the tagged OK of the login. */
struct imap_session *imap_session_new(const struct imap_session_setup *setup, const struct imap_session_ops *ops,
	void *ctx);
/* Ends it at any time: open questions to the store are cancelled, a half-received APPEND is dropped, event=logout is
 * logged. Writes nothing. */
void imap_session_free(struct imap_session *s);

/* Takes what it can use now and returns how many bytes that was. While a command runs it takes nothing or little: the
 * role stops reading, then offers the rest again (with more, if it likes) when imap_session_wants() turns true. */
size_t imap_session_input(struct imap_session *s, struct str bytes);
/* True when input() would take bytes. Asked after every input(), run(), drained() and after again(). */
bool imap_session_wants(const struct imap_session *s);
/* The answer to open_owner: the account, counted by the session for itself, and the bytes its owner may have (0: no limit). NULL:
 * there is no such user, or nobody may use his account now. */
void imap_session_owner(struct imap_session *s, struct store_user *user, uint64_t quota);
/* Goes on with what was stopped. */
void imap_session_run(struct imap_session *s);
/* The client has read: pending() is less than it was. Cheap when nothing waits for it. */
void imap_session_drained(struct imap_session *s);
/* Autologout: nothing has come from the client for the role's idle time. BYE, close; false when a command is under way, for
 * which the client waits: the role starts its timer again. */
bool imap_session_timeout(struct imap_session *s);
/* The server stops or the operator ends the session: BYE with why (static words), close. */
void imap_session_shutdown(struct imap_session *s, const char *why);

#endif
