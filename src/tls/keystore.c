/* keystore.c - the private keys, in the one process that has them. */
#include <postern/tls/keystore.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include <postern/core/clock.h>
#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/map.h>
#include <postern/core/mem.h>

#include "pem.h"

enum { SECURE_HEAP = 1024 * 1024, SECURE_LEAST = 16 };

struct stored_key {
	EVP_PKEY *key;
	uint32_t callers;
	uint32_t clients;
	struct buf chain; /* PEM, certificates only */
};

struct keystore {
	struct map keys;
	struct mono due[KEYSTORE_CALLERS]; /* when the caller has paid for his signatures so far (see net/gate.c) */
};

bool
keystore_lock_memory(void)
{
	return CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_LEAST) == 1;
}

struct keystore *
keystore_new(void)
{
	struct keystore *k = NEW(struct keystore);

	map_init(&k->keys);
	return k;
}

static void
key_free(struct stored_key *s)
{
	if (s == NULL)
		return;
	EVP_PKEY_free(s->key);
	buf_fini(&s->chain);
	free(s);
}

void
keystore_free(struct keystore *k)
{
	size_t at = 0;
	struct str id;
	void *s;

	if (k == NULL)
		return;
	while (map_next(&k->keys, &at, &id, &s))
		key_free(s);
	map_fini(&k->keys);
	free(k);
}

static bool
check_strength(const EVP_PKEY *key, const char *name, struct err *e)
{
	char group[64] = "";

	if (EVP_PKEY_is_a(key, "ED25519"))
		return true;
	if (EVP_PKEY_is_a(key, "RSA")) {
		if (EVP_PKEY_get_bits(key) >= 2048 && EVP_PKEY_get_size(key) <= TLS_SIGNATURE_MAX)
			return true;
		return err_perm(e, "", "%s: an RSA key of %d bits: make one of 2048 to 8192, or of P-256", name,
		    EVP_PKEY_get_bits(key));
	}
	if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
	    (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0 || strcmp(group, "secp521r1") == 0))
		return true;
	return err_perm(e, "", "%s: a key of kind %s %s: use RSA, P-256, P-384 or Ed25519", name,
	    EVP_PKEY_get0_type_name(key), group);
}

static bool
check_pair(STACK_OF(X509) * chain, EVP_PKEY *key, const char *name, struct err *e)
{
	if (X509_check_private_key(sk_X509_value(chain, 0), key) == 1)
		return check_strength(key, name, e);
	ERR_clear_error();
	return err_perm(e, "",
	    "%s: the key does not belong to the first certificate of the chain: give the two that were "
	    "made together, the server's certificate first",
	    name);
}

/* Takes the key over, or leaves it: the chain is too long. */
static bool
store(struct keystore *k, struct str id, uint32_t callers, STACK_OF(X509) * chain, EVP_PKEY *key)
{
	struct stored_key *s = NEW(struct stored_key);

	buf_init(&s->chain, KEYSTORE_CHAIN_MAX);
	pem_write_chain(chain, &s->chain); /* from what was read: a file may hold the key, too */
	if (s->chain.over) {
		buf_fini(&s->chain);
		free(s);
		return false;
	}
	s->callers = callers;
	s->key = key;
	key_free(map_put(&k->keys, id, s));
	return true;
}

bool
keystore_load(struct keystore *k, struct str id, uint32_t callers, struct str chain_pem, struct str key_pem,
    const char *name, struct err *e)
{
	STACK_OF(X509) * chain;
	EVP_PKEY *key = NULL;
	bool ok = false;

	if (id.n == 0 || id.n > TLS_KEY_ID_MAX)
		return err_perm(e, "", "%s: a key id of %zu bytes", name, id.n);
	if (map_get(&k->keys, id) == NULL && k->keys.n >= KEYSTORE_KEYS_MAX)
		return err_perm(e, "", "%s: more than %d keys", name, KEYSTORE_KEYS_MAX);
	chain = pem_read_chain(chain_pem, name, e);
	if (chain != NULL)
		key = pem_read_key(key_pem, name, e);
	ok = key != NULL && check_pair(chain, key, name, e);
	if (ok && !store(k, id, callers, chain, key))
		ok = err_perm(e, "",
		    "%s: the chain is longer than %d bytes: give the server's certificate and those between it and "
		    "the root, no others",
		    name, KEYSTORE_CHAIN_MAX);
	if (!ok)
		EVP_PKEY_free(key);
	pem_free_chain(chain);
	return ok;
}

bool
keystore_load_fds(
    struct keystore *k, struct str id, uint32_t callers, int chain_fd, int key_fd, const char *name, struct err *e)
{
	struct buf chain, key;
	bool ok;

	buf_init(&chain, KEYSTORE_FILE_MAX);
	buf_init(&key, KEYSTORE_FILE_MAX);
	/* all at once: a buffer that grows would leave copies of the key behind */
	ok = buf_room(&key, KEYSTORE_FILE_MAX) != NULL && io_read_fd(chain_fd, &chain) && io_read_fd(key_fd, &key);
	if (ok)
		ok = keystore_load(k, id, callers, buf_str(&chain), buf_str(&key), name, e);
	else
		err_temp(e, "", "%s: cannot read: %m", name);
	buf_wipe(&key);
	buf_wipe(&chain);
	return ok;
}

void
keystore_allow_clients(struct keystore *k, struct str id, uint32_t callers)
{
	struct stored_key *s = map_get(&k->keys, id);

	if (s != NULL)
		s->clients = callers;
}

bool
keystore_forget(struct keystore *k, struct str id)
{
	struct stored_key *s = map_del(&k->keys, id);

	key_free(s);
	return s != NULL;
}

struct str
keystore_chain(const struct keystore *k, struct str id)
{
	const struct stored_key *s = map_get(&k->keys, id);

	return s != NULL ? buf_str(&s->chain) : STR("");
}

size_t
keystore_count(const struct keystore *k)
{
	return k->keys.n;
}

bool
keystore_next(const struct keystore *k, size_t *at, struct str *id)
{
	void *value;

	return map_next(&k->keys, at, id, &value);
}

/* RFC 8446 4.4.3: 64 spaces, the context string, a zero byte, the transcript's hash. */
static bool
is_certificate_verify(struct str tbs, struct str context)
{
	enum { PADDING = 64 };

	if (tbs.n != PADDING + context.n + 32 && tbs.n != PADDING + context.n + 48)
		return false;
	for (size_t i = 0; i < PADDING; i++)
		if (tbs.p[i] != ' ')
			return false;
	return str_eq(str_sub(tbs, PADDING, PADDING + context.n), context);
}

/* RFC 8422 5.4: both randoms, named_curve, the group, the point with its length. */
static bool
is_key_exchange(struct str tbs)
{
	enum { RANDOMS = 64, NAMED_CURVE = 3, HEAD = RANDOMS + 4 };
	static const struct {
		unsigned char group;
		unsigned char point;
	} groups[] = { { 23, 65 }, { 24, 97 }, { 25, 133 }, { 29, 32 }, { 30, 56 } };
	const unsigned char *p = (const unsigned char *)tbs.p;

	if (tbs.n < HEAD || p[RANDOMS] != NAMED_CURVE || p[RANDOMS + 1] != 0)
		return false;
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (p[RANDOMS + 2] == groups[i].group)
			return p[RANDOMS + 3] == groups[i].point && tbs.n == (size_t)HEAD + groups[i].point;
	return false;
}

bool
keystore_is_handshake(struct str tbs)
{
	return is_certificate_verify(tbs, STR("TLS 1.3, server CertificateVerify\0")) || is_key_exchange(tbs);
}

bool
keystore_is_client_handshake(struct str tbs)
{
	return is_certificate_verify(tbs, STR("TLS 1.3, client CertificateVerify\0"));
}

/* What the caller may have signed by this key; NULL: nothing. */
static bool (*shape_for(const struct stored_key *s, unsigned caller))(struct str tbs)
{
	uint32_t bit = caller < KEYSTORE_CALLERS ? UINT32_C(1) << caller : 0;

	if ((s->callers & bit) != 0)
		return keystore_is_handshake;
	return (s->clients & bit) != 0 ? keystore_is_client_handshake : NULL;
}

/* How a scheme is done: which keys, which digest, which padding. */
static const struct scheme {
	enum tls_scheme scheme;
	const char *type;
	const char *digest; /* NULL: the algorithm has its own */
	int padding; /* RSA */
} schemes[] = {
	{ TLS_RSA_PKCS1_SHA256, "RSA", "SHA256", RSA_PKCS1_PADDING },
	{ TLS_RSA_PKCS1_SHA384, "RSA", "SHA384", RSA_PKCS1_PADDING },
	{ TLS_RSA_PKCS1_SHA512, "RSA", "SHA512", RSA_PKCS1_PADDING },
	{ TLS_RSA_PSS_SHA256, "RSA", "SHA256", RSA_PKCS1_PSS_PADDING },
	{ TLS_RSA_PSS_SHA384, "RSA", "SHA384", RSA_PKCS1_PSS_PADDING },
	{ TLS_RSA_PSS_SHA512, "RSA", "SHA512", RSA_PKCS1_PSS_PADDING },
	{ TLS_ECDSA_SHA256, "EC", "SHA256", 0 },
	{ TLS_ECDSA_SHA384, "EC", "SHA384", 0 },
	{ TLS_ECDSA_SHA512, "EC", "SHA512", 0 },
	{ TLS_ED25519, "ED25519", NULL, 0 },
};

static const struct scheme *
scheme_for(const EVP_PKEY *key, enum tls_scheme wanted)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (schemes[i].scheme == wanted && EVP_PKEY_is_a(key, schemes[i].type))
			return &schemes[i];
	return NULL;
}

static bool
begin_signature(EVP_MD_CTX *md, EVP_PKEY *key, const struct scheme *s)
{
	EVP_PKEY_CTX *ctx;

	if (EVP_DigestSignInit_ex(md, &ctx, s->digest, tls_lib(), NULL, key, NULL) != 1)
		return false;
	if (s->padding != RSA_PKCS1_PSS_PADDING)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, s->padding) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool
make_signature(EVP_PKEY *key, const struct scheme *s, struct str tbs, struct buf *sig, struct err *e)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char out[TLS_SIGNATURE_MAX];
	size_t n = sizeof out;
	bool ok = md != NULL && begin_signature(md, key, s) &&
		  EVP_DigestSign(md, out, &n, (const unsigned char *)tbs.p, tbs.n) == 1;

	EVP_MD_CTX_free(md);
	if (!ok)
		return err_temp(e, "", "the signature failed: %s", pem_reason());
	buf_add(sig, str_from(out, n));
	return true;
}

static bool
pay(struct keystore *k, unsigned caller)
{
	struct mono now = mono_now();
	struct mono *due = &k->due[caller];

	if (mono_before(*due, now))
		*due = now;
	if (due->ns > now.ns + 1000000000)
		return false;
	due->ns += 1000000000 / KEYSTORE_RATE;
	return true;
}

bool
keystore_sign(struct keystore *k, unsigned caller, struct str id, enum tls_scheme scheme, struct str tbs,
    struct buf *sig, struct err *e)
{
	const struct stored_key *s = map_get(&k->keys, id);
	bool (*shape)(struct str tbs) = s != NULL ? shape_for(s, caller) : NULL;
	const struct scheme *how;

	if (shape == NULL)
		return err_perm(e, "", "no such key for this caller");
	how = scheme_for(s->key, scheme);
	if (how == NULL)
		return err_perm(e, "", "the key does not do scheme %#06x", (unsigned)scheme);
	if (!shape(tbs))
		return err_perm(e, "", "asked to sign what is no TLS handshake");
	if (!pay(k, caller))
		return err_temp(e, "", "more than %d signatures a second", KEYSTORE_RATE);
	return make_signature(s->key, how, tbs, sig, e);
}
