/* smtp_look.c - the words of SMTP transcripts that look at what came of it: spool, envelope, log (listed in
 * smtp_words.c). */
#include "smtp_peer.h"

static bool
no_number(struct buf *why, uint64_t got)
{
	buf_addf(why, "%llu", (unsigned long long)got);
	return false;
}

static bool
is_number(struct str rest, uint64_t got, struct buf *why)
{
	uint64_t want;

	return (str_u64(rest, UINT64_MAX, &want) && want == got) || no_number(why, got);
}

static const struct message *
last(const struct world *w, struct buf *why)
{
	for (size_t i = w->nmessages; i > 0; i--)
		if (w->messages[i - 1].prefix.n > 0 && w->messages[i - 1].nrcpts > 0)
			return &w->messages[i - 1];
	buf_add(why, STR("no message"));
	return NULL;
}

static bool
is_spool(struct world *w, struct str rest, struct buf *why)
{
	uint64_t n = 0;

	for (size_t i = 0; i < w->nmessages; i++)
		n += w->messages[i].prefix.n > 0 && w->messages[i].nrcpts > 0;
	return is_number(rest, n, why);
}

static bool
is_body(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);
	struct buf want;
	bool ok;

	if (m == NULL)
		return false;
	buf_init(&want, 256 << 20);
	ok = talk_expand(&want, rest) &&
	     (str_eq(buf_str(&want), buf_str(&m->body)) || world_no(why, "body", buf_str(&m->body)));
	buf_fini(&want);
	return ok;
}

static bool
is_body_like(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && (talk_match(rest, buf_str(&m->body)) || world_no(why, "body", buf_str(&m->body)));
}

static bool
is_body_end(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);
	struct buf want;
	bool ok;

	if (m == NULL)
		return false;
	buf_init(&want, 1 << 20);
	ok = talk_expand(&want, rest) && str_ends(buf_str(&m->body), buf_str(&want));
	buf_fini(&want);
	return ok || world_no(why, "body", buf_str(&m->body));
}

static bool
is_body_size(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_number(rest, m->body.n, why);
}

static bool
is_prefix(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);
	struct buf flat;
	bool ok;

	if (m == NULL)
		return false;
	buf_init(&flat, ENVELOPE_PREFIX_MAX);
	for (size_t i = 0; i < m->prefix.n; i++)
		if (m->prefix.p[i] != '\r' && m->prefix.p[i] != '\n')
			buf_add_char(&flat, m->prefix.p[i] == '\t' ? ' ' : m->prefix.p[i]);
	ok = talk_match(rest, buf_str(&flat)) || world_no(why, "prefix", buf_str(&flat));
	buf_fini(&flat);
	return ok;
}

static bool
is_text(struct str rest, struct str got, struct buf *why)
{
	struct buf want;
	bool ok;

	buf_init(&want, 1 << 20);
	ok = (talk_expand(&want, rest) && str_eq(buf_str(&want), got)) || world_no(why, "it is", got);
	buf_fini(&want);
	return ok;
}

static bool
is_sender(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_text(rest, m->envelope.sender, why);
}

static bool
is_envid(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_text(rest, m->envelope.envid, why);
}

static bool
is_protocol(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_text(rest, m->envelope.protocol, why);
}

static bool
is_login(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_text(rest, m->envelope.login, why);
}

static bool
is_rcpt(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_text(rest, m->rcpts[m->nrcpts - 1].rcpt.address, why);
}

static bool
is_orcpt(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_text(rest, m->rcpts[m->nrcpts - 1].rcpt.orcpt, why);
}

static bool
is_notify(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_number(rest, m->rcpts[m->nrcpts - 1].rcpt.notify, why);
}

static bool
is_nrcpt(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_number(rest, m->nrcpts, why);
}

static bool
is_ret(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_number(rest, m->envelope.ret, why);
}

static bool
is_flags(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && is_number(rest, m->flags, why);
}

static bool
is_auths(struct world *w, struct str rest, struct buf *why)
{
	return is_number(rest, w->auths, why);
}

static bool
is_writes(struct world *w, struct str rest, struct buf *why)
{
	unsigned n = w->conns[1].writes;

	w->conns[1].writes = 0;
	return is_number(rest, n, why);
}

static bool
in_log(const struct world *w, struct str pattern)
{
	struct str rest = buf_str(&w->log);
	struct str line;
	struct buf glob;
	bool found = false;

	buf_init(&glob, 1 << 16);
	found = !talk_expand(&glob, pattern);
	while (!found && str_cut(&rest, '\n', &line))
		found = talk_match(buf_str(&glob), line);
	buf_fini(&glob);
	return found;
}

static bool
is_logged(struct world *w, struct str rest, struct buf *why)
{
	return in_log(w, rest) || world_no(why, "log", buf_str(&w->log));
}

/* "N PATTERN" */
static bool
is_logged_often(struct world *w, struct str rest, struct buf *why)
{
	struct str lines = buf_str(&w->log);
	struct str count = { 0 };
	struct str line;
	uint64_t n = 0;

	str_cut(&rest, ' ', &count);
	while (str_cut(&lines, '\n', &line))
		n += talk_match(rest, line);
	return is_number(count, n, why);
}

static bool
is_not_logged(struct world *w, struct str rest, struct buf *why)
{
	return !in_log(w, rest) || world_no(why, "log", buf_str(&w->log));
}

static const struct world_word words[] = {
	{ "spool", is_spool },
	{ "body", is_body },
	{ "body-like", is_body_like },
	{ "body-end", is_body_end },
	{ "bodysize", is_body_size },
	{ "prefix", is_prefix },
	{ "sender", is_sender },
	{ "envid", is_envid },
	{ "protocol", is_protocol },
	{ "login", is_login },
	{ "rcpt", is_rcpt },
	{ "orcpt", is_orcpt },
	{ "notify", is_notify },
	{ "nrcpt", is_nrcpt },
	{ "ret", is_ret },
	{ "flags", is_flags },
	{ "auths", is_auths },
	{ "writes", is_writes },
	{ "log", is_logged },
	{ "nolog", is_not_logged },
	{ "logged", is_logged_often },
};

enum talk_word
world_look(struct world *w, struct str word, struct str rest, struct buf *why)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(word, str_of(words[i].word)))
			return words[i].run(w, rest, why) ? TALK_DONE : TALK_FAILED;
	return TALK_UNKNOWN;
}
