/* spool.c - spool files: made without a name, named when the ledger is about to own them, removed after it let go. */
#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>

enum { NAME_SIZE = 40, COPY_PIECE = 64 << 10 };

static bool
fail(struct err *e, const char *what)
{
	bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;

	return err_temp(e, full ? SAY_DISK : SAY_LATER, "spool: %s: %s", what, strerror(errno));
}

bool
spool_open(struct spool *s, int dirfd, const char *path, int proc_fd, struct err *e)
{
	struct stat st;

	*s = (struct spool){ .dir = -1, .proc_fd = proc_fd };
	if (mkdirat(dirfd, path, 0700) == -1 && errno != EEXIST)
		return fail(e, "mkdir");
	s->dir = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir == -1 || fstat(s->dir, &st) == -1)
		return fail(e, "open");
	if (fsync(dirfd) == -1)
		return fail(e, "fsync of its parent");
	s->dev = st.st_dev;
	return true;
}

void
spool_close(struct spool *s)
{
	io_close(&s->dir);
}

static void
temp_name(char out[static NAME_SIZE])
{
	char id[ID_TEXT_SIZE];

	id_text(id_new(), id);
	snprintf(out, NAME_SIZE, "new.%s", id);
}

static int
open_temp(struct spool *s, char name[static NAME_SIZE])
{
	temp_name(name);
	return openat(s->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

int
spool_new(struct spool *s, struct err *e)
{
	char name[NAME_SIZE];
	int fd = openat(s->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd != -1)
		return fd;
	fd = open_temp(s, name); /* a file system without O_TMPFILE */
	if (fd == -1) {
		fail(e, "new file");
		return -1;
	}
	unlinkat(s->dir, name, 0);
	return fd;
}

bool
spool_is_new(const struct spool *s, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == s->dev && st.st_nlink == 0;
}

/* linkat with AT_EMPTY_PATH needs CAP_DAC_READ_SEARCH before Linux 6.10; the way through /proc does not. */
static bool
link_fd(struct spool *s, int fd, const char *name)
{
	char number[16];

	if (linkat(fd, "", s->dir, name, AT_EMPTY_PATH) == 0)
		return true;
	if (errno == EEXIST || s->proc_fd == -1)
		return false;
	snprintf(number, sizeof number, "%d", fd);
	return linkat(s->proc_fd, number, s->dir, name, AT_SYMLINK_FOLLOW) == 0;
}

static bool
copy_bytes(int from, int to)
{
	char piece[COPY_PIECE];
	off_t at = 0;
	ssize_t n;

	while ((n = io_pread(from, piece, sizeof piece, at)) > 0) {
		if (!io_write_all(to, str_from(piece, (size_t)n)))
			return false;
		at += n;
	}
	return n == 0;
}

static bool
put_copy(struct spool *s, int fd, const char *name, struct err *e)
{
	char temp[NAME_SIZE];
	int copy = open_temp(s, temp);
	bool ok;

	if (copy == -1)
		return fail(e, "new file");
	ok = copy_bytes(fd, copy) && fsync(copy) == 0 &&
	    renameat2(s->dir, temp, s->dir, name, RENAME_NOREPLACE) == 0;
	if (!ok) {
		fail(e, "copy");
		unlinkat(s->dir, temp, 0);
	}
	close(copy);
	return ok;
}

void
spool_push(int fd)
{
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

bool
spool_put(struct spool *s, struct id qid, int fd, struct err *e)
{
	char name[ID_TEXT_SIZE];

	id_text(qid, name);
	if (!spool_is_new(s, fd))
		return put_copy(s, fd, name, e);
	if (fsync(fd) == -1)
		return fail(e, "fsync");
	if (link_fd(s, fd, name))
		return true;
	if (errno == EEXIST)
		return fail(e, "link");
	return put_copy(s, fd, name, e);
}

bool
spool_sync(struct spool *s, struct err *e)
{
	return fsync(s->dir) == 0 || fail(e, "fsync of the directory");
}

int
spool_get(struct spool *s, struct id qid)
{
	char name[ID_TEXT_SIZE];

	id_text(qid, name);
	return openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

void
spool_remove(struct spool *s, struct id qid)
{
	char name[ID_TEXT_SIZE];

	id_text(qid, name);
	if (unlinkat(s->dir, name, 0) == -1 && errno != ENOENT)
		log_say(LEVEL_WARN, "error", "spool: unlink %s: %s", name, strerror(errno));
}

static bool
is_old(struct spool *s, const char *name, int64_t age_s)
{
	struct stat st;

	return fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (int64_t)st.st_mtime + age_s <= wall_seconds(wall_now());
}

static bool
is_owed(const char *name, bool (*keep)(void *ctx, struct id qid), void *ctx)
{
	struct id qid;

	return id_parse(str_of(name), &qid) && keep(ctx, qid);
}

unsigned
spool_sweep(struct spool *s, int64_t age_s, bool (*keep)(void *ctx, struct id qid), void *ctx)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	unsigned n = 0;

	if (d == NULL) {
		io_close(&fd);
		return 0;
	}
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.' || is_owed(entry->d_name, keep, ctx) || !is_old(s, entry->d_name, age_s))
			continue;
		n += unlinkat(s->dir, entry->d_name, 0) == 0;
	}
	closedir(d);
	return n;
}

uint64_t
spool_free_bytes(const struct spool *s)
{
	struct statvfs v;

	return fstatvfs(s->dir, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : UINT64_MAX;
}
