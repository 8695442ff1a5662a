/* result.c - what became of a job: each recipient done, to be tried again, or failed; one change of the ledger for all. */
#include <stdlib.h>

#include <postern/core/log.h>

#include "ask.h"
#include "job.h"
#include "report.h"
#include "schedule.h"
#include "tell.h"

enum { SOON_FIRST_MS = 1000, SOON_LAST_MS = 900000 }; /* what failed for our own reasons */

#define GONE_STATUS "4.3.0"
#define GONE_TEXT "the relay process ended or hangs; trying again"

/* --- the ledger --------------------------------------------------------------------------------------------------- */

/* RFC 3461 5.2.2: whoever asked for success and whose next host does not report it hears "relayed" from us. */
static struct change *
new_change(struct job *j)
{
	struct bounce_recipient *about = arena_array(&j->mem, j->n, sizeof *about);
	struct change *c = NULL;
	struct err e;
	size_t n = 0;
	int content;

	for (uint32_t i = 0; i < j->n; i++)
		if (j->relayed[i])
			about[n++] = (struct bounce_recipient){ .action = BOUNCE_RELAYED, .address = j->rows[i].address,
				.orcpt = j->rows[i].orcpt, .status = j->results[i].status, .text = j->results[i].reason,
				.host = j->results[i].last != NULL ? j->results[i].last->host : STR(""),
				.tried = j->results[i].tried };
	if (n == 0 || j->message.sender.n == 0)
		return change_new(j->q);
	content = content_open(j->q, j->qid, &e);
	if (content != -1 || e.class == ERR_PERM)
		c = report_new(j->q, j->qid, &j->message, content, about, n, &e);
	io_close(&content);
	return c != NULL ? c : change_new(j->q);
}

static void
on_written(void *ctx, struct change *c, const struct err *e)
{
	struct job *j = ctx;
	struct queue *q = j->q;

	(void)c;
	if (e == NULL) {
		job_free(j);
	} else {
		log_say(LEVEL_ERROR, "error", "queue: results wait for space: %s", e->log);
		TAILQ_REMOVE(&q->job_list, j, entry);
		TAILQ_INSERT_TAIL(&q->unwritten, j, entry);
		schedule_pause(q);
	}
	schedule_soon(q);
}

void
job_write(struct job *j)
{
	struct change *c = new_change(j);

	memcpy(change_updates(c, j->qid, j->n), j->results, j->n * sizeof *j->results);
	change_submit(c, on_written, j);
}

void
job_rewrite_all(struct queue *q)
{
	struct job *j;

	while ((j = TAILQ_FIRST(&q->unwritten)) != NULL) {
		TAILQ_REMOVE(&q->unwritten, j, entry);
		TAILQ_INSERT_TAIL(&q->job_list, j, entry);
		job_write(j);
	}
}

/* --- one recipient ------------------------------------------------------------------------------------------------ */

static const struct queue_hop no_hop = { .host = STR_INIT(""), .ip = STR_INIT(""), .why = STR_INIT(""),
	.reason = STR_INIT("") };

static void
tell(const struct job *j, uint32_t i, const char *event, const struct queue_hop *hop)
{
	const struct row_recipient *r = &j->rows[i];
	const struct tell line = { .qid = j->qid, .sid = j->message.sid, .from = j->message.sender, .to = r->target,
		.orig_to = r->address, .received = j->message.received, .status = j->results[i].status,
		.text = j->results[i].reason, .remote = true, .began = j->began,
		.last = { hop->host, hop->ip, hop->wanted, hop->got, hop->why, hop->plain, false },
		.connect_ms = hop->connect_ms, .transfer_ms = hop->transfer_ms };

	tell_outcome(event, &line);
}

static void
set(struct job *j, uint32_t i, enum row_update_kind kind, struct wall next_try, const char *status, const char *text)
{
	struct row_update *u = &j->results[i];

	u->kind = kind;
	u->tried = wall_now();
	u->next_try = next_try;
	u->status = arena_str(&j->mem, str_of(status));
	u->reason = arena_str(&j->mem, str_of(text));
}

/* The same for all that failed as often: they stay together. */
static struct wall
next_try(struct job *j, uint32_t i, int64_t first_ms, int64_t last_ms)
{
	uint32_t failures = j->rows[i].attempts + 1;

	if (failures != j->failures)
		j->next.us = wall_now().us + schedule_pause_ms(first_ms, last_ms, failures) * 1000;
	j->failures = failures;
	return j->next;
}

static struct wall
next_usual(struct job *j, uint32_t i)
{
	const struct queue_limits *limits = &j->q->options.limits;

	return next_try(j, i, limits->retry_first_s * 1000, limits->retry_last_s * 1000);
}

static struct wall
next_soon(struct job *j, uint32_t i)
{
	return next_try(j, i, SOON_FIRST_MS, SOON_LAST_MS);
}

/* What the row remembers of the host. */
static const struct queue_last_host *
keep_host(struct job *j, const struct queue_hop *hop, bool said)
{
	struct queue_last_host *h = ARENA_NEW(&j->mem, struct queue_last_host);
	char host[ROW_HOST_MAX + 1], ip[ROW_IP_MAX + 1], why[TLS_WHY_SIZE];

	record_text(host, sizeof host, hop->host);
	record_text(ip, sizeof ip, hop->ip);
	record_text(why, sizeof why, hop->why);
	*h = (struct queue_last_host){ .host = arena_str(&j->mem, str_of(host)), .ip = arena_str(&j->mem, str_of(ip)),
		.why = arena_str(&j->mem, str_of(why)), .wanted = hop->wanted, .got = hop->got, .plain = hop->plain,
		.said = said };
	return h;
}

/* A failure that may pass, until it has lasted too long: the words are ours then. */
static void
set_failure(
    struct job *j, uint32_t i, struct wall next, const char *status, const char *text, const struct queue_hop *hop)
{
	char words[QUEUE_TEXT_SIZE];

	if (!schedule_gives_up(j->q, &j->message)) {
		set(j, i, UPDATE_RETRY, next, status, text);
		tell(j, i, "defer", hop);
		return;
	}
	schedule_expired_words(j->q, str_of(text), words);
	set(j, i, UPDATE_FAIL, wall_now(), SCHEDULE_EXPIRED_STATUS, words);
	j->results[i].last = keep_host(j, hop, false);
	tell(j, i, "bounce", hop);
}

/* The host whose words it are, else the last that was tried. */
static const struct queue_hop *
hop_of(const struct queue_relayed *r, const struct queue_relayed_rcpt *to)
{
	if (r->nhops == 0)
		return &no_hop;
	return &r->hops[to->hop < r->nhops ? to->hop : r->nhops - 1];
}

static void
set_result(struct job *j, uint32_t i, const struct queue_relayed *r)
{
	const struct queue_relayed_rcpt *to = &r->rcpts[i];
	const struct queue_hop *hop = hop_of(r, to);
	struct queue_answer said = { .verdict = to->verdict };
	struct queue_answer answer;

	memcpy(said.status, to->status, sizeof said.status);
	memcpy(said.text, to->text, sizeof said.text);
	answer_clean(&answer, &said);
	if (r->nhops > 0)
		j->results[i].last = keep_host(j, hop, to->hop < r->nhops);
	switch (answer.verdict) {
	case QUEUE_DONE:
		set(j, i, UPDATE_DELETE, wall_now(), answer.status, answer.text);
		tell(j, i, "deliver", hop);
		j->relayed[i] = !to->dsn_passed && (j->rows[i].notify & ENVELOPE_NOTIFY_SUCCESS) != 0;
		break;
	case QUEUE_PERM:
		set(j, i, UPDATE_FAIL, wall_now(), answer.status, answer.text);
		tell(j, i, "bounce", hop);
		break;
	case QUEUE_TEMP:
	case QUEUE_PREPARED: /* nonsense */
		if (j->temporary.text[0] == '\0')
			j->temporary = answer;
		set_failure(j, i, next_usual(j, i), answer.status, answer.text, hop);
		break;
	}
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

static void
leave(struct job *j)
{
	j->q->jobs--;
	j->destination->jobs--;
}

static void
set_gone(struct job *j)
{
	for (uint32_t i = 0; i < j->n; i++)
		set_failure(j, i, next_soon(j, i), GONE_STATUS, GONE_TEXT, &no_hop);
	destination_gone(j->destination, j->rests_begun);
}

void
job_answered(void *job, const struct queue_relayed *r)
{
	struct job *j = job;
	struct queue *q = j->q;

	leave(j);
	if (r == NULL) {
		set_gone(j);
	} else {
		for (uint32_t i = 0; i < j->n; i++)
			set_result(j, i, r);
		destination_learn(
		    j->destination, r, j->temporary.text[0] != '\0' ? &j->temporary : NULL, j->rests_begun);
	}
	destination_arrange(j->destination);
	job_write(j);
	schedule_soon(q);
}

void
job_without_content(struct job *j, const struct err *e)
{
	bool lost = e->class == ERR_PERM;

	log_say(lost ? LEVEL_ERROR : LEVEL_WARN, "error", "queue: cannot read a message: %s", e->log);
	for (uint32_t i = 0; i < j->n; i++) {
		if (lost) {
			set(j, i, UPDATE_HOLD, wall_now(), "5.3.0", e->log);
			tell(j, i, "hold", &no_hop);
		} else {
			set_failure(j, i, next_soon(j, i), GONE_STATUS, e->say, &no_hop);
		}
	}
	job_write(j);
}
