/* round.c - batches, and one round of questions to the stores: deliver or prepare, publish, drop. */
#include "round.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "ask.h"

/* --- batches ------------------------------------------------------------------------------------------------------ */

static int
compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Local ones first. */
static int
by_user(const void *a, const void *b)
{
	const struct target *x = a;
	const struct target *y = b;

	if (x->local != y->local)
		return x->local ? -1 : 1;
	return str_cmp(x->to.user, y->to.user);
}

static int
by_batch(const void *a, const void *b)
{
	const struct target *x = a;
	const struct target *y = b;
	int order;

	if (x->local != y->local)
		return x->local ? -1 : 1;
	order = compare(x->store, y->store);
	if (order == 0)
		order = compare(x->turn, y->turn);
	return order != 0 ? order : str_cmp(x->to.user, y->to.user);
}

/* bob+news and bob+spam are two copies for bob, in two batches. */
static void
number_turns(struct submission *s)
{
	qsort(s->targets, s->ntargets, sizeof *s->targets, by_user);
	for (uint32_t i = 1; i < s->ntargets; i++) {
		const struct target *before = &s->targets[i - 1];

		if (s->targets[i].local && str_eq(before->to.user, s->targets[i].to.user))
			s->targets[i].turn = before->turn + 1;
	}
}

static bool
fits(const struct batch *b, const struct target *t)
{
	return b->n < QUEUE_BATCH_MAX && b->store == t->store && b->targets->turn == t->turn;
}

void
round_plan(struct submission *s)
{
	struct batch **link = &s->batches;
	struct batch *b = NULL;

	number_turns(s);
	qsort(s->targets, s->ntargets, sizeof *s->targets, by_batch);
	for (uint32_t i = 0; i < s->ntargets && s->targets[i].local; i++) {
		struct target *t = &s->targets[i];

		if (b == NULL || !fits(b, t)) {
			b = ARENA_NEW(&s->mem, struct batch);
			*b = (struct batch){ .s = s, .id = id_new(), .store = t->store, .targets = t };
			*link = b;
			link = &b->next;
		}
		t->delivery = b->id;
		b->n++;
	}
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void
answered(struct submission *s)
{
	if (--s->waiting == 0)
		s->next(s);
}

static const struct queue_answer *
keep_answer(struct submission *s, const struct queue_answer *a)
{
	struct queue_answer *kept = ARENA_NEW(&s->mem, struct queue_answer);

	answer_clean(kept, a);
	return kept;
}

static void
take_delivery(struct batch *b, struct target *t, const struct queue_answer *a)
{
	if (a->verdict == QUEUE_DONE && b->mode == QUEUE_DELIVER) {
		t->fate = FATE_DONE;
	} else if (a->verdict == QUEUE_DONE || a->verdict == QUEUE_PREPARED) {
		t->fate = FATE_PREPARED;
	} else {
		t->fate = a->verdict == QUEUE_PERM ? FATE_REFUSED : FATE_SPOOL;
		t->why = keep_answer(b->s, a);
	}
}

static void
on_delivered(void *ctx, const struct queue_answer *answers, size_t n)
{
	struct batch *b = ctx;

	for (size_t i = 0; i < b->n; i++) {
		if (n == b->n)
			take_delivery(b, &b->targets[i], &answers[i]);
		else
			b->targets[i].fate = FATE_SPOOL; /* nobody knows: the same delivery id again, from the ledger */
	}
	answered(b->s);
}

static void
on_published(void *ctx, const struct queue_answer *answers, size_t n)
{
	struct batch *b = ctx;

	for (size_t i = 0; i < b->n; i++) {
		struct target *t = &b->targets[i];

		if (t->fate == FATE_PREPARED)
			t->fate = n == b->n && answers[i].verdict == QUEUE_DONE ? FATE_DONE : FATE_SPOOL;
	}
	answered(b->s);
}

static void
on_dropped(void *ctx, const struct queue_answer *answers, size_t n)
{
	struct batch *b = ctx;

	(void)answers;
	(void)n;
	answered(b->s);
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

static bool
any_prepared(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->targets[i].fate == FATE_PREPARED)
			return true;
	return false;
}

static void
ask_deliver(struct batch *b)
{
	struct submission *s = b->s;
	struct queue_target targets[QUEUE_BATCH_MAX];
	const struct queue_delivery d = { .id = b->id, .mode = b->mode, .store = b->store, .qid = s->qid,
		.sender = s->message.sender, .fd = s->fd, .targets = targets, .n = b->n };

	for (size_t i = 0; i < b->n; i++)
		targets[i] = b->targets[i].to;
	s->q->ops->deliver(s->q->ctx, &d, ask_new(s->q, b->n, on_delivered, NULL, b));
}

void
round_deliver(struct submission *s, enum queue_mode mode, void (*next)(struct submission *s))
{
	s->next = next;
	s->waiting = 1; /* an answer may come inside the question */
	for (struct batch *b = s->batches; b != NULL; b = b->next) {
		b->mode = mode;
		s->waiting++;
		ask_deliver(b);
	}
	answered(s);
}

static void
settle(struct submission *s, enum queue_settle how, ask_answered *on, void (*next)(struct submission *s))
{
	const struct queue_ops *ops = s->q->ops;

	s->next = next;
	s->waiting = 1;
	for (struct batch *b = s->batches; b != NULL; b = b->next) {
		if (!any_prepared(b))
			continue;
		s->waiting++;
		ops->settle(s->q->ctx, b->store, how, b->id, b->n, ask_new(s->q, b->n, on, NULL, b));
	}
	answered(s);
}

void
round_publish(struct submission *s, void (*next)(struct submission *s))
{
	settle(s, QUEUE_PUBLISH, on_published, next);
}

void
round_drop(struct submission *s, void (*next)(struct submission *s))
{
	settle(s, QUEUE_DROP, on_dropped, next);
}
