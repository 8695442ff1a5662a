/* landlock.c - tests of the rules of Landlock: each act is tried by a child that is under them, with files or without. Skipped where
 * the kernel has no Landlock, and act by act where it has one of before the act could be denied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <postern/core/io.h>

#include "../../../src/role/sandbox.h"
#include "../../../src/role/table.h"

enum { FINE = 0, DENIED = 1, UNEXPECTED = 2, NO_LANDLOCK = 3 };

static char top[] = "/tmp/landlock-XXXXXX"; /* root/ with dir/ and a file in it, and outside/ beside it */
static char root[64];
static int proc_fds = -1;
static int outside_fd = -1;

static long
version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static int
fate_of(unsigned calls, int (*act)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		proc_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC); /* a process's own, as a role opens it */
		_exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || !sandbox_landlock(calls, root) ? NO_LANDLOCK : act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* EACCES, or EPERM for what is no file; a device needs a right besides. */
static int
outcome(long result)
{
	if (result != -1)
		return FINE;
	return errno == EACCES || errno == EPERM || errno == EXDEV ? DENIED : UNEXPECTED;
}

static const char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", top, name);
	return path;
}

/* --- acts --- */

static int
read_own(void)
{
	return outcome(open(path_of("root/file"), O_RDONLY | O_CLOEXEC));
}

static int
read_outside(void)
{
	return outcome(open(path_of("outside/file"), O_RDONLY | O_CLOEXEC));
}

static int
read_system(void)
{
	return outcome(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int
list_outside(void)
{
	return outcome(open(path_of("outside"), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int
write_own(void)
{
	return outcome(open(path_of("root/new"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
}

static int
write_outside(void)
{
	return outcome(open(path_of("outside/new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int
remove_outside(void)
{
	return outcome(unlink(path_of("outside/file")));
}

static int
cut_outside(void)
{
	return outcome(truncate(path_of("outside/file"), 0));
}

/* ".." of a descriptor that was open before leads nowhere. */
static int
climb_out(void)
{
	return outcome(openat(proc_fds, "../../../etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int
use_what_was_open(void)
{
	return outcome(write(outside_fd, "x", 1));
}

/* As a message comes into a mailbox: a file without a name gets one in another directory. */
static int
name_a_file(void)
{
	int fd = open(root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char number[16];

	if (fd == -1)
		return UNEXPECTED;
	snprintf(number, sizeof number, "%d", fd);
	unlink(path_of("root/dir/named"));
	return outcome(linkat(proc_fds, number, AT_FDCWD, path_of("root/dir/named"), AT_SYMLINK_FOLLOW));
}

/* There and back. */
static int
move_within(void)
{
	char from[128], to[128];
	int fate;

	snprintf(from, sizeof from, "%s", path_of("root/moved"));
	snprintf(to, sizeof to, "%s", path_of("root/dir/moved"));
	fate = outcome(rename(from, to));
	return fate == FINE ? outcome(rename(to, from)) : fate;
}

static int
move_out(void)
{
	char from[128];

	snprintf(from, sizeof from, "%s", path_of("root/file"));
	return outcome(rename(from, path_of("outside/stolen")));
}

static int
make_pipe(void)
{
	return outcome(mkfifo(path_of("root/pipe"), 0600));
}

static int
make_symlink(void)
{
	return outcome(symlink("/etc/passwd", path_of("root/link")));
}

static int
run_own(void)
{
	char *argv[] = { NULL };

	return outcome(execve(path_of("root/program"), argv, argv));
}

static int
with_address(int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (call == bind)
		to.sin_port = 0;
	return call(fd, (struct sockaddr *)&to, sizeof to) == -1 && errno == EACCES ? DENIED : FINE;
}

static int
connect_somewhere(void)
{
	return with_address(connect);
}

static int
bind_somewhere(void)
{
	return with_address(bind);
}

static int
signal_another(void)
{
	return outcome(kill(getppid(), 0));
}

static int
signal_itself(void)
{
	return outcome(kill(getpid(), 0));
}

/* --- */

static const struct row {
	int (*act)(void);
	long since;  /* the version that can deny it */
	int with_files;
	int without;
	int with_network; /* and without files */
} table[] = {
	{ read_own, 1, FINE, DENIED, DENIED },
	{ read_outside, 1, DENIED, DENIED, DENIED },
	{ read_system, 1, DENIED, DENIED, DENIED },
	{ list_outside, 1, DENIED, DENIED, DENIED },
	{ write_own, 1, FINE, DENIED, DENIED },
	{ write_outside, 1, DENIED, DENIED, DENIED },
	{ remove_outside, 1, DENIED, DENIED, DENIED },
	{ cut_outside, 3, DENIED, DENIED, DENIED },
	{ climb_out, 1, DENIED, DENIED, DENIED },
	{ use_what_was_open, 1, FINE, FINE, FINE },
	{ name_a_file, 2, FINE, UNEXPECTED, UNEXPECTED },
	{ move_within, 2, FINE, DENIED, DENIED },
	{ move_out, 1, DENIED, DENIED, DENIED },
	{ make_pipe, 1, DENIED, DENIED, DENIED },
	{ make_symlink, 1, DENIED, DENIED, DENIED },
	{ run_own, 1, DENIED, DENIED, DENIED },
	{ connect_somewhere, 4, DENIED, DENIED, FINE },
	{ bind_somewhere, 4, DENIED, DENIED, FINE },
	{ signal_another, 6, DENIED, DENIED, DENIED },
	{ signal_itself, 1, FINE, FINE, FINE },
};

static void
each_role_has_what_it_holds(void **state)
{
	(void)state;
	if (version() < 1) {
		print_message("this kernel has no Landlock: %s\n", strerror(errno));
		skip();
	}
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct row *r = &table[i];

		if (version() < r->since)
			continue;
		assert_int_equal(fate_of(CALLS_FILES | CALLS_THREADS, r->act), r->with_files);
		assert_int_equal(fate_of(CALLS_ACCEPT, r->act), r->without);
		assert_int_equal(fate_of(CALLS_NETWORK, r->act), r->with_network);
	}
}

static void
a_root_that_is_not_there_is_an_error(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "%s/nowhere", top);
	assert_int_equal(fate_of(CALLS_FILES, signal_itself), NO_LANDLOCK);
	snprintf(root, sizeof root, "%s/root", top);
}

static void
make_file(const char *name, mode_t mode)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, mode);

	assert_true(fd != -1 && io_write_all(fd, STR("#!/bin/true\n")));
	close(fd);
}

static int
make_world(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(root, sizeof root, "%s/root", top);
	assert_int_equal(mkdir(root, 0700), 0);
	assert_int_equal(mkdir(path_of("root/dir"), 0700), 0);
	assert_int_equal(mkdir(path_of("outside"), 0700), 0);
	make_file("root/file", 0600);
	make_file("root/moved", 0600);
	make_file("root/program", 0700);
	make_file("outside/file", 0600);
	outside_fd = open(path_of("outside/file"), O_WRONLY | O_CLOEXEC);
	return outside_fd == -1;
}

static int
remove_world(void **state)
{
	char command[128];

	(void)state;
	io_close(&outside_fd);
	snprintf(command, sizeof command, "rm -rf %s", top);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_role_has_what_it_holds),
		cmocka_unit_test(a_root_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests_name("role_landlock", tests, make_world, remove_world);
}
