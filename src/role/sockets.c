/* sockets.c - the doors: the addresses of the listen section, the control sockets, the local submission socket. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <postern/core/mem.h>
#include <postern/net/addr.h>
#include <postern/net/listen.h>

#include "parent.h"

enum { BACKLOG = 1024, CONTROL_BACKLOG = 32 };

static bool
add_socket(struct server *s, enum role role, const char *service, struct str address, int fd, struct err *e)
{
	if (s->nsockets == SOCKETS_MAX) {
		close(fd);
		return err_perm(e, "", "more than %d addresses to listen on", SOCKETS_MAX);
	}
	s->sockets[s->nsockets++] = (struct listen_socket){ role, service, str_of(mem_cstr(address)), fd };
	return true;
}

static bool
open_service(struct server *s, enum conf_service service, struct err *e)
{
	const struct conf_addrs *list = &s->conf->listen[service];
	enum role role = service == SERVICE_IMAP || service == SERVICE_IMAPS ? ROLE_IMAP : ROLE_SMTP;

	for (size_t i = 0; i < list->n; i++) {
		struct addr_bind at;
		int fd;

		if (!addr_parse_bind(list->v[i].text, &at, e))
			return false;
		fd = listen_open(&at, BACKLOG, e);
		if (fd == -1)
			return err_at(e, "listen.%s", conf_service_name(service));
		if (!add_socket(s, role, conf_service_name(service), list->v[i].text, fd, e))
			return false;
	}
	return true;
}

/* A socket in <state>/run; what a former server left there is removed (we hold the lock). */
static int
open_unix(const struct conf *conf, const char *name, int type, mode_t mode, struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/run/%s", conf->state.p, name);
	int fd;

	if (n < 0 || (size_t)n >= sizeof at.sun_path) {
		err_perm(e, "", "the path %s/run/%s is too long for a socket; use a shorter state directory",
		    conf->state.p, name);
		return -1;
	}
	unlink(at.sun_path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof at) == -1 || chmod(at.sun_path, mode) == -1 ||
	    listen(fd, CONTROL_BACKLOG) == -1) {
		err_perm(e, "", "cannot listen on %s: %s", at.sun_path, strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	return fd;
}

int
sockets_control(const struct server *s, const char *name, struct err *e)
{
	return open_unix(s->conf, name, SOCK_SEQPACKET, 0600, e);
}

bool
sockets_open(struct server *s, struct err *e)
{
	int fd;

	for (int i = 0; i < SERVICE_COUNT; i++)
		if (!open_service(s, (enum conf_service)i, e))
			return false;
	fd = open_unix(s->conf, "submit", SOCK_STREAM, 0666, e);
	return fd != -1 && add_socket(s, ROLE_SMTP, "submit", STR("submit"), fd, e);
}
