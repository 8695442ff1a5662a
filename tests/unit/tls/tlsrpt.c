/* tlsrpt.c - tests of the words and counts of TLS reporting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/tls/tlsrpt.h>

static void
names(void **state)
{
	enum tlsrpt_result found;

	(void)state;
	for (int i = TLSRPT_OK + 1; i < TLSRPT_RESULTS; i++) {
		enum tlsrpt_result r = (enum tlsrpt_result)i;

		assert_true(tlsrpt_result_find(str_of(tlsrpt_result_name(r)), &found));
		assert_int_equal(found, r);
	}
	assert_false(tlsrpt_result_find(STR(""), &found));
	assert_false(tlsrpt_result_find(STR("TLSA-invalid"), &found));
	assert_string_equal(tlsrpt_result_name(TLSRPT_STS_WEBPKI_INVALID), "sts-webpki-invalid");
	assert_string_equal(tlsrpt_policy_name(TLSRPT_NO_POLICY), "no-policy-found");
}

static void
kinds(void **state)
{
	(void)state;
	assert_true(tlsrpt_result_fits(TLSRPT_CERTIFICATE_EXPIRED, TLSRPT_STS));
	assert_true(tlsrpt_result_fits(TLSRPT_DANE_REQUIRED, TLSRPT_TLSA));
	assert_false(tlsrpt_result_fits(TLSRPT_DANE_REQUIRED, TLSRPT_STS));
	assert_false(tlsrpt_result_fits(TLSRPT_STS_POLICY_INVALID, TLSRPT_TLSA));
}

static void
counts(void **state)
{
	struct tlsrpt_counts c = { { 0 } };

	(void)state;
	tlsrpt_count(&c, TLSRPT_OK);
	tlsrpt_count(&c, TLSRPT_TLSA_INVALID);
	tlsrpt_count(&c, TLSRPT_TLSA_INVALID);
	tlsrpt_count(&c, TLSRPT_CERTIFICATE_EXPIRED);
	assert_int_equal(c.sessions[TLSRPT_OK], 1);
	assert_int_equal(tlsrpt_failures(&c), 3);
	c.sessions[TLSRPT_TLSA_INVALID] = UINT64_MAX;
	tlsrpt_count(&c, TLSRPT_TLSA_INVALID);
	assert_true(tlsrpt_failures(&c) == UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(kinds),
		cmocka_unit_test(counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
