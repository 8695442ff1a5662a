/* state.c - the state directory: who owns which part of it, and one server at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/role/state.h>

#include "parent.h"
#include "sandbox.h"

enum owner { OWNER_ROOT, OWNER_ROLE };

/* The parts; owner ROLE: the role whose root it is. */
static const struct part {
	const char *name;
	mode_t mode;
	enum owner owner;
	enum role role;
} parts[] = {
	{ "run", 0755, OWNER_ROOT, ROLE_PARENT },
	{ "keys", 0700, OWNER_ROOT, ROLE_PARENT },
	{ "empty", 0555, OWNER_ROOT, ROLE_PARENT },
	{ "trace", 0700, OWNER_ROLE, ROLE_LOG },
	{ "dns", 0700, OWNER_ROLE, ROLE_DNS },
	{ "auth", 0700, OWNER_ROLE, ROLE_AUTH },
	{ "mail", 0700, OWNER_ROLE, ROLE_STORE },
	{ "queue", 0700, OWNER_ROLE, ROLE_QUEUE },
};

const char *
state_path(const struct conf *conf, const char *name)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/%s", conf->state.p, name);
	return path;
}

static bool
make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *e)
{
	struct stat st;

	if (mkdir(path, mode) == -1 && errno != EEXIST)
		return err_perm(e, "", "cannot make %s: %s", path, strerror(errno));
	if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode))
		return err_perm(e, "", "%s is not a directory; move it away", path);
	if (geteuid() != 0)
		return true;
	if ((st.st_uid != uid || st.st_gid != gid) && chown(path, uid, gid) == -1)
		return err_perm(e, "", "cannot give %s to uid %u: %s", path, (unsigned)uid, strerror(errno));
	if ((st.st_mode & 07777) != mode && chmod(path, mode) == -1)
		return err_perm(e, "", "cannot set the mode of %s: %s", path, strerror(errno));
	return true;
}

/* Held by descriptor until the server has ended; another server on the same state would hand out the same UIDs. */
static bool
lock(struct server *s, struct err *e)
{
	const char *path = state_path(s->conf, "run/lock");

	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd == -1)
		return err_perm(e, "", "cannot open %s: %s", path, strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == -1)
		return err_perm(e, "", "another postern runs on %s; stop it first", s->conf->state.p);
	return true;
}

bool
state_make(const struct conf *conf, struct err *e)
{
	if (!make_dir(conf->state.p, 0711, 0, 0, e))
		return false;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		const struct part *p = &parts[i];
		uid_t uid = 0;
		gid_t gid = 0;

		if (p->owner == OWNER_ROLE)
			sandbox_user(role_row(p->role), &uid, &gid);
		if (!make_dir(state_path(conf, p->name), p->mode, uid, gid, e))
			return false;
	}
	return true;
}

bool
state_prepare(struct server *s, struct err *e)
{
	return state_make(s->conf, e) && lock(s, e);
}
