/* keystore.c - tests of the keys: loading, who may use which, what is signed, self-signed certificates. */
#include "site.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/tls/selfsigned.h>

enum { CALLERS = 1u << 2 | 1u << 5 };

/* What TLS 1.3 signs, with a made-up hash. */
static struct str
certificate_verify(size_t hash)
{
	static char tbs[64 + 34 + 64];

	memset(tbs, ' ', 64);
	memcpy(tbs + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(tbs + 98, 'h', hash);
	return str_from(tbs, 98 + hash);
}

static bool
load(struct keystore *k, const char *id, struct buf *cert, struct buf *key, struct err *e)
{
	return keystore_load(k, str_of(id), CALLERS, buf_str(cert), buf_str(key), "test.pem", e);
}

static void
loading(void **state)
{
	struct keystore *k = keystore_new();
	struct buf cert, key, cert2, key2, both;
	struct err e;
	struct str kept, id;
	size_t at = 0;

	(void)state;
	site_make_pair("P-256", "DNS:a.test", &cert, &key);
	site_make_pair("P-256", "DNS:b.test", &cert2, &key2);
	assert_true(load(k, "one", &cert, &key, &e));
	assert_true(str_eq(keystore_chain(k, STR("one")), buf_str(&cert)));
	assert_int_equal(keystore_chain(k, STR("two")).n, 0);

	assert_false(load(k, "one", &cert2, &key, &e)); /* does not fit: the old one stays */
	assert_non_null(strstr(e.log, "does not belong"));
	kept = keystore_chain(k, STR("one"));
	assert_true(str_eq(kept, buf_str(&cert)));
	assert_true(load(k, "one", &cert2, &key2, &e));
	assert_true(str_eq(keystore_chain(k, STR("one")), buf_str(&cert2)));
	assert_int_equal(keystore_count(k), 1);
	assert_true(keystore_next(k, &at, &id) && str_eq(id, STR("one")));
	assert_false(keystore_next(k, &at, &id));

	/* certificate and key in one file: the key does not come out with the public part */
	buf_init(&both, 1 << 20);
	buf_add(&both, buf_str(&key));
	buf_add(&both, buf_str(&cert));
	assert_true(load(k, "both", &both, &both, &e));
	assert_int_equal(str_search(keystore_chain(k, STR("both")), STR("PRIVATE")), keystore_chain(k, STR("both")).n);
	assert_true(keystore_forget(k, STR("both")));
	assert_false(keystore_forget(k, STR("both")));
	buf_fini(&both);
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&cert2);
	buf_fini(&key2);
	keystore_free(k);
}

static void
assert_refused(struct keystore *k, struct str cert, struct str key, const char *why)
{
	struct err e;

	assert_false(keystore_load(k, STR("bad"), CALLERS, cert, key, "test.pem", &e));
	if (strstr(e.log, why) == NULL)
		fail_msg("%s", e.log);
	assert_non_null(strstr(e.log, "test.pem"));
}

static void
weak_key(struct keystore *k, EVP_PKEY *pair, const char *why)
{
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *x = X509_new();
	char *p;
	long n;

	X509_set_pubkey(x, pair);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 60);
	assert_true(X509_sign(x, pair, EVP_sha256()) > 0);
	PEM_write_bio_X509(bio, x);
	PEM_write_bio_PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(bio, &p);
	assert_refused(k, str_from(p, (size_t)n), str_from(p, (size_t)n), why);
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(pair);
}

static void
refusals(void **state)
{
	struct keystore *k = keystore_new();
	struct buf cert, key;

	(void)state;
	site_make_pair("P-256", "DNS:a.test", &cert, &key);
	assert_refused(k, STR(""), buf_str(&key), "no certificate in it");
	assert_refused(k, buf_str(&key), buf_str(&key), "no certificate in it");
	assert_refused(k, buf_str(&cert), STR(""), "no private key in it");
	assert_refused(k, buf_str(&cert), buf_str(&cert), "no private key in it");
	for (size_t n = 1; n < cert.n - 1; n += 7)
		assert_refused(k, str_sub(buf_str(&cert), 0, n), buf_str(&key), "certificate");
	for (size_t n = 1; n < key.n - 1; n += 7)
		assert_refused(k, buf_str(&cert), str_sub(buf_str(&key), 0, n), "private key");
	weak_key(k, EVP_RSA_gen(1024), "RSA key of 1024 bits");
	weak_key(k, EVP_EC_gen("secp256k1"), "of kind EC secp256k1");
	assert_int_equal(keystore_count(k), 0);
	buf_fini(&cert);
	buf_fini(&key);
	keystore_free(k);
}

static void
an_encrypted_key_is_named_as_such(void **state)
{
	struct keystore *k = keystore_new();
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	struct buf cert, key;
	char *p;
	long n;

	(void)state;
	site_make_pair("P-256", "DNS:a.test", &cert, &key);
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pair, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &p);
	assert_refused(k, buf_str(&cert), str_from(p, (size_t)n), "encrypted");
	BIO_free(bio);
	EVP_PKEY_free(pair);
	buf_fini(&cert);
	buf_fini(&key);
	keystore_free(k);
}

static void
from_descriptors(void **state)
{
	struct keystore *k = keystore_new();
	struct buf cert, key;
	int c = memfd_create("cert", MFD_CLOEXEC), p = memfd_create("key", MFD_CLOEXEC);
	struct err e;

	(void)state;
	site_make_pair("P-384", "DNS:a.test", &cert, &key);
	assert_int_equal(write(c, cert.p, cert.n), (ssize_t)cert.n);
	assert_int_equal(write(p, key.p, key.n), (ssize_t)key.n);
	assert_true(keystore_load_fds(k, STR("fd"), CALLERS, c, p, "key.pem", &e));
	assert_false(keystore_load_fds(k, STR("fd2"), CALLERS, -1, p, "key.pem", &e));
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(ftruncate(p, KEYSTORE_FILE_MAX + 1), 0);
	assert_false(keystore_load_fds(k, STR("fd3"), CALLERS, c, p, "key.pem", &e));
	close(c);
	close(p);
	buf_fini(&cert);
	buf_fini(&key);
	keystore_free(k);
}

/* A chain is told to the fronts in one message: certificates of many names make it long. */
static void
long_chain(void **state)
{
	struct keystore *k = keystore_new();
	struct buf names, cert, key, chain;
	struct err e;

	(void)state;
	buf_init(&names, 64 * 1024);
	for (int i = 0; i < 150; i++)
		buf_addf(&names, "%sDNS:a-name-that-is-as-long-as-names-of-machines-can-be-%d.example.test", i > 0 ? "," : "", i);
	site_make_pair("P-256", buf_cstr(&names), &cert, &key);
	buf_init(&chain, KEYSTORE_FILE_MAX);
	while (chain.n + cert.n <= KEYSTORE_CHAIN_MAX)
		buf_add(&chain, buf_str(&cert));
	assert_true(keystore_load(k, STR("k"), CALLERS, buf_str(&chain), buf_str(&key), "key.pem", &e));
	buf_add(&chain, buf_str(&cert));
	assert_false(keystore_load(k, STR("k"), CALLERS, buf_str(&chain), buf_str(&key), "key.pem", &e));
	assert_non_null(strstr(e.log, "longer than"));
	assert_true(keystore_chain(k, STR("k")).n > 0);
	buf_fini(&names);
	buf_fini(&chain);
	buf_fini(&cert);
	buf_fini(&key);
	keystore_free(k);
}

static bool
sign(struct keystore *k, unsigned caller, const char *id, enum tls_scheme scheme, struct str tbs, struct err *e)
{
	struct buf sig;
	bool ok;

	buf_init(&sig, TLS_SIGNATURE_MAX);
	ok = keystore_sign(k, caller, str_of(id), scheme, tbs, &sig, e);
	assert_int_equal(ok, sig.n > 0);
	buf_fini(&sig);
	return ok;
}

static void
who_may_sign_what(void **state)
{
	struct keystore *k = keystore_new();
	struct str tbs = certificate_verify(32);
	struct buf cert, key;
	struct err e, e2;

	(void)state;
	site_make_pair("P-256", "DNS:a.test", &cert, &key);
	assert_true(load(k, "one", &cert, &key, &e));
	assert_true(sign(k, 2, "one", TLS_ECDSA_SHA256, tbs, &e));
	assert_true(sign(k, 5, "one", TLS_ECDSA_SHA256, tbs, &e));
	assert_false(sign(k, 3, "one", TLS_ECDSA_SHA256, tbs, &e));
	assert_false(sign(k, 2, "two", TLS_ECDSA_SHA256, tbs, &e2));
	assert_string_equal(e.log, e2.log); /* a caller does not learn which keys there are */
	assert_false(sign(k, 34, "one", TLS_ECDSA_SHA256, tbs, &e));
	assert_false(sign(k, 2, "one", TLS_RSA_PSS_SHA256, tbs, &e));
	assert_non_null(strstr(e.log, "scheme 0x0804"));
	assert_false(sign(k, 2, "one", TLS_ECDSA_SHA256, STR("From: boss@example.test"), &e));
	assert_non_null(strstr(e.log, "no TLS handshake"));
	buf_fini(&cert);
	buf_fini(&key);
	keystore_free(k);
}

static void
only_handshakes_are_signed(void **state)
{
	char tbs[256] = { 0 };
	struct str good = certificate_verify(48);

	(void)state;
	assert_true(keystore_is_handshake(good));
	assert_true(keystore_is_handshake(certificate_verify(32)));
	assert_false(keystore_is_handshake(certificate_verify(33)));
	assert_false(keystore_is_handshake(certificate_verify(0)));
	for (size_t i = 0; i < 98; i++) { /* no byte of the frame may differ */
		memcpy(tbs, good.p, good.n);
		tbs[i] ^= 1;
		assert_false(keystore_is_handshake(str_from(tbs, good.n)));
	}
	memset(tbs, 'r', 64);
	memcpy(tbs + 64, "\x03\x00\x1d\x20", 4);
	assert_true(keystore_is_handshake(str_from(tbs, 68 + 32)));
	for (size_t n = 0; n < sizeof tbs; n++)
		assert_int_equal(keystore_is_handshake(str_from(tbs, n)), n == 68 + 32);
	tbs[66] = 0x16; /* a group that does not exist here */
	assert_false(keystore_is_handshake(str_from(tbs, 68 + 32)));
	memcpy(tbs, "\x20\x20", 2);
	memset(tbs, ' ', 64);
	memcpy(tbs + 64, "TLS 1.3, client CertificateVerify", 34);
	assert_false(keystore_is_handshake(str_from(tbs, 98 + 32)));
}

/* Who connects to others gets a client's signature, and nothing that a server of ours would say. */
static void
for_clients(void **state)
{
	struct keystore *k = keystore_new();
	struct buf cert, key;
	char client[98 + 32];
	struct err e;

	(void)state;
	memset(client, ' ', 64);
	memcpy(client + 64, "TLS 1.3, client CertificateVerify", 34);
	memset(client + 98, 'h', 32);
	site_make_pair("P-256", "DNS:a.test", &cert, &key);
	assert_true(load(k, "one", &cert, &key, &e));
	assert_false(sign(k, 9, "one", TLS_ECDSA_SHA256, str_from(client, sizeof client), &e));
	keystore_allow_clients(k, STR("one"), 1u << 9);
	assert_true(sign(k, 9, "one", TLS_ECDSA_SHA256, str_from(client, sizeof client), &e));
	assert_false(sign(k, 9, "one", TLS_ECDSA_SHA256, certificate_verify(32), &e));
	assert_false(sign(k, 2, "one", TLS_ECDSA_SHA256, str_from(client, sizeof client), &e));
	assert_true(sign(k, 2, "one", TLS_ECDSA_SHA256, certificate_verify(32), &e));
	buf_fini(&cert);
	buf_fini(&key);
	keystore_free(k);
}

static void
so_many_a_second(void **state)
{
	struct keystore *k = keystore_new();
	struct str tbs = certificate_verify(32);
	struct buf cert, key;
	unsigned made = 0;
	struct err e;

	(void)state;
	clock_fake((struct mono){ 5000000000 }, (struct wall){ 0 });
	site_make_pair("P-256", "DNS:a.test", &cert, &key);
	assert_true(load(k, "one", &cert, &key, &e));
	while (made < 2 * KEYSTORE_RATE && sign(k, 2, "one", TLS_ECDSA_SHA256, tbs, &e))
		made++;
	assert_in_range(made, KEYSTORE_RATE, KEYSTORE_RATE + 2);
	assert_int_equal(e.class, ERR_TEMP);
	assert_true(sign(k, 5, "one", TLS_ECDSA_SHA256, tbs, &e)); /* another caller has his own count */
	clock_fake_step(1000);
	assert_true(sign(k, 2, "one", TLS_ECDSA_SHA256, tbs, &e));
	clock_real();
	buf_fini(&cert);
	buf_fini(&key);
	keystore_free(k);
}

static void
self_signed(void **state)
{
	struct keystore *k = keystore_new();
	struct buf cert, key;
	struct err e;
	BIO *bio;
	X509 *x;

	(void)state;
	buf_init(&cert, 65536);
	buf_init(&key, 65536);
	assert_true(selfsigned_make(STR("mx.example.test"), &cert, &key, &e));
	assert_true(load(k, "self", &cert, &key, &e));
	bio = BIO_new_mem_buf(cert.p, (int)cert.n);
	x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_int_equal(X509_check_host(x, "mx.example.test", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "other.test", 0, 0, NULL), 0);
	assert_int_equal(X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0), 1);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(x)) < 0);
	assert_true(X509_verify(x, X509_get0_pubkey(x)) == 1);
	assert_false(selfsigned_make(STR(""), &cert, &key, &e));
	assert_false(selfsigned_make(STR("a,DNS:evil.test"), &cert, &key, &e));
	X509_free(x);
	BIO_free(bio);
	buf_fini(&cert);
	buf_wipe(&key);
	keystore_free(k);
}

/* Last: OpenSSL's memory is one for the process, and the leak checker does not look into locked pages. */
static void
keys_in_locked_memory(void **state)
{
	struct keystore *k = keystore_new();
	struct buf cert, key;
	struct err e;
	size_t used = 0;

	(void)state;
	assert_true(keystore_lock_memory());
	for (int i = 0; i < 20; i++) {
		site_make_pair(i % 2 == 0 ? "RSA" : "P-256", "DNS:a.test", &cert, &key);
		assert_true(load(k, "one", &cert, &key, &e));
		assert_true(CRYPTO_secure_used() > used);
		assert_true(
		    sign(k, 2, "one", i % 2 == 0 ? TLS_RSA_PSS_SHA256 : TLS_ECDSA_SHA256, certificate_verify(32), &e));
		assert_true(keystore_forget(k, STR("one")));
		if (i == 0)
			used = CRYPTO_secure_used(); /* OpenSSL's random generators live there from now on */
		assert_int_equal(CRYPTO_secure_used(), used);
		buf_fini(&cert);
		buf_wipe(&key);
	}
	keystore_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loading),
		cmocka_unit_test(refusals),
		cmocka_unit_test(an_encrypted_key_is_named_as_such),
		cmocka_unit_test(from_descriptors),
		cmocka_unit_test(long_chain),
		cmocka_unit_test(who_may_sign_what),
		cmocka_unit_test(only_handshakes_are_signed),
		cmocka_unit_test(for_clients),
		cmocka_unit_test(so_many_a_second),
		cmocka_unit_test(self_signed),
		cmocka_unit_test(keys_in_locked_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
