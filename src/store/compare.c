/* compare.c - files of a directory against the rows of its mailbox, and what follows from it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "look.h"
#include "path.h"

static void
note_renamed(struct look *l, uint32_t uid, struct found *f)
{
	if (l->nrenamed == l->cap_renamed) {
		l->cap_renamed = l->cap_renamed == 0 ? 16 : l->cap_renamed * 2;
		l->renamed = mem_resize(l->renamed, l->cap_renamed * sizeof *l->renamed);
	}
	l->renamed[l->nrenamed++] = (struct renamed){ uid, f };
}

static void
match(struct look *l, uint32_t uid, const char *name)
{
	struct fname f;
	struct found *file;

	fname_parse(str_of(name), &f);
	file = look_find(l, f.base);
	if (file == NULL) {
		uidset_add(&l->gone, uid, uid);
		return;
	}
	file->known = true;
	file->uid = uid;
	if (file->fresh || !str_eq(file->name, str_of(name)))
		note_renamed(l, uid, file);
}

static bool
match_rows(struct work *w, struct look *l)
{
	struct key from = key_message(l->mailbox, 0);
	MDB_val key = key_val(&from), value;
	struct snap s;
	MDB_cursor *c;
	char name[FNAME_SIZE];
	uint32_t uid;

	uidset_clear(&l->gone);
	l->nrenamed = 0;
	if (!work_snap(w, &s))
		return false;
	c = snap_cursor(&s, T_FILE);
	for (bool more = snap_step(&s, c, &key, &value, MDB_SET_RANGE); more && key_uid(key, l->mailbox, &uid);
	    more = snap_step(&s, c, &key, &value, MDB_NEXT))
		if (file_decode(&s, value, name))
			match(l, uid, name);
	cursor_close(c);
	work_snap_end(w, &s);
	return w->rc == 0;
}

bool
compare_index(struct work *w, struct look *l, struct mdir *d)
{
	if (!match_rows(w, l))
		return false;
	/* readdir may miss a file that is renamed meanwhile: nothing has vanished before it is missing twice */
	return uidset_empty(&l->gone) || (look_list(w, l, d) && match_rows(w, l));
}

static void
delete_rows(struct txn *t, uint32_t mailbox, uint32_t uid)
{
	static const enum table tables[] = { T_FILE, T_CACHE, T_KEYS, T_IDS };
	struct key k = key_message(mailbox, uid);

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		snap_del(&t->s, tables[i], key_val(&k));
}

static void
apply_gone(struct txn *t, struct look *l, struct open_mbox *o, struct uidset *gone)
{
	struct row_message row;

	for (uint32_t uid = uidset_next(&l->gone, 1); uid != 0; uid = uidset_next(&l->gone, uid + 1)) {
		if (message_read(&t->s, o->m.number, uid, &row)) {
			txn_remove(t, o, uid, &row);
			uidset_add(gone, uid, uid);
		}
		delete_rows(t, o->m.number, uid);
	}
}

struct letters {
	uint32_t flags;
	uint64_t keywords;
	char extra[16];
};

static struct letters
letters_of(struct str name)
{
	struct letters l;
	struct fname f;

	fname_parse(name, &f);
	fname_read_letters(f.letters, &l.flags, &l.keywords, l.extra, sizeof l.extra);
	return l;
}

static uint64_t
known_keywords(const struct open_mbox *o)
{
	size_t n = mbox_keywords(&o->m);

	return n == 0 ? 0 : UINT64_MAX >> (64 - n);
}

/* Three-way: what they changed since our last writing is taken over, all else is as the index says. */
static bool
merge(struct row_message *row, struct letters base, struct letters theirs, uint64_t known)
{
	uint32_t flags_changed = base.flags ^ theirs.flags;
	uint64_t keywords_changed = (base.keywords ^ theirs.keywords) & known;
	uint32_t flags = (row->flags & ~flags_changed) | (theirs.flags & flags_changed);
	uint64_t keywords = (row->keywords & ~keywords_changed) | (theirs.keywords & keywords_changed);
	bool same = flags == row->flags && keywords == row->keywords;

	row->flags = flags;
	row->keywords = keywords;
	return !same;
}

/* The name the file shall have; false when it has it, or can have no better one. */
static bool
wants_name(const struct found *f, uint32_t uid, const struct row_message *row, char out[static FNAME_SIZE])
{
	struct letters theirs = letters_of(f->name);

	return fname_write(out, &f->f, f->file_size, uid, row->flags, row->keywords, str_of(theirs.extra)) &&
	    (f->fresh || !str_eq(str_of(out), f->name));
}

static void
apply_renamed(struct txn *t, struct open_mbox *o, const struct renamed *r, struct uidset *changed, struct uidset *names)
{
	struct row_message row;
	char ours[FNAME_SIZE], wanted[FNAME_SIZE];
	struct key k = key_message(o->m.number, r->uid);
	struct row_message before;

	if (!message_read(&t->s, o->m.number, r->uid, &row) || !file_read(&t->s, o->m.number, r->uid, ours))
		return;
	before = row;
	/* a file still in new/ has no letters of anybody: only its move is missing */
	if (!r->file->fresh && merge(&row, letters_of(str_of(ours)), letters_of(r->file->name), known_keywords(o))) {
		row.modseq = o->m.row.modseq;
		txn_count(t, o, &before, -1);
		txn_count(t, o, &row, 1);
		snap_put(&t->s, T_MESSAGE, key_val(&k), str_val(str_from(&row, sizeof row)));
		uidset_add(changed, r->uid, r->uid);
		o->kinds |= STORE_EVENT_FLAGS;
	}
	if (!r->file->fresh) {
		memcpy(ours, r->file->name.p, r->file->name.n);
		ours[r->file->name.n] = '\0';
		txn_file(t, o->m.number, r->uid, ours);
	}
	if (wants_name(r->file, r->uid, &row, wanted))
		uidset_add(names, r->uid, r->uid);
}

/* The name in cur/ of a file that comes in; its present one when that would be too long. */
static void
choose_name(const struct found *f, uint32_t uid, const struct row_message *row, char out[static FNAME_SIZE])
{
	if (wants_name(f, uid, row, out))
		return;
	memcpy(out, f->name.p, f->name.n);
	out[f->name.n] = '\0';
}

static void
note_done(struct txn *t, const struct found *f, uint32_t mailbox, uint32_t uid)
{
	struct row_done row = { mailbox, uid };
	struct id id;

	if (fname_id(&f->f, &id))
		snap_put(&t->s, T_DONE, str_val(str_from(&id, sizeof id)), str_val(str_from(&row, sizeof row)));
}

static void
add_one(struct txn *t, struct open_mbox *o, struct found *f, uint32_t uid)
{
	struct row_message row = f->row;
	struct letters theirs = letters_of(f->name);
	char name[FNAME_SIZE];

	row.modseq = o->m.row.modseq;
	if (!f->salvaged) {
		row.flags = theirs.flags;
		row.keywords = theirs.keywords & known_keywords(o);
	}
	f->uid = uid;
	f->row = row;
	choose_name(f, uid, &row, name);
	txn_add(t, o, uid, &row, name);
	note_done(t, f, o->m.number, uid);
}

static int
by_name(const void *a, const void *b)
{
	const struct found *const *x = a, *const *y = b;

	return str_cmp((*x)->name, (*y)->name);
}

static size_t
pick_unknown(struct look *l, struct found **list)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!l->found[i].known && !l->found[i].lost)
			list[n++] = &l->found[i];
	if (n > 0)
		qsort(list, n, sizeof(struct found *), by_name);
	return n;
}

void
compare_add_found(struct txn *t, struct look *l, struct open_mbox *o)
{
	struct found **list = mem_array(l->n, sizeof(struct found *));
	size_t n = pick_unknown(l, list);

	for (size_t i = 0; i < n && t->s.rc == 0; i++)
		add_one(t, o, list[i], l->adopt && list[i]->uid != 0 ? list[i]->uid : txn_next_uid(o));
	free(list);
}

bool
compare_same(const struct look *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->found[i].known && !l->found[i].lost)
			return false;
	return l->nrenamed == 0 && uidset_empty(&l->gone);
}

static void
apply(struct txn *t, struct look *l)
{
	struct open_mbox *o = txn_mbox(t, l->mailbox);
	struct uidset changed, gone, names;
	uint32_t first;

	if (o == NULL)
		return;
	uidset_init(&changed);
	uidset_init(&gone);
	uidset_init(&names);
	txn_bump(o);
	first = o->m.row.uidnext;
	apply_gone(t, l, o, &gone);
	for (size_t i = 0; i < l->nrenamed && t->s.rc == 0; i++)
		apply_renamed(t, o, &l->renamed[i], &changed, &names);
	compare_add_found(t, l, o);
	if (o->m.row.uidnext > first)
		uidset_add(&changed, first, o->m.row.uidnext - 1);
	change_write(&t->s, &o->m, &changed, &gone);
	if (!uidset_empty(&names))
		txn_todo(t, TODO_NAMES, o->m.number, &names, NULL);
	uidset_fini(&changed);
	uidset_fini(&gone);
	uidset_fini(&names);
}

static void
apply_vanished(struct txn *t, struct look *l)
{
	struct open_mbox *o = txn_mbox(t, l->mailbox);

	if (o == NULL)
		return;
	txn_todo(t, TODO_PURGE, l->mailbox, NULL, ""); /* the rows alone */
	txn_mbox_drop(t, o);
}

void
look_apply(struct txn *t)
{
	for (struct look *l = t->w->looks; l != NULL && t->s.rc == 0; l = l->next) {
		if (l->adopt)
			adopt_apply(t, l);
		else if (l->vanished)
			apply_vanished(t, l);
		else
			apply(t, l);
	}
}

/* What came in moves to cur/ under its name; a crash before that leaves a known base name under its old one. */
static void
move_found(struct look *l, struct mdir *d)
{
	char name[FNAME_SIZE], old[FNAME_SIZE];

	for (size_t i = 0; i < l->n; i++) {
		const struct found *f = &l->found[i];

		if (f->lost || f->uid == 0 || f->known)
			continue;
		if (!wants_name(f, f->uid, &f->row, name))
			continue;
		snprintf(old, sizeof old, "%.*s", STR_ARG(f->name));
		if (!path_rename_new(f->fresh ? d->fresh : d->cur, old, d->cur, name) && errno != ENOENT)
			log_say(LEVEL_WARN, "store", "%s/%s: rename %s: %s", l->dir, "cur", old, strerror(errno));
	}
}

/* Files that an ingest committed but did not move any more. */
static void
move_known(struct work *w, struct look *l, struct mdir *d)
{
	char name[FNAME_SIZE], old[FNAME_SIZE];
	struct snap s;

	if (l->nrenamed == 0 || !work_snap(w, &s))
		return;
	for (size_t i = 0; i < l->nrenamed; i++) {
		const struct renamed *r = &l->renamed[i];

		if (!r->file->fresh || !file_read(&s, l->mailbox, r->uid, name))
			continue;
		snprintf(old, sizeof old, "%.*s", STR_ARG(r->file->name));
		path_rename_new(d->fresh, old, d->cur, name);
	}
	work_snap_end(w, &s);
}

static void
settle(struct work *w, struct look *l)
{
	struct mbox *m = NEW(struct mbox);
	struct mdir d;

	look_remember(w, l);
	m->number = l->mailbox;
	memcpy(m->dir, l->dir, sizeof m->dir);
	if (mdir_enter(w, m, &d)) {
		move_found(l, &d);
		move_known(w, l, &d);
		mdir_leave(w, &d);
	}
	free(m);
}

void
look_after(struct work *w)
{
	for (struct look *l = w->looks; l != NULL; l = l->next)
		if (!l->vanished && l->mailbox != 0)
			settle(w, l);
}
