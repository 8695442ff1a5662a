/* front.h - an IMAP connection before login, as a value without I/O (RFC 9051 6.1, 6.2; RFC 3501).
 *
 * Lives in the imap role. Bytes and answers go in, replies and questions come out through the operations. It
 * knows greeting, CAPABILITY, NOOP, LOGOUT, ID, STARTTLS, LOGIN and AUTHENTICATE, and nothing else. Without TLS
 * there is no login on any port: LOGIN and AUTHENTICATE answer NO [PRIVACYREQUIRED], and nobody is asked.
 * After a good login the connection belongs to the store process: the role relays bytes and this value is done. */
#ifndef POSTERN_IMAP_FRONT_H
#define POSTERN_IMAP_FRONT_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/str.h>

enum {
	IMAP_FRONT_LINE_MAX = 8192,      /* bytes of one line before login, literals apart (RFC 7628 tokens fit) */
	IMAP_FRONT_LITERAL_MAX = 1024,   /* a user name or a password */
	IMAP_FRONT_LITERALS_MAX = 4,     /* literals in one command */
	IMAP_FRONT_BAD_MAX = 3,          /* bad commands until the connection is closed */
	IMAP_FRONT_AUTH_MAX = 3,         /* failed logins until the connection is closed */
	IMAP_FRONT_COMMAND_MAX = 50,     /* commands before login */
	IMAP_FRONT_LOGIN_MS = 60 * 1000, /* from connect to login; the role's deadline, see imap_front_timeout */
};

/* What a front needs to know; all views stay the caller's and must outlive it. */
struct imap_front_setup {
	struct str hostname;      /* for the greeting */
	struct str sid;           /* session id, for the log */
	struct str client;        /* peer address as text, for the log */
	const struct str *mechs;  /* SASL mechanisms for CAPABILITY, best first; only these are ever asked for */
	size_t nmechs;
	bool tls;                 /* the connection began inside TLS (port 993) */
	bool starttls;            /* a plain port whose role can start TLS */
	bool again;               /* after UNAUTHENTICATE: the greeting has been said (RFC 8437 5) */
};

enum imap_auth_verdict {
	IMAP_AUTH_CHALLENGE,   /* data is the next server challenge (not encoded) */
	IMAP_AUTH_OK,          /* user and ticket are set; data, if not empty, is SASL's last server message */
	IMAP_AUTH_FAILED,      /* wrong user, password or proof: NO [AUTHENTICATIONFAILED] */
	IMAP_AUTH_FORBIDDEN,   /* right password, but not for this identity: NO [AUTHORIZATIONFAILED] */
	IMAP_AUTH_BAD,         /* the exchange itself is malformed: BAD */
	IMAP_AUTH_UNAVAILABLE, /* nobody to ask, or too many are waiting: NO [UNAVAILABLE] */
	IMAP_AUTH_LIMIT,       /* the user has too many sessions: NO [LIMIT] */
	IMAP_AUTH_UNKNOWN,     /* the mechanism is not there any more: NO [CANNOT] */
};

/* The one answer to auth_start or auth_step; views need to live only during the call. */
struct imap_auth_answer {
	enum imap_auth_verdict verdict;
	bool close;        /* too many failures from where he is: BYE behind the answer */
	struct str data;
	struct str user;   /* canonical address */
	struct str ticket; /* one-time proof for the store process */
	const char *why;   /* when it is not auth's own answer: for the log; else NULL, for auth has told */
};

/* What the store process needs besides the ticket: imap/session.h begins with it. */
struct imap_login {
	struct str user;
	struct str ticket;
	struct str tag;    /* of the LOGIN or AUTHENTICATE command, which the session answers */
	struct str mech;   /* "LOGIN" or the SASL mechanism */
};

struct imap_front_ops {
	/* Sends bytes; the role buffers what the socket does not take. */
	void (*write)(void *ctx, struct str bytes);
	/* Ends the connection after what was written is out. Nothing else is called afterwards. */
	void (*close)(void *ctx);
	/* Starts the TLS handshake after what was written is out, having thrown away every plain byte that was read;
	 * then imap_front_tls(). A failed handshake ends the connection. */
	void (*starttls)(void *ctx);
	/* Asks auth. Exactly one imap_front_answer() follows, unless auth_cancel comes first. mech is one of
	 * setup.mechs or "PLAIN" for LOGIN; initial is NULL without an initial response. Both are decoded bytes. */
	void (*auth_start)(void *ctx, struct str mech, const struct str *initial);
	void (*auth_step)(void *ctx, struct str response);
	/* Forgets the exchange: an answer that is on its way must not be delivered. */
	void (*auth_cancel)(void *ctx);
	/* The login is good. The front is done (free it after the call): the role opens the stream to the store, gives
	 * it this, and relays; bytes that input() did not take are the session's first. Views live during the call. */
	void (*handover)(void *ctx, const struct imap_login *login);
};

struct imap_front;

/* ops, ctx and what setup points to must outlive the front. The greeting is written at once, the first time. */
struct imap_front *imap_front_new(const struct imap_front_setup *setup, const struct imap_front_ops *ops, void *ctx);
/* Cancels an open question and wipes what may hold secrets. Writes nothing. */
void imap_front_free(struct imap_front *f);

/* Takes what it can use now and returns how many bytes that was; while a question is open it takes nothing. The role
 * stops reading, then offers the rest again (with more, if it likes) after imap_front_answer(). */
size_t imap_front_input(struct imap_front *f, struct str bytes);
/* The answer to the open question. */
void imap_front_answer(struct imap_front *f, const struct imap_auth_answer *answer);
/* The handshake that starttls asked for is done. */
void imap_front_tls(struct imap_front *f);
/* True while a question is open: input() would take nothing. */
bool imap_front_waits(const struct imap_front *f);
/* Says BYE and closes: IMAP_FRONT_LOGIN_MS are over, or the server stops. */
void imap_front_timeout(struct imap_front *f);
void imap_front_shutdown(struct imap_front *f);

#endif
