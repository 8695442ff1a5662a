/* landlock.c - what a role may do with files and ports by the rules of Landlock (Linux 5.13 and later): one more layer, which needs no
 * root and also stands where the closed root has a way out.
 *
 * A role with files has its root directory and what is beneath it: to read, write, make and remove, not to run, and no devices, sockets,
 * pipes or symbolic links. A role without files has none. Who does not ask the network binds and connects nothing; nobody signals
 * another process, nor finds an abstract socket of one. A descriptor that was open before stays as good as it was. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"
#include "table.h"

/* Those of later kernels than the headers here may know. */
enum {
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	NET_BIND_TCP = 1 << 0,
	NET_CONNECT_TCP = 1 << 1,
	SCOPE_ABSTRACT_UNIX = 1 << 0,
	SCOPE_SIGNAL = 1 << 1,
};

/* struct landlock_ruleset_attr as it is since version 6; older kernels take it with zeros at the end. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

/* What each version of Landlock (the index) can deny more than the one before. */
static const struct ruleset news[] = {
	[1] = { .fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 },
	[2] = { .fs = LANDLOCK_ACCESS_FS_REFER },
	[3] = { .fs = FS_TRUNCATE },
	[4] = { .net = NET_BIND_TCP | NET_CONNECT_TCP },
	[5] = { .fs = FS_IOCTL_DEV },
	[6] = { .scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL },
};

/* What a role with files does beneath its root. */
static const uint64_t own_files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE;

/* All that this kernel can deny, but what the role is there for. */
static struct ruleset
what_is_denied(long version, unsigned calls)
{
	struct ruleset all = { 0 };

	for (long v = 1; v <= version && v < (long)(sizeof news / sizeof *news); v++) {
		all.fs |= news[v].fs;
		all.net |= news[v].net;
		all.scoped |= news[v].scoped;
	}
	if (calls & CALLS_NETWORK)
		all.net = 0;
	return all;
}

static bool
allow_root(int rules, const char *root, uint64_t known)
{
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct landlock_path_beneath_attr own = { .allowed_access = own_files & known, .parent_fd = fd };
	bool ok;

	if (fd == -1)
		return false;
	ok = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &own, 0) == 0;
	close(fd);
	return ok;
}

bool
sandbox_landlock(unsigned calls, const char *root)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset denied = what_is_denied(version, calls);
	int rules = version > 0 ? (int)syscall(SYS_landlock_create_ruleset, &denied, sizeof denied, 0) : -1;
	bool ok = rules != -1;

	if (ok && calls & CALLS_FILES)
		ok = allow_root(rules, root, denied.fs);
	ok = ok && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	if (rules != -1)
		close(rules);
	return ok;
}
