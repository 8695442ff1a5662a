/* ticket.c - login tickets: random to make, good once, forgotten in time. */
#include <postern/auth/ticket.h>

#include <stdlib.h>
#include <sys/queue.h>

#include <sodium.h>

#include <postern/core/map.h>
#include <postern/core/mem.h>

struct row {
	TAILQ_ENTRY(row) link;
	struct id ticket;
	struct mono until;
	uint64_t quota;
	size_t nuser;
	char user[TICKET_USER_MAX];
};

struct ticket_table {
	struct map rows;
	TAILQ_HEAD(, row) order; /* the oldest first */
};

static struct str
key_of(const struct id *ticket)
{
	return str_from(ticket->b, sizeof ticket->b);
}

struct id
ticket_new(void)
{
	struct id t;

	randombytes_buf(t.b, sizeof t.b);
	return t;
}

struct ticket_table *
ticket_table_new(void)
{
	struct ticket_table *t = NEW(struct ticket_table);

	map_init(&t->rows);
	TAILQ_INIT(&t->order);
	return t;
}

static void
row_drop(struct ticket_table *t, struct row *r)
{
	map_del(&t->rows, key_of(&r->ticket));
	TAILQ_REMOVE(&t->order, r, link);
	mem_wipe(r, sizeof *r);
	free(r);
}

void
ticket_table_free(struct ticket_table *t)
{
	if (t == NULL)
		return;
	while (!TAILQ_EMPTY(&t->order))
		row_drop(t, TAILQ_FIRST(&t->order));
	map_fini(&t->rows);
	free(t);
}

static void
drop_old(struct ticket_table *t, struct mono now)
{
	struct row *r;

	while ((r = TAILQ_FIRST(&t->order)) != NULL && (t->rows.n >= TICKET_MAX || !mono_before(now, r->until)))
		row_drop(t, r);
}

void
ticket_table_add(struct ticket_table *t, struct id ticket, struct str user, uint64_t quota, struct mono now)
{
	struct row *r;

	drop_old(t, now);
	if (user.n == 0 || user.n > TICKET_USER_MAX || map_get(&t->rows, key_of(&ticket)) != NULL)
		return;
	r = NEW(struct row);
	r->ticket = ticket;
	r->until = mono_add_ms(now, TICKET_MS);
	r->quota = quota;
	r->nuser = user.n;
	memcpy(r->user, user.p, user.n);
	map_put(&t->rows, key_of(&r->ticket), r);
	TAILQ_INSERT_TAIL(&t->order, r, link);
}

bool
ticket_table_take(struct ticket_table *t, struct id ticket, struct str user, uint64_t *quota, struct mono now)
{
	struct row *r = map_get(&t->rows, key_of(&ticket));
	bool good;

	if (r == NULL)
		return false;
	good = mono_before(now, r->until) && str_eq(user, str_from(r->user, r->nuser));
	if (good)
		*quota = r->quota;
	row_drop(t, r);
	return good;
}
