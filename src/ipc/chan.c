/* chan.c - a place for a peer: attaching, sending, waiting while it is full, losing it.
 *
 * Nothing here calls back from inside ask_… or say_…: a failed send is settled by a timer of no delay, which detaches,
 * answers what is open with NULL and tells the owner. */
#include "chan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

enum { SLOT_BITS = 16, SLOTS_MAX = 1 << SLOT_BITS };

static void settle(void *ctx);
static void on_ready(void *ctx, int ready);

struct ipc_chan *
ipc_chan_new(struct loop *l, enum role me, enum role peer, const struct ipc_handlers *handlers, void *ctx)
{
	struct ipc_chan *c = NEW(struct ipc_chan);

	c->loop = l;
	c->me = me;
	c->peer = peer;
	c->handlers = handlers;
	c->ctx = ctx;
	c->fd = -1;
	c->uid = (uid_t)-1;
	TAILQ_INIT(&c->lost);
	LIST_INIT(&c->questions);
	STAILQ_INIT(&c->outbox);
	loop_timer_init(&c->settle, l, settle, c);
	return c;
}

void
ipc_chan_on_gone(struct ipc_chan *c, void (*on_gone)(void *ctx, struct ipc_chan *c), void *ctx)
{
	c->on_gone = on_gone;
	c->gone_ctx = ctx;
}

bool
ipc_chan_attached(const struct ipc_chan *c)
{
	return c->fd != -1 && !c->broken;
}

bool
ipc_chan_full(const struct ipc_chan *c)
{
	return !STAILQ_EMPTY(&c->outbox);
}

void
ipc_chan_set_index(struct ipc_chan *c, unsigned index)
{
	c->index = index;
}

unsigned
ipc_chan_index(const struct ipc_chan *c)
{
	return c->index;
}

enum role
ipc_chan_peer(const struct ipc_chan *c)
{
	return c->peer;
}

uid_t
ipc_chan_uid(const struct ipc_chan *c)
{
	return c->uid;
}

static void
drop_waiting(struct waiting *w)
{
	for (unsigned i = 0; i < w->nfds; i++)
		close(w->fds[i]);
	mem_wipe(w->bytes, w->n);
	free(w);
}

static void
empty_outbox(struct ipc_chan *c)
{
	struct waiting *w;

	while ((w = STAILQ_FIRST(&c->outbox)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->outbox, link);
		drop_waiting(w);
	}
	c->outbox_bytes = 0;
}

/* All open questions of ours move to the lost ones. */
static void
lose_calls(struct ipc_chan *c)
{
	for (uint32_t i = 0; i < c->ncalls; i++) {
		if (c->calls[i] == NULL)
			continue;
		TAILQ_INSERT_TAIL(&c->lost, c->calls[i], link);
		c->calls[i] = NULL;
	}
	if (!TAILQ_EMPTY(&c->lost))
		loop_timer_start(&c->settle, 0);
}

void
ipc_chan_detach(struct ipc_chan *c)
{
	if (c->fd == -1)
		return;
	loop_io_fini(&c->io);
	io_close(&c->fd);
	c->broken = false;
	c->uid = (uid_t)-1;
	c->epoch++;
	c->nquestions = 0;
	empty_outbox(c);
	lose_calls(c);
}

void
ipc_chan_attach(struct ipc_chan *c, int fd)
{
	struct ucred cred;
	socklen_t n = sizeof cred;

	ipc_chan_detach(c);
	io_nonblock(fd);
	c->fd = fd;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0)
		c->uid = cred.uid;
	loop_io_init(&c->io, c->loop, fd, on_ready, c);
	loop_io_watch(&c->io, LOOP_READ);
}

static void
drop_lost(struct ipc_chan *c, bool tell)
{
	struct ipc_call *call;

	while ((call = TAILQ_FIRST(&c->lost)) != NULL) {
		TAILQ_REMOVE(&c->lost, call, link);
		if (tell && call->on != NULL)
			ipc_layout(call->type)->deliver(call->on, call->ctx, NULL);
		free(call);
	}
}

void
ipc_chan_free(struct ipc_chan *c)
{
	struct ipc_question *q;

	if (c == NULL)
		return;
	ipc_chan_detach(c);
	drop_lost(c, false);
	LIST_FOREACH(q, &c->questions, link)
		q->chan = NULL;
	loop_timer_fini(&c->settle);
	free(c->calls);
	free(c);
}

static void
free_chan(void *ctx)
{
	ipc_chan_free(ctx);
}

void
ipc_chan_free_later(struct ipc_chan *c)
{
	ipc_chan_detach(c);
	c->on_gone = NULL;
	loop_defer(c->loop, free_chan, c);
}

/* After a failure: what could not be done where it was noticed. */
static void
settle(void *ctx)
{
	struct ipc_chan *c = ctx;
	bool gone = c->broken;

	if (gone)
		ipc_chan_detach(c);
	drop_lost(c, true);
	if (gone && c->on_gone != NULL)
		c->on_gone(c->gone_ctx, c);
}

void
chan_break(struct ipc_chan *c, const char *why)
{
	if (c->broken || c->fd == -1)
		return;
	if (why != NULL)
		log_say(LEVEL_ERROR, "ipc", "channel to %s ended: %s", role_name(c->peer), why);
	c->broken = true;
	loop_io_watch(&c->io, 0);
	loop_timer_start(&c->settle, 0);
}

static void
keep_waiting(struct ipc_chan *c, struct str bytes, const int *fds, unsigned nfds)
{
	struct waiting *w;

	if (c->outbox_bytes + bytes.n > IPC_BACKLOG_MAX) {
		chan_break(c, "it does not read");
		return;
	}
	w = mem_new(sizeof *w + bytes.n);
	for (; w->nfds < nfds; w->nfds++) {
		w->fds[w->nfds] = fcntl(fds[w->nfds], F_DUPFD_CLOEXEC, 0);
		if (w->fds[w->nfds] == -1) {
			drop_waiting(w);
			chan_break(c, "out of descriptors");
			return;
		}
	}
	memcpy(w->bytes, bytes.p, bytes.n);
	w->n = bytes.n;
	c->outbox_bytes += w->n;
	STAILQ_INSERT_TAIL(&c->outbox, w, link);
	loop_io_watch(&c->io, LOOP_READ | LOOP_WRITE);
}

/* Sends now, or when the peer has read; a dead peer is noticed by the settling timer. */
static void
send_or_wait(struct ipc_chan *c, struct str bytes, const int *fds, unsigned nfds)
{
	if (!STAILQ_EMPTY(&c->outbox) || !frame_send(c->fd, bytes, fds, nfds)) {
		if (!STAILQ_EMPTY(&c->outbox) || errno == EAGAIN || errno == ENOBUFS)
			keep_waiting(c, bytes, fds, nfds);
		else
			chan_break(c, errno == EPIPE || errno == ECONNRESET ? NULL : strerror(errno));
	}
}

static void
flush_outbox(struct ipc_chan *c)
{
	struct waiting *w;

	while ((w = STAILQ_FIRST(&c->outbox)) != NULL) {
		if (!frame_send(c->fd, str_from(w->bytes, w->n), w->fds, w->nfds)) {
			if (errno != EAGAIN && errno != ENOBUFS)
				chan_break(c, NULL);
			return;
		}
		STAILQ_REMOVE_HEAD(&c->outbox, link);
		c->outbox_bytes -= w->n;
		drop_waiting(w);
	}
	loop_io_watch(&c->io, LOOP_READ);
}

static void
on_ready(void *ctx, int ready)
{
	struct ipc_chan *c = ctx;

	if (ready & LOOP_WRITE)
		flush_outbox(c);
	if (ready & LOOP_READ)
		chan_read(c);
}

static void
send_value(struct ipc_chan *c, enum frame_kind kind, enum ipc_type type, uint32_t call, const void *value)
{
	struct buf out;
	int fds[IPC_FDS_MAX];
	unsigned nfds;

	buf_init(&out, IPC_MESSAGE_MAX);
	/* senders bound what they send; not fitting is our bug, not the peer's */
	if (!frame_write(&out, kind, type, call, value, fds, &nfds))
		log_panic("message %s does not fit", ipc_name(type));
	send_or_wait(c, buf_str(&out), fds, nfds);
	buf_wipe(&out);
}

static uint32_t
free_slot(struct ipc_chan *c)
{
	for (uint32_t i = 0; i < c->ncalls; i++) {
		uint32_t slot = (c->next_slot + i) % c->ncalls;

		if (c->calls[slot] == NULL)
			return slot;
	}
	ASSERT(c->ncalls < SLOTS_MAX);
	c->calls = mem_resize(c->calls, (c->ncalls + 64) * sizeof(struct ipc_call *));
	for (uint32_t i = 0; i < 64; i++)
		c->calls[c->ncalls + i] = NULL;
	c->ncalls += 64;
	return c->ncalls - 64;
}

struct ipc_call *
ipc_ask(struct ipc_chan *c, enum ipc_type type, const void *ask, void (*on)(void), void *ctx)
{
	struct ipc_call *call = NEW(struct ipc_call);
	uint32_t slot;

	call->type = type;
	call->on = on;
	call->ctx = ctx;
	if (!ipc_chan_attached(c)) {
		TAILQ_INSERT_TAIL(&c->lost, call, link);
		loop_timer_start(&c->settle, 0);
		return call;
	}
	slot = free_slot(c);
	c->next_slot = slot + 1;
	call->id = ++c->round << SLOT_BITS | slot;
	c->calls[slot] = call;
	send_value(c, FRAME_ASK, type, call->id, ask);
	return call;
}

struct ipc_call *
chan_take_call(struct ipc_chan *c, uint32_t id, enum ipc_type type)
{
	uint32_t slot = id % SLOTS_MAX;
	struct ipc_call *call = slot < c->ncalls ? c->calls[slot] : NULL;

	if (call == NULL || call->id != id || call->type != type)
		return NULL;
	c->calls[slot] = NULL;
	return call;
}

void
ipc_cancel(struct ipc_call *call)
{
	if (call != NULL)
		call->on = NULL;
}

void
ipc_say(struct ipc_chan *c, enum ipc_type type, const void *said)
{
	if (ipc_chan_attached(c))
		send_value(c, FRAME_SAY, type, 0, said);
}

struct ipc_chan *
ipc_question_from(const struct ipc_question *q)
{
	return q->chan;
}

void
ipc_answer(struct ipc_question *q, enum ipc_type type, const void *answer)
{
	struct ipc_chan *c = q->chan;

	ASSERT(q->type == type);
	if (c != NULL) {
		LIST_REMOVE(q, link);
		if (q->epoch == c->epoch) {
			c->nquestions--;
			if (ipc_chan_attached(c))
				send_value(c, FRAME_ANSWER, type, q->call, answer);
		}
	}
	free(q);
}
