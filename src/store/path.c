/* path.c - files beneath the store's root. */
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <postern/core/io.h>

enum { PATH_TRIES = 100 };

int
path_open(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	/* EAGAIN: a rename somewhere made the kernel's check of ".." inconclusive */
	for (int i = 0; i < PATH_TRIES; i++) {
		long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);

		if (fd != -1 || (errno != EAGAIN && errno != EINTR))
			return (int)fd;
	}
	return -1;
}

int
path_open_dir(int dirfd, const char *path)
{
	return path_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
}

int
path_open_file(int dirfd, const char *path, uint64_t *size)
{
	int fd = path_open(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

/* Makes one directory below an open one and returns it open. */
static int
step_into(int dirfd, const char *name)
{
	int fd;

	if (mkdirat(dirfd, name, 0700) == 0 && fsync(dirfd) == -1)
		return -1;
	fd = path_open_dir(dirfd, name);
	return fd;
}

bool
path_make(int dirfd, const char *path)
{
	struct str rest = str_of(path), part;
	char name[256];
	int at = dirfd;
	bool ok = true;

	while (ok && str_cut(&rest, '/', &part)) {
		int next = -1;

		if (part.n < sizeof name) {
			snprintf(name, sizeof name, "%.*s", STR_ARG(part));
			next = step_into(at, name);
		}
		if (at != dirfd)
			close(at);
		at = next;
		ok = at != -1;
	}
	if (ok && at != dirfd)
		close(at);
	return ok;
}

bool
path_rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	return linkat(from_dir, from, to_dir, to, 0) == 0 && unlinkat(from_dir, from, 0) == 0;
}

bool
path_replace(int dirfd, const char *name, struct str bytes)
{
	char fresh[256];
	int fd;
	bool ok;

	snprintf(fresh, sizeof fresh, "%s.new", name);
	fd = path_open(dirfd, fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd == -1)
		return false;
	ok = io_write_all(fd, bytes) && fsync(fd) == 0;
	close(fd);
	return ok && renameat(dirfd, fresh, dirfd, name) == 0 && fsync(dirfd) == 0;
}

int64_t
path_mtime(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return 0;
	return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

bool
path_list(int dirfd, bool (*fn)(void *ctx, const char *name), void *ctx)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a position of its own */
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *e;
	int kept;

	if (d == NULL) {
		io_close(&fd);
		return false;
	}
	while (errno = 0, (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (!fn(ctx, e->d_name)) {
			errno = 0;
			break;
		}
	}
	kept = errno;
	closedir(d);
	errno = kept;
	return kept == 0;
}

struct removal {
	int dirfd;
	unsigned depth;
	bool ok;
};

static bool
remove_entry(void *ctx, const char *name)
{
	struct removal *r = ctx;

	if (unlinkat(r->dirfd, name, 0) == 0 || errno == ENOENT)
		return true;
	if (errno == EISDIR && r->depth > 0 && path_remove_tree(r->dirfd, name, r->depth - 1))
		return true;
	r->ok = false;
	return true;
}

bool
path_remove_tree(int dirfd, const char *name, unsigned depth)
{
	struct removal r = { path_open_dir(dirfd, name), depth, true };

	if (r.dirfd == -1)
		return errno == ENOENT;
	r.ok = path_list(r.dirfd, remove_entry, &r) && r.ok;
	close(r.dirfd);
	return r.ok && unlinkat(dirfd, name, AT_REMOVEDIR) == 0;
}
