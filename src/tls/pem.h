/* pem.h - certificates and keys as text, for the files of tls. */
#ifndef POSTERN_SRC_TLS_PEM_H
#define POSTERN_SRC_TLS_PEM_H

#include <openssl/types.h>
#include <openssl/x509.h>

#include <postern/core/buf.h>
#include <postern/core/err.h>
#include <postern/core/str.h>

/* All certificates in the text, leaf first, 1 to TLS_CHAIN_MAX; other blocks (a key in the same file) are passed
 * over. NULL with words in e; what is for messages. */
STACK_OF(X509) * pem_read_chain(struct str text, const char *what, struct err *e);
void pem_free_chain(STACK_OF(X509) * chain);
/* The first private key in the text. */
EVP_PKEY *pem_read_key(struct str text, const char *what, struct err *e);

void pem_write_chain(STACK_OF(X509) * chain, struct buf *out);
void pem_write_key(EVP_PKEY *key, struct buf *out);

/* OpenSSL's latest reason in words; empties its queue. Static text. */
const char *pem_reason(void);

#endif
