/* sniff.h - what kind of client is this, by its first bytes?
 *
 * For connections where the wrong protocol arrives: a browser, a TLS client on a plain port, a plain client on a
 * TLS port. They get one short answer or none, and never an echo of what they sent. */
#ifndef POSTERN_NET_SNIFF_H
#define POSTERN_NET_SNIFF_H

#include <postern/core/str.h>

enum sniff {
	SNIFF_MORE,  /* too few bytes to tell */
	SNIFF_TLS,   /* a TLS (or SSL 3) handshake record */
	SNIFF_HTTP,  /* an HTTP request line: close without an answer */
	SNIFF_OTHER, /* neither */
};

/* Looks at the first bytes of a connection. Three bytes decide about TLS, at most nine about HTTP. */
enum sniff sniff_first(struct str bytes);

#endif
