/* login.c - the exchanges of the auth role: from a front's question to the one answer it gets.
 *
 * Exchanges stand in the order of their start, which is the order of their deadlines. */
#include "login_own.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include <postern/auth/admin.h>
#include <postern/auth/ticket.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

static const char words_ok[] = "authentication succeeded";
const char login_words_wrong[] = "authentication credentials invalid";
const char login_words_later[] = "temporary authentication failure, please try again later";
const char login_words_refused[] = "too many failed logins, please try again later";

static void
client_text(const struct source *s, char out[static INET6_ADDRSTRLEN])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (memcmp(s->b, mapped, sizeof mapped) == 0)
		inet_ntop(AF_INET, s->b + 12, out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, s->b, out, INET6_ADDRSTRLEN);
}

/* A name that is no address may be a password in the wrong field: it stays out of the log. */
static struct str
name_for_log(const struct exchange *x)
{
	if (x->known || str_has(buf_str(&x->sasl.authcid), '@'))
		return buf_str(&x->account);
	return STR("?");
}

static void
log_login(const struct exchange *x, bool ok, const char *why)
{
	char client[INET6_ADDRSTRLEN];
	struct log_line line;

	client_text(&x->client, client);
	log_begin(&line, ok ? LEVEL_INFO : LEVEL_WARN, "login");
	log_cstr(&line, "sid", x->sid);
	log_cstr(&line, "service", x->service);
	log_cstr(&line, "client", client);
	log_str(&line, "user", name_for_log(x));
	if (x->sasl.mechanism != NULL)
		log_str(&line, "mech", sasl_name(&x->sasl));
	log_cstr(&line, "ok", ok ? "yes" : "no");
	log_cstr(&line, "why", why);
	log_end(&line);
}

/* --- exchanges --- */

static struct str
id_key(const uint64_t *id)
{
	return str_from(id, sizeof *id);
}

struct exchange *
login_find(const struct login *l, uint64_t id)
{
	return map_get(&l->by_id, id_key(&id));
}

static void
copy_text(char *to, size_t size, struct str from)
{
	from = str_sub(from, 0, size - 1);
	if (from.n > 0)
		memcpy(to, from.p, from.n);
	to[from.n] = '\0';
}

static struct exchange *
exchange_new(struct login *l, const struct login_ask *ask)
{
	struct exchange *x = NEW(struct exchange);

	x->id = ++l->last_id;
	x->owner = ask->owner;
	x->client = ask->client;
	copy_text(x->service, sizeof x->service, ask->service);
	copy_text(x->sid, sizeof x->sid, ask->sid);
	x->until = mono_add_ms(mono_now(), LOGIN_EXCHANGE_MS);
	buf_init(&x->account, SASL_NAME_MAX * 2);
	map_put(&l->by_id, id_key(&x->id), x);
	TAILQ_INSERT_TAIL(&l->all, x, link);
	l->stats.exchanges++;
	return x;
}

static void
exchange_free(struct login *l, struct exchange *x)
{
	login_leave_queue(l, x);
	map_del(&l->by_id, id_key(&x->id));
	TAILQ_REMOVE(&l->all, x, link);
	l->stats.exchanges--;
	sasl_fini(&x->sasl);
	buf_fini(&x->account);
	mem_wipe(x, sizeof *x);
	free(x);
}

void
login_end(
    struct login *l, struct exchange *x, enum login_verdict verdict, bool close, const char *words, const char *why)
{
	struct login_answer a = { .verdict = verdict, .close = close, .words = words };
	login_fn *fn = x->fn;
	void *ctx = x->ctx;

	log_login(x, verdict == LOGIN_OK, why);
	exchange_free(l, x);
	if (fn != NULL) /* none while it is the client's turn */
		fn(ctx, &a);
}

static void
end_ok(struct login *l, struct exchange *x)
{
	struct buf user;
	struct login_answer a = {
		.verdict = LOGIN_OK, .words = words_ok, .quota = admin_quota(l->conf, &x->user)
	};
	login_fn *fn = x->fn;
	void *ctx = x->ctx;

	a.ticket = ticket_new();
	penalty_success(l->penalty, x->client, buf_str(&x->account), mono_now());
	log_login(x, true, "");
	buf_init(&user, SASL_NAME_MAX * 2);
	buf_add(&user, buf_str(&x->account));
	a.user = buf_str(&user);
	exchange_free(l, x);
	fn(ctx, &a);
	buf_fini(&user);
}

static void
give_challenge(struct login *l, struct exchange *x)
{
	struct login_answer a = {
		.verdict = LOGIN_CHALLENGE, .exchange = x->id, .words = "", .data = buf_str(&x->sasl.out)
	};
	login_fn *fn = x->fn;

	x->stage = STAGE_CLIENT;
	x->fn = NULL;
	login_arm(l);
	fn(x->ctx, &a);
}

/* The account as it is now, not as it was when the exchange began: a disabled one or a new password ends it. */
static void
confirm(struct login *l, struct exchange *x)
{
	struct user now;
	struct arena a;
	struct err e;
	enum directory_found found;
	bool same;

	arena_init(&a);
	found = directory_user(l->dir, buf_str(&x->account), &a, &now, &e);
	same = found == DIRECTORY_FOUND && !now.disabled && now.version == x->user.version;
	if (same)
		x->user.quota = now.quota;
	mem_wipe(&now, sizeof now);
	arena_fini(&a);
	if (found == DIRECTORY_FAILED)
		login_end(l, x, LOGIN_LATER, false, login_words_later, e.log);
	else if (!same)
		login_end(l, x, LOGIN_WRONG, false, login_words_wrong, "the account was changed meanwhile");
	else
		end_ok(l, x);
}

static const char *
why_wrong(const struct exchange *x)
{
	if (!x->known)
		return x->account.n > 0 ? "no such user" : x->sasl.why;
	if (x->user.disabled)
		return "the account is disabled";
	if (x->want == SASL_WANT_KEYS && x->user.verifier.scram.iterations == 0)
		return "no SCRAM keys for this account yet; a login with PLAIN makes them";
	return x->sasl.why;
}

void
login_advance(struct login *l, struct exchange *x, enum sasl_next next)
{
	switch (next) {
	case SASL_CHALLENGE:
		give_challenge(l, x);
		break;
	case SASL_CHECK_PASSWORD:
	case SASL_WANT_KEYS:
		login_admit(l, x, next);
		break;
	case SASL_OK:
		confirm(l, x);
		break;
	case SASL_WRONG:
		login_end(l, x, LOGIN_WRONG, false, login_words_wrong, why_wrong(x));
		break;
	case SASL_FORBIDDEN:
		login_end(l, x, LOGIN_FORBIDDEN, false, login_words_wrong, x->sasl.why);
		break;
	case SASL_UNKNOWN:
		login_end(l, x, LOGIN_UNKNOWN, false, "authentication mechanism not offered", x->sasl.why);
		break;
	case SASL_MALFORMED:
		login_end(l, x, LOGIN_MALFORMED, false, "malformed authentication exchange", x->sasl.why);
		break;
	}
}

/* A wrong SCRAM proof is a failed guess like any other, but every proof is different: it cannot be known again. */
static void
count_scram_failure(struct login *l, struct exchange *x, enum sasl_next next)
{
	uint64_t guess;

	if (next != SASL_WRONG || x->want != SASL_WANT_KEYS)
		return;
	randombytes_buf(&guess, sizeof guess);
	penalty_failure(l->penalty, x->client, buf_str(&x->account), guess, mono_now());
}

void
login_start(struct login *l, const struct login_ask *ask, login_fn *on_answer, void *ctx)
{
	struct sasl_channel channel = ask->channel;
	struct exchange *x;

	if (l->stats.exchanges >= LOGIN_EXCHANGES_MAX) {
		on_answer(ctx, &(struct login_answer){ .verdict = LOGIN_LATER, .words = login_words_later });
		return;
	}
	x = exchange_new(l, ask);
	x->fn = on_answer;
	x->ctx = ctx;
	channel.scram = l->conf->auth.scram;
	login_advance(l, x, sasl_start(&x->sasl, ask->mechanism, ask->initial, &channel));
}

void
login_step(struct login *l, uint32_t owner, uint64_t exchange, struct str response, login_fn *on_answer, void *ctx)
{
	struct exchange *x = login_find(l, exchange);
	enum sasl_next next;

	if (x == NULL || x->owner != owner || x->stage != STAGE_CLIENT) {
		on_answer(ctx, &(struct login_answer){ .verdict = LOGIN_LATER, .words = login_words_later });
		return;
	}
	x->fn = on_answer;
	x->ctx = ctx;
	next = sasl_step(&x->sasl, response);
	count_scram_failure(l, x, next);
	login_advance(l, x, next);
}

void
login_abort(struct login *l, uint32_t owner, uint64_t exchange)
{
	struct exchange *x = login_find(l, exchange);

	if (x == NULL || x->owner != owner)
		return;
	login_end(l, x, LOGIN_LATER, false, login_words_later, "cancelled by the client");
	login_pump(l);
}

void
login_drop(struct login *l, uint32_t owner)
{
	struct exchange *x;
	struct exchange *next;

	for (x = TAILQ_FIRST(&l->all); x != NULL; x = next) {
		next = TAILQ_NEXT(x, link);
		if (x->owner == owner)
			exchange_free(l, x);
	}
	login_pump(l);
}

/* --- time --- */

static bool
is_due(const struct exchange *x, struct mono now)
{
	switch (x->stage) {
	case STAGE_CLIENT:
		return !mono_before(now, x->until);
	case STAGE_DELAYED:
	case STAGE_WAITING:
		return !mono_before(now, x->due);
	case STAGE_HASHING:
		break;
	}
	return false;
}

static struct exchange *
find_due(struct login *l, struct mono now)
{
	struct exchange *x;

	TAILQ_FOREACH(x, &l->all, link)
	if (is_due(x, now))
		return x;
	return NULL;
}

static void
act(struct login *l, struct exchange *x)
{
	switch (x->stage) {
	case STAGE_CLIENT: /* a later step finds nothing */
		login_end(l, x, LOGIN_LATER, false, login_words_later, "the client took too long");
		break;
	case STAGE_DELAYED:
		login_go_on(l, x);
		break;
	case STAGE_WAITING:
		l->stats.too_late++;
		login_end(l, x, LOGIN_LATER, false, login_words_later, "no hashing thread came free in time");
		break;
	case STAGE_HASHING:
		break;
	}
}

void
login_tick(struct login *l)
{
	struct exchange *x;

	while ((x = find_due(l, mono_now())) != NULL)
		act(l, x);
	login_arm(l);
}

static void
on_timer(void *ctx)
{
	login_tick(ctx);
}

void
login_arm(struct login *l)
{
	struct mono now = mono_now();
	int64_t soonest = INT64_MAX;
	struct exchange *x;

	TAILQ_FOREACH(x, &l->all, link)
	{
		int64_t ms = mono_ms_between(x->stage == STAGE_CLIENT ? x->until : x->due, now);

		if (x->stage != STAGE_HASHING && ms < soonest)
			soonest = ms;
	}
	if (soonest == INT64_MAX)
		loop_timer_stop(&l->timer);
	else
		loop_timer_start(&l->timer, soonest > 0 ? soonest : 0);
}

/* --- the service --- */

/* Who exists keeps his salt over restarts, so that a name that does not must, too (RFC 5802 9). */
static void
recall_salts(struct login *l)
{
	struct err e;

	if (directory_secret(l->dir, l->salt_key, &e))
		return;
	log_say(LEVEL_WARN, "login", "salts of names that do not exist are new ones: %s", e.log);
	randombytes_buf(l->salt_key, sizeof l->salt_key);
}

struct login *
login_new(struct loop *loop, struct directory *dir, const struct conf *conf)
{
	struct login *l = NEW(struct login);

	l->loop = loop;
	l->dir = dir;
	l->conf = conf_ref(conf);
	l->penalty = penalty_new();
	l->pool = pool_new(loop, conf->auth.hash_threads, l);
	lru_init(&l->cache, LOGIN_CACHE_MAX, sizeof(struct right));
	TAILQ_INIT(&l->all);
	TAILQ_INIT(&l->waiting);
	map_init(&l->by_id);
	loop_timer_init(&l->timer, loop, on_timer, l);
	/* a front may still step an exchange of the auth before this one: its number must not be another client's now */
	randombytes_buf(&l->last_id, sizeof l->last_id);
	randombytes_buf(l->guess_key, sizeof l->guess_key);
	recall_salts(l);
	return l;
}

void
login_free(struct login *l)
{
	if (l == NULL)
		return;
	pool_free(l->pool, login_drop_job);
	while (!TAILQ_EMPTY(&l->all))
		exchange_free(l, TAILQ_FIRST(&l->all));
	loop_timer_fini(&l->timer);
	map_fini(&l->by_id);
	lru_fini(&l->cache);
	penalty_free(l->penalty);
	conf_unref(l->conf);
	mem_wipe(l, sizeof *l);
	free(l);
}

void
login_reload(struct login *l, const struct conf *conf)
{
	const struct conf *old = l->conf;

	l->conf = conf_ref(conf);
	conf_unref(old);
}

void
login_stats(const struct login *l, struct login_stats *out)
{
	*out = l->stats;
	out->waiting = l->nwaiting;
	out->hashing = pool_busy(l->pool);
}
