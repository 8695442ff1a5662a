/* sandbox.c - giving up rights. Order matters: what needs root first, the filter last.
 *
 *   empty network namespace → closed root → uid → parent-death signal → limits → no new privileges → system-call filter */
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

/* A skipped layer is said once, by the first process of the server: the others would only repeat it. */
static void
skipped(const struct env *env, const char *layer)
{
	if (env->index == 0 && env->generation == 0)
		log_say(LEVEL_WARN, "sandbox", "skipped %s: %s", layer, strerror(errno));
}

bool
sandbox_user(const struct role_row *row, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw = getpwnam(row->user);

	*uid = pw != NULL ? pw->pw_uid : SANDBOX_UID_BASE + (uid_t)row->role;
	*gid = pw != NULL ? pw->pw_gid : SANDBOX_UID_BASE + (gid_t)row->role;
	return pw != NULL;
}

/* Accepted connections work in an empty network, new ones do not: nothing to connect to, nothing to send to. */
static void
leave_network(const struct env *env)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC) == -1)
		skipped(env, "network namespace");
}

static void
close_root(struct env *env)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/%s", env->conf->state.p, env->row->root != NULL ? env->row->root : "empty");
	if (chroot(path) == -1 || chdir("/") == -1)
		log_fatal("chroot %s: %s", path, strerror(errno));
	env->root = "/";
}

static void
drop_user(const struct env *env, uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1)
		log_fatal("become %s (uid %u): %s", env->row->user, (unsigned)uid, strerror(errno));
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

static void
set_limits(unsigned calls)
{
	struct rlimit files;

	limit(RLIMIT_CORE, 0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		limit(RLIMIT_NOFILE, files.rlim_max);
	if ((calls & CALLS_THREADS) == 0)
		limit(RLIMIT_NPROC, 0);
#ifndef __SANITIZE_ADDRESS__
	limit(RLIMIT_DATA, (rlim_t)4 << 30); /* not RLIMIT_AS: LMDB maps are address space */
#endif
	prctl(PR_SET_DUMPABLE, 0);
}

/* Without root the files stay where they are, by their full path. */
static void
keep_root(struct env *env)
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

	if (geteuid() == 0) {
		sandbox_user(env->row, &uid, &gid);
		leave_network(env);
		close_root(env);
		drop_user(env, uid, gid);
	} else {
		keep_root(env);
	}
	end_with_parent(parent);
	umask(077);
	set_limits(env->row->calls);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		log_fatal("no new privileges: %s", strerror(errno));
	if (!sandbox_filter(env->row->calls))
		skipped(env, "system-call filter");
}
