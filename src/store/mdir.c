/* mdir.c - the directories of a mailbox, and what we remember of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/mem.h>

#include "path.h"
#include "sidecar.h"
#include "work.h"

enum { DIR_PATH_SIZE = 300, SIDECAR_MAX = 8192 };

static void
sub_path(char out[static DIR_PATH_SIZE], const char *dir, const char *sub)
{
	snprintf(out, DIR_PATH_SIZE, "%.255s%s%s", dir, dir[0] != '\0' ? "/" : "", sub);
}

static int
open_sub(const struct store_user *u, const char *dir, const char *sub)
{
	char path[DIR_PATH_SIZE];

	sub_path(path, dir, sub);
	return path_open_dir(u->maildir, path);
}

bool
mdir_open(const struct store_user *u, const char *dir, struct mdir *d)
{
	*d = (struct mdir){ .cur = open_sub(u, dir, "cur"), .fresh = -1, .tmp = -1 };
	if (d->cur == -1)
		return false;
	d->fresh = open_sub(u, dir, "new");
	d->tmp = open_sub(u, dir, "tmp");
	if (d->fresh != -1 && d->tmp != -1)
		return true;
	mdir_close(d);
	return false;
}

void
mdir_close(struct mdir *d)
{
	int kept = errno;

	io_close(&d->cur);
	io_close(&d->fresh);
	io_close(&d->tmp);
	errno = kept;
}

bool
mdir_enter(struct work *w, const struct mbox *m, struct mdir *d)
{
	struct seen *seen = seen_get(&w->u->seen, m->number);

	if (!mdir_open(w->u, m->dir, d))
		return false;
	d->mailbox = m->number;
	d->alone = seen->cur_mtime != 0 && seen->cur_mtime == path_mtime(d->cur);
	return true;
}

void
mdir_leave(struct work *w, struct mdir *d)
{
	struct seen *seen = seen_get(&w->u->seen, d->mailbox);

	if (d->alone) {
		seen->cur_mtime = path_mtime(d->cur);
		if (!mtime_trusted(seen->new_mtime, seen->at, seen->new_mtime, false))
			seen->new_mtime = 0; /* of new/ nothing is known that would be true at a later time */
		seen->at = wall_now().us * 1000;
		seen->ours = true;
		seen->saved = false;
	}
	mdir_close(d);
}

bool
mdir_make(const struct store_user *u, const char *dir)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	char path[DIR_PATH_SIZE];
	int mark;

	/* cur/ last: a directory that has it is a mailbox */
	for (size_t i = 0; i < sizeof subs / sizeof subs[0]; i++) {
		sub_path(path, dir, subs[i]);
		if (!path_make(u->maildir, path))
			return false;
	}
	if (dir[0] == '\0')
		return true;
	/* the mark by which other Maildir++ programs know a folder */
	sub_path(path, dir, "maildirfolder");
	mark = path_open(u->maildir, path, O_WRONLY | O_CREAT, 0600);
	if (mark == -1)
		return false;
	close(mark);
	return true;
}

void
mdir_unmake(const struct store_user *u, const char *dir)
{
	static const char *const subs[] = { "cur", "new", "tmp" };
	int fd = dir[0] != '\0' ? path_open_dir(u->maildir, dir) : -1;
	bool gone = fd != -1;

	for (size_t i = 0; gone && i < sizeof subs / sizeof subs[0]; i++)
		gone = unlinkat(fd, subs[i], AT_REMOVEDIR) == 0;
	if (gone && unlinkat(fd, "maildirfolder", 0) == 0)
		unlinkat(u->maildir, dir, AT_REMOVEDIR);
	io_close(&fd);
}

bool
mdir_exists(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct search {
	struct str base;
	char *name;
	bool found;
};

static bool
is_it(void *ctx, const char *name)
{
	struct search *s = ctx;
	struct fname f;

	if (!fname_parse(str_of(name), &f) || !str_eq(f.base, s->base))
		return true;
	snprintf(s->name, FNAME_SIZE, "%s", name);
	s->found = true;
	return false;
}

bool
mdir_find(int dirfd, struct str base, char name[static FNAME_SIZE])
{
	struct search s = { base, name, false };

	return path_list(dirfd, is_it, &s) && s.found;
}

bool
sidecar_save(const struct store_user *u, const struct mbox *m)
{
	struct sidecar s = {
		.id = m->row.id,
		.uidvalidity = m->row.uidvalidity,
		.ceiling = m->row.ceiling,
		.use = (enum store_use)m->row.use,
		.subscribed = m->row.subscribed != 0,
		.nkeywords = mbox_keywords(m),
	};
	struct buf b;
	int fd = m->dir[0] != '\0' ? path_open_dir(u->maildir, m->dir) : dup(u->maildir);
	bool ok;

	if (fd == -1)
		return false;
	memcpy(s.keywords, m->keywords, sizeof s.keywords);
	buf_init(&b, SIDECAR_MAX);
	sidecar_write(&s, &b);
	ok = path_replace(fd, SIDECAR_NAME, buf_str(&b));
	buf_fini(&b);
	io_close(&fd);
	return ok;
}

bool
sidecar_load(int dirfd, struct sidecar *s)
{
	struct buf b;
	int fd = path_open(dirfd, SIDECAR_NAME, O_RDONLY | O_NONBLOCK, 0);
	bool ok;

	buf_init(&b, SIDECAR_MAX);
	ok = fd != -1 && io_read_fd(fd, &b) && sidecar_parse(s, buf_str(&b));
	buf_fini(&b);
	io_close(&fd);
	return ok;
}

/* The memory of mtimes: sorted by mailbox. */
static size_t
seen_at(const struct seen_list *l, uint32_t mailbox)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (l->p[mid].mailbox < mailbox)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct seen *
seen_get(struct seen_list *l, uint32_t mailbox)
{
	size_t at = seen_at(l, mailbox);

	if (at < l->n && l->p[at].mailbox == mailbox)
		return &l->p[at];
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 8 : l->cap * 2;
		l->p = mem_resize(l->p, l->cap * sizeof *l->p);
	}
	memmove(l->p + at + 1, l->p + at, (l->n - at) * sizeof *l->p);
	l->n++;
	l->p[at] = (struct seen){ .mailbox = mailbox };
	return &l->p[at];
}

void
seen_forget(struct seen_list *l, uint32_t mailbox)
{
	size_t at = seen_at(l, mailbox);

	if (at == l->n || l->p[at].mailbox != mailbox)
		return;
	memmove(l->p + at, l->p + at + 1, (l->n - at - 1) * sizeof *l->p);
	l->n--;
}

bool
mtime_trusted(int64_t seen, int64_t at, int64_t mtime, bool ours)
{
	enum { GRAIN_NS = 2000000000 };
	int64_t age = wall_now().us * 1000 - mtime;

	if (mtime == 0 || seen != mtime)
		return false;
	return at - mtime >= GRAIN_NS || (ours && age < GRAIN_NS);
}

int
mdir_open_message(const struct mdir *d, const char *name, uint64_t *size)
{
	int fd = path_open_file(d->cur, name, size);
	char base[FNAME_SIZE];
	struct fname f;

	if (fd != -1 || !fname_parse(str_of(name), &f))
		return fd;
	snprintf(base, sizeof base, "%.*s", STR_ARG(f.base));
	return path_open_file(d->tmp, base, size);
}
