/* job.c - the life of a job: it is copied, finds an open connection or asks for a plan, and answers. */
#include "job.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "idle.h"

/* --- life --- */

static void
copy_job(struct job *j, const struct queue_job *from)
{
	struct arena *a = &j->mem;
	struct queue_job_rcpt *rcpts = arena_array(a, from->n, sizeof *rcpts);

	j->what = *from;
	j->what.sid = arena_str(a, from->sid);
	j->what.destination = arena_str(a, from->destination);
	j->what.sender = arena_str(a, from->sender);
	j->what.envid = arena_str(a, from->envid);
	j->what.sts = arena_str(a, from->sts);
	j->what.fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
	for (size_t i = 0; i < from->n; i++)
		rcpts[i] = (struct queue_job_rcpt){ .address = arena_str(a, from->rcpts[i].address),
			.notify = from->rcpts[i].notify, .orcpt = arena_str(a, from->rcpts[i].orcpt) };
	j->what.rcpts = rcpts;
}

struct job *
job_new(struct relay *r, const struct queue_job *what, void (*done)(void *ctx, const struct queue_relayed *result),
    void *ctx)
{
	struct job *j = NEW(struct job);

	ASSERT(what->n > 0);
	j->relay = r;
	j->conf = conf_ref(r->conf);
	j->done = done;
	j->ctx = ctx;
	arena_init(&j->mem);
	copy_job(j, what);
	j->rcpts = arena_array(&j->mem, what->n, sizeof *j->rcpts);
	j->states = arena_array(&j->mem, what->n, sizeof *j->states);
	j->sending = arena_array(&j->mem, what->n, sizeof *j->sending);
	j->which = arena_array(&j->mem, what->n, sizeof *j->which);
	LIST_INSERT_HEAD(&r->jobs, j, entry);
	r->counts.jobs++;
	r->counts.messages++;
	job_wait(j, &r->starting);
	return j;
}

void
job_free(struct job *j)
{
	job_wait(j, NULL);
	job_close(j);
	if (j->planning != NULL)
		relay_plan_free(j->planning);
	envelope_close(&j->message);
	io_close(&j->what.fd);
	LIST_REMOVE(j, entry);
	j->relay->counts.jobs--;
	conf_unref(j->conf);
	arena_fini(&j->mem);
	free(j);
}

void
job_wait(struct job *j, struct job_queue *queue)
{
	if (j->queue != NULL)
		TAILQ_REMOVE(j->queue, j, queued);
	j->queue = queue;
	if (queue == NULL)
		return;
	TAILQ_INSERT_TAIL(queue, j, queued);
	relay_turn_soon(j->relay);
}

/* --- the answer --- */

bool
job_is_open(const struct job *j)
{
	for (size_t i = 0; i < j->what.n; i++)
		if (j->states[i] != JOB_FINAL)
			return true;
	return false;
}

/* Has somebody else mail under way to the same destination? Then a host that turns us away is not down. */
static bool
has_others(const struct job *j)
{
	const struct job *other;

	LIST_FOREACH(other, &j->relay->jobs, entry)
		if (other != j && other->reached && str_eq(other->what.destination, j->what.destination))
			return true;
	return false;
}

static enum queue_reach
reach_of(const struct job *j)
{
	if (j->crowded && (j->reached || has_others(j)))
		return QUEUE_CROWDED;
	return j->reached || j->own_fault ? QUEUE_REACHED : QUEUE_UNREACHED;
}

static void
answer_open(struct job *j)
{
	const struct job_failure *f = &j->failure;

	if (j->relay->draining)
		job_answer_open(j, QUEUE_TEMP, "4.3.2", "the server is about to stop");
	else if (f->gravity == JOB_NOTHING)
		job_answer_open(j, QUEUE_TEMP, "4.4.4", "there is no host left to try");
	else
		job_answer_open(j, f->verdict, f->status, f->text);
}

void
job_finish(struct job *j)
{
	struct queue_relayed result;

	job_close(j);
	j->own_fault = j->own_fault || j->relay->draining;
	answer_open(j);
	result = (struct queue_relayed){ .reach = reach_of(j), .rcpts = j->rcpts, .n = j->what.n, .hops = j->hops,
		.nhops = j->nhops };
	j->done(j->ctx, &result);
	relay_turn_soon(j->relay); /* a drain may be over */
	job_free(j);
}

/* It ends before any host was looked for, through no fault of theirs. */
static void
fail_early(struct job *j, const char *status, const char *text)
{
	j->own_fault = true;
	job_answer_open(j, QUEUE_TEMP, status, text);
	job_finish(j);
}

void
job_give_up(struct job *j)
{
	if (j->link == NULL || j->link->state != LINK_BUSY)
		job_finish(j);
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
end_with_plan(struct job *j)
{
	const struct relay_plan *p = j->plan;

	if (p->nhosts == 0) {
		job_hop_begin(j, STR(""), NULL);
		job_hop_say(j, "%s", p->text);
	}
	for (unsigned i = 0; i < p->nhosts; i++)
		job_hop_refused(j, &p->hosts[i]);
	j->own_fault = j->own_fault || p->verdict == QUEUE_PERM;
	job_answer_open(j, p->verdict, p->status, p->text);
	job_finish(j);
}

static void
on_plan(void *ctx, const struct relay_plan *p)
{
	struct job *j = ctx;

	j->plan = p;
	if (p->verdict != QUEUE_DONE) {
		end_with_plan(j);
		return;
	}
	j->link = j->reused ? NULL : idle_take(j->relay, j->key, j->conf);
	if (j->link != NULL)
		job_send(j);
	else
		job_next(j);
}

void
job_plan(struct job *j)
{
	const struct relay_plan_query q = { .conf = j->conf, .route = j->route, .sts = j->what.sts, .message = j->class,
		.handshakes_failed = j->what.handshakes_failed };

	j->planning = relay_plan_ask(j->relay->ops, j->relay->ctx, j->relay->loop, &q, on_plan, j);
}

void
job_start(struct job *j)
{
	struct err e;

	if (j->relay->draining) {
		job_finish(j);
	} else if (!envelope_open(&j->message, j->what.fd, &e)) {
		log_say(LEVEL_ERROR, "error", "relay: cannot read a message: %s", e.log);
		fail_early(j, "4.3.0", "the message cannot be read here");
	} else if (!relay_route_of(j->conf, j->what.destination, &j->route)) {
		fail_early(j, "4.3.5", "the route of this mail is not configured any more");
	} else {
		j->class = class_of(&j->what);
		j->key = arena_strf(&j->mem, "%.*s\n%d\n%.*s", STR_ARG(j->what.destination), (int)j->class,
		    STR_ARG(j->what.sts));
		j->link = idle_take(j->relay, j->key, j->conf);
		if (j->link != NULL)
			job_send(j);
		else
			job_plan(j);
	}
}

bool
job_try_again(struct job *j)
{
	struct link *l = j->greeted == 0 && !j->reused && !j->plain ? idle_take(j->relay, j->key, j->conf) : NULL;

	if (l == NULL && !relay_slot_take(j->relay))
		return false;
	job_wait(j, NULL);
	j->has_slot = l == NULL;
	if (l == NULL) {
		job_connect(j);
		return true;
	}
	job_hop_drop(j);
	j->link = l;
	job_send(j);
	return true;
}
