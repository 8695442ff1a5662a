/* nosync.c - linked into a server of its own: a system whose flushes are lies, O_DSYNC included. The power-cut checker must notice; a checker that does not
 * would prove nothing. */
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

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
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags & ~(O_DSYNC | O_SYNC), mode);
}

int
fsync(int fd)
{
	return fcntl(fd, F_GETFD) == -1 ? -1 : 0;
}

int
fdatasync(int fd)
{
	return fsync(fd);
}

int
syncfs(int fd)
{
	return fsync(fd);
}

int
sync_file_range(int fd, off64_t at, off64_t n, unsigned flags)
{
	(void)at;
	(void)n;
	(void)flags;
	return fsync(fd);
}

int
msync(void *at, size_t n, int flags)
{
	(void)at;
	(void)n;
	(void)flags;
	return 0;
}
