/* message_charset.c - every charset under any bytes: UTF-8 comes out, the same however the text is cut; but of broken UTF-7 glibc makes
 * what depends on where its input ends. The first byte chooses the charset, the second the cut. */
#include <stdlib.h>

#include <postern/core/utf8.h>
#include <postern/message/charset.h>

#include "fuzz.h"

static struct str names[256];
static size_t n_names;
static struct buf list;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct str rest;

	(void)argc;
	(void)argv;
	charset_init();
	buf_init(&list, 1 << 16);
	charset_list(&list);
	buf_add(&list, STR(" unknown"));
	rest = buf_str(&list);
	while (n_names < 256 && str_cut(&rest, ' ', &names[n_names]))
		n_names++;
	return 0;
}

static void
convert(struct str charset, struct str text, size_t piece, struct buf *out)
{
	struct charset_reader *r = charset_reader_new(charset);

	for (size_t at = 0; at < text.n; at += piece)
		charset_reader_feed(r, str_sub(text, at, at + piece), out);
	charset_reader_end(r, out);
	charset_reader_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf whole, pieces, folded;
	struct str charset, text;

	if (n < 2)
		return 0;
	charset = names[p[0] % n_names];
	text = str_from(p + 2, n - 2);
	buf_init(&whole, SIZE_MAX / 16);
	buf_init(&pieces, SIZE_MAX / 16);
	buf_init(&folded, SIZE_MAX / 16);
	convert(charset, text, text.n + 1, &whole);
	convert(charset, text, 1 + p[1], &pieces);
	if (!utf8_valid(buf_str(&whole)) || !utf8_valid(buf_str(&pieces)))
		abort();
	if (!str_ends(charset, STR("utf-7")) && !str_eq(buf_str(&whole), buf_str(&pieces)))
		abort();
	charset_fold(&folded, buf_str(&whole));
	if (!utf8_valid(buf_str(&folded)))
		abort();
	charset_fold(&folded, text);
	buf_fini(&whole);
	buf_fini(&pieces);
	buf_fini(&folded);
	return 0;
}
