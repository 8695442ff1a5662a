/* certs.c - tests of certificates: by name, in pairs, with keys elsewhere, replaced at run time. */
#include "site.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include <postern/tls/facts.h>

/* Whether the certificate that the client saw is for that name. */
static bool
saw(struct link *l, const char *name)
{
	X509 *x = SSL_get0_peer_certificate(l->ssl);

	return x != NULL && X509_check_host(x, name, 0, X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1;
}

static void
assert_gets(struct site *s, const char *asked, const char *name)
{
	struct link l;

	assert_true(link_to(&l, s, asked));
	if (!saw(&l, name))
		fail_msg("%s did not get %s", asked != NULL ? asked : "no name", name);
	link_close(&l);
}

static void
names(void **state)
{
	struct tls_cert certs[3];
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, TLS_IMAP);
	certs[0] = site_cert(&s, "default", "P-256", "DNS:mx.example.test,DNS:alias.example.test");
	certs[1] = site_cert(&s, "wild", "P-256", "DNS:www.wild.test,DNS:*.wild.test");
	certs[2] = site_cert(&s, "named", "P-256", "DNS:inside.test");
	certs[2].name = STR("Outside.Test");
	assert_true(tls_server_replace(s.server, certs, 3, &e));
	assert_gets(&s, NULL, "mx.example.test");
	assert_gets(&s, "mx.example.test", "mx.example.test");
	assert_gets(&s, "ALIAS.example.TEST", "mx.example.test");
	assert_gets(&s, "unknown.test", "mx.example.test");
	assert_gets(&s, "any.wild.test", "www.wild.test");
	assert_gets(&s, "www.wild.test", "www.wild.test");
	assert_gets(&s, "any.wild.test.", "www.wild.test");
	assert_gets(&s, "deep.any.wild.test", "mx.example.test"); /* one label only */
	assert_gets(&s, "wild.test", "mx.example.test");
	assert_gets(&s, "outside.test", "inside.test");
	assert_gets(&s, "inside.test", "mx.example.test"); /* a row with a name is for that name only */
	site_close(&s);
}

static void
a_name_survives_a_retry(void **state)
{
	struct tls_cert certs[2];
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, TLS_IMAP);
	certs[0] = site_cert(&s, "default", "P-256", "DNS:mx.example.test");
	certs[1] = site_cert(&s, "other", "P-256", "DNS:other.test");
	assert_true(tls_server_replace(s.server, certs, 2, &e));
	site_set_list(s.client, SSL_CTRL_SET_GROUPS_LIST, "P-521:P-256"); /* the key share is for P-521 */
	assert_gets(&s, "other.test", "other.test");
	site_close(&s);
}

/* Handshakes with a client that takes only some signature algorithms; returns the kind of key it saw. */
static int
kind_for(struct site *s, int version, const char *algorithms)
{
	struct link l;
	int kind = 0;

	SSL_CTX_set_min_proto_version(s->client, version);
	SSL_CTX_set_max_proto_version(s->client, version);
	site_set_list(s->client, SSL_CTRL_SET_SIGALGS_LIST, algorithms);
	if (link_to(&l, s, "pair.test"))
		kind = EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(l.ssl)));
	link_close(&l);
	return kind;
}

static void
a_pair_of_kinds(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_cert certs[2];
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, TLS_IMAP);
	certs[0] = site_cert(&s, "rsa", "RSA", "DNS:pair.test");
	certs[1] = site_cert(&s, "ecdsa", "P-256", "DNS:pair.test");
	assert_true(tls_server_replace(s.server, certs, 2, &e));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(kind_for(&s, versions[i], "RSA-PSS+SHA256"), EVP_PKEY_RSA);
		assert_int_equal(kind_for(&s, versions[i], "ECDSA+SHA256"), EVP_PKEY_EC);
		assert_int_equal(kind_for(&s, versions[i], "ECDSA+SHA256:RSA-PSS+SHA256"), EVP_PKEY_EC);
	}
	assert_int_equal(kind_for(&s, TLS1_2_VERSION, "RSA+SHA256"), EVP_PKEY_RSA);
	assert_int_equal(kind_for(&s, TLS1_2_VERSION, "RSA+SHA1:ECDSA+SHA1"), 0);
	site_close(&s);
}

static void
every_kind_of_key_signs(void **state)
{
	static const struct {
		const char *kind, *algorithm;
		int version;
	} row[] = {
		{ "RSA", "RSA-PSS+SHA256", TLS1_3_VERSION },
		{ "RSA", "RSA-PSS+SHA384", TLS1_3_VERSION },
		{ "RSA", "RSA-PSS+SHA512", TLS1_3_VERSION },
		{ "RSA", "RSA-PSS+SHA256", TLS1_2_VERSION },
		{ "RSA", "RSA+SHA256", TLS1_2_VERSION },
		{ "RSA", "RSA+SHA384", TLS1_2_VERSION },
		{ "RSA", "RSA+SHA512", TLS1_2_VERSION },
		{ "P-256", "ECDSA+SHA256", TLS1_3_VERSION },
		{ "P-256", "ECDSA+SHA256", TLS1_2_VERSION },
		{ "P-256", "ECDSA+SHA512", TLS1_2_VERSION },
		{ "P-384", "ECDSA+SHA384", TLS1_3_VERSION },
		{ "P-384", "ECDSA+SHA384", TLS1_2_VERSION },
		{ "ED25519", "ed25519", TLS1_3_VERSION },
		{ "ED25519", "ed25519", TLS1_2_VERSION },
	};
	struct tls_cert cert;
	struct site s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		site_open(&s, TLS_IMAP);
		cert = site_cert(&s, "one", row[i].kind, "DNS:pair.test");
		assert_true(tls_server_replace(s.server, &cert, 1, &e));
		if (kind_for(&s, row[i].version, row[i].algorithm) == 0)
			fail_msg("%s %s %x", row[i].kind, row[i].algorithm, (unsigned)row[i].version);
		assert_int_equal(s.signatures, 1);
		site_close(&s);
	}
}

static void
a_signer_who_fails(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct site s;
	struct link l;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		site_open(&s, TLS_IMAP);
		SSL_CTX_set_max_proto_version(s.client, versions[i]);
		s.signer_dead = true;
		assert_false(link_to(&l, &s, NULL));
		assert_true(l.ended);
		assert_int_equal(l.why, CONN_END_TLS);
		assert_string_equal(tls_facts_failure(l.error), "the signature could not be made");
		assert_int_equal(ERR_GET_REASON(l.client_error), SSL_AD_REASON_OFFSET + SSL_AD_INTERNAL_ERROR);
		link_close(&l);
		s.signer_dead = false;
		assert_true(link_to(&l, &s, NULL));
		link_close(&l);
		site_close(&s);
	}
}

enum { FLYING = 50 };

static void
replacing_under_way(void **state)
{
	struct link l[FLYING];
	struct tls_cert old, new;
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, TLS_IMAP);
	old = site_cert(&s, "old", "P-256", "DNS:old.test");
	assert_true(tls_server_replace(s.server, &old, 1, &e));
	for (size_t i = 0; i < FLYING; i++) {
		link_open(&l[i], &s);
		link_secure(&l[i], s.server);
		if (i % 2 == 0) { /* half of them have our answer already */
			assert_int_equal(SSL_connect(l[i].ssl), -1);
			link_turn(&l[i]);
		}
	}
	new = site_cert(&s, "new", "RSA", "DNS:new.test");
	assert_true(tls_server_replace(s.server, &new, 1, &e));
	for (size_t i = 0; i < FLYING; i++) {
		assert_true(link_shake(&l[i]));
		assert_true(saw(&l[i], "old.test"));
	}
	assert_gets(&s, NULL, "new.test");
	for (size_t i = 0; i < FLYING; i++)
		link_close(&l[i]);
	site_close(&s);
}

static void
a_bad_replacement_changes_nothing(void **state)
{
	struct tls_cert bad[2], good;
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, TLS_IMAP);
	good = site_cert(&s, "good", "P-256", "DNS:good.test");
	assert_true(tls_server_replace(s.server, &good, 1, &e));

	bad[0] = (struct tls_cert){ .key_id = STR("x"), .chain = STR("not PEM") };
	assert_false(tls_server_replace(s.server, bad, 1, &e));
	assert_non_null(strstr(e.log, "no certificate in it"));
	bad[0].chain = str_sub(good.chain, 0, good.chain.n / 2);
	assert_false(tls_server_replace(s.server, bad, 1, &e));
	bad[0] = good;
	bad[1] = site_cert(&s, "second", "P-256", "DNS:good.test");
	assert_false(tls_server_replace(s.server, bad, 2, &e));
	assert_non_null(strstr(e.log, "two certificates of one kind for good.test"));
	assert_false(tls_server_replace(s.server, NULL, 0, &e));
	bad[0].key_id = STR("");
	assert_false(tls_server_replace(s.server, bad, 1, &e));
	assert_gets(&s, NULL, "good.test");
	site_close(&s);
}

static void
the_server_name_extension(void **state)
{
	static const struct str good = STR_INIT("\x00\x0b\x00\x00\x08mx.test\x2e");
	static const struct str two = STR_INIT("\x00\x08\x00\x00\x01"
					       "a\x00\x00\x01"
					       "b");
	static const struct str other_type = STR_INIT("\x00\x04\x07\x00\x01"
						      "a");
	static const struct str nul = STR_INIT("\x00\x06\x00\x00\x03"
					       "a\0b");
	struct str name;

	(void)state;
	assert_true(tls_server_parse_sni(good, &name));
	assert_true(str_eq(name, STR("mx.test.")));
	for (size_t n = 0; n < good.n; n++)
		assert_false(tls_server_parse_sni(str_sub(good, 0, n), &name));
	assert_false(tls_server_parse_sni(two, &name));
	assert_true(tls_server_parse_sni(other_type, &name));
	assert_int_equal(name.n, 0);
	assert_false(tls_server_parse_sni(nul, &name));
	assert_false(tls_server_parse_sni(STR("\x00\x03\x00\x00\x00"), &name));
	assert_false(tls_server_parse_sni(STR("\x00\x00"), &name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(a_name_survives_a_retry),
		cmocka_unit_test(a_pair_of_kinds),
		cmocka_unit_test(every_kind_of_key_signs),
		cmocka_unit_test(a_signer_who_fails),
		cmocka_unit_test(replacing_under_way),
		cmocka_unit_test(a_bad_replacement_changes_nothing),
		cmocka_unit_test(the_server_name_extension),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
