/* in_data.c - DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030): two framings of the same content. */
#include "in_session.h"

/* The message does not begin before the reply: what stands behind DATA already was sent by somebody who cannot know
 * whether it will be read as a message or as commands (RFC 2920 3.1). */
struct smtp_reply
data_run(struct smtp_in *s, const struct in_args *a)
{
	enum smtp_reply_name bad;

	(void)a;
	if (s->tx.body == BODY_BINARYMIME)
		return smtp_reply(SMTP_BINARY_NEEDS_BDAT);
	if (s->input.n > 0)
		return smtp_reply(SMTP_EARLY_DATA);
	if (!in_content_begin(s)) {
		bad = s->tx.bad;
		s->tx.bad = SMTP_OK; /* the recipients stand; the client may try once more */
		s->tx.bad_log[0] = '\0';
		return smtp_reply(bad);
	}
	data_begin(&s->tx.reader);
	s->reading = IN_DATA;
	return smtp_reply(SMTP_GO_AHEAD);
}

/* The client goes on and on with what has been refused: the reply comes now, and the end with it. */
static bool
cut_off(struct smtp_in *s, enum smtp_reply_name why)
{
	struct smtp_reply r = smtp_reply(why);

	r.after = SMTP_CLOSE;
	in_reply(s, r);
	return true;
}

bool
in_data_read(struct smtp_in *s)
{
	struct str piece;

	switch (data_next(&s->tx.reader, &s->input, &piece)) {
	case DATA_PIECE:
		in_content_add(s, piece);
		if (s->tx.bad != SMTP_OK && in_content_swallow(s, piece.n))
			return cut_off(s, s->tx.bad);
		return true;
	case DATA_END:
		s->reading = IN_COMMAND;
		s->verb = in_verb_find(STR("DATA"));
		in_reply(s, in_content_end(s));
		return true;
	default:
		return false;
	}
}

/* SP chunk-size [ SP "LAST" ] */
bool
bdat_parse(struct cur *c, struct in_args *a)
{
	a->bad = SMTP_BAD_CHUNK; /* closes: nobody knows where the next command begins */
	cur_want(c, " ");
	a->chunk = cur_number(c, INT64_MAX);
	a->chunk_last = cur_take(c, " LAST");
	return cur_end(c);
}

/* Why this chunk is not wanted. Its bytes come in any case. */
static enum smtp_reply_name
chunk_refusal(const struct smtp_in *s)
{
	enum smtp_reply_name guard = in_guard(s);

	switch (s->state) {
	case IN_START:
		return SMTP_HELLO_FIRST;
	case IN_READY:
		return guard != SMTP_OK ? guard : SMTP_MAIL_FIRST;
	case IN_MAIL:
		return s->tx.refused > 0 ? SMTP_NO_VALID_RCPT : SMTP_RCPT_FIRST;
	case IN_BROKEN:
		return SMTP_TX_BROKEN;
	default:
		return SMTP_OK;
	}
}

struct smtp_reply
bdat_run(struct smtp_in *s, const struct in_args *a)
{
	s->chunk_left = a->chunk;
	s->chunk_last = a->chunk_last;
	s->chunk_reply = chunk_refusal(s);
	s->since = mono_now();
	s->arrived = 0;
	s->reading = IN_CHUNK_BYTES;
	if (s->state == IN_RCPT) {
		in_content_begin(s); /* a failure stays in tx.bad until the chunk is there */
		s->state = IN_CHUNK;
	}
	return smtp_reply_later();
}

static struct smtp_reply
chunk_end(struct smtp_in *s)
{
	s->reading = IN_COMMAND;
	if (s->chunk_reply != SMTP_OK)
		return smtp_reply(s->chunk_reply);
	if (s->chunk_last)
		return in_content_end(s);
	if (s->tx.bad == SMTP_OK)
		return smtp_reply(SMTP_CHUNK_OK);
	s->state = IN_BROKEN;
	return smtp_reply(s->tx.bad);
}

bool
in_chunk_read(struct smtp_in *s)
{
	struct str piece = str_sub(s->input, 0, s->chunk_left < s->input.n ? (size_t)s->chunk_left : s->input.n);

	if (s->chunk_left == 0) {
		in_reply(s, chunk_end(s));
		return true;
	}
	if (piece.n == 0)
		return false;
	s->input = str_sub(s->input, piece.n, s->input.n);
	s->chunk_left -= piece.n;
	if (s->chunk_reply == SMTP_OK)
		in_content_add(s, piece);
	if (s->chunk_reply != SMTP_OK && in_content_swallow(s, piece.n))
		return cut_off(s, s->chunk_reply);
	if (s->chunk_reply == SMTP_OK && s->tx.bad != SMTP_OK && in_content_swallow(s, piece.n))
		return cut_off(s, s->tx.bad);
	return true;
}
