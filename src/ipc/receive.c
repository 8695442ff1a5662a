/* receive.c - what a peer sends is checked against the tables before anybody sees it. */
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "chan.h"

/* Messages handled before other events get their turn. */
enum { TURN = 64 };

/* Everything a received struct could be; calls.def keeps them small. */
enum { VALUE_MAX = 512 };

static bool
unpack(const struct frame *f, bool answer, struct arena *a, void *value, const char **why)
{
	ASSERT(ipc_size(f->head.type, answer) <= VALUE_MAX);
	return ipc_unpack(f->head.type, answer, f->body, f->fds, f->nfds, a, value, why);
}

static const char *
receive_answer(struct ipc_chan *c, struct frame *f, struct arena *a)
{
	_Alignas(16) char value[VALUE_MAX];
	const struct ipc_layout *l = ipc_layout(f->head.type);
	struct ipc_call *call = chan_take_call(c, f->head.call, f->head.type);
	const char *why = NULL;

	if (call == NULL)
		return "answer to nothing asked";
	if (!unpack(f, true, a, value, &why)) {
		/* the question stays open, so that it is answered NULL with the others */
		TAILQ_INSERT_TAIL(&c->lost, call, link);
		return why;
	}
	if (call->on == NULL)
		frame_close_fds(f);
	else
		l->deliver(call->on, call->ctx, value);
	f->nfds = 0;
	free(call);
	return NULL;
}

static struct ipc_question *
new_question(struct ipc_chan *c, const struct frame *f)
{
	struct ipc_question *q = NEW(struct ipc_question);

	q->chan = c;
	q->epoch = c->epoch;
	q->call = f->head.call;
	q->type = f->head.type;
	LIST_INSERT_HEAD(&c->questions, q, link);
	c->nquestions++;
	return q;
}

static const char *
receive_ask(struct ipc_chan *c, struct frame *f, struct arena *a)
{
	_Alignas(16) char value[VALUE_MAX];
	const struct ipc_layout *l = ipc_layout(f->head.type);
	bool is_call = l->answer != NULL;
	const char *why = NULL;

	if (!ipc_allowed(f->head.type, c->peer, c->me))
		return "message that this peer may not send";
	if (c->handlers == NULL || !l->served(c->handlers))
		return "message that nobody expects here";
	if (is_call != (f->head.kind == FRAME_ASK))
		return "statement and question confused";
	if (c->nquestions >= IPC_ASKED_MAX)
		return "too many open questions";
	if (!unpack(f, false, a, value, &why))
		return why;
	f->nfds = 0; /* the handler's now */
	l->handle(c->handlers, c->ctx, c, is_call ? new_question(c, f) : NULL, value);
	return NULL;
}

static const char *
receive(struct ipc_chan *c, struct frame *f, struct arena *a)
{
	if (f->head.type >= IPC_TYPES)
		return "unknown message";
	switch (f->head.kind) {
	case FRAME_ANSWER:
		return receive_answer(c, f, a);
	case FRAME_ASK:
	case FRAME_SAY:
		return receive_ask(c, f, a);
	default:
		return "unknown kind of message";
	}
}

void
chan_read(struct ipc_chan *c)
{
	uint32_t epoch = c->epoch;
	struct arena a;

	arena_init(&a);
	for (unsigned i = 0; i < TURN && c->epoch == epoch && ipc_chan_attached(c); i++) {
		struct frame f;
		const char *why = NULL;
		enum frame_result r = frame_receive(c->fd, &f, &why);

		if (r == FRAME_NONE)
			break;
		if (r == FRAME_END) {
			chan_break(c, NULL);
			break;
		}
		if (r == FRAME_OK)
			why = receive(c, &f, &a);
		if (r == FRAME_OK)
			frame_forget(&f);
		if (why != NULL) {
			frame_close_fds(&f);
			if (c->epoch == epoch)
				chan_break(c, why);
		}
		arena_reset(&a);
	}
	arena_fini(&a);
}
