/* condstore.c - mod-sequences in answers, and the client's state (RFC 7162 3.1.2.1, 3.2, 6). */
#include "condstore.h"

void
condstore_write_highest(struct imap_session *s, uint64_t modseq)
{
	buf_add_cstr(&s->out, "* OK [HIGHESTMODSEQ ");
	buf_add_u64(&s->out, modseq);
	buf_add_cstr(&s->out, "] all changes up to here are told\r\n");
}

void
condstore_enable(struct imap_session *s)
{
	if (s->condstore)
		return;
	s->condstore = true;
	if (s->box != NULL)
		condstore_write_highest(s, s->box->told_modseq);
}

void
condstore_write_modseq(struct imap_session *s, uint64_t modseq)
{
	buf_add_cstr(&s->out, "MODSEQ (");
	buf_add_u64(&s->out, modseq);
	buf_add_char(&s->out, ')');
	s->modseq_written = true;
}

struct str
condstore_code(struct command *c, uint64_t modseq)
{
	return arena_strf(&c->arena, "HIGHESTMODSEQ %llu", (unsigned long long)modseq);
}

void
condstore_end_command(struct imap_session *s)
{
	if (s->modseq_written && s->box != NULL && s->box->told_modseq < s->box->modseq)
		condstore_write_highest(s, s->box->told_modseq);
	s->modseq_written = false;
}
