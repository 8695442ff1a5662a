/* encoding.c - base64 and quoted-printable, streaming. */
#include <postern/message/encoding.h>

static const struct {
	struct str name;
	enum encoding encoding;
} names[] = {
	{ STR_INIT(""), ENCODING_7BIT },
	{ STR_INIT("7bit"), ENCODING_7BIT },
	{ STR_INIT("8bit"), ENCODING_8BIT },
	{ STR_INIT("binary"), ENCODING_BINARY },
	{ STR_INIT("base64"), ENCODING_BASE64 },
	{ STR_INIT("quoted-printable"), ENCODING_QUOTED },
};

enum encoding
encoding_of(struct str name)
{
	name = str_trim(name);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_eq_nocase(names[i].name, name))
			return names[i].encoding;
	return ENCODING_UNKNOWN;
}

void
decoder_init(struct decoder *d, enum encoding encoding)
{
	d->encoding = encoding;
	d->bits = 0;
	d->have = 0;
}

enum { BLOCK = 3072, NO_SEXTET = 64 };

/* The value of a base64 character, NO_SEXTET for all others. */
static unsigned
sextet(unsigned char c)
{
	static const char table[256] = {
		['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
		['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49,
		50, 51, 52,
		['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
		['+'] = 63,
		['/'] = 64,
	};

	return table[c] > 0 ? (unsigned)table[c] - 1 : NO_SEXTET;
}

/* The whole bytes of the open group: 2 characters hold one, 3 hold two, 4 hold three. */
static size_t
close_group(struct decoder *d, char out[static 3])
{
	size_t n = d->have > 1 ? d->have - 1 : 0;
	uint32_t bits = d->have > 0 ? d->bits << (6 * (4 - d->have)) : 0;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(bits >> (16 - 8 * i) & 0xff);
	d->bits = 0;
	d->have = 0;
	return n;
}

static size_t
base64_byte(struct decoder *d, char c, char out[static 3])
{
	unsigned six = sextet((unsigned char)c);

	if (six < NO_SEXTET) {
		d->bits = d->bits << 6 | six;
		if (++d->have < 4)
			return 0;
		return close_group(d, out);
	}
	return c == '=' ? close_group(d, out) : 0;
}

static void
base64_feed(struct decoder *d, struct str piece, struct buf *out)
{
	char block[BLOCK + 3];
	size_t n = 0;

	for (size_t i = 0; i < piece.n; i++) {
		n += base64_byte(d, piece.p[i], block + n);
		if (n >= BLOCK) {
			buf_add(out, str_from(block, n));
			n = 0;
		}
	}
	buf_add(out, str_from(block, n));
}

static int
hex_value(char c)
{
	c = ascii_lower(c);
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static void
give_held(struct decoder *d, struct buf *out)
{
	buf_add(out, str_from(d->held, d->have));
	d->have = 0;
}

/* After "=": true if c was taken. Holds "=", "=X", or "=" and blanks, perhaps with a CR. */
static bool
after_equals(struct decoder *d, char c, struct buf *out)
{
	int high = d->have == 2 ? hex_value(d->held[1]) : -1;
	int low = hex_value(c);
	bool digit = high >= 0;

	if (digit && low >= 0) {
		buf_add_char(out, (char)(high << 4 | low));
		d->have = 0;
		return true;
	}
	if (c == '\n' && !digit) {
		d->have = 0;
		return true;
	}
	if (digit || d->held[d->have - 1] == '\r')
		return false;
	if (is_wsp(c) || c == '\r' || (d->have == 1 && low >= 0)) {
		d->held[d->have++] = c;
		return true;
	}
	return false;
}

/* After blanks that may end a line: true if c was taken. */
static bool
after_blanks(struct decoder *d, char c, struct buf *out)
{
	bool cr = d->held[d->have - 1] == '\r';

	if (c == '\n') {
		buf_add(out, cr ? STR("\r\n") : STR("\n"));
		d->have = 0;
		return true;
	}
	if (cr || (!is_wsp(c) && c != '\r'))
		return false;
	d->held[d->have++] = c;
	return true;
}

static void
quoted_byte(struct decoder *d, char c, struct buf *out)
{
	if (d->have > 0 && (d->have < ENCODING_HELD_MAX || c == '\n'))
		if (d->held[0] == '=' ? after_equals(d, c, out) : after_blanks(d, c, out))
			return;
	give_held(d, out);
	if (c == '=' || is_wsp(c))
		d->held[d->have++] = c;
	else
		buf_add_char(out, c);
}

static void
quoted_feed(struct decoder *d, struct str piece, struct buf *out)
{
	for (size_t i = 0; i < piece.n; i++) {
		size_t from = i;

		while (d->have == 0 && i < piece.n && piece.p[i] != '=' && !is_wsp(piece.p[i]))
			i++;
		buf_add(out, str_sub(piece, from, i));
		if (i < piece.n)
			quoted_byte(d, piece.p[i], out);
	}
}

void
decoder_feed(struct decoder *d, struct str piece, struct buf *out)
{
	if (d->encoding == ENCODING_BASE64)
		base64_feed(d, piece, out);
	else if (d->encoding == ENCODING_QUOTED)
		quoted_feed(d, piece, out);
	else
		buf_add(out, piece);
}

/* At the end blanks are at a line end, and so is a "=" without digits. */
static void
quoted_end(struct decoder *d, struct buf *out)
{
	if (d->have == 2 && d->held[0] == '=' && hex_value(d->held[1]) >= 0)
		buf_add(out, str_from(d->held, 2));
	else if (d->have > 0 && d->held[0] != '=' && d->held[d->have - 1] == '\r')
		buf_add_char(out, '\r');
	d->have = 0;
}

void
decoder_end(struct decoder *d, struct buf *out)
{
	char rest[3];

	if (d->encoding == ENCODING_BASE64)
		buf_add(out, str_from(rest, close_group(d, rest)));
	else if (d->encoding == ENCODING_QUOTED)
		quoted_end(d, out);
}
