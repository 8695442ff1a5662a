/* sandbox.c - giving up rights. Order matters: what needs root first, the filter last.
 *
 *   empty network namespace → closed root → uid → parent-death signal → limits → no new privileges → Landlock → system-call filter */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/log.h>

#include "env.h"

/* What this kernel or container lacks is gone without; the parent hears of it, logs it once and shows it in `status`. */
static void
skipped(struct env *env, const char *layer)
{
	size_t n = strlen(env->skipped);

	snprintf(env->skipped + n, sizeof env->skipped - n, "%s%s: %s", n > 0 ? "; " : "", layer, strerror(errno));
}

bool
sandbox_user(const struct role_row *row, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw = getpwnam(row->user);

	*uid = pw != NULL ? pw->pw_uid : SANDBOX_UID_BASE + (uid_t)row->role;
	*gid = pw != NULL ? pw->pw_gid : SANDBOX_UID_BASE + (gid_t)row->role;
	return pw != NULL;
}

/* Accepted connections work in an empty network, new ones do not: nothing to connect to, nothing to send to. A role that is
 * there to ask the network keeps it. */
static void
leave_network(struct env *env)
{
	bool network = (env->row->calls & CALLS_NETWORK) != 0;

	if (unshare(network ? CLONE_NEWIPC : CLONE_NEWNET | CLONE_NEWIPC) == -1)
		skipped(env, "IPC and network namespace");
}

/* Without the right to close it the files stay where they are, by their full path. */
static void
close_root(struct env *env)
{
	if (chdir(env->root) == -1)
		log_fatal("cannot enter %s: %s", env->root, strerror(errno));
	if (chroot(".") == 0)
		env->root = "/";
	else if (errno == EPERM)
		skipped(env, "closed root");
	else
		log_fatal("chroot %s: %s", env->root, strerror(errno));
}

static void
drop_user(const struct env *env, uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1)
		log_fatal("become %s (uid %u): %s; a container needs CAP_SETUID and CAP_SETGID, or an ordinary user",
		    env->row->user, (unsigned)uid, strerror(errno));
	if (setuid(0) != -1 || geteuid() != uid)
		log_fatal("become %s: rights are still there", env->row->user);
}

static void
end_with_parent(pid_t parent)
{
	/* cleared by the change of uid, so set again; the parent may have gone in between */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		_exit(1);
}

static void
limit(int what, rlim_t value)
{
	struct rlimit r = { value, value };

	setrlimit((__rlimit_resource_t)what, &r);
}

void
sandbox_leave_no_core(void)
{
	limit(RLIMIT_CORE, 0);
	prctl(PR_SET_DUMPABLE, 0); /* a program that takes cores by a pipe does not look at the limit */
}

static void
set_limits(unsigned calls)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		limit(RLIMIT_NOFILE, files.rlim_max);
	if ((calls & CALLS_THREADS) == 0)
		limit(RLIMIT_NPROC, 0);
#ifndef __SANITIZE_ADDRESS__
	limit(RLIMIT_DATA, (rlim_t)4 << 30); /* not RLIMIT_AS: LMDB maps are address space */
#endif
	sandbox_leave_no_core();
}

static void
find_root(struct env *env)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/%s", env->conf->state.p, env->row->root != NULL ? env->row->root : "empty");
	env->root = path;
}

void
sandbox_enter(struct env *env)
{
	pid_t parent = getppid();
	uid_t uid;
	gid_t gid;

	find_root(env);
	if (geteuid() == 0) {
		sandbox_user(env->row, &uid, &gid);
		leave_network(env);
		close_root(env);
		drop_user(env, uid, gid);
	}
	if (env->row->ops->parent_gone == NULL)
		end_with_parent(parent);
	umask(077);
	set_limits(env->row->calls);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		log_fatal("no new privileges: %s", strerror(errno));
	if (!sandbox_landlock(env->row->calls, env->root)) /* beside the other layers, so that its lack is no warning */
		log_say(LEVEL_DEBUG, "sandbox", "no Landlock: %s", strerror(errno));
	if (!sandbox_filter(env->row->calls))
		skipped(env, "system-call filter");
}
