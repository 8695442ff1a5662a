/* deliver.c - deliveries in the loop: recipients opened, groups started, outcomes told. */
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "group.h"
#include "work.h"

static void kick(struct store *s);

struct group *
group_new(void)
{
	struct group *g = NEW(struct group);

	map_init(&g->by_id);
	g->last_arrived = &g->arrived;
	g->last_written = &g->written;
	return g;
}

static void
target_fini(struct target *t)
{
	blob_close(&t->blob);
	io_close(&t->dirs.fresh);
	io_close(&t->dirs.tmp);
	buf_fini(&t->head);
	free(t->user);
	free(t->mailbox);
	if (t->u == NULL)
		return;
	t->u->deliveries--;
	store_user_unref(t->u);
}

static void
delivery_free(struct delivery *d)
{
	if (map_get(&d->s->group->by_id, delivery_key(&d->id)) == d)
		map_del(&d->s->group->by_id, delivery_key(&d->id));
	for (size_t i = 0; i < d->n; i++)
		target_fini(&d->targets[i]);
	sync_fini(&d->set);
	io_close(&d->fd);
	free(d->targets);
	free(d);
}

void
group_free(struct group *g)
{
	size_t at = 0;
	struct str key;
	void *d;

	while (map_next(&g->by_id, &at, &key, &d))
		delivery_free(d);
	map_fini(&g->by_id);
	free(g);
}

bool
group_busy(const struct group *g)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&g->by_id, &at, &key, &value))
		if (((struct delivery *)value)->state != DELIVERY_PREPARED)
			return true;
	return false;
}

/* -- outcomes -- */

static void
arrive(struct target *t)
{
	struct arrival *a = NEW(struct arrival);
	struct store_user *u = t->u;

	a->id = t->d->id;
	a->mailbox = t->number;
	a->size = t->size;
	memcpy(a->name, t->name, sizeof a->name);
	*u->last_arrival = a;
	u->last_arrival = &a->next;
	u->narrivals++;
	map_put(&u->arrivals, delivery_key(&a->id), a);
	u->waiting_bytes += a->size;
	work_kick(u);
}

/* A mailbox may end while its mail is on the way, and takes the file along: the next try goes to INBOX. */
static bool
is_there(struct target *t)
{
	struct err e;
	struct store_view *v = store_view_open(t->u, &e);
	struct store_mailbox m;
	bool gone = v != NULL && !store_mailbox(v, t->number, &m) && !store_view_failed(v);

	if (v != NULL)
		store_view_close(v);
	return !gone;
}

static void
take_published(struct target *t)
{
	if (is_there(t)) {
		arrive(t);
		return;
	}
	err_temp(&t->err, SAY_LATER, "%s: the mailbox of a delivery was deleted meanwhile", t->user);
	t->state = TARGET_REFUSED;
}

static struct store_outcome
outcome_of(const struct target *t)
{
	static const enum store_delivered_state states[] = {
		[TARGET_OPENING] = STORE_REFUSED,
		[TARGET_READY] = STORE_PREPARED,
		[TARGET_PUBLISHED] = STORE_STORED,
		[TARGET_KNOWN] = STORE_STORED,
		[TARGET_REFUSED] = STORE_REFUSED,
	};

	return (struct store_outcome){ states[t->state], t->err };
}

static void
tell(struct delivery *d)
{
	struct store_outcome *outcomes = mem_array(d->n, sizeof *outcomes);

	for (size_t i = 0; i < d->n; i++)
		outcomes[i] = outcome_of(&d->targets[i]);
	if (d->done.fn != NULL && !d->s->closing)
		d->done.fn(d->done.ctx, outcomes, d->n);
	free(outcomes);
}

static bool
any(const struct delivery *d, enum target_state state)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->targets[i].state == state)
			return true;
	return false;
}

/* After a work or before the first one: what is prepared waits for its publishing, the rest is over. */
static void
settle(struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->targets[i].state == TARGET_PUBLISHED)
			take_published(&d->targets[i]);
	if (any(d, TARGET_READY)) {
		d->state = DELIVERY_PREPARED;
		tell(d);
		return;
	}
	/* the id is free before the callback, which may deliver it again */
	map_del(&d->s->group->by_id, delivery_key(&d->id));
	tell(d);
	delivery_free(d);
}

/* -- the works -- */

static struct delivery *
take_list(struct delivery **first, struct delivery ***last, enum delivery_state state)
{
	struct delivery *list = *first;

	*first = NULL;
	*last = first;
	for (struct delivery *d = list; d != NULL; d = d->next)
		d->state = state;
	return list;
}

static void
start(struct store *s, struct delivery *list, void (*run)(struct job *j), void (*done)(struct job *j))
{
	struct group_work *w = NEW(struct group_work);

	w->s = s;
	w->list = list;
	w->job.run = run;
	w->job.done = done;
	exec_submit(s->exec, &w->job);
}

static void
add_written(struct group *g, struct delivery *d)
{
	d->state = DELIVERY_WRITTEN;
	d->next = NULL;
	*g->last_written = d;
	g->last_written = &d->next;
}

static void
on_written(struct job *j)
{
	struct group_work *w = (struct group_work *)j;
	struct delivery *d;

	w->s->group->writing = false;
	while ((d = w->list) != NULL) {
		w->list = d->next;
		if (any(d, TARGET_READY))
			add_written(w->s->group, d);
		else
			settle(d);
	}
	kick(w->s);
	free(w);
}

static void
on_synced(struct job *j)
{
	struct group_work *w = (struct group_work *)j;
	struct delivery *d;

	w->s->group->syncing = false;
	kick(w->s); /* the next group starts before the peers are told */
	while ((d = w->list) != NULL) {
		w->list = d->next;
		settle(d);
	}
	free(w);
}

/* Names are given when the group starts, so that the names of a store become durable in their order. */
static void
give_names(struct delivery *list)
{
	for (struct delivery *d = list; d != NULL; d = d->next)
		for (size_t i = 0; i < d->n; i++) {
			struct target *t = &d->targets[i];

			if (d->publish && t->state == TARGET_READY)
				fname_fresh(t->name, store_clock_next(d->s), d->id, d->s->config.host, t->size);
		}
}

/* When nothing is under way and little has come, both works are one: two changes of threads less. */
static bool
is_calm(const struct group *g)
{
	enum { FEW = 4 };
	size_t n = 0;

	for (const struct delivery *d = g->arrived; d != NULL && n < FEW; d = d->next)
		n++;
	return n > 0 && n < FEW && !g->writing && !g->syncing && g->written == NULL;
}

static void
kick(struct store *s)
{
	struct group *g = s->group;

	if (is_calm(g)) {
		struct delivery *list = take_list(&g->arrived, &g->last_arrived, DELIVERY_SYNCING);

		g->syncing = true;
		give_names(list);
		start(s, list, group_whole, on_synced);
	}
	if (!g->writing && g->arrived != NULL) {
		g->writing = true;
		start(s, take_list(&g->arrived, &g->last_arrived, DELIVERY_WRITING), group_write, on_written);
	}
	if (!g->syncing && g->written != NULL) {
		struct delivery *list = take_list(&g->written, &g->last_written, DELIVERY_SYNCING);

		g->syncing = true;
		give_names(list);
		start(s, list, group_sync, on_synced);
	}
}

static void
opened_all(struct delivery *d)
{
	struct group *g = d->s->group;

	if (!any(d, TARGET_READY)) {
		settle(d);
		return;
	}
	d->state = DELIVERY_WRITING;
	d->next = NULL;
	*g->last_arrived = d;
	g->last_arrived = &d->next;
	sync_begin(&d->set, d->s->syncer);
	kick(d->s);
}

static void
on_opened(void *ctx, struct store_user *u, const struct err *e)
{
	struct target *t = ctx;
	struct delivery *d = t->d;

	t->u = u;
	if (u == NULL) {
		t->err = *e;
		t->state = TARGET_REFUSED;
	} else {
		u->deliveries++;
		t->state = deliver_check_target(t);
	}
	if (--d->opening == 0)
		opened_all(d);
}

static uint64_t
size_of(const struct delivery *d, const struct target *t)
{
	return t->head.n + d->parts[0].n + d->parts[1].n;
}

static void
target_init(struct delivery *d, struct target *t, const struct store_target *from)
{
	*t = (struct target){ .d = d, .limit = from->limit, .dirs = { -1, -1 } };
	err_clear(&t->err);
	blob_init(&t->blob);
	t->user = mem_cstr(from->user);
	t->mailbox = mem_cstr(from->mailbox);
	buf_init(&t->head, from->head.n);
	buf_add(&t->head, from->head);
	t->size = size_of(d, t);
}

/* The same id once more: what was prepared is forgotten, what is under way must end first. */
static bool
make_way(struct store *s, struct id id)
{
	struct delivery *d = map_get(&s->group->by_id, delivery_key(&id));

	if (d == NULL)
		return true;
	if (d->state != DELIVERY_PREPARED)
		return false;
	delivery_free(d);
	return true;
}

struct late_answer {
	struct store_delivered done;
	size_t n;
};

static void
answer_late(void *ctx)
{
	struct late_answer *a = ctx;
	struct store_outcome *outcomes = mem_array(a->n, sizeof *outcomes);

	for (size_t i = 0; i < a->n; i++) {
		outcomes[i].state = STORE_REFUSED;
		err_temp(&outcomes[i].err, SAY_LATER, "a delivery of this id is under way");
	}
	if (a->done.fn != NULL)
		a->done.fn(a->done.ctx, outcomes, a->n);
	free(outcomes);
	free(a);
}

static void
refuse(struct store *s, size_t n, struct store_delivered done)
{
	struct late_answer *a = NEW(struct late_answer);

	*a = (struct late_answer){ done, n };
	loop_defer(s->config.loop, answer_late, a);
}

void
store_deliver(
    struct store *s, const struct store_delivery *from, enum store_deliver_mode mode, struct store_delivered done)
{
	struct delivery *d;

	ASSERT(from->ntargets > 0 && from->ntargets <= STORE_TARGETS_MAX);
	if (!make_way(s, from->id)) {
		close(from->fd);
		refuse(s, from->ntargets, done);
		return;
	}
	d = NEW(struct delivery);
	d->s = s;
	d->id = from->id;
	d->fd = from->fd;
	memcpy(d->parts, from->parts, sizeof d->parts);
	d->n = d->opening = from->ntargets;
	d->publish = mode == STORE_DELIVER_WHOLE;
	d->done = done;
	d->targets = mem_array(d->n, sizeof *d->targets);
	map_put(&s->group->by_id, delivery_key(&d->id), d);
	for (size_t i = 0; i < d->n; i++)
		target_init(d, &d->targets[i], &from->targets[i]);
	for (size_t i = 0; i < from->ntargets; i++)
		store_user_open(s, from->targets[i].user, on_opened, &d->targets[i]);
}

void
store_publish(struct store *s, struct id id, struct store_delivered done)
{
	struct delivery *d = map_get(&s->group->by_id, delivery_key(&id));

	if (d == NULL || d->state != DELIVERY_PREPARED) {
		refuse(s, 0, done);
		return;
	}
	d->publish = true;
	d->done = done;
	add_written(s->group, d);
	kick(s);
}

void
store_drop(struct store *s, struct id id)
{
	struct delivery *d = map_get(&s->group->by_id, delivery_key(&id));

	if (d != NULL && d->state == DELIVERY_PREPARED)
		delivery_free(d);
}

void
store_drop_all(struct store *s)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&s->group->by_id, &at, &key, &value)) {
		struct delivery *d = value;

		if (d->state == DELIVERY_PREPARED)
			delivery_free(d);
	}
}
