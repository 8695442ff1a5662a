/* filter.c - tests of the system-call filters: each forbidden act is tried by a child that has entered the filter. The sanitizers'
 * runtime needs more calls, so builds with it have only the part of the filter that does not concern them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../src/role/sandbox.h"
#include "../../../src/role/table.h"

enum { FINE = 0, DENIED = 1, UNEXPECTED = 2, NO_FILTER = 3, KILLED = 4 };

/* How a child ends that enters the filter and acts. */
static int
fate_of(unsigned calls, int (*act)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || !sandbox_filter(calls) ? NO_FILTER : act());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) || WEXITSTATUS(status) == 159) /* 159: a build with sanitizers names the call before the end */
		return KILLED;
	if (WEXITSTATUS(status) == NO_FILTER)
		skip();
	return WEXITSTATUS(status);
}

static int
make_executable(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? DENIED : FINE;
}

static int
run_a_program(void)
{
	char *argv[] = { NULL };

	return execve("/bin/true", argv, argv) == -1 ? DENIED : FINE;
}

static int
leave_for_another_namespace(void)
{
	return unshare(CLONE_NEWUSER) == -1 ? DENIED : FINE;
}

static int
trace(void)
{
	return syscall(SYS_ptrace, 0L, 0L, 0L, 0L) == -1 ? DENIED : FINE;
}

/* A descriptor tells whoever it is told to of its news, by any signal. */
static int
signal_by_descriptor(void)
{
	return fcntl(STDIN_FILENO, F_SETOWN, getppid()) == -1 ? DENIED : FINE;
}

static int
choose_the_signal(void)
{
	return fcntl(STDIN_FILENO, F_SETSIG, SIGKILL) == -1 ? DENIED : FINE;
}

static int
own_it_another_way(void)
{
	struct f_owner_ex parent = { F_OWNER_PID, getppid() };

	return fcntl(STDIN_FILENO, F_SETOWN_EX, &parent) == -1 ? DENIED : FINE;
}

static int
use_descriptors(void)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	int memory = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	struct flock lock = { .l_type = F_WRLCK };

	return fd != -1 && fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(memory, F_SETFL, fcntl(memory, F_GETFL)) == 0 &&
	    fcntl(memory, F_SETLK, &lock) == 0 && fcntl(memory, F_ADD_SEALS, F_SEAL_GROW) == 0 ? FINE : UNEXPECTED;
}

static int
cut_the_log(void)
{
	return ftruncate(STDERR_FILENO, 0) == -1 ? DENIED : FINE;
}

static void
who_has_no_files_cuts_none(void **state)
{
	(void)state;
	assert_int_equal(fate_of(0, cut_the_log), KILLED);
	assert_int_equal(fate_of(CALLS_ACCEPT, cut_the_log), KILLED);
}

static void
nobody_makes_code_or_runs_another(void **state)
{
	static const unsigned kinds[] = { 0, CALLS_ACCEPT, CALLS_FILES | CALLS_THREADS, CALLS_NETWORK };

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		assert_int_equal(fate_of(kinds[i], make_executable), KILLED);
		assert_int_equal(fate_of(kinds[i], run_a_program), KILLED);
		assert_int_equal(fate_of(kinds[i], leave_for_another_namespace), KILLED);
		assert_int_equal(fate_of(kinds[i], trace), KILLED);
		assert_int_equal(fate_of(kinds[i], signal_by_descriptor), KILLED);
		assert_int_equal(fate_of(kinds[i], own_it_another_way), KILLED);
		assert_int_equal(fate_of(kinds[i], choose_the_signal), KILLED);
		assert_int_equal(fate_of(kinds[i], use_descriptors), FINE);
	}
}

#ifndef __SANITIZE_ADDRESS__
static int
type_into_the_terminal(void)
{
	char c = 'x';

	return ioctl(STDIN_FILENO, TIOCSTI, &c) == 0 ? FINE : errno == ENOTTY ? DENIED : UNEXPECTED;
}

static int
open_a_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) == -1 ? DENIED : FINE;
}

static int
open_a_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) == -1 ? DENIED : FINE;
}

static int
make_a_process(void)
{
	return syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L) == -1 ? DENIED : FINE;
}

static int
be_dumpable_again(void)
{
	return prctl(PR_SET_DUMPABLE, 1) == -1 ? DENIED : FINE;
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
make_a_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0 && prctl(PR_SET_NAME, "hash") == 0 ? FINE :
	    UNEXPECTED;
}

static void
a_terminal_is_out_of_reach(void **state)
{
	(void)state;
	assert_int_equal(fate_of(0, type_into_the_terminal), DENIED);
	assert_int_equal(fate_of(CALLS_FILES | CALLS_THREADS, type_into_the_terminal), DENIED);
}

static void
who_faces_the_net_has_no_files(void **state)
{
	(void)state;
	assert_int_equal(fate_of(CALLS_ACCEPT, open_a_file), DENIED);
	assert_int_equal(fate_of(CALLS_ACCEPT, open_a_socket), KILLED);
	assert_int_equal(fate_of(CALLS_FILES, open_a_file), FINE);
	assert_int_equal(fate_of(CALLS_FILES | CALLS_THREADS, open_a_socket), KILLED);
}

static int
open_a_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) == -1 ? DENIED : FINE;
}

static int
talk_to_the_kernel(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0) == -1 ? DENIED : FINE;
}

static int
listen_here(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return listen(fd, 1) == -1 ? DENIED : FINE;
}

static void
who_has_the_net_has_the_internet_alone(void **state)
{
	(void)state;
	assert_int_equal(fate_of(CALLS_NETWORK, open_a_socket), FINE);
	assert_int_equal(fate_of(CALLS_NETWORK, open_a_unix_socket), KILLED);
	assert_int_equal(fate_of(CALLS_NETWORK, talk_to_the_kernel), KILLED);
	assert_int_equal(fate_of(CALLS_NETWORK, listen_here), KILLED);
	assert_int_equal(fate_of(CALLS_NETWORK, open_a_file), DENIED);
	assert_int_equal(fate_of(CALLS_NETWORK, make_a_process), KILLED);
}

static void
threads_but_no_processes(void **state)
{
	(void)state;
	assert_int_equal(fate_of(CALLS_FILES | CALLS_THREADS, make_a_thread), FINE);
	assert_int_equal(fate_of(CALLS_FILES | CALLS_THREADS, make_a_process), KILLED);
	assert_int_equal(fate_of(CALLS_FILES | CALLS_THREADS, be_dumpable_again), KILLED);
	assert_int_equal(fate_of(CALLS_ACCEPT, make_a_process), KILLED);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_makes_code_or_runs_another),
		cmocka_unit_test(who_has_no_files_cuts_none),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(a_terminal_is_out_of_reach),
		cmocka_unit_test(who_faces_the_net_has_no_files),
		cmocka_unit_test(who_has_the_net_has_the_internet_alone),
		cmocka_unit_test(threads_but_no_processes),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
