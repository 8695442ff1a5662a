/* reply.c - the table of replies and how a reply goes over the wire (RFC 5321 4.2, RFC 2034 4). */
#include <postern/smtp/reply.h>

#include <postern/message/status.h>

enum { CHALLENGE_MAX = 12288 };

static const struct {
	uint16_t code;
	char enhanced[10];
	enum smtp_after after;
	struct str text;
} rows[] = {
#define SMTP_REPLY_ROW(name, code, enhanced, after, text) { code, enhanced, after, STR_INIT(text) },
	SMTP_REPLIES(SMTP_REPLY_ROW)
#undef SMTP_REPLY_ROW
};

struct smtp_reply
smtp_reply(enum smtp_reply_name name)
{
	struct smtp_reply r = { .code = rows[name].code, .after = rows[name].after, .text = rows[name].text };

	memcpy(r.enhanced, rows[name].enhanced, sizeof(r.enhanced));
	return r;
}

struct smtp_reply
smtp_reply_with(unsigned code, const char *enhanced, struct str text)
{
	struct smtp_reply r = { .code = (uint16_t)code, .after = SMTP_GO_ON, .text = text };
	size_t n = strnlen(enhanced, sizeof(r.enhanced) - 1);

	memcpy(r.enhanced, enhanced, n);
	return r;
}

struct smtp_reply
smtp_reply_told(unsigned code, struct str enhanced, struct str words)
{
	char shape[10] = "";

	if (code != 250 && (code < 400 || code > 599))
		return smtp_reply(SMTP_LATER_PLEASE);
	if (enhanced.n < sizeof shape && status_is_of(enhanced, (char)('0' + code / 100)))
		memcpy(shape, enhanced.p, enhanced.n);
	return smtp_reply_with(code, shape, words);
}

struct smtp_reply
smtp_reply_refused(unsigned code, struct str enhanced, struct str words)
{
	return code == 250 ? smtp_reply(SMTP_LATER_PLEASE) : smtp_reply_told(code, enhanced, words);
}

struct smtp_reply
smtp_reply_later(void)
{
	return (struct smtp_reply){ 0 };
}

/* Words from elsewhere may hold anything: what is not printable ASCII becomes '?'. */
static void
write_words(struct buf *out, struct str words, size_t room)
{
	for (size_t i = 0; i < words.n && i < room; i++)
		buf_add_char(out, ascii_is_print(words.p[i]) ? words.p[i] : '?');
}

/* A SASL challenge may be long (RFC 4954 4); everything else keeps to RFC 5321 4.5.3.1.5. */
static size_t
line_room(const struct smtp_reply *r, size_t used)
{
	size_t max = r->code == 334 ? CHALLENGE_MAX : SMTP_REPLY_LINE_MAX;

	return max - 2 - used;
}

void
smtp_reply_write(struct buf *out, const struct smtp_reply *r)
{
	struct str rest = r->text;
	struct str words = { 0 };
	size_t start;

	str_cut(&rest, '\n', &words);
	for (;;) {
		start = out->n;
		buf_addf(out, "%03u%c", r->code % 1000U, rest.n > 0 ? '-' : ' ');
		if (r->enhanced[0] != '\0')
			buf_addf(out, "%s ", r->enhanced);
		write_words(out, words, line_room(r, out->n - start));
		buf_add(out, STR("\r\n"));
		if (!str_cut(&rest, '\n', &words))
			return;
	}
}
