/* pki.c - a little PKI, and handshakes over a socket pair. */
#include "pki.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <postern/core/clock.h>

static void
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

struct pki_cert
pki_cert_new(const struct pki_make *m)
{
	static long serial = 1;
	struct pki_cert c = { X509_new(), EVP_EC_gen("P-256") };
	time_t now = (time_t)wall_seconds(wall_now());

	X509_set_version(c.x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), serial++);
	X509_time_adj_ex(X509_getm_notBefore(c.x), 0, m->from_s != 0 ? m->from_s : -60, &now);
	X509_time_adj_ex(X509_getm_notAfter(c.x), 0, m->to_s != 0 ? m->to_s : 3600, &now);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(c.x), "CN", MBSTRING_ASC, (const unsigned char *)m->cn, -1, -1, 0);
	X509_set_issuer_name(c.x, X509_get_subject_name(m->issuer != NULL ? m->issuer->x : c.x));
	X509_set_pubkey(c.x, c.key);
	if (m->ca)
		add_extension(c.x, NID_basic_constraints, "critical,CA:TRUE");
	if (m->san != NULL)
		add_extension(c.x, NID_subject_alt_name, m->san);
	assert_true(X509_sign(c.x, m->issuer != NULL ? m->issuer->key : c.key, EVP_sha256()) > 0);
	return c;
}

void
pki_cert_free(struct pki_cert *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
}

void
pki_cert_pem(const struct pki_cert *c, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	assert_int_equal(PEM_write_bio_X509(bio, c->x), 1);
	n = BIO_get_mem_data(bio, &p);
	buf_add(out, str_from(p, (size_t)n));
	BIO_free(bio);
}

void
pki_key_pem(const struct pki_cert *c, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, c->key, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &p);
	buf_add(out, str_from(p, (size_t)n));
	BIO_free(bio);
}

struct tlsa
pki_tlsa(const struct pki_cert *c, int usage, int selector, int matching, struct buf *out)
{
	unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
	int n = selector == TLSA_CERT ? i2d_X509(c->x, &der) : i2d_PUBKEY(X509_get0_pubkey(c->x), &der);
	unsigned size = 0;
	struct tlsa t;

	assert_true(n > 0);
	buf_init(out, 65536);
	buf_add_char(out, (char)usage);
	buf_add_char(out, (char)selector);
	buf_add_char(out, (char)matching);
	if (matching == TLSA_FULL) {
		buf_add(out, str_from(der, (size_t)n));
	} else {
		EVP_Digest(der, (size_t)n, digest, &size, matching == TLSA_SHA256 ? EVP_sha256() : EVP_sha512(), NULL);
		buf_add(out, str_from(digest, size));
	}
	OPENSSL_free(der);
	assert_true(tls_dane_parse(buf_str(out), &t));
	return t;
}

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct pki_result *r = arg;

	(void)alert;
	snprintf(r->sni, sizeof r->sni, "%s", name != NULL ? name : "");
	return SSL_TLSEXT_ERR_OK;
}

static int
on_client_chain(X509_STORE_CTX *store, void *arg)
{
	struct pki_result *r = arg;

	r->shown = (unsigned)sk_X509_num(X509_STORE_CTX_get0_untrusted(store));
	return 1;
}

static SSL_CTX *
server_ctx(const struct pki_server *s, struct pki_result *r)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_max_proto_version(ctx, s->max_version);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	if (s->ciphers12 != NULL)
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, s->ciphers12), 1);
	assert_int_equal(SSL_CTX_use_certificate(ctx, s->leaf->x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, s->leaf->key), 1);
	for (size_t i = 0; s->chain[i] != NULL; i++)
		assert_int_equal(SSL_CTX_add1_chain_cert(ctx, s->chain[i]->x), 1);
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, r);
	if (s->asks) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_cert_verify_callback(ctx, on_client_chain, r);
	}
	return ctx;
}

enum step { STEP_MORE, STEP_DONE, STEP_FAILED };

static enum step
step(SSL *ssl, unsigned long *code)
{
	int result, error;

	ERR_clear_error();
	result = SSL_do_handshake(ssl);
	if (result == 1)
		return STEP_DONE;
	error = SSL_get_error(ssl, result);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return STEP_MORE;
	*code = ERR_peek_error();
	ERR_clear_error();
	return STEP_FAILED;
}

static void
run(SSL *client, SSL *server, struct pki_result *r)
{
	enum step mine = STEP_MORE, theirs = STEP_MORE;
	unsigned long code = 0, ignored;

	for (int i = 0; i < 100 && mine != STEP_FAILED && (mine == STEP_MORE || theirs == STEP_MORE); i++) {
		if (mine == STEP_MORE)
			mine = step(client, &code);
		if (theirs == STEP_MORE)
			theirs = step(server, &ignored);
		if (theirs == STEP_FAILED)
			shutdown(SSL_get_fd(server), SHUT_WR);
	}
	r->ok = mine == STEP_DONE;
	if (r->ok)
		tls_client_outcome(client, &r->outcome);
	else
		tls_client_failed(client, code, &r->outcome);
	r->version = SSL_version(client);
	r->resumed = SSL_session_reused(client);
}

void
pki_shake(struct tls_client *c, const struct tls_decision *d, const struct pki_server *s, struct pki_result *r)
{
	struct err e;
	SSL_CTX *ctx;
	SSL *client, *server;
	int fd[2];

	memset(r, 0, sizeof *r);
	client = tls_client_session(c, d, &e);
	r->made = client != NULL;
	if (client == NULL)
		return;
	ctx = server_ctx(s, r);
	server = SSL_new(ctx);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
	SSL_set_fd(client, fd[0]);
	SSL_set_fd(server, fd[1]);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	run(client, server, r);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	close(fd[0]);
	close(fd[1]);
}
