/* remote.c - private keys that live in another process, as an OpenSSL provider.
 *
 * The provider knows three kinds of keys (RSA, EC, ED25519) and one thing to do with them: sign what a handshake
 * wants signed, by asking the key's signer. A key holds the public part as a key of the default provider and hands
 * every question about itself (size, group, is it the same) on to it. The default properties of the library context
 * prefer the default provider, so this one is met only through its own keys.
 *
 * The context is ours alone: nothing in it comes from openssl.cnf or the environment. */
#include <postern/tls/remote.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "pem.h"

#define PROVIDER "postern-remote"
#define PARAM_ORIGIN "postern-origin" /* how tls_remote_key hands struct origin to the provider */

/* A dispatch table holds functions of all types as one: OpenSSL casts them back by their number. */
#define ROW(number, function) { number, (void (*)(void))(function) }

struct origin {
	EVP_PKEY *pub;
	struct str id;
	const struct tls_signer *signer;
};

struct remote_key {
	const char *type; /* OpenSSL's name of the kind */
	EVP_PKEY *pub;
	char id[TLS_KEY_ID_MAX + 1];
	struct tls_signer signer;
};

/* One signature in the making. */
struct remote_sign {
	const struct remote_key *key;
	enum tls_scheme scheme;
	int hash; /* 0 SHA-256, 1 SHA-384, 2 SHA-512, -1 another */
	int padding; /* RSA: RSA_PKCS1_PADDING or RSA_PKCS1_PSS_PADDING */
};

static OSSL_LIB_CTX *lib;

/* Keys: what a keymgmt of OpenSSL is asked. */

static void *
key_new(const char *type)
{
	struct remote_key *k = NEW(struct remote_key);

	k->type = type;
	return k;
}

static void *
rsa_new(void *provider)
{
	(void)provider;
	return key_new("RSA");
}

static void *
ec_new(void *provider)
{
	(void)provider;
	return key_new("EC");
}

static void *
ed25519_new(void *provider)
{
	(void)provider;
	return key_new("ED25519");
}

static void
key_free(void *p)
{
	struct remote_key *k = p;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->pub);
	free(k);
}

static int
key_has(const void *p, int selection)
{
	const struct remote_key *k = p;

	(void)selection; /* the private part is elsewhere, but it is there */
	return k->pub != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct remote_key *x = a;
	const struct remote_key *y = b;

	(void)selection;
	return x->pub != NULL && y->pub != NULL && EVP_PKEY_eq(x->pub, y->pub) == 1;
}

/* Another provider's public key comes in to be compared with one of ours. */
static EVP_PKEY *
import_public(const char *type, const OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(lib, type, "provider=default");
	OSSL_PARAM *copy = OSSL_PARAM_dup(params);
	EVP_PKEY *pub = NULL;

	if (ctx != NULL && copy != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &pub, EVP_PKEY_PUBLIC_KEY, copy);
	OSSL_PARAM_free(copy);
	EVP_PKEY_CTX_free(ctx);
	return pub;
}

static int
key_import(void *p, int selection, const OSSL_PARAM *params)
{
	struct remote_key *k = p;
	const OSSL_PARAM *from = OSSL_PARAM_locate_const(params, PARAM_ORIGIN);
	const struct origin *o;

	(void)selection;
	if (k->pub != NULL)
		return 0;
	if (from == NULL) {
		k->pub = import_public(k->type, params);
		return k->pub != NULL;
	}
	if (from->data_size != sizeof *o)
		return 0;
	o = from->data;
	if (EVP_PKEY_up_ref(o->pub) != 1)
		return 0;
	k->pub = o->pub;
	memcpy(k->id, o->id.p, o->id.n);
	k->signer = *o->signer;
	return 1;
}

/* Refused whenever the private part is among the wanted: a half key in the default provider would be asked to sign. */
static int
key_export(void *p, int selection, OSSL_CALLBACK *take, void *arg)
{
	const struct remote_key *k = p;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
		return 0;
	return EVP_PKEY_export(k->pub, selection, take, arg);
}

static const OSSL_PARAM *
key_exchange_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_octet_string(PARAM_ORIGIN, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? types : NULL;
}

static int
key_get(void *p, OSSL_PARAM params[])
{
	const struct remote_key *k = p;

	return k->pub != NULL && EVP_PKEY_get_params(k->pub, params);
}

static const OSSL_PARAM *
key_gettable(void *provider)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return gettable;
}

static const char *
ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define KEY_ROWS                                                                                                       \
	ROW(OSSL_FUNC_KEYMGMT_FREE, key_free), ROW(OSSL_FUNC_KEYMGMT_HAS, key_has),                                    \
	    ROW(OSSL_FUNC_KEYMGMT_MATCH, key_match), ROW(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                        \
	    ROW(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_exchange_types), ROW(OSSL_FUNC_KEYMGMT_EXPORT, key_export),        \
	    ROW(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_exchange_types), ROW(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get),       \
	    ROW(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable)

static const OSSL_DISPATCH rsa_keys[] = { ROW(OSSL_FUNC_KEYMGMT_NEW, rsa_new), KEY_ROWS, { 0, NULL } };
static const OSSL_DISPATCH ec_keys[] = { ROW(OSSL_FUNC_KEYMGMT_NEW, ec_new), KEY_ROWS,
	ROW(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation), { 0, NULL } };
static const OSSL_DISPATCH ed25519_keys[] = { ROW(OSSL_FUNC_KEYMGMT_NEW, ed25519_new), KEY_ROWS, { 0, NULL } };

/* Signatures. */

static void *
sign_new(void *provider, const char *properties)
{
	(void)provider;
	(void)properties;
	return NEW(struct remote_sign);
}

static int
hash_of(const char *name)
{
	static const char *const names[][2] = { { "SHA256", "SHA2-256" }, { "SHA384", "SHA2-384" },
		{ "SHA512", "SHA2-512" } };

	for (int i = 0; name != NULL && i < 3; i++)
		if (OPENSSL_strcasecmp(name, names[i][0]) == 0 || OPENSSL_strcasecmp(name, names[i][1]) == 0)
			return i;
	return -1;
}

static int
padding_of(const OSSL_PARAM *p)
{
	int number = 0;

	if (p->data_type != OSSL_PARAM_UTF8_STRING)
		return OSSL_PARAM_get_int(p, &number) == 1 ? number : 0;
	if (strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0)
		return RSA_PKCS1_PSS_PADDING;
	return strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING : 0;
}

/* The salt is as long as the digest in every TLS scheme and needs no remembering. */
static int
sign_set(void *p, const OSSL_PARAM params[])
{
	struct remote_sign *s = p;
	const OSSL_PARAM *mode = params != NULL ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;

	if (mode != NULL)
		s->padding = padding_of(mode);
	return s->padding == RSA_PKCS1_PADDING || s->padding == RSA_PKCS1_PSS_PADDING;
}

static const OSSL_PARAM *
sign_settable(void *p, void *provider)
{
	static const OSSL_PARAM settable[] = {
		OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)p;
	(void)provider;
	return settable;
}

static int
sign_init(void *p, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct remote_sign *s = p;

	s->key = key;
	s->hash = hash_of(digest);
	s->padding = RSA_PKCS1_PADDING;
	return sign_set(s, params);
}

/* 0 for what TLS does not do. */
static enum tls_scheme
scheme_of(const struct remote_sign *s)
{
	static const enum tls_scheme pkcs1[] = { TLS_RSA_PKCS1_SHA256, TLS_RSA_PKCS1_SHA384, TLS_RSA_PKCS1_SHA512 };
	static const enum tls_scheme pss[] = { TLS_RSA_PSS_SHA256, TLS_RSA_PSS_SHA384, TLS_RSA_PSS_SHA512 };
	static const enum tls_scheme ecdsa[] = { TLS_ECDSA_SHA256, TLS_ECDSA_SHA384, TLS_ECDSA_SHA512 };

	if (strcmp(s->key->type, "ED25519") == 0)
		return TLS_ED25519;
	if (s->hash < 0)
		return (enum tls_scheme)0;
	if (strcmp(s->key->type, "EC") == 0)
		return ecdsa[s->hash];
	return s->padding == RSA_PKCS1_PSS_PADDING ? pss[s->hash] : pkcs1[s->hash];
}

static int
sign_run(void *p, unsigned char *sig, size_t *n, size_t size, const unsigned char *tbs, size_t ntbs)
{
	const struct remote_sign *s = p;
	const struct remote_key *k = s->key;
	enum tls_scheme scheme = scheme_of(s);
	struct buf out;
	bool ok;

	if (k == NULL || scheme == 0 || k->signer.sign == NULL)
		return 0;
	if (sig == NULL) {
		*n = (size_t)EVP_PKEY_get_size(k->pub);
		return 1;
	}
	if (ntbs > TLS_TBS_MAX)
		return 0;
	buf_init(&out, size < TLS_SIGNATURE_MAX ? size : TLS_SIGNATURE_MAX);
	ok = k->signer.sign(k->signer.ctx, str_of(k->id), scheme, str_from(tbs, ntbs), &out) && !out.over && out.n > 0;
	if (ok) {
		memcpy(sig, out.p, out.n);
		*n = out.n;
	} else {
		ERR_raise(ERR_LIB_USER, ERR_R_OPERATION_FAIL); /* facts.c has the words */
	}
	buf_fini(&out);
	return ok;
}

static const OSSL_DISPATCH signatures[] = {
	ROW(OSSL_FUNC_SIGNATURE_NEWCTX, sign_new),
	ROW(OSSL_FUNC_SIGNATURE_FREECTX, free),
	ROW(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sign_init),
	ROW(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign_run),
	ROW(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sign_set),
	ROW(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, sign_settable),
	{ 0, NULL },
};

/* The provider. Names with all their aliases, so that they mean the same kinds as the default provider's. */

static const OSSL_ALGORITHM *
provide(void *provider, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = {
		{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=" PROVIDER, rsa_keys, NULL },
		{ "EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=" PROVIDER, ec_keys, NULL },
		{ "ED25519:1.3.101.112", "provider=" PROVIDER, ed25519_keys, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	static const OSSL_ALGORITHM signing[] = {
		{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=" PROVIDER, signatures, NULL },
		{ "ECDSA", "provider=" PROVIDER, signatures, NULL },
		{ "ED25519:1.3.101.112", "provider=" PROVIDER, signatures, NULL },
		{ NULL, NULL, NULL, NULL },
	};

	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signing : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH table[] = { ROW(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provide), { 0, NULL } };
	static char nothing; /* OpenSSL wants a context, the provider has no state */

	(void)core;
	(void)in;
	*out = table;
	*provider = &nothing;
	return 1;
}

OSSL_LIB_CTX *
tls_lib(void)
{
	if (lib != NULL)
		return lib;
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	lib = OSSL_LIB_CTX_new();
	if (lib == NULL || OSSL_PROVIDER_add_builtin(lib, PROVIDER, provider_init) != 1 ||
	    OSSL_PROVIDER_load(lib, "default") == NULL || OSSL_PROVIDER_load(lib, PROVIDER) == NULL ||
	    EVP_set_default_properties(lib, "?provider=default") != 1)
		log_fatal("TLS: OpenSSL does not start: %s", pem_reason());
	return lib;
}

static const char *
type_of(const EVP_PKEY *pub)
{
	static const char *const types[] = { "RSA", "EC", "ED25519" };

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (EVP_PKEY_is_a(pub, types[i]))
			return types[i];
	return NULL;
}

EVP_PKEY *
tls_remote_key(X509 *cert, struct str key_id, const struct tls_signer *signer, struct err *e)
{
	struct origin o = { .pub = X509_get0_pubkey(cert), .id = key_id, .signer = signer };
	const char *type = o.pub != NULL ? type_of(o.pub) : NULL;
	OSSL_PARAM params[] = { OSSL_PARAM_octet_string(PARAM_ORIGIN, &o, sizeof o), OSSL_PARAM_END };
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key = NULL;

	ASSERT(key_id.n <= TLS_KEY_ID_MAX);
	if (type == NULL) {
		err_perm(e, "", "the certificate has a key of an unknown kind: use RSA, ECDSA or Ed25519");
		return NULL;
	}
	ctx = EVP_PKEY_CTX_new_from_name(tls_lib(), type, "provider=" PROVIDER);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		err_temp(e, "", "cannot make a remote key: %s", pem_reason());
	EVP_PKEY_CTX_free(ctx);
	return key;
}
