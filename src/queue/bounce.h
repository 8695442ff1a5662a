/* bounce.h - the text of a delivery status notification: RFC 3464 (and 6533 for addresses beyond ASCII) in RFC 6522's
 * multipart/report. A pure function of what it is given. */
#ifndef POSTERN_QUEUE_BOUNCE_H
#define POSTERN_QUEUE_BOUNCE_H

#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/core/io.h>

enum bounce_action { BOUNCE_FAILED, BOUNCE_DELAYED, BOUNCE_DELIVERED, BOUNCE_RELAYED, BOUNCE_EXPANDED };

struct bounce_recipient {
	enum bounce_action action;
	struct str address; /* as it was accepted: RFC 3464 2.3.2 */
	struct str orcpt;   /* "type;address" or "" */
	struct str status;  /* "5.1.1" */
	struct str text;    /* why, in words */
	struct str host;    /* the other host that was spoken to, or "" */
	bool said;          /* status and text are that host's reply */
	struct wall tried;  /* 0: not known */
	struct wall until;  /* DELAYED: when we give up */
};

struct bounce {
	struct str hostname; /* reporting MTA */
	struct str to;       /* who gets it */
	struct id id;        /* of the notification: Message-ID and boundary */
	struct wall now;
	struct id qid;       /* of the message it is about */
	struct wall arrived;
	struct str envid;    /* or "" */
	struct str helo;     /* "" when it did not come by SMTP */
	struct str client;
	struct str returned; /* the header of the message, or all of it */
	bool whole;          /* returned is the whole message */
	const struct bounce_recipient *recipients;
	size_t n;
};

/* Adds header and body with CRLF line ends. True when bytes above 127 are in it (SMTPUTF8 addresses or an 8-bit
 * message). */
bool bounce_write(struct buf *out, const struct bounce *b);

#endif
