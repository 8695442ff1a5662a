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

/* What is hashed for one password, the prepared form first. What was imported was not made from prepared bytes, so those as typed are
 * tried, too. How many there are depends on the password alone, so that the time tells nothing of the account, nor whether there is one:
 * what cannot be right is hashed all the same. */
struct forms {
	struct str p[2];
	size_t n;
	bool typed; /* the last one is as typed */
};

static struct forms
forms_of(struct str typed, struct str prepared)
{
	struct forms f = { .n = 0 };

	if (prepared.n > 0)
		f.p[f.n++] = prepared;
	f.typed = prepared.n == 0 || !str_eq(typed, prepared);
	if (f.typed)
		f.p[f.n++] = typed.n > 0 ? str_sub(typed, 0, PASSWORD_MAX) : STR("");
	return f;
}

static bool
can_be_right(const struct forms *f, size_t i, struct str typed, bool old)
{
	if (i + 1 < f->n || !f->typed)
		return true;
	return old && typed.n > 0 && typed.n <= PASSWORD_MAX;
}

static bool
match(const struct scheme *s, const struct verifier *v, bool old, struct str typed, struct str prepared, bool *broken)
{
	struct forms f = forms_of(typed, prepared);

	for (size_t i = 0; i < f.n && !*broken; i++)
		if (s->match(v->hash, f.p[i], broken) && can_be_right(&f, i, typed, old))
			return true;
	return false;
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
	struct buf prepared;
	struct forms f;

	buf_init(&prepared, (size_t)PASSWORD_MAX * 4);
	password_prepare(&prepared, password, NULL);
	f = forms_of(password, buf_str(&prepared));
	for (size_t i = 0; i < f.n; i++)
		if (crypto_pwhash(out, sizeof out, f.p[i].p, f.p[i].n, salt, cost->passes, cost->memory,
			crypto_pwhash_ALG_ARGON2ID13) == 0)
			mem_wipe(out, sizeof out);
	buf_wipe(&prepared);
}

const char *
verifier_scheme(const struct verifier *v)
{
	const struct scheme *s = scheme_of(str_of(v->hash));

	return s != NULL ? s->name : "unknown";
}
