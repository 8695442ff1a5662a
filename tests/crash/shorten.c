/* shorten.c - the n-th read or write of a process is about half of what it asked for: the kernel then reads or writes so much and says
 * so, as it may do at any time. strace can only change what a call returns, which would be a lie about what was written.
 *
 *     shorten read|write N LOG PID...    until SIGTERM; LOG says "ready", and "shortened" when it came to that
 *
 * Only where a short count is the kernel's right: regular files and stream sockets. Calls are counted for each thread. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS_MAX = 256, SYSCALL_STOP = SIGTRAP | 0x80, TICK_US = 50000 };

static const long reads[] = { SYS_read, SYS_pread64, SYS_readv, SYS_recvfrom, -1 };
static const long writes[] = { SYS_write, SYS_pwrite64, SYS_writev, SYS_sendto, -1 };

struct thread {
	pid_t tid;
	bool begun;     /* its first stop is over */
	bool shortened; /* this call: its argument has to be put back */
	unsigned long long asked;
	int calls;
};

static struct thread threads[THREADS_MAX];
static int nthreads, nwaiting, nshortened, wanted;
static const long *calls;
static FILE *record;
static volatile sig_atomic_t over;

static void
on_signal(int signo)
{
	if (signo == SIGTERM)
		over = 1;
}

static struct thread *
thread_of(pid_t tid)
{
	for (int i = 0; i < nthreads; i++)
		if (threads[i].tid == tid)
			return &threads[i];
	if (nthreads == THREADS_MAX)
		exit(3);
	threads[nthreads] = (struct thread){ .tid = tid };
	nwaiting++;
	return &threads[nthreads++];
}

static void
forget(struct thread *t)
{
	nwaiting -= !t->begun;
	nshortened -= t->shortened;
	*t = threads[--nthreads];
}

/* --- which calls -------------------------------------------------------------------------------------------------- */

static pid_t
process_of(pid_t tid)
{
	char path[64], line[128];
	int tgid = tid;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return tgid;
}

static bool
is_stream(int fd)
{
	struct stat st;
	socklen_t n = sizeof(int);
	int type = 0;

	if (fstat(fd, &st) == -1)
		return false;
	if (S_ISSOCK(st.st_mode))
		return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
	return S_ISREG(st.st_mode);
}

/* May the kernel do less than all through this descriptor? */
static bool
may_be_short(pid_t tid, int fd)
{
	int process = (int)syscall(SYS_pidfd_open, process_of(tid), 0);
	int copy = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
	bool may = copy != -1 && is_stream(copy);

	if (copy != -1)
		close(copy);
	close(process);
	return may;
}

static bool
is_meant(long number)
{
	for (const long *c = calls; *c != -1; c++)
		if (*c == number)
			return true;
	return false;
}

/* --- a call ------------------------------------------------------------------------------------------------------- */

static void
enter(struct thread *t, struct user_regs_struct *r)
{
	if (over || !is_meant((long)r->orig_rax) || r->rdx < 2 || !may_be_short(t->tid, (int)r->rdi) || ++t->calls != wanted)
		return;
	t->asked = r->rdx;
	t->shortened = true;
	nshortened++;
	r->rdx = (r->rdx + 1) / 2;
	ptrace(PTRACE_SETREGS, t->tid, NULL, r);
}

/* The caller takes for granted that its registers are as they were. */
static void
leave(struct thread *t, struct user_regs_struct *r)
{
	if (!t->shortened)
		return;
	fprintf(record, "shortened call %lld of thread %d: asked for %llu, got %lld\n", (long long)r->orig_rax, (int)t->tid, t->asked,
	    (long long)r->rax);
	r->rdx = t->asked;
	ptrace(PTRACE_SETREGS, t->tid, NULL, r);
	t->shortened = false;
	nshortened--;
}

static void
on_call(struct thread *t)
{
	struct __ptrace_syscall_info info;
	struct user_regs_struct r;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof info, &info) <= 0 || ptrace(PTRACE_GETREGS, t->tid, NULL, &r) == -1)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		enter(t, &r);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		leave(t, &r);
}

/* --- stops -------------------------------------------------------------------------------------------------------- */

static void
begin(struct thread *t)
{
	if (t->begun)
		return;
	t->begun = true;
	if (--nwaiting == 0)
		fprintf(record, "ready\n");
}

/* What it is resumed with: the signal that it is to get. */
static int
on_stop(struct thread *t, int status)
{
	int signo = WSTOPSIG(status);

	if (signo == SYSCALL_STOP) {
		on_call(t);
		return 0;
	}
	if (status >> 16 == PTRACE_EVENT_STOP)
		begin(t); /* ours, or its birth; no test stops the process otherwise */
	return status >> 16 != 0 ? 0 : signo;
}

static void
follow(void)
{
	while (nthreads > 0 && (!over || nshortened > 0)) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);
		struct thread *t;

		if (tid == -1) {
			if (errno != EINTR)
				return;
			continue;
		}
		t = thread_of(tid);
		if (WIFSTOPPED(status))
			ptrace(PTRACE_SYSCALL, tid, NULL, (long)on_stop(t, status));
		else
			forget(t);
	}
}

static void
seize(pid_t pid)
{
	char path[64];
	const struct dirent *d;
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks != NULL && (d = readdir(tasks)) != NULL) {
		pid_t tid = atoi(d->d_name);

		if (tid > 0 && ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) == 0) {
			thread_of(tid);
			ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		}
	}
	if (tasks != NULL)
		closedir(tasks);
}

int
main(int argc, char **argv)
{
	const struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } }; /* so that waitpid sees the end */
	const struct sigaction act = { .sa_handler = on_signal };

	if (argc < 5 || (record = fopen(argv[3], "we")) == NULL)
		return 2;
	setvbuf(record, NULL, _IOLBF, 0);
	calls = strcmp(argv[1], "read") == 0 ? reads : writes;
	wanted = atoi(argv[2]);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
	for (int i = 4; i < argc; i++)
		seize(atoi(argv[i]));
	follow();
	return 0;
}
