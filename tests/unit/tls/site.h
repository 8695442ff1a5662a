/* site.h - what the TLS tests share: certificates, a keys role in-process, a server and a client that shake hands. */
#ifndef TESTS_UNIT_TLS_SITE_H
#define TESTS_UNIT_TLS_SITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/ssl.h>

#include <postern/core/buf.h>
#include <postern/core/loop.h>
#include <postern/net/conn.h>
#include <postern/tls/keystore.h>
#include <postern/tls/server.h>

enum { SITE_CALLER = 3 };

/* A self-signed certificate and its key as PEM. kind: "RSA", "P-256", "P-384", "ED25519"; san: "DNS:a.test,DNS:b.test". */
void site_make_pair(const char *kind, const char *san, struct buf *cert, struct buf *key);

struct site {
	struct loop *loop;
	struct keystore *keys;
	struct tls_server *server;
	SSL_CTX *client; /* TLS 1.2 and 1.3, trusts everybody; tests change it */
	bool signer_dead;
	unsigned signatures;
};

/* Signs with the site's keystore. */
struct tls_signer site_signer(struct site *s);
/* Makes a pair under id in the keystore, for the site's caller, and the row for it. */
struct tls_cert site_cert(struct site *s, const char *id, const char *kind, const char *san);
/* A server of the service with one P-256 certificate for mail.example.test. */
void site_open(struct site *s, enum tls_service service);
void site_close(struct site *s);

/* SSL_CTX_set1_groups_list and _sigalgs_list (whose macros cast const away): what is SSL_CTRL_SET_..._LIST. */
void site_set_list(SSL_CTX *ctx, int what, const char *list);

/* One connection: the server side is a conn, the client an SSL of OpenSSL's own. */
struct link {
	struct site *site;
	struct conn *conn;
	SSL *ssl;
	int fd; /* the client's end */
	bool secure;
	bool ended;
	enum conn_end why;
	unsigned long error;
	unsigned long client_error;
	struct buf got;
	size_t take;
	bool answer; /* on_secure writes a greeting */
	bool echo;
};

/* Both ends exist, nothing was said. */
void link_open(struct link *l, struct site *s);
/* The server begins TLS on it. */
void link_secure(struct link *l, struct tls_server *server);
void link_close(struct link *l);
void link_turn(struct link *l);
/* SSL_set_tlsext_host_name, whose macro casts const away; NULL: no name. */
void link_name(struct link *l, const char *name);
/* Runs the handshake to its end on both sides; true if both are content. */
bool link_shake(struct link *l);
/* All at once: open, secure, with a server name (NULL: none), shake. */
bool link_to(struct link *l, struct site *s, const char *name);
/* Client reads until it has n bytes; false at the end of the connection. */
bool link_read(struct link *l, char *to, size_t n);
void link_write(struct link *l, const char *text);
/* Runs turns until the server side ended. */
void link_wait_end(struct link *l);

#endif
