/* client.c - tests of the TLS client without DANE: CAs, names, what is only noted, and what comes of it in words. */
#include "pki.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <postern/tls/keystore.h>

enum who { ROOT, LEAF, OTHER, EXPIRED, SELF, CN_ONLY, WILD, PARTIAL, WHO };

static struct pki_cert cert[WHO];

static int
set_up(void **state)
{
	static const struct {
		enum who who;
		const char *cn, *san;
	} row[] = {
		{ LEAF, "x", "DNS:mx.d.test" },
		{ OTHER, "mx.d.test", "DNS:other.test" },
		{ CN_ONLY, "mx.d.test", NULL },
		{ WILD, "x", "DNS:*.d.test" },
		{ PARTIAL, "x", "DNS:m*.d.test" },
	};

	(void)state;
	cert[ROOT] = pki_cert_new(&(struct pki_make){ .cn = "root", .ca = true });
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		cert[row[i].who] = pki_cert_new(
		    &(struct pki_make){ .cn = row[i].cn, .san = row[i].san, .issuer = &cert[ROOT] });
	cert[EXPIRED] = pki_cert_new(&(struct pki_make){
	    .cn = "x", .san = "DNS:mx.d.test", .issuer = &cert[ROOT], .from_s = -7200, .to_s = -3600 });
	cert[SELF] = pki_cert_new(&(struct pki_make){ .cn = "x", .san = "DNS:mx.d.test" });
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < WHO; i++)
		pki_cert_free(&cert[i]);
	return 0;
}

static struct tls_client *
client_with_root(void)
{
	struct tls_client *c = tls_client_new();
	struct buf pem;
	struct err e;

	buf_init(&pem, 65536);
	pki_cert_pem(&cert[ROOT], &pem);
	if (!tls_client_add_ca(c, buf_str(&pem), "root", NULL, &e))
		fail_msg("%s", e.log);
	buf_fini(&pem);
	return c;
}

/* MX not signed: only MTA-STS or a rule can demand that somebody is verified. */
static void
decide(struct tls_decision *d, enum sts_mode mode, int rule, const char *host)
{
	static struct sts_policy sts;
	struct tls_query q = {
		.domain = STR("d.test"), .mx = TLS_DNS_INSECURE, .host = str_of(host), .address = TLS_DNS_INSECURE,
		.has_rule = rule >= 0, .rule = rule >= 0 ? (enum tls_level)rule : TLS_LEVEL_NONE, .plain_after = 1,
		.sts = &sts,
	};

	sts = (struct sts_policy){ .mode = mode, .max_age_s = 1, .n_mx = 1, .mx = { STR("*.d.test") } };
	tls_policy_decide(&q, d);
	assert_true(d->connect);
}

/* What the certificate is, under a policy that insists and under one that looks on: the same verdict, once as the end
 * of the handshake and once as a note. */
static void
certificates(void **state)
{
	static const struct {
		const char *name;
		enum who leaf;
		bool known_ca, ok;
		enum tlsrpt_result report;
		const char *reason;
	} row[] = {
		{ "right", LEAF, true, true, TLSRPT_OK, "" },
		{ "wildcard", WILD, true, true, TLSRPT_OK, "" },
		{ "part of a label", PARTIAL, true, false, TLSRPT_CERTIFICATE_HOST_MISMATCH,
		    "X509_V_ERR_HOSTNAME_MISMATCH" },
		{ "another name", OTHER, true, false, TLSRPT_CERTIFICATE_HOST_MISMATCH,
		    "X509_V_ERR_HOSTNAME_MISMATCH" },
		{ "only a CN", CN_ONLY, true, false, TLSRPT_CERTIFICATE_HOST_MISMATCH, "X509_V_ERR_HOSTNAME_MISMATCH" },
		{ "expired", EXPIRED, true, false, TLSRPT_CERTIFICATE_EXPIRED, "X509_V_ERR_CERT_HAS_EXPIRED" },
		{ "self-signed", SELF, true, false, TLSRPT_CERTIFICATE_NOT_TRUSTED,
		    "X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT" },
		{ "unknown CA", LEAF, false, false, TLSRPT_CERTIFICATE_NOT_TRUSTED,
		    "X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY" },
	};
	static struct tls_decision d;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct tls_client *c = row[i].known_ca ? client_with_root() : tls_client_new();
		struct pki_result r;

		decide(&d, STS_ENFORCE, -1, "mx.d.test");
		pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[row[i].leaf] }, &r);
		if (r.ok != row[i].ok || r.outcome.report != row[i].report)
			fail_msg("%s: %s", row[i].name, r.outcome.words);
		assert_string_equal(r.outcome.reason, row[i].reason);
		assert_int_equal(r.outcome.got, row[i].ok ? TLS_LEVEL_VERIFY : TLS_LEVEL_NONE);
		assert_true(r.ok || r.outcome.failure == TLS_FAILURE_UNAUTHENTICATED);
		decide(&d, STS_TESTING, -1, "mx.d.test");
		pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[row[i].leaf] }, &r);
		assert_true(r.ok);
		assert_int_equal(r.outcome.report, row[i].report);
		assert_int_equal(r.outcome.got, row[i].ok ? TLS_LEVEL_VERIFY : TLS_LEVEL_ENCRYPT);
		tls_client_free(c);
	}
}

/* `may` with an MX that nobody proved: its name in the certificate proves nothing. */
static void
a_forged_mx_is_not_called_verified(void **state)
{
	static struct tls_decision d;
	struct tls_client *c = client_with_root();
	struct pki_result r;

	(void)state;
	decide(&d, STS_NONE, -1, "mx.d.test");
	pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[LEAF] }, &r);
	assert_true(r.ok);
	assert_int_equal(r.outcome.got, TLS_LEVEL_ENCRYPT);
	assert_string_equal(r.sni, "mx.d.test");
	tls_client_free(c);
}

static void
no_resumption(void **state)
{
	static struct tls_decision d;
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_client *c = client_with_root();
	struct pki_result r;

	(void)state;
	decide(&d, STS_NONE, -1, "mx.d.test");
	for (int i = 0; i < 4; i++) {
		pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[LEAF], .max_version = versions[i % 2] }, &r);
		assert_true(r.ok);
		assert_false(r.resumed);
		assert_int_equal(r.version, versions[i % 2]);
	}
	tls_client_free(c);
}

static void
old_servers(void **state)
{
	static struct tls_decision d;
	struct tls_client *c = client_with_root();
	struct pki_server s = { .leaf = &cert[LEAF], .max_version = TLS1_1_VERSION };
	struct pki_result r;

	(void)state;
	decide(&d, STS_NONE, -1, "mx.d.test");
	pki_shake(c, &d, &s, &r);
	assert_false(r.ok);
	assert_int_equal(r.outcome.failure, TLS_FAILURE_HANDSHAKE);
	assert_string_equal(r.outcome.words, "the server does no TLS version from 1.2 on");
	s.max_version = TLS1_2_VERSION;
	s.ciphers12 = "ECDHE-ECDSA-AES256-SHA";
	pki_shake(c, &d, &s, &r);
	assert_true(r.ok); /* better than plain text */
	s.ciphers12 = "ECDHE-ECDSA-CAMELLIA256-SHA384";
	pki_shake(c, &d, &s, &r);
	assert_false(r.ok);
	assert_int_equal(r.outcome.failure, TLS_FAILURE_HANDSHAKE);
	tls_client_free(c);
}

/* A demand that cannot be put into a handshake makes none. */
static void
impossible_demands(void **state)
{
	static struct tls_decision d;
	struct tls_client *c = client_with_root();
	struct pki_result r;

	(void)state;
	decide(&d, STS_ENFORCE, -1, "mx.d.test");
	d.n_names = 0;
	pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[LEAF] }, &r);
	assert_false(r.made); /* or any name would do */
	d.n_names = 1;
	d.names[0] = str_from("mx.d.test\0.evil.test", 20);
	pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[LEAF] }, &r);
	assert_false(r.made);
	d.names[0] = STR(".d.test"); /* to OpenSSL: any host below */
	pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[LEAF] }, &r);
	assert_false(r.made);
	d.names[0] = STR("mx.d.test");
	pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[LEAF] }, &r);
	assert_true(r.ok);
	tls_client_free(c);
}

static void
bundles(void **state)
{
	struct tls_client *c = tls_client_new();
	char path[] = "/tmp/postern-ca-XXXXXX";
	struct buf pem;
	size_t damaged;
	struct err e;
	int fd;

	(void)state;
	buf_init(&pem, 65536);
	assert_false(tls_client_add_ca(c, STR(""), "empty", &damaged, &e));
	assert_false(tls_client_add_ca(c, STR("no PEM at all\n"), "text", &damaged, &e));
	assert_false(tls_client_load_ca(c, "/nonexistent/ca.pem", NULL, &e));
	assert_non_null(strstr(e.log, "/nonexistent/ca.pem"));
	pki_cert_pem(&cert[ROOT], &pem);
	buf_add_cstr(&pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	buf_add_cstr(&pem, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n");
	pki_cert_pem(&cert[SELF], &pem);
	assert_true(tls_client_add_ca(c, buf_str(&pem), "two of four", &damaged, &e));
	assert_int_equal(damaged, 2);
	for (size_t n = 0; n < pem.n; n += 7) /* it ends wherever the text is cut */
		tls_client_add_ca(c, str_sub(buf_str(&pem), 0, n), "cut", NULL, &e);
	fd = mkstemp(path);
	assert_int_equal(write(fd, pem.p, pem.n), (ssize_t)pem.n);
	assert_true(tls_client_load_ca(c, path, &damaged, &e));
	unlink(path);
	close(fd);
	buf_fini(&pem);
	tls_client_free(c);
}

static void
words_without_a_session(void **state)
{
	struct tls_outcome o;

	(void)state;
	tls_client_failed(NULL, 0, &o);
	assert_string_equal(o.words, "the server closed the connection");
	assert_int_equal(o.failure, TLS_FAILURE_HANDSHAKE);
	assert_int_equal(o.got, TLS_LEVEL_NONE);
}

/* Signs with the key at hand, as the process with the keys does. */
static bool
sign_here(void *ctx, struct str key_id, enum tls_scheme scheme, struct str tbs, struct buf *sig)
{
	struct keystore *k = ctx;
	struct err e;

	return keystore_sign(k, 3, key_id, scheme, tbs, sig, &e);
}

/* Shown to servers that ask, in TLS 1.3; the others get none, and the handshake goes on. */
static void
own_certificate(void **state)
{
	static const struct {
		bool asks;
		int version;
		unsigned shown;
	} row[] = { { true, TLS1_3_VERSION, 2 }, { false, TLS1_3_VERSION, 0 }, { true, TLS1_2_VERSION, 0 } };
	struct keystore *k = keystore_new();
	struct tls_client *c = client_with_root();
	static struct tls_decision d;
	struct buf key, chain;
	struct err e;

	(void)state;
	buf_init(&key, 65536);
	buf_init(&chain, 65536);
	pki_cert_pem(&cert[LEAF], &chain);
	pki_cert_pem(&cert[ROOT], &chain);
	pki_key_pem(&cert[LEAF], &key);
	assert_true(keystore_load(k, STR("own"), 0, buf_str(&chain), buf_str(&key), "own", &e));
	keystore_allow_clients(k, STR("own"), 1u << 3);
	assert_true(tls_client_set_certificate(c, buf_str(&chain), STR("own"), &(struct tls_signer){ sign_here, k }, &e));
	decide(&d, STS_ENFORCE, -1, "mx.d.test");
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct pki_result r;

		pki_shake(c, &d,
		    &(struct pki_server){ .leaf = &cert[LEAF], .asks = row[i].asks, .max_version = row[i].version }, &r);
		assert_true(r.ok);
		assert_int_equal(r.shown, row[i].shown);
	}
	assert_false(tls_client_set_certificate(c, STR("nonsense"), STR("own"), &(struct tls_signer){ sign_here, k }, &e));
	assert_true(tls_client_set_certificate(c, STR(""), STR(""), NULL, &e));
	tls_client_free(c);
	keystore_free(k);
	buf_fini(&key);
	buf_fini(&chain);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates),
		cmocka_unit_test(a_forged_mx_is_not_called_verified),
		cmocka_unit_test(no_resumption),
		cmocka_unit_test(old_servers),
		cmocka_unit_test(impossible_demands),
		cmocka_unit_test(bundles),
		cmocka_unit_test(own_certificate),
		cmocka_unit_test(words_without_a_session),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
