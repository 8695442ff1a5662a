/* imap_inflate.c - any bytes as a client's compressed stream (RFC 4978), cut anywhere: what comes out does not depend on the cuts (but of
 * one that breaks, more may have come before), its pieces keep their limit, and the search for the stream's end ends. The first
 * byte chooses the cuts and after how many octets the end is looked for. */
#include "compress.h"
#include "fuzz.h"

enum { PLAIN_MAX = 1 << 20 };

/* What can be had now goes to out; false: the stream is broken or ended. */
static bool
drain(struct compress *z, struct buf *out, size_t most)
{
	bool ok = true;

	while (ok && out->n < most && compress_has_input(z)) {
		struct str plain = compress_plain(z, &ok);

		MUST(plain.n <= COMPRESS_PIECE && (ok || plain.n == 0));
		plain = str_sub(plain, 0, most - out->n);
		buf_add(out, plain);
		compress_use(z, plain.n);
	}
	return ok;
}

/* False: it broke. */
static bool
inflate_pieces(struct str in, size_t piece, struct buf *out)
{
	struct compress *z = compress_new();
	bool ok = true;

	while (ok && in.n > 0 && out->n < PLAIN_MAX) {
		size_t used = compress_take(z, str_sub(in, 0, piece));

		in = str_sub(in, used, in.n);
		ok = drain(z, out, PLAIN_MAX);
	}
	ok = ok || compress_ended(z);
	compress_free(z);
	return ok;
}

static void
look_for_end(struct str in, size_t after)
{
	struct compress *z = compress_new();
	struct str rest = { 0 };
	struct buf out;

	buf_init(&out, PLAIN_MAX);
	MUST(compress_take(z, in) == (in.n < COMPRESS_INPUT_MAX ? in.n : COMPRESS_INPUT_MAX));
	if (drain(z, &out, after) && compress_find_end(z, &rest) == COMPRESS_FOUND)
		MUST(rest.n <= in.n);
	buf_fini(&out);
	compress_free(z);
}

/* What we deflate, we inflate. */
static void
there_and_back(struct str in)
{
	struct compress *z = compress_new();
	struct buf packed, out;

	buf_init(&packed, SIZE_MAX);
	buf_init(&out, SIZE_MAX);
	compress_deflate(z, str_sub(in, 0, in.n / 2), &packed);
	compress_deflate_last(z, str_sub(in, in.n / 2, in.n), &packed);
	if (packed.n < COMPRESS_INPUT_MAX) {
		MUST(inflate_pieces(buf_str(&packed), SIZE_MAX, &out));
		MUST(str_eq(buf_str(&out), in));
	}
	buf_fini(&packed);
	buf_fini(&out);
	compress_free(z);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in;
	struct buf one, two;
	bool whole;

	if (n == 0)
		return 0;
	in = str_from(p + 1, n - 1);
	buf_init(&one, SIZE_MAX);
	buf_init(&two, SIZE_MAX);
	whole = inflate_pieces(in, SIZE_MAX, &one);
	if (inflate_pieces(in, 1 + p[0] % 16, &two) && whole)
		MUST(str_eq(buf_str(&one), buf_str(&two)));
	MUST(str_starts(buf_str(&two), buf_str(&one)));
	look_for_end(in, (size_t)p[0] * 4);
	there_and_back(in);
	buf_fini(&one);
	buf_fini(&two);
	return 0;
}
