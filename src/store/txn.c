/* txn.c - what every change does to the index: mailboxes opened once per transaction, messages added and counted. */
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/mem.h>

#include "annotation.h"
#include "guest.h"
#include "sidecar.h"
#include "work.h"

enum { CEILING_STEP = 10000 };

static struct open_mbox *
open_new(struct txn *t)
{
	struct open_mbox *o = NEW(struct open_mbox);

	o->next = t->mboxes;
	t->mboxes = o;
	return o;
}

struct open_mbox *
txn_mbox(struct txn *t, uint32_t number)
{
	struct open_mbox *o;
	struct mbox m;

	for (o = t->mboxes; o != NULL; o = o->next)
		if (o->m.number == number)
			return o->gone ? NULL : o;
	if (!mbox_read(&t->s, number, &m))
		return NULL;
	o = open_new(t);
	o->m = m;
	o->before = m.row.modseq;
	return o;
}

/* Grows with the clock, so that a name used again has a larger one (RFC 9051 2.3.1.1). */
static uint32_t
next_uidvalidity(struct txn *t)
{
	uint64_t last = meta_get(&t->s, META_UIDVALIDITY), now = (uint64_t)wall_seconds(wall_now());

	if (now <= last)
		now = last + 1;
	meta_put(&t->s, META_UIDVALIDITY, now);
	return (uint32_t)now;
}

struct open_mbox *
txn_mbox_new(struct txn *t, struct str name, struct str dir)
{
	struct open_mbox *o = open_new(t);
	uint64_t number = meta_get(&t->s, META_NEXT_MAILBOX) + 1;
	struct row_name r;

	meta_put(&t->s, META_NEXT_MAILBOX, number);
	o->m.number = (uint32_t)number;
	o->m.row = (struct row_mailbox){
		.id = id_new(),
		.modseq = 1,
		.uidvalidity = next_uidvalidity(t),
		.uidnext = 1,
		.ceiling = 1 + CEILING_STEP,
	};
	snprintf(o->m.name, sizeof o->m.name, "%.*s", STR_ARG(name));
	snprintf(o->m.dir, sizeof o->m.dir, "%.*s", STR_ARG(dir));
	name_read(&t->s, name, &r);
	r.mailbox = o->m.number;
	o->m.row.subscribed = r.subscribed;
	name_write(&t->s, name, &r);
	o->dirty = o->sidecar = true;
	o->kinds = STORE_EVENT_CREATED;
	return o;
}

void
txn_mbox_drop(struct txn *t, struct open_mbox *o)
{
	struct key k = key_mailbox(o->m.number);
	struct row_name r;

	name_read(&t->s, str_of(o->m.name), &r);
	r.mailbox = 0;
	name_write(&t->s, str_of(o->m.name), &r);
	snap_del(&t->s, T_MAILBOX, key_val(&k));
	annotation_drop(t, T_METADATA, o->m.number);
	annotation_drop(t, T_RIGHTS, o->m.number);
	guest_drop(&t->s, o->m.number);
	t->bytes_delta -= (int64_t)o->m.row.bytes;
	o->gone = true;
	o->dirty = o->sidecar = false;
	o->kinds = STORE_EVENT_DELETED;
}

void
txn_by(struct open_mbox *o, const struct store_request *r)
{
	o->others |= o->by != NULL && o->by != r->done.ctx;
	o->by = r->done.ctx;
}

uint64_t
txn_bump(struct open_mbox *o)
{
	o->dirty = true;
	return ++o->m.row.modseq;
}

uint32_t
txn_next_uid(struct open_mbox *o)
{
	uint32_t uid = o->m.row.uidnext++;

	if (o->m.row.uidnext > o->m.row.ceiling) {
		o->m.row.ceiling = o->m.row.uidnext + CEILING_STEP;
		o->sidecar = true;
	}
	o->dirty = true;
	return uid;
}

static void
step(uint32_t *n, int sign)
{
	*n = sign > 0 ? *n + 1 : *n > 0 ? *n - 1 : 0;
}

static void
step_bytes(uint64_t *n, uint64_t size, int sign)
{
	*n = sign > 0 ? *n + size : *n > size ? *n - size : 0;
}

void
txn_count(struct txn *t, struct open_mbox *o, const struct row_message *row, int sign)
{
	struct row_mailbox *r = &o->m.row;

	(void)t;
	o->dirty = true;
	step(&r->messages, sign);
	step_bytes(&r->bytes, row->size, sign);
	if ((row->flags & STORE_SEEN) == 0)
		step(&r->unseen, sign);
	if ((row->flags & STORE_DELETED) == 0)
		return;
	step(&r->deleted, sign);
	step_bytes(&r->deleted_bytes, row->size, sign);
}

void
txn_file(struct txn *t, uint32_t mailbox, uint32_t uid, const char *file)
{
	struct key k = key_message(mailbox, uid);

	snap_put(&t->s, T_FILE, key_val(&k), str_val(str_of(file)));
}

void
txn_add(struct txn *t, struct open_mbox *o, uint32_t uid, const struct row_message *row, const char *file)
{
	struct key k = key_message(o->m.number, uid);

	snap_put(&t->s, T_MESSAGE, key_val(&k), str_val(str_from(row, sizeof *row)));
	txn_file(t, o->m.number, uid, file);
	txn_count(t, o, row, 1);
	t->bytes_delta += (int64_t)row->size;
	uidset_add(&o->fresh, uid, uid);
	o->kinds |= STORE_EVENT_NEW;
}

void
txn_remove(struct txn *t, struct open_mbox *o, uint32_t uid, const struct row_message *row)
{
	struct key k = key_message(o->m.number, uid);

	snap_del(&t->s, T_MESSAGE, key_val(&k));
	txn_count(t, o, row, -1);
	t->bytes_delta -= (int64_t)row->size;
	uidset_add(&o->removed, uid, uid);
	o->kinds |= STORE_EVENT_GONE;
}

static size_t
find_keyword(const struct open_mbox *o, struct str name)
{
	size_t n = mbox_keywords(&o->m);

	for (size_t i = 0; i < n; i++)
		if (str_eq_nocase(str_of(o->m.keywords[i]), name))
			return i;
	return n;
}

/* What is refused leaves no names behind. */
static void
forget_keywords(struct open_mbox *o, size_t from)
{
	for (size_t i = from; i < STORE_KEYWORDS_MAX; i++)
		o->m.keywords[i][0] = '\0';
}

bool
txn_keywords(struct open_mbox *o, const struct str *names, size_t n, bool add, uint64_t *bits)
{
	size_t before = mbox_keywords(&o->m);

	*bits = 0;
	for (size_t i = 0; i < n; i++) {
		size_t bit = find_keyword(o, names[i]);

		if (bit < mbox_keywords(&o->m)) {
			*bits |= UINT64_C(1) << bit;
			continue;
		}
		if (!add)
			continue;
		if (bit == STORE_KEYWORDS_MAX || !sidecar_keyword_ok(names[i])) {
			forget_keywords(o, before);
			return false;
		}
		snprintf(o->m.keywords[bit], sizeof o->m.keywords[bit], "%.*s", STR_ARG(names[i]));
		o->dirty = o->sidecar = true;
		*bits |= UINT64_C(1) << bit;
	}
	return true;
}

void
txn_todo(struct txn *t, enum todo_kind kind, uint32_t mailbox, const struct uidset *uids, const char *dir)
{
	struct todo todo;

	todo_init(&todo);
	todo.kind = kind;
	todo.mailbox = mailbox;
	if (uids != NULL)
		uidset_copy(&todo.uids, uids);
	if (dir != NULL)
		snprintf(todo.dir, sizeof todo.dir, "%s", dir);
	todo_add(&t->s, &todo);
	todo_fini(&todo);
}
