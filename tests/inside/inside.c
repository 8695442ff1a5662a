/* inside.c - the server with an enemy in it: linked into the program, this code runs a table of attempts in a role that has given up
 * its rights, when the first connection or message has come.
 *
 * What the kernel ends the process for shows as an attempt that did not come back; the next life goes on behind it. The page is a
 * file beside the program, opened before anything else; without it this is the plain server. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "inside.h"

static struct inside *in;
static int confined;

__attribute__((constructor)) static void
map_page(void)
{
	char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 8);
	int fd;

	if (n <= 0)
		return;
	memcpy(path + n, ".page", 6);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return;
	in = mmap(NULL, sizeof *in, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (in == MAP_FAILED)
		in = NULL;
	close(fd);
}

int
inside_outcome(long r)
{
	return r == -1 ? -errno : 0;
}

static void
try_one(const struct attempt *a, uint32_t n)
{
	snprintf(in->names[n], INSIDE_NAME_SIZE, "%s", a->name);
	in->next = n + 1;
	in->results[n] = INSIDE_TRYING;
	in->results[n] = a->act(in);
}

static void
try_all(void)
{
	static const struct attempt *const tables[] = { inside_files, inside_acts, inside_network };
	uint32_t first = in->next;
	uint32_t n = 0;

	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (const struct attempt *a = tables[t]; a->name != NULL && n < INSIDE_ATTEMPTS_MAX; a++, n++)
			if (n >= first)
				try_one(a, n);
	in->count = n;
}

static void
trigger(void)
{
	if (in == NULL || !confined || !in->armed)
		return;
	in->armed = 0;
	try_all();
}

/* --- where the program passes by --- */

int
seccomp_load(const scmp_filter_ctx ctx)
{
	int (*load)(scmp_filter_ctx) = (int (*)(scmp_filter_ctx))dlsym(RTLD_NEXT, "seccomp_load");
	int r = load(ctx);

	confined = r == 0;
	return r;
}

int
accept4(int fd, __SOCKADDR_ARG addr, socklen_t *restrict n, int flags)
{
	int r = (int)syscall(SYS_accept4, fd, addr.__sockaddr__, n, flags);

	if (r != -1)
		trigger();
	return r;
}

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t r = syscall(SYS_recvmsg, fd, m, flags);

	if (r > 0)
		trigger();
	return r;
}
