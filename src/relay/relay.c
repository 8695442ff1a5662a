/* relay.c - the face of the relay: jobs come in, connections are counted, everything ends. */
#include <postern/relay/relay.h>

#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "idle.h"
#include "transfer.h"

/* --- connections --- */

/* The limit is for all processes together. */
static unsigned
limit_of(const struct relay *r)
{
	const struct conf_relay *c = &r->conf->relay;

	return c->connections > c->processes ? c->connections / c->processes : 1;
}

bool
relay_slot_take(struct relay *r)
{
	if (r->nslots >= limit_of(r))
		return false;
	r->nslots++;
	return true;
}

void
relay_slot_free(struct relay *r)
{
	r->nslots--;
	if (!TAILQ_EMPTY(&r->waiting) || r->draining)
		relay_turn_soon(r);
}

/* --- the turn --- */

static void
start_jobs(struct relay *r)
{
	struct transfer_queue jobs = TAILQ_HEAD_INITIALIZER(jobs);
	struct transfer *t;

	TAILQ_CONCAT(&jobs, &r->starting, queued);
	TAILQ_FOREACH(t, &jobs, queued)
	t->queue = &jobs;
	while ((t = TAILQ_FIRST(&jobs)) != NULL) {
		transfer_wait(t, NULL);
		transfer_start(t);
	}
}

/* The longest waiting first; connections at rest make room for them. */
static void
try_waiting(struct relay *r)
{
	struct transfer *t, *next;

	for (t = TAILQ_FIRST(&r->waiting); t != NULL; t = next) {
		next = TAILQ_NEXT(t, queued);
		if (!transfer_try_again(t))
			idle_drop_one(r);
	}
}

/* What has not been sent yet does not hold up the end. */
static void
give_up(struct relay *r)
{
	struct transfer *t, *next;

	for (t = LIST_FIRST(&r->jobs); r->draining && t != NULL; t = next) {
		next = LIST_NEXT(t, entry);
		transfer_give_up(t);
	}
}

static void
end_drain(struct relay *r)
{
	void (*fn)(void *ctx) = r->idle_fn;

	if (!r->draining || fn == NULL || !LIST_EMPTY(&r->jobs) || !LIST_EMPTY(&r->links))
		return;
	r->idle_fn = NULL;
	fn(r->idle_ctx);
}

static void
on_turn(void *ctx)
{
	struct relay *r = ctx;

	start_jobs(r);
	give_up(r);
	try_waiting(r);
	end_drain(r);
}

void
relay_turn_soon(struct relay *r)
{
	loop_timer_start(&r->turn, 0);
}

/* --- life --- */

struct relay *
relay_new(struct loop *loop, const struct conf *conf, struct tls_client *tls, const struct relay_ops *ops, void *ctx)
{
	struct relay *r = NEW(struct relay);

	r->loop = loop;
	r->conf = conf_ref(conf);
	r->tls = tls;
	r->ops = ops;
	r->ctx = ctx;
	LIST_INIT(&r->jobs);
	TAILQ_INIT(&r->starting);
	TAILQ_INIT(&r->waiting);
	LIST_INIT(&r->links);
	idle_init(r);
	buf_init(&r->piece, LINK_PIECE);
	loop_timer_init(&r->turn, loop, on_turn, r);
	return r;
}

void
relay_configure(struct relay *r, const struct conf *conf)
{
	idle_drop_all(r);
	conf_unref(r->conf);
	r->conf = conf_ref(conf);
	relay_turn_soon(r); /* there may be room for more connections now */
}

void
relay_free(struct relay *r)
{
	if (r == NULL)
		return;
	while (!LIST_EMPTY(&r->jobs))
		transfer_free(LIST_FIRST(&r->jobs));
	idle_fini(r);
	while (!LIST_EMPTY(&r->links))
		link_free(LIST_FIRST(&r->links));
	loop_timer_fini(&r->turn);
	buf_fini(&r->piece);
	conf_unref(r->conf);
	free(r);
}

/* --- use --- */

void
relay_send(struct relay *r, const struct queue_job *job, void (*done)(void *ctx, const struct queue_relayed *result),
    void *ctx)
{
	transfer_new(r, job, done, ctx);
}

void
relay_drain(struct relay *r, void (*idle)(void *ctx), void *ctx)
{
	r->draining = true;
	r->idle_fn = idle;
	r->idle_ctx = ctx;
	idle_drop_all(r);
	relay_turn_soon(r);
}

void
relay_abandon(struct relay *r)
{
	while (!LIST_EMPTY(&r->jobs))
		transfer_finish(LIST_FIRST(&r->jobs));
}

void
relay_count(const struct relay *r, struct relay_counts *c)
{
	*c = r->counts;
}
