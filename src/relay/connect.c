/* connect.c - happy eyeballs: the addresses of one host, a little after each other. */
#include "connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/core/io.h>
#include <postern/core/mem.h>
#include <postern/relay/relay.h>

struct attempt {
	struct connect *c;
	struct addr addr;
	struct loop_io io;
	int fd; /* -1: not begun, or over */
	struct mono due;
};

struct connect {
	struct loop *loop;
	struct loop_timer timer;
	struct attempt tries[RELAY_ADDRESSES_MAX];
	unsigned n, begun, open;
	struct addr sources[CONNECT_SOURCES_MAX];
	unsigned nsources;
	int64_t timeout_ms;
	bool ours; /* as in the result */
	struct mono next; /* when the next address is begun */
	struct buf words;
	void (*done)(void *ctx, const struct connect_result *r);
	void *ctx;
};

static void
drop(struct attempt *a)
{
	if (a->fd == -1)
		return;
	loop_io_fini(&a->io);
	io_close(&a->fd);
	a->c->open--;
}

void
connect_free(struct connect *c)
{
	if (c == NULL)
		return;
	for (unsigned i = 0; i < c->begun; i++)
		drop(&c->tries[i]);
	loop_timer_fini(&c->timer);
	buf_fini(&c->words);
	free(c);
}

/* The owner frees c in here. */
static void
tell(struct connect *c, int fd, const struct addr *peer)
{
	struct connect_result r = {
		.fd = fd, .peer = *peer, .tried = c->begun, .ours = c->ours, .words = buf_cstr(&c->words)
	};

	loop_timer_stop(&c->timer);
	c->done(c->ctx, &r);
}

/* --- one address --- */

static void
fail(struct attempt *a, const char *why)
{
	struct connect *c = a->c;
	char text[ADDR_TEXT_SIZE];

	drop(a);
	addr_text(&a->addr, text);
	buf_addf(&c->words, "%s%s: %s", c->words.n > 0 ? "; " : "", text, why);
	c->next = mono_now();
}

static bool
bind_source(const struct connect *c, const struct attempt *a)
{
	struct sockaddr_storage ss;
	socklen_t n;

	for (unsigned i = 0; i < c->nsources; i++) {
		if (addr_is_v4(&c->sources[i]) != addr_is_v4(&a->addr))
			continue;
		n = addr_to_sockaddr(&c->sources[i], &ss);
		return bind(a->fd, (struct sockaddr *)&ss, n) == 0;
	}
	return true;
}

static bool
is_ours(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_ready(void *ctx, int ready);

static void
begin(struct connect *c)
{
	struct attempt *a = &c->tries[c->begun++];
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(&a->addr, &ss);
	struct mono now = mono_now();

	a->due = mono_add_ms(now, c->timeout_ms);
	c->next = mono_add_ms(now, RELAY_STAGGER_MS);
	c->open++;
	a->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->open -= a->fd == -1;
	c->ours = c->ours || (a->fd == -1 && is_ours(errno));
	loop_io_init(&a->io, c->loop, a->fd, on_ready, a);
	if (a->fd == -1 || !bind_source(c, a) ||
	    (connect(a->fd, (struct sockaddr *)&ss, n) == -1 && errno != EINPROGRESS))
		fail(a, strerror(errno));
	else
		loop_io_watch(&a->io, LOOP_WRITE);
}

/* --- all of them --- */

static bool
is_due(struct mono when)
{
	return !mono_before(mono_now(), when);
}

static void
arm(struct connect *c)
{
	struct mono when = c->next;
	bool any = c->begun < c->n;
	int64_t ms;

	for (unsigned i = 0; i < c->begun; i++) {
		if (c->tries[i].fd == -1 || (any && !mono_before(c->tries[i].due, when)))
			continue;
		when = c->tries[i].due;
		any = true;
	}
	ms = mono_ms_between(when, mono_now());
	loop_timer_start(&c->timer, ms > 0 ? ms : 0);
}

static void
go_on(struct connect *c)
{
	while (c->begun < c->n && is_due(c->next))
		begin(c);
	if (c->open == 0 && c->begun == c->n)
		tell(c, -1, &c->tries[c->n - 1].addr);
	else
		arm(c);
}

static void
on_ready(void *ctx, int ready)
{
	struct attempt *a = ctx;
	struct connect *c = a->c;
	int error = 0, fd = a->fd;
	socklen_t n = sizeof error;

	(void)ready;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == -1)
		error = errno;
	if (error != 0) {
		fail(a, strerror(error));
		go_on(c);
		return;
	}
	loop_io_fini(&a->io);
	a->fd = -1;
	c->open--;
	tell(c, fd, &a->addr);
}

static void
on_timer(void *ctx)
{
	struct connect *c = ctx;

	for (unsigned i = 0; i < c->begun; i++)
		if (c->tries[i].fd != -1 && is_due(c->tries[i].due))
			fail(&c->tries[i], "no answer");
	go_on(c);
}

struct connect *
connect_new(struct loop *loop, const struct connect_query *q, void (*done)(void *ctx, const struct connect_result *r),
    void *ctx)
{
	struct connect *c = NEW(struct connect);

	c->loop = loop;
	c->n = q->n < RELAY_ADDRESSES_MAX ? q->n : RELAY_ADDRESSES_MAX;
	c->timeout_ms = q->timeout_ms;
	c->done = done;
	c->ctx = ctx;
	for (unsigned i = 0; i < c->n; i++)
		c->tries[i] = (struct attempt){ .c = c, .addr = q->addrs[i], .fd = -1 };
	for (; c->nsources < q->nsources && c->nsources < CONNECT_SOURCES_MAX; c->nsources++)
		c->sources[c->nsources] = q->sources[c->nsources];
	buf_init(&c->words, CONNECT_WORDS_SIZE - 1);
	c->next = mono_now();
	loop_timer_init(&c->timer, loop, on_timer, c);
	loop_timer_start(&c->timer, 0);
	return c;
}
