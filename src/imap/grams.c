/* grams.c - what SEARCH looks into, as grams for the store's search index: headers and text parts as BODY, TEXT and
 * HEADER see them (search_text.c), the envelope as FROM, SUBJECT and so on do (search_field.c). Runs in sync threads. */
#include <postern/imap/cache.h>


#include "cacherow.h"
#include "search.h"

static bool
find_structure(struct letter *t, struct str cache)
{
	struct cacherow row;

	if (cacherow_read(cache, &row))
		t->tree = cacherow_tree(&t->arena, &row);
	if (t->tree == NULL)
		t->tree = cacherow_parse(&t->arena, t->fd, t->file.lf);
	return t->tree != NULL;
}

static bool
add_texts(struct letter *t, struct gram_set *out)
{
	struct search_text text = { .grams = out };
	bool ok = true;

	buf_init(&text.window, SIZE_MAX);
	search_text_begin(&text, t->tree);
	while (search_text_step(&text, t, &ok) == STEP_MORE)
		;
	search_text_fini(&text);
	return ok;
}

static void
add_envelope(const struct mime_envelope *e, struct gram_set *out)
{
	struct buf text;

	buf_init(&text, SIZE_MAX);
	for (int field = 0; field < SEARCH_FIELDS; field++) {
		buf_clear(&text);
		search_fold_field(&text, e, (enum search_field)field);
		gram_set_text(out);
		gram_set_feed(out, buf_str(&text));
	}
	buf_fini(&text);
}

bool
imap_make_grams(void *ctx, int fd, uint64_t size, bool lf, struct str cache, struct gram_set *out)
{
	struct letter t;
	bool ok;

	(void)ctx;
	letter_init(&t);
	t.fd = fd;
	t.file = (struct store_file){ fd, size, lf };
	crlf_reader_init(&t.reader, fd, lf);
	ok = find_structure(&t, cache) && add_texts(&t, out);
	if (ok)
		add_envelope(t.tree->root->envelope, out);
	t.fd = -1; /* the store's */
	letter_fini(&t);
	return ok;
}
