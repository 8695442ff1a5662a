/* ingest.c - deliveries of this process, durable in new/, become messages of the index: many in one transaction.
 *
 * What other programs or an earlier life of this process left in new/ comes by comparing (look.c). */
#include <errno.h>
#include <stdio.h>

#include <postern/core/log.h>

#include "path.h"
#include "work.h"

enum {
	DONE_DAYS = 7,
	DONE_TRIM = 64, /* old ids forgotten with each transaction that adds some */
};

static bool
is_done(struct txn *t, struct id id)
{
	MDB_val v;

	return snap_get(&t->s, T_DONE, str_val(str_from(&id, sizeof id)), &v);
}

/* Ids begin with the milliseconds of their birth, so the oldest are the first. */
static int64_t
born_ms(const uint8_t *id)
{
	int64_t ms = 0;

	for (size_t i = 0; i < 6; i++)
		ms = ms << 8 | id[i];
	return ms;
}

static void
trim_done(struct txn *t)
{
	int64_t oldest = wall_now().us / 1000 - (int64_t)DONE_DAYS * 24 * 3600 * 1000;
	MDB_cursor *c = snap_cursor(&t->s, T_DONE);
	MDB_val key, value;
	unsigned left = DONE_TRIM;

	for (bool more = snap_step(&t->s, c, &key, &value, MDB_FIRST);
	    more && left > 0 && key.mv_size == sizeof(struct id) && born_ms(key.mv_data) < oldest;
	    more = snap_step(&t->s, c, &key, &value, MDB_NEXT)) {
		int rc = mdb_cursor_del(c, 0);

		if (rc != 0)
			snap_fail(&t->s, rc);
		left--;
	}
	cursor_close(c);
}

static void
add(struct txn *t, struct open_mbox *o, const struct arrival *a, const struct fname *f, uint32_t uid)
{
	struct row_message row = {
		.modseq = o->m.row.modseq,
		.size = a->size,
		.internal_date = f->clock / 1000000,
		.save_date = f->clock / 1000000,
	};
	struct row_done done = { o->m.number, uid };
	char name[FNAME_SIZE];

	if (!fname_write(name, f, a->size, uid, 0, 0, STR("")))
		snprintf(name, sizeof name, "%s", a->name);
	txn_add(t, o, uid, &row, name);
	snap_put(&t->s, T_DONE, str_val(str_from(&a->id, sizeof a->id)), str_val(str_from(&done, sizeof done)));
}

static void
apply_one(struct txn *t, const struct arrival *a)
{
	struct open_mbox *o = txn_mbox(t, a->mailbox);
	struct fname f;

	/* a deleted mailbox took its files along */
	if (o == NULL || is_done(t, a->id) || !fname_parse(str_of(a->name), &f))
		return;
	if ((o->kinds & STORE_EVENT_NEW) == 0) /* one step for all that come together */
		txn_bump(o);
	add(t, o, a, &f, txn_next_uid(o));
}

void
ingest_apply(struct txn *t, struct arrival *arrivals)
{
	struct uidset none;

	if (arrivals == NULL)
		return;
	uidset_init(&none);
	trim_done(t); /* before: what comes now is needed once more (move_one), however old the clock says it is */
	for (struct arrival *a = arrivals; a != NULL && t->s.rc == 0; a = a->next)
		apply_one(t, a);
	for (struct open_mbox *o = t->mboxes; o != NULL; o = o->next)
		if (!uidset_empty(&o->fresh))
			change_write(&t->s, &o->m, &o->fresh, &none);
}

/* What stays in new/ is found by comparing: nothing else would move it while the user is loaded. */
static void
leave_to_look(struct work *w, uint32_t mailbox, const char *what, const char *name)
{
	log_say(LEVEL_WARN, "store", "%s: %s%s: %s", w->u->dir, what, name, strerror(errno));
	seen_forget(&w->u->seen, mailbox);
}

static void
move_one(struct work *w, struct snap *s, struct mdir *d, const struct arrival *a)
{
	char name[FNAME_SIZE];
	struct row_done done;
	MDB_val v;

	if (!snap_get(s, T_DONE, str_val(str_from(&a->id, sizeof a->id)), &v) || v.mv_size != sizeof done)
		return;
	memcpy(&done, v.mv_data, sizeof done);
	if (done.mailbox != d->mailbox || !file_read(s, done.mailbox, done.uid, name))
		return;
	if (path_rename_new(d->fresh, a->name, d->cur, name))
		return;
	d->alone = false; /* somebody was faster: the next look finds it by its base name */
	if (errno != ENOENT)
		leave_to_look(w, d->mailbox, "rename new/", a->name);
}

void
ingest_after(struct work *w, struct arrival *arrivals)
{
	struct mdir d = { .cur = -1, .fresh = -1, .tmp = -1 };
	struct snap s;
	struct mbox m;

	if (arrivals == NULL || !work_snap(w, &s))
		return;
	for (const struct arrival *a = arrivals; a != NULL; a = a->next) {
		if (d.mailbox != a->mailbox) {
			if (d.cur != -1)
				mdir_leave(w, &d);
			d = (struct mdir){ .cur = -1, .fresh = -1, .tmp = -1 };
			if (!mbox_read(&s, a->mailbox, &m))
				continue;
			if (!mdir_enter(w, &m, &d)) {
				leave_to_look(w, a->mailbox, "open ", m.dir);
				continue;
			}
		}
		move_one(w, &s, &d, a);
	}
	if (d.cur != -1)
		mdir_leave(w, &d);
	work_snap_end(w, &s);
}
