/* probe_cert.h - the certificates that a server shows: what they are, whom they lead to; and contexts for handshakes
 * that take whatever a server has. */
#ifndef POSTERN_CLI_PROBE_CERT_H
#define POSTERN_CLI_PROBE_CERT_H

#include <jansson.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include <postern/core/clock.h>
#include <postern/core/err.h>
#include <postern/core/str.h>
#include <postern/tls/dane.h>

enum {
	CERT_CHAIN_MAX = 10, /* looked at; more are not */
	CERT_NAMES_MAX = 100, /* of one certificate */
};

struct probe_cert {
	bool there;
	json_t *chain; /* array of objects, the server's own first */
	const char *trust; /* NULL: it leads to a known CA; else why not. Static */
	bool self_signed;
	const char *name; /* what it was compared with; NULL: nothing to compare with */
	bool name_ok;
	bool expired, early; /* a certificate of the chain: not valid any more, or not yet */
	int64_t days_left; /* until the first of the chain ends */
	char kind[24]; /* "RSA", "P-256" */
	unsigned bits;
	unsigned strength; /* bits of security (NIST SP 800-57) */
	const char *weak_signature; /* "SHA1": of a certificate that is not its own issuer; NULL: none. Static */
	unsigned count;
};

/* Known CAs; NULL with words in e. */
X509_STORE *cert_store(const char *path, struct err *e);
/* For handshakes that shall succeed: every version and cipher that OpenSSL still has, nobody is verified. */
SSL_CTX *cert_ctx(int max_version);

/* Looks at what the peer showed. host: the name it should have, an address, or "" for nothing. store may be NULL: then
 * nobody is known. */
void cert_look(SSL *ssl, X509_STORE *store, const char *host, struct wall now, struct probe_cert *c);
void cert_fini(struct probe_cert *c);

/* Whether a record fits a chain: the server's own certificate, the first, for usages 1 and 3, any for 0 and 2. */
bool cert_chain_fits(STACK_OF(X509) * chain, const struct tlsa *t);
/* The same for what was shown. */
bool cert_fits(SSL *ssl, const struct tlsa *t);

#endif
