/* verifier.c - tests of password hashes: made, checked, imported, refused. Vectors: RFC 7677 3, the SHA-crypt
 * specification, crypt_blowfish, the argon2 reference code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <crypt.h>
#include <stdlib.h>

#include <postern/auth/verifier.h>
#include <postern/core/base64.h>

static const struct verifier_cost cheap = { .passes = 1, .memory = 8192, .scram_iterations = 4096 };

static void
make_and_check(void **state)
{
	struct verifier v;
	struct err e;

	(void)state;
	assert_true(verifier_make(&v, STR("secret"), &cheap, &e));
	assert_int_equal(verifier_check(&v, STR("secret"), &cheap), VERIFIER_RIGHT);
	assert_int_equal(verifier_check(&v, STR("Secret"), &cheap), VERIFIER_WRONG);
	assert_int_equal(verifier_check(&v, STR(""), &cheap), VERIFIER_WRONG);
	assert_int_equal(verifier_check(&v, STR("secret\0"), &cheap), VERIFIER_WRONG);
	assert_string_equal(verifier_scheme(&v), "argon2id");
	assert_int_equal(v.scram.iterations, 4096);
	assert_false(verifier_make(&v, STR(""), &cheap, &e));
	assert_int_equal(e.class, ERR_PERM);
}

static void
composed_and_decomposed_are_one(void **state)
{
	struct verifier v;
	struct err e;

	(void)state;
	assert_true(verifier_make(&v, STR("caf\xc3\xa9"), &cheap, &e));
	assert_int_equal(verifier_check(&v, STR("cafe\xcc\x81"), &cheap), VERIFIER_RIGHT);
	assert_int_equal(verifier_check(&v, STR("cafe"), &cheap), VERIFIER_WRONG);
}

static void
other_cost_is_old(void **state)
{
	struct verifier_cost dearer = { .passes = 2, .memory = 8192, .scram_iterations = 4096 };
	struct verifier_cost larger = { .passes = 1, .memory = 16384, .scram_iterations = 4096 };
	struct verifier_cost no_scram = { .passes = 1, .memory = 8192 };
	struct verifier v;
	struct err e;

	(void)state;
	assert_true(verifier_make(&v, STR("secret"), &cheap, &e));
	assert_int_equal(verifier_check(&v, STR("secret"), &dearer), VERIFIER_RIGHT_OLD);
	assert_int_equal(verifier_check(&v, STR("secret"), &larger), VERIFIER_RIGHT_OLD);
	assert_int_equal(verifier_check(&v, STR("secret"), &no_scram), VERIFIER_RIGHT_OLD);
	assert_int_equal(verifier_check(&v, STR("wrong"), &dearer), VERIFIER_WRONG);
	assert_true(verifier_make(&v, STR("secret"), &no_scram, &e));
	assert_int_equal(v.scram.iterations, 0);
	assert_int_equal(verifier_check(&v, STR("secret"), &cheap), VERIFIER_RIGHT_OLD);
}

struct vector {
	const char *text;
	const char *password;
	const char *scheme;
};

static const struct vector vectors[] = {
	{ "{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password",
	    "argon2id" },
	{ "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
	  "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
	    "Hello world!", "sha512-crypt" },
	{ "{sha512-crypt}$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/"
	  "UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
	    "Hello world!", "sha512-crypt" },
	{ "{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!", "sha256-crypt" },
	{ "{CRYPT}$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA", "Hello world!",
	    "sha256-crypt" },
	{ "{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", "bcrypt" },
	{ "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", "bcrypt" },
	{ "{CRYPT}$y$j75$SaltSaltSalt$8bLYxEHb2EL2oK.4ilFgwW24QyJJ.xlZqzG3IWuek2A", "pencil", "yescrypt" },
	{ "$y$j9T$SaltSaltSalt$7YJ5BaikKzjqs5hKF5uNzYm86q5FbRqzU/GqY7YqipA", "pencil", "yescrypt" },
};

static void
imported(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		struct verifier v;
		struct err e;

		if (!verifier_import(&v, str_of(vectors[i].text), &cheap, &e))
			fail_msg("%s: %s", vectors[i].text, e.log);
		assert_string_equal(verifier_scheme(&v), vectors[i].scheme);
		assert_int_equal(verifier_check(&v, str_of(vectors[i].password), &cheap), VERIFIER_RIGHT_OLD);
		assert_int_equal(verifier_check(&v, STR("pencil "), &cheap), VERIFIER_WRONG);
		assert_int_equal(v.scram.iterations, 0);
	}
}

static void
plain_is_hashed_at_once(void **state)
{
	struct verifier v;
	struct err e;

	(void)state;
	assert_true(verifier_import(&v, STR("{PLAIN}open {sesame}"), &cheap, &e));
	assert_string_equal(verifier_scheme(&v), "argon2id");
	assert_null(strstr(v.hash, "sesame"));
	assert_int_equal(verifier_check(&v, STR("open {sesame}"), &cheap), VERIFIER_RIGHT);
	assert_true(verifier_import(&v, STR("{cleartext}x"), &cheap, &e));
	assert_false(verifier_import(&v, STR("{PLAIN}"), &cheap, &e));
}

/* Other systems hashed the bytes as they came, also those of an old client's Latin-1. */
static void
imported_bytes_as_typed(void **state)
{
	struct crypt_data *data = calloc(1, sizeof *data);
	const char *hash = crypt_rn("caf\xe9", "$5$saltsalt$", data, sizeof *data);
	const char *decomposed;
	struct verifier v;
	struct err e;

	(void)state;
	assert_true(verifier_import(&v, str_of(hash), &cheap, &e));
	assert_int_equal(verifier_check(&v, STR("caf\xe9"), &cheap), VERIFIER_RIGHT_OLD);
	assert_int_equal(verifier_check(&v, STR("caf\xc3\xa9"), &cheap), VERIFIER_WRONG);
	decomposed = crypt_rn("cafe\xcc\x81", "$5$saltsalt$", data, sizeof *data);
	assert_true(verifier_import(&v, str_of(decomposed), &cheap, &e));
	assert_int_equal(verifier_check(&v, STR("cafe\xcc\x81"), &cheap), VERIFIER_RIGHT_OLD);
	free(data);
}

static void
refused_kinds(void **state)
{
	static const char *const texts[] = {
		"{MD5-CRYPT}$1$3azHgidD$SrJPt7B.9rekpmwJwtON31",
		"{CRYPT}$1$3azHgidD$SrJPt7B.9rekpmwJwtON31",
		"{DES-CRYPT}Q9jTNPTE0L4Ec",
		"{CRYPT}Q9jTNPTE0L4Ec",
		"Q9jTNPTE0L4Ec",
		"{SSHA}ppqwYNhJyKnTLlmZ4z4IkWDTHgQ+9Gt9",
		"{SSHA256}SoB4MOs8R8NsSGKWGQWkUHVBPz3hxHyqA0Nk",
		"{PLAIN-MD5}1a1dc91c907325c69271ddf0c944bc72",
		"{NTLM}4FAC8C0B6A0FCB35E1B8ED6EAD8A3FAF",
		"{PBKDF2}$1$abc$10$def",
		"{WHATEVER}x",
		"{SHA512-CRYPT}",
		"{SHA512-CRYPT}$6$saltstring$short",
		"{SHA512-CRYPT}$6$rounds=999999999$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/"
		"UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
		"{BLF-CRYPT}$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"{ARGON2ID}$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"{ARGON2ID}$argon2id$v=19$m=256,t=4000000000,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/"
		"4",
		"{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$",
		"$y$jFT$SaltSaltSalt$7YJ5BaikKzjqs5hKF5uNzYm86q5FbRqzU/GqY7YqipA",
		"",
		"{",
		"{}",
		"{PLAIN",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct verifier v;
		struct err e;

		if (verifier_import(&v, str_of(texts[i]), &cheap, &e))
			fail_msg("taken: %s", texts[i]);
		assert_int_equal(e.class, ERR_PERM);
		assert_non_null(strstr(e.log, "postern user passwd"));
	}
}

static void
damaged_hash_fails(void **state)
{
	struct verifier v = { .hash = "$argon2id$v=19$m=8,t=1,p=1$xxx" };

	(void)state;
	assert_int_equal(verifier_check(&v, STR("secret"), &cheap), VERIFIER_FAILED);
	v = (struct verifier){ .hash = "nonsense" };
	assert_int_equal(verifier_check(&v, STR("secret"), &cheap), VERIFIER_FAILED);
	v = (struct verifier){ .hash = "" };
	assert_int_equal(verifier_check(&v, STR(""), &cheap), VERIFIER_FAILED);
}

/* The keys behind RFC 7677 3: salt W22ZaJ0SNY7soEsUEjb6gQ==, 4096, "pencil"; as the RFC 5803 form has them elsewhere.
 */
static void
scram_vector(void **state)
{
	struct scram_keys k;
	struct buf salt;
	struct buf text;

	(void)state;
	buf_init(&salt, 64);
	buf_init(&text, 256);
	assert_true(base64_decode(&salt, STR("W22ZaJ0SNY7soEsUEjb6gQ==")));
	assert_true(scram_keys_make(&k, STR("pencil"), buf_str(&salt), 4096));
	base64_add(&text, str_from(k.stored, sizeof k.stored));
	buf_add_char(&text, ':');
	base64_add(&text, str_from(k.server, sizeof k.server));
	assert_string_equal(buf_cstr(&text),
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
	buf_fini(&salt);
	buf_fini(&text);
}

static void
fake_salt_is_stable(void **state)
{
	static const uint8_t secret[32] = { 1 };
	static const uint8_t other[32] = { 2 };
	struct scram_keys a;
	struct scram_keys b;

	(void)state;
	scram_keys_fake(&a, STR("nobody@example.test"), secret, 20000);
	scram_keys_fake(&b, STR("nobody@example.test"), secret, 20000);
	assert_memory_equal(a.salt, b.salt, sizeof a.salt);
	assert_memory_not_equal(a.stored, b.stored, sizeof a.stored);
	scram_keys_fake(&b, STR("nobody2@example.test"), secret, 20000);
	assert_memory_not_equal(a.salt, b.salt, sizeof a.salt);
	scram_keys_fake(&b, STR("nobody@example.test"), other, 20000);
	assert_memory_not_equal(a.salt, b.salt, sizeof a.salt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(make_and_check),
		cmocka_unit_test(composed_and_decomposed_are_one),
		cmocka_unit_test(other_cost_is_old),
		cmocka_unit_test(imported),
		cmocka_unit_test(plain_is_hashed_at_once),
		cmocka_unit_test(imported_bytes_as_typed),
		cmocka_unit_test(refused_kinds),
		cmocka_unit_test(damaged_hash_fails),
		cmocka_unit_test(scram_vector),
		cmocka_unit_test(fake_salt_is_stable),
	};

	return cmocka_run_group_tests_name("auth/verifier", tests, NULL, NULL);
}
