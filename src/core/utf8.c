/* utf8.c - strict UTF-8. */
#include <string.h>

#include <postern/core/utf8.h>

/* The length that a first byte announces and the smallest code point that needs it; 0: cannot begin a character. */
static size_t
lead(unsigned char c, uint32_t *bits, uint32_t *least)
{
	if (c < 0x80) {
		*bits = c;
		*least = 0;
		return 1;
	}
	if (c >= 0xc2 && c < 0xe0) {
		*bits = c & 0x1f;
		*least = 0x80;
		return 2;
	}
	if (c >= 0xe0 && c < 0xf0) {
		*bits = c & 0x0f;
		*least = 0x800;
		return 3;
	}
	if (c >= 0xf0 && c < 0xf5) {
		*bits = c & 0x07;
		*least = 0x10000;
		return 4;
	}
	return 0;
}

bool
utf8_next(struct str s, uint32_t *code, size_t *used)
{
	uint32_t v;
	uint32_t least;
	size_t n;

	*used = s.n > 0;
	if (s.n == 0)
		return false;
	n = lead((unsigned char)*s.p, &v, &least);
	if (n == 0 || n > s.n)
		return false;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return false;
		v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (v < least || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return false;
	*code = v;
	*used = n;
	return true;
}

/* How many bytes at the beginning are ASCII, eight at a time: nearly all text is, and all of it goes through here. */
static size_t
ascii_run(struct str s)
{
	uint64_t eight;
	size_t i = 0;

	for (; i + sizeof(eight) <= s.n; i += sizeof(eight)) {
		memcpy(&eight, s.p + i, sizeof(eight));
		if (eight & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < s.n && (unsigned char)s.p[i] < 0x80)
		i++;
	return i;
}

bool
utf8_valid(struct str s)
{
	for (size_t at = ascii_run(s); at < s.n; at += ascii_run(str_sub(s, at, s.n))) {
		uint32_t code;
		size_t used;

		if (!utf8_next(str_sub(s, at, s.n), &code, &used))
			return false;
		at += used;
	}
	return true;
}

bool
ascii_only(struct str s)
{
	return ascii_run(s) == s.n;
}

void
utf8_add(struct buf *out, uint32_t code)
{
	if (code < 0x80) {
		buf_add_char(out, (char)code);
	} else if (code < 0x800) {
		buf_add_char(out, (char)(0xc0 | code >> 6));
		buf_add_char(out, (char)(0x80 | (code & 0x3f)));
	} else if (code < 0x10000) {
		buf_add_char(out, (char)(0xe0 | code >> 12));
		buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (code & 0x3f)));
	} else {
		buf_add_char(out, (char)(0xf0 | code >> 18));
		buf_add_char(out, (char)(0x80 | (code >> 12 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (code & 0x3f)));
	}
}
