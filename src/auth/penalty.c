/* penalty.c - the ledger of failed logins.
 *
 * A row's whole memory is the time at which its failures will be forgiven: each failure moves it on by
 * PENALTY_FORGIVE_MS, and what lies ahead of now, divided by that, is the number of failures that count. */
#include <postern/auth/penalty.h>

#include <stdlib.h>

#include <postern/core/buf.h>
#include <postern/core/mem.h>

#include "lru.h"

enum {
	GUESSES = 4,       /* remembered wrong guesses of a source */
	REPEATED_PART = 6, /* a guess made before counts a sixth */
	KEY_MAX = 1024,
};

struct debt {
	struct mono until;
};

struct source_row {
	struct debt debt;
	uint64_t guess[GUESSES];
	unsigned next;
};

struct account_row {
	struct debt debt;
	struct mono pace; /* the next stranger may try from here on */
};

struct friend_row {
	struct mono until;
};

struct penalty {
	struct lru sources;
	struct lru accounts;
	struct lru friends;
};

struct penalty *
penalty_new(void)
{
	struct penalty *p = NEW(struct penalty);

	lru_init(&p->sources, PENALTY_SOURCES_MAX, sizeof(struct source_row));
	lru_init(&p->accounts, PENALTY_ACCOUNTS_MAX, sizeof(struct account_row));
	lru_init(&p->friends, PENALTY_FRIENDS_MAX, sizeof(struct friend_row));
	return p;
}

void
penalty_free(struct penalty *p)
{
	if (p == NULL)
		return;
	lru_fini(&p->sources);
	lru_fini(&p->accounts);
	lru_fini(&p->friends);
	free(p);
}

/* An IPv6 host owns its /64; an IPv4 address stands for itself. */
static struct source
source_key(struct source from)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (memcmp(from.b, mapped, sizeof mapped) != 0)
		memset(from.b + 8, 0, 8);
	return from;
}

static struct str
source_str(const struct source *s)
{
	return str_from(s->b, sizeof s->b);
}

static struct str
account_key(struct str account)
{
	return str_sub(account, 0, KEY_MAX);
}

static void
friend_key(struct buf *key, struct source from, struct str account)
{
	struct source s = source_key(from);

	buf_init(key, KEY_MAX + sizeof s.b);
	buf_add(key, source_str(&s));
	buf_add(key, account_key(account));
}

static int64_t
failures(const struct debt *d, struct mono now)
{
	int64_t ahead = mono_ms_between(d->until, now);

	return ahead <= 0 ? 0 : (ahead + PENALTY_FORGIVE_MS - 1) / PENALTY_FORGIVE_MS;
}

static void
debt_add(struct debt *d, int64_t ms, struct mono now)
{
	struct mono most = mono_add_ms(now, (int64_t)PENALTY_COUNT_MAX * PENALTY_FORGIVE_MS);

	d->until = mono_add_ms(mono_before(d->until, now) ? now : d->until, ms);
	if (mono_before(most, d->until))
		d->until = most;
}

static int64_t
delay_for(int64_t count)
{
	int64_t ms = PENALTY_DELAY_MS;

	if (count <= PENALTY_FREE)
		return 0;
	for (int64_t i = PENALTY_FREE + 1; i < count && ms < PENALTY_DELAY_MAX_MS; i++)
		ms *= 2;
	return ms < PENALTY_DELAY_MAX_MS ? ms : PENALTY_DELAY_MAX_MS;
}

static bool
is_friend(struct penalty *p, struct source from, struct str account, struct mono now)
{
	struct buf key;
	const struct friend_row *row;
	bool yes;

	friend_key(&key, from, account);
	row = lru_get(&p->friends, buf_str(&key));
	yes = row != NULL && mono_before(now, row->until);
	buf_fini(&key);
	return yes;
}

static struct penalty_answer
ask_account(struct penalty *p, struct str account, struct mono now)
{
	struct account_row *row = lru_get(&p->accounts, account_key(account));
	int64_t count = row != NULL ? failures(&row->debt, now) : 0;

	if (count <= PENALTY_ACCOUNT_REFUSE)
		return (struct penalty_answer){ .delay_ms = delay_for(count) };
	if (mono_before(now, row->pace))
		return (struct penalty_answer){ .refuse = true,
			.why = "too many failed logins for this account from elsewhere" };
	row->pace = mono_add_ms(now, PENALTY_ACCOUNT_PACE_MS);
	return (struct penalty_answer){ .delay_ms = PENALTY_DELAY_MAX_MS };
}

static int64_t
source_failures(struct penalty *p, struct source from, struct mono now)
{
	struct source s = source_key(from);
	const struct source_row *row = lru_get(&p->sources, source_str(&s));

	return row != NULL ? failures(&row->debt, now) : 0;
}

struct penalty_answer
penalty_ask(struct penalty *p, struct source from, struct str account, struct mono now)
{
	int64_t count = source_failures(p, from, now);
	struct penalty_answer a = { 0 };
	int64_t delay = delay_for(count);

	if (count > PENALTY_SOURCE_REFUSE)
		return (struct penalty_answer){ .refuse = true, .why = "too many failed logins from this address" };
	if (!is_friend(p, from, account, now))
		a = ask_account(p, account, now);
	if (!a.refuse && a.delay_ms < delay)
		a.delay_ms = delay;
	return a;
}

bool
penalty_closed(struct penalty *p, struct source from, struct mono now)
{
	return source_failures(p, from, now) > PENALTY_SOURCE_REFUSE;
}

static bool
guessed_before(struct source_row *row, uint64_t guess)
{
	for (size_t i = 0; i < GUESSES; i++)
		if (row->guess[i] == guess)
			return true;
	row->guess[row->next++ % GUESSES] = guess;
	return false;
}

void
penalty_failure(struct penalty *p, struct source from, struct str account, uint64_t guess, struct mono now)
{
	struct source s = source_key(from);
	struct source_row *row = lru_put(&p->sources, source_str(&s));
	struct account_row *acc = lru_put(&p->accounts, account_key(account));
	int64_t ms = guessed_before(row, guess) ? PENALTY_FORGIVE_MS / REPEATED_PART : PENALTY_FORGIVE_MS;

	debt_add(&row->debt, ms, now);
	debt_add(&acc->debt, ms, now);
}

void
penalty_success(struct penalty *p, struct source from, struct str account, struct mono now)
{
	struct friend_row *row;
	struct buf key;

	friend_key(&key, from, account);
	row = lru_put(&p->friends, buf_str(&key));
	row->until = mono_add_ms(now, PENALTY_FRIEND_MS);
	buf_fini(&key);
}

size_t
penalty_sources(const struct penalty *p)
{
	return lru_count(&p->sources);
}

size_t
penalty_accounts(const struct penalty *p)
{
	return lru_count(&p->accounts);
}
