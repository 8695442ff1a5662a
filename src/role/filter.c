/* filter.c - the system calls of each kind of role. What is not listed ends the process: the parent logs it and starts it again. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#include <postern/core/log.h>

#include "env.h"
#include "sandbox.h"

#define CALL(name) SCMP_SYS(name)

static const int base_calls[] = {
	/* descriptors that are there */
	CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pread64), CALL(pwrite64), CALL(preadv), CALL(pwritev),
	CALL(sendmsg), CALL(recvmsg), CALL(sendto), CALL(recvfrom), CALL(shutdown), CALL(close), CALL(dup), CALL(lseek),
	CALL(fstat), CALL(fstatfs), CALL(getsockopt), CALL(setsockopt), CALL(getsockname), CALL(getpeername),
	CALL(sendfile),
	/* waiting */
	CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2), CALL(poll), CALL(ppoll),
	CALL(eventfd2), CALL(futex), CALL(nanosleep), CALL(clock_nanosleep), CALL(sched_yield), CALL(restart_syscall),
	/* memory */
	CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk), CALL(mlock), CALL(munlock), CALL(memfd_create),
	/* time, chance, itself */
	CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time), CALL(getrandom), CALL(getpid), CALL(gettid),
	CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getrusage), CALL(sysinfo), CALL(uname),
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack), CALL(rseq), CALL(set_robust_list),
	CALL(exit), CALL(exit_group),
};

static const int accept_calls[] = { CALL(accept4), CALL(accept), CALL(socketpair) };

/* Beneath the closed root only; what leads out of it is not there. */
static const int file_calls[] = {
	CALL(open), CALL(openat), CALL(openat2), CALL(newfstatat), CALL(stat), CALL(lstat), CALL(statx), CALL(access), CALL(faccessat),
	CALL(faccessat2), CALL(statfs), CALL(fstatfs), CALL(getdents64), CALL(readlinkat), CALL(readlink), CALL(mkdir), CALL(mkdirat),
	CALL(rmdir), CALL(unlink), CALL(unlinkat), CALL(link), CALL(linkat), CALL(rename), CALL(renameat), CALL(renameat2),
	CALL(ftruncate), CALL(fsync), CALL(fdatasync), CALL(sync_file_range), CALL(syncfs), CALL(msync), CALL(fallocate), CALL(flock), CALL(fchmod),
	CALL(utimensat), CALL(fadvise64), CALL(copy_file_range), CALL(umask), CALL(pwritev2), CALL(preadv2), CALL(getcwd), CALL(accept4),
};

/* Sockets of its own; of which kind is allow_sockets()'s. */
static const int network_calls[] = { CALL(connect), CALL(bind), CALL(sendmmsg), CALL(recvmmsg) };

static const int thread_calls[] = { CALL(getpriority), CALL(sched_getaffinity) };

#ifdef __SANITIZE_ADDRESS__
/* what the sanitizers' runtime uses, mostly when it has something to report */
static const int sanitizer_calls[] = { CALL(ioctl), CALL(openat), CALL(open), CALL(readlink), CALL(newfstatat), CALL(stat), CALL(prctl), CALL(clone),
	CALL(sched_getaffinity), CALL(prlimit64), CALL(getcwd), CALL(tgkill), CALL(wait4), CALL(pipe2), CALL(mincore), CALL(process_vm_readv),
	CALL(getdents64), CALL(kill), CALL(access), CALL(socket), CALL(connect) };
#endif

static bool
allow(scmp_filter_ctx f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (calls[i] >= 0 && seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0) != 0)
			return false;
	return true;
}

#define ALLOW(f, list) allow((f), (list), sizeof(list) / sizeof *(list))

#ifndef __SANITIZE_ADDRESS__
/* Files that are not there: an error, not an end, since libraries ask now and then (time zone, /proc). */
static bool
deny_files(scmp_filter_ctx f)
{
	static const int denied[] = { CALL(open), CALL(openat), CALL(newfstatat), CALL(stat), CALL(lstat), CALL(statx), CALL(access),
		CALL(readlink), CALL(readlinkat), CALL(getcwd) };

	/* fstat() of glibc is newfstatat with an empty path */
	if (seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(newfstatat), 1, SCMP_A3(SCMP_CMP_EQ, 0x1000, 0)) != 0)
		return false;
	for (size_t i = 0; i < sizeof denied / sizeof *denied; i++) {
		int r = denied[i] == CALL(newfstatat) ?
		    seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), denied[i], 1, SCMP_A3(SCMP_CMP_NE, 0x1000, 0)) :
		    seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), denied[i], 0);

		if (r != 0)
			return false;
	}
	return true;
}
#endif

/* Memory is never made executable; our own abort may signal us, nothing else may be signalled. */
static bool
allow_narrow(scmp_filter_ctx f)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0) == 0;
}

/* No owner and no signal for a descriptor's news: that would be any signal, to any process of the same user. */
static bool
allow_descriptors(scmp_filter_ctx f)
{
	static const unsigned acts[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW,
		F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_ADD_SEALS, F_GET_SEALS };

	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, acts[i], 0)) != 0)
			return false;
	return true;
}

/* A thread of this process, its name, its priority and limits; never another process, never a namespace of its own. */
static bool
allow_threads(scmp_filter_ctx f)
{
	return ALLOW(f, thread_calls) &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(setpriority), 1, SCMP_A1(SCMP_CMP_EQ, 0, 0)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(prlimit64), 1, SCMP_A0(SCMP_CMP_EQ, 0, 0)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0)) == 0;
}

#ifndef __SANITIZE_ADDRESS__
/* "Is that a terminal?" gets its no, for libraries ask; typing into one (TIOCSTI) gets nothing else. */
static bool
deny_terminals(scmp_filter_ctx f)
{
	return seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOTTY), CALL(ioctl), 0) == 0;
}
#endif

/* Internet sockets only: no netlink, no packets, no unix sockets of others. */
static bool
allow_sockets(scmp_filter_ctx f)
{
	static const unsigned families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(socket), 1, SCMP_A0(SCMP_CMP_EQ, families[i], 0)) != 0)
			return false;
	return ALLOW(f, network_calls);
}

static bool
fill(scmp_filter_ctx f, unsigned calls)
{
	if (!ALLOW(f, base_calls) || !allow_descriptors(f) || !allow_narrow(f))
		return false;
	if ((calls & CALLS_ACCEPT) != 0 && !ALLOW(f, accept_calls))
		return false;
	if ((calls & CALLS_THREADS) != 0 && !allow_threads(f))
		return false;
	if ((calls & CALLS_NETWORK) != 0 && !allow_sockets(f))
		return false;
#ifdef __SANITIZE_ADDRESS__
	if (!ALLOW(f, sanitizer_calls))
		return false;
	return (calls & CALLS_FILES) == 0 || ALLOW(f, file_calls);
#else
	return deny_terminals(f) && ((calls & CALLS_FILES) != 0 ? ALLOW(f, file_calls) : deny_files(f));
#endif
}

#ifdef __SANITIZE_ADDRESS__
/* In test builds a forbidden call is named before the end. */
static void
on_forbidden(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	log_say(LEVEL_ERROR, "panic", "forbidden system call %d", info->si_syscall);
	_exit(159);
}
#endif

bool
sandbox_filter(unsigned calls)
{
	uint32_t otherwise = SCMP_ACT_KILL_PROCESS;
	scmp_filter_ctx f;
	bool ok;

#ifdef __SANITIZE_ADDRESS__
	struct sigaction act = { .sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &act, NULL);
	otherwise = SCMP_ACT_TRAP;
#endif
	f = seccomp_init(otherwise);
	if (f == NULL) {
		errno = ENOMEM;
		return false;
	}
	/* of another machine's numbers: not the thread alone, whose process would live on without it */
	ok = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, otherwise) == 0 && fill(f, calls);
	if (!ok)
		log_fatal("system-call filter: cannot be composed");
	ok = seccomp_load(f) == 0;
	seccomp_release(f);
	return ok;
}
