/* transfer.c - the life of a job: it is copied, finds an open connection or asks for a plan, and answers. */
#include "transfer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "idle.h"

/* --- life --- */

static void
copy_job(struct transfer *t, const struct queue_job *from)
{
	struct arena *a = &t->mem;
	struct queue_job_rcpt *rcpts = arena_array(a, from->n, sizeof *rcpts);

	t->what = *from;
	t->what.sid = arena_str(a, from->sid);
	t->what.destination = arena_str(a, from->destination);
	t->what.sender = arena_str(a, from->sender);
	t->what.envid = arena_str(a, from->envid);
	t->what.sts = arena_str(a, from->sts);
	t->what.fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
	for (size_t i = 0; i < from->n; i++)
		rcpts[i] = (struct queue_job_rcpt){ .address = arena_str(a, from->rcpts[i].address),
			.notify = from->rcpts[i].notify,
			.orcpt = arena_str(a, from->rcpts[i].orcpt) };
	t->what.rcpts = rcpts;
}

struct transfer *
transfer_new(struct relay *r, const struct queue_job *what, void (*done)(void *ctx, const struct queue_relayed *result),
    void *ctx)
{
	struct transfer *t = NEW(struct transfer);

	ASSERT(what->n > 0);
	t->relay = r;
	t->conf = conf_ref(r->conf);
	t->done = done;
	t->ctx = ctx;
	arena_init(&t->mem);
	copy_job(t, what);
	t->rcpts = arena_array(&t->mem, what->n, sizeof *t->rcpts);
	t->states = arena_array(&t->mem, what->n, sizeof *t->states);
	t->sending = arena_array(&t->mem, what->n, sizeof *t->sending);
	t->which = arena_array(&t->mem, what->n, sizeof *t->which);
	LIST_INSERT_HEAD(&r->jobs, t, entry);
	r->counts.jobs++;
	r->counts.messages++;
	transfer_wait(t, &r->starting);
	return t;
}

void
transfer_free(struct transfer *t)
{
	transfer_wait(t, NULL);
	transfer_close(t);
	if (t->planning != NULL)
		relay_plan_free(t->planning);
	envelope_close(&t->message);
	io_close(&t->what.fd);
	LIST_REMOVE(t, entry);
	t->relay->counts.jobs--;
	conf_unref(t->conf);
	arena_fini(&t->mem);
	free(t);
}

void
transfer_wait(struct transfer *t, struct transfer_queue *queue)
{
	if (t->queue != NULL)
		TAILQ_REMOVE(t->queue, t, queued);
	t->queue = queue;
	if (queue == NULL)
		return;
	TAILQ_INSERT_TAIL(queue, t, queued);
	relay_turn_soon(t->relay);
}

/* --- the answer --- */

bool
transfer_is_open(const struct transfer *t)
{
	for (size_t i = 0; i < t->what.n; i++)
		if (t->states[i] != TRANSFER_FINAL)
			return true;
	return false;
}

/* Has somebody else mail under way to the same destination? Then a host that turns us away is not down. */
static bool
has_others(const struct transfer *t)
{
	const struct transfer *other;

	LIST_FOREACH(other, &t->relay->jobs, entry)
	if (other != t && other->reached && str_eq(other->what.destination, t->what.destination))
		return true;
	return false;
}

static enum queue_reach
reach_of(const struct transfer *t)
{
	if (t->crowded && (t->reached || has_others(t)))
		return QUEUE_CROWDED;
	return t->reached || t->own_fault ? QUEUE_REACHED : QUEUE_UNREACHED;
}

static void
answer_open(struct transfer *t)
{
	const struct transfer_failure *f = &t->failure;

	if (t->relay->draining)
		transfer_answer_open(t, QUEUE_TEMP, "4.3.2", "the server is about to stop");
	else if (f->gravity == TRANSFER_NOTHING)
		transfer_answer_open(t, QUEUE_TEMP, "4.4.4", "there is no host left to try");
	else
		transfer_answer_open(t, f->verdict, f->status, f->text);
}

void
transfer_finish(struct transfer *t)
{
	struct queue_relayed result;

	transfer_close(t);
	t->own_fault = t->own_fault || t->relay->draining;
	answer_open(t);
	result = (struct queue_relayed){
		.reach = reach_of(t), .rcpts = t->rcpts, .n = t->what.n, .hops = t->hops, .nhops = t->nhops
	};
	t->done(t->ctx, &result);
	relay_turn_soon(t->relay); /* a drain may be over */
	transfer_free(t);
}

/* It ends before any host was looked for, through no fault of theirs. */
static void
fail_early(struct transfer *t, const char *status, const char *text)
{
	t->own_fault = true;
	transfer_answer_open(t, QUEUE_TEMP, status, text);
	transfer_finish(t);
}

void
transfer_give_up(struct transfer *t)
{
	if (t->link == NULL || t->link->state != LINK_BUSY)
		transfer_finish(t);
}

/* --- where it goes --- */

/* What the message asks for (RFC 8689). A bounce goes in any case: smtp_out asks for REQUIRETLS where it can be had. */
static enum tls_message
class_of(const struct queue_job *w)
{
	if ((w->flags & ENVELOPE_REQUIRETLS) && w->sender.n > 0)
		return TLS_MESSAGE_REQUIRES;
	return w->flags & ENVELOPE_TLS_OPTIONAL ? TLS_MESSAGE_OPTIONAL : TLS_MESSAGE_PLAIN;
}

/* There is no host to try. */
static void
end_with_plan(struct transfer *t)
{
	const struct relay_plan *p = t->plan;

	if (p->nhosts == 0) {
		transfer_hop_begin(t, STR(""), NULL);
		transfer_hop_say(t, "%s", p->text);
	}
	for (unsigned i = 0; i < p->nhosts; i++)
		transfer_hop_refused(t, &p->hosts[i]);
	t->own_fault = t->own_fault || p->verdict == QUEUE_PERM;
	transfer_answer_open(t, p->verdict, p->status, p->text);
	transfer_finish(t);
}

static void
on_plan(void *ctx, const struct relay_plan *p)
{
	struct transfer *t = ctx;

	t->plan = p;
	if (p->verdict != QUEUE_DONE) {
		end_with_plan(t);
		return;
	}
	t->link = t->reused ? NULL : idle_take(t->relay, t->key, t->conf);
	if (t->link != NULL)
		transfer_send(t);
	else
		transfer_next(t);
}

void
transfer_plan(struct transfer *t)
{
	const struct relay_plan_query q = { .conf = t->conf,
		.route = t->route,
		.sts = t->what.sts,
		.message = t->class,
		.handshakes_failed = t->what.handshakes_failed };

	t->planning = relay_plan_ask(t->relay->ops, t->relay->ctx, t->relay->loop, &q, on_plan, t);
}

void
transfer_start(struct transfer *t)
{
	struct err e;

	if (t->relay->draining) {
		transfer_finish(t);
	} else if (!envelope_open(&t->message, t->what.fd, &e)) {
		log_say(LEVEL_ERROR, "error", "relay: cannot read a message: %s", e.log);
		fail_early(t, "4.3.0", "the message cannot be read here");
	} else if (!relay_route_of(t->conf, t->what.destination, &t->route)) {
		fail_early(t, "4.3.5", "the route of this mail is not configured any more");
	} else {
		t->class = class_of(&t->what);
		t->key = arena_strf(
		    &t->mem, "%.*s\n%d\n%.*s", STR_ARG(t->what.destination), (int)t->class, STR_ARG(t->what.sts));
		t->link = idle_take(t->relay, t->key, t->conf);
		if (t->link != NULL)
			transfer_send(t);
		else
			transfer_plan(t);
	}
}

bool
transfer_try_again(struct transfer *t)
{
	struct link *l = t->greeted == 0 && !t->reused && !t->plain ? idle_take(t->relay, t->key, t->conf) : NULL;

	if (l == NULL && !relay_slot_take(t->relay))
		return false;
	transfer_wait(t, NULL);
	t->has_slot = l == NULL;
	if (l == NULL) {
		transfer_connect(t);
		return true;
	}
	transfer_hop_drop(t);
	t->link = l;
	transfer_send(t);
	return true;
}
