/* accept.c - a submission: ask the stores, write what cannot be delivered now to the ledger, publish, answer.
 *
 *   start → deliver (one store) or prepare (several, or remote recipients) → decide → [ledger] → publish → finish
 *
 * The order keeps the promise: nothing is visible before every recipient is prepared or in the ledger; when the
 * ledger fails, all that is prepared is dropped. With a ledger row, prepared recipients are in it, too, until they
 * are known to be published: a store that dies in between is asked again under the same delivery id. */
#include "accept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "ask.h"
#include "report.h"
#include "round.h"
#include "schedule.h"
#include "submission.h"

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void
submission_free(struct submission *s)
{
	io_close(&s->fd);
	arena_fini(&s->mem);
	free(s);
}

static void
give_answer(struct submission *s)
{
	struct queue *q = s->q;

	q->accepting--;
	s->done(s->ctx, &s->answer);
	submission_free(s);
	queue_check_idle(q);
}

void
accept_run_finished(struct queue *q)
{
	struct submission *s;

	while ((s = TAILQ_FIRST(&q->finished)) != NULL) {
		TAILQ_REMOVE(&q->finished, s, entry);
		give_answer(s);
	}
}

static void
finish(struct submission *s)
{
	TAILQ_REMOVE(&s->q->submissions, s, entry);
	if (!s->submitting) {
		give_answer(s);
		return;
	}
	TAILQ_INSERT_TAIL(&s->q->finished, s, entry);
	loop_timer_start(&s->q->soon, 0);
}

static void
end(struct submission *s, enum queue_verdict verdict, unsigned code, const char *status, const char *text)
{
	answer_set(&s->answer, verdict, code, status, text);
	if (s->busy && !s->in_ledger) /* else when the ledger is clean */
		busy_free_message(s->q, s->qid);
	finish(s);
}

static void
end_error(struct submission *s, const struct err *e)
{
	char qid[ID_TEXT_SIZE];

	id_text(s->qid, qid);
	log_say(LEVEL_WARN, "error", "qid %s sid %.*s: %s", qid, STR_ARG(s->message.sid), e->log);
	if (e->class == ERR_PERM)
		end(s, QUEUE_PERM, 554, "5.6.0", e->say);
	else if (strcmp(e->say, SAY_DISK) == 0)
		end(s, QUEUE_TEMP, 452, "4.3.1", SAY_DISK);
	else
		end(s, QUEUE_TEMP, 451, "4.3.0", e->say);
}

/* --- settled: what is in the mailboxes leaves the ledger ---------------------------------------------------------- */

static void
on_cleaned(void *ctx, struct change *c, const struct err *e)
{
	(void)ctx;
	if (e != NULL)
		log_say(LEVEL_WARN, "error", "%s; delivered mail will be asked for again", e->log);
	busy_free_message(c->q, c->old_qid);
	schedule_soon(c->q);
}

static void
add_cleaning(struct row_update *u, const struct target *t)
{
	u->kind = t->fate == FATE_DONE ? UPDATE_DELETE : UPDATE_RETRY;
	u->tried = wall_now();
	u->next_try = schedule_next_try(u->tried, 1);
	u->status = STR(SUBMISSION_GONE_STATUS);
	u->reason = STR(SUBMISSION_GONE_TEXT);
}

/* Rows of published recipients go; of those whose store died meanwhile they stay and get a time. */
static void
clean_ledger(struct submission *s)
{
	struct change *c = change_new(s->q);
	struct row_update *u = change_updates(c, s->qid, s->ntargets);
	uint32_t n = 0, number = 0;

	for (uint32_t i = 0; i < s->ntargets; i++) {
		const struct target *t = &s->targets[i];

		if (t->in_row && t->was_prepared) {
			add_cleaning(&u[n], t);
			u[n++].number = number;
		}
		number += t->in_row;
	}
	c->nupdates = n;
	if (n > 0) {
		change_submit(c, on_cleaned, NULL);
		return;
	}
	change_drop(c);
	busy_free_message(s->q, s->qid);
	schedule_soon(s->q);
}

static void
end_done(struct submission *s)
{
	accept_tell(s);
	accept_report_success(s);
	if (s->in_ledger)
		clean_ledger(s);
	end(s, QUEUE_DONE, 250, "2.0.0", "accepted");
}

/* --- the ledger --------------------------------------------------------------------------------------------------- */

static void
on_dropped(struct submission *s)
{
	end_error(s, &s->err);
}

static bool
owes_bounce(const struct submission *s, const struct target *t)
{
	return t->fate == FATE_REFUSED && report_is_owed(s->q, &s->message, t->notify);
}

static bool
needs_row(const struct submission *s, const struct target *t)
{
	return t->fate == FATE_SPOOL || t->fate == FATE_PREPARED || owes_bounce(s, t);
}

static void
fill_schedule(struct row_recipient *r, const struct target *t)
{
	struct wall now = wall_now();

	r->status = STR("");
	r->reason = STR("being delivered");
	r->next_try = now;
	if (t->fate == FATE_PREPARED)
		return;
	r->attempts = 1;
	r->last_try = now;
	r->status = t->why != NULL ? str_of(t->why->status) : STR(SUBMISSION_GONE_STATUS);
	r->reason = t->why != NULL ? str_of(t->why->text) : STR(SUBMISSION_GONE_TEXT);
	if (t->fate == FATE_SPOOL)
		r->next_try = schedule_next_try(now, 1);
}

static void
fill_row(struct submission *s, struct row_recipient *r, const struct target *t)
{
	r->kind = t->local ? ROW_LOCAL : ROW_REMOTE;
	r->state = t->fate == FATE_REFUSED ? QUEUE_FAILED : QUEUE_WAITING;
	r->notify = t->notify;
	r->delivery = t->delivery;
	r->address = t->to.orig_to;
	r->orcpt = t->orcpt;
	r->target = t->to.user;
	r->detail = t->to.detail;
	if (t->local)
		fill_schedule(r, t);
	else
		schedule_remote(s->q, &s->mem, &s->message, r);
}

static void
on_committed(void *ctx, struct change *c, const struct err *e)
{
	struct submission *s = ctx;

	(void)c;
	if (e == NULL) {
		s->in_ledger = true;
		round_publish(s, end_done);
		return;
	}
	s->err = *e;
	round_drop(s, on_dropped);
}

/* Rows for everybody who is owed something, prepared recipients too: what is published leaves the ledger again
 * later. */
static void
write_ledger(struct submission *s, int content)
{
	struct change *c = change_new(s->q);
	struct row_recipient *rows = change_rows(c, s->ntargets);
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->ntargets; i++) {
		struct target *t = &s->targets[i];

		if (!needs_row(s, t))
			continue;
		t->in_row = true;
		t->was_prepared = t->fate == FATE_PREPARED;
		fill_row(s, &rows[n++], t);
	}
	c->nrows = n;
	c->adds_message = true;
	c->new_qid = s->qid;
	c->message = s->message;
	c->content = content;
	change_submit(c, on_committed, s);
}

static void
to_ledger(struct submission *s)
{
	int content = -1;

	if (queue_has_room(s->q, s->message.file_size, &s->err)) {
		content = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
		if (content == -1)
			err_temp(&s->err, SAY_LATER, "queue: no descriptor is free: %s", strerror(errno));
	}
	if (content != -1)
		write_ledger(s, content);
	else
		round_drop(s, on_dropped);
}

/* --- the beginning ------------------------------------------------------------------------------------------------ */

static const struct target *
find_fate(const struct submission *s, enum fate fate)
{
	for (uint32_t i = 0; i < s->ntargets; i++)
		if (s->targets[i].fate == fate)
			return &s->targets[i];
	return NULL;
}

static bool
any_bounce(const struct submission *s)
{
	for (uint32_t i = 0; i < s->ntargets; i++)
		if (owes_bounce(s, &s->targets[i]))
			return true;
	return false;
}

static void
end_refused(struct submission *s, const struct target *t)
{
	bool size = strcmp(t->why->status, "5.2.2") == 0 || strcmp(t->why->status, "5.3.4") == 0;

	accept_tell(s);
	end(s, QUEUE_PERM, size ? 552 : 550, t->why->status, t->why->text);
}

/* Without a ledger row: a store that died while publishing makes one necessary after all. */
static void
published(struct submission *s)
{
	if (find_fate(s, FATE_SPOOL) != NULL)
		to_ledger(s);
	else
		end_done(s);
}

static void
decide(struct submission *s)
{
	bool spool = find_fate(s, FATE_SPOOL) != NULL;

	if (!spool && find_fate(s, FATE_DONE) == NULL && find_fate(s, FATE_PREPARED) == NULL)
		end_refused(s, find_fate(s, FATE_REFUSED));
	else if (spool || any_bounce(s))
		to_ledger(s);
	else
		round_publish(s, published);
}

static void
start(struct submission *s)
{
	enum queue_mode mode = QUEUE_DELIVER;

	for (uint32_t i = 0; i < s->ntargets; i++) {
		if (!s->targets[i].local) {
			s->targets[i].fate = FATE_SPOOL;
			mode = QUEUE_PREPARE;
		}
	}
	round_plan(s);
	if (s->batches != NULL && s->batches->next != NULL)
		mode = QUEUE_PREPARE;
	round_deliver(s, mode, decide);
}

static void
admit(struct submission *s)
{
	struct queue *q = s->q;
	struct err e;

	if (q->draining)
		end(s, QUEUE_TEMP, 451, "4.3.2", "the server is being stopped");
	else if (q->accepting > q->options.limits.submissions)
		end(s, QUEUE_TEMP, 451, "4.3.2", "too many messages at this moment");
	else if (!submission_read(s, &e))
		end_error(s, &e);
	else if (!(s->busy = busy_take_message(q, s->qid)))
		end(s, QUEUE_TEMP, 451, "4.3.0", "this message is being submitted already");
	else
		start(s);
}

void
queue_submit(struct queue *q, int fd, struct str sid, void (*done)(void *ctx, const struct queue_answer *a), void *ctx)
{
	struct submission *s = NEW(struct submission);

	s->q = q;
	s->fd = fd;
	s->done = done;
	s->ctx = ctx;
	arena_init(&s->mem);
	s->message.sid = arena_str(&s->mem, sid);
	q->accepting++;
	TAILQ_INSERT_TAIL(&q->submissions, s, entry);
	s->submitting = true;
	admit(s);
	s->submitting = false;
}

void
accept_free_all(struct queue *q)
{
	struct submission *s;

	while ((s = TAILQ_FIRST(&q->submissions)) != NULL) {
		TAILQ_REMOVE(&q->submissions, s, entry);
		submission_free(s);
	}
	while ((s = TAILQ_FIRST(&q->finished)) != NULL) {
		TAILQ_REMOVE(&q->finished, s, entry);
		submission_free(s);
	}
}
