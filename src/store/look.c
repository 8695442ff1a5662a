/* look.c - whether a directory must be compared, and reading it. */
#include "look.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "path.h"

struct look *
look_new(struct work *w)
{
	struct look *l = NEW(struct look);

	arena_init(&l->arena);
	uidset_init(&l->gone);
	l->next = w->looks;
	w->looks = l;
	return l;
}

void
look_drop(struct work *w)
{
	struct look *l = w->looks;

	w->looks = l->next;
	arena_fini(&l->arena);
	uidset_fini(&l->gone);
	free(l->found);
	free(l->renamed);
	free(l);
}

void
looks_free(struct work *w)
{
	while (w->looks != NULL)
		look_drop(w);
}

struct lister {
	struct look *look;
	bool fresh;
};

static bool
add_file(void *ctx, const char *name)
{
	struct lister *to = ctx;
	struct look *l = to->look;
	struct fname f;

	if (!fname_parse(str_of(name), &f))
		return true;
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : l->cap * 2;
		l->found = mem_resize(l->found, l->cap * sizeof *l->found);
	}
	l->found[l->n] = (struct found){ .name = arena_str(&l->arena, str_of(name)), .fresh = to->fresh };
	fname_parse(l->found[l->n].name, &l->found[l->n].f);
	l->n++;
	return true;
}

/* By base name; of one in both directories cur/ comes first. */
static int
by_base(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int c = str_cmp(x->f.base, y->f.base);

	return c != 0 ? c : x->fresh != y->fresh ? (x->fresh ? 1 : -1) : str_cmp(x->name, y->name);
}

/* A base name may be there only once: a second one is hidden from us until somebody removes it. */
static void
drop_doubles(struct look *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (kept == 0 || !str_eq(l->found[kept - 1].f.base, l->found[i].f.base))
			l->found[kept++] = l->found[i];
	l->n = kept;
}

bool
look_list(struct work *w, struct look *l, struct mdir *d)
{
	struct lister cur = { l, false }, fresh = { l, true };

	l->n = 0;
	l->at = wall_now().us * 1000;
	l->cur_mtime = path_mtime(d->cur);
	l->new_mtime = path_mtime(d->fresh);
	/* new/ first: what moves to cur/ meanwhile is seen twice rather than not at all */
	if (!path_list(d->fresh, add_file, &fresh) || !path_list(d->cur, add_file, &cur))
		return err_temp(&w->err, SAY_LATER, "%s/%s: list: %s", w->u->dir, l->dir, strerror(errno));
	if (l->n > 0)
		qsort(l->found, l->n, sizeof *l->found, by_base);
	drop_doubles(l);
	return true;
}

struct found *
look_find(struct look *l, struct str base)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = str_cmp(l->found[mid].f.base, base);

		if (c == 0)
			return &l->found[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Deliveries of this process come to the index by the arrivals, not by looking. */
static bool
arrives(const struct work *w, const struct fname *f)
{
	return f->ours && f->clock > w->u->floor;
}

struct foreign_mark {
	const struct work *w;
	bool found;
	bool arriving;
};

static bool
stop_at_foreign(void *ctx, const char *name)
{
	struct foreign_mark *mark = ctx;
	struct fname f;

	if (fname_parse(str_of(name), &f)) {
		mark->found = !arrives(mark->w, &f);
		mark->arriving |= !mark->found;
	}
	return !mark->found;
}

bool
look_is_needless(struct store_user *u, uint32_t mailbox, const struct mdir *d)
{
	const struct seen *seen = seen_get(&u->seen, mailbox);

	return mtime_trusted(seen->cur_mtime, seen->at, path_mtime(d->cur), seen->ours)
	    && mtime_trusted(seen->new_mtime, seen->at, path_mtime(d->fresh), false);
}

static bool
must_compare(struct work *w, const struct mbox *m, struct mdir *d)
{
	struct seen *seen = seen_get(&w->u->seen, m->number);
	int64_t now = wall_now().us * 1000, cur = path_mtime(d->cur), fresh = path_mtime(d->fresh);
	struct foreign_mark mark = { w, false, false };

	if (!mtime_trusted(seen->cur_mtime, seen->at, cur, seen->ours))
		return true;
	if (mtime_trusted(seen->new_mtime, seen->at, fresh, false))
		return false;
	if (!path_list(d->fresh, stop_at_foreign, &mark) || mark.found)
		return true;
	/* what is on its way is not seen: after a crash nobody else would tell of it */
	seen->new_mtime = mark.arriving ? 0 : fresh;
	seen->at = now;
	seen->saved = false;
	return false;
}

static void
inspect_unknown(struct work *w, struct look *l, struct mdir *d)
{
	bool unknown = false;

	for (size_t i = 0; i < l->n; i++) {
		struct found *f = &l->found[i];

		f->lost = f->fresh && arrives(w, &f->f);
		l->arriving |= f->lost && !f->known;
		if (f->known || f->lost)
			continue;
		look_inspect(w, l, d, f);
		unknown = true;
	}
	if (unknown)
		look_sync(w, l, d);
}

void
look_remember(struct work *w, const struct look *l)
{
	*seen_get(&w->u->seen, l->mailbox) = (struct seen){ .mailbox = l->mailbox,
		.cur_mtime = l->again ? 0 : l->cur_mtime,
		.new_mtime = l->again || l->arriving ? 0 : l->new_mtime,
		.at = l->at };
}

static bool
compare(struct work *w, const struct mbox *m, struct mdir *d)
{
	struct look *l = look_new(w);

	l->mailbox = m->number;
	memcpy(l->dir, m->dir, sizeof l->dir);
	if (!look_list(w, l, d) || !compare_index(w, l, d))
		return false;
	inspect_unknown(w, l, d);
	if (compare_same(l)) {
		look_remember(w, l);
		look_drop(w);
	}
	return w->err.class == ERR_NONE;
}

static void
note_vanished(struct work *w, const struct mbox *m)
{
	struct look *l = look_new(w);

	l->mailbox = m->number;
	l->vanished = true;
	memcpy(l->dir, m->dir, sizeof l->dir);
}

/* A directory that lacks one of its three is mended; one that is not there has vanished with its mailbox. */
static bool
open_or_mend(struct work *w, const struct mbox *m, struct mdir *d)
{
	if (mdir_open(w->u, m->dir, d))
		return true;
	/* the mailbox may have a new name that its directory has not got yet */
	if (errno == ENOENT && (!todo_drain_all(w) || mdir_open(w->u, m->dir, d)))
		return w->err.class == ERR_NONE;
	if (errno == ENOENT && m->dir[0] != '\0' && !mdir_exists(w->u->maildir, m->dir)) {
		note_vanished(w, m);
		return false;
	}
	if (errno == ENOENT && mdir_make(w->u, m->dir) && mdir_open(w->u, m->dir, d))
		return true;
	return err_temp(&w->err, SAY_LATER, "%s/%s: %s", w->u->dir, m->dir, strerror(errno));
}

static bool
look_one(struct work *w, const struct mbox *m)
{
	struct mdir d;
	bool ok = true;

	if (!open_or_mend(w, m, &d))
		return w->err.class == ERR_NONE;
	/* nothing may be under way when a directory is read */
	if (must_compare(w, m, &d))
		ok = todo_drain_all(w) && compare(w, m, &d);
	mdir_close(&d);
	return ok;
}

static bool
read_mbox(struct work *w, uint32_t mailbox, struct mbox *m)
{
	struct snap s;
	bool found = work_snap(w, &s) && mbox_read(&s, mailbox, m);

	work_snap_end(w, &s);
	return found;
}

static bool
already(const struct work *w, uint32_t mailbox)
{
	for (const struct look *l = w->looks; l != NULL; l = l->next)
		if (l->mailbox == mailbox)
			return true;
	return false;
}

static bool
look_at(struct work *w, uint32_t mailbox)
{
	struct mbox *m = NEW(struct mbox);
	bool ok = true;

	if (!already(w, mailbox) && read_mbox(w, mailbox, m))
		ok = look_one(w, m);
	free(m);
	return ok;
}

static void
mailbox_numbers(struct work *w, struct uidset *numbers)
{
	struct snap s;
	MDB_cursor *c;
	MDB_val key, value;

	if (!work_snap(w, &s))
		return;
	c = snap_cursor(&s, T_MAILBOX);
	for (bool more = snap_step(&s, c, &key, &value, MDB_FIRST); more;
	     more = snap_step(&s, c, &key, &value, MDB_NEXT)) {
		const uint8_t *p = key.mv_data;
		uint32_t number;

		if (key.mv_size != 4) {
			snap_fail(&s, MDB_CORRUPTED);
			break;
		}
		number = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
		uidset_add(numbers, number, number);
	}
	cursor_close(c);
	work_snap_end(w, &s);
}

bool
look_prepare(struct work *w, uint32_t mailbox)
{
	struct uidset numbers;
	bool ok = true;

	if (mailbox != LOOK_ALL)
		return look_at(w, mailbox);
	uidset_init(&numbers);
	mailbox_numbers(w, &numbers);
	for (uint32_t n = uidset_next(&numbers, 1); ok && n != 0; n = uidset_next(&numbers, n + 1))
		ok = look_at(w, n);
	uidset_fini(&numbers);
	return ok && adopt_find(w);
}
