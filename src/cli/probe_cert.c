/* probe_cert.c - reads the chain of a handshake. Everything in it comes from a stranger: texts are cleaned before they
 * are kept, what is long is cut. */
#include "probe_cert.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <postern/core/base64.h>
#include <postern/core/log.h>
#include <postern/net/addr.h>
#include <postern/tls/remote.h>

#include "columns.h"
#include "probe_shot.h"

enum { TEXT_MAX = 256, DAY = 86400 };

X509_STORE *
cert_store(const char *path, struct err *e)
{
	X509_STORE *store = X509_STORE_new();

	if (store != NULL && X509_STORE_load_file_ex(store, path, tls_lib(), NULL) == 1)
		return store;
	X509_STORE_free(store);
	ERR_clear_error();
	err_temp(e, "", "%s: no certificates of CAs can be read from it, see relay.ca_file", path);
	return NULL;
}

SSL_CTX *
cert_ctx(int max_version)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(tls_lib(), NULL, TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, max_version) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, "ALL:!aNULL:!eNULL:@SECLEVEL=0") != 1)
		log_panic("TLS: the context for looking around cannot be made");
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, shot_on_ticket);
	return ctx;
}

/* --- texts --- */

/* A string of JSON, whatever the bytes. */
static json_t *
clean(struct str bytes)
{
	struct buf out;
	json_t *text;

	buf_init(&out, SIZE_MAX);
	cli_text_write(str_sub(bytes, 0, TEXT_MAX), ONE_LINE, &out);
	text = json_stringn(out.n > 0 ? out.p : "", out.n);
	buf_fini(&out);
	return text;
}

static json_t *
name_json(X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	json_t *text;
	char *p = NULL;
	long n;

	if (bio == NULL)
		return json_string("");
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	n = BIO_get_mem_data(bio, &p);
	text = clean(str_from(p, n > 0 ? (size_t)n : 0));
	BIO_free(bio);
	return text;
}

static json_t *
names_json(X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	json_t *all = json_array();

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < CERT_NAMES_MAX; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type == GEN_DNS)
			json_array_append_new(all, clean(str_from(ASN1_STRING_get0_data(g->d.dNSName),
						       (size_t)ASN1_STRING_length(g->d.dNSName))));
	}
	GENERAL_NAMES_free(names);
	return all;
}

static json_t *
digest_json(const unsigned char *der, int n)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	json_t *text;
	struct buf hex;

	if (n <= 0 || EVP_Digest(der, (size_t)n, hash, &size, EVP_sha256(), NULL) != 1)
		return json_string("");
	buf_init(&hex, SIZE_MAX);
	hex_add(&hex, str_from(hash, size));
	text = json_string(buf_cstr(&hex));
	buf_fini(&hex);
	return text;
}

static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static json_t *
time_json(const ASN1_TIME *t)
{
	time_t at = (time_t)seconds_of(t);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&at, &tm) != NULL)
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

/* --- keys and signatures --- */

static void
key_look(X509 *x, char kind[static 24], unsigned *bits, unsigned *strength)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	char curve[24] = "";
	size_t n;

	*bits = *strength = 0;
	snprintf(kind, 24, "unknown");
	if (key == NULL)
		return;
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
		EVP_PKEY_get_group_name(key, curve, sizeof curve, &n);
	if (strcmp(curve, "prime256v1") == 0)
		snprintf(curve, sizeof curve, "P-256");
	snprintf(kind, 24, "%s", curve[0] != '\0' ? curve : OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		snprintf(kind, 24, "RSA");
	*bits = (unsigned)EVP_PKEY_get_bits(key);
	*strength = (unsigned)EVP_PKEY_get_security_bits(key);
}

static bool
is_own_issuer(X509 *x)
{
	return (X509_get_extension_flags(x) & EXFLAG_SS) != 0;
}

/* Collisions can be made for these; a root's own signature is looked at by nobody. */
static const char *
weak_signature(X509 *x)
{
	int digest = NID_undef;

	if (is_own_issuer(x) || X509_get_signature_info(x, &digest, NULL, NULL, NULL) != 1)
		return NULL;
	return digest == NID_sha1 ? "SHA-1" : digest == NID_md5 ? "MD5" : NULL;
}

static json_t *
cert_json(X509 *x)
{
	unsigned char *der = NULL, *key = NULL;
	int nder = i2d_X509(x, &der);
	int nkey = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &key);
	unsigned bits, strength;
	char kind[24];
	json_t *j;

	key_look(x, kind, &bits, &strength);
	j = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:i, s:s, s:o, s:o}", "subject",
	    name_json(X509_get_subject_name(x)), "issuer", name_json(X509_get_issuer_name(x)), "names", names_json(x),
	    "not_before", time_json(X509_get0_notBefore(x)), "not_after", time_json(X509_get0_notAfter(x)), "key", kind,
	    "bits", (int)bits, "signature", OBJ_nid2ln(X509_get_signature_nid(x)), "sha256", digest_json(der, nder),
	    "key_sha256", digest_json(key, nkey));
	OPENSSL_free(der);
	OPENSSL_free(key);
	return j;
}

/* --- verdicts --- */

static const char *
find_trust(X509 *leaf, STACK_OF(X509) * chain, X509_STORE *store)
{
	X509_STORE_CTX *v = store != NULL ? X509_STORE_CTX_new_ex(tls_lib(), NULL) : NULL;
	const char *why = "no CA is known here";

	if (v == NULL)
		return why;
	if (X509_STORE_CTX_init(v, store, leaf, chain) == 1) {
		X509_STORE_CTX_set_flags(v, X509_V_FLAG_NO_CHECK_TIME); /* told apart from whom it leads to */
		X509_STORE_CTX_set_purpose(v, X509_PURPOSE_SSL_SERVER);
		why = X509_verify_cert(v) == 1 ? NULL : X509_verify_cert_error_string(X509_STORE_CTX_get_error(v));
	}
	X509_STORE_CTX_free(v);
	ERR_clear_error();
	return why;
}

static bool
has_name(X509 *leaf, const char *host)
{
	struct addr ip;

	if (addr_parse_ip(str_of(host), &ip))
		return X509_check_ip_asc(leaf, host, 0) == 1;
	return X509_check_host(leaf, host, strlen(host),
		   X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

static void
look_at_dates(X509 *x, struct wall now, struct probe_cert *c)
{
	int64_t left = seconds_of(X509_get0_notAfter(x)) - wall_seconds(now);

	c->expired |= left < 0;
	c->early |= seconds_of(X509_get0_notBefore(x)) > wall_seconds(now);
	if (c->count == 0 || left / DAY < c->days_left)
		c->days_left = left / DAY;
}

void
cert_look(SSL *ssl, X509_STORE *store, const char *host, struct wall now, struct probe_cert *c)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	X509 *leaf = SSL_get0_peer_certificate(ssl);

	*c = (struct probe_cert){ .there = leaf != NULL, .chain = json_array() };
	if (leaf == NULL)
		return;
	for (int i = 0; i < sk_X509_num(chain) && i < CERT_CHAIN_MAX; i++) {
		X509 *x = sk_X509_value(chain, i);

		look_at_dates(x, now, c);
		if (c->weak_signature == NULL)
			c->weak_signature = weak_signature(x);
		json_array_append_new(c->chain, cert_json(x));
		c->count++;
	}
	key_look(leaf, c->kind, &c->bits, &c->strength);
	c->self_signed = is_own_issuer(leaf);
	c->trust = find_trust(leaf, chain, store);
	c->name = host[0] != '\0' ? host : NULL;
	c->name_ok = c->name != NULL && has_name(leaf, host);
	ERR_clear_error();
}

void
cert_fini(struct probe_cert *c)
{
	json_decref(c->chain);
	*c = (struct probe_cert){ .there = false };
}

/* --- TLSA --- */

static bool
data_fits(const struct tlsa *t, const unsigned char *der, int n)
{
	const EVP_MD *md = t->matching == TLSA_SHA256 ? EVP_sha256() : EVP_sha512();
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (n <= 0 || t->matching > TLSA_SHA512)
		return false;
	if (t->matching == TLSA_FULL)
		return str_eq(t->data, str_from(der, (size_t)n));
	return EVP_Digest(der, (size_t)n, hash, &size, md, NULL) == 1 && str_eq(t->data, str_from(hash, size));
}

static bool
one_fits(X509 *x, const struct tlsa *t)
{
	unsigned char *der = NULL;
	int n = t->selector == TLSA_SPKI ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der) : i2d_X509(x, &der);
	bool fits = t->selector <= TLSA_SPKI && data_fits(t, der, n);

	OPENSSL_free(der);
	return fits;
}

bool
cert_chain_fits(STACK_OF(X509) * chain, const struct tlsa *t)
{
	bool own = t->usage == TLSA_PKIX_EE || t->usage == TLSA_DANE_EE;
	bool fits = false;

	for (int i = 0; i < sk_X509_num(chain) && i < CERT_CHAIN_MAX && !fits; i++)
		fits = (!own || i == 0) && one_fits(sk_X509_value(chain, i), t);
	return fits;
}

bool
cert_fits(SSL *ssl, const struct tlsa *t)
{
	return cert_chain_fits(SSL_get_peer_cert_chain(ssl), t);
}
