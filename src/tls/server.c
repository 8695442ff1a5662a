/* server.c - the TLS server of one service: who gets which certificate, protocol and ticket.
 *
 * The first thing looked at is the ClientHello: the server name chooses the certificates, before OpenSSL opens a
 * ticket, and service and name together are the session id context, so that a ticket works only where it was given
 * (RFC 8446 4.6.1). */
#include <postern/tls/server.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "pem.h"
#include "setup.h"

struct tls_server {
	const struct tls_profile *profile;
	struct tls_signer signer;
	SSL_CTX *first; /* the generation of certificates in force */
	bool ask_client;
	bool has_tickets;
	struct tls_ticket_ring tickets;
};

struct tls_server *
tls_server_new(
    enum tls_service service, const struct tls_cert *certs, size_t n, const struct tls_signer *signer, struct err *e)
{
	struct tls_server *s = NEW(struct tls_server);

	s->profile = tls_profile_of(service);
	s->ask_client = s->profile->ask_client_cert;
	s->signer = *signer;
	if (tls_server_replace(s, certs, n, e))
		return s;
	tls_server_free(s);
	return NULL;
}

void
tls_server_free(struct tls_server *s)
{
	if (s == NULL)
		return;
	SSL_CTX_free(s->first);
	tls_ticket_wipe(&s->tickets);
	free(s);
}

bool
tls_server_replace(struct tls_server *s, const struct tls_cert *certs, size_t n, struct err *e)
{
	SSL_CTX *first = setup_make(s->profile, certs, n, &s->signer, e);

	if (first == NULL)
		return err_at(e, "TLS for %s", s->profile->name);
	SSL_CTX_free(s->first);
	s->first = first;
	return true;
}

void
tls_server_tickets(struct tls_server *s, const struct tls_ticket_ring *ring)
{
	s->tickets = *ring;
	s->has_tickets = s->profile->tickets > 0;
}

void
tls_server_ask_client(struct tls_server *s, bool ask)
{
	s->ask_client = ask;
}

/* Any certificate will do: it proves nothing by itself. */
static int
on_client_cert(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

SSL *
tls_server_session(struct tls_server *s)
{
	SSL *ssl = SSL_new(s->first);

	if (ssl == NULL || SSL_set_app_data(ssl, s) != 1)
		log_fatal("TLS: %s", pem_reason());
	if (s->ask_client)
		SSL_set_verify(ssl, SSL_VERIFY_PEER, on_client_cert);
	if (!s->has_tickets) {
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
		SSL_set_num_tickets(ssl, 0);
	}
	return ssl;
}

static bool
take_u16(struct str *s, size_t *value)
{
	if (s->n < 2)
		return false;
	*value = (size_t)((unsigned char)s->p[0] << 8 | (unsigned char)s->p[1]);
	*s = str_sub(*s, 2, s->n);
	return true;
}

/* A vector with a length of two bytes before it. */
static bool
take_vector(struct str *s, struct str *v)
{
	size_t n;

	if (!take_u16(s, &n) || s->n < n)
		return false;
	*v = str_sub(*s, 0, n);
	*s = str_sub(*s, n, s->n);
	return true;
}

bool
tls_server_parse_sni(struct str extension, struct str *name)
{
	struct str list, item;

	*name = STR("");
	if (!take_vector(&extension, &list) || extension.n > 0 || list.n == 0)
		return false;
	while (list.n > 0) {
		unsigned char type = (unsigned char)list.p[0];

		list = str_sub(list, 1, list.n);
		if (!take_vector(&list, &item))
			return false;
		if (type != TLSEXT_NAMETYPE_host_name)
			continue;
		/* one name of a type at most, and not an empty one */
		if (name->n > 0 || item.n == 0 || item.n > TLSEXT_MAXLEN_host_name || str_has(item, '\0'))
			return false;
		*name = item;
	}
	return true;
}

static bool
hello_name(SSL *ssl, struct str *name)
{
	const unsigned char *p;
	size_t n;

	*name = STR("");
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1)
		return true;
	return tls_server_parse_sni(str_from(p, n), name);
}

/* Fetched once: a search by name costs more than the hash. */
static const EVP_MD *
context_hash(void)
{
	static EVP_MD *md;

	if (md == NULL)
		md = EVP_MD_fetch(tls_lib(), "SHA256", NULL);
	return md;
}

/* Where a session belongs: service and server name, as the 32 bytes that OpenSSL compares on resumption. */
static bool
set_session_context(SSL *ssl, const struct tls_server *s, struct str name)
{
	unsigned char hash[SSL_MAX_SID_CTX_LENGTH];
	char text[TLSEXT_MAXLEN_host_name + 32];
	int n = snprintf(text, sizeof text, "%s %.*s", s->profile->name, STR_ARG(name));

	for (int i = 0; i < n; i++)
		text[i] = ascii_lower(text[i]);
	return EVP_Digest(text, (size_t)n, hash, NULL, context_hash(), NULL) == 1 &&
	       SSL_set_session_id_context(ssl, hash, sizeof hash) == 1;
}

int
server_on_hello(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *s = SSL_get_app_data(ssl);
	SSL_CTX *first = SSL_get_SSL_CTX(ssl);
	SSL_CTX *ctx;
	struct str name;

	(void)arg;
	if (!hello_name(ssl, &name)) {
		*alert = SSL_AD_DECODE_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	ctx = setup_find(first, name);
	if ((ctx == first || SSL_set_SSL_CTX(ssl, ctx) == ctx) && set_session_context(ssl, s, name))
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_CLIENT_HELLO_ERROR;
}

static bool
belongs(const struct tls_profile *p, struct str id)
{
	for (size_t i = 0; i < TLS_ALPN_MAX && p->alpn[i] != NULL; i++)
		if (str_eq(str_of(p->alpn[i]), id))
			return true;
	return false;
}

/* RFC 7301 3.2, and the advice of ALPACA: a client that names protocols and not ours is at the wrong door. */
int
server_on_alpn(
    SSL *ssl, const unsigned char **out, unsigned char *nout, const unsigned char *in, unsigned nin, void *arg)
{
	struct str list = str_from(in, nin);

	(void)ssl;
	while (list.n > 0) { /* OpenSSL has checked the lengths */
		unsigned char n = (unsigned char)list.p[0];
		struct str id = str_sub(list, 1, 1u + n);

		if (belongs(arg, id)) {
			*out = in + nin - list.n + 1;
			*nout = n;
			return SSL_TLSEXT_ERR_OK;
		}
		list = str_sub(list, 1u + n, list.n);
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static const EVP_CIPHER *
ticket_cipher(void)
{
	static EVP_CIPHER *cipher;

	if (cipher == NULL)
		cipher = EVP_CIPHER_fetch(tls_lib(), "AES-256-CBC", NULL);
	return cipher;
}

static bool
use_ticket_key(
    const struct tls_ticket_key *k, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	char digest[] = "SHA256";
	unsigned char secret[sizeof k->mac];
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, secret, sizeof secret),
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof digest - 1),
		OSSL_PARAM_END,
	};
	bool ok;

	memcpy(secret, k->mac, sizeof secret);
	ok = EVP_CipherInit_ex2(cipher, ticket_cipher(), k->aes, iv, enc, NULL) == 1 &&
	     EVP_MAC_CTX_set_params(mac, params) == 1;
	mem_wipe(secret, sizeof secret);
	return ok;
}

/* What the callback's caller expects (SSL_CTX_set_tlsext_ticket_key_cb(3)). */
enum { TICKET_ERROR = -1, TICKET_NONE = 0, TICKET_GOOD = 1, TICKET_GOOD_RENEW = 2 };

int
server_on_ticket_key(
    SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	const struct tls_server *s = SSL_get_app_data(ssl);
	const struct tls_ticket_key *k = &s->tickets.key[0];
	size_t at = 0;

	if (!s->has_tickets)
		return TICKET_NONE;
	if (enc) {
		memcpy(name, k->name, sizeof k->name);
		if (RAND_bytes_ex(tls_lib(), iv, 16, 0) != 1)
			return TICKET_ERROR;
	} else {
		k = tls_ticket_find(&s->tickets, name, &at);
		if (k == NULL)
			return TICKET_NONE;
	}
	if (!use_ticket_key(k, iv, cipher, mac, enc))
		return TICKET_ERROR;
	/* in TLS 1.3 every resumption gets a new ticket, so that two connections cannot be linked (RFC 8446 C.4) */
	return !enc && (at > 0 || SSL_version(ssl) == TLS1_3_VERSION) ? TICKET_GOOD_RENEW : TICKET_GOOD;
}
