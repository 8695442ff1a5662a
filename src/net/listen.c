/* listen.c - listening sockets: opened in the parent, accepted on in a role. */
#include <postern/net/listen.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/mem.h>

#include "gate.h"

struct listener {
	struct listen_gate *gate;
	const struct listen_ops *ops;
	void *ctx;
	int fd;
	int spare; /* given away for a moment when there is no other descriptor left */
	bool paused;
	bool accepting; /* on_accept may free us: then the memory goes after it */
	bool freed;
	struct loop_io io;
	struct loop_timer rest;
};

static bool
set_flag(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* "*" is [::] with IPv4 let in, or 0.0.0.0 where there is no IPv6. */
static struct addr
bind_addr(const struct addr_bind *b, int family)
{
	struct addr a = b->at;

	if (b->any && family == AF_INET)
		memcpy(a.ip, (uint8_t[12]){ [10] = 0xff, [11] = 0xff }, 12);
	return a;
}

static int
open_family(const struct addr_bind *b, int family, int backlog)
{
	struct addr at = bind_addr(b, family);
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(&at, &ss);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int kept;

	if (fd == -1)
		return -1;
	if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	    (family == AF_INET || set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !b->any)) &&
	    bind(fd, (const struct sockaddr *)&ss, n) == 0 && listen(fd, backlog) == 0)
		return fd;
	kept = errno;
	close(fd);
	errno = kept;
	return -1;
}

static const char *
remedy(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another program listens there: stop it, or choose another port";
	case EACCES:
		return "ports below 1024 need root: start as root, or choose a higher port";
	case EADDRNOTAVAIL:
		return "this machine has no such address: correct it, or use *";
	default:
		return "see the manual of the system";
	}
}

int
listen_open(const struct addr_bind *b, int backlog, struct err *e)
{
	bool v4 = !b->any && addr_is_v4(&b->at);
	int fd = open_family(b, v4 ? AF_INET : AF_INET6, backlog);
	char text[ADDR_TEXT_SIZE];
	int kept;

	if (fd == -1 && b->any && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = open_family(b, AF_INET, backlog);
	if (fd != -1)
		return fd;
	kept = errno;
	addr_text(&b->at, text);
	err_perm(e, SAY_LATER, "cannot listen on %s: %s (%s)", text, strerror(kept), remedy(kept));
	return -1;
}

static void
take_peer(int fd, const struct sockaddr_storage *ss, socklen_t n, struct addr *peer, struct addr *local)
{
	struct sockaddr_storage own = { 0 };
	socklen_t own_n = sizeof own;

	addr_from_sockaddr((const struct sockaddr *)ss, n, peer);
	*local = (struct addr){ 0 };
	if (getsockname(fd, (struct sockaddr *)&own, &own_n) == 0)
		addr_from_sockaddr((const struct sockaddr *)&own, own_n, local);
}

static void
refuse(struct listener *l, int fd, const struct addr *peer, const char *why)
{
	struct str busy = l->ops->busy;

	/* a fresh socket takes a line at once; whoever resets it meanwhile does without */
	if (busy.n > 0 && send(fd, busy.p, busy.n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		shutdown(fd, SHUT_WR);
	close(fd);
	if (l->ops->on_refuse != NULL)
		l->ops->on_refuse(l->ctx, peer, why);
}

static void
watch(struct listener *l)
{
	loop_io_watch(&l->io, l->paused ? 0 : LOOP_READ);
}

/* A dup needs no file system, so that it works in a closed root. */
static void
take_spare(struct listener *l)
{
	if (l->spare == -1)
		l->spare = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
}

static void
on_rested(void *ctx)
{
	struct listener *l = ctx;

	take_spare(l);
	watch(l);
}

/* Refuses the connection that waits in front with the spare descriptor, then rests: the sockets that are open need
 * time to end, and a listening socket stays readable. */
static void
rest(struct listener *l)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof ss;
	struct addr peer, local;
	int fd;

	loop_io_watch(&l->io, 0);
	loop_timer_start(&l->rest, LISTEN_PAUSE_MS);
	io_close(&l->spare);
	fd = accept4(l->fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1) {
		take_spare(l);
		return;
	}
	take_peer(fd, &ss, n, &peer, &local);
	refuse(l, fd, &peer, "out of descriptors");
	take_spare(l);
}

enum step { STEP_MORE, STEP_DONE };

static enum step
accept_one(struct listener *l)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof ss;
	int fd = accept4(l->fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct addr peer, local;
	const char *why;

	if (fd == -1 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
		rest(l);
		return STEP_DONE;
	}
	if (fd == -1) /* a connection that died in the queue reports here, too: accept(2) */
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINVAL ? STEP_DONE : STEP_MORE;
	take_peer(fd, &ss, n, &peer, &local);
	why = gate_enter(l->gate, &peer);
	if (why != NULL)
		refuse(l, fd, &peer, why);
	else
		l->ops->on_accept(l->ctx, fd, &peer, &local);
	return STEP_MORE;
}

static void
on_ready(void *ctx, int ready)
{
	struct listener *l = ctx;

	(void)ready;
	l->accepting = true;
	for (int i = 0; i < LISTEN_BATCH && !l->paused && !l->freed; i++)
		if (accept_one(l) == STEP_DONE)
			break;
	l->accepting = false;
	if (l->freed)
		free(l);
}

struct listener *
listener_new(struct loop *loop, int fd, struct listen_gate *g, const struct listen_ops *ops, void *ctx)
{
	struct listener *l = NEW(struct listener);

	*l = (struct listener){ .gate = g, .ops = ops, .ctx = ctx, .fd = fd, .spare = -1 };
	io_nonblock(fd);
	take_spare(l);
	loop_io_init(&l->io, loop, fd, on_ready, l);
	loop_timer_init(&l->rest, loop, on_rested, l);
	watch(l);
	return l;
}

void
listener_free(struct listener *l)
{
	loop_io_fini(&l->io);
	loop_timer_fini(&l->rest);
	io_close(&l->spare);
	l->freed = true;
	if (!l->accepting)
		free(l);
}

void
listener_pause(struct listener *l)
{
	l->paused = true;
	loop_timer_stop(&l->rest);
	watch(l);
}

void
listener_resume(struct listener *l)
{
	l->paused = false;
	take_spare(l);
	watch(l);
}
