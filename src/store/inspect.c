/* inspect.c - what a file is that the index does not know, and that it stays. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "look.h"
#include "path.h"

/* Counts LF that no CR precedes. */
static bool
count_bare(int fd, uint64_t *bare)
{
	enum { STEP = 65536 };
	char *piece = mem_new(STEP);
	char before = '\0';
	off_t at = 0;
	ssize_t n;

	*bare = 0;
	while ((n = io_pread(fd, piece, STEP, at)) > 0) {
		const char *end = piece + n, *p = piece;

		while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
			*bare += (p == piece ? before : p[-1]) != '\r';
			p++;
		}
		before = end[-1];
		at += n;
	}
	free(piece);
	return n == 0;
}

/* A few foreign files are synced one by one; the whole file system is when there are more. */
enum { SYNC_EACH_MAX = 64 };

static bool
sync_foreign(struct look *l, int fd)
{
	return ++l->nforeign > SYNC_EACH_MAX || fsync(fd) == 0;
}

bool
look_sync(struct work *w, struct look *l, struct mdir *d)
{
	if (l->nforeign > SYNC_EACH_MAX && syncfs(d->cur) == -1)
		return err_temp(&w->err, SAY_DISK, "%s/%s: syncfs: %s", w->u->dir, l->dir, strerror(errno));
	if (fsync(d->fresh) == -1 || fsync(d->cur) == -1)
		return err_temp(&w->err, SAY_DISK, "%s/%s: fsync: %s", w->u->dir, l->dir, strerror(errno));
	return true;
}

static bool
inspect(struct look *l, struct found *f, int fd, const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size, bare = 0;

	f->file_size = size;
	f->row.internal_date = st->st_mtim.tv_sec;
	f->row.save_date = wall_seconds(wall_now());
	/* what we named so was CRLF when it came; Dovecot's W= says it, too */
	if (f->f.has_size && f->f.size == size && f->f.has_wire_size && f->f.wire_size >= size)
		bare = f->f.wire_size - size;
	else if (!(f->f.ours && f->f.has_size && f->f.size == size) && !count_bare(fd, &bare))
		return false;
	f->row.size = size + bare;
	f->row.lf = bare > 0;
	return f->f.ours || sync_foreign(l, fd);
}

/* A file that is no message, or not for us, is passed over; trouble of the machine hides no mail. */
static bool
may_pass(int error)
{
	return error == EIO || error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOSPC ||
	       error == EDQUOT;
}

void
look_inspect(struct work *w, struct look *l, struct mdir *d, struct found *f)
{
	char name[FNAME_SIZE];
	struct stat st;
	int fd;

	memcpy(name, f->name.p, f->name.n);
	name[f->name.n] = '\0';
	errno = 0;
	fd = path_open(f->fresh ? d->fresh : d->cur, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	f->lost = fd == -1 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || !inspect(l, f, fd, &st);
	if (f->lost && may_pass(errno)) {
		log_say(LEVEL_WARN, "store", "%s/%s: %s: %s", w->u->dir, l->dir, name, strerror(errno));
		l->again = true;
	}
	io_close(&fd);
}
