/* sync.c - durability of a group of files. */
#include "sync.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/core/io.h>
#include <postern/core/mem.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

enum {
	HELPERS = 8, /* measured: 100 fsyncs by one thread 199 ms, by eight 31 ms, one syncfs 21 ms */
	HELPER_STACK = 256 << 10,
	HELP_FROM = 3, /* files */
	DIRTY_LITTLE_KB = 32 << 10, /* never slower by syncfs than by many fsyncs */
	DIRTY_MAX_KB = 512 << 10,   /* never by syncfs; between the two the last one decides */
	SLOW_MS = 50,               /* a syncfs that wrote what others had left */
	AVOID_MIN_MS = 1000,        /* after it; doubled each time */
	AVOID_MAX_MS = 64000,
	MEMINFO_SIZE = 8192,
};

/* Files that several threads sync at a time: the flushes of the disk are shared. */
struct crowd {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	pthread_t helpers[HELPERS];
	unsigned n;
	const int *fds; /* of the set that is being synced; one set at a time */
	size_t nfds, next, finished;
	int error;
	bool taken, ending;
};

struct syncer {
	struct crowd crowd;
	pthread_mutex_t lock;
	int fd;      /* of the file system; -1: not one for syncfs */
	dev_t dev;
	unsigned from;
	uint64_t failures;
	struct mono avoid_until; /* when much is dirty */
	int64_t avoid_ms;
};

static int meminfo = -1; /* opened before the root is closed; -1: never syncfs */

void
syncer_prepare(void)
{
	if (meminfo == -1)
		meminfo = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
}

static bool
suits(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == -1)
		return false;
	return fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC;
}

/* Syncs the next file of the set without the lock. */
static void
sync_next(struct crowd *c)
{
	int fd = c->fds[c->next++], error;

	pthread_mutex_unlock(&c->lock);
	error = fsync(fd) == -1 ? errno : 0;
	pthread_mutex_lock(&c->lock);
	if (error != 0)
		c->error = error;
	if (++c->finished == c->nfds)
		pthread_cond_broadcast(&c->done);
}

static void *
help(void *ctx)
{
	struct crowd *c = ctx;

	pthread_mutex_lock(&c->lock);
	while (!c->ending) {
		if (c->next < c->nfds)
			sync_next(c);
		else
			pthread_cond_wait(&c->work, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static void
crowd_start(struct crowd *c, unsigned helpers)
{
	pthread_attr_t attr;
	sigset_t all, kept;

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	pthread_cond_init(&c->done, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, HELPER_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &kept);
	while (c->n < helpers && pthread_create(&c->helpers[c->n], &attr, help, c) == 0)
		c->n++;
	pthread_sigmask(SIG_SETMASK, &kept, NULL);
	pthread_attr_destroy(&attr);
}

static void
crowd_end(struct crowd *c)
{
	pthread_mutex_lock(&c->lock);
	c->ending = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->n; i++)
		pthread_join(c->helpers[i], NULL);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->done);
	pthread_mutex_destroy(&c->lock);
}

/* False when another set has the helpers: then the caller is alone with his. */
static bool
crowd_sync(struct crowd *c, const int *fds, size_t n, int *error)
{
	pthread_mutex_lock(&c->lock);
	if (c->taken || c->n == 0) {
		pthread_mutex_unlock(&c->lock);
		return false;
	}
	c->taken = true;
	c->fds = fds;
	c->nfds = n;
	c->next = c->finished = 0;
	c->error = 0;
	pthread_cond_broadcast(&c->work);
	while (c->next < c->nfds)
		sync_next(c);
	while (c->finished < c->nfds)
		pthread_cond_wait(&c->done, &c->lock);
	*error = c->error;
	c->nfds = c->next = 0;
	c->taken = false;
	pthread_mutex_unlock(&c->lock);
	return true;
}

struct syncer *
syncer_new(int root, unsigned from, bool threads)
{
	struct syncer *y = NEW(struct syncer);
	struct stat st;

	pthread_mutex_init(&y->lock, NULL);
	syncer_prepare();
	y->fd = suits(root) && fstat(root, &st) == 0 ? openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	y->dev = y->fd != -1 ? st.st_dev : 0;
	y->from = from;
	crowd_start(&y->crowd, threads ? HELPERS : 0);
	return y;
}

void
syncer_free(struct syncer *y)
{
	crowd_end(&y->crowd);
	io_close(&y->fd);
	pthread_mutex_destroy(&y->lock);
	free(y);
}

static uint64_t
count_failures(struct syncer *y)
{
	uint64_t n;

	pthread_mutex_lock(&y->lock);
	n = y->failures;
	pthread_mutex_unlock(&y->lock);
	return n;
}

void
sync_begin(struct sync_set *s, struct syncer *y)
{
	*s = (struct sync_set){ .syncer = y, .failures = count_failures(y) };
}

void
sync_add(struct sync_set *s, int fd)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 8 : s->cap * 2;
		s->fds = mem_resize(s->fds, s->cap * sizeof *s->fds);
	}
	s->fds[s->n++] = fd;
}

void
sync_fini(struct sync_set *s)
{
	free(s->fds);
	s->fds = NULL;
	s->n = s->cap = 0;
}

/* Of all file systems together: an upper bound of what is ours. ULONG_MAX: not known. */
static unsigned long
dirty_kb(void)
{
	char text[MEMINFO_SIZE];
	ssize_t n = pread(meminfo, text, sizeof text - 1, 0);
	const char *at;

	if (n <= 0)
		return ULONG_MAX;
	text[n] = '\0';
	at = strstr(text, "\nDirty:");
	return at != NULL ? strtoul(at + 7, NULL, 10) : ULONG_MAX;
}

static bool
is_quick_now(struct syncer *y)
{
	unsigned long dirty = dirty_kb();
	bool avoided;

	pthread_mutex_lock(&y->lock);
	avoided = mono_before(mono_now(), y->avoid_until);
	pthread_mutex_unlock(&y->lock);
	return dirty < DIRTY_LITTLE_KB || (dirty < DIRTY_MAX_KB && !avoided);
}

/* Under the lock. */
static void
note_time(struct syncer *y, struct mono began)
{
	struct mono now = mono_now();

	if (mono_ms_between(now, began) <= SLOW_MS) {
		y->avoid_ms = 0;
		return;
	}
	y->avoid_ms = y->avoid_ms == 0 ? AVOID_MIN_MS : y->avoid_ms < AVOID_MAX_MS ? y->avoid_ms * 2 : AVOID_MAX_MS;
	y->avoid_until = mono_add_ms(now, y->avoid_ms);
}

static bool
is_for_syncfs(const struct sync_set *s)
{
	struct stat st;

	if (s->n < s->syncer->from || s->syncer->fd == -1 || meminfo == -1)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (fstat(s->fds[i], &st) == -1 || st.st_dev != s->syncer->dev)
			return false;
	return is_quick_now(s->syncer);
}

static bool
sync_whole(struct sync_set *s)
{
	struct syncer *y = s->syncer;
	struct mono began;
	bool ok;

	pthread_mutex_lock(&y->lock);
	began = mono_now();
	ok = syncfs(y->fd) == 0;
	note_time(y, began);
	y->failures += !ok;
	if (ok && y->failures != s->failures) {
		errno = EIO;
		ok = false;
	}
	pthread_mutex_unlock(&y->lock);
	return ok;
}

static bool
sync_each(struct sync_set *s)
{
	int error;

	/* all writes are under way before the first wait; a directory refuses, which does not matter */
	for (size_t i = 0; s->n > 1 && i < s->n; i++)
		sync_file_range(s->fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
	if (s->n >= HELP_FROM && crowd_sync(&s->syncer->crowd, s->fds, s->n, &error)) {
		errno = error;
		return error == 0;
	}
	for (size_t i = 0; i < s->n; i++)
		if (fsync(s->fds[i]) == -1)
			return false;
	return true;
}

bool
sync_run(struct sync_set *s)
{
	return is_for_syncfs(s) ? sync_whole(s) : sync_each(s);
}
