/* adopt.c - a directory becomes a mailbox: one that postern had before its index was lost, one of Dovecot or Courier, or
 * one that somebody made by hand. UIDs, UIDVALIDITY and keywords are kept where anything tells them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "annotation.h"
#include "dovecot.h"
#include "guest.h"
#include "look.h"
#include "name.h"
#include "path.h"

enum {
	UIDLIST_MAX = 256 << 20,
	KEYWORDS_FILE_MAX = 65536,
	CEILING_STEP = 10000,
	ADOPTED_UID_MAX = INT32_MAX, /* half of them all: nobody lives to use up the other half */
};

static int
dir_fd(struct work *w, const struct look *l)
{
	return l->dir[0] != '\0' ? path_open_dir(w->u->maildir, l->dir) : fcntl(w->u->maildir, F_DUPFD_CLOEXEC, 0);
}

static bool
read_beside(int dirfd, const char *name, struct buf *b)
{
	int fd = path_open(dirfd, name, O_RDONLY | O_NONBLOCK, 0);
	bool ok = fd != -1 && io_read_fd(fd, b);

	io_close(&fd);
	return ok;
}

static void
on_uid(void *ctx, uint32_t uid, struct str name)
{
	struct look *l = ctx;
	struct found *file;
	struct fname f;

	if (!fname_parse(name, &f))
		return;
	file = look_find(l, f.base);
	if (file != NULL)
		file->uid = uid;
}

/* A gap in dovecot-keywords keeps its letter: it gets a name nobody uses. */
static void
fill_gaps(struct sidecar *side)
{
	for (size_t i = 0; i < side->nkeywords; i++)
		if (side->keywords[i][0] == '\0')
			snprintf(side->keywords[i], sizeof side->keywords[i], "unnamed-%c",
			    fname_keyword_letter((unsigned)i));
}

static void
read_dovecot(int dirfd, struct look *l)
{
	struct dovecot_uidlist list = { 0 };
	struct buf b;

	buf_init(&b, UIDLIST_MAX);
	if (read_beside(dirfd, "dovecot-uidlist", &b) && dovecot_uidlist_parse(&list, buf_str(&b), on_uid, l)) {
		l->side.uidvalidity = list.uidvalidity;
		l->uidnext = list.uidnext;
	}
	buf_fini(&b);
	buf_init(&b, KEYWORDS_FILE_MAX);
	if (read_beside(dirfd, "dovecot-keywords", &b))
		l->side.nkeywords = dovecot_keywords_parse(buf_str(&b), l->side.keywords);
	fill_gaps(&l->side);
	buf_fini(&b);
}

static void
take_own_uids(struct look *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->found[i].uid == 0 && (!l->has_sidecar || l->found[i].f.uid < l->side.ceiling))
			l->found[i].uid = l->found[i].f.uid;
}

static uint32_t
old_mailbox(struct snap *s, const struct look *l, struct mbox *m)
{
	struct row_name r;

	if (!name_read(s, str_of(l->name), &r) || !mbox_read(s, r.mailbox, m) || strcmp(m->dir, l->dir) != 0)
		return 0;
	return r.mailbox;
}

/* A row of the file table: of a live message, or of one whose expunge had not reached its file. */
static void
salvage_one(struct snap *s, struct look *l, struct mdir *d, uint32_t mailbox, uint32_t uid, const char *name)
{
	struct row_message row;
	struct found *file;
	struct fname f;
	char old[FNAME_SIZE];

	fname_parse(str_of(name), &f);
	file = look_find(l, f.base);
	if (file == NULL)
		return;
	if (message_read(s, mailbox, uid, &row)) {
		file->uid = uid;
		file->row = row;
		file->salvaged = true;
		return;
	}
	snprintf(old, sizeof old, "%.*s", STR_ARG(file->name));
	file->lost = s->rc == 0 && unlinkat(file->fresh ? d->fresh : d->cur, old, 0) == 0;
}

static void
salvage_rows(struct snap *s, struct look *l, struct mdir *d, uint32_t mailbox)
{
	struct key from = key_message(mailbox, 0);
	MDB_val key = key_val(&from), value;
	MDB_cursor *c = snap_cursor(s, T_FILE);
	char name[FNAME_SIZE];
	uint32_t uid;

	for (bool more = snap_step(s, c, &key, &value, MDB_SET_RANGE); more && key_uid(key, mailbox, &uid);
	    more = snap_step(s, c, &key, &value, MDB_NEXT))
		if (file_decode(s, value, name))
			salvage_one(s, l, d, mailbox, uid, name);
	cursor_close(c);
}

static void
salvage(struct work *w, struct look *l, struct mdir *d)
{
	struct snap s = { .ix = w->old };
	struct mbox *m = NEW(struct mbox);
	uint32_t mailbox;

	s.rc = mdb_txn_begin(w->old->env, NULL, MDB_RDONLY, &s.mdb);
	mailbox = s.rc == 0 ? old_mailbox(&s, l, m) : 0;
	if (mailbox != 0) {
		l->modseq = m->row.modseq;
		if (!l->has_sidecar)
			l->side = (struct sidecar){
				.id = m->row.id, .uidvalidity = m->row.uidvalidity, .ceiling = m->row.ceiling
			};
		l->has_sidecar = true;
		l->side.nkeywords = mbox_keywords(m);
		memcpy(l->side.keywords, m->keywords, sizeof l->side.keywords);
		l->side.use = (enum store_use)m->row.use;
		salvage_rows(&s, l, d, mailbox);
	}
	if (s.mdb != NULL)
		mdb_txn_abort(s.mdb);
	free(m);
}

static int
by_uid(const void *a, const void *b)
{
	const struct found *const *x = a, *const *y = b;

	return ((*x)->uid > (*y)->uid) - ((*x)->uid < (*y)->uid);
}

/* Two files cannot have one UID: the second gets a new one. */
static void
drop_double_uids(struct look *l)
{
	struct found **list = mem_array(l->n, sizeof(struct found *));
	uint32_t last = 0;

	for (size_t i = 0; i < l->n; i++)
		list[i] = &l->found[i];
	if (l->n > 0)
		qsort(list, l->n, sizeof(struct found *), by_uid);
	for (size_t i = 0; i < l->n; i++) {
		if (list[i]->uid != 0 && list[i]->uid == last)
			list[i]->uid = 0;
		else
			last = list[i]->uid;
	}
	free(list);
}

static void
inspect_all(struct work *w, struct look *l, struct mdir *d)
{
	for (size_t i = 0; i < l->n; i++) {
		struct found *f = &l->found[i];
		struct row_message row = f->row;

		if (f->lost)
			continue;
		look_inspect(w, l, d, f);
		if (f->salvaged)
			f->row = row;
		if (f->fresh && f->f.ours && f->f.clock > w->u->floor)
			f->lost = l->arriving = true; /* it arrives by itself */
	}
}

static void
read_annotations(int dirfd, struct look *l)
{
	struct buf b;

	buf_init(&b, ANNOTATIONS_FILE_MAX);
	annotations_load(dirfd, &b);
	l->annotations = arena_str(&l->arena, buf_str(&b));
	buf_fini(&b);
}

static uint32_t
first_free_uid(const struct look *l)
{
	uint32_t next = l->has_sidecar ? l->side.ceiling : l->uidnext;

	for (size_t i = 0; i < l->n; i++)
		if (!l->found[i].lost && l->found[i].uid >= next)
			next = l->found[i].uid + 1;
	return next > 0 ? next : 1;
}

/* UIDs that leave no room above them would end in a circle: all get new ones, under another UIDVALIDITY. Files may claim any. */
static void
renumber_if_full(struct look *l)
{
	if (first_free_uid(l) <= ADOPTED_UID_MAX)
		return;
	for (size_t i = 0; i < l->n; i++)
		l->found[i].uid = 0;
	l->side.uidvalidity = 0;
	l->side.ceiling = 0;
	l->uidnext = 0;
}

bool
adopt_prepare(struct work *w, struct look *l, struct mdir *d)
{
	int fd = dir_fd(w, l);

	l->adopt = true;
	if (fd == -1 || !look_list(w, l, d)) {
		io_close(&fd);
		return w->err.class == ERR_NONE &&
		       err_temp(&w->err, SAY_LATER, "%s/%s: %s", w->u->dir, l->dir, strerror(errno));
	}
	l->has_sidecar = sidecar_load(fd, &l->side);
	if (w->old != NULL)
		salvage(w, l, d);
	if (!l->has_sidecar) {
		l->side = (struct sidecar){ 0 };
		read_dovecot(fd, l);
	}
	read_annotations(fd, l);
	take_own_uids(l);
	drop_double_uids(l);
	renumber_if_full(l);
	inspect_all(w, l, d);
	io_close(&fd);
	return look_sync(w, l, d);
}

/* MODSEQ goes on above anything a client can have seen: nobody makes a change per microsecond. */
static uint64_t
next_modseq(const struct look *l)
{
	uint64_t now = (uint64_t)wall_now().us;

	if (!l->has_sidecar && l->modseq == 0)
		return 1;
	return l->modseq >= now ? l->modseq + 1 : now;
}

static void
take_identity(struct txn *t, struct look *l, struct open_mbox *o)
{
	struct row_mailbox *r = &o->m.row;

	if (l->has_sidecar)
		r->id = l->side.id;
	if (l->side.uidvalidity != 0) {
		r->uidvalidity = l->side.uidvalidity;
		if (meta_get(&t->s, META_UIDVALIDITY) < r->uidvalidity)
			meta_put(&t->s, META_UIDVALIDITY, r->uidvalidity);
	}
	r->use = (uint32_t)l->side.use;
	if (l->side.use != STORE_USE_NONE)
		meta_put(&t->s, META_DEFAULTS, 1); /* he had them before the index was lost */
	r->uidnext = first_free_uid(l);
	r->ceiling = r->uidnext + CEILING_STEP;
	r->modseq = r->change_floor = next_modseq(l);
	memcpy(o->m.keywords, l->side.keywords, sizeof o->m.keywords);
	if (l->side.subscribed) {
		struct row_name name = { o->m.number, 1 };

		r->subscribed = 1;
		name_write(&t->s, str_of(l->name), &name);
	}
}

/* What guests have seen is in no file. */
static void
salvage_guests(struct txn *t, const struct look *l, uint32_t number)
{
	struct snap s = { .ix = t->w->old };
	struct mbox *m = NEW(struct mbox);
	uint32_t mailbox;

	s.rc = mdb_txn_begin(s.ix->env, NULL, MDB_RDONLY, &s.mdb);
	mailbox = s.rc == 0 ? old_mailbox(&s, l, m) : 0;
	if (mailbox != 0)
		guest_salvage(&s, mailbox, &t->s, number);
	if (s.mdb != NULL)
		mdb_txn_abort(s.mdb);
	free(m);
}

void
adopt_apply(struct txn *t, struct look *l)
{
	struct row_name r;
	struct open_mbox *o;

	if (name_read(&t->s, str_of(l->name), &r) && r.mailbox != 0) {
		log_say(LEVEL_WARN, "store", "%s: directory %s: another mailbox has its name", t->w->u->dir, l->dir);
		return;
	}
	o = txn_mbox_new(t, str_of(l->name), str_of(l->dir));
	l->mailbox = o->m.number;
	take_identity(t, l, o);
	annotations_take(t, o->m.number, l->annotations);
	if (l->annotations.n > 0)
		txn_todo(t, TODO_ANNOTATIONS, o->m.number, NULL, NULL); /* in our own order */
	compare_add_found(t, l, o);
	if (t->w->old != NULL && l->side.uidvalidity != 0)
		salvage_guests(t, l, o->m.number);
}

struct finder {
	struct work *w;
	struct map known; /* directories of mailboxes */
};

static void
adopt_dir(struct finder *f, const char *dir)
{
	struct buf name;
	struct look *l;
	struct mdir d;

	buf_init(&name, STORE_NAME_SIZE);
	if (name_from_dir(&name, str_of(dir)) && mdir_open(f->w->u, dir, &d)) {
		l = look_new(f->w);
		snprintf(l->dir, sizeof l->dir, "%s", dir);
		snprintf(l->name, sizeof l->name, "%s", buf_cstr(&name));
		adopt_prepare(f->w, l, &d);
		mdir_close(&d);
	}
	buf_fini(&name);
}

static bool
on_dir(void *ctx, const char *name)
{
	struct finder *f = ctx;

	if (name[0] == '.' && strlen(name) < 256 && map_get(&f->known, str_of(name)) == NULL)
		adopt_dir(f, name);
	return f->w->err.class == ERR_NONE;
}

static void
known_dirs(struct work *w, struct map *known)
{
	static char mark;
	struct mbox *m = NEW(struct mbox);
	struct snap s;
	MDB_cursor *c;
	MDB_val key, value;

	if (work_snap(w, &s)) {
		c = snap_cursor(&s, T_NAME);
		for (bool more = snap_step(&s, c, &key, &value, MDB_FIRST); more;
		    more = snap_step(&s, c, &key, &value, MDB_NEXT)) {
			struct row_name r;

			if (name_read(&s, val_str(key), &r) && r.mailbox != 0 && mbox_read(&s, r.mailbox, m))
				map_put(known, str_of(m->dir), &mark);
		}
		cursor_close(c);
		work_snap_end(w, &s);
	}
	free(m);
}

bool
adopt_find(struct work *w)
{
	int64_t now = wall_now().us * 1000, mtime = path_mtime(w->u->maildir);
	struct seen_list *seen = &w->u->seen;
	struct finder f = { .w = w };

	if (mtime_trusted(seen->maildir_mtime, seen->maildir_at, mtime, false))
		return true;
	/* a directory that is to be renamed or removed is not a new one */
	if (!todo_drain_all(w))
		return false;
	map_init(&f.known);
	known_dirs(w, &f.known);
	seen->maildir_mtime = path_mtime(w->u->maildir);
	seen->maildir_at = now;
	if (w->rc == 0 && !path_list(w->u->maildir, on_dir, &f))
		err_temp(&w->err, SAY_LATER, "%s: list: %s", w->u->dir, strerror(errno));
	map_fini(&f.known);
	return w->rc == 0 && w->err.class == ERR_NONE;
}
