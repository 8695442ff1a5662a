/* attempt.c - one try for recipients of one message that waited: deliver to the store, or resolve an address first.
 *
 * Whatever comes of it is one change of the ledger; only after that is committed the message is free for the next
 * try. A crash before the commit repeats the try under the same delivery id. */
#include "attempt.h"

#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "ask.h"
#include "change.h"
#include "deadline.h"
#include "report.h"
#include "schedule.h"
#include "tell.h"

struct attempt {
	TAILQ_ENTRY(attempt) entry;
	struct queue *q;
	struct arena mem;
	struct id qid;
	struct row_message message;
	struct row_recipient *rows; /* of one kind; LOCAL: of one delivery id and store */
	struct row_update *results; /* one for each */
	struct queue_answer *answers;
	uint32_t n;
	unsigned store;
	int fd;
	bool prepared; /* some wait to be published */
};

static void
attempt_free(struct attempt *a)
{
	TAILQ_REMOVE(&a->q->attempts, a, entry);
	io_close(&a->fd);
	arena_fini(&a->mem);
	free(a);
}

void
attempt_free_all(struct queue *q)
{
	struct attempt *a;

	while ((a = TAILQ_FIRST(&q->attempts)) != NULL)
		attempt_free(a);
}

static bool
old(const struct attempt *a, int64_t seconds)
{
	return wall_now().us - a->message.received.us >= seconds * 1000000;
}

/* --- the result --------------------------------------------------------------------------------------------------- */

static void
on_written(void *ctx, struct change *c, const struct err *e)
{
	struct attempt *a = ctx;
	struct queue *q = a->q;
	struct id qid = a->qid;
	bool warn = old(a, q->options.limits.warn_s) && a->message.sender.n > 0;

	(void)c;
	attempt_free(a);
	q->delivering--;
	if (e != NULL) {
		log_say(LEVEL_ERROR, "error", "queue: %s", e->log);
		schedule_pause(q);
	}
	if (e == NULL && warn) {
		report_delayed(q, qid);
		return;
	}
	busy_free_message(q, qid);
	schedule_soon(q);
}

static bool
wants_success(const struct attempt *a, uint32_t i)
{
	const struct row_recipient *r = &a->rows[i];

	return r->kind == ROW_LOCAL && a->results[i].kind == UPDATE_DELETE &&
	    (r->notify & ENVELOPE_NOTIFY_SUCCESS) != 0;
}

/* The change that settles it; with NOTIFY=SUCCESS the report is part of it. */
static struct change *
new_change(struct attempt *a)
{
	struct bounce_recipient *about = arena_array(&a->mem, a->n, sizeof *about);
	struct change *c = NULL;
	struct err e;
	size_t n = 0;

	for (uint32_t i = 0; i < a->n; i++) {
		const struct row_recipient *r = &a->rows[i];

		if (wants_success(a, i))
			about[n++] = (struct bounce_recipient){ .action = BOUNCE_DELIVERED, .address = r->address,
				.orcpt = r->orcpt, .status = STR("2.0.0"), .text = STR("delivered"),
				.tried = wall_now() };
	}
	if (n > 0 && a->message.sender.n > 0)
		c = report_new(a->q, a->qid, &a->message, a->fd, about, n, &e);
	return c != NULL ? c : change_new(a->q);
}

static void
finish(struct attempt *a)
{
	struct change *c = new_change(a);

	memcpy(change_updates(c, a->qid, a->n), a->results, a->n * sizeof *a->results);
	change_submit(c, on_written, a);
}

static void
tell(const struct attempt *a, uint32_t i, const char *event)
{
	const struct row_recipient *r = &a->rows[i];
	const struct tell line = { .qid = a->qid, .sid = a->message.sid, .from = a->message.sender, .to = r->target,
		.orig_to = r->address, .received = a->message.received, .status = a->results[i].status,
		.text = a->results[i].reason };

	tell_outcome(event, &line);
}

static void
set_result(struct attempt *a, uint32_t i, enum row_update_kind kind, const char *status, const char *text)
{
	struct row_update *u = &a->results[i];

	u->kind = kind;
	u->tried = wall_now();
	u->next_try = kind == UPDATE_RETRY ? schedule_next_try(u->tried, a->rows[0].attempts + 1) : u->tried;
	u->status = arena_str(&a->mem, str_of(status));
	u->reason = arena_str(&a->mem, str_of(text));
}

/* A failure that may pass, until it has lasted too long: then it is final, with the reason it had (RFC 3463 3.5,
 * X.4.7). */
static void
set_failure(struct attempt *a, uint32_t i, const char *status, const char *text)
{
	char words[QUEUE_TEXT_SIZE];

	if (schedule_gives_up(a->q, &a->message)) {
		schedule_expired_words(a->q, str_of(text), words);
		set_result(a, i, UPDATE_FAIL, SCHEDULE_EXPIRED_STATUS, words);
		return;
	}
	set_result(a, i, UPDATE_RETRY, status, text);
	tell(a, i, "defer");
}

static void
set_answer(struct attempt *a, uint32_t i, const struct queue_answer *from)
{
	struct queue_answer answer;

	answer_clean(&answer, from);
	switch (answer.verdict) {
	case QUEUE_DONE:
		set_result(a, i, UPDATE_DELETE, answer.status, answer.text);
		tell(a, i, "deliver");
		break;
	case QUEUE_PERM:
		set_result(a, i, UPDATE_FAIL, answer.status, answer.text);
		break;
	case QUEUE_TEMP:
	case QUEUE_PREPARED: /* of a publish: not done */
		set_failure(a, i, answer.verdict == QUEUE_TEMP ? answer.status : "4.3.0", answer.text);
		break;
	}
}

#define GONE_TEXT "the process that was asked ended"

static void
set_gone(struct attempt *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		set_failure(a, i, "4.3.0", GONE_TEXT);
}

/* --- delivering --------------------------------------------------------------------------------------------------- */

static void
on_published(void *ctx, const struct queue_answer *answers, size_t n)
{
	struct attempt *a = ctx;

	for (uint32_t i = 0; i < a->n; i++) {
		if (a->answers[i].verdict != QUEUE_PREPARED)
			set_answer(a, i, &a->answers[i]);
		else if (n == a->n)
			set_answer(a, i, &answers[i]);
		else
			set_failure(a, i, "4.3.0", GONE_TEXT);
	}
	finish(a);
}

static void
on_delivered(void *ctx, const struct queue_answer *answers, size_t n)
{
	struct attempt *a = ctx;
	bool prepared = false;

	if (n != a->n) {
		set_gone(a);
		finish(a);
		return;
	}
	for (uint32_t i = 0; i < a->n; i++) {
		a->answers[i] = answers[i];
		prepared = prepared || answers[i].verdict == QUEUE_PREPARED;
	}
	if (prepared)
		a->q->ops->settle(a->q->ctx, a->store, QUEUE_PUBLISH, a->rows[0].delivery, a->n,
		    ask_new(a->q, a->n, on_published, NULL, a));
	else
		on_published(a, NULL, 0);
}

static void
ask_store(struct attempt *a)
{
	struct queue_target targets[QUEUE_BATCH_MAX];
	const struct queue_delivery d = { .id = a->rows[0].delivery, .mode = QUEUE_DELIVER, .store = a->store,
		.qid = a->qid, .sender = a->message.sender, .fd = a->fd, .targets = targets, .n = a->n };

	for (uint32_t i = 0; i < a->n; i++)
		targets[i] = (struct queue_target){ a->rows[i].target, a->rows[i].detail, a->rows[i].address };
	a->answers = arena_array(&a->mem, a->n, sizeof *a->answers);
	a->q->ops->deliver(a->q->ctx, &d, ask_new(a->q, a->n, on_delivered, NULL, a));
}

/* The content cannot be had: later, or, when it is lost, held for the operator to see. */
static void
no_content(struct attempt *a, const struct err *e)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (e->class == ERR_TEMP) {
			set_failure(a, i, "4.3.0", e->say);
			continue;
		}
		set_result(a, i, UPDATE_HOLD, "5.3.0", e->log);
		tell(a, i, "hold");
	}
	log_say(e->class == ERR_TEMP ? LEVEL_WARN : LEVEL_ERROR, "error", "queue: cannot read a message: %s", e->log);
	finish(a);
}

static void
deliver(struct attempt *a)
{
	struct err e;

	a->fd = content_open(a->q, a->qid, &e);
	if (a->fd == -1)
		no_content(a, &e);
	else
		ask_store(a);
}

/* --- resolving ---------------------------------------------------------------------------------------------------- */

static void
fill_target(const struct attempt *a, struct change *c, struct row_recipient *r, const struct envelope_target *t)
{
	*r = a->rows[0];
	r->kind = t->kind == ENVELOPE_LOCAL ? ROW_LOCAL : ROW_REMOTE;
	r->target = arena_str(&c->mem, t->address);
	r->detail = arena_str(&c->mem, t->detail);
	r->delivery = id_new();
	r->attempts = 0;
	r->status = r->reason = STR("");
	r->next_try = wall_now();
	if (r->kind == ROW_REMOTE)
		schedule_remote(a->q, &c->mem, &a->message, r);
}

static bool
target_ok(const struct envelope_target *t)
{
	return t->address.n > 0 && envelope_text_ok(t->address, ENVELOPE_ADDRESS_MAX) &&
	    envelope_text_ok(t->detail, ENVELOPE_DETAIL_MAX);
}

static void
on_resolved(void *ctx, const struct envelope_target *targets, size_t n)
{
	struct attempt *a = ctx;
	struct change *c = change_new(a->q);
	struct row_recipient *rows = change_rows(c, (uint32_t)n);
	uint32_t good = 0;

	for (size_t i = 0; i < n; i++)
		if (target_ok(&targets[i]))
			fill_target(a, c, &rows[good++], &targets[i]);
	c->nrows = good;
	set_result(a, 0, good > 0 ? UPDATE_DELETE : UPDATE_FAIL, "5.1.1", "the address leads nowhere");
	*change_updates(c, a->qid, 1) = a->results[0];
	change_submit(c, on_written, a);
}

static void
on_not_resolved(void *ctx, const struct queue_answer *answers, size_t n)
{
	struct attempt *a = ctx;

	if (n != 1 || answers->verdict == QUEUE_DONE)
		set_gone(a);
	else
		set_answer(a, 0, answers);
	finish(a);
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

static void
copy_row(struct attempt *a, uint32_t number, const struct row_recipient *r)
{
	struct row_recipient *to = &a->rows[a->n];

	*to = *r;
	to->address = arena_str(&a->mem, r->address);
	to->orcpt = arena_str(&a->mem, r->orcpt);
	to->target = arena_str(&a->mem, r->target);
	to->detail = arena_str(&a->mem, r->detail);
	to->status = to->reason = STR("");
	a->results[a->n++].number = number;
}

/* The same delivery id at the same store goes together, as it did the first time. */
static void
take_row(struct attempt *a, uint32_t number, const struct row_recipient *r)
{
	const struct queue *q = a->q;

	if (a->n == 0) {
		a->store = r->kind == ROW_LOCAL ? q->ops->store_of(q->ctx, r->target) : 0;
		copy_row(a, number, r);
	} else if (r->kind == ROW_LOCAL && a->rows[0].kind == ROW_LOCAL && id_eq(r->delivery, a->rows[0].delivery) &&
	    q->ops->store_of(q->ctx, r->target) == a->store) {
		copy_row(a, number, r);
	}
}

enum due { DUE_NOTHING, DUE_TRY, DUE_BOUNCE, DUE_DEADLINE };

/* Reads what is due. A bounce comes first, and a deadline on another host by itself. */
static enum due
choose(struct attempt *a, MDB_txn *t)
{
	struct ledger *l = &a->q->ledger;
	int64_t now = wall_now().us;
	struct row_message m;
	struct row_recipient r;

	if (ledger_get_message(l, t, a->qid, &m) != 0)
		return DUE_NOTHING;
	a->message = m;
	row_keep_message(&a->mem, &a->message);
	for (uint32_t at = 0; a->n < QUEUE_BATCH_MAX && ledger_next_recipient(l, t, a->qid, &at, &r) == 0; at++) {
		if (row_due(&r) == 0 || row_due(&r) > now)
			continue;
		if (r.state == QUEUE_FAILED)
			return DUE_BOUNCE;
		if (r.kind == ROW_REMOTE)
			return DUE_DEADLINE;
		take_row(a, at, &r);
	}
	return a->n > 0 ? DUE_TRY : DUE_NOTHING;
}

/* Others do it; the message stays marked. */
static void
leave_to(struct attempt *a, void (*run)(struct queue *q, struct id qid))
{
	struct queue *q = a->q;
	struct id qid = a->qid;

	attempt_free(a);
	q->delivering--;
	run(q, qid);
}

static void
nothing_due(struct queue *q, struct id qid)
{
	busy_free_message(q, qid);
	schedule_soon(q);
}

static void
try(struct attempt *a)
{
	struct queue *q = a->q;

	if (a->rows[0].kind == ROW_RESOLVE)
		q->ops->resolve(q->ctx, a->rows[0].target, ask_new(q, 1, on_not_resolved, on_resolved, a));
	else
		deliver(a);
}

void
attempt_start(struct queue *q, struct id qid)
{
	struct attempt *a = NEW(struct attempt);
	MDB_txn *t = ledger_read(&q->ledger);
	enum due due = DUE_NOTHING;

	*a = (struct attempt){ .q = q, .qid = qid, .fd = -1 };
	arena_init(&a->mem);
	a->rows = arena_array(&a->mem, QUEUE_BATCH_MAX, sizeof *a->rows);
	a->results = arena_array(&a->mem, QUEUE_BATCH_MAX, sizeof *a->results);
	TAILQ_INSERT_TAIL(&q->attempts, a, entry);
	q->delivering++;
	if (t != NULL) {
		due = choose(a, t);
		mdb_txn_abort(t);
	}
	switch (due) {
	case DUE_NOTHING:
		leave_to(a, nothing_due);
		break;
	case DUE_TRY:
		try(a);
		break;
	case DUE_BOUNCE:
		leave_to(a, report_failed);
		break;
	case DUE_DEADLINE:
		leave_to(a, deadline_run);
		break;
	}
}
