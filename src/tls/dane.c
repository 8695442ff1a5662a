/* dane.c - TLSA records as values, and which of them count for mail (RFC 6698 2.1, RFC 7671 5, RFC 7672 3.1). */
#include <postern/tls/dane.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>

#include <postern/tls/remote.h>

enum { HEAD = 3, SHA256_SIZE = 32, SHA512_SIZE = 64, WORDS_BYTES = 4 };

bool
tls_dane_parse(struct str rdata, struct tlsa *t)
{
	const unsigned char *p = (const unsigned char *)rdata.p;

	if (rdata.n < HEAD)
		return false;
	*t = (struct tlsa){ .usage = p[0], .selector = p[1], .matching = p[2], .data = str_sub(rdata, HEAD, rdata.n) };
	return true;
}

static bool
is_certificate(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p;
	X509 *x = X509_new_ex(tls_lib(), NULL);
	bool ok = x != NULL && d2i_X509(&x, &p, (long)der.n) != NULL && p == (const unsigned char *)der.p + der.n &&
		  X509_get0_pubkey(x) != NULL;

	X509_free(x);
	ERR_clear_error();
	return ok;
}

static bool
is_key(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p;
	EVP_PKEY *key = d2i_PUBKEY_ex(NULL, &p, (long)der.n, tls_lib(), NULL);
	bool ok = key != NULL && p == (const unsigned char *)der.p + der.n;

	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

static const char *
unusable_full(const struct tlsa *t)
{
	if (t->data.n == 0 || t->data.n > TLSA_DATA_MAX)
		return "the record is empty or too long";
	if (t->selector == TLSA_CERT)
		return is_certificate(t->data) ? NULL : "the record holds no certificate";
	return is_key(t->data) ? NULL : "the record holds no public key";
}

const char *
tls_dane_unusable(const struct tlsa *t)
{
	if (t->usage == TLSA_PKIX_TA || t->usage == TLSA_PKIX_EE)
		return "PKIX usages do not count for mail";
	if (t->usage > TLSA_DANE_EE)
		return "an unknown usage";
	if (t->selector > TLSA_SPKI)
		return "an unknown selector";
	if (t->matching > TLSA_SHA512)
		return "an unknown matching type";
	if (t->matching == TLSA_FULL)
		return unusable_full(t);
	if (t->data.n != (t->matching == TLSA_SHA256 ? SHA256_SIZE : SHA512_SIZE))
		return "a digest of the wrong length";
	return NULL;
}

const char *
tls_dane_words(const struct tlsa *t, char out[static TLSA_WORDS_SIZE])
{
	int n = snprintf(out, TLSA_WORDS_SIZE, "%u %u %u ", t->usage, t->selector, t->matching);

	for (size_t i = 0; i < t->data.n && i < WORDS_BYTES; i++)
		n += snprintf(out + n, TLSA_WORDS_SIZE - (size_t)n, "%02x", (unsigned char)t->data.p[i]);
	if (t->data.n > WORDS_BYTES)
		snprintf(out + n, TLSA_WORDS_SIZE - (size_t)n, "…");
	return out;
}
