/* dane.c - tests of DANE: records as bytes, and what they vouch for in real handshakes (RFC 7671, RFC 7672 3). */
#include "pki.h"

#include <string.h>

/* What the destination has: a CA, an intermediate, certificates good and bad in every way. */
enum who { ROOT, MIDDLE, LEAF, OTHER, EXPIRED, OLD_KEY, OTHER_ROOT, WILD, CN_ONLY, WHO };

static struct pki_cert cert[WHO];

static int
set_up(void **state)
{
	(void)state;
	cert[ROOT] = pki_cert_new(&(struct pki_make){ .cn = "root", .ca = true });
	cert[OTHER_ROOT] = pki_cert_new(&(struct pki_make){ .cn = "other root", .ca = true });
	cert[MIDDLE] = pki_cert_new(&(struct pki_make){ .cn = "middle", .ca = true, .issuer = &cert[ROOT] });
	cert[LEAF] = pki_cert_new(&(struct pki_make){ .cn = "x", .san = "DNS:mx.d.test", .issuer = &cert[MIDDLE] });
	cert[OTHER] = pki_cert_new(&(struct pki_make){ .cn = "x", .san = "DNS:other.test", .issuer = &cert[MIDDLE] });
	cert[EXPIRED] = pki_cert_new(&(struct pki_make){
	    .cn = "x", .san = "DNS:mx.d.test", .issuer = &cert[MIDDLE], .from_s = -7200, .to_s = -3600 });
	cert[OLD_KEY] = pki_cert_new(&(struct pki_make){ .cn = "x", .san = "DNS:mx.d.test" });
	cert[WILD] = pki_cert_new(&(struct pki_make){ .cn = "x", .san = "DNS:*.d.test", .issuer = &cert[MIDDLE] });
	cert[CN_ONLY] = pki_cert_new(&(struct pki_make){ .cn = "mx.d.test", .issuer = &cert[MIDDLE] });
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

struct record {
	enum who who;
	int usage, selector, matching;
	bool spoilt; /* one bit of the data is wrong */
};

enum { RECORDS = 3 };

#define R(w, u, s, m) { .who = w, .usage = u, .selector = s, .matching = m }
#define SPOILT(w, u, s, m) { .who = w, .usage = u, .selector = s, .matching = m, .spoilt = true }
#define OK true, TLSRPT_OK

static const struct row {
	const char *name;
	size_t n;
	struct record record[RECORDS];
	enum who leaf;
	size_t n_chain;
	enum who chain[3];
	const char *second_name; /* besides mx.d.test */
	bool ok;
	enum tlsrpt_result report;
} rows[] = {
	{ "3 1 1", 1, { R(LEAF, 3, 1, 1) }, LEAF, 0, { 0 }, NULL, OK },
	{ "3 0 1", 1, { R(LEAF, 3, 0, 1) }, LEAF, 0, { 0 }, NULL, OK },
	{ "3 1 2", 1, { R(LEAF, 3, 1, 2) }, LEAF, 0, { 0 }, NULL, OK },
	{ "3 0 2", 1, { R(LEAF, 3, 0, 2) }, LEAF, 0, { 0 }, NULL, OK },
	{ "3 1 0", 1, { R(LEAF, 3, 1, 0) }, LEAF, 0, { 0 }, NULL, OK },
	{ "3 0 0", 1, { R(LEAF, 3, 0, 0) }, LEAF, 0, { 0 }, NULL, OK },
	{ "3 1 1, another name", 1, { R(OTHER, 3, 1, 1) }, OTHER, 0, { 0 }, NULL, OK },
	{ "3 1 1, expired", 1, { R(EXPIRED, 3, 1, 1) }, EXPIRED, 0, { 0 }, NULL, OK },
	{ "3 1 1, self-signed", 1, { R(OLD_KEY, 3, 1, 1) }, OLD_KEY, 0, { 0 }, NULL, OK },
	{ "3 1 1, mismatch", 1, { R(OTHER, 3, 1, 1) }, LEAF, 1, { MIDDLE }, NULL, false, TLSRPT_VALIDATION_FAILURE },
	{ "3 1 1, one bit", 1, { SPOILT(LEAF, 3, 1, 1) }, LEAF, 1, { MIDDLE }, NULL, false,
	    TLSRPT_VALIDATION_FAILURE },
	{ "3 1 1 of the issuer", 1, { R(MIDDLE, 3, 1, 1) }, LEAF, 1, { MIDDLE }, NULL, false,
	    TLSRPT_VALIDATION_FAILURE },
	{ "rollover, the old key", 2, { R(LEAF, 3, 1, 1), R(OLD_KEY, 3, 1, 1) }, OLD_KEY, 0, { 0 }, NULL, OK },
	{ "rollover, the new key", 2, { R(LEAF, 3, 1, 1), R(OLD_KEY, 3, 1, 1) }, LEAF, 0, { 0 }, NULL, OK },
	{ "the strongest digest decides", 2, { R(LEAF, 3, 1, 1), R(OLD_KEY, 3, 1, 2) }, LEAF, 0, { 0 }, NULL, false,
	    TLSRPT_VALIDATION_FAILURE },
	{ "per selector", 2, { R(LEAF, 3, 0, 1), R(OLD_KEY, 3, 1, 2) }, LEAF, 0, { 0 }, NULL, OK },
	{ "a full record beside digests", 2, { R(LEAF, 3, 1, 0), R(OLD_KEY, 3, 1, 2) }, LEAF, 0, { 0 }, NULL, OK },
	{ "2 0 1, root sent", 1, { R(ROOT, 2, 0, 1) }, LEAF, 2, { MIDDLE, ROOT }, NULL, OK },
	{ "2 1 1, root sent", 1, { R(ROOT, 2, 1, 1) }, LEAF, 2, { MIDDLE, ROOT }, NULL, OK },
	{ "2 1 2, root sent", 1, { R(ROOT, 2, 1, 2) }, LEAF, 2, { MIDDLE, ROOT }, NULL, OK },
	{ "2 0 1, root not sent", 1, { R(ROOT, 2, 0, 1) }, LEAF, 1, { MIDDLE }, NULL, false,
	    TLSRPT_VALIDATION_FAILURE },
	{ "2 0 0, root not sent", 1, { R(ROOT, 2, 0, 0) }, LEAF, 1, { MIDDLE }, NULL, OK },
	{ "2 1 0, root not sent", 1, { R(ROOT, 2, 1, 0) }, LEAF, 1, { MIDDLE }, NULL, OK },
	{ "2 0 1 of the intermediate", 1, { R(MIDDLE, 2, 0, 1) }, LEAF, 1, { MIDDLE }, NULL, OK },
	{ "2 1 1 of the intermediate", 1, { R(MIDDLE, 2, 1, 1) }, LEAF, 1, { MIDDLE }, NULL, OK },
	{ "2 1 1, wrong name", 1, { R(MIDDLE, 2, 1, 1) }, OTHER, 1, { MIDDLE }, NULL, false,
	    TLSRPT_CERTIFICATE_HOST_MISMATCH },
	{ "2 0 1, wrong name", 1, { R(ROOT, 2, 0, 1) }, OTHER, 2, { MIDDLE, ROOT }, NULL, false,
	    TLSRPT_CERTIFICATE_HOST_MISMATCH },
	{ "2 1 1, second name", 1, { R(MIDDLE, 2, 1, 1) }, OTHER, 1, { MIDDLE }, "other.test", OK },
	{ "2 1 1, wildcard", 1, { R(MIDDLE, 2, 1, 1) }, WILD, 1, { MIDDLE }, NULL, OK },
	{ "2 1 1, only a CN", 1, { R(MIDDLE, 2, 1, 1) }, CN_ONLY, 1, { MIDDLE }, NULL, OK },
	{ "2 1 1, expired", 1, { R(MIDDLE, 2, 1, 1) }, EXPIRED, 1, { MIDDLE }, NULL, false,
	    TLSRPT_CERTIFICATE_EXPIRED },
	{ "2 0 1, mismatch", 1, { R(OTHER_ROOT, 2, 0, 1) }, LEAF, 2, { MIDDLE, ROOT }, NULL, false,
	    TLSRPT_VALIDATION_FAILURE },
	{ "2 0 1, the anchor is sent but signed nothing", 1, { R(OTHER_ROOT, 2, 0, 1) }, LEAF, 2,
	    { MIDDLE, OTHER_ROOT }, NULL, false, TLSRPT_VALIDATION_FAILURE },
	{ "2 0 0, the anchor signed nothing", 1, { R(OTHER_ROOT, 2, 0, 0) }, LEAF, 1, { MIDDLE }, NULL, false,
	    TLSRPT_VALIDATION_FAILURE },
	{ "2 and 3 together", 2, { R(OTHER_ROOT, 2, 0, 1), R(LEAF, 3, 1, 1) }, LEAF, 0, { 0 }, NULL, OK },
	{ "2 and 3, the 2 counts", 2, { R(MIDDLE, 2, 0, 1), R(OLD_KEY, 3, 1, 1) }, LEAF, 1, { MIDDLE }, NULL, OK },
};

/* The decision as the policy makes it: from signed records of mx.d.test. */
static void
decide(const struct row *r, const struct tlsa *records, struct tls_decision *d)
{
	struct tls_query q = {
		.domain = STR("d.test"),
		.domain_expanded = str_of(r->second_name),
		.mx = TLS_DNS_SECURE,
		.host = STR("mx.d.test"),
		.address = TLS_DNS_SECURE,
		.tlsa = { { TLS_DNS_SECURE, records, r->n } },
	};

	tls_policy_decide(&q, d);
	assert_int_equal(d->level, TLS_LEVEL_DANE);
	assert_int_equal(d->n_tlsa, r->n);
}

static void
shake_row(struct tls_client *c, const struct row *r, int version)
{
	static struct tls_decision d;
	struct pki_server s = { .leaf = &cert[r->leaf], .max_version = version };
	struct tlsa records[RECORDS];
	struct buf data[RECORDS];
	struct pki_result result;

	for (size_t i = 0; i < r->n; i++) {
		const struct record *t = &r->record[i];

		records[i] = pki_tlsa(&cert[t->who], t->usage, t->selector, t->matching, &data[i]);
		data[i].p[data[i].n - 1] ^= t->spoilt;
	}
	for (size_t i = 0; i < r->n_chain; i++)
		s.chain[i] = &cert[r->chain[i]];
	decide(r, records, &d);
	pki_shake(c, &d, &s, &result);
	if (!result.made || result.ok != r->ok || result.outcome.report != r->report)
		fail_msg("%s: %s (%s)", r->name, result.outcome.words, result.outcome.reason);
	assert_string_equal(result.sni, "mx.d.test");
	assert_int_equal(result.outcome.got, r->ok ? TLS_LEVEL_DANE : TLS_LEVEL_NONE);
	assert_true(r->ok || result.outcome.failure == TLS_FAILURE_UNAUTHENTICATED);
	for (size_t i = 0; i < r->n; i++)
		buf_fini(&data[i]);
}

static void
handshakes(void **state)
{
	struct tls_client *c = tls_client_new();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		shake_row(c, &rows[i], TLS1_3_VERSION);
		shake_row(c, &rows[i], TLS1_2_VERSION);
	}
	tls_client_free(c);
}

/* A CA that everybody trusts cannot take the place of the records (RFC 7672 3.1.3). */
static void
known_cas_do_not_help(void **state)
{
	static const struct row mismatch = { "a known CA", 1, { R(OLD_KEY, 3, 1, 1) }, LEAF, 1, { MIDDLE }, NULL, false,
		TLSRPT_VALIDATION_FAILURE };
	static const struct row anchor = { "a known root", 1, { R(ROOT, 2, 0, 1) }, LEAF, 1, { MIDDLE }, NULL, false,
		TLSRPT_VALIDATION_FAILURE };
	struct tls_client *c = tls_client_new();
	struct buf pem;
	struct err e;

	(void)state;
	buf_init(&pem, 65536);
	pki_cert_pem(&cert[ROOT], &pem);
	assert_true(tls_client_add_ca(c, buf_str(&pem), "root", NULL, &e));
	shake_row(c, &mismatch, TLS1_3_VERSION);
	shake_row(c, &anchor, TLS1_3_VERSION);
	buf_fini(&pem);
	tls_client_free(c);
}

/* "TLS-Required: No": the records are looked at, and nothing hangs on them. */
static void
noted_only(void **state)
{
	static struct tls_decision d;
	struct tls_client *c = tls_client_new();
	struct buf data;
	struct tlsa record = pki_tlsa(&cert[LEAF], 3, 1, 1, &data);
	struct tls_query q = {
		.domain = STR("d.test"), .mx = TLS_DNS_SECURE, .host = STR("mx.d.test"), .address = TLS_DNS_SECURE,
		.tlsa = { { TLS_DNS_SECURE, &record, 1 } }, .message = TLS_MESSAGE_OPTIONAL,
	};
	struct pki_result result;

	(void)state;
	tls_policy_decide(&q, &d);
	pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[LEAF] }, &result);
	assert_true(result.ok);
	assert_int_equal(result.outcome.got, TLS_LEVEL_DANE);
	pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[OTHER] }, &result);
	assert_true(result.ok);
	assert_int_equal(result.outcome.got, TLS_LEVEL_ENCRYPT);
	assert_string_equal(result.outcome.reason, "X509_V_ERR_DANE_NO_MATCH");
	buf_fini(&data);
	tls_client_free(c);
}

/* Records that OpenSSL would not take leave no way to verify: then there is no handshake, and no CA decides. */
static void
nothing_left_to_match(void **state)
{
	static struct tls_decision d;
	static const struct tlsa bad = { 3, 1, 1, STR_INIT("short") };
	struct tls_client *c = tls_client_new();
	struct pki_result result;

	(void)state;
	d = (struct tls_decision){ .connect = true, .level = TLS_LEVEL_DANE, .check = TLS_CHECK_MUST,
		.sni = STR("mx.d.test"), .names = { STR("mx.d.test") }, .n_names = 1, .tlsa = { bad }, .n_tlsa = 1 };
	pki_shake(c, &d, &(struct pki_server){ .leaf = &cert[LEAF] }, &result);
	assert_false(result.made);
	tls_client_free(c);
}

/* Every truncation of every kind of record: only the whole one is usable, or a digest of the right length. */
static void
truncations(void **state)
{
	(void)state;
	for (int kind = 0; kind < 12; kind++) {
		int matching = kind % 3, selector = kind / 3 % 2, usage = 2 + kind / 6;
		struct buf data;
		struct tlsa t = pki_tlsa(&cert[LEAF], usage, selector, matching, &data);

		assert_null(tls_dane_unusable(&t));
		for (size_t n = 0; n < data.n; n++) {
			char *copy = test_malloc(n + 1);
			bool parsed;

			memcpy(copy + 1, data.p, n);
			parsed = tls_dane_parse(str_from(copy + 1, n), &t);
			assert_int_equal(parsed, n >= 3);
			if (parsed)
				assert_non_null(tls_dane_unusable(&t));
			test_free(copy);
		}
		buf_add_char(&data, 0); /* nor one with something behind it */
		assert_true(tls_dane_parse(buf_str(&data), &t));
		assert_non_null(tls_dane_unusable(&t));
		buf_fini(&data);
	}
}

static void
words(void **state)
{
	static const struct tlsa t = { 3, 1, 1, STR_INIT("\x3f\xe2\x46\xa8\x48") };
	static const struct tlsa all = { 255, 255, 255, STR_INIT("\xff") };
	char out[TLSA_WORDS_SIZE];

	(void)state;
	assert_string_equal(tls_dane_words(&t, out), "3 1 1 3fe246a8…");
	assert_string_equal(tls_dane_words(&all, out), "255 255 255 ff");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes),
		cmocka_unit_test(known_cas_do_not_help),
		cmocka_unit_test(noted_only),
		cmocka_unit_test(nothing_left_to_match),
		cmocka_unit_test(truncations),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
