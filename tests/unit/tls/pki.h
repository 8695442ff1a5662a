/* pki.h - what the tests of the TLS client share: a little PKI, and handshakes over a socket pair. */
#ifndef TESTS_UNIT_TLS_PKI_H
#define TESTS_UNIT_TLS_PKI_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/ssl.h>

#include <postern/core/buf.h>
#include <postern/tls/client.h>

struct pki_cert {
	X509 *x;
	EVP_PKEY *key;
};

/* What a certificate is made of; zero: P-256, valid now, for nobody, no CA, its own issuer. */
struct pki_make {
	const char *cn;
	const char *san; /* "DNS:a.test,DNS:b.test" or NULL */
	const struct pki_cert *issuer;
	bool ca;
	long from_s, to_s; /* from now; to_s 0: an hour */
};
struct pki_cert pki_cert_new(const struct pki_make *m);
void pki_cert_free(struct pki_cert *c);
void pki_cert_pem(const struct pki_cert *c, struct buf *out);
void pki_key_pem(const struct pki_cert *c, struct buf *out);

/* The RDATA of a record for the certificate, parsed; bytes are in *out. */
struct tlsa pki_tlsa(const struct pki_cert *c, int usage, int selector, int matching, struct buf *out);

/* What the server shows: a leaf and what follows it, ended by NULL. */
struct pki_server {
	const struct pki_cert *leaf;
	const struct pki_cert *chain[4];
	int max_version; /* 0: TLS 1.3 */
	const char *ciphers12; /* NULL: OpenSSL's */
	bool asks; /* for the client's certificate */
};

struct pki_result {
	bool made; /* the client's state could be made at all */
	bool ok;
	struct tls_outcome outcome;
	char sni[256]; /* as the server saw it */
	unsigned shown; /* certificates of the client */
	int version;
	bool resumed;
};

/* One handshake, and a byte each way. */
void pki_shake(struct tls_client *c, const struct tls_decision *d, const struct pki_server *s, struct pki_result *r);

#endif
