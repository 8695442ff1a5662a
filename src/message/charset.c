/* charset.c - charsets by a fixed table, converted by iconv; UTF-8, ASCII and ISO-8859-1 by hand.
 *
 * charset_init() opens one converter per row and never closes it: glibc then keeps the module loaded, and every later
 * iconv_open of that row works without files, in any thread. Only names of the table ever reach iconv_open. */
#include <postern/message/charset.h>

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/core/utf8.h>

#define NO_ICONV ((iconv_t)-1)

/* How a text is read. GUESS is UTF-8 until something is not, ISO-8859-1 from there on. */
enum method { UTF8, LATIN1, ICONV, GUESS };

static const struct row {
	struct str name;      /* lower case; what messages say */
	enum method method;
	const char *iconv;    /* what glibc calls the charset, or the superset that mailers mean */
} rows[] = {
	{ STR_INIT("utf-8"), UTF8, NULL },
	{ STR_INIT("us-ascii"), GUESS, NULL }, /* with 8-bit bytes all the same it is one of the two others */
	{ STR_INIT("iso-8859-1"), LATIN1, NULL },
	{ STR_INIT("utf8"), UTF8, NULL },
	{ STR_INIT("ascii"), GUESS, NULL },
	{ STR_INIT("ansi_x3.4-1968"), GUESS, NULL },
	{ STR_INIT("latin1"), LATIN1, NULL },
	{ STR_INIT("iso8859-1"), LATIN1, NULL },
	{ STR_INIT("iso_8859-1"), LATIN1, NULL },
	{ STR_INIT("iso-8859-2"), ICONV, "ISO-8859-2" },
	{ STR_INIT("iso-8859-3"), ICONV, "ISO-8859-3" },
	{ STR_INIT("iso-8859-4"), ICONV, "ISO-8859-4" },
	{ STR_INIT("iso-8859-5"), ICONV, "ISO-8859-5" },
	{ STR_INIT("iso-8859-6"), ICONV, "ISO-8859-6" },
	{ STR_INIT("iso-8859-6-i"), ICONV, "ISO-8859-6" },
	{ STR_INIT("iso-8859-7"), ICONV, "ISO-8859-7" },
	{ STR_INIT("iso-8859-8"), ICONV, "ISO-8859-8" },
	{ STR_INIT("iso-8859-8-i"), ICONV, "ISO-8859-8" },
	{ STR_INIT("iso-8859-9"), ICONV, "ISO-8859-9" },
	{ STR_INIT("iso-8859-10"), ICONV, "ISO-8859-10" },
	{ STR_INIT("iso-8859-11"), ICONV, "ISO-8859-11" },
	{ STR_INIT("iso-8859-13"), ICONV, "ISO-8859-13" },
	{ STR_INIT("iso-8859-14"), ICONV, "ISO-8859-14" },
	{ STR_INIT("iso-8859-15"), ICONV, "ISO-8859-15" },
	{ STR_INIT("iso-8859-16"), ICONV, "ISO-8859-16" },
	{ STR_INIT("windows-1250"), ICONV, "CP1250" },
	{ STR_INIT("windows-1251"), ICONV, "CP1251" },
	{ STR_INIT("windows-1252"), ICONV, "CP1252" },
	{ STR_INIT("windows-1253"), ICONV, "CP1253" },
	{ STR_INIT("windows-1254"), ICONV, "CP1254" },
	{ STR_INIT("windows-1255"), ICONV, "CP1255" },
	{ STR_INIT("windows-1256"), ICONV, "CP1256" },
	{ STR_INIT("windows-1257"), ICONV, "CP1257" },
	{ STR_INIT("windows-1258"), ICONV, "CP1258" },
	{ STR_INIT("windows-874"), ICONV, "CP874" },
	{ STR_INIT("cp1250"), ICONV, "CP1250" },
	{ STR_INIT("cp1251"), ICONV, "CP1251" },
	{ STR_INIT("cp1252"), ICONV, "CP1252" },
	{ STR_INIT("tis-620"), ICONV, "CP874" },
	{ STR_INIT("koi8-r"), ICONV, "KOI8-R" },
	{ STR_INIT("koi8-u"), ICONV, "KOI8-U" },
	{ STR_INIT("cp437"), ICONV, "CP437" },
	{ STR_INIT("ibm437"), ICONV, "CP437" },
	{ STR_INIT("cp850"), ICONV, "CP850" },
	{ STR_INIT("ibm850"), ICONV, "CP850" },
	{ STR_INIT("cp866"), ICONV, "CP866" },
	{ STR_INIT("ibm866"), ICONV, "CP866" },
	{ STR_INIT("macintosh"), ICONV, "MACINTOSH" },
	{ STR_INIT("gb2312"), ICONV, "GB18030" },
	{ STR_INIT("gbk"), ICONV, "GB18030" },
	{ STR_INIT("cp936"), ICONV, "GB18030" },
	{ STR_INIT("gb18030"), ICONV, "GB18030" },
	{ STR_INIT("big5"), ICONV, "BIG5-HKSCS" },
	{ STR_INIT("big5-hkscs"), ICONV, "BIG5-HKSCS" },
	{ STR_INIT("cp950"), ICONV, "CP950" },
	{ STR_INIT("euc-tw"), ICONV, "EUC-TW" },
	{ STR_INIT("iso-2022-jp"), ICONV, "ISO-2022-JP-2" },
	{ STR_INIT("iso-2022-jp-2"), ICONV, "ISO-2022-JP-2" },
	{ STR_INIT("shift_jis"), ICONV, "CP932" },
	{ STR_INIT("shift-jis"), ICONV, "CP932" },
	{ STR_INIT("x-sjis"), ICONV, "CP932" },
	{ STR_INIT("cp932"), ICONV, "CP932" },
	{ STR_INIT("windows-31j"), ICONV, "CP932" },
	{ STR_INIT("euc-jp"), ICONV, "EUC-JP-MS" },
	{ STR_INIT("iso-2022-kr"), ICONV, "ISO-2022-KR" },
	{ STR_INIT("euc-kr"), ICONV, "UHC" },
	{ STR_INIT("ks_c_5601-1987"), ICONV, "UHC" },
	{ STR_INIT("cp949"), ICONV, "UHC" },
	{ STR_INIT("utf-7"), ICONV, "UTF-7" },
	{ STR_INIT("unicode-1-1-utf-7"), ICONV, "UTF-7" },
	{ STR_INIT("utf-16"), ICONV, "UTF-16" },
	{ STR_INIT("utf-16be"), ICONV, "UTF-16BE" },
	{ STR_INIT("utf-16le"), ICONV, "UTF-16LE" },
};

enum { ROWS = sizeof rows / sizeof *rows, REST_MAX = 32 };

static iconv_t loaded[ROWS];
static bool ready;

void
charset_init(void)
{
	for (size_t i = 0; i < ROWS && !ready; i++)
		loaded[i] = rows[i].method == ICONV ? iconv_open("UTF-8", rows[i].iconv) : NO_ICONV;
	ready = true;
}

void
charset_fini(void)
{
	for (size_t i = 0; i < ROWS && ready; i++)
		if (loaded[i] != NO_ICONV)
			iconv_close(loaded[i]);
	ready = false;
}

/* A language may follow the name (RFC 2231 5). */
static const struct row *
find(struct str name)
{
	name = str_trim(str_sub(name, 0, str_find(name, '*')));
	for (size_t i = 0; i < ROWS; i++)
		if (str_eq_nocase(rows[i].name, name))
			return rows[i].method != ICONV || (ready && loaded[i] != NO_ICONV) ? &rows[i] : NULL;
	return NULL;
}

bool
charset_known(struct str name)
{
	return find(name) != NULL;
}

void
charset_list(struct buf *out)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (find(rows[i].name) == NULL)
			continue;
		if (i > 0)
			buf_add_char(out, ' ');
		buf_add(out, rows[i].name);
	}
}

struct charset_reader {
	enum method method;
	iconv_t cd;
	bool incomplete;     /* iconv keeps the begin of a character itself */
	size_t n;            /* bytes of an incomplete character */
	char rest[REST_MAX];
};

struct charset_reader *
charset_reader_new(struct str charset)
{
	const struct row *row = find(charset);
	struct charset_reader *r = NEW(struct charset_reader);

	r->method = row != NULL ? row->method : GUESS;
	r->cd = r->method == ICONV ? iconv_open("UTF-8", row->iconv) : NO_ICONV;
	if (r->method == ICONV && r->cd == NO_ICONV)
		r->method = GUESS;
	return r;
}

void
charset_reader_free(struct charset_reader *r)
{
	if (r != NULL && r->cd != NO_ICONV)
		iconv_close(r->cd);
	free(r);
}

#define REPLACEMENT STR("\xef\xbf\xbd")

/* Whether more bytes could make s, which is no character yet, one. */
static bool
may_grow(struct str s)
{
	static const char *const tails[] = { "\x80\x80\x80", "\xbf\xbf\xbf" };

	for (size_t i = 0; i < 2 && s.n < 4; i++) {
		char whole[4];
		uint32_t code;
		size_t used;

		memcpy(whole, s.p, s.n);
		memcpy(whole + s.n, tails[i], 4 - s.n);
		if (utf8_next(str_from(whole, 4), &code, &used) && used > s.n)
			return true;
	}
	return false;
}

/* The length of the longest valid start of s. */
static size_t
valid_run(struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		uint32_t code;
		size_t used = 1;

		if ((unsigned char)s.p[i] >= 0x80 && !utf8_next(str_sub(s, i, s.n), &code, &used))
			break;
		i += used;
	}
	return i;
}

static void
latin1(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++)
		utf8_add(out, (unsigned char)s.p[i]);
}

/* Each of these converts what it can and returns how many bytes it took; the others begin a character. */

static size_t
utf8_some(struct charset_reader *r, struct str s, struct buf *out)
{
	size_t at = 0;

	while (at < s.n) {
		struct str left = str_sub(s, at, s.n);
		size_t n = valid_run(left);

		buf_add(out, str_sub(left, 0, n));
		left = str_sub(left, n, left.n);
		at += n;
		if (left.n == 0 || may_grow(left))
			break;
		if (r->method == GUESS) {
			r->method = LATIN1;
			latin1(left, out);
			return s.n;
		}
		buf_add(out, REPLACEMENT);
		at++;
	}
	return at;
}

/* One call of iconv; what iconv does not like is replaced byte by byte. False: it wants more bytes. */
static bool
iconv_step(struct charset_reader *r, char **in, size_t *left, struct buf *out)
{
	char block[1024];
	char *to = block;
	size_t room = sizeof block;
	size_t done = iconv(r->cd, in, left, &to, &room);
	int error = errno;

	buf_add(out, str_from(block, sizeof block - room));
	r->incomplete = done == (size_t)-1 && error == EINVAL;
	if (r->incomplete)
		return false;
	if (done == (size_t)-1 && error == EILSEQ && *left > 0) {
		buf_add(out, REPLACEMENT);
		++*in;
		--*left;
	}
	return true;
}

static size_t
iconv_some(struct charset_reader *r, struct str s, struct buf *out)
{
	char copy[1024];
	size_t at = 0;

	while (at < s.n) {
		size_t n = s.n - at < sizeof copy ? s.n - at : sizeof copy;
		char *in = copy;
		size_t left = n;

		memcpy(copy, s.p + at, n);
		while (left > 0 && iconv_step(r, &in, &left, out))
			;
		at += n - left;
		if (left == n || at == s.n || (left > 0 && s.n - at == left))
			break;
	}
	return at;
}

static size_t
some(struct charset_reader *r, struct str s, struct buf *out)
{
	switch (r->method) {
	case ICONV:
		return iconv_some(r, s, out);
	case LATIN1:
		latin1(s, out);
		return s.n;
	case UTF8:
	case GUESS:
		break;
	}
	return utf8_some(r, s, out);
}

static void
keep(struct charset_reader *r, struct str s, struct buf *out)
{
	if (s.n >= REST_MAX) { /* no character is that long */
		buf_add(out, REPLACEMENT);
		s.n = 0;
	}
	if (s.n > 0)
		memmove(r->rest, s.p, s.n);
	r->n = s.n;
}

void
charset_reader_feed(struct charset_reader *r, struct str piece, struct buf *out)
{
	size_t used;

	while (r->n > 0 && piece.n > 0) {
		r->rest[r->n++] = *piece.p;
		piece = str_sub(piece, 1, piece.n);
		used = some(r, str_from(r->rest, r->n), out);
		keep(r, str_from(r->rest + used, r->n - used), out);
	}
	if (piece.n == 0)
		return;
	used = some(r, piece, out);
	keep(r, str_sub(piece, used, piece.n), out);
}

void
charset_reader_end(struct charset_reader *r, struct buf *out)
{
	if (r->method == GUESS)
		latin1(str_from(r->rest, r->n), out);
	else if (r->method == UTF8)
		for (size_t i = 0; i < r->n; i++)
			buf_add(out, REPLACEMENT);
	else if (r->n > 0 || r->incomplete)
		buf_add(out, REPLACEMENT);
	r->n = 0;
}

void
charset_to_utf8(struct buf *out, struct str charset, struct str text)
{
	const struct row *row = find(charset);
	enum method method = row != NULL ? row->method : GUESS;
	struct charset_reader *r;

	if ((method == UTF8 || method == GUESS) && valid_run(text) == text.n) {
		buf_add(out, text);
		return;
	}
	if (method == GUESS || method == LATIN1) {
		latin1(text, out);
		return;
	}
	r = charset_reader_new(charset);
	charset_reader_feed(r, text, out);
	charset_reader_end(r, out);
	charset_reader_free(r);
}
