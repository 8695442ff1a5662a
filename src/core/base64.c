/* base64.c - strict base64 and hexadecimal. */
#include <postern/core/base64.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_add(struct buf *out, struct str s)
{
	while (s.n > 0) {
		size_t n = s.n < 3 ? s.n : 3;
		uint32_t v = 0;
		char quad[4];

		for (size_t i = 0; i < 3; i++)
			v = v << 8 | (i < n ? (unsigned char)s.p[i] : 0);
		for (size_t i = 0; i < 4; i++)
			quad[i] = i <= n ? alphabet[v >> (18 - 6 * i) & 63] : '=';
		buf_add(out, str_from(quad, 4));
		s = str_sub(s, n, s.n);
	}
}

static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four; returns the bytes it holds (1 to 3) or 0. */
static size_t
decode_quad(const char *p, bool last, char out[static 3])
{
	size_t n = !last || p[3] != '=' ? 3 : p[2] != '=' ? 2 : 1;
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int six = i <= n ? sextet(p[i]) : 0;

		if (six < 0)
			return 0;
		v = v << 6 | (uint32_t)six;
	}
	if ((v & ((1u << (8 * (3 - n))) - 1)) != 0)
		return 0; /* bits that no byte keeps: not canonical */
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(v >> (16 - 8 * i) & 0xff);
	return n;
}

bool
base64_decode(struct buf *out, struct str s)
{
	size_t start = out->n;

	if (s.n % 4 != 0)
		return false;
	for (size_t i = 0; i < s.n; i += 4) {
		char bytes[3];
		size_t n = decode_quad(s.p + i, i + 4 == s.n, bytes);

		if (n == 0) {
			buf_cut(out, start);
			return false;
		}
		buf_add(out, str_from(bytes, n));
	}
	return true;
}

void
hex_add(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		buf_add_char(out, "0123456789abcdef"[(unsigned char)s.p[i] >> 4]);
		buf_add_char(out, "0123456789abcdef"[s.p[i] & 15]);
	}
}

static int
nibble(char c)
{
	c = ascii_lower(c);
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
hex_decode(struct buf *out, struct str s)
{
	size_t start = out->n;

	if (s.n % 2 != 0)
		return false;
	for (size_t i = 0; i < s.n; i += 2) {
		int high = nibble(s.p[i]);
		int low = nibble(s.p[i + 1]);

		if (high < 0 || low < 0) {
			buf_cut(out, start);
			return false;
		}
		buf_add_char(out, (char)(high << 4 | low));
	}
	return true;
}
