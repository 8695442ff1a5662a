/* scheme.c - the kinds of password hashes that are understood, and those that are refused with words.
 *
 * Dovecot's names in braces are known; what decides is how the hash itself begins, because {CRYPT} covers several.
 * An imported hash is data: its cost parameters are read and bounded before anything is computed. */
#include "scheme.h"

#include <crypt.h>
#include <stdlib.h>

#include <sodium.h>

#include <postern/auth/verifier.h>
#include <postern/core/cur.h>
#include <postern/core/mem.h>

static bool
not_sound(const char **why, const char *words)
{
	*why = words;
	return false;
}

static bool
is_hash_char(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '/';
}

static bool
is_base64_char(char c)
{
	return ascii_is_alnum(c) || c == '+' || c == '/';
}

/* --- argon2 --- */

static bool
argon2_parse(struct str hash, uint64_t *memory, unsigned *passes)
{
	struct cur c = cur_init(hash);
	uint64_t lanes;

	if (!cur_take(&c, "$argon2id$v=19$m="))
		cur_want(&c, "$argon2i$v=19$m=");
	*memory = cur_number(&c, UINT32_MAX) * 1024;
	cur_want(&c, ",t=");
	*passes = (unsigned)cur_number(&c, UINT32_MAX);
	cur_want(&c, ",p=");
	lanes = cur_number(&c, 64);
	cur_want(&c, "$");
	cur_want_while(&c, is_base64_char, 64, "salt");
	cur_want(&c, "$");
	cur_want_while(&c, is_base64_char, 90, "hash");
	return cur_end(&c) && lanes > 0 && *passes > 0 && *memory > 0;
}

bool
scheme_argon2_cost(struct str hash, uint64_t *memory, unsigned *passes)
{
	return argon2_parse(hash, memory, passes);
}

static bool
argon2_sound(struct str hash, const char **why)
{
	uint64_t memory;
	unsigned passes;

	if (!argon2_parse(hash, &memory, &passes))
		return not_sound(why, "it is not a whole argon2 hash");
	if (memory > VERIFIER_MEMORY_MAX || passes > VERIFIER_PASSES_MAX)
		return not_sound(why, "it takes more memory or passes than this server spends on one login");
	return true;
}

static bool
argon2_match(const char *hash, struct str password, bool *broken)
{
	char text[crypto_pwhash_STRBYTES] = { 0 };
	size_t n = strlen(hash);

	if (n >= sizeof text) {
		*broken = true;
		return false;
	}
	memcpy(text, hash, n);
	return crypto_pwhash_str_verify(text, password.p, password.n) == 0;
}

/* --- crypt(3) --- */

/* "$5$" or "$6$", perhaps "rounds=N$", a salt, "$", the hash. */
static bool
sha_crypt_sound(struct str hash, size_t length, const char **why)
{
	struct cur c = cur_init(str_sub(hash, 3, hash.n));
	uint64_t rounds = 5000;

	if (cur_take(&c, "rounds=")) {
		rounds = cur_number(&c, UINT32_MAX);
		cur_want(&c, "$");
	}
	cur_while(&c, is_hash_char);
	cur_want(&c, "$");
	if (cur_while(&c, is_hash_char).n != length || !cur_end(&c))
		return not_sound(why, "it is not a whole hash of this kind");
	if (rounds > VERIFIER_ROUNDS_MAX)
		return not_sound(why, "it has more rounds than this server spends on one login");
	return true;
}

static bool
sha512_sound(struct str hash, const char **why)
{
	return sha_crypt_sound(hash, 86, why);
}

static bool
sha256_sound(struct str hash, const char **why)
{
	return sha_crypt_sound(hash, 43, why);
}

/* "$2b$12$" and 53 characters. */
static bool
bcrypt_sound(struct str hash, const char **why)
{
	struct cur c = cur_init(str_sub(hash, 4, hash.n));
	uint64_t cost = cur_number(&c, 99);

	cur_want(&c, "$");
	if (cur_while(&c, is_hash_char).n != 53 || !cur_end(&c))
		return not_sound(why, "it is not a whole bcrypt hash");
	if (cost > VERIFIER_BCRYPT_MAX)
		return not_sound(why, "its cost is higher than this server spends on one login");
	return true;
}

/* "$y$j9T$salt$hash": j = standard flags, 9 = memory cost (7 … F; D is 256 MiB), T or 5 = block size. */
static bool
yescrypt_sound(struct str hash, const char **why)
{
	struct cur c = cur_init(str_sub(hash, 3, hash.n));
	struct str cost;

	cur_want(&c, "j");
	cost = cur_bytes(&c, 2);
	cur_want(&c, "$");
	cur_while(&c, is_hash_char);
	cur_want(&c, "$");
	if (cur_while(&c, is_hash_char).n != 43 || !cur_end(&c))
		return not_sound(why, "it is not a whole yescrypt hash with the usual parameters");
	if (cost.p[0] < '7' || cost.p[0] > 'B' || (cost.p[1] != '5' && cost.p[1] != 'T'))
		return not_sound(why, "it takes more memory than this server spends on one login");
	return true;
}

static bool
crypt_match(const char *hash, struct str password, bool *broken)
{
	struct crypt_data *data = NEW(struct crypt_data);
	/* crypt(3) ends at a NUL, and takes no more than its limit: what has a NUL or is longer matches nothing, after the same work */
	struct str taken = str_sub(password, 0, CRYPT_MAX_PASSPHRASE_SIZE - 1);
	char *text = mem_cstr(taken);
	bool whole = password.n < CRYPT_MAX_PASSPHRASE_SIZE && !str_has(password, '\0');
	/* crypt_rn and not crypt_r: it never gives back "*0" for an error, and sanitizers leave it alone */
	const char *made = crypt_rn(text, hash, data, sizeof *data);
	bool same = false;

	if (made == NULL)
		*broken = true;
	else if (strlen(made) == strlen(hash) && whole)
		same = sodium_memcmp(made, hash, strlen(hash)) == 0;
	mem_wipe(text, taken.n);
	mem_wipe(data, sizeof *data);
	free(text);
	free(data);
	return same;
}

static const struct scheme schemes[] = {
	{ "argon2id", "$argon2id$", argon2_sound, argon2_match },
	{ "argon2i", "$argon2i$", argon2_sound, argon2_match },
	{ "sha512-crypt", "$6$", sha512_sound, crypt_match },
	{ "sha256-crypt", "$5$", sha256_sound, crypt_match },
	{ "bcrypt", "$2y$", bcrypt_sound, crypt_match },
	{ "bcrypt", "$2b$", bcrypt_sound, crypt_match },
	{ "bcrypt", "$2a$", bcrypt_sound, crypt_match },
	{ "yescrypt", "$y$", yescrypt_sound, crypt_match },
};

const struct scheme *
scheme_of(struct str hash)
{
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (str_starts(hash, str_of(schemes[i].prefix)))
			return &schemes[i];
	return NULL;
}

/* --- {NAMES} --- */

enum kind { IS_HASH, IS_PLAIN, IS_WEAK, IS_ELSEWHERE };

struct label {
	const char *name;
	enum kind kind;
};

static const struct label labels[] = {
	{ "ARGON2ID", IS_HASH },
	{ "ARGON2I", IS_HASH },
	{ "SHA512-CRYPT", IS_HASH },
	{ "SHA256-CRYPT", IS_HASH },
	{ "BLF-CRYPT", IS_HASH },
	{ "BCRYPT", IS_HASH },
	{ "CRYPT", IS_HASH },
	{ "PLAIN", IS_PLAIN },
	{ "CLEARTEXT", IS_PLAIN },
	{ "CLEAR", IS_PLAIN },
	{ "MD5-CRYPT", IS_WEAK },
	{ "MD5", IS_WEAK },
	{ "DES-CRYPT", IS_WEAK },
	{ "PLAIN-MD4", IS_WEAK },
	{ "PLAIN-MD5", IS_WEAK },
	{ "LDAP-MD5", IS_WEAK },
	{ "SMD5", IS_WEAK },
	{ "LANMAN", IS_WEAK },
	{ "NTLM", IS_WEAK },
	{ "CRAM-MD5", IS_WEAK },
	{ "HMAC-MD5", IS_WEAK },
	{ "DIGEST-MD5", IS_WEAK },
	{ "RPA", IS_WEAK },
	{ "OTP", IS_WEAK },
	{ "SHA", IS_WEAK },
	{ "SHA1", IS_WEAK },
	{ "SSHA", IS_WEAK },
	{ "SHA256", IS_WEAK },
	{ "SSHA256", IS_WEAK },
	{ "SHA512", IS_WEAK },
	{ "SSHA512", IS_WEAK },
	{ "SCRAM-SHA-1", IS_WEAK },
	{ "PBKDF2", IS_ELSEWHERE },
	{ "SCRAM-SHA-256", IS_ELSEWHERE },
};

static const struct label *
label_find(struct str name)
{
	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
		if (str_eq_nocase(name, str_of(labels[i].name)))
			return &labels[i];
	return NULL;
}

#define SET_NEW "set a new password with `postern user passwd`"

static bool
refuse(struct err *e, const char *words)
{
	return err_perm(e, "such a password hash cannot be taken over", "%s", words);
}

static bool
label_accept(const struct label *l, struct err *e)
{
	if (l == NULL)
		return refuse(e, "this kind of password hash is not known; " SET_NEW);
	if (l->kind == IS_WEAK)
		return refuse(e,
		    "this kind of password hash is too easily guessed from (MD5, DES or a single SHA) and is not taken "
		    "over; " SET_NEW);
	if (l->kind == IS_ELSEWHERE)
		return refuse(e, "this kind of password hash cannot be checked here; " SET_NEW);
	return true;
}

static bool
hash_accept(struct str hash, const struct scheme **scheme, struct err *e)
{
	const char *why = NULL;

	*scheme = scheme_of(hash);
	if (*scheme == NULL)
		return refuse(
		    e, "no argon2, SHA-crypt, bcrypt or yescrypt hash (MD5 and DES are not taken over); " SET_NEW);
	if (hash.n > VERIFIER_HASH_MAX || str_has(hash, '\0'))
		return refuse(e, "the hash is too long; " SET_NEW);
	if (!(*scheme)->sound(hash, &why))
		return err_perm(e, "such a password hash cannot be taken over",
		    "this %s hash is not taken over: %s; " SET_NEW, (*scheme)->name, why);
	return true;
}

bool
scheme_parse(struct str text, const struct scheme **scheme, struct str *rest, bool *plain, struct err *e)
{
	size_t end = str_find(text, '}');
	const struct label *l;

	*scheme = NULL;
	*plain = false;
	*rest = text;
	if (str_starts(text, STR("{")) && end < text.n) {
		l = label_find(str_sub(text, 1, end));
		*rest = str_sub(text, end + 1, text.n);
		if (!label_accept(l, e))
			return false;
		*plain = l->kind == IS_PLAIN;
	}
	return *plain || hash_accept(*rest, scheme, e);
}
