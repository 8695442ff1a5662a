/* selfsigned.c - a certificate for a server that has none yet. */
#include <postern/tls/selfsigned.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <sodium.h>

#include <postern/core/clock.h>
#include <postern/tls/remote.h>

#include "pem.h"

enum { HOUR = 3600, CN_MAX = 64 /* RFC 5280 A.1 ub-common-name */ };

/* What a server's certificate says of itself (RFC 5280 4.2.1). */
static const struct {
	int nid;
	const char *value;
} extension[] = {
	{ NID_basic_constraints, "critical,CA:FALSE" },
	{ NID_key_usage, "critical,digitalSignature" },
	{ NID_ext_key_usage, "serverAuth" },
	{ NID_subject_key_identifier, "hash" },
};

static bool
add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool
add_names(X509 *x, struct str hostname)
{
	X509_NAME *name = X509_get_subject_name(x);
	struct str cn = hostname.n <= CN_MAX ? hostname : STR("postern");
	char alt[300];

	snprintf(alt, sizeof alt, "DNS:%.*s,DNS:localhost", STR_ARG(hostname));
	if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn.p, (int)cn.n, -1, 0) != 1)
		return false;
	return X509_set_issuer_name(x, name) == 1 && add_extension(x, NID_subject_alt_name, alt);
}

/* 63 random bits, not zero (RFC 5280 4.1.2.2). */
static bool
add_serial(X509 *x)
{
	uint64_t serial;

	randombytes_buf(&serial, sizeof serial);
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1 | 1) == 1;
}

static bool
fill(X509 *x, EVP_PKEY *key, struct str hostname)
{
	time_t now = (time_t)wall_seconds(wall_now());

	if (X509_set_version(x, X509_VERSION_3) != 1 || !add_serial(x) || X509_set_pubkey(x, key) != 1 ||
	    X509_time_adj_ex(X509_getm_notBefore(x), 0, -HOUR, &now) == NULL ||
	    X509_time_adj_ex(X509_getm_notAfter(x), SELFSIGNED_YEARS * 365, 0, &now) == NULL || !add_names(x, hostname))
		return false;
	for (size_t i = 0; i < sizeof extension / sizeof *extension; i++)
		if (!add_extension(x, extension[i].nid, extension[i].value))
			return false;
	return X509_sign(x, key, EVP_sha256()) > 0;
}

/* Nothing that could write another extension into the list of names. */
static bool
is_hostname(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n > 0 && s.n <= 253;
}

bool
selfsigned_make(struct str hostname, struct buf *certificate, struct buf *key, struct err *e)
{
	EVP_PKEY *pair;
	X509 *x;
	STACK_OF(X509) * chain;
	bool ok;

	if (!is_hostname(hostname))
		return err_perm(e, "", "the host name is not one a certificate can be made for: set hostname");
	pair = EVP_PKEY_Q_keygen(tls_lib(), NULL, "EC", "P-256");
	x = X509_new_ex(tls_lib(), NULL);
	chain = sk_X509_new_null();
	ok = pair != NULL && x != NULL && fill(x, pair, hostname) && sk_X509_push(chain, x) > 0;
	if (ok) {
		pem_write_chain(chain, certificate);
		pem_write_key(pair, key);
	} else {
		err_temp(e, "", "cannot make a certificate: %s", pem_reason());
	}
	sk_X509_free(chain);
	X509_free(x);
	EVP_PKEY_free(pair);
	return ok;
}
