/* blob.c - a message file on its way. */
#include "blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "path.h"
#include "state.h"

static int proc_fds = -1; /* /proc/self/fd, opened once, for the life of the process */

void
blob_prepare(void)
{
	if (proc_fds == -1)
		proc_fds = io_open_fds();
}

void
blob_init(struct blob *b)
{
	*b = (struct blob){ .fd = -1, .tmp = -1 };
}

static bool
open_named(struct blob *b, int tmp)
{
	char id[ID_TEXT_SIZE];

	id_text(id_new(), id);
	snprintf(b->name, sizeof b->name, "blob-%s", id);
	b->fd = path_open(tmp, b->name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (b->fd != -1)
		b->tmp = tmp;
	return b->fd != -1;
}

bool
blob_open(const struct store *s, struct blob *b, int tmp)
{
	if (s->blob_way == BLOB_NAMED)
		return open_named(b, tmp);
	b->fd = openat(tmp, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	/* this directory may be on another file system than the one that was tried */
	if (b->fd == -1 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
		return open_named(b, tmp);
	return b->fd != -1;
}

static bool
link_nameless(const struct store *s, int fd, int dirfd, const char *name)
{
	char number[16];

	if (s->blob_way == BLOB_EMPTY)
		return linkat(fd, "", dirfd, name, AT_EMPTY_PATH) == 0;
	snprintf(number, sizeof number, "%d", fd);
	return linkat(proc_fds, number, dirfd, name, AT_SYMLINK_FOLLOW) == 0;
}

bool
blob_link(const struct store *s, struct blob *b, int dirfd, const char *name)
{
	if (b->tmp == -1)
		return link_nameless(s, b->fd, dirfd, name);
	if (!path_rename_new(b->tmp, b->name, dirfd, name))
		return false;
	b->tmp = -1;
	return true;
}

void
blob_close(struct blob *b)
{
	if (b->tmp != -1)
		unlinkat(b->tmp, b->name, 0);
	b->tmp = -1;
	io_close(&b->fd);
}

static bool
try_way(struct store *s, enum blob_way way)
{
	struct blob b;
	char id[ID_TEXT_SIZE], name[64];
	bool ok;

	id_text(id_new(), id);
	snprintf(name, sizeof name, ".probe-%s", id);
	s->blob_way = way;
	blob_init(&b);
	if (!blob_open(s, &b, s->root))
		return false;
	ok = b.tmp == -1 && blob_link(s, &b, s->root, name);
	unlinkat(s->root, name, 0);
	blob_close(&b);
	return ok;
}

void
blob_probe(struct store *s)
{
	blob_prepare();
	if ((proc_fds != -1 && try_way(s, BLOB_PROC)) || try_way(s, BLOB_EMPTY))
		return;
	s->blob_way = BLOB_NAMED;
}

bool
blob_set_date(const struct blob *b, int64_t seconds)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = seconds } };

	return futimens(b->fd, times) == 0;
}

bool
blob_has_room(const struct store *s, int dirfd, uint64_t n)
{
	struct statvfs vfs;

	if (fstatvfs(dirfd, &vfs) == -1)
		return false;
	errno = ENOSPC;
	return (uint64_t)vfs.f_bavail * vfs.f_frsize >= n + s->config.free_min;
}
