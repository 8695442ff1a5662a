/* cmd_uidbatches.c - UIDBATCHES (RFC 10022): ranges of UIDs that hold so many messages each, from the newest down.
 *
 * The view knows the UID of every number, so a batch costs two look-ups. All batches hold exactly what was asked for but
 * the last, which ends with UID 1. */
#include "batches.h"
#include "commands.h"

enum {
	RANGES_PER_STEP = 1000,
};

struct uidbatches_args {
	uint32_t size;
	bool ranged;    /* only these batches: */
	uint32_t first; /* 1: the newest */
	uint32_t last;
	uint32_t next;  /* to be written */
};

/* SP nz-number [SP nz-number ":" nz-number] */
bool
cmd_uidbatches_parse(struct lex *l, struct command *c)
{
	struct uidbatches_args *a = ARENA_NEW(&c->arena, struct uidbatches_args);

	c->args = a;
	lex_sp(l);
	a->size = lex_nz_number(l);
	a->first = 1;
	a->last = UINT32_MAX;
	a->ranged = lex_take(l, ' ');
	if (!a->ranged)
		return lex_ok(l);
	a->first = lex_nz_number(l);
	lex_want(l, ':');
	a->last = lex_nz_number(l);
	return lex_ok(l);
}

/* --- what was told before --- */

static bool
is_half(uint64_t moved, uint32_t size)
{
	return moved >= (uint64_t)size - size / 2;
}

static void
forget(struct batches *b, uint32_t size)
{
	b->size = size;
	uidset_clear(&b->told);
	b->arrived_then = b->arrived;
	b->gone_then = b->gone;
}

/* True once, until half a batch has come or gone: then the client knows these batches and is to use what it knows. */
static bool
tell(struct batches *b, uint32_t size, uint32_t first, uint32_t last)
{
	uint64_t before;

	if (b->size != size || is_half(b->arrived - b->arrived_then, size) || is_half(b->gone - b->gone_then, size))
		forget(b, size);
	before = uidset_count(&b->told);
	uidset_add(&b->told, first, last);
	return uidset_count(&b->told) > before;
}

/* --- the answer --- */

/* The lowest number of a batch; the batch before begins above it. */
static uint32_t
bottom(const struct view *v, const struct uidbatches_args *a, uint64_t batch)
{
	uint64_t above = batch * a->size;

	return above < v->count ? v->count - (uint32_t)above + 1 : 1;
}

/* A UID between two batches that no message has belongs to the lower one. */
static void
write_range(struct buf *out, const struct view *v, const struct uidbatches_args *a)
{
	uint32_t low = bottom(v, a, a->next);
	uint32_t high = a->next > 1 ? view_uid(v, bottom(v, a, a->next - 1)) - 1 : view_last_uid(v);

	buf_add_char(out, a->next > a->first ? ',' : ' ');
	buf_addf(out, "%u:%u", high, low > 1 ? view_uid(v, low) : 1);
}

static enum step
tell_step(struct imap_session *s, struct command *c)
{
	struct uidbatches_args *a = c->args;

	for (unsigned n = 0; n < RANGES_PER_STEP && a->next <= a->last; n++, a->next++)
		write_range(&s->out, &s->box->view, a);
	if (a->next <= a->last)
		return STEP_MORE;
	buf_add_cstr(&s->out, "\r\n");
	return done_ok(c, "done");
}

/* Why not, as DONE; MORE when nothing is wrong. */
static enum step
refuse(struct command *c)
{
	const struct uidbatches_args *a = c->args;

	if (a->first > a->last)
		return done_bad_code(c, "CLIENTBUG", "batches are counted from the lower to the higher number");
	if (a->size < BATCH_MIN)
		return done_no(c, "TOOFEW", "a batch has at least 500 messages");
	if (a->ranged && ((uint64_t)a->last - a->first + 1) * a->size > BATCHES_SPAN_MAX)
		return done_no(c, "TOOMANY", "batches of at most 100000 messages at a time");
	return STEP_MORE;
}

enum step
cmd_uidbatches_run(struct imap_session *s, struct command *c)
{
	struct uidbatches_args *a = c->args;
	uint32_t count = s->box->view.count;
	uint32_t batches = count / a->size + (count % a->size > 0);

	if (refuse(c) == STEP_DONE)
		return STEP_DONE;
	if (a->last > batches)
		a->last = batches;
	if (a->first <= a->last && !tell(&s->box->batches, a->size, a->first, a->last))
		return done_no(c, "LIMIT", "these batches are told already, and the mailbox has hardly changed");
	buf_add_cstr(&s->out, "* UIDBATCHES (TAG ");
	out_quoted(&s->out, str_from(c->tag, c->tag_size));
	buf_add_char(&s->out, ')');
	a->next = a->first;
	c->step = tell_step;
	return STEP_MORE;
}
