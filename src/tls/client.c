/* client.c - the TLS client of outbound mail: one handshake as a decision demands it. */
#include <postern/tls/client.h>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/clock.h>
#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/tls/remote.h>

#include "ciphers.h"
#include "pem.h"

struct tls_client {
	X509_STORE *store; /* the CAs, shared by both contexts */
	SSL_CTX *by_check[2]; /* indexed by enum tls_check */
	X509 *leaf; /* to show; NULL: none */
	STACK_OF(X509) * chain; /* between leaf and CA */
	EVP_PKEY *key;
};

/* Servers that were never updated: no forward secrecy in the last ones, and still better than plain text (RFC 7435). */
#define OLD                                                                                                            \
	"DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:"                                                         \
	"AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA"

/* What is offered. Level 1 of OpenSSL takes keys of 80 bits of strength, level 2 from 112 on. */
static const struct offer {
	const char *ciphers12;
	int security;
	int verify;
} offers[] = {
	[TLS_CHECK_NOTE] = { CIPHERS_AEAD ":" CIPHERS_CBC ":" OLD, 1, SSL_VERIFY_NONE },
	[TLS_CHECK_MUST] = { CIPHERS_AEAD ":" CIPHERS_CBC, 2, SSL_VERIFY_PEER },
};

/* TLSA's digests, the stronger first where a set has both (RFC 7671 9). */
static bool
add_digests(SSL_CTX *ctx)
{
	return SSL_CTX_dane_enable(ctx) == 1 && SSL_CTX_dane_mtype_set(ctx, EVP_sha256(), TLSA_SHA256, 1) == 1 &&
	       SSL_CTX_dane_mtype_set(ctx, EVP_sha512(), TLSA_SHA512, 2) == 1;
}

/* The server asked for a certificate. Without one the handshake goes on, too (RFC 8446 4.4.2). */
static int
on_certificate_wanted(SSL *ssl, void *arg)
{
	const struct tls_client *c = arg;

	if (c->leaf == NULL || SSL_version(ssl) < TLS1_3_VERSION)
		return 1;
	return SSL_use_certificate(ssl, c->leaf) == 1 && SSL_use_PrivateKey(ssl, c->key) == 1 &&
	       SSL_set1_chain(ssl, c->chain) == 1;
}

static SSL_CTX *
new_ctx(const struct offer *o, struct tls_client *c)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(tls_lib(), NULL, TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, o->ciphers12) != 1 || !add_digests(ctx))
		log_panic("TLS client: %s", pem_reason());
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_security_level(ctx, o->security);
	SSL_CTX_set_verify(ctx, o->verify, NULL);
	SSL_CTX_set_cert_cb(ctx, on_certificate_wanted, c);
	SSL_CTX_set1_cert_store(ctx, c->store);
	return ctx;
}

struct tls_client *
tls_client_new(void)
{
	struct tls_client *c = NEW(struct tls_client);

	c->store = X509_STORE_new();
	if (c->store == NULL)
		log_fatal("TLS: out of memory");
	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++)
		c->by_check[i] = new_ctx(&offers[i], c);
	return c;
}

static void
drop_certificate(struct tls_client *c)
{
	X509_free(c->leaf);
	pem_free_chain(c->chain);
	EVP_PKEY_free(c->key);
	c->leaf = NULL;
	c->chain = NULL;
	c->key = NULL;
}

bool
tls_client_set_certificate(
    struct tls_client *c, struct str chain_pem, struct str key_id, const struct tls_signer *signer, struct err *e)
{
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;

	if (chain_pem.n > 0) {
		chain = pem_read_chain(chain_pem, "client certificate", e);
		key = chain != NULL ? tls_remote_key(sk_X509_value(chain, 0), key_id, signer, e) : NULL;
		if (key == NULL) {
			pem_free_chain(chain);
			return false;
		}
	}
	drop_certificate(c);
	c->leaf = chain != NULL ? sk_X509_shift(chain) : NULL;
	c->chain = chain;
	c->key = key;
	return true;
}

void
tls_client_free(struct tls_client *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++)
		SSL_CTX_free(c->by_check[i]);
	X509_STORE_free(c->store);
	drop_certificate(c);
	free(c);
}

/* One PEM block: 1 a certificate, 0 something else or a damaged one (counted), -1 the end. */
static int
add_block(struct tls_client *c, BIO *bio, size_t *damaged)
{
	char *name, *header;
	unsigned char *der;
	const unsigned char *p;
	X509 *x;
	long n;
	int added = 0;

	if (PEM_read_bio(bio, &name, &header, &der, &n) != 1) {
		bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;

		*damaged += !end;
		return end ? -1 : 0;
	}
	p = der;
	if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0) {
		x = X509_new_ex(tls_lib(), NULL);
		added = x != NULL && d2i_X509(&x, &p, n) != NULL && X509_STORE_add_cert(c->store, x) == 1;
		*damaged += !added;
		X509_free(x);
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	return added;
}

bool
tls_client_add_ca(struct tls_client *c, struct str pem, const char *name, size_t *damaged, struct err *e)
{
	BIO *bio = pem.n <= TLS_CLIENT_CA_BYTES_MAX ? BIO_new_mem_buf(pem.n > 0 ? pem.p : "", (int)pem.n) : NULL;
	size_t good = 0, bad = 0;
	int added = bio != NULL ? 0 : -1;

	/* a block that cannot be read still takes bytes, so this ends */
	while (added != -1) {
		ERR_clear_error();
		added = add_block(c, bio, &bad);
		good += added == 1;
	}
	ERR_clear_error();
	BIO_free(bio);
	if (damaged != NULL)
		*damaged = bad;
	return good > 0 ||
	       err_perm(e, "", "%s: no CA certificate in it: it must hold PEM blocks \"BEGIN CERTIFICATE\"", name);
}

bool
tls_client_load_ca(struct tls_client *c, const char *path, size_t *damaged, struct err *e)
{
	struct buf text;
	bool ok;

	buf_init(&text, TLS_CLIENT_CA_BYTES_MAX);
	ok = io_read_file(AT_FDCWD, path, &text) || err_temp(e, "", "%s: cannot read: %m", path);
	ok = ok && tls_client_add_ca(c, buf_str(&text), path, damaged, e);
	buf_fini(&text);
	return ok;
}

enum { HOST_SIZE = 256 };

/* False for what OpenSSL would take for something else than the name it is. */
static bool
to_cstr(struct str name, char out[static HOST_SIZE])
{
	if (name.n == 0 || name.n >= HOST_SIZE || str_has(name, '\0') || name.p[0] == '.')
		return false;
	memcpy(out, name.p, name.n);
	out[name.n] = '\0';
	return true;
}

static bool
set_sni(SSL *ssl, struct str sni)
{
	char name[HOST_SIZE];

	if (sni.n == 0)
		return true;
	/* the macro for it casts const away */
	return to_cstr(sni, name) && SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1;
}

static bool
set_names(SSL *ssl, const struct tls_decision *d)
{
	char name[HOST_SIZE];

	for (size_t i = 0; i < d->n_names; i++)
		if (!to_cstr(d->names[i], name) || SSL_add1_host(ssl, name) != 1)
			return false;
	return true;
}

/* The records in OpenSSL's hands. Without one of them it would fall back to the CAs, so one must be there. */
static bool
set_tlsa(SSL *ssl, const struct tls_decision *d)
{
	size_t taken = 0;

	if (SSL_dane_enable(ssl, NULL) != 1)
		return false;
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS); /* RFC 7672 3.1.1 */
	for (size_t i = 0; i < d->n_tlsa; i++) {
		const struct tlsa *t = &d->tlsa[i];

		taken += SSL_dane_tlsa_add(
			     ssl, t->usage, t->selector, t->matching, (const unsigned char *)t->data.p, t->data.n) == 1;
	}
	return taken > 0;
}

/* "*" is a whole label and stands for one (RFC 7672 3.2.3, RFC 9525 6.3); the CN counts for DANE-TA only, and there
 * only without DNS names. */
static void
set_rules(SSL *ssl, const struct tls_decision *d)
{
	unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

	if (d->n_tlsa == 0)
		flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
	SSL_set_hostflags(ssl, flags);
	X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl), (time_t)wall_seconds(wall_now()));
}

SSL *
tls_client_session(struct tls_client *c, const struct tls_decision *d, struct err *e)
{
	SSL *ssl = SSL_new(c->by_check[d->check]);

	if (ssl == NULL)
		log_fatal("TLS: out of memory");
	set_rules(ssl, d);
	if ((d->n_tlsa == 0 || set_tlsa(ssl, d)) && set_sni(ssl, d->sni) && set_names(ssl, d) &&
	    (d->check == TLS_CHECK_NOTE || d->n_tlsa > 0 || d->n_names > 0)) {
		ERR_clear_error();
		return ssl;
	}
	err_temp(e, SAY_LATER, "TLS: the demand cannot be made: %s", pem_reason());
	SSL_free(ssl);
	return NULL;
}
