/* setup.h - the SSL_CTX objects of one generation of certificates; between server.c and setup.c. */
#ifndef POSTERN_SRC_TLS_SETUP_H
#define POSTERN_SRC_TLS_SETUP_H

#include <openssl/ssl.h>

#include <postern/tls/server.h>

/* The default context, with those of the other names attached, so that they live as long as a connection that began
 * with it. One reference, the caller's. NULL with words in e. */
SSL_CTX *setup_make(const struct tls_profile *profile, const struct tls_cert *certs, size_t n,
    const struct tls_signer *signer, struct err *e);
/* The context for a server name (any case), or the default. */
SSL_CTX *setup_find(SSL_CTX *first, struct str server_name);

/* server.c: callbacks that setup.c installs in every context. */
int server_on_hello(SSL *ssl, int *alert, void *arg);
int server_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *nout, const unsigned char *in, unsigned nin,
    void *arg);
int server_on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
    int enc);
/* binding.c: remembers in the ticket which certificate the client saw. */
int binding_on_ticket(SSL *ssl, void *arg);

#endif
