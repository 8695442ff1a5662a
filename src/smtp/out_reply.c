/* out_reply.c - the reader of replies. */
#include <postern/smtp/out_reply.h>

#include <postern/core/utf8.h>
#include <postern/message/status.h>
#include <postern/smtp/out.h>

void
out_reply_init(struct out_reply_reader *r)
{
	*r = (struct out_reply_reader){ 0 };
	buf_init(&r->line, SMTP_OUT_LINE_MAX);
	buf_init(&r->text, SMTP_OUT_REPLY_MAX);
}

void
out_reply_fini(struct out_reply_reader *r)
{
	buf_fini(&r->line);
	buf_fini(&r->text);
}

bool
out_reply_begun(const struct out_reply_reader *r)
{
	return r->line.n > 0 || (!r->complete && r->total > 0);
}

/* --- enhanced codes --- */

/* class "." subject "." detail, then a blank or the end. Empty when there is none. */
static struct str
enhanced_of(struct str text)
{
	struct cur c = cur_init(text);
	struct str code = status_take(&c);

	if (cur_left(&c) > 0)
		cur_want(&c, " ");
	return cur_ok(&c) ? code : (struct str){ 0 };
}

/* Takes it off the line. Only what agrees with the code counts (RFC 2034 4); the first line's goes for all. */
static struct str
keep_enhanced(struct out_reply *reply, struct str text)
{
	struct str code = enhanced_of(text);

	if (code.n == 0 || (unsigned)(code.p[0] - '0') != reply->code / 100 || reply->code / 100 == 3)
		return text;
	if (reply->enhanced[0] == '\0')
		memcpy(reply->enhanced, code.p, code.n);
	return str_sub(text, code.n + 1, text.n);
}

/* --- lines --- */

static enum out_reply_found
broken(struct out_reply_reader *r, const char *why)
{
	r->why = why;
	return OUT_REPLY_BROKEN;
}

static unsigned
code_of(struct str line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) ||
	    !ascii_is_digit(line.p[2]))
		return 0;
	return (unsigned)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0'));
}

/* Reply-line: code, then "-" and more lines, or a blank or nothing (RFC 5321 4.2.1). */
static enum out_reply_found
take_line(struct out_reply_reader *r, struct str line)
{
	unsigned code = code_of(line);
	bool more = line.n > 3 && line.p[3] == '-';

	if (code == 0 || (line.n > 3 && line.p[3] != ' ' && !more))
		return broken(r, "no SMTP reply");
	if (r->reply.code != 0 && r->reply.code != code)
		return broken(r, "a reply with two codes");
	if (str_has(line, '\0'))
		return broken(r, "NUL in a reply");
	r->reply.code = code;
	buf_add(&r->text, keep_enhanced(&r->reply, str_sub(line, 4, line.n)));
	buf_add_char(&r->text, '\n');
	return more ? OUT_REPLY_MORE : OUT_REPLY_DONE;
}

static enum out_reply_found
end_line(struct out_reply_reader *r)
{
	struct str line = str_sub(buf_str(&r->line), 0, r->line.n - 1);
	enum out_reply_found found;

	if (str_ends(line, STR("\r")))
		line.n--;
	found = take_line(r, line);
	buf_clear(&r->line);
	return found;
}

static void
start_anew(struct out_reply_reader *r)
{
	if (!r->complete)
		return;
	r->complete = false;
	r->total = 0;
	r->reply = (struct out_reply){ 0 };
	buf_fini(&r->text);
}

/* Up to the end of the line, or all. */
static struct str
take_some(struct str *in)
{
	size_t lf = str_find(*in, '\n');
	struct str piece = str_sub(*in, 0, lf + 1);

	*in = str_sub(*in, piece.n, in->n);
	return piece;
}

enum out_reply_found
out_reply_next(struct out_reply_reader *r, struct str *in)
{
	enum out_reply_found found = OUT_REPLY_MORE;
	struct str piece;

	while (found == OUT_REPLY_MORE && in->n > 0) {
		start_anew(r);
		piece = take_some(in);
		r->total += piece.n;
		if (r->line.n + piece.n > SMTP_OUT_LINE_MAX)
			return broken(r, "a line of a reply is too long");
		if (r->total > SMTP_OUT_REPLY_MAX)
			return broken(r, "a reply without end");
		buf_add(&r->line, piece);
		if (str_ends(piece, STR("\n")))
			found = end_line(r);
	}
	if (found == OUT_REPLY_DONE) {
		r->complete = true;
		r->reply.text = buf_str(&r->text);
	}
	return found;
}

/* --- words --- */

static void
add_char(struct buf *out, struct str text, size_t *used)
{
	uint32_t code = 0;

	if (text.p[0] == '\n' || text.p[0] == '\t') {
		*used = 1;
		buf_add_char(out, ' ');
	} else if (!utf8_next(text, &code, used) || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
		buf_add_char(out, '?');
	} else {
		buf_add(out, str_sub(text, 0, *used));
	}
}

static bool
is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

void
out_reply_words(struct buf *out, struct str text, size_t max)
{
	size_t start = out->n;
	size_t cut = start + max - strlen("...");
	size_t used = 0;

	for (text = str_trim(text); text.n > 0 && out->n - start <= max; text = str_sub(text, used, text.n))
		add_char(out, text, &used);
	if (out->n - start <= max)
		return;
	while (is_continuation(out->p[cut]))
		cut--;
	buf_cut(out, cut);
	buf_add_cstr(out, "...");
}
