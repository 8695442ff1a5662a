/* nosync.c - linked into a server of its own: a system whose flushes are lies, O_DSYNC included. The power-cut checker must notice; a
 * checker that does not would prove nothing.
 *
 * The name of the program says which flushes are left out: postern_nosync: all; postern_nosync-PLACE: those of one place. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 1, DIRECTORIES = 2, TABLES = 4, JOURNALS = 8, ALL = 15 };

/* LMDB alone uses O_DSYNC, and fdatasync but for journals, which are written at their end only. syncfs is for files and directories. */
static const struct {
	const char *place;
	const char *role;
	unsigned omitted;
} rows[] = {
	{ "message", "store", FILES },
	{ "directory", "store", DIRECTORIES },
	{ "index", "store", TABLES },
	{ "spool", "queue", FILES | DIRECTORIES },
	{ "queue", "queue", TABLES },
	{ "auth", "auth", TABLES },
	{ "shares", "store", JOURNALS },
};

static unsigned omitted;

static __attribute__((constructor)) void
find_place(int argc, char **argv)
{
	char program[4096] = "";
	const char *role = argc > 2 && strcmp(argv[1], "--role") == 0 ? argv[2] : "", *place;

	if (readlink("/proc/self/exe", program, sizeof program - 1) == -1)
		_exit(127);
	place = strchr(strrchr(program, '/'), '-');
	if (place == NULL)
		omitted = ALL;
	for (size_t i = 0; place != NULL && i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].place, place + 1) == 0 && strcmp(rows[i].role, role) == 0)
			omitted = rows[i].omitted;
}

/* LMDB writes its meta pages through a descriptor that flushes at each write. Its library asks for open by this name; the
 * headers would make open64 of it here. */
int open_lazily(const char *path, int flags, ...) __asm__("open");

int
open_lazily(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	return (int)syscall(
	    SYS_openat, AT_FDCWD, path, (omitted & TABLES) != 0 ? flags & ~(O_DSYNC | O_SYNC) : flags, mode);
}

static int
pretend(int fd)
{
	return fcntl(fd, F_GETFD) == -1 ? -1 : 0;
}

int
fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && (omitted & (S_ISDIR(st.st_mode) ? DIRECTORIES : FILES)) != 0)
		return pretend(fd);
	return (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	unsigned what = (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? JOURNALS : TABLES;

	return (omitted & what) != 0 ? pretend(fd) : (int)syscall(SYS_fdatasync, fd);
}

int
syncfs(int fd)
{
	return (omitted & (FILES | DIRECTORIES)) != 0 ? pretend(fd) : (int)syscall(SYS_syncfs, fd);
}

int
sync_file_range(int fd, off64_t at, off64_t n, unsigned flags)
{
	return (omitted & FILES) != 0 ? pretend(fd) : (int)syscall(SYS_sync_file_range, fd, at, n, flags);
}

int
msync(void *at, size_t n, int flags)
{
	return (omitted & TABLES) != 0 ? 0 : (int)syscall(SYS_msync, at, n, flags);
}
