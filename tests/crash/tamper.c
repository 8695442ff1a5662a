/* tamper.c - linked into a server of its own: its wall clock can be set, and its memory runs out when a test says so.
 *
 * What is to happen stands in a file beside the program, <program>.tamper, which every process maps when it starts: what a test writes
 * there holds at once, for all. Without the file all is as it is. The monotonic clock is nobody's to set. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <lmdb.h>

enum { VICTIMS = 8, US = 1000000 };

struct tamper {
	int64_t clock_us; /* added to the wall clock */
	int64_t map_bytes; /* no database gets a larger map; 0: as large as it asks for */
	struct victim {
		int32_t pid;
		int32_t left; /* allocations until the one that fails; 0: it came, or none does */
	} victims[VICTIMS];
};

static struct tamper *tamper;
static int32_t me;

__attribute__((constructor)) static void
map_file(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
	void *p;
	int fd;

	me = (int32_t)getpid();
	if (n == -1)
		return;
	snprintf(path + n, 16, ".tamper");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return;
	p = mmap(NULL, sizeof *tamper, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	tamper = p != MAP_FAILED ? p : NULL;
	close(fd);
}

/* --- the clock ---------------------------------------------------------------------------------------------------- */

static int64_t
step_us(void)
{
	return tamper != NULL ? __atomic_load_n(&tamper->clock_us, __ATOMIC_RELAXED) : 0;
}

int
clock_gettime(clockid_t which, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, which, t);

	if (r == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
		t->tv_sec += step_us() / US;
		t->tv_nsec += step_us() % US * 1000;
		t->tv_sec += t->tv_nsec / 1000000000 - (t->tv_nsec < 0);
		t->tv_nsec = (t->tv_nsec + 1000000000) % 1000000000;
	}
	return r;
}

int
gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	t->tv_sec = now.tv_sec;
	t->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (t != NULL)
		*t = now.tv_sec;
	return now.tv_sec;
}

/* --- databases ---------------------------------------------------------------------------------------------------- */

int
mdb_env_set_mapsize(MDB_env *env, size_t bytes)
{
	static int (*real)(MDB_env *, size_t);
	size_t most = tamper != NULL ? (size_t)tamper->map_bytes : 0;
	mdb_filehandle_t fd = -1;

	if (real == NULL)
		real = (int (*)(MDB_env *, size_t))(uintptr_t)dlsym(RTLD_NEXT, "mdb_env_set_mapsize");
	if (most != 0 && bytes > most && mdb_env_get_fd(env, &fd) == 0 && fd != -1)
		return ENOMEM; /* it is open, and wants to grow */
	return real(env, most != 0 && bytes > most ? most : bytes);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

#ifndef __SANITIZE_ADDRESS__ /* its memory is its own */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static bool
runs_out(void)
{
	for (int i = 0; tamper != NULL && i < VICTIMS; i++) {
		struct victim *v = &tamper->victims[i];

		if (v->pid == me && __atomic_load_n(&v->left, __ATOMIC_RELAXED) > 0 && __atomic_sub_fetch(&v->left, 1, __ATOMIC_RELAXED) == 0) {
			errno = ENOMEM;
			return true;
		}
	}
	return false;
}

void *
malloc(size_t n)
{
	return runs_out() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return runs_out() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return runs_out() ? NULL : __libc_realloc(p, n);
}

#endif
