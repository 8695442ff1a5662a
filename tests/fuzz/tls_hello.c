/* tls_hello.c - the bytes of a TLS client: the server name extension by itself, and whole handshakes fed to a server. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <postern/tls/keystore.h>
#include <postern/tls/selfsigned.h>
#include <postern/tls/server.h>

#include "fuzz.h"

static bool
refuse(void *ctx, struct str id, enum tls_scheme scheme, struct str tbs, struct buf *sig)
{
	(void)ctx;
	(void)id;
	(void)scheme;
	(void)sig;
	if (!keystore_is_handshake(tbs)) /* whatever the client says, we sign nothing else */
		abort();
	return false;
}

static struct tls_server *
make_server(void)
{
	static const struct tls_signer signer = { refuse, NULL };
	struct tls_ticket_ring ring = { 0 };
	struct buf cert, key;
	struct tls_cert row;
	struct tls_server *s;
	struct err e;

	buf_init(&cert, 65536);
	buf_init(&key, 65536);
	if (!selfsigned_make(STR("mail.example.test"), &cert, &key, &e))
		abort();
	row = (struct tls_cert){ .key_id = STR("k"), .chain = buf_str(&cert) };
	s = tls_server_new(TLS_IMAPS, &row, 1, &signer, &e);
	tls_server_tickets(s, &ring);
	buf_fini(&cert);
	buf_wipe(&key);
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct tls_server *server;
	struct str name;
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());
	SSL *ssl;

	if (server == NULL)
		server = make_server();
	tls_server_parse_sni(str_from(p, n), &name);
	keystore_is_handshake(str_from(p, n));
	ssl = tls_server_session(server);
	BIO_write(in, p, (int)n);
	SSL_set_bio(ssl, in, out);
	SSL_accept(ssl);
	SSL_free(ssl);
	ERR_clear_error();
	return 0;
}
