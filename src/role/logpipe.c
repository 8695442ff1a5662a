/* logpipe.c - the way of every line of the log: one pipe that the parent makes before the first role starts. Its write end is
 * standard error of the parent and of every role; the role log reads it and writes the server's own standard error.
 *
 * The parent keeps both ends, so that lines wait there while the role log is started again. The write end does not block: whoever
 * reads may hang, and mail goes on (core/log.c counts what is lost). What is left when all have ended, the parent writes out. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/logline.h>

#include "parent.h"

enum {
	PIPE_BYTES = 1 << 20,   /* what anybody may have: /proc/sys/fs/pipe-max-size */
	ABOVE_STANDARD = 10,    /* the descriptor of the old standard error is far from those that mean something */
	REST_MS = 2000,         /* for standard error to take what is left */
};

/* Somebody may start us without one. */
static int
keep_stderr(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, ABOVE_STANDARD);

	return fd != -1 ? fd : open("/dev/null", O_WRONLY | O_CLOEXEC);
}

bool
logpipe_open(struct server *s, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1)
		return err_perm(e, "", "pipe for the log: %s", strerror(errno));
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* smaller does, too */
	s->stderr_fd = keep_stderr();
	s->log_fd = ends[0];
	if (s->stderr_fd == -1 || dup2(ends[1], STDERR_FILENO) == -1)
		return err_perm(e, "", "standard error: %s", strerror(errno));
	close(ends[1]);
	log_setup(STDERR_FILENO, "parent", s->conf->log.format, role_log_level(ROLE_PARENT, s->conf));
	return true;
}

void
logpipe_hand(struct proc *p)
{
	say_listen(p->chan, &(struct listen_ask){ .service = STR("stderr"), .socket = p->server->stderr_fd });
	say_listen(p->chan, &(struct listen_ask){ .service = STR("lines"), .socket = p->server->log_fd });
}

/* False: standard error takes no more. */
static bool
write_rest(const struct server *s, struct str line)
{
	struct pollfd room = { .fd = s->stderr_fd, .events = POLLOUT };
	struct logline_head head;

	if (logline_head_parse(line, &head) && head.level < s->conf->log.level)
		return true;
	return poll(&room, 1, REST_MS) == 1 && io_write_all(s->stderr_fd, line);
}

void
logpipe_close(struct server *s)
{
	static char piece[PIPE_BYTES];
	struct str line;
	struct str rest;
	ssize_t n;

	if (s->stderr_fd == -1)
		return;
	dup2(s->stderr_fd, STDERR_FILENO);
	while ((n = read(s->log_fd, piece, sizeof piece)) > 0)
		for (rest = str_from(piece, (size_t)n); rest.n > 0; rest = str_sub(rest, line.n, rest.n)) {
			line = str_sub(rest, 0, str_find(rest, '\n') + 1);
			if (!write_rest(s, line))
				return;
		}
}
