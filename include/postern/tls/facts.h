/* facts.h - what a handshake came to: the log line, the words for Received, and the channel bindings for SASL. */
#ifndef POSTERN_TLS_FACTS_H
#define POSTERN_TLS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include <postern/core/str.h>
#include <postern/tls/profile.h>

enum { TLS_SUBJECT_SIZE = 256, TLS_NAME_SIZE = 256 };

struct tls_facts {
	const char *version; /* "TLSv1.3" */
	const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
	const char *group;   /* "x25519"; "" when resumed without a key exchange */
	int bits;            /* of the cipher */
	bool resumed;
	char sni[TLS_NAME_SIZE];             /* as the client sent it, "" if it did not */
	char alpn[32];                       /* agreed, or "" */
	char client_subject[TLS_SUBJECT_SIZE]; /* of the client's certificate (unverified), or "" */
};

/* After the handshake. The pointers in it are static. */
void tls_facts_read(SSL *ssl, struct tls_facts *f);

/* event=tls sid service version cipher group sni alpn client_cert resumed. */
void tls_facts_log(enum tls_service service, struct str sid, struct str client, SSL *ssl);
/* The same for a handshake that failed, with why= in words; code is conn_tls_error, 0 when the peer just went. ssl
 * may be NULL. */
void tls_facts_log_failure(
    enum tls_service service, struct str sid, struct str client, SSL *ssl, unsigned long code, const char *instead);
/* The reason in words: "the client offers no TLS version from 1.2 on". Static text, never NULL. */
const char *tls_facts_failure(unsigned long code);

enum { TLS_WORDS_SIZE = 128 };
/* "TLSv1.3:TLS_AES_256_GCM_SHA384:256", the tls= field of other log lines; NUL-terminated. "" for NULL. */
const char *tls_facts_words(SSL *ssl, char out[static TLS_WORDS_SIZE]);

enum { TLS_BINDING_MAX = 64 };
/* Channel bindings (RFC 5056), the bytes as SCRAM compares them. Both return 0 where the binding is not defined. */
/* tls-exporter (RFC 9266): TLS 1.3, and 1.2 with extended master secret. */
size_t tls_binding_exporter(SSL *ssl, uint8_t out[static TLS_BINDING_MAX]);
/* tls-server-end-point (RFC 5929 4): the hash of our certificate as the client saw it, also on a resumed connection. */
size_t tls_binding_end_point(SSL *ssl, uint8_t out[static TLS_BINDING_MAX]);

#endif
