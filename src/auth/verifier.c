/* verifier.c - making and checking what is stored instead of a password.
 *
 * Runs in hashing threads and in the command line: no state, no log. */
#include <postern/auth/verifier.h>

#include <sodium.h>

#include <postern/auth/password.h>
#include <postern/core/buf.h>
#include <postern/core/mem.h>

#include "scheme.h"

static bool
hash_make(struct verifier *v, struct str prepared, const struct verifier_cost *cost, struct err *e)
{
	char text[crypto_pwhash_STRBYTES];

	if (crypto_pwhash_str_alg(
		text, prepared.p, prepared.n, cost->passes, cost->memory, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return err_temp(e, SAY_LATER, "argon2id: %u passes over %llu bytes failed: not enough memory?",
		    cost->passes, (unsigned long long)cost->memory);
	memcpy(v->hash, text, strlen(text) + 1);
	return true;
}

static bool
keys_make(struct verifier *v, struct str password, const struct verifier_cost *cost, struct err *e)
{
	char salt[SCRAM_SALT_SIZE];

	if (cost->scram_iterations == 0)
		return true;
	randombytes_buf(salt, sizeof salt);
	if (!scram_keys_make(&v->scram, password, str_from(salt, sizeof salt), cost->scram_iterations))
		return err_temp(e, SAY_LATER, "SCRAM keys could not be computed");
	return true;
}

bool
verifier_make(struct verifier *v, struct str password, const struct verifier_cost *cost, struct err *e)
{
	struct buf prepared;
	const char *why = "";
	bool ok;

	*v = (struct verifier){ 0 };
	buf_init(&prepared, (size_t)PASSWORD_MAX * 4);
	if (!password_prepare(&prepared, password, &why))
		ok = err_perm(e, "this cannot be a password", "this cannot be a password: %s; choose another one", why);
	else
		ok = hash_make(v, buf_str(&prepared), cost, e) && keys_make(v, password, cost, e);
	buf_wipe(&prepared);
	return ok;
}

bool
verifier_import(struct verifier *v, struct str text, const struct verifier_cost *cost, struct err *e)
{
	const struct scheme *scheme;
	struct str rest;
	bool plain;

	*v = (struct verifier){ 0 };
	if (!scheme_parse(text, &scheme, &rest, &plain, e))
		return false;
	if (plain)
		return verifier_make(v, rest, cost, e);
	memcpy(v->hash, rest.p, rest.n);
	return true;
}

/* Is a new verifier worth making, now that the password is known? */
static bool
is_old(const struct verifier *v, const struct verifier_cost *cost)
{
	struct str hash = str_of(v->hash);
	uint64_t memory;
	unsigned passes;

	if (!str_starts(hash, STR("$argon2id$")) || !scheme_argon2_cost(hash, &memory, &passes))
		return true;
	return memory != cost->memory / 1024 * 1024 || passes != cost->passes ||
	       (v->scram.iterations == 0) != (cost->scram_iterations == 0);
}

/* The prepared form first. What was imported was not made from prepared bytes, so those as typed are tried, too; what
 * nobody could have set here is hashed all the same, to cost what any wrong password costs. */
static bool
match(const struct scheme *s, const struct verifier *v, bool old, struct str typed, struct str prepared, bool *broken)
{
	if (prepared.n > 0 && s->match(v->hash, prepared, broken))
		return true;
	if (*broken || str_eq(typed, prepared) || (prepared.n > 0 && !old))
		return false;
	return s->match(v->hash, str_sub(typed, 0, PASSWORD_MAX), broken) && typed.n > 0 && typed.n <= PASSWORD_MAX;
}

enum verifier_result
verifier_check(const struct verifier *v, struct str password, const struct verifier_cost *cost)
{
	const struct scheme *s = scheme_of(str_of(v->hash));
	struct buf prepared;
	const char *why;
	bool old = is_old(v, cost);
	bool broken = false;
	bool same;

	if (s == NULL || !s->sound(str_of(v->hash), &why))
		return VERIFIER_FAILED;
	buf_init(&prepared, (size_t)PASSWORD_MAX * 4);
	password_prepare(&prepared, password, NULL);
	same = match(s, v, old, password, buf_str(&prepared), &broken);
	buf_wipe(&prepared);
	if (broken)
		return VERIFIER_FAILED;
	if (!same)
		return VERIFIER_WRONG;
	return old ? VERIFIER_RIGHT_OLD : VERIFIER_RIGHT;
}

void
verifier_check_nobody(struct str password, const struct verifier_cost *cost)
{
	static const unsigned char salt[crypto_pwhash_SALTBYTES];
	unsigned char out[32];
	struct str bytes = str_sub(password, 0, PASSWORD_MAX);

	if (crypto_pwhash(out, sizeof out, bytes.n > 0 ? bytes.p : "", bytes.n, salt, cost->passes, cost->memory,
		crypto_pwhash_ALG_ARGON2ID13) == 0)
		mem_wipe(out, sizeof out);
}

const char *
verifier_scheme(const struct verifier *v)
{
	const struct scheme *s = scheme_of(str_of(v->hash));

	return s != NULL ? s->name : "unknown";
}
