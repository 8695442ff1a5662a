/* tls_pem.c - certificates and keys as an operator's files hold them, and what a process wants signed. */
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <postern/tls/keystore.h>
#include <postern/tls/remote.h>
#include <postern/tls/selfsigned.h>
#include <postern/tls/server.h>

#include "../../src/tls/pem.h"
#include "fuzz.h"

/* What was read is written, read again, and as long. */
static void
check_chain(struct str text)
{
	struct err e = { 0 };
	STACK_OF(X509) *chain = pem_read_chain(text, "f", &e), *again;
	struct buf out;

	if (chain == NULL) {
		MUST(e.log[0] != '\0');
		return;
	}
	MUST(sk_X509_num(chain) >= 1 && sk_X509_num(chain) <= TLS_CHAIN_MAX);
	buf_init(&out, SIZE_MAX);
	pem_write_chain(chain, &out);
	again = pem_read_chain(buf_str(&out), "f", &e);
	MUST(again != NULL && sk_X509_num(again) == sk_X509_num(chain));
	pem_free_chain(again);
	pem_free_chain(chain);
	buf_fini(&out);
}

static void
check_key(struct str text)
{
	struct err e = { 0 };
	EVP_PKEY *key = pem_read_key(text, "f", &e);

	MUST(key != NULL || e.log[0] != '\0');
	EVP_PKEY_free(key);
}

/* The pair that belongs together is taken; another chain or key is not, or the old one stays. */
static void
check_store(struct str text)
{
	static struct buf cert, key;
	struct keystore *k = keystore_new();
	struct err e = { 0 };

	if (cert.p == NULL) {
		buf_init(&cert, SIZE_MAX);
		buf_init(&key, SIZE_MAX);
		MUST(selfsigned_make(STR("mx.test"), &cert, &key, &e));
	}
	MUST(keystore_load(k, STR("k"), 1, buf_str(&cert), buf_str(&key), "f", &e));
	keystore_load(k, STR("k"), 1, buf_str(&cert), text, "f", &e);
	keystore_load(k, STR("k"), 1, text, buf_str(&key), "f", &e);
	keystore_load(k, STR("other"), 1, text, text, "f", &e);
	MUST(keystore_chain(k, STR("k")).n > 0);
	keystore_free(k);
}

/* A server's signature is never a client's. */
static void
check_handshake(struct str tbs)
{
	MUST(!keystore_is_handshake(tbs) || !keystore_is_client_handshake(tbs));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p, n);

	check_chain(in);
	check_key(in);
	check_store(in);
	check_handshake(in);
	return 0;
}
