/* ask.c - the queue's side of a question: who asked, how many answers are due. */
#include "ask.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern/core/cur.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

struct queue_ask {
	TAILQ_ENTRY(queue_ask) entry;
	struct queue *q;
	size_t n;
	ask_answered *answered;
	ask_resolved *resolved;
	ask_relayed *relayed;
	ask_sts *sts;
	void *ctx;
};

static struct queue_ask *
ask_add(struct queue *q, struct queue_ask what)
{
	struct queue_ask *a = NEW(struct queue_ask);

	*a = what;
	a->q = q;
	TAILQ_INSERT_TAIL(&q->asks, a, entry);
	return a;
}

struct queue_ask *
ask_new(struct queue *q, size_t n, ask_answered *answered, ask_resolved *resolved, void *ctx)
{
	return ask_add(q, (struct queue_ask){ .n = n, .answered = answered, .resolved = resolved, .ctx = ctx });
}

struct queue_ask *
ask_new_job(struct queue *q, size_t n, ask_relayed *relayed, void *ctx)
{
	return ask_add(q, (struct queue_ask){ .n = n, .relayed = relayed, .ctx = ctx });
}

struct queue_ask *
ask_new_sts(struct queue *q, ask_sts *sts, void *ctx)
{
	return ask_add(q, (struct queue_ask){ .sts = sts, .ctx = ctx });
}

void
ask_free_all(struct queue *q)
{
	struct queue_ask *a;

	while ((a = TAILQ_FIRST(&q->asks)) != NULL) {
		TAILQ_REMOVE(&q->asks, a, entry);
		free(a);
	}
}

static struct queue_ask
take(struct queue_ask *a)
{
	struct queue_ask was = *a;

	TAILQ_REMOVE(&a->q->asks, a, entry);
	free(a);
	return was;
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
	struct queue_ask a = take(ask);

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
	struct queue_ask a = take(ask);

	if (a.resolved != NULL && n > 0)
		a.resolved(a.ctx, targets, n);
	else
		answer_nothing(&a);
}

void
queue_answer_relayed(struct queue_ask *ask, const struct queue_relayed *r)
{
	struct queue_ask a = take(ask);

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
	struct queue_ask a = take(ask);

	if (a.sts != NULL)
		a.sts(a.ctx, s);
	else
		answer_nothing(&a);
}

void
queue_answer_gone(struct queue_ask *ask)
{
	struct queue_ask a = take(ask);

	answer_nothing(&a);
}

void
answer_set(struct queue_answer *out, enum queue_verdict verdict, unsigned code, const char *status,
    const char *text)
{
	*out = (struct queue_answer){ .verdict = verdict, .code = code };
	snprintf(out->status, sizeof out->status, "%s", status);
	snprintf(out->text, sizeof out->text, "%s", text);
}

/* RFC 3463 2: class "." 1*3DIGIT "." 1*3DIGIT */
static bool
status_ok(struct str s, char class)
{
	struct cur c = cur_init(s);

	if (cur_peek(&c) != class)
		return false;
	cur_bytes(&c, 1);
	for (int i = 0; i < 2; i++) {
		cur_want(&c, ".");
		cur_want_while(&c, ascii_is_digit, 3, "a status code");
	}
	return cur_end(&c);
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
	if (status.n < sizeof out->status && status_ok(status, standard[v].class))
		snprintf(out->status, sizeof out->status, "%.*s", STR_ARG(status));
	if (text.n > 0 && text.n < sizeof out->text && envelope_text_ok(text, sizeof out->text))
		snprintf(out->text, sizeof out->text, "%.*s", STR_ARG(text));
}
