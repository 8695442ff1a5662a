/* spawn.c - one more process: fork, then our own program anew, so that no two share an address layout. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/log.h>

#include "parent.h"

/* What a role may see of the environment: the time zone of the log, and the sanitizers' settings in test builds. */
static const char *const kept_variables[] = { "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };

enum { CHILD_FD = 3, VARIABLES = sizeof kept_variables / sizeof *kept_variables };

static void
fill_environment(char *const env[static VARIABLES + 1], char text[static VARIABLES][256])
{
	char **out = (char **)(uintptr_t)env;

	for (size_t i = 0; i < VARIABLES; i++) {
		const char *value = getenv(kept_variables[i]);

		if (value == NULL)
			continue;
		snprintf(text[i], 256, "%s=%s", kept_variables[i], value);
		*out++ = text[i];
	}
	*out = NULL;
}

/* Between fork and exec: only calls that are safe there. */
_Noreturn static void
become(const struct proc *p, int fd, char *const argv[], char *const env[])
{
	sigset_t none;

	if (fd == CHILD_FD)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, CHILD_FD) == -1)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fexecve(p->server->exe_fd, argv, env);
	_exit(127);
}

bool
spawn(struct proc *p, struct err *e)
{
	static char name[] = "postern";
	static char option[] = "--role";
	char role[16];
	char index[16];
	char texts[VARIABLES][256];
	char *env[VARIABLES + 1];
	char *argv[] = { name, option, role, index, NULL };
	int pair[2];
	pid_t pid;

	snprintf(role, sizeof role, "%s", role_name(p->row->role));
	snprintf(index, sizeof index, "%u", p->index);
	fill_environment(env, texts);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return err_temp(e, "", "socketpair: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		become(p, pair[1], argv, env);
	close(pair[1]);
	if (pid == -1) {
		close(pair[0]);
		return err_temp(e, "", "fork: %s", strerror(errno));
	}
	p->pid = pid;
	p->ready = false;
	p->started = mono_now();
	ipc_chan_attach(p->chan, pair[0]);
	return true;
}
