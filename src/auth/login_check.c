/* login_check.c - who may try, in which order passwords are hashed, and what is remembered of it.
 *
 * The order never changes: penalty, delay, cache, queue, penalty again, hash. At most as many guesses as there are
 * hashing threads are on their way when a failure is counted, so that a thousand connections at once are no way around
 * the ledger. A failure counts also when the client is gone by then. */
#include "login_own.h"

#include <stdlib.h>

#include <sodium.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "identity.h"

/* One check on its way through a hashing thread; it needs nothing of the exchange, which may end before it. */
struct check {
	struct pool_job job;
	uint64_t exchange;
	bool known;
	struct verifier verifier;
	struct verifier_cost cost;
	struct buf password;
	struct buf account;
	struct source client;
	uint8_t guess[GUESS_SIZE];
	enum verifier_result result;
	bool renewed;
	struct verifier fresh;
};

struct verifier_cost
login_cost(const struct conf *conf)
{
	return (struct verifier_cost){ conf->auth.hash_passes, conf->auth.hash_memory,
		conf->auth.scram ? SCRAM_ITERATIONS : 0 };
}

/* --- who is that --- */

static bool
names_other(struct login *l, struct exchange *x, struct arena *a)
{
	struct str authzid = buf_str(&x->sasl.authzid);
	struct str other;

	if (authzid.n == 0)
		return false;
	return !identity_of_login(l->conf, authzid, a, &other) || !str_eq(other, buf_str(&x->account));
}

/* False when the directory does not answer. */
static bool
identify(struct login *l, struct exchange *x, struct err *e)
{
	enum directory_found found = DIRECTORY_MISSING;
	struct arena a;
	struct str name;
	bool possible;

	arena_init(&a);
	possible = identity_of_login(l->conf, buf_str(&x->sasl.authcid), &a, &name);
	buf_clear(&x->account);
	buf_add(&x->account, name);
	if (possible)
		found = directory_user(l->dir, name, &a, &x->user, e);
	x->known = found == DIRECTORY_FOUND;
	x->user.address = buf_str(&x->account);
	x->sasl.other = names_other(l, x, &a);
	arena_fini(&a);
	return found != DIRECTORY_FAILED;
}

/* HMAC over the length of the name, the name and the password: no two pairs give the same bytes. */
static void
make_guess(struct login *l, struct exchange *x)
{
	struct str account = buf_str(&x->account);
	struct str password = buf_str(&x->sasl.password);
	uint32_t n = (uint32_t)account.n;
	crypto_auth_hmacsha256_state h;

	crypto_auth_hmacsha256_init(&h, l->guess_key, sizeof l->guess_key);
	crypto_auth_hmacsha256_update(&h, (const unsigned char *)&n, sizeof n);
	crypto_auth_hmacsha256_update(&h, (const unsigned char *)account.p, account.n);
	crypto_auth_hmacsha256_update(&h, (const unsigned char *)password.p, password.n);
	crypto_auth_hmacsha256_final(&h, x->guess);
	mem_wipe(&h, sizeof h);
}

/* --- the cache --- */

static struct str
guess_str(const uint8_t guess[static GUESS_SIZE])
{
	return str_from(guess, GUESS_SIZE);
}

static bool
is_cached(struct login *l, struct exchange *x)
{
	const struct right *r = lru_get(&l->cache, guess_str(x->guess));

	return r != NULL && x->known && !x->user.disabled && mono_before(mono_now(), r->until) &&
	       r->version == x->user.version && str_eq(str_from(r->user, r->nuser), buf_str(&x->account));
}

static void
remember(struct login *l, const struct exchange *x)
{
	struct right *r;

	if (l->conf->auth.cache_ms <= 0 || x->account.n > sizeof r->user)
		return;
	r = lru_put(&l->cache, guess_str(x->guess));
	r->until = mono_add_ms(mono_now(), l->conf->auth.cache_ms);
	r->version = x->user.version;
	r->nuser = x->account.n;
	memcpy(r->user, x->account.p, r->nuser);
}

/* --- the hashing threads --- */

static void
run_check(struct pool_job *job)
{
	struct check *c = (struct check *)job;
	struct err e;

	if (!c->known) {
		verifier_check_nobody(buf_str(&c->password), &c->cost);
		c->result = VERIFIER_WRONG;
		return;
	}
	c->result = verifier_check(&c->verifier, buf_str(&c->password), &c->cost);
	if (c->result == VERIFIER_RIGHT_OLD)
		c->renewed = verifier_make(&c->fresh, buf_str(&c->password), &c->cost, &e);
}

static struct check *
check_new(struct login *l, struct exchange *x)
{
	struct check *c = NEW(struct check);

	c->job.run = run_check;
	c->job.done = login_on_hashed;
	c->exchange = x->id;
	c->known = x->known;
	c->verifier = x->user.verifier;
	c->cost = login_cost(l->conf);
	c->client = x->client;
	memcpy(c->guess, x->guess, sizeof c->guess);
	buf_init(&c->password, SASL_MESSAGE_MAX);
	buf_add(&c->password, buf_str(&x->sasl.password));
	buf_init(&c->account, SASL_NAME_MAX * 2);
	buf_add(&c->account, buf_str(&x->account));
	return c;
}

void
login_drop_job(struct pool_job *job)
{
	struct check *c = (struct check *)job;

	buf_wipe(&c->password);
	buf_fini(&c->account);
	mem_wipe(c, sizeof *c);
	free(c);
}

void
login_leave_queue(struct login *l, struct exchange *x)
{
	if (x->stage != STAGE_WAITING)
		return;
	TAILQ_REMOVE(&l->waiting, x, wait);
	l->nwaiting--;
	x->stage = STAGE_CLIENT;
}

static void
refuse(struct login *l, struct exchange *x, const char *why)
{
	l->stats.refused++;
	login_end(l, x, LOGIN_LATER, true, login_words_refused, why);
}

/* Takes the first who waits; he may not be let in any more. */
static void
serve_one(struct login *l)
{
	struct exchange *x = TAILQ_FIRST(&l->waiting);

	login_leave_queue(l, x);
	if (penalty_closed(l->penalty, x->client, mono_now())) {
		refuse(l, x, "too many failed logins from this address");
		return;
	}
	x->stage = STAGE_HASHING;
	l->stats.checked++;
	pool_submit(l->pool, &check_new(l, x)->job);
}

void
login_pump(struct login *l)
{
	while (!TAILQ_EMPTY(&l->waiting) && pool_has_room(l->pool))
		serve_one(l);
}

static void
wait_for_thread(struct login *l, struct exchange *x)
{
	if (l->nwaiting >= LOGIN_WAITING_MAX) {
		l->stats.too_late++;
		login_end(l, x, LOGIN_LATER, false, login_words_later, "too many logins wait for a hashing thread");
		return;
	}
	x->stage = STAGE_WAITING;
	x->due = mono_add_ms(mono_now(), l->conf->auth.hash_wait_ms);
	TAILQ_INSERT_TAIL(&l->waiting, x, wait);
	l->nwaiting++;
	login_arm(l);
	login_pump(l);
}

/* A better verifier for the password that was just right. If it cannot be written the old one goes on working. */
static void
renew(struct login *l, const struct exchange *x, const struct check *c)
{
	struct err e;

	if (c->renewed && !directory_user_upgrade(l->dir, buf_str(&x->account), x->user.version, &c->fresh, &e))
		log_say(LEVEL_WARN, "account", "a better password hash could not be stored: %s", e.log);
}

static void
take_result(struct login *l, struct exchange *x, const struct check *c)
{
	bool right = c->result == VERIFIER_RIGHT || c->result == VERIFIER_RIGHT_OLD;

	if (c->result == VERIFIER_FAILED) {
		login_end(l, x, LOGIN_LATER, false, login_words_later,
		    "the stored password hash is damaged, or memory is short");
		return;
	}
	if (right && !x->user.disabled) {
		renew(l, x, c);
		remember(l, x);
	}
	login_advance(l, x, sasl_checked(&x->sasl, right && !x->user.disabled));
}

void
login_on_hashed(struct pool_job *job, void *ctx)
{
	struct check *c = (struct check *)job;
	struct login *l = ctx;
	struct exchange *x = login_find(l, c->exchange);
	uint64_t guess;

	memcpy(&guess, c->guess, sizeof guess);
	if (c->result == VERIFIER_WRONG)
		penalty_failure(l->penalty, c->client, buf_str(&c->account), guess, mono_now());
	if (x != NULL)
		take_result(l, x, c);
	login_drop_job(job);
	login_pump(l);
}

/* --- admission --- */

static void
check_password(struct login *l, struct exchange *x)
{
	make_guess(l, x);
	if (is_cached(l, x)) {
		l->stats.cached++;
		login_advance(l, x, sasl_checked(&x->sasl, true));
		return;
	}
	wait_for_thread(l, x);
}

static void
give_keys(struct login *l, struct exchange *x)
{
	const struct scram_keys *real = &x->user.verifier.scram;
	bool usable = x->known && !x->user.disabled && real->iterations != 0;
	struct scram_keys fake;

	scram_keys_fake(&fake, buf_str(&x->account), l->salt_key, SCRAM_ITERATIONS);
	login_advance(l, x, sasl_keys(&x->sasl, usable ? real : &fake, usable));
}

void
login_go_on(struct login *l, struct exchange *x)
{
	x->stage = STAGE_CLIENT;
	if (x->want == SASL_CHECK_PASSWORD)
		check_password(l, x);
	else
		give_keys(l, x);
}

void
login_admit(struct login *l, struct exchange *x, enum sasl_next want)
{
	struct penalty_answer p;
	struct err e;

	x->want = want;
	if (!identify(l, x, &e)) {
		login_end(l, x, LOGIN_LATER, false, login_words_later, e.log);
		return;
	}
	p = penalty_ask(l->penalty, x->client, buf_str(&x->account), mono_now());
	if (p.refuse) {
		refuse(l, x, p.why);
		return;
	}
	if (p.delay_ms == 0) {
		login_go_on(l, x);
		return;
	}
	x->stage = STAGE_DELAYED;
	x->due = mono_add_ms(mono_now(), p.delay_ms);
	login_arm(l);
}

/* The words for the administrator; true if there is nothing to say against the login. */
static bool
judge(const struct user *u, struct str password, const struct verifier_cost *cost, struct err *e)
{
	switch (verifier_check(&u->verifier, password, cost)) {
	case VERIFIER_RIGHT:
	case VERIFIER_RIGHT_OLD:
		break;
	case VERIFIER_WRONG:
		return err_perm(e, login_words_wrong, "the password is not that of %.*s", STR_ARG(u->address));
	case VERIFIER_FAILED:
		return err_temp(e, login_words_later, "the stored password hash of %.*s is damaged, or memory is short",
		    STR_ARG(u->address));
	}
	return !u->disabled || err_perm(e, login_words_wrong,
				   "the password is right, but %.*s is disabled: `postern user enable` allows it again",
				   STR_ARG(u->address));
}

enum login_verdict
login_check_now(struct directory *dir, const struct conf *conf, struct str user, struct str password, struct err *e)
{
	struct verifier_cost cost = login_cost(conf);
	enum directory_found found;
	struct user u = { 0 };
	struct arena a;
	struct str name;
	bool ok = false;

	arena_init(&a);
	err_clear(e);
	found = identity_of_login(conf, user, &a, &name) ? directory_user(dir, name, &a, &u, e) : DIRECTORY_MISSING;
	if (found == DIRECTORY_MISSING)
		err_perm(e, login_words_wrong, "%.*s is no account of this server", STR_ARG(name));
	else if (found == DIRECTORY_FOUND)
		ok = judge(&u, password, &cost, e);
	mem_wipe(&u, sizeof u);
	arena_fini(&a);
	if (ok)
		return LOGIN_OK;
	return e->class == ERR_TEMP ? LOGIN_LATER : LOGIN_WRONG;
}
