/* front_priv.h - the inside of a front, shared by front.c (life, framing, dispatch) and front_login.c (LOGIN,
 * AUTHENTICATE and the answers to them). */
#ifndef IMAP_FRONT_PRIV_H
#define IMAP_FRONT_PRIV_H

#include <postern/core/arena.h>
#include <postern/imap/front.h>

#include "frame.h"
#include "lex.h"
#include "reply.h"

enum {
	FRONT_OUT_MAX = 4096, /* bytes of one answer */
};

enum front_state {
	FRONT_PLAIN = 1 << 0,    /* no TLS, and it can be started */
	FRONT_NAKED = 1 << 1,    /* no TLS, and none to be had */
	FRONT_TLS = 1 << 2,      /* login is possible */
	FRONT_ANY = FRONT_PLAIN | FRONT_NAKED | FRONT_TLS,
	FRONT_HANDSHAKE = 1 << 3, /* starttls was called */
	FRONT_ASKING = 1 << 4,   /* a question to auth is open */
	FRONT_RESPONSE = 1 << 5, /* a challenge is out, the next line is its response */
	FRONT_LAST = 1 << 6,     /* as FRONT_RESPONSE, but all is decided: an empty line ends it (RFC 4422 5, 3.6) */
	FRONT_DONE = 1 << 7,     /* handed over or closed */
};

struct front_verb;

struct imap_front {
	struct imap_front_setup setup;
	const struct imap_front_ops *ops;
	void *ctx;
	enum front_state state;
	struct frame frame;
	struct arena arena;      /* of the command under way */
	const struct front_verb *verb; /* the command under way, NULL: unknown */
	struct buf tag;          /* of the command under way; outlives its bytes while auth is asked */
	struct buf mech;         /* of the exchange under way */
	struct buf user;         /* what FRONT_LAST will hand over */
	struct buf ticket;
	unsigned commands;
	unsigned bad;
	unsigned failed;
};

/* A command that may come before login. */
struct front_verb {
	struct str name;
	unsigned where; /* states in which it runs */
	/* Takes what follows the name up to the end of the command. */
	void (*run)(struct imap_front *f, struct lex *l);
	const char *rfc;
};

void imap_front_write(struct imap_front *f, struct str tag, const struct reply *r);
/* "tag OK text" and so on, and the end of the command. */
void imap_front_reply(struct imap_front *f, enum reply_kind kind, const char *code, const char *text);
/* A BAD answer counts; too many close the connection. */
void imap_front_bad(struct imap_front *f, const char *why);
void imap_front_bye(struct imap_front *f, const char *code, const char *text);
void imap_front_write_capabilities(const struct imap_front *f, struct buf *out);

/* front_verb.c: the row of a command, NULL when there is none. */
const struct front_verb *imap_front_find_verb(struct str name);

/* front_login.c */
/* event=login of one that never reaches auth. */
void imap_front_log_refused(const struct imap_front *f, const char *why);
void imap_front_login(struct imap_front *f, struct lex *l);
void imap_front_authenticate(struct imap_front *f, struct lex *l);
/* A line that answers a challenge. */
void imap_front_response(struct imap_front *f, struct str line);

#endif
