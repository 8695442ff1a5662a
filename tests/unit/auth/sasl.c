/* sasl.c - tests of the mechanisms as state machines: the RFCs' examples, every truncation, and what must fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include <postern/auth/sasl.h>
#include <postern/core/base64.h>

static const struct sasl_channel bound = { .tls = true,
	.scram = true,
	.exporter = STR_INIT("0123456789abcdef0123456789abcdef"),
	.end_point = STR_INIT("the hash of our own certificate.") };
static const struct sasl_channel unbound = { .tls = true, .scram = true };

static void
expect_out(const struct sasl *s, struct str want)
{
	if (!str_eq(buf_str(&s->out), want))
		fail_msg("got \"%.*s\", not \"%.*s\"", (int)s->out.n, s->out.n > 0 ? s->out.p : "", STR_ARG(want));
}

/* --- what is offered --- */

static void
offers(void **state)
{
	struct str names[SASL_MECHANISMS_MAX];
	struct sasl_channel c = bound;
	struct sasl s;

	(void)state;
	assert_int_equal(sasl_offer(&c, names), 4);
	assert_true(str_eq(names[0], STR("SCRAM-SHA-256-PLUS")) && str_eq(names[3], STR("LOGIN")));
	assert_int_equal(sasl_offer(&unbound, names), 3);
	c.scram = false;
	assert_int_equal(sasl_offer(&c, names), 2);
	c.tls = false;
	assert_int_equal(sasl_offer(&c, names), 0);
	assert_int_equal(sasl_start(&s, STR("PLAIN"), &STR("\0a\0b"), &c), SASL_UNKNOWN);
	sasl_fini(&s);
	assert_int_equal(sasl_start(&s, STR("SCRAM-SHA-256-PLUS"), NULL, &unbound), SASL_UNKNOWN);
	sasl_fini(&s);
	assert_int_equal(sasl_start(&s, STR("CRAM-MD5"), NULL, &bound), SASL_UNKNOWN);
	assert_int_equal(sasl_step(&s, STR("x")), SASL_MALFORMED);
	sasl_fini(&s);
	sasl_fini(&s);
}

/* --- PLAIN --- */

static enum sasl_next
plain(struct sasl *s, struct str message)
{
	return sasl_start(s, STR("plain"), &message, &unbound);
}

/* RFC 4616 4. */
static void
plain_examples(void **state)
{
	struct sasl s;

	(void)state;
	assert_int_equal(sasl_start(&s, STR("PLAIN"), NULL, &unbound), SASL_CHALLENGE);
	expect_out(&s, STR(""));
	assert_int_equal(sasl_step(&s, STR("\0tim\0tanstaaftanstaaf")), SASL_CHECK_PASSWORD);
	assert_true(str_eq(buf_str(&s.authcid), STR("tim")) && s.authzid.n == 0);
	assert_true(str_eq(buf_str(&s.password), STR("tanstaaftanstaaf")));
	assert_int_equal(sasl_checked(&s, true), SASL_OK);
	assert_int_equal(s.password.n, 0);
	sasl_fini(&s);

	assert_int_equal(plain(&s, STR("Ursel\0Kurt\0xipj3plmq")), SASL_CHECK_PASSWORD);
	assert_true(str_eq(buf_str(&s.authzid), STR("Ursel")));
	s.other = true;
	assert_int_equal(sasl_checked(&s, true), SASL_FORBIDDEN);
	sasl_fini(&s);
	assert_int_equal(plain(&s, STR("Ursel\0Kurt\0wrong")), SASL_CHECK_PASSWORD);
	s.other = true;
	assert_int_equal(sasl_checked(&s, false), SASL_WRONG);
	sasl_fini(&s);
}

static void
plain_malformed(void **state)
{
	static const struct str bad[] = { STR_INIT(""), STR_INIT("\0"), STR_INIT("a"), STR_INIT("\0a"),
		STR_INIT("\0\0pw"), STR_INIT("\0a\0b\0c"), STR_INIT("\0\xff\0pw"), STR_INIT("\xc3\0a\0pw"),
		STR_INIT("a\0\0pw") };
	static char big[SASL_MESSAGE_MAX + 1];
	struct sasl s;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(plain(&s, bad[i]), SASL_MALFORMED);
		assert_non_null(s.why);
		assert_int_equal(sasl_step(&s, STR("\0a\0b")), SASL_MALFORMED);
		assert_int_equal(sasl_checked(&s, true), SASL_MALFORMED);
		sasl_fini(&s);
	}
	memset(big, 'a', sizeof big);
	big[0] = big[600] = '\0';
	assert_int_equal(plain(&s, str_from(big, sizeof big)), SASL_MALFORMED);
	sasl_fini(&s);
	assert_int_equal(plain(&s, str_from(big, 1000)), SASL_MALFORMED); /* a name of 599 bytes */
	sasl_fini(&s);
	big[600] = 'a';
	big[256] = '\0'; /* RFC 4616 2: 255 octets each must be accepted */
	assert_int_equal(plain(&s, str_from(big, 257 + 255)), SASL_CHECK_PASSWORD);
	assert_true(s.authcid.n == 255 && s.password.n == 255);
	sasl_fini(&s);
}

/* --- LOGIN --- */

static void
login_forms(void **state)
{
	struct sasl s;

	(void)state;
	assert_int_equal(sasl_start(&s, STR("LOGIN"), NULL, &unbound), SASL_CHALLENGE);
	expect_out(&s, STR("Username:"));
	assert_int_equal(sasl_step(&s, STR("printer@example.test")), SASL_CHALLENGE);
	expect_out(&s, STR("Password:"));
	assert_int_equal(sasl_step(&s, STR("pw")), SASL_CHECK_PASSWORD);
	assert_true(
	    str_eq(buf_str(&s.authcid), STR("printer@example.test")) && str_eq(buf_str(&s.password), STR("pw")));
	assert_int_equal(sasl_checked(&s, true), SASL_OK);
	assert_int_equal(sasl_step(&s, STR("pw")), SASL_MALFORMED);
	sasl_fini(&s);

	assert_int_equal(sasl_start(&s, STR("login"), &STR("outlook@example.test"), &unbound), SASL_CHALLENGE);
	expect_out(&s, STR("Password:"));
	assert_int_equal(sasl_step(&s, STR("")), SASL_CHECK_PASSWORD);
	assert_int_equal(sasl_checked(&s, false), SASL_WRONG);
	sasl_fini(&s);

	assert_int_equal(sasl_start(&s, STR("LOGIN"), &STR(""), &unbound), SASL_CHALLENGE);
	expect_out(&s, STR("Username:"));
	assert_int_equal(sasl_step(&s, STR("")), SASL_MALFORMED);
	sasl_fini(&s);
	assert_int_equal(sasl_start(&s, STR("LOGIN"), &STR("a\0b"), &unbound), SASL_MALFORMED);
	sasl_fini(&s);
}

/* --- SCRAM --- */

static struct scram_keys
pencil_keys(uint32_t iterations)
{
	struct scram_keys k;
	struct buf salt;

	buf_init(&salt, 64);
	base64_decode(&salt, STR("W22ZaJ0SNY7soEsUEjb6gQ=="));
	assert_true(scram_keys_make(&k, STR("pencil"), buf_str(&salt), iterations));
	buf_fini(&salt);
	return k;
}

/* RFC 7677 3. */
static void
scram_example(void **state)
{
	struct scram_keys k = pencil_keys(4096);
	struct sasl s;

	(void)state;
	sasl_fix_nonce("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	assert_int_equal(
	    sasl_start(&s, STR("SCRAM-SHA-256"), &STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &unbound), SASL_WANT_KEYS);
	assert_true(str_eq(buf_str(&s.authcid), STR("user")));
	assert_int_equal(sasl_keys(&s, &k, true), SASL_CHALLENGE);
	expect_out(&s, STR("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
	assert_int_equal(sasl_step(&s, STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
					   "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")),
	    SASL_CHALLENGE);
	expect_out(&s, STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
	assert_int_equal(sasl_step(&s, STR("")), SASL_OK);
	assert_int_equal(sasl_step(&s, STR("")), SASL_MALFORMED);
	sasl_fini(&s);
	sasl_fix_nonce(NULL);
}

/* A client of our own, with everything that a test may want to get wrong. */
struct client {
	const char *mechanism;
	const char *header; /* gs2-header */
	struct str binding; /* data behind it */
	const char *password;
	const char *nonce; /* appended to the nonce in the final message */
	const char *extra; /* before ",p=" */
	bool unknown;
	bool other;
};

static void
hmac(uint8_t out[32], const uint8_t *key, size_t n, struct str text)
{
	crypto_auth_hmacsha256_state h;

	crypto_auth_hmacsha256_init(&h, key, n);
	crypto_auth_hmacsha256_update(&h, (const unsigned char *)text.p, text.n);
	crypto_auth_hmacsha256_final(&h, out);
}

static void
add_proof(struct buf *out, const char *password, struct str salt, struct str message)
{
	uint8_t salted[32];
	uint8_t key[32];
	uint8_t stored[32];
	uint8_t signature[32];

	PKCS5_PBKDF2_HMAC(password, (int)strlen(password), (const unsigned char *)salt.p, (int)salt.n, 4096,
	    EVP_sha256(), 32, salted);
	hmac(key, salted, 32, STR("Client Key"));
	crypto_hash_sha256(stored, key, 32);
	hmac(signature, stored, 32, message);
	for (int i = 0; i < 32; i++)
		key[i] ^= signature[i];
	base64_add(out, str_from(key, 32));
}

/* "r=…,s=…,i=4096" → the nonce and the decoded salt. */
static struct str
read_challenge(struct str challenge, struct buf *salt)
{
	size_t s = str_search(challenge, STR(",s="));
	size_t i = str_search(challenge, STR(",i="));

	assert_true(i < challenge.n && s < i);
	assert_true(base64_decode(salt, str_sub(challenge, s + 3, i)));
	return str_sub(challenge, 2, s);
}

static enum sasl_next
finish(struct sasl *s, const struct client *c)
{
	struct buf final;
	struct buf message;
	struct buf salt;
	struct buf cbind;
	struct str nonce;
	enum sasl_next next;

	buf_init(&final, 8192);
	buf_init(&message, 8192);
	buf_init(&salt, 64);
	buf_init(&cbind, 256);
	nonce = read_challenge(buf_str(&s->out), &salt);
	buf_add_cstr(&cbind, c->header);
	buf_add(&cbind, c->binding);
	buf_add_cstr(&final, "c=");
	base64_add(&final, buf_str(&cbind));
	buf_add_cstr(&final, ",r=");
	buf_add(&final, nonce);
	buf_add_cstr(&final, c->nonce);
	buf_add_cstr(&final, c->extra);
	buf_add_cstr(&message, "n=user,r=abcdef,");
	buf_add(&message, buf_str(&s->out));
	buf_add_char(&message, ',');
	buf_add(&message, buf_str(&final));
	buf_add_cstr(&final, ",p=");
	add_proof(&final, c->password, buf_str(&salt), buf_str(&message));
	next = sasl_step(s, buf_str(&final));
	buf_fini(&final);
	buf_fini(&message);
	buf_fini(&salt);
	buf_fini(&cbind);
	return next;
}

static enum sasl_next
talk(const struct client *c)
{
	struct scram_keys k = pencil_keys(4096);
	struct buf first;
	struct sasl s;
	enum sasl_next next;

	buf_init(&first, 1024);
	buf_add_cstr(&first, c->header);
	buf_add_cstr(&first, "n=user,r=abcdef");
	next = sasl_start(&s, str_of(c->mechanism), &(struct str){ first.p, first.n }, &bound);
	if (next == SASL_WANT_KEYS) {
		s.other = c->other;
		assert_int_equal(sasl_keys(&s, &k, !c->unknown), SASL_CHALLENGE);
		next = finish(&s, c);
	}
	if (next == SASL_CHALLENGE) {
		assert_true(str_starts(buf_str(&s.out), STR("v=")));
		next = sasl_step(&s, STR(""));
	}
	sasl_fini(&s);
	buf_fini(&first);
	return next;
}

static void
d11_scram_bindings(void **state)
{
	struct client c = { "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", bound.exporter, "pencil", "", "", false, false };

	(void)state;
	assert_int_equal(talk(&c), SASL_OK);
	c.binding = bound.end_point;
	assert_int_equal(talk(&c), SASL_WRONG);
	c.header = "p=tls-server-end-point,,";
	assert_int_equal(talk(&c), SASL_OK);
	c.binding = STR("the hash of somebody's else one.");
	assert_int_equal(talk(&c), SASL_WRONG);
	c.binding = STR("");
	assert_int_equal(talk(&c), SASL_WRONG);
	c.header = "p=tls-unique,,";
	assert_int_equal(talk(&c), SASL_WRONG);
	c.header = "n,,"; /* -PLUS without a binding */
	assert_int_equal(talk(&c), SASL_WRONG);
	c.header = "y,,";
	assert_int_equal(talk(&c), SASL_WRONG);
}

static void
scram_without_binding(void **state)
{
	struct client c = { "SCRAM-SHA-256", "n,,", STR(""), "pencil", "", "", false, false };

	(void)state;
	assert_int_equal(talk(&c), SASL_OK);
	c.header = "y,,"; /* we do offer -PLUS: somebody took it out of the list */
	assert_int_equal(talk(&c), SASL_WRONG);
	c.header = "p=tls-exporter,,";
	assert_int_equal(talk(&c), SASL_WRONG);
	c.header = "n,a=user,";
	assert_int_equal(talk(&c), SASL_OK);
	c.other = true;
	assert_int_equal(talk(&c), SASL_FORBIDDEN);
}

static void
d11_scram_wrong(void **state)
{
	struct client c = { "SCRAM-SHA-256", "n,,", STR(""), "Pencil", "", "", false, false };

	(void)state;
	assert_int_equal(talk(&c), SASL_WRONG);
	c.password = "pencil";
	c.unknown = true;
	assert_int_equal(talk(&c), SASL_WRONG);
	c.unknown = false;
	c.nonce = "x";
	assert_int_equal(talk(&c), SASL_WRONG);
	c.nonce = "";
	c.extra = ",t=an extension";
	assert_int_equal(talk(&c), SASL_OK);
	c.extra = ",no extension";
	assert_int_equal(talk(&c), SASL_MALFORMED);
}

static enum sasl_next
first_message(struct str message, struct sasl *s)
{
	return sasl_start(s, STR("SCRAM-SHA-256"), &message, &unbound);
}

static void
d11_scram_malformed(void **state)
{
	static const struct str bad[] = { STR_INIT(""), STR_INIT("n"), STR_INIT("n,"), STR_INIT("n,,"),
		STR_INIT("x,,n=user,r=abc"), STR_INIT("n,,n=,r=abc"), STR_INIT("n,,n=us=er,r=abc"),
		STR_INIT("n,,n=user=2,r=abc"), STR_INIT("n,,n=user,r="), STR_INIT("n,,m=x,n=user,r=abc"),
		STR_INIT("n,,n=user,r=a\x7f"), STR_INIT("n,,n=us\xffr,r=abc"), STR_INIT("n,,n=us\0r,r=abc"),
		STR_INIT("n,,n=user,r=abc,"), STR_INIT("n,,n=user,r=abc,1=x"), STR_INIT("n,b=user,n=user,r=abc"),
		STR_INIT("p,,n=user,r=abc"), STR_INIT("p=,,n=user,r=abc") };
	struct str good = STR("n,,n=a=2Cb=3Dc,r=abc,x=y");
	struct sasl s;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (first_message(bad[i], &s) != SASL_MALFORMED)
			fail_msg("taken: %.*s", STR_ARG(bad[i]));
		sasl_fini(&s);
	}
	assert_int_equal(first_message(good, &s), SASL_WANT_KEYS);
	assert_true(str_eq(buf_str(&s.authcid), STR("a,b=c")));
	assert_int_equal(sasl_step(&s, STR("c=biws,r=abc,p=AAAA")), SASL_MALFORMED); /* before the keys */
	sasl_fini(&s);
	for (size_t n = 0; n < good.n; n++) { /* every truncation: no crash, and a whole nonce or nothing */
		enum sasl_next next = first_message(str_sub(good, 0, n), &s);

		assert_true(next == SASL_MALFORMED || next == SASL_WANT_KEYS);
		sasl_fini(&s);
	}
}

static void
scram_final_truncated(void **state)
{
	struct str good = STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"
			      "Ute9ytag9zjfMHgsqmmiz7AndVQ=");
	struct scram_keys k = pencil_keys(4096);

	(void)state;
	sasl_fix_nonce("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	for (size_t n = 0; n < good.n; n++) {
		struct sasl s;
		enum sasl_next next;

		assert_int_equal(first_message(STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &s), SASL_WANT_KEYS);
		sasl_keys(&s, &k, true);
		next = sasl_step(&s, str_sub(good, 0, n));
		assert_true(next == SASL_MALFORMED || next == SASL_WRONG);
		sasl_fini(&s);
	}
	sasl_fix_nonce(NULL);
}

static void
nonces_differ(void **state)
{
	struct scram_keys k = pencil_keys(4096);
	struct sasl a;
	struct sasl b;

	(void)state;
	first_message(STR("n,,n=user,r=abc"), &a);
	first_message(STR("n,,n=user,r=abc"), &b);
	sasl_keys(&a, &k, true);
	sasl_keys(&b, &k, true);
	assert_true(a.nonce.n >= 3 + 24);
	assert_false(str_eq(buf_str(&a.nonce), buf_str(&b.nonce)));
	sasl_fini(&a);
	sasl_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offers),
		cmocka_unit_test(plain_examples),
		cmocka_unit_test(plain_malformed),
		cmocka_unit_test(login_forms),
		cmocka_unit_test(scram_example),
		cmocka_unit_test(d11_scram_bindings),
		cmocka_unit_test(scram_without_binding),
		cmocka_unit_test(d11_scram_wrong),
		cmocka_unit_test(d11_scram_malformed),
		cmocka_unit_test(scram_final_truncated),
		cmocka_unit_test(nonces_differ),
	};

	return cmocka_run_group_tests_name("auth/sasl", tests, NULL, NULL);
}
