/* message_header.c - header blocks under any bytes: the fields' spans are the block. */
#include <postern/message/header.h>

#include "fuzz.h"

/* All fields or none: the two filters together give the block. */
static void
check_select(struct str block)
{
	struct str names[] = { STR("To"), STR("X") };
	struct buf only, except;

	buf_init(&only, block.n + 2);
	buf_init(&except, block.n + 2);
	header_select(&only, block, HEADER_ONLY, names, 2);
	header_select(&except, block, HEADER_EXCEPT, names, 2);
	MUST(only.n + except.n == header_size(block) * 2 - header_fields_size(block));
	buf_fini(&only);
	buf_fini(&except);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str block = str_from(p, n);
	struct header_walk w = header_begin(block);
	struct header_field f;
	struct buf b;
	size_t at = 0;

	buf_init(&b, n);
	while (header_next(&w, &f)) {
		MUST(f.at == at && f.whole.n > 0 && f.whole.p == (const char *)p + at);
		MUST(f.name.n + f.value.n <= f.whole.n);
		buf_clear(&b);
		header_unfold(&b, f.value);
		MUST(!b.over);
		at += f.whole.n;
	}
	MUST(at == header_fields_size(block));
	check_select(block);
	buf_fini(&b);
	return 0;
}
