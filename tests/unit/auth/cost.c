/* cost.c - D05: what is computed for a wrong password tells nothing of the account. Every hash that is computed is counted on its way to the
 * libraries (the linker's --wrap), for accounts that are there, imported, disabled, and for names that nobody has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <crypt.h>
#include <stdlib.h>

#include <sodium.h>

#include <postern/auth/password.h>
#include <postern/auth/verifier.h>
#include <postern/core/buf.h>

static const struct verifier_cost cheap = { .passes = 1, .memory = 8192 };
static const char imported[] = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"; /* "Hello world!" */

static unsigned hashes;

/* --- between the server and the libraries; the linker makes the names --- */

int __real_crypto_pwhash(unsigned char *const out, unsigned long long outlen, const char *const passwd, unsigned long long passwdlen,
    const unsigned char *const salt, unsigned long long opslimit, size_t memlimit, int alg);
int __wrap_crypto_pwhash(unsigned char *const out, unsigned long long outlen, const char *const passwd, unsigned long long passwdlen,
    const unsigned char *const salt, unsigned long long opslimit, size_t memlimit, int alg);
int __real_crypto_pwhash_str_verify(const char *str, const char *const passwd, unsigned long long passwdlen);
int __wrap_crypto_pwhash_str_verify(const char *str, const char *const passwd, unsigned long long passwdlen);
char *__real_crypt_rn(const char *phrase, const char *setting, void *data, int size);
char *__wrap_crypt_rn(const char *phrase, const char *setting, void *data, int size);

int
__wrap_crypto_pwhash(unsigned char *const out, unsigned long long outlen, const char *const passwd, unsigned long long passwdlen,
    const unsigned char *const salt, unsigned long long opslimit, size_t memlimit, int alg)
{
	hashes++;
	return __real_crypto_pwhash(out, outlen, passwd, passwdlen, salt, opslimit, memlimit, alg);
}

int
__wrap_crypto_pwhash_str_verify(const char *str, const char *const passwd, unsigned long long passwdlen)
{
	hashes++;
	return __real_crypto_pwhash_str_verify(str, passwd, passwdlen);
}

char *
__wrap_crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	hashes++;
	return __real_crypt_rn(phrase, setting, data, size);
}

/* --- */

static unsigned
cost_of_account(const struct verifier *v, struct str password)
{
	hashes = 0;
	assert_int_equal(verifier_check(v, password, &cheap), VERIFIER_WRONG);
	return hashes;
}

static unsigned
cost_of_nobody(struct str password)
{
	hashes = 0;
	verifier_check_nobody(password, &cheap);
	return hashes;
}

static void
assert_same_cost(const struct verifier *own, const struct verifier *other, struct str password, const char *what)
{
	unsigned nobody = cost_of_nobody(password);

	if (nobody == 0 || cost_of_account(own, password) != nobody || cost_of_account(other, password) != nobody)
		fail_msg("%s: %u hashes for nobody, %u for an account, %u for an imported one", what, nobody, cost_of_account(own, password),
		    cost_of_account(other, password));
}

static void
d05_wrong_passwords_cost_the_same(void **state)
{
	static const struct {
		const char *what;
		struct str password;
	} wrong[] = {
		{ "an ordinary one", STR_INIT("wrong") },
		{ "none", STR_INIT("") },
		{ "composed", STR_INIT("caf\xc3\xa9") },
		{ "decomposed", STR_INIT("cafe\xcc\x81") },
		{ "other spaces", STR_INIT("a\xc2\xa0""b") },
		{ "a control character", STR_INIT("a\tb") },
		{ "no UTF-8", STR_INIT("caf\xe9") },
	};
	struct verifier own, other;
	struct buf longest;
	struct err e;

	(void)state;
	assert_true(verifier_make(&own, STR("secret"), &cheap, &e));
	assert_true(verifier_import(&other, str_of(imported), &cheap, &e));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_same_cost(&own, &other, wrong[i].password, wrong[i].what);
	buf_init(&longest, SIZE_MAX);
	while (longest.n < PASSWORD_MAX)
		buf_add_char(&longest, 'x');
	assert_same_cost(&own, &other, buf_str(&longest), "the longest");
	buf_add_char(&longest, 'x');
	assert_same_cost(&own, &other, buf_str(&longest), "one too long");
	buf_fini(&longest);
}

/* What is hashed only for its time lets nobody in. */
static void
d05_what_is_hashed_for_its_time_is_wrong(void **state)
{
	struct crypt_data *data = calloc(1, sizeof *data);
	struct verifier v;
	struct err e;

	(void)state;
	assert_non_null(data);
	assert_true(verifier_import(&v, str_of(__real_crypt_rn("", "$5$saltsalt$", data, (int)sizeof *data)), &cheap, &e));
	assert_int_equal(verifier_check(&v, STR(""), &cheap), VERIFIER_WRONG);
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(d05_wrong_passwords_cost_the_same),
		cmocka_unit_test(d05_what_is_hashed_for_its_time_is_wrong),
	};

	return cmocka_run_group_tests_name("auth/cost", tests, NULL, NULL);
}
