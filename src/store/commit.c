/* commit.c - the half of a work that runs in a sync thread: prepare, ONE transaction, commit, file actions. */
#include <errno.h>
#include <stdlib.h>

#include <postern/core/mem.h>

#include "guest.h"
#include "look.h"
#include "shares.h"
#include "work.h"

enum { QUICK_ACTIONS = 256 }; /* file actions that are done before the answer */

bool
work_snap(struct work *w, struct snap *s)
{
	*s = (struct snap){ .ix = w->ix };
	s->rc = mdb_txn_begin(w->ix->env, NULL, MDB_RDONLY, &s->mdb);
	if (s->rc != 0)
		w->rc = s->rc;
	return s->rc == 0;
}

void
work_snap_end(struct work *w, struct snap *s)
{
	if (s->mdb != NULL)
		mdb_txn_abort(s->mdb);
	if (s->rc != 0 && w->rc == 0)
		w->rc = s->rc;
}

bool
work_begin(struct work *w, struct txn *t)
{
	*t = (struct txn){ .s = { .ix = w->ix }, .w = w };
	t->s.rc = mdb_txn_begin(w->ix->env, NULL, 0, &t->s.mdb);
	if (t->s.rc != 0)
		w->rc = t->s.rc;
	return t->s.rc == 0;
}

static void
forget_mboxes(struct txn *t)
{
	while (t->mboxes != NULL) {
		struct open_mbox *o = t->mboxes;

		t->mboxes = o->next;
		uidset_fini(&o->fresh);
		uidset_fini(&o->removed);
		free(o->old_name);
		free(o);
	}
}

static void
abort_txn(struct txn *t)
{
	if (t->s.mdb != NULL)
		mdb_txn_abort(t->s.mdb);
	t->s.mdb = NULL;
	if (t->w->rc == 0)
		t->w->rc = t->s.rc;
	forget_mboxes(t);
}

static void
save_seen(struct work *w, struct mbox *m)
{
	struct seen *seen = seen_get(&w->u->seen, m->number);

	m->row.cur_mtime = seen->cur_mtime;
	m->row.new_mtime = seen->new_mtime;
	m->row.looked_at = seen->at;
	seen->saved = true;
}

/* The sidecar is durable before a UID above the old ceiling or a letter for a new keyword is. */
static bool
write_mboxes(struct txn *t)
{
	for (struct open_mbox *o = t->mboxes; o != NULL; o = o->next) {
		if (o->gone || !o->dirty)
			continue;
		if (!uidset_empty(&o->removed))
			guest_forget(&t->s, o->m.number, &o->removed);
		if (o->sidecar && !sidecar_save(t->w->u, &o->m))
			return err_temp(&t->w->err, SAY_DISK, "%s/%s: postern-mailbox: %s", t->w->u->dir, o->m.dir,
			    strerror(errno));
		save_seen(t->w, &o->m);
		mbox_write(&t->s, &o->m);
	}
	return t->s.rc == 0;
}

static struct str
keep(struct str text)
{
	return text.n > 0 ? str_from(memcpy(mem_new(text.n), text.p, text.n), text.n) : STR("");
}

void
work_event(struct work *w, const struct store_event *event)
{
	struct event_list *l = &w->events;

	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 4 : l->cap * 2;
		l->p = mem_resize(l->p, l->cap * sizeof *l->p);
	}
	l->p[l->n] = *event;
	l->p[l->n].entries = keep(event->entries);
	l->p[l->n].name = keep(event->name);
	l->p[l->n].old_name = keep(event->old_name);
	l->n++;
}

static void
note_event(struct work *w, const struct open_mbox *o)
{
	enum { NAMES = STORE_EVENT_CREATED | STORE_EVENT_DELETED | STORE_EVENT_RENAMED | STORE_EVENT_SUBSCRIBED };
	bool with_parent = (o->kinds & NAMES) == STORE_EVENT_RENAMED && o->old_name == NULL;

	work_event(w, &(struct store_event){ .mailbox = o->m.number,
	    .kinds = o->kinds,
	    .modseq = o->m.row.modseq,
	    .before = o->before,
	    .name = o->kinds & NAMES && !with_parent ? str_of(o->m.name) : STR(""),
	    .old_name = str_of(o->old_name),
	    .by = o->others ? NULL : o->by });
}

static void
note_events(struct txn *t)
{
	for (struct open_mbox *o = t->mboxes; o != NULL; o = o->next) {
		if (!o->gone && !uidset_empty(&o->fresh))
			wants_add(&t->w->wants, o->m.number, &o->fresh);
		if (o->gone)
			seen_forget(&t->w->u->seen, o->m.number);
		if (o->kinds != 0)
			note_event(t->w, o);
	}
}

bool
work_commit(struct work *w, struct txn *t)
{
	uint64_t bytes = meta_get(&t->s, META_BYTES);

	bytes = t->bytes_delta < 0 && (uint64_t)-t->bytes_delta > bytes ? 0 : bytes + (uint64_t)t->bytes_delta;
	if (t->bytes_delta != 0)
		meta_put(&t->s, META_BYTES, bytes);
	if (t->s.rc != 0 || !write_mboxes(t)) {
		abort_txn(t);
		return false;
	}
	w->todo_left = todo_is_left(&t->s);
	if (t->s.rc == 0)
		t->s.rc = mdb_txn_commit(t->s.mdb);
	else
		mdb_txn_abort(t->s.mdb);
	t->s.mdb = NULL;
	w->rc = t->s.rc;
	w->bytes = bytes;
	if (t->s.rc == 0)
		note_events(t);
	forget_mboxes(t);
	return w->rc == 0;
}

void
work_settle_shares(struct work *w)
{
	struct snap s;

	if (w->store->shares == NULL || !work_snap(w, &s))
		return;
	shares_settle(w->store->shares, &s, str_of(w->u->address));
	work_snap_end(w, &s);
}

static void
prepare(struct work *w)
{
	struct store_request *r;
	bool names = false;

	for (r = w->requests; r != NULL; r = r->next)
		names |= r->kind->names;
	/* what others made is a mailbox before we make directories of our own */
	if (names && (!todo_drain_all(w) || !adopt_find(w)))
		return;
	for (r = w->requests; r != NULL && w->rc == 0; r = r->next)
		if (r->look != LOOK_NONE)
			look_prepare(w, r->look);
	for (r = w->requests; r != NULL && w->rc == 0; r = r->next)
		if (r->kind->prepare != NULL)
			r->refused = !r->kind->prepare(w, r);
	w->prepared = true;
}

static bool
nothing_to_apply(const struct work *w)
{
	if (w->arrivals != NULL || w->looks != NULL)
		return false;
	for (const struct store_request *r = w->requests; r != NULL; r = r->next)
		if (!r->refused && r->kind->apply != NULL)
			return false;
	return true;
}

static bool
apply(struct work *w)
{
	struct txn t;

	if (!work_begin(w, &t))
		return false;
	ingest_apply(&t, w->arrivals);
	look_apply(&t);
	for (struct store_request *r = w->requests; r != NULL && t.s.rc == 0; r = r->next) {
		if (r->refused || r->kind->apply == NULL)
			continue;
		request_reset(r);
		r->kind->apply(&t, r);
	}
	return work_commit(w, &t);
}

static void
tell_requests(struct work *w)
{
	for (const struct store_request *r = w->requests; r != NULL; r = r->next)
		if (!r->refused && r->code == STORE_OK && r->kind->events != NULL)
			r->kind->events(w, r);
}

static void
run_batch(struct work *w)
{
	if (!w->prepared)
		prepare(w);
	if (w->rc == 0 && w->err.class == ERR_NONE && !nothing_to_apply(w)) {
		if (!apply(w)) {
			w->grow = w->rc == MDB_MAP_FULL;
			if (w->grow)
				return;
		} else {
			ingest_after(w, w->arrivals);
			look_after(w);
			if (w->rights)
				work_settle_shares(w);
			tell_requests(w);
			todo_quick(w, QUICK_ACTIONS);
		}
	}
	for (struct store_request *r = w->requests; r != NULL; r = r->next)
		if (r->kind->after != NULL)
			r->kind->after(w, r);
}

/* Before the index is closed: what was seen of the directories, so that nobody has to look again. */
static void
run_save(struct work *w)
{
	struct txn t;

	if (!work_begin(w, &t))
		return;
	for (size_t i = 0; i < w->u->seen.n; i++) {
		struct open_mbox *o = w->u->seen.p[i].saved ? NULL : txn_mbox(&t, w->u->seen.p[i].mailbox);

		if (o != NULL)
			o->dirty = true;
		w->u->seen.p[i].saved = true;
	}
	w->compacted = work_commit(w, &t) && compact_index(w);
}

void
work_run(struct job *j)
{
	struct work *w = (struct work *)j;
	struct store_config *config = &w->store->config;

	if (config->note != NULL)
		config->note(config->ctx, w->u->address, NULL, NULL);
	w->rc = 0;
	switch (w->kind) {
	case WORK_LOAD:
		load_run(w);
		break;
	case WORK_BATCH:
		run_batch(w);
		break;
	case WORK_DRAIN:
		todo_drain(w);
		break;
	case WORK_CACHE:
		cache_fill(w);
		break;
	case WORK_SAVE:
		run_save(w);
		break;
	case WORK_REBUILD:
		rebuild_healthy(w);
		break;
	case WORK_GRAMS:
		gram_work_run(w);
		break;
	}
	if (config->note != NULL)
		config->note(config->ctx, NULL, NULL, NULL);
}
