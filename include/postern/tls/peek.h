/* peek.h - the first words of a TLS handshake, written and read by hand: a ClientHello goes out, and what the server
 * chooses comes back. No key is agreed on; the connection is of no use afterwards.
 *
 * So a server can be asked for what OpenSSL does not speak (SSL 3, RC4, export ciphers, compression), and one
 * question costs one round trip. In TLS 1.3 no key share is sent: the server answers with HelloRetryRequest, which names version,
 * suite and group all the same (RFC 8446 4.1.4, 4.2.8). */
#ifndef POSTERN_TLS_PEEK_H
#define POSTERN_TLS_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

enum { TLS_PEEK_BYTES_MAX = 128 * 1024 }; /* of an answer; chains of certificates are shorter */

struct tls_peek_offer {
	uint16_t version; /* the only one: 0x0300 (SSL 3) to 0x0304 (TLS 1.3) */
	const uint16_t *suites;
	size_t nsuites;
	const uint16_t *groups;
	size_t ngroups;
	struct str sni; /* a host name, or "" */
	bool compression; /* DEFLATE (RFC 3749) */
};

/* Adds the ClientHello as one record. */
void tls_peek_write(const struct tls_peek_offer *o, struct buf *out);

struct tls_peek_answer {
	uint16_t version; /* that the server chose, whatever was offered */
	uint16_t suite;
	uint16_t group; /* 0: not said */
	unsigned dh_bits; /* of a finite field in TLS 1.2 and before; 0: none */
	bool compressed;
	bool secure_renegotiation; /* RFC 5746 */
	bool extended_secret; /* RFC 7627 */
	bool ticket; /* TLS 1.2 and before: will give one (RFC 5077) */
	uint8_t alert; /* REFUSED: its description, 0 when there was none */
};

enum tls_peek_found {
	TLS_PEEK_MORE,
	TLS_PEEK_CHOSEN,
	TLS_PEEK_REFUSED, /* a fatal alert */
	TLS_PEEK_BROKEN, /* that is no TLS */
};

/* Takes an answer in any pieces. */
struct tls_peek {
	struct buf in; /* of the record that has begun */
	struct buf messages; /* handshake messages not read yet */
	size_t total;
	struct tls_peek_answer answer;
	bool has_hello;
};

void tls_peek_init(struct tls_peek *p);
void tls_peek_fini(struct tls_peek *p);
/* After anything but MORE nothing further is fed. */
enum tls_peek_found tls_peek_feed(struct tls_peek *p, struct str bytes);

#endif
