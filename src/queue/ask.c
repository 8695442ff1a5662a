/* ask.c - the queue's side of a question: who asked, how many answers are due. */
#include "ask.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern/core/cur.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/message/status.h>

struct queue_ask {
	TAILQ_ENTRY(queue_ask) entry;
	struct queue *q;
	size_t n;
	ask_answered *answered;
	ask_resolved *resolved;
	ask_relayed *relayed;
	ask_sts *sts;
	void *ctx;
	bool limited, forgotten;
	struct mono until; /* limited: nobody waits for its answer any longer */
};

enum {
	CHECK_MS = 10000,
	/* Whoever is asked has limits of its own; these are for a process that hangs. */
	RESOLVE_MS = 10 * 60 * 1000,
	STS_MS = 3 * 60 * 1000,
	JOB_MS = 3 * 3600 * 1000,
	JOB_BYTES_PER_SECOND = 1024, /* a relay process wants four times as much, and tries two hosts */
};

/* ms 0: for as long as the process lives. */
static struct queue_ask *
ask_add(struct queue *q, struct queue_ask what, int64_t ms)
{
	struct queue_ask *a = NEW(struct queue_ask);

	*a = what;
	a->q = q;
	a->limited = ms > 0;
	a->until = mono_add_ms(mono_now(), ms);
	TAILQ_INSERT_TAIL(&q->asks, a, entry);
	return a;
}

struct queue_ask *
ask_new(struct queue *q, size_t n, ask_answered *answered, ask_resolved *resolved, void *ctx)
{
	return ask_add(q, (struct queue_ask){ .n = n, .answered = answered, .resolved = resolved, .ctx = ctx },
	    resolved != NULL ? RESOLVE_MS : 0);
}

struct queue_ask *
ask_new_job(struct queue *q, size_t n, uint64_t bytes, ask_relayed *relayed, void *ctx)
{
	return ask_add(q, (struct queue_ask){ .n = n, .relayed = relayed, .ctx = ctx },
	    JOB_MS + (int64_t)(bytes / JOB_BYTES_PER_SECOND) * 1000);
}

struct queue_ask *
ask_new_sts(struct queue *q, ask_sts *sts, void *ctx)
{
	return ask_add(q, (struct queue_ask){ .sts = sts, .ctx = ctx }, STS_MS);
}

void
ask_free_all(struct queue *q)
{
	struct queue_ask *a;

	TAILQ_CONCAT(&q->asks, &q->forgotten, entry);
	while ((a = TAILQ_FIRST(&q->asks)) != NULL) {
		TAILQ_REMOVE(&q->asks, a, entry);
		free(a);
	}
}

/* False when nobody waits for the answer any more. */
static bool
take(struct queue_ask *a, struct queue_ask *was)
{
	*was = *a;
	if (a->forgotten)
		TAILQ_REMOVE(&a->q->forgotten, a, entry);
	else
		TAILQ_REMOVE(&a->q->asks, a, entry);
	free(a);
	if (was->forgotten)
		log_say(LEVEL_WARN, "error", "queue: an answer came too late");
	return !was->forgotten;
}

/* An answer of another kind than was asked for is none. */
static void
answer_nothing(const struct queue_ask *a)
{
	if (a->answered != NULL)
		a->answered(a->ctx, NULL, 0);
	else if (a->relayed != NULL)
		a->relayed(a->ctx, NULL);
	else
		a->sts(a->ctx, NULL);
}

void
queue_answer(struct queue_ask *ask, const struct queue_answer *answers, size_t n)
{
	struct queue_ask a;

	if (!take(ask, &a))
		return;
	if (a.answered != NULL && n == a.n) {
		a.answered(a.ctx, answers, n);
		return;
	}
	log_say(LEVEL_ERROR, "error", "queue: %zu answers where %zu were due", n, a.n);
	answer_nothing(&a);
}

void
queue_answer_targets(struct queue_ask *ask, const struct envelope_target *targets, size_t n)
{
	struct queue_ask a;

	if (!take(ask, &a))
		return;
	if (a.resolved != NULL && n > 0)
		a.resolved(a.ctx, targets, n);
	else
		answer_nothing(&a);
}

void
queue_answer_relayed(struct queue_ask *ask, const struct queue_relayed *r)
{
	struct queue_ask a;

	if (!take(ask, &a))
		return;
	if (a.relayed != NULL && r->n == a.n && r->nhops <= QUEUE_HOPS_MAX) {
		a.relayed(a.ctx, r);
		return;
	}
	log_say(LEVEL_ERROR, "error", "queue: %zu results where %zu were due", r->n, a.n);
	answer_nothing(&a);
}

void
queue_answer_sts(struct queue_ask *ask, const struct queue_sts *s)
{
	struct queue_ask a;

	if (!take(ask, &a))
		return;
	if (a.sts != NULL)
		a.sts(a.ctx, s);
	else
		answer_nothing(&a);
}

void
queue_answer_gone(struct queue_ask *ask)
{
	struct queue_ask a;

	if (take(ask, &a))
		answer_nothing(&a);
}

/* It stays until its answer comes, which is then dropped. */
static void
forget(struct queue_ask *a)
{
	TAILQ_REMOVE(&a->q->asks, a, entry);
	TAILQ_INSERT_TAIL(&a->q->forgotten, a, entry);
	a->forgotten = true;
	log_say(LEVEL_ERROR, "error", "queue: the process that was asked %s does not answer",
	    a->relayed != NULL ? "to relay mail" : a->sts != NULL ? "for a policy" : "to resolve an address");
	answer_nothing(a);
}

void
ask_check(struct queue *q)
{
	struct mono now = mono_now();
	struct queue_ask *a = TAILQ_FIRST(&q->asks);

	if (mono_before(now, q->check_asks))
		return;
	q->check_asks = mono_add_ms(now, CHECK_MS);
	while (a != NULL) {
		struct queue_ask *next = TAILQ_NEXT(a, entry); /* what an end leads to is asked behind it */

		if (a->limited && !mono_before(now, a->until))
			forget(a);
		a = next;
	}
}

void
answer_set(struct queue_answer *out, enum queue_verdict verdict, unsigned code, const char *status,
    const char *text)
{
	*out = (struct queue_answer){ .verdict = verdict, .code = code };
	snprintf(out->status, sizeof out->status, "%s", status);
	snprintf(out->text, sizeof out->text, "%s", text);
}

static const struct {
	char class;
	const char *status, *text;
} standard[] = {
	[QUEUE_DONE] = { '2', "2.0.0", "delivered" },
	[QUEUE_TEMP] = { '4', "4.3.0", SAY_LATER },
	[QUEUE_PERM] = { '5', "5.3.0", "the message cannot be delivered" },
	[QUEUE_PREPARED] = { '2', "2.0.0", "prepared" },
};

static struct str
str_array(const char *p, size_t size)
{
	return str_from(p, strnlen(p, size));
}

void
answer_clean(struct queue_answer *out, const struct queue_answer *in)
{
	enum queue_verdict v = (unsigned)in->verdict <= QUEUE_PREPARED ? in->verdict : QUEUE_TEMP;
	struct str status = str_array(in->status, sizeof in->status);
	struct str text = str_array(in->text, sizeof in->text);

	answer_set(out, v, 0, standard[v].status, standard[v].text);
	if (status.n < sizeof out->status && status_is_of(status, standard[v].class))
		snprintf(out->status, sizeof out->status, "%.*s", STR_ARG(status));
	if (text.n > 0 && text.n < sizeof out->text && envelope_text_ok(text, sizeof out->text))
		snprintf(out->text, sizeof out->text, "%.*s", STR_ARG(text));
}
