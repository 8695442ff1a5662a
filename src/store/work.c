/* work.c - one work after the other for each user: what is due is collected, run in a thread, told in the loop. */
#include "work.h"

#include <errno.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "group.h"

enum {
	LATER_MS = 1500,    /* deliveries nobody watches, file actions and cache rows wait so long for company */
	ARRIVALS_MAX = 500, /* so many do not wait */
};

static void on_done(struct job *j);

/* What mostly computes, and nobody has asked for. */
static bool
is_patient(enum work_kind kind)
{
	return kind == WORK_CACHE || kind == WORK_GRAMS || kind == WORK_REBUILD;
}

static void
start(struct work *w)
{
	w->u->running = w;
	w->job.run = work_run;
	w->job.done = on_done;
	w->job.patient = is_patient(w->kind);
	exec_submit(w->store->exec, &w->job);
}

static struct work *
work_new(struct store_user *u, enum work_kind kind)
{
	struct work *w = NEW(struct work);

	w->u = u;
	w->store = u->store;
	w->kind = kind;
	w->ix = &u->ix;
	w->todo_left = u->todo_left;
	w->bytes = u->bytes;
	err_clear(&w->err);
	return w;
}

static void
tell_request(struct work *w, struct store_request *r)
{
	struct store_result result = {
		.code = r->code,
		.err = &r->err,
		.mailbox = r->mailbox,
		.uidvalidity = r->uidvalidity,
		.modseq = r->modseq,
		.uids = &r->uids,
		.source = &r->source,
		.failed = &r->failed,
	};

	if (r->done.fn != NULL && !w->store->closing)
		r->done.fn(r->done.ctx, &result);
}

/* All that was asked fails for the same reason. */
static void
fail_requests(struct work *w)
{
	for (struct store_request *r = w->requests; r != NULL; r = r->next) {
		if (r->refused)
			continue;
		request_reset(r);
		request_refuse(r, STORE_UNAVAILABLE, "%s", w->err.log);
		r->err.say = w->err.say;
	}
}

static void
tell(struct work *w)
{
	struct store_request *r;

	while ((r = w->requests) != NULL) {
		w->requests = r->next;
		tell_request(w, r);
		request_free(r);
	}
	for (size_t i = 0; i < w->events.n && !w->store->closing; i++) {
		grams_note(w->u, &w->events.p[i]);
		watch_tell(w->u, &w->events.p[i]);
	}
}

static void
settle_arrivals(struct work *w)
{
	struct store_user *u = w->u;
	struct arrival *a, *last = NULL;

	if (w->err.class == ERR_NONE) {
		while ((a = w->arrivals) != NULL) {
			w->arrivals = a->next;
			u->waiting_bytes -= a->size;
			u->narrivals--;
			map_del(&u->arrivals, delivery_key(&a->id));
			free(a);
		}
		return;
	}
	for (a = w->arrivals; a != NULL; a = a->next)
		last = a;
	if (last == NULL)
		return;
	last->next = u->first_arrival;
	if (u->first_arrival == NULL)
		u->last_arrival = &last->next;
	u->first_arrival = w->arrivals;
	w->arrivals = NULL;
}

static void
judge(struct work *w)
{
	if (w->err.class == ERR_NONE && w->rc != 0)
		err_temp(&w->err, w->rc == ENOSPC || w->rc == MDB_MAP_FULL ? SAY_DISK : SAY_LATER, "index: %s",
		    mdb_strerror(w->rc));
	if (index_is_damage(w->rc))
		user_break(w->u, &w->err);
	if (w->err.class != ERR_NONE)
		fail_requests(w);
}

static void
take_wants(struct work *w)
{
	struct store_user *u = w->u;

	if (w->wants != NULL && u->wants == NULL && w->kind != WORK_CACHE)
		u->wants_due = mono_add_ms(mono_now(), LATER_MS / 2); /* the timer may have begun to run before */
	while (w->wants != NULL) {
		struct cache_want *want = w->wants;

		w->wants = want->next;
		wants_add(&u->wants, want->mailbox, &want->uids);
		uidset_fini(&want->uids);
		free(want);
	}
}

static void
take_results(struct work *w)
{
	struct store_user *u = w->u;
	uint64_t before = u->bytes;

	u->todo_left = w->todo_left;
	if (w->err.class != ERR_NONE)
		return;
	u->bytes = w->bytes;
	take_wants(w);
	if (u->bytes != before && u->store->config.on_usage != NULL && !u->store->closing)
		u->store->config.on_usage(u->store->config.ctx, str_of(u->address), u->bytes);
}

static void
free_str(struct str s)
{
	if (s.n > 0)
		free((void *)(uintptr_t)s.p);
}

static void
free_event(const struct store_event *event)
{
	free_str(event->entries);
	free_str(event->name);
	free_str(event->old_name);
}

static void
free_work(struct work *w)
{
	looks_free(w);
	while (w->wants != NULL) {
		struct cache_want *want = w->wants;

		w->wants = want->next;
		uidset_fini(&want->uids);
		free(want);
	}
	for (size_t i = 0; i < w->events.n; i++)
		free_event(&w->events.p[i]);
	free(w->events.p);
	free(w->gram);
	free(w);
}

/* The map grows while nothing is open in it: no view survives a turn of the loop. */
static bool
grow(struct work *w)
{
	MDB_envinfo info;

	w->grow = false;
	if (w->u->reader != NULL && !w->u->reader_taken) {
		mdb_txn_abort(w->u->reader);
		w->u->reader = NULL;
	}
	if (w->u->reader_taken || mdb_env_info(w->ix->env, &info) != 0)
		return false;
	return mdb_env_set_mapsize(w->ix->env, info.me_mapsize * 2) == 0;
}

static void
on_done(struct job *j)
{
	struct work *w = (struct work *)j;
	struct store_user *u = w->u;

	if (w->grow && grow(w)) {
		w->rc = 0;
		start(w);
		return;
	}
	u->running = NULL;
	u->used = mono_now();
	u->refs++;
	if (w->rc == MDB_MAP_FULL)
		grow(w); /* what failed is tried again when the timer comes */
	judge(w);
	take_results(w);
	settle_arrivals(w);
	if ((w->compacted || w->rc == MDB_PANIC) && !u->reader_taken)
		user_close_index(u); /* after a failed write of its last page LMDB wants to be opened anew */
	u->held = w->err.class != ERR_NONE;
	if (w->gram != NULL)
		grams_done(u, w->gram);
	grams_mend(u);
	if (w->kind == WORK_LOAD)
		user_loaded(u, &w->err);
	if (w->kind == WORK_REBUILD)
		admin_rebuilt(u, &w->err);
	tell(w);
	free_work(w);
	work_kick(u);
	store_user_unref(u);
}

static void
wait_for_company(struct store_user *u)
{
	if (u->timer_on)
		return;
	u->timer_on = true;
	loop_timer_start(&u->timer, LATER_MS);
}

static bool
is_due(const struct store_user *u)
{
	if (u->held)
		return false;
	return u->due || u->store->settling || u->narrivals >= ARRIVALS_MAX ||
	       (u->first_arrival != NULL && watch_any(u));
}

static bool
wants_are_due(const struct store_user *u)
{
	return u->wants != NULL && (u->store->settling || !mono_before(mono_now(), u->wants_due));
}

static struct work *
next_batch(struct store_user *u)
{
	struct work *w = work_new(u, WORK_BATCH);

	w->requests = u->first_request;
	u->first_request = NULL;
	u->last_request = &u->first_request;
	w->arrivals = u->first_arrival;
	u->first_arrival = NULL;
	u->last_arrival = &u->first_arrival;
	return w;
}

static struct work *
next_grams(struct store_user *u)
{
	struct gram_work *gram = grams_next(u);
	struct work *w = gram != NULL ? work_new(u, WORK_GRAMS) : NULL;

	if (w != NULL)
		w->gram = gram;
	return w;
}

static struct work *
next_work(struct store_user *u)
{
	struct work *w;

	if (u->rebuild)
		return work_new(u, WORK_REBUILD);
	/* file actions that have waited long enough take turns with requests that never cease */
	u->drain_turn = !u->drain_turn && u->due && u->todo_left && !u->held;
	if (u->drain_turn)
		return work_new(u, WORK_DRAIN);
	if (u->first_request != NULL || (u->first_arrival != NULL && is_due(u)))
		return next_batch(u);
	if (u->held)
		return NULL;
	if (u->todo_left && is_due(u))
		return work_new(u, WORK_DRAIN);
	if (wants_are_due(u)) {
		w = work_new(u, WORK_CACHE);
		w->wants = u->wants;
		u->wants = NULL;
		return w;
	}
	return next_grams(u);
}

static void
refuse_all(struct store_user *u)
{
	struct work *w;

	if (u->first_request == NULL)
		return;
	w = next_batch(u);
	u->first_arrival = w->arrivals;
	for (u->last_arrival = &u->first_arrival; *u->last_arrival != NULL; u->last_arrival = &(*u->last_arrival)->next)
		;
	w->arrivals = NULL;
	w->err = u->why;
	fail_requests(w);
	tell(w);
	free_work(w);
}

static void
refuse_later(void *ctx)
{
	struct store_user *u = ctx;

	refuse_all(u);
	store_user_unref(u);
}

void
work_kick(struct store_user *u)
{
	struct work *w;
	struct err e;

	if (u->running != NULL || u->state == USER_LOADING || u->state == USER_LEAVING)
		return;
	if (u->state == USER_BROKEN || user_index(u, &e) == NULL) {
		u->refs++;
		loop_defer(u->store->config.loop, refuse_later, u);
		if (u->state == USER_READY)
			wait_for_company(u);
		return;
	}
	w = next_work(u);
	if (w != NULL) {
		start(w);
		return;
	}
	u->due = false;
	if (u->first_arrival != NULL || u->todo_left || u->wants != NULL || u->held)
		wait_for_company(u);
}

void
work_load(struct store_user *u)
{
	struct work *w = work_new(u, WORK_LOAD);

	w->rebuild = u->rebuild;
	start(w);
}

void
work_save(struct store_user *u)
{
	start(work_new(u, WORK_SAVE));
}

static void
enqueue(struct store_user *u, struct store_request *r)
{
	r->is_guest = r->who[0] != '\0' && strcmp(r->who, u->address) != 0;
	*u->last_request = r;
	u->last_request = &r->next;
}

void
work_submit_later(struct store_user *u, struct store_request *r)
{
	enqueue(u, r);
	wait_for_company(u);
}

struct store_request *
work_submit(struct store_user *u, struct store_request *r)
{
	enqueue(u, r);
	work_kick(u);
	return r;
}
