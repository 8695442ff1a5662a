/* limit.c - MESSAGELIMIT and SAVELIMIT (RFC 9738 3). */
#include "limit.h"

/* The lowest of the n highest numbers. */
static uint32_t
lowest_of_last(const struct uidset *seqs, uint64_t n)
{
	size_t i = seqs->n;
	uint64_t size = 0;

	for (; i > 0 && n > 0; n -= size) {
		i--;
		size = (uint64_t)seqs->p[i].last - seqs->p[i].first + 1;
		if (size >= n)
			return seqs->p[i].last - (uint32_t)(n - 1);
	}
	return uidset_first(seqs);
}

static void
drop_below(struct uidset *seqs, uint32_t lowest)
{
	if (lowest > 1)
		uidset_remove(seqs, 1, lowest - 1);
}

bool
limit_is_passed(const struct imap_session *s, uint64_t count)
{
	return s->setup.message_limit != 0 && count > s->setup.message_limit;
}

void
limit_cut(struct imap_session *s, struct command *c, struct uidset *seqs)
{
	const struct view *view = &s->box->view;

	if (c->limit_uid == 0 && !limit_is_passed(s, uidset_count(seqs)))
		return;
	if (c->limit_uid == 0)
		c->limit_uid = view_uid(view, lowest_of_last(seqs, s->setup.message_limit));
	drop_below(seqs, view_seq_from(view, c->limit_uid));
}

/* "MESSAGELIMIT n [uid]" */
static struct str
code(struct command *c, uint64_t max, uint32_t uid)
{
	if (uid == 0)
		return arena_strf(&c->arena, "MESSAGELIMIT %llu", (unsigned long long)max);
	return arena_strf(&c->arena, "MESSAGELIMIT %llu %u", (unsigned long long)max, uid);
}

static enum step
refuse(struct imap_session *s, struct command *c, uint64_t max, uint64_t count, const struct uidset *seqs)
{
	uint32_t uid = 0;

	if (max == 0 || count <= max)
		return STEP_MORE;
	if (seqs != NULL)
		uid = view_uid(&s->box->view, lowest_of_last(seqs, max));
	done_no(c, "", "too many messages at once");
	c->reply.code = code(c, max, uid);
	return STEP_DONE;
}

enum step
limit_refuse(struct imap_session *s, struct command *c, uint64_t count, const struct uidset *seqs)
{
	return refuse(s, c, s->setup.message_limit, count, seqs);
}

static uint64_t
save_max(const struct imap_session *s)
{
	return s->setup.message_limit != 0 ? s->setup.message_limit : s->setup.save_limit;
}

enum step
limit_refuse_save(struct imap_session *s, struct command *c, uint64_t count, const struct uidset *seqs)
{
	return refuse(s, c, save_max(s), count, seqs);
}

/* RFC 9738 3.1: with EXPUNGEISSUED that one is in a tagged OK, this one in an untagged NO. */
void
limit_answer(struct imap_session *s, struct command *c)
{
	struct reply told = { REPLY_NO, { 0 }, STR_INIT("only the last messages; go on below them") };

	if (c->limit_uid == 0 || c->reply.kind == REPLY_BAD)
		return;
	told.code = code(c, s->setup.message_limit, c->limit_uid);
	if (c->reply.kind == REPLY_OK && c->reply.code.n == 0) {
		c->reply.code = told.code;
		c->reply.text = told.text;
		return;
	}
	if (str_eq(c->reply.code, STR("EXPUNGEISSUED")))
		c->reply.kind = REPLY_OK;
	reply_write(&s->out, STR("*"), &told);
}

void
limit_capabilities(const struct imap_session *s, struct buf *out)
{
	if (s->setup.message_limit != 0)
		buf_addf(out, " MESSAGELIMIT=%llu", (unsigned long long)s->setup.message_limit);
	else if (s->setup.save_limit != 0)
		buf_addf(out, " SAVELIMIT=%llu", (unsigned long long)s->setup.save_limit);
}
