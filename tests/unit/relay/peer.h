/* peer.h - a mail server that does as it is told, in the loop of the test: real sockets, TLS, every misdeed. */
#ifndef TESTS_UNIT_RELAY_PEER_H
#define TESTS_UNIT_RELAY_PEER_H

#include "../tls/pki.h"

#include <postern/core/loop.h>
#include <postern/net/addr.h>

/* What it says; NULL: what a good server says. Behind a reply may stand what it does then:
 *   "!close" "!rst" "!hang" (says nothing any more) "!endless" (goes on with the reply for ever)
 *   "!slow" (reads one piece for each peer_read)
 *   "!lost" (to the end of a message: it is taken, and nobody hears of it) */
struct peer_script {
	const char *banner;
	const char *ehlo;     /* before TLS, and without it */
	const char *ehlo_tls; /* inside TLS; NULL: as before, without STARTTLS */
	const char *starttls;
	const char *mail, *data, *end;
	const char *mail_again; /* to MAIL from the second on */
	const char *rcpt;     /* to all that `rcpts' does not name */
	struct {
		const char *address, *reply;
	} rcpts[4];
	const char *ends[4];  /* LMTP: one for each recipient that was taken */
	bool lmtp, tls_first;
	const struct pki_cert *cert; /* NULL: STARTTLS is not offered */
	bool no_tls_after_220;       /* says 220 and then no TLS */
	bool once;                   /* of the second connection on a good server */
};

struct peer;

enum { PEER_MAILS_MAX = 16 };

struct peer *peer_new(struct loop *l, const char *ip, const struct peer_script *script);
void peer_free(struct peer *p);
struct addr peer_addr(const struct peer *p);

/* Where the last connection came from. */
struct addr peer_client(const struct peer *p);

unsigned peer_connections(const struct peer *p);
unsigned peer_open(const struct peer *p);
/* To everybody who is connected, without being asked. */
void peer_say(struct peer *p, const char *text);
void peer_read(struct peer *p);
/* All that it was told, inside TLS too; NUL-terminated. */
const char *peer_heard(struct peer *p);
/* How often it said 250 for a message to that recipient. */
unsigned peer_delivered(const struct peer *p, const char *address);
/* How many MAIL commands came without TLS. */
unsigned peer_in_clear(const struct peer *p);
unsigned peer_mails(const struct peer *p);
/* The bytes of a message as they came over the wire, with the dots. */
struct str peer_mail(const struct peer *p, unsigned i);
/* "" when the last handshake sent no name. */
const char *peer_sni(const struct peer *p);

/* An address that swallows what comes: nobody answers there. */
struct hole {
	int listener, plugs[4];
	struct addr addr;
};
void hole_open(struct hole *h, const char *ip);
void hole_close(struct hole *h);
/* One where nothing listens. */
struct addr refusing_addr(const char *ip);

#endif
