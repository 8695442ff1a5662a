/* files.c - attempts to reach what is on the disk: by its path, upwards from the root and from every descriptor, through /proc. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inside.h"

enum { DESCRIPTORS = 256, PATH_SIZE = 512 };
#define UP "../../../../../../../../../../../.."

static int
opens(int dir, const char *path, int flags)
{
	int fd = openat(dir, path, flags | O_CLOEXEC, 0600);
	int r = inside_outcome(fd);

	if (fd != -1)
		close(fd);
	return r;
}

/* The best that can be had: success when any way leads there, else what the first way gave. */
static int
reach(const char *path, int flags)
{
	static const char *const before[] = { "", UP, "/proc/self/root", "/proc/1/root", "/proc/self/cwd/" UP };
	char way[PATH_SIZE];
	int first = 0;

	if (path[0] == '\0')
		return INSIDE_ABSENT;
	for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
		int r;

		snprintf(way, sizeof way, "%s%s", before[i], path);
		r = opens(AT_FDCWD, way, flags);
		if (r == 0)
			return 0;
		first = i == 0 ? r : first;
	}
	snprintf(way, sizeof way, "%s%s", UP, path);
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (opens(fd, way, flags) == 0)
			return 0;
	return first;
}

static int
read_mail(const struct inside *in)
{
	return reach(in->mail, O_RDONLY);
}

static int
read_key(const struct inside *in)
{
	return reach(in->key, O_RDONLY);
}

static int
read_verifier(const struct inside *in)
{
	return reach(in->verifier, O_RDONLY);
}

static int
read_spool(const struct inside *in)
{
	return reach(in->spool, O_RDONLY);
}

static int
read_trace(const struct inside *in)
{
	return reach(in->trace, O_RDONLY);
}

static int
read_passwd(const struct inside *in)
{
	(void)in;
	return reach("/etc/passwd", O_RDONLY);
}

static int
read_memory_of_another(const struct inside *in)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/mem", (int)in->other);
	return reach(path, O_RDONLY);
}

static int
write_to_tmp(const struct inside *in)
{
	(void)in;
	return reach("/tmp/written-from-inside", O_WRONLY | O_CREAT);
}

static int
write_here(const struct inside *in)
{
	int r = opens(AT_FDCWD, "written-from-inside", O_WRONLY | O_CREAT);

	(void)in;
	if (r == 0)
		unlink("written-from-inside");
	return r;
}

static int
make_device(const struct inside *in)
{
	(void)in;
	return inside_outcome(mknod("device", S_IFCHR | 0600, 0x0103));
}

static int
make_symlink(const struct inside *in)
{
	(void)in;
	return inside_outcome(symlink("/etc", "link"));
}

static int
change_owner(const struct inside *in)
{
	(void)in;
	return inside_outcome(fchown(0, 0, 0));
}

static int
change_root(const struct inside *in)
{
	(void)in;
	return inside_outcome(chroot("."));
}

static int
change_directory(const struct inside *in)
{
	(void)in;
	return inside_outcome(fchdir(0));
}

static int
open_by_handle(const struct inside *in)
{
	struct {
		struct file_handle h;
		unsigned char bytes[128];
	} handle = { .h = { .handle_bytes = 8 } };

	(void)in;
	return inside_outcome(syscall(SYS_open_by_handle_at, 0, &handle, O_RDONLY));
}

static int
mount_something(const struct inside *in)
{
	(void)in;
	return inside_outcome(syscall(SYS_mount, "none", "/", "tmpfs", 0L, NULL));
}

const struct attempt inside_files[] = {
	{ "read a mail", read_mail },
	{ "read a private key", read_key },
	{ "read a password verifier", read_verifier },
	{ "read the queue's ledger", read_spool },
	{ "read the record of messages", read_trace },
	{ "read /etc/passwd", read_passwd },
	{ "read another's memory by /proc", read_memory_of_another },
	{ "write to /tmp", write_to_tmp },
	{ "write in the root", write_here },
	{ "make a device", make_device },
	{ "make a symbolic link", make_symlink },
	{ "change an owner", change_owner },
	{ "change the root", change_root },
	{ "change the directory", change_directory },
	{ "open by handle", open_by_handle },
	{ "mount", mount_something },
	{ 0 },
};
