/* store_grams.c - rows of a search index with any bytes in them: refused or understood, never out of bounds; and what is written of
 * any set of messages is read again. */
#include <stdlib.h>
#include <string.h>

#include "../../src/store/gramlist.h"
#include "fuzz.h"

static void
read_chunk(struct str row)
{
	struct gram_chunk c = gram_chunk_begin(row);
	struct gram_entry e;
	struct gram_bits b;
	uint32_t next = 0;

	while (gram_chunk_next(&c, &e)) {
		if (e.gram < next || e.gram >= GRAM_END)
			abort();
		next = e.gram + 1;
		gram_list_read(e.list, &b);
	}
}

static void
read_set(struct str row)
{
	struct gram_walk w = gram_walk_begin(row);
	uint32_t gram, next = 0;

	while (gram_walk_next(&w, &gram)) {
		if (gram < next || gram >= GRAM_END)
			abort();
		next = gram + 1;
	}
}

/* A list that can be read says the same when it is written and read again. */
static void
write_again(struct str list)
{
	struct gram_bits b, all, again;
	struct buf out;

	if (!gram_list_read(list, &b))
		return;
	memset(&all, 0xff, sizeof all);
	buf_init(&out, GRAM_LIST_MAX);
	gram_list_write(&out, &b, &all);
	if (out.over || !gram_list_read(buf_str(&out), &again) || memcmp(&b, &again, sizeof b) != 0)
		abort();
	buf_fini(&out);
}

static void
collect(struct str text)
{
	static struct gram_set g; /* two MiB: made once */
	struct buf row;

	if (g.seen == NULL)
		gram_set_init(&g);
	gram_set_clear(&g);
	gram_set_feed(&g, str_sub(text, 0, text.n / 2));
	gram_set_feed(&g, str_sub(text, text.n / 2, text.n));
	buf_init(&row, SIZE_MAX);
	gram_set_write(&g, &row);
	read_set(buf_str(&row));
	buf_fini(&row);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str input = str_from((const char *)p, n);

	read_chunk(input);
	read_set(input);
	write_again(input);
	collect(input);
	return 0;
}
