/* nosync.c - for LD_PRELOAD: a system whose flushes are lies. The power-cut checker must notice; a checker that does not
 * would prove nothing. */
#include <stddef.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

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
