/* reply.c - one form for all status responses. */
#include "reply.h"

static const char *const kinds[] = {
	[REPLY_OK] = "OK",
	[REPLY_NO] = "NO",
	[REPLY_BAD] = "BAD",
	[REPLY_BYE] = "BYE",
};

void
reply_write(struct buf *out, struct str tag, const struct reply *r)
{
	buf_add(out, tag.n > 0 ? tag : STR("*"));
	buf_add_char(out, ' ');
	buf_add_cstr(out, kinds[r->kind]);
	buf_add_char(out, ' ');
	if (r->code.n > 0) {
		buf_add_char(out, '[');
		buf_add(out, r->code);
		buf_add_cstr(out, "] ");
	}
	buf_add(out, r->text);
	buf_add_cstr(out, "\r\n");
}
