/* mutf7.c - modified UTF-7 (RFC 3501 5.1.3): printable ASCII as it is, "&" as "&-", all else as UTF-16 in a base64
 * with "," for "/" and without padding, between "&" and "-". */
#include <postern/store/mutf7.h>

#include <postern/core/utf8.h>

static const char digit64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* Bits on their way between 16-bit units and 6-bit digits. */
struct bits {
	uint32_t v;
	unsigned n;
};

static void
put_unit(struct buf *out, struct bits *b, uint32_t unit)
{
	b->v = b->v << 16 | unit;
	b->n += 16;
	while (b->n >= 6) {
		b->n -= 6;
		buf_add_char(out, digit64[b->v >> b->n & 63]);
	}
	b->v &= (1u << b->n) - 1;
}

static void
put_shifted(struct buf *out, struct bits *b, uint32_t code)
{
	if (code < 0x10000) {
		put_unit(out, b, code);
		return;
	}
	put_unit(out, b, 0xd800 + ((code - 0x10000) >> 10));
	put_unit(out, b, 0xdc00 + ((code - 0x10000) & 0x3ff));
}

static void
end_shift(struct buf *out, struct bits *b)
{
	if (b->n > 0)
		buf_add_char(out, digit64[b->v << (6 - b->n) & 63]);
	buf_add_char(out, '-');
	*b = (struct bits){ 0 };
}

bool
mutf7_encode(struct buf *out, struct str name)
{
	struct bits b = { 0 };
	bool shifted = false;
	uint32_t code;
	size_t used;

	if (!utf8_valid(name))
		return false;
	for (; utf8_next(name, &code, &used); name = str_sub(name, used, name.n)) {
		bool plain = code >= 0x20 && code < 0x7f;

		if (shifted && plain)
			end_shift(out, &b);
		if (!shifted && !plain)
			buf_add_char(out, '&');
		shifted = !plain;
		if (!plain)
			put_shifted(out, &b, code);
		else
			buf_add(out, code == '&' ? STR("&-") : str_sub(name, 0, 1));
	}
	if (shifted)
		end_shift(out, &b);
	return true;
}

static int
value64(char c)
{
	const char *at = c != '\0' ? strchr(digit64, c) : NULL;

	return at != NULL ? (int)(at - digit64) : -1;
}

/* Adds the code point that ends with this unit; *high holds a high surrogate that waits for its low one. */
static bool
take_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	bool low = unit >= 0xdc00 && unit <= 0xdfff;

	if (low != (*high != 0))
		return false;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return true;
	}
	if (low)
		unit = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
	*high = 0;
	if (unit == 0 || (unit >= 0x20 && unit < 0x7f))
		return false;
	utf8_add(out, unit);
	return true;
}

/* The digits between "&" and "-". */
static bool
take_shift(struct buf *out, struct str digits)
{
	struct bits b = { 0 };
	uint32_t high = 0;

	for (size_t i = 0; i < digits.n; i++) {
		int v = value64(digits.p[i]);

		if (v < 0)
			return false;
		b.v = b.v << 6 | (uint32_t)v;
		b.n += 6;
		if (b.n < 16)
			continue;
		b.n -= 16;
		if (!take_unit(out, b.v >> b.n, &high))
			return false;
		b.v &= (1u << b.n) - 1;
	}
	return high == 0 && b.n < 6 && b.v == 0;
}

static bool
decode(struct buf *out, struct str text)
{
	bool after_shift = false;

	while (text.n > 0) {
		size_t end;

		if (text.p[0] != '&') {
			if (!ascii_is_print(text.p[0]))
				return false;
			buf_add_char(out, text.p[0]);
			text = str_sub(text, 1, text.n);
			after_shift = false;
			continue;
		}
		end = str_find(text, '-');
		if (end == text.n || (end > 1 && after_shift)) /* two shifts in a row would have been one */
			return false;
		if (end == 1)
			buf_add_char(out, '&');
		else if (!take_shift(out, str_sub(text, 1, end)))
			return false;
		after_shift = end > 1;
		text = str_sub(text, end + 1, text.n);
	}
	return true;
}

bool
mutf7_decode(struct buf *out, struct str text)
{
	size_t kept = out->n;

	if (decode(out, text))
		return true;
	buf_cut(out, kept);
	return false;
}
