/* init.c - `postern init ADDRESS': configuration, users of the system, state, certificate, first account, DNS records.
 *
 * What is there already is kept, so it can be run again. */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <postern/auth/admin.h>
#include <postern/core/io.h>
#include <postern/message/address.h>
#include <postern/role/state.h>

#include "account.h"
#include "records.h"

extern char **environ;

#define SYSUSERS "/usr/lib/sysusers.d/postern.conf"

/* The machine's name when it is a full one, else mx. in front of the domain. */
static void
choose_hostname(struct str domain, char name[static HOST_NAME_MAX + 256])
{
	if (gethostname(name, HOST_NAME_MAX) == -1 || strchr(name, '.') == NULL)
		snprintf(name, HOST_NAME_MAX + 256, "mx.%.*s", STR_ARG(domain));
}

static bool
make_parents(const char *path)
{
	char part[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0755) == -1 && errno != EEXIST)
			return false;
	}
	return true;
}

static int
write_new(const char *path, struct str text)
{
	int fd = make_parents(path) ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
	bool ok = fd != -1 && io_write_all(fd, text) && fsync(fd) == 0;
	int status = ok ? CLI_DONE : cli_say(CLI_FAILED, "%s: %m, the configuration could not be written", path);

	io_close(&fd);
	return status;
}

static int
write_conf(const char *path, struct str domain)
{
	char hostname[HOST_NAME_MAX + 256];
	struct buf text;
	int status;

	choose_hostname(domain, hostname);
	buf_init(&text, SIZE_MAX);
	buf_addf(&text, "# postern.conf(5) and `postern config doc' explain every key.\n"
			"hostname = \"%s\"\ndomains  = { \"%.*s\" }\n", hostname, STR_ARG(domain));
	status = write_new(path, buf_str(&text));
	buf_fini(&text);
	return status;
}

/* Without them the server uses fixed numbers, so nothing depends on this. */
static void
make_users(void)
{
	char *const argv[] = { (char[]){ "systemd-sysusers" }, (char[]){ SYSUSERS }, NULL };
	pid_t pid;

	if (geteuid() == 0 && access(SYSUSERS, R_OK) == 0 &&
	    posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0)
		waitpid(pid, NULL, 0);
}

static bool
has_account(const struct conf *conf, struct str address, struct arena *a)
{
	char path[PATH_MAX];
	struct directory *dir;
	struct user user;
	struct err e;
	bool found;

	snprintf(path, sizeof(path), "%s/auth", conf->state.p);
	dir = directory_open(path, &e);
	found = dir != NULL && directory_user(dir, address, a, &user, &e) == DIRECTORY_FOUND;
	directory_close(dir);
	return found;
}

static int
print_end(const struct cli *c, const struct conf *conf)
{
	struct buf out;
	int status;

	buf_init(&out, SIZE_MAX);
	buf_addf(&out,
	    "%s is right, %s has its account.\nStart the server with `postern serve' or `systemctl start postern', and "
	    "publish:\n\n",
	    c->conf_path, c->args[0]);
	status = cli_print(&out);
	buf_fini(&out);
	return status == CLI_DONE ? records_print(conf, &(struct strs){ conf->domains.v, (uint32_t)conf->domains.n })
				  : status;
}

static int
make_site(struct cli *c, const struct conf *conf, struct str address, struct arena *a)
{
	struct err e;
	int status = CLI_DONE;

	make_users();
	if (!state_make(conf, &e) || !state_make_certificate(conf, &e))
		return cli_say(CLI_FAILED, "%s", e.log);
	if (!has_account(conf, address, a))
		status = do_user_add(c);
	return status == CLI_DONE ? print_end(c, conf) : status;
}

static int
init_address(struct cli *c, struct str address, struct arena *a)
{
	struct str local, domain;
	struct conf *conf;
	int status = CLI_DONE;

	address_split(address, &local, &domain);
	if (access(c->conf_path, F_OK) == -1)
		status = write_conf(c->conf_path, domain);
	if (status != CLI_DONE)
		return status;
	conf = cli_conf(c);
	if (conf == NULL)
		return CLI_FAILED;
	status = make_site(c, conf, address, a);
	conf_unref(conf);
	return status;
}

int
init_run(struct cli *c)
{
	struct str address;
	struct arena a;
	struct err e;
	int status;

	arena_init(&a);
	if (admin_address(str_of(c->args[0]), &a, &address, &e))
		status = init_address(c, address, &a);
	else
		status = cli_say(CLI_USAGE, "%s", e.log);
	arena_fini(&a);
	return status;
}
