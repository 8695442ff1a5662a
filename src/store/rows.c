/* rows.c - rows of the index: mailboxes, names, messages, files, changes, file actions still to do. */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/mem.h>

#include "fname.h"
#include "sidecar.h"

enum {
	CHANGE_ROWS_MAX = 4096, /* of a mailbox; then the oldest quarter goes */
	RANGES_MAX = 1 << 26,
};

size_t
mbox_keywords(const struct mbox *m)
{
	size_t n = 0;

	while (n < STORE_KEYWORDS_MAX && m->keywords[n][0] != '\0')
		n++;
	return n;
}

/* "a\0b\0" → the array. */
static bool
read_keywords(struct mbox *m, struct str text)
{
	struct str name;
	size_t n = 0;

	if (text.n > 0 && text.p[text.n - 1] != '\0')
		return false;
	for (; str_cut(&text, '\0', &name); n++) {
		if (n == STORE_KEYWORDS_MAX || !sidecar_keyword_ok(name))
			return false;
		snprintf(m->keywords[n], sizeof m->keywords[n], "%.*s", STR_ARG(name));
	}
	return true;
}

static bool
dir_ok(struct str dir)
{
	return dir.n == 0 ||
	       (dir.n > 1 && dir.p[0] == '.' && dir.p[1] != '.' && !str_has(dir, '/') && !str_has(dir, '\0'));
}

static bool
mbox_decode(struct mbox *m, struct str v)
{
	struct row_mailbox *r = &m->row;
	struct str name, dir, keywords;

	if (v.n < sizeof *r)
		return false;
	memcpy(r, v.p, sizeof *r);
	v = str_sub(v, sizeof *r, v.n);
	if (r->name_n == 0 || r->name_n > STORE_NAME_SIZE || r->dir_n > 255 ||
	    v.n != (size_t)r->name_n + r->dir_n + r->keywords_n)
		return false;
	name = str_sub(v, 0, r->name_n);
	dir = str_sub(v, r->name_n, r->name_n + r->dir_n);
	keywords = str_sub(v, r->name_n + r->dir_n, v.n);
	snprintf(m->name, sizeof m->name, "%.*s", STR_ARG(name));
	snprintf(m->dir, sizeof m->dir, "%.*s", STR_ARG(dir));
	return !str_has(name, '\0') && dir_ok(dir) && read_keywords(m, keywords) && r->uidvalidity != 0 &&
	       r->uidnext != 0 && r->modseq != 0 && r->use <= STORE_USE_IMPORTANT;
}

bool
mbox_read(struct snap *s, uint32_t number, struct mbox *m)
{
	struct key k = key_mailbox(number);
	MDB_val v;

	*m = (struct mbox){ .number = number };
	if (number == 0 || !snap_get(s, T_MAILBOX, key_val(&k), &v))
		return false;
	return mbox_decode(m, val_str(v)) || snap_fail(s, MDB_CORRUPTED);
}

bool
mbox_write(struct snap *s, const struct mbox *m)
{
	struct key k = key_mailbox(m->number);
	struct row_mailbox row = m->row;
	struct buf b;
	bool ok;

	buf_init(&b, sizeof *m);
	row.name_n = (uint32_t)strlen(m->name);
	row.dir_n = (uint32_t)strlen(m->dir);
	row.keywords_n = 0;
	for (size_t i = 0; i < mbox_keywords(m); i++)
		row.keywords_n += (uint32_t)strlen(m->keywords[i]) + 1;
	buf_add(&b, str_from(&row, sizeof row));
	buf_add_cstr(&b, m->name);
	buf_add_cstr(&b, m->dir);
	for (size_t i = 0; i < mbox_keywords(m); i++)
		buf_add(&b, str_from(m->keywords[i], strlen(m->keywords[i]) + 1));
	ok = snap_put(s, T_MAILBOX, key_val(&k), str_val(buf_str(&b)));
	buf_fini(&b);
	return ok;
}

bool
name_read(struct snap *s, struct str name, struct row_name *r)
{
	MDB_val v;

	*r = (struct row_name){ 0 };
	if (name.n == 0 || name.n > STORE_NAME_SIZE || !snap_get(s, T_NAME, str_val(name), &v))
		return false;
	if (v.mv_size != sizeof *r)
		return snap_fail(s, MDB_CORRUPTED);
	memcpy(r, v.mv_data, sizeof *r);
	return true;
}

bool
name_write(struct snap *s, struct str name, const struct row_name *r)
{
	if (r->mailbox == 0 && r->subscribed == 0) {
		snap_del(s, T_NAME, str_val(name));
		return s->rc == 0;
	}
	return snap_put(s, T_NAME, str_val(name), str_val(str_from(r, sizeof *r)));
}

bool
message_decode(struct snap *s, MDB_val value, struct row_message *r)
{
	if (value.mv_size != sizeof *r)
		return snap_fail(s, MDB_CORRUPTED);
	memcpy(r, value.mv_data, sizeof *r);
	return true;
}

bool
message_read(struct snap *s, uint32_t mailbox, uint32_t uid, struct row_message *r)
{
	struct key k = key_message(mailbox, uid);
	MDB_val v;

	return snap_get(s, T_MESSAGE, key_val(&k), &v) && message_decode(s, v, r);
}

bool
file_decode(struct snap *s, MDB_val value, char name[static 256])
{
	if (!fname_ok(val_str(value)))
		return snap_fail(s, MDB_CORRUPTED);
	memcpy(name, value.mv_data, value.mv_size);
	name[value.mv_size] = '\0';
	return true;
}

bool
file_read(struct snap *s, uint32_t mailbox, uint32_t uid, char name[static 256])
{
	struct key k = key_message(mailbox, uid);
	MDB_val v;

	return snap_get(s, T_FILE, key_val(&k), &v) && file_decode(s, v, name);
}

/* number of changed ranges, number of gone ranges, the ranges */
static void
ranges_write(struct buf *b, const struct uidset *set)
{
	buf_add(b, str_from(set->p, set->n * sizeof *set->p));
}

/* Collects them: whoever has read all he wants calls uidset_sort(). */
static bool
ranges_read(struct str v, size_t n, struct uidset *set)
{
	for (size_t i = 0; i < n; i++) {
		struct uid_range r;

		memcpy(&r, v.p + i * sizeof r, sizeof r);
		if (r.first == 0 || r.last < r.first)
			return false;
		uidset_collect(set, r.first, r.last);
	}
	return true;
}

static void
change_trim(struct snap *s, struct mbox *m)
{
	struct key k = key_change(m->number, 0);
	MDB_val at = key_val(&k), v;
	MDB_cursor *c = snap_cursor(s, T_CHANGE);
	uint64_t modseq;

	for (bool more = snap_step(s, c, &at, &v, MDB_SET_RANGE);
	    more && key_modseq(at, m->number, &modseq) && m->row.change_rows > CHANGE_ROWS_MAX / 4 * 3;
	    more = snap_step(s, c, &at, &v, MDB_NEXT)) {
		int rc = mdb_cursor_del(c, 0);

		if (rc != 0)
			snap_fail(s, rc);
		m->row.change_floor = modseq;
		m->row.change_rows--;
	}
	cursor_close(c);
}

void
change_write(struct snap *s, struct mbox *m, const struct uidset *changed, const struct uidset *gone)
{
	struct key k = key_change(m->number, m->row.modseq);
	uint32_t counts[2] = { (uint32_t)changed->n, (uint32_t)gone->n };
	struct uidset both[2];
	struct buf b;
	MDB_val v;

	buf_init(&b, SIZE_MAX / 2);
	uidset_init(&both[0]);
	uidset_init(&both[1]);
	uidset_copy(&both[0], changed);
	uidset_copy(&both[1], gone);
	if (snap_get(s, T_CHANGE, key_val(&k), &v)) /* a second step of the same change */
		change_decode(s, v, &both[0], &both[1]);
	else
		m->row.change_rows++;
	uidset_sort(&both[0]);
	uidset_sort(&both[1]);
	counts[0] = (uint32_t)both[0].n;
	counts[1] = (uint32_t)both[1].n;
	buf_add(&b, str_from(counts, sizeof counts));
	ranges_write(&b, &both[0]);
	ranges_write(&b, &both[1]);
	snap_put(s, T_CHANGE, key_val(&k), str_val(buf_str(&b)));
	buf_fini(&b);
	uidset_fini(&both[0]);
	uidset_fini(&both[1]);
	if (m->row.change_rows > CHANGE_ROWS_MAX)
		change_trim(s, m);
}

bool
change_decode(struct snap *s, MDB_val value, struct uidset *changed, struct uidset *gone)
{
	struct str v = val_str(value);
	uint32_t n[2];

	if (v.n < sizeof n)
		return snap_fail(s, MDB_CORRUPTED);
	memcpy(n, v.p, sizeof n);
	v = str_sub(v, sizeof n, v.n);
	if (n[0] > RANGES_MAX || n[1] > RANGES_MAX || v.n != ((size_t)n[0] + n[1]) * sizeof(struct uid_range))
		return snap_fail(s, MDB_CORRUPTED);
	return (ranges_read(v, n[0], changed) &&
		   ranges_read(str_sub(v, n[0] * sizeof(struct uid_range), v.n), n[1], gone)) ||
	       snap_fail(s, MDB_CORRUPTED);
}

void
todo_init(struct todo *t)
{
	*t = (struct todo){ 0 };
}

void
todo_fini(struct todo *t)
{
	uidset_fini(&t->uids);
	todo_init(t);
}

void
todo_rewrite(struct snap *s, const struct todo *t)
{
	struct key k = key_todo(t->seq);
	struct row_todo row = { (uint32_t)t->kind, t->mailbox };
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	buf_add(&b, str_from(&row, sizeof row));
	if (t->kind == TODO_RENAME || t->kind == TODO_PURGE)
		buf_add_cstr(&b, t->dir);
	else
		ranges_write(&b, &t->uids);
	snap_put(s, T_TODO, key_val(&k), str_val(buf_str(&b)));
	buf_fini(&b);
}

void
todo_add(struct snap *s, struct todo *t)
{
	t->seq = meta_get(s, META_NEXT_TODO) + 1;
	meta_put(s, META_NEXT_TODO, t->seq);
	todo_rewrite(s, t);
}

static bool
todo_decode(struct str v, struct todo *t)
{
	struct row_todo row;

	if (v.n < sizeof row)
		return false;
	memcpy(&row, v.p, sizeof row);
	v = str_sub(v, sizeof row, v.n);
	if (row.kind >= TODO_KINDS || (row.mailbox == 0 && row.kind != TODO_ANNOTATIONS))
		return false;
	t->kind = (enum todo_kind)row.kind;
	t->mailbox = row.mailbox;
	if (t->kind != TODO_RENAME && t->kind != TODO_PURGE) {
		bool ok =
		    v.n % sizeof(struct uid_range) == 0 && ranges_read(v, v.n / sizeof(struct uid_range), &t->uids);

		uidset_sort(&t->uids);
		return ok;
	}
	if (v.n > 255 || !dir_ok(v) || (v.n == 0 && t->kind == TODO_RENAME))
		return false;
	snprintf(t->dir, sizeof t->dir, "%.*s", STR_ARG(v));
	return true;
}

bool
todo_is_left(struct snap *s)
{
	MDB_val key, value;
	MDB_cursor *c = snap_cursor(s, T_TODO);
	bool found = snap_step(s, c, &key, &value, MDB_FIRST);

	cursor_close(c);
	return found;
}

bool
todo_first(struct snap *s, uint64_t from, struct todo *t)
{
	struct key k = key_todo(from);
	MDB_val at = key_val(&k), v;
	MDB_cursor *c = snap_cursor(s, T_TODO);
	bool found = snap_step(s, c, &at, &v, MDB_SET_RANGE);

	uidset_clear(&t->uids);
	if (found && (!key_seq(at, &t->seq) || !todo_decode(val_str(v), t)))
		found = snap_fail(s, MDB_CORRUPTED);
	cursor_close(c);
	return found;
}
