/* acts.c - attempts on other processes, on rights, on memory and on the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "inside.h"

#define ACT(name, call)                                                                                                \
	static int name(const struct inside *in)                                                                       \
	{                                                                                                              \
		(void)in;                                                                                              \
		return inside_outcome((long)(call));                                                                   \
	}

/* --- others --- */

static char there[16];
static struct iovec piece = { there, sizeof there };
static struct rlimit no_files = { 0, 0 };
static struct rlimit many = { RLIM_INFINITY, RLIM_INFINITY };
static struct sched_param plain = { 0 };

ACT(trace_another, ptrace(PTRACE_ATTACH, in->other, 0L, 0L))
ACT(trace_itself, ptrace(PTRACE_TRACEME, 0, 0L, 0L))
ACT(read_another, process_vm_readv(in->other, &piece, 1, &piece, 1, 0))
ACT(write_another, process_vm_writev(in->other, &piece, 1, &piece, 1, 0))
ACT(kill_another, kill(in->other, SIGKILL))
ACT(kill_parent, kill(in->parent, SIGTERM))
ACT(kill_thread, syscall(SYS_tgkill, in->other, in->other, SIGKILL))
ACT(kill_old_way, syscall(SYS_tkill, in->other, SIGKILL))
ACT(queue_signal, syscall(SYS_rt_sigqueueinfo, in->other, SIGKILL, there))
ACT(open_pidfd, syscall(SYS_pidfd_open, in->other, 0))
ACT(steal_descriptor, syscall(SYS_pidfd_getfd, 0, 0, 0))
ACT(compare, syscall(SYS_kcmp, in->other, getpid(), 0, 0L, 0L))
ACT(signal_by_pidfd, syscall(SYS_pidfd_send_signal, 0, SIGKILL, NULL, 0))
ACT(signal_by_descriptor, fcntl(0, F_SETOWN, in->other))
ACT(choose_signal_of_descriptor, fcntl(0, F_SETSIG, SIGKILL))
ACT(pin_another, syscall(SYS_sched_setaffinity, in->other, sizeof there, there))
ACT(limit_another, prlimit(in->other, RLIMIT_NOFILE, &no_files, NULL))
ACT(slow_another, setpriority(PRIO_PROCESS, (id_t)in->other, 19))
ACT(schedule_another, sched_setscheduler(in->other, SCHED_BATCH, &plain))

/* --- processes and rights --- */

static char *no_words[] = { NULL };
static struct clone_args new_process = { .exit_signal = SIGCHLD };

static int
gone_if_child(long pid)
{
	if (pid == 0)
		_exit(0);
	return inside_outcome(pid);
}

static int
make_process(const struct inside *in)
{
	(void)in;
	return gone_if_child(syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L));
}

static int
make_process_new_way(const struct inside *in)
{
	(void)in;
	return gone_if_child(syscall(SYS_clone3, &new_process, sizeof new_process));
}

static int
run_a_file(const struct inside *in)
{
	(void)in;
	return inside_outcome(execve("/bin/true", no_words, no_words));
}

static int
run_memory(const struct inside *in)
{
	int fd = memfd_create("program", 0);

	(void)in;
	return inside_outcome(syscall(SYS_execveat, fd, "", no_words, no_words, AT_EMPTY_PATH));
}

ACT(become_root, setresuid(0, 0, 0))
ACT(set_user, setuid(getuid()))
ACT(set_groups, syscall(SYS_setgroups, 0, NULL))
ACT(take_capabilities, syscall(SYS_capset, NULL, NULL))
ACT(be_dumpable, prctl(PR_SET_DUMPABLE, 1))
ACT(have_ambient, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0))
ACT(live_on, prctl(PR_SET_PDEATHSIG, 0))
ACT(leave_namespace, unshare(CLONE_NEWUSER))
ACT(enter_namespace, setns(0, 0))
ACT(be_another_machine, personality(READ_IMPLIES_EXEC))
ACT(filter_anew, syscall(SYS_seccomp, 0, 0, NULL))
ACT(raise_limit, setrlimit(RLIMIT_CORE, &many))
ACT(make_session, setsid())

/* --- memory and the kernel --- */

static int
made_executable(void *at)
{
	return at == MAP_FAILED ? -errno : 0;
}

static int
map_executable(const struct inside *in)
{
	(void)in;
	return made_executable(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int
map_file_executable(const struct inside *in)
{
	(void)in;
	return made_executable(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, memfd_create("code", 0), 0));
}

static char page[4096] __attribute__((aligned(4096)));

ACT(protect_executable, mprotect(page, sizeof page, PROT_READ | PROT_EXEC))
ACT(protect_by_key, syscall(SYS_pkey_mprotect, page, sizeof page, PROT_READ | PROT_EXEC, -1))
ACT(share_memory, shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600))
ACT(attach_memory, (long)shmat(0, NULL, 0))
ACT(use_messages, msgget(IPC_PRIVATE, IPC_CREAT | 0600))
ACT(use_semaphores, semget(IPC_PRIVATE, 1, IPC_CREAT | 0600))
ACT(open_message_queue, syscall(SYS_mq_open, "inside", O_RDWR | O_CREAT, 0600, NULL))
ACT(use_io_uring, syscall(SYS_io_uring_setup, 1, there))
ACT(use_bpf, syscall(SYS_bpf, 0, there, sizeof there))
ACT(use_userfaultfd, syscall(SYS_userfaultfd, 0))
ACT(use_perf, syscall(SYS_perf_event_open, there, 0, -1, -1, 0))
ACT(use_keyring, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
ACT(add_key_there, syscall(SYS_add_key, "user", "x", "x", 1, -2))
ACT(load_module, syscall(SYS_init_module, page, 1, ""))
ACT(use_ports, syscall(SYS_iopl, 3))
ACT(change_segments, syscall(SYS_modify_ldt, 0, page, 16))
ACT(set_clock, syscall(SYS_clock_settime, 0, page))
ACT(adjust_clock, syscall(SYS_adjtimex, page))
ACT(set_host_name, sethostname("x", 1))
ACT(read_kernel_log, syscall(SYS_syslog, 3, page, 10))
ACT(type_into_terminal, ioctl(STDIN_FILENO, TIOCSTI, "x"))
ACT(type_into_errors, ioctl(STDERR_FILENO, TIOCSTI, "x"))
ACT(use_x32, syscall(0x40000000L | SYS_getpid))

/* The system calls of 32-bit programs have other numbers. */
static int
use_32_bit(const struct inside *in)
{
	long r = -1;

	(void)in;
#ifdef __x86_64__
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
	return r < 0 ? (int)r : 0;
#else
	return r == -1 ? INSIDE_ABSENT : 0;
#endif
}

const struct attempt inside_acts[] = {
	{ "trace another", trace_another },
	{ "trace itself", trace_itself },
	{ "read another's memory", read_another },
	{ "write another's memory", write_another },
	{ "kill another", kill_another },
	{ "kill the parent", kill_parent },
	{ "kill a thread", kill_thread },
	{ "kill the old way", kill_old_way },
	{ "queue a signal", queue_signal },
	{ "open a pidfd", open_pidfd },
	{ "steal a descriptor", steal_descriptor },
	{ "signal by a pidfd", signal_by_pidfd },
	{ "signal by a descriptor", signal_by_descriptor },
	{ "choose a descriptor's signal", choose_signal_of_descriptor },
	{ "pin another", pin_another },
	{ "compare processes", compare },
	{ "limit another", limit_another },
	{ "slow another", slow_another },
	{ "schedule another", schedule_another },
	{ "make a process", make_process },
	{ "make a process with clone3", make_process_new_way },
	{ "run a file", run_a_file },
	{ "run memory", run_memory },
	{ "become root", become_root },
	{ "set the user", set_user },
	{ "set groups", set_groups },
	{ "take capabilities", take_capabilities },
	{ "be dumpable", be_dumpable },
	{ "have ambient capabilities", have_ambient },
	{ "outlive the parent", live_on },
	{ "leave the namespace", leave_namespace },
	{ "enter a namespace", enter_namespace },
	{ "be another machine", be_another_machine },
	{ "filter anew", filter_anew },
	{ "raise a limit", raise_limit },
	{ "make a session", make_session },
	{ "map executable memory", map_executable },
	{ "map a file executable", map_file_executable },
	{ "make memory executable", protect_executable },
	{ "make memory executable by key", protect_by_key },
	{ "share memory", share_memory },
	{ "attach memory", attach_memory },
	{ "make a queue of messages", use_messages },
	{ "make a semaphore", use_semaphores },
	{ "open a message queue", open_message_queue },
	{ "use io_uring", use_io_uring },
	{ "use bpf", use_bpf },
	{ "use userfaultfd", use_userfaultfd },
	{ "use perf", use_perf },
	{ "use the keyring", use_keyring },
	{ "add a key", add_key_there },
	{ "load a module", load_module },
	{ "use ports", use_ports },
	{ "change segments", change_segments },
	{ "set the clock", set_clock },
	{ "adjust the clock", adjust_clock },
	{ "set the host's name", set_host_name },
	{ "read the kernel's log", read_kernel_log },
	{ "type into standard input", type_into_terminal },
	{ "type into standard error", type_into_errors },
	{ "use x32 calls", use_x32 },
	{ "use 32-bit calls", use_32_bit },
	{ 0 },
};
