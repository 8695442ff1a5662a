/* probe_talk.c - greeting, capabilities, STARTTLS, goodbye: RFC 5321 4.1.1.1, RFC 3207, RFC 9051 6.1.1, 6.2.1. */
#include "probe_talk.h"

#include <stdio.h>

void
talk_init(struct talk *t, enum talk_protocol protocol, enum talk_goal goal, struct str hostname, bool inside)
{
	*t = (struct talk){ .protocol = protocol, .goal = goal, .hostname = hostname, .inside = inside };
	out_reply_init(&t->reply);
	buf_init(&t->line, TALK_LINE_MAX);
	buf_init(&t->out, TALK_BYTES_MAX);
}

void
talk_fini(struct talk *t)
{
	out_reply_fini(&t->reply);
	buf_fini(&t->line);
	buf_fini(&t->out);
}

static enum talk_found
stop(struct talk *t, enum talk_stop why)
{
	t->stop = why;
	return TALK_STOPPED;
}

/* --- what we say --- */

static enum talk_found
say_caps(struct talk *t)
{
	t->step = TALK_AT_CAPS;
	if (t->protocol == TALK_SMTP)
		buf_addf(&t->out, "EHLO %.*s\r\n", STR_ARG(t->hostname));
	else
		buf_add_cstr(&t->out, "c1 CAPABILITY\r\n");
	return TALK_MORE;
}

/* NOOP behind STARTTLS must be thrown away by the server (RFC 3207 4.2, RFC 9051 6.2.1). */
static enum talk_found
say_starttls(struct talk *t)
{
	t->step = TALK_AT_STARTTLS;
	buf_add_cstr(&t->out, t->protocol == TALK_SMTP ? "STARTTLS\r\n" : "c2 STARTTLS\r\n");
	if (t->goal == TALK_TO_INJECT)
		buf_add_cstr(&t->out, t->protocol == TALK_SMTP ? "NOOP\r\n" : "c3 NOOP\r\n");
	return TALK_MORE;
}

static enum talk_found
say_goodbye(struct talk *t)
{
	t->step = TALK_AT_GOODBYE;
	buf_add_cstr(&t->out, t->protocol == TALK_SMTP ? "QUIT\r\n" : "c4 LOGOUT\r\n");
	return TALK_MORE;
}

/* The capabilities are known. */
static enum talk_found
go_on(struct talk *t)
{
	t->caps[t->inside].asked = true;
	if (t->inside)
		return say_goodbye(t);
	return t->caps[0].starttls ? say_starttls(t) : stop(t, TALK_NOT_OFFERED);
}

/* The first words inside TLS are an answer to what stood behind STARTTLS, or to our goodbye. */
void
talk_secured(struct talk *t)
{
	t->inside = true;
	if (t->goal == TALK_TO_INJECT)
		say_goodbye(t);
	else
		say_caps(t);
}

/* --- what it says --- */

static void
add_auth(struct talk_caps *caps, struct str words)
{
	size_t n = strlen(caps->auth);

	for (size_t i = 0; i < words.n && n + 2 < sizeof caps->auth; i++)
		if (ascii_is_print(words.p[i]))
			caps->auth[n++] = words.p[i];
	caps->auth[n] = '\0';
}

static void
take_smtp_cap(struct talk_caps *caps, struct str line)
{
	struct str word = { 0 };

	line = str_trim(line);
	str_cut(&line, ' ', &word);
	caps->starttls |= str_eq_nocase(word, STR("STARTTLS"));
	caps->requiretls |= str_eq_nocase(word, STR("REQUIRETLS"));
	if (str_eq_nocase(word, STR("AUTH")) && caps->auth[0] == '\0')
		add_auth(caps, line);
}

static enum talk_found
take_ehlo(struct talk *t, const struct out_reply *r)
{
	struct str text = r->text;
	struct str line;

	if (r->code == 421)
		return stop(t, TALK_BUSY);
	if (r->code != 250)
		return t->inside ? go_on(t) : stop(t, TALK_NOT_OFFERED); /* knows no EHLO: no extensions at all */
	str_cut(&text, '\n', &line); /* its name */
	while (str_cut(&text, '\n', &line))
		take_smtp_cap(&t->caps[t->inside], line);
	return go_on(t);
}

static enum talk_found
take_reply(struct talk *t, const struct out_reply *r)
{
	switch (t->step) {
	case TALK_AT_GREETING:
		return r->code == 220 ? say_caps(t) : stop(t, r->code < 500 ? TALK_BUSY : TALK_REFUSED);
	case TALK_AT_CAPS:
		return take_ehlo(t, r);
	case TALK_AT_STARTTLS:
		return r->code == 220 ? TALK_HANDSHAKE : stop(t, TALK_NOT_OBEYED);
	case TALK_AT_GOODBYE:
		t->injected = t->goal == TALK_TO_INJECT && r->code == 250;
		return TALK_DONE;
	}
	return TALK_MORE;
}

static enum talk_found
feed_smtp(struct talk *t, struct str *in)
{
	enum talk_found found = TALK_MORE;

	while (found == TALK_MORE && in->n > 0)
		switch (out_reply_next(&t->reply, in)) {
		case OUT_REPLY_DONE:
			found = take_reply(t, &t->reply.reply);
			break;
		case OUT_REPLY_BROKEN:
			return stop(t, TALK_STRANGE);
		case OUT_REPLY_MORE:
			break;
		}
	return found;
}

static void
take_imap_caps(struct talk_caps *caps, struct str words)
{
	struct str word;

	while (str_cut(&words, ' ', &word)) {
		caps->starttls |= str_eq_nocase(word, STR("STARTTLS"));
		caps->login_disabled |= str_eq_nocase(word, STR("LOGINDISABLED"));
		if (!str_starts_nocase(word, STR("AUTH=")))
			continue;
		if (caps->auth[0] != '\0')
			add_auth(caps, STR(" "));
		add_auth(caps, str_sub(word, 5, word.n));
	}
}

static enum talk_found
take_greeting(struct talk *t, struct str line)
{
	if (str_starts_nocase(line, STR("* OK")))
		return say_caps(t);
	if (str_starts_nocase(line, STR("* PREAUTH")))
		return t->inside ? say_caps(t) : stop(t, TALK_NO_START);
	return stop(t, str_starts_nocase(line, STR("* BYE")) ? TALK_REFUSED : TALK_STRANGE);
}

/* Answers carry our tags, each where it is waited for; everything else is told on the way. */
static enum talk_found
take_line(struct talk *t, struct str line)
{
	if (t->step == TALK_AT_GREETING)
		return take_greeting(t, line);
	if (str_starts_nocase(line, STR("* CAPABILITY ")) && t->step == TALK_AT_CAPS)
		take_imap_caps(&t->caps[t->inside], str_sub(line, 13, line.n));
	if (str_starts(line, STR("c1 ")) && t->step == TALK_AT_CAPS)
		return go_on(t);
	if (str_starts(line, STR("c2 ")) && t->step == TALK_AT_STARTTLS)
		return str_starts_nocase(line, STR("c2 OK")) ? TALK_HANDSHAKE : stop(t, TALK_NOT_OBEYED);
	t->injected |= t->inside && str_starts(line, STR("c3 "));
	return str_starts(line, STR("c4 ")) && t->step == TALK_AT_GOODBYE ? TALK_DONE : TALK_MORE;
}

static enum talk_found
feed_imap(struct talk *t, struct str *in)
{
	enum talk_found found = TALK_MORE;

	while (found == TALK_MORE && in->n > 0) {
		size_t end = str_find(*in, '\n');
		bool whole = end < in->n;

		buf_add(&t->line, str_sub(*in, 0, end));
		*in = str_sub(*in, end + whole, in->n);
		if (t->line.over)
			return stop(t, TALK_STRANGE);
		if (!whole)
			break;
		found = take_line(t, str_trim(buf_str(&t->line)));
		buf_clear(&t->line);
	}
	return found;
}

enum talk_found
talk_feed(struct talk *t, struct str *in)
{
	t->total += in->n;
	if (t->total > TALK_BYTES_MAX)
		return stop(t, TALK_STRANGE);
	return t->protocol == TALK_SMTP ? feed_smtp(t, in) : feed_imap(t, in);
}

bool
talk_guess(struct str first, enum talk_protocol *protocol)
{
	bool smtp = first.n >= 4 && first.p[0] >= '2' && first.p[0] <= '5' && ascii_is_digit(first.p[1]) &&
		    ascii_is_digit(first.p[2]) && (first.p[3] == ' ' || first.p[3] == '-');

	*protocol = smtp ? TALK_SMTP : TALK_IMAP;
	return smtp || str_starts(first, STR("* "));
}

const char *
talk_stop_words(enum talk_stop s)
{
	static const char *const words[] = {
		[TALK_GOES_ON] = "",
		[TALK_BUSY] = "the server is busy and asks to come back later",
		[TALK_REFUSED] = "the server refuses to talk to us",
		[TALK_STRANGE] = "what it says is neither SMTP nor IMAP",
		[TALK_NOT_OFFERED] = "no STARTTLS is offered",
		[TALK_NOT_OBEYED] = "STARTTLS is offered and then refused",
		[TALK_NO_START] = "the greeting is PREAUTH, so no STARTTLS is possible",
	};

	return words[s];
}
