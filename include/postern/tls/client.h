/* client.h - the TLS client of outbound mail: does in a handshake what a decision (policy.h) demands, and says what
 * came of it.
 *
 * TLS 1.2 at least, no renegotiation, no compression, no early data, and no resumption at all: what a session was once
 * verified for must not stand for another policy, and one connection carries many messages anyway. CA certificates are
 * read once, at the start, before the process gives up the file system; a tls_client is made of them and serves every
 * connection of its process. */
#ifndef POSTERN_TLS_CLIENT_H
#define POSTERN_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/types.h>

#include <postern/core/err.h>
#include <postern/core/str.h>
#include <postern/tls/policy.h>
#include <postern/tls/remote.h>
#include <postern/tls/tlsrpt.h>

/* Debian's bundle, and the default of the configuration. */
#define TLS_CLIENT_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

enum {
	TLS_CLIENT_CA_BYTES_MAX = 8 * 1024 * 1024, /* of a bundle */
};

struct tls_client;

/* A client that knows no CA: DANE and unauthenticated TLS work, `verify` finds nobody trustworthy. */
struct tls_client *tls_client_new(void);
/* Connections made from it may live on. */
void tls_client_free(struct tls_client *c);

/* Adds the CA certificates in the text (PEM; other blocks are passed over). Damaged ones are left out and counted in
 * *damaged (may be NULL). False with words in e when there is no good one. */
bool tls_client_add_ca(struct tls_client *c, struct str pem, const char *name, size_t *damaged, struct err *e);
/* The same from a file, read here and now. */
bool tls_client_load_ca(struct tls_client *c, const char *path, size_t *damaged, struct err *e);

/* Shows this certificate to servers that ask for one, in TLS 1.3 only (keystore.h says why); an empty chain: none any
 * more. The signer is copied. False with words in e: the one from before stays. */
bool tls_client_set_certificate(struct tls_client *c, struct str chain_pem, struct str key_id, const struct tls_signer *signer,
    struct err *e);

/* State for one connection, for conn_secure with CONN_CLIENT. Only for decisions that connect with a level above none.
 * The decision is not needed afterwards. NULL with words in e. */
SSL *tls_client_session(struct tls_client *c, const struct tls_decision *d, struct err *e);

/* What a handshake came to, for tls_got=, tls_why= and TLS reporting. */
struct tls_outcome {
	enum tls_level got;            /* none when the handshake failed; encrypt; verify; dane */
	const char *words;             /* why it is no more, or what vouches for it; static text */
	enum tlsrpt_result report;     /* TLSRPT_OK, or what is wrong, also where the certificate was only noted */
	const char *reason;            /* failure-reason-code: "X509_V_ERR_CERT_HAS_EXPIRED", or ""; static text */
	enum tls_failure failure;      /* which of the decision's `on` applies, unless all is well */
};

/* After the handshake. */
void tls_client_outcome(SSL *ssl, struct tls_outcome *o);
/* After a handshake that failed with this code (conn_tls_error; 0: the peer just went). ssl may be NULL. */
void tls_client_failed(SSL *ssl, unsigned long code, struct tls_outcome *o);

#endif
