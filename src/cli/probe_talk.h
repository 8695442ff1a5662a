/* probe_talk.h - the words around TLS on one connection, SMTP or IMAP: greeting, capabilities, STARTTLS, goodbye. A
 * value without I/O; what the server, a stranger, says is limited line by line and in all. */
#ifndef POSTERN_CLI_PROBE_TALK_H
#define POSTERN_CLI_PROBE_TALK_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/smtp/out_reply.h>

enum {
	TALK_LINE_MAX = 8 * 1024, /* of IMAP (RFC 7162 4); SMTP's are limited by its reader */
	TALK_BYTES_MAX = 64 * 1024, /* all that a server may say */
	TALK_AUTH_SIZE = 256,
};

enum talk_protocol { TALK_SMTP, TALK_IMAP };

/* What stands in the answer to EHLO or CAPABILITY. */
struct talk_caps {
	bool asked; /* there was an answer */
	bool starttls;
	bool requiretls; /* SMTP: RFC 8689 */
	bool login_disabled; /* IMAP: RFC 9051 6.2.3 */
	char auth[TALK_AUTH_SIZE]; /* mechanisms, parted by blanks */
};

enum talk_stop {
	TALK_GOES_ON,
	TALK_BUSY, /* the greeting says not now (4xx): another time it may be better */
	TALK_REFUSED, /* the greeting says no (5xx, BYE) */
	TALK_STRANGE, /* that is not the protocol */
	TALK_NOT_OFFERED, /* no STARTTLS among the capabilities */
	TALK_NOT_OBEYED, /* offered, but the command is refused */
	TALK_NO_START, /* PREAUTH: no STARTTLS is possible any more */
};

/* What the talk is for. */
enum talk_goal {
	TALK_TO_TLS, /* ends where the handshake begins */
	TALK_TO_LOOK, /* inside TLS: capabilities, goodbye */
	TALK_TO_INJECT, /* a command behind STARTTLS in the same piece; inside TLS: was it answered? */
};

enum talk_found {
	TALK_MORE,
	TALK_HANDSHAKE, /* the server said go ahead */
	TALK_DONE, /* goodbye was said */
	TALK_STOPPED, /* why in stop */
};

struct talk {
	enum talk_protocol protocol;
	enum talk_goal goal;
	struct str hostname; /* ours, for EHLO */
	enum { TALK_AT_GREETING, TALK_AT_CAPS, TALK_AT_STARTTLS, TALK_AT_GOODBYE } step;
	bool inside; /* TLS stands */
	bool injected; /* the command behind STARTTLS was answered inside TLS */
	size_t total;
	struct out_reply_reader reply; /* SMTP */
	struct buf line; /* IMAP */
	struct talk_caps caps[2]; /* in the clear, inside TLS */
	enum talk_stop stop;
	struct buf out; /* for the server; the owner sends and clears it */
};

/* hostname must outlive it. inside: TLS comes first (RFC 8314 3). */
void talk_init(struct talk *t, enum talk_protocol protocol, enum talk_goal goal, struct str hostname, bool inside);
void talk_fini(struct talk *t);
/* Takes bytes off *in: all of them, unless it returns something else than MORE. */
enum talk_found talk_feed(struct talk *t, struct str *in);
/* The handshake behind STARTTLS is done. */
void talk_secured(struct talk *t);

/* Which protocol begins with these bytes; false: none of the two. */
bool talk_guess(struct str first, enum talk_protocol *protocol);
/* "no STARTTLS is offered". Static. */
const char *talk_stop_words(enum talk_stop s);

#endif
