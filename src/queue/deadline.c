/* deadline.c - what becomes of recipients on other hosts whose deadline has come. One change of the ledger for all of a message. */
#include "deadline.h"

#include <postern/core/log.h>

#include "destination.h"
#include "mark.h"
#include "report.h"
#include "schedule.h"
#include "tell.h"

enum {
	ROWS_MAX = 1000,   /* of a message at a time */
	UNDER_WAY_S = 60,  /* whoever is on its way gets so much more, and is looked at again */
};

struct late {
	struct queue *q;
	struct arena mem;
	struct id qid;
	struct row_message message;
	struct row_update *updates;
	struct bounce_recipient *about;
	uint32_t n;
	size_t nabout;
};

/* Why it is not delivered: what the last try said, or, when it was not tried, what its destination said. */
struct reason {
	struct str status, text;
};

static struct reason
why(struct late *l, const struct row_recipient *r)
{
	struct record known;

	if (r->attempts > 0)
		return (struct reason){ arena_str(&l->mem, r->status), arena_str(&l->mem, r->reason) };
	if (destination_record(l->q, r->destination, &known) && known.text[0] != '\0')
		return (
		    struct reason){ arena_str(&l->mem, str_of(known.status)), arena_str(&l->mem, str_of(known.text)) };
	return (struct reason){ STR("4.4.0"), STR("it could not be tried yet") };
}

static void
give_up(struct late *l, struct row_update *u, const struct row_recipient *r)
{
	struct queue_last_host *last = ARENA_NEW(&l->mem, struct queue_last_host);
	char words[QUEUE_TEXT_SIZE];
	struct tell line = { .qid = l->qid, .sid = l->message.sid, .from = l->message.sender, .to = r->target,
		.orig_to = r->address, .received = l->message.received, .status = STR(SCHEDULE_EXPIRED_STATUS),
		.remote = true, .began = wall_now(), .last = r->last };

	schedule_expired_words(l->q, why(l, r).text, words);
	line.text = arena_str(&l->mem, str_of(words));
	*last = (struct queue_last_host){ arena_str(&l->mem, r->last.host), arena_str(&l->mem, r->last.ip),
		r->last.wanted, r->last.got, arena_str(&l->mem, r->last.why), r->last.plain, false };
	u->last = last;
	mark_take(l->q, (struct ledger_key){ l->qid, u->number }); /* until that is written: no job takes it */
	u->kind = UPDATE_FAIL;
	u->next_try = wall_now();
	u->status = STR(SCHEDULE_EXPIRED_STATUS);
	u->reason = line.text;
	tell_outcome("bounce", &line);
}

static void
warn(struct late *l, struct row_update *u, struct row_recipient *r)
{
	struct reason reason = why(l, r);
	int64_t until = l->message.received.us + l->q->options.limits.expire_s * 1000000;

	r->warned = true;
	u->kind = UPDATE_WARNED;
	u->deadline = schedule_deadline(&l->q->options.limits, &l->message, r);
	l->about[l->nabout++] = (struct bounce_recipient){ .action = BOUNCE_DELAYED,
		.address = arena_str(&l->mem, r->address),
		.orcpt = arena_str(&l->mem, r->orcpt),
		.status = reason.status,
		.text = reason.text,
		.host = arena_str(&l->mem, r->last.host),
		.said = r->last.said,
		.tried = r->last_try,
		.until = { until } };
}

static void
add(struct late *l, uint32_t number, struct row_recipient *r)
{
	struct row_update *u = &l->updates[l->n++];
	int64_t now = wall_now().us;
	struct wall deadline = schedule_deadline(&l->q->options.limits, &l->message, r);
	bool over = schedule_is_over(l->q, &l->message);

	*u = (struct row_update){ .kind = UPDATE_LATER, .number = number, .deadline = deadline };
	if (mark_has(l->q, (struct ledger_key){ l->qid, number }))
		u->deadline.us = now + UNDER_WAY_S * (int64_t)1000000;
	else if (over && schedule_has_grace(l->q, &l->message))
		u->deadline.us = l->q->opened.us + SCHEDULE_GRACE_S * (int64_t)1000000;
	else if (over)
		give_up(l, u, r);
	else if (deadline.us <= now)
		warn(l, u, r);
}

static void
gather(struct late *l, MDB_txn *t)
{
	struct ledger *ledger = &l->q->ledger;
	struct row_message m;
	struct row_recipient r;

	if (ledger_get_message(ledger, t, l->qid, &m) != 0)
		return;
	l->message = m;
	row_keep_message(&l->mem, &l->message);
	l->updates = arena_array(&l->mem, ROWS_MAX, sizeof *l->updates);
	l->about = arena_array(&l->mem, ROWS_MAX, sizeof *l->about);
	for (uint32_t at = 0; l->n < ROWS_MAX && ledger_next_recipient(ledger, t, l->qid, &at, &r) == 0; at++)
		if (r.kind == ROW_REMOTE && row_due(&r) != 0 && row_due(&r) <= wall_now().us &&
		    r.state == QUEUE_WAITING)
			add(l, at, &r);
}

static struct change *
new_change(struct late *l)
{
	struct change *c;
	struct err e;
	int content;

	if (l->nabout == 0)
		return change_new(l->q);
	content = content_open(l->q, l->qid, &e);
	if (content == -1 && e.class == ERR_TEMP)
		c = NULL;
	else
		c = report_new(l->q, l->qid, &l->message, content, l->about, l->nabout, &e);
	io_close(&content);
	if (c == NULL)
		log_say(LEVEL_ERROR, "error", "delay report: %s", e.log);
	return c;
}

/* Those that were to be given up. */
static void
free_marks(struct queue *q, struct id qid, const struct row_update *updates, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (updates[i].kind == UPDATE_FAIL)
			mark_free(q, (struct ledger_key){ qid, updates[i].number });
}

static void
on_written(void *ctx, struct change *c, const struct err *e)
{
	(void)ctx;
	free_marks(c->q, c->old_qid, c->updates, c->nupdates);
	busy_free_message(c->q, c->old_qid);
	if (e != NULL) {
		log_say(LEVEL_ERROR, "error", "deadline: %s", e->log);
		schedule_pause(c->q);
	}
	schedule_soon(c->q);
}

static void
settle(struct late *l)
{
	struct change *c = l->n > 0 ? new_change(l) : NULL;
	struct row_update *updates;

	if (c == NULL) {
		free_marks(l->q, l->qid, l->updates, l->n);
		if (l->n > 0)
			schedule_pause(l->q);
		busy_free_message(l->q, l->qid);
		schedule_soon(l->q);
		return;
	}
	updates = change_updates(c, l->qid, l->n);
	memcpy(updates, l->updates, l->n * sizeof *updates);
	change_keep(c);
	change_submit(c, on_written, NULL);
}

void
deadline_run(struct queue *q, struct id qid)
{
	struct late l = { .q = q, .qid = qid };
	MDB_txn *t = ledger_read(&q->ledger);

	arena_init(&l.mem);
	if (t != NULL) {
		gather(&l, t);
		mdb_txn_abort(t);
	}
	settle(&l);
	arena_fini(&l.mem);
}
