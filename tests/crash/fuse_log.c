/* fuse_log.c - a disk that remembers: MOUNT/disk has the bytes of BACK, and each write and each flush goes to LOG.
 *
 *   fuse_log BACK LOG MOUNT [FUSE OPTIONS]
 *
 * A loop device on MOUNT/disk carries the file system under test. Any prefix of the log, and any choice of the writes
 * after its last flush, is what a power cut can leave behind; powercut.py makes such images. A record is a head of 24
 * bytes (kind, offset, length; the machine's byte order), then the bytes written. One thread, so that the order of the
 * log is the order of the disk. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct head {
	char kind[8]; /* "W" or "F" */
	int64_t at;
	int64_t n;
};

static int back = -1;
static int wlog = -1;
static off_t size;

static int
on_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
	(void)info;
	memset(st, 0, sizeof *st);
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
		return 0;
	}
	if (strcmp(path, "/disk") != 0)
		return -ENOENT;
	st->st_mode = S_IFREG | 0600;
	st->st_nlink = 1;
	st->st_size = size;
	return 0;
}

static int
on_open(const char *path, struct fuse_file_info *info)
{
	(void)path;
	(void)info;
	return 0;
}

static int
on_read(const char *path, char *bytes, size_t n, off_t at, struct fuse_file_info *info)
{
	ssize_t got = pread(back, bytes, n, at);

	(void)path;
	(void)info;
	return got == -1 ? -errno : (int)got;
}

/* The log is the only witness: what cannot be written there did not happen. */
static bool
note(char kind, off_t at, const char *bytes, size_t n)
{
	struct head head = { { kind }, at, (int64_t)n };
	struct iovec v[2] = { { &head, sizeof head }, { (void *)(uintptr_t)bytes, n } };

	return writev(wlog, v, n > 0 ? 2 : 1) == (ssize_t)(sizeof head + n);
}

static int
on_write(const char *path, const char *bytes, size_t n, off_t at, struct fuse_file_info *info)
{
	(void)path;
	(void)info;
	if (!note('W', at, bytes, n) || pwrite(back, bytes, n, at) != (ssize_t)n)
		return -EIO;
	return (int)n;
}

static int
on_fsync(const char *path, int datasync, struct fuse_file_info *info)
{
	(void)path;
	(void)datasync;
	(void)info;
	return note('F', 0, NULL, 0) ? 0 : -EIO;
}

static const struct fuse_operations operations = {
	.getattr = on_getattr,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.fsync = on_fsync,
};

int
main(int argc, char **argv)
{
	struct stat st;

	if (argc < 4) {
		fprintf(stderr, "usage: fuse_log BACK LOG MOUNT [FUSE OPTIONS]\n");
		return 2;
	}
	back = open(argv[1], O_RDWR | O_CLOEXEC);
	wlog = open(argv[2], O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	if (back == -1 || wlog == -1 || fstat(back, &st) == -1) {
		perror(argv[back == -1 ? 1 : 2]);
		return 1;
	}
	size = st.st_size;
	argv[2] = argv[0];
	return fuse_main(argc - 2, argv + 2, &operations, NULL);
}
