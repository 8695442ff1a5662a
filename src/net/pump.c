/* pump.c - bytes between a connection and a stream to another process. */
#include <postern/net/pump.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <postern/core/io.h>
#include <postern/core/mem.h>

enum { PUMP_BYTES = 64 * 1024 };

struct pump {
	struct conn *conn;
	const struct pump_ops *ops;
	void *ctx;
	int fd;
	struct loop_io io;
	bool blocked; /* the process took less than there was: the conn is paused */
	bool conn_eof; /* the client will send nothing more, and the process knows */
	bool gone; /* the process sends nothing more */
	bool taking_back; /* nothing more is sent to it */
};

static void
watch(struct pump *p)
{
	int what = 0;

	if (!p->gone && !conn_full(p->conn))
		what |= LOOP_READ;
	if (p->blocked)
		what |= LOOP_WRITE;
	loop_io_watch(&p->io, what);
}

/* The process has no more to say, or broke: the client gets what there is, then the end. */
static void
process_gone(struct pump *p)
{
	p->gone = true;
	p->blocked = false;
	loop_io_watch(&p->io, 0);
	if (p->taking_back)
		p->ops->on_back(p->ctx, p->conn_eof);
	else
		conn_close(p->conn);
}

static size_t
on_data(void *ctx, struct str bytes)
{
	struct pump *p = ctx;
	ssize_t n;

	if (p->taking_back)
		return 0;
	n = send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		process_gone(p);
		return bytes.n;
	}
	if (n == -1)
		n = 0;
	if ((size_t)n < bytes.n) {
		p->blocked = true;
		conn_pause(p->conn);
		watch(p);
	}
	return (size_t)n;
}

static void
on_eof(void *ctx)
{
	struct pump *p = ctx;

	p->conn_eof = true;
	shutdown(p->fd, SHUT_WR);
}

static void
on_drained(void *ctx)
{
	watch(ctx);
}

static void
on_wait(void *ctx, enum conn_wait what)
{
	struct pump *p = ctx;

	if (p->ops->on_wait != NULL)
		p->ops->on_wait(p->ctx, what);
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct pump *p = ctx;

	loop_io_watch(&p->io, 0);
	p->ops->on_end(p->ctx, why, p->gone && !p->conn_eof);
}

static const struct conn_ops pump_conn_ops = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drained = on_drained,
	.on_wait = on_wait,
	.on_end = on_end,
};

static void
from_process(struct pump *p)
{
	static char bytes[PUMP_BYTES]; /* shared by all pumps: conn_write copies */
	ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n > 0)
		conn_write(p->conn, str_from(bytes, (size_t)n));
	if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
		watch(p);
	else
		process_gone(p);
}

static void
on_ready(void *ctx, int ready)
{
	struct pump *p = ctx;

	if (ready & LOOP_WRITE && p->blocked) {
		p->blocked = false;
		conn_resume(p->conn);
	}
	if (ready & LOOP_READ)
		from_process(p); /* which may be the end of the pump */
	else
		watch(p);
}

struct pump *
pump_new(struct loop *l, struct conn *c, int fd, const struct pump_ops *ops, void *ctx)
{
	struct pump *p = NEW(struct pump);

	*p = (struct pump){ .conn = c, .ops = ops, .ctx = ctx, .fd = fd };
	io_nonblock(fd);
	loop_io_init(&p->io, l, fd, on_ready, p);
	conn_set_ops(c, &pump_conn_ops, p);
	conn_resume(c);
	watch(p);
	return p;
}

void
pump_take_back(struct pump *p)
{
	p->taking_back = true;
	p->blocked = false;
	conn_pause(p->conn);
	shutdown(p->fd, SHUT_WR);
	watch(p);
}

void
pump_free(struct pump *p)
{
	loop_io_fini(&p->io);
	io_close(&p->fd);
	free(p);
}
