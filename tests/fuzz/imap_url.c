/* imap_url.c - URLs of CATENATE, and what a response code makes of them. What is a URL is one again when it was written. */
#include <stdlib.h>

#include "fuzz.h"
#include "url.h"

static void
check_text(struct str text)
{
	if (text.n < 2 || text.p[0] != '"' || text.p[text.n - 1] != '"')
		abort();
	for (size_t i = 1; i < text.n - 1; i++)
		if (!ascii_is_print(text.p[i]) || strchr(" \"\\]", text.p[i]) != NULL)
			abort();
}

static void
check_same(const struct url *a, const struct url *b)
{
	if (a->absolute != b->absolute || a->uid != b->uid || a->uidvalidity != b->uidvalidity || a->from != b->from
	    || a->size != b->size || !str_eq(a->mailbox, b->mailbox) || !str_eq(a->section, b->section))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena arena;
	struct buf text;
	struct url first;
	struct url again;

	arena_init(&arena);
	buf_init(&text, SIZE_MAX);
	url_write(&text, str_from(p, n));
	check_text(buf_str(&text));
	if (url_parse(str_from(p, n), &arena, &first)) {
		if (!url_parse(str_sub(buf_str(&text), 1, text.n - 1), &arena, &again))
			abort();
		check_same(&first, &again);
	}
	buf_fini(&text);
	arena_fini(&arena);
	return 0;
}
