/* smtp_reply.c - the reader of replies: whole and byte by byte it finds the same, within its limits; the words of what
 * it finds are one clean line. */
#include <postern/core/mem.h>
#include <postern/core/utf8.h>
#include <postern/smtp/out.h>
#include <postern/smtp/out_reply.h>

#include "fuzz.h"

static void
check_words(struct str text)
{
	struct buf words;

	buf_init(&words, SMTP_OUT_WORDS_MAX + 4);
	out_reply_words(&words, text, SMTP_OUT_WORDS_MAX);
	MUST(!words.over && words.n <= SMTP_OUT_WORDS_MAX && utf8_valid(buf_str(&words)));
	for (size_t i = 0; i < words.n; i++)
		MUST((unsigned char)words.p[i] >= 0x20 && words.p[i] != 0x7f);
	buf_fini(&words);
}

static void
check_reply(const struct out_reply *r)
{
	MUST(r->code >= 200 && r->code <= 599);
	MUST(r->enhanced[0] == '\0' || (unsigned)(r->enhanced[0] - '0') == r->code / 100);
	MUST(str_of(r->enhanced).n < sizeof(r->enhanced));
	MUST(r->text.n <= SMTP_OUT_REPLY_MAX && str_ends(r->text, STR("\n")) && !str_has(r->text, '\0'));
	check_words(r->text);
}

/* What was found, as text to be compared. */
static void
read_all(struct str in, size_t step, struct buf *found)
{
	struct out_reply_reader r;
	enum out_reply_found state = OUT_REPLY_MORE;

	out_reply_init(&r);
	while (in.n > 0 && state != OUT_REPLY_BROKEN) {
		struct str piece = str_sub(in, 0, step);
		size_t all = piece.n;

		state = out_reply_next(&r, &piece);
		in = str_sub(in, all - piece.n, in.n);
		if (state != OUT_REPLY_DONE)
			continue;
		check_reply(&r.reply);
		buf_addf(found, "%u %s ", r.reply.code, r.reply.enhanced);
		buf_add(found, r.reply.text);
	}
	buf_add_cstr(found, state == OUT_REPLY_BROKEN ? r.why : out_reply_begun(&r) ? "more" : "end");
	out_reply_fini(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p, n);
	struct buf whole;
	struct buf bytes;

	buf_init(&whole, SIZE_MAX / 2);
	buf_init(&bytes, SIZE_MAX / 2);
	read_all(in, SIZE_MAX, &whole);
	read_all(in, 1, &bytes);
	MUST(str_eq(buf_str(&whole), buf_str(&bytes)) || str_search(buf_str(&whole), STR("too long")) < whole.n ||
	     str_search(buf_str(&whole), STR("without end")) < whole.n);
	check_words(in);
	buf_fini(&whole);
	buf_fini(&bytes);
	return 0;
}
