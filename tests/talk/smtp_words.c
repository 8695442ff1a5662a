/* smtp_words.c - the words of SMTP transcripts: how the world is, and what must have come of it.
 *
 * Before the first line of a connection:
 *   profile mx|submission|submissions|local  mx unless said otherwise
 *   users ADDRESS[:PASSWORD] …               example.test is the local domain; postmaster goes to the first
 *   grant LOGIN ADDRESS                      that login may send as that address, too
 *   limits size=N recipients=N messages=N hops=N errors=N command=SECONDS login=SECONDS      size 0 is no limit
 *   client ADDRESS   show client   offer-tls off   early BYTES   relay yes
 * At any time:
 *   refuse ADDRESS REPLY   submit REPLY   verdict later   load calm|busy|full
 *   answers now|later|held                   to what the session asks
 *   sink takes|no-open|no-write|waits|waits-fails
 *   shutdown
 * What came of it:
 *   spool N          messages so far          body BYTES       of the last one, exactly, with escapes
 *   bodysize N   body-like PATTERN   body-end BYTES            prefix PATTERN   unfolded
 *   sender, rcpt, orcpt, envid, protocol, login TEXT   of its envelope (rcpt: of the last recipient)
 *   nrcpt, notify, ret, flags N
 *   auths N          exchanges started        writes N         since the last time asked
 *   log PATTERN      some line since the start of the transcript     nolog PATTERN */
#include <postern/core/log.h>

#include "smtp_peer.h"

static bool
no(struct buf *why, const char *what, struct str got)
{
	buf_addf(why, "%s: \"%.*s\"", what, STR_ARG(str_sub(got, 0, 400)));
	return false;
}

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

/* --- how the world is --- */

static bool
set_profile(struct world *w, struct str rest, struct buf *why)
{
	static const char *const names[] = { "mx", "submission", "submissions", "local" };

	for (size_t i = 0; i < 4; i++)
		if (str_eq(rest, str_of(names[i]))) {
			w->profile = (enum smtp_in_profile)i;
			return true;
		}
	return no(why, "profile", rest);
}

static bool
add_users(struct world *w, struct str rest, struct buf *why)
{
	struct str item;
	struct str address;

	while (str_cut(&rest, ' ', &item)) {
		if (w->nusers == USERS_MAX)
			return no(why, "too many users", item);
		str_cut(&item, ':', &address);
		w->users[w->nusers].address = arena_str(&w->arena, address);
		w->users[w->nusers++].password = arena_str(&w->arena, item);
	}
	return true;
}

static bool
add_grant(struct world *w, struct str rest, struct buf *why)
{
	struct str login = { 0 };

	if (w->ngrants == GRANTS_MAX || !str_cut(&rest, ' ', &login))
		return no(why, "grant", rest);
	w->grants[w->ngrants].address = arena_str(&w->arena, login);
	w->grants[w->ngrants++].password = arena_str(&w->arena, rest);
	return true;
}

static bool
set_limits(struct world *w, struct str rest, struct buf *why)
{
	struct str item;
	struct str name;
	uint64_t n;

	while (str_cut(&rest, ' ', &item)) {
		str_cut(&item, '=', &name);
		if (!str_u64(item, UINT64_MAX, &n))
			return no(why, "limit", name);
		if (str_eq(name, STR("size")))
			w->conf.message_size = n;
		else if (str_eq(name, STR("recipients")))
			w->conf.recipients = (unsigned)n;
		else if (str_eq(name, STR("hops")))
			w->conf.hops = (unsigned)n;
		else if (str_eq(name, STR("errors")))
			w->conf.errors = (unsigned)n;
		else if (str_eq(name, STR("command")))
			w->conf.command_ms = (int64_t)n * 1000;
		else if (str_eq(name, STR("login")))
			w->conf.login_ms = (int64_t)n * 1000;
		else if (str_eq(name, STR("messages")))
			w->conf.messages = (unsigned)n;
		else
			return no(why, "limit", name);
	}
	return true;
}

static bool
set_client(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	w->client = arena_str(&w->arena, rest);
	return true;
}

static bool
set_show(struct world *w, struct str rest, struct buf *why)
{
	w->conf.show_client = str_eq(rest, STR("client"));
	return w->conf.show_client || no(why, "show", rest);
}

static bool
set_tls(struct world *w, struct str rest, struct buf *why)
{
	w->conf.tls = false;
	return str_eq(rest, STR("off")) || no(why, "offer", rest);
}

static bool
set_early(struct world *w, struct str rest, struct buf *why)
{
	struct buf bytes;
	bool ok;

	buf_init(&bytes, SMTP_FEED_MAX);
	ok = talk_expand(&bytes, rest) || no(why, "early", rest);
	w->early = arena_str(&w->arena, buf_str(&bytes));
	buf_fini(&bytes);
	return ok;
}

static bool
set_relay(struct world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	w->relay = true;
	return true;
}

struct smtp_reply
world_reply(struct world *w, struct str text)
{
	struct str rest = arena_str(&w->arena, text);
	struct str code = { 0 };
	struct str enhanced = { 0 };
	uint64_t n = 0;

	str_cut(&rest, ' ', &code);
	str_cut(&rest, ' ', &enhanced);
	ASSERT(str_u64(code, 599, &n));
	return smtp_reply_with((unsigned)n, arena_cstr(&w->arena, enhanced), rest);
}

static bool
set_refuse(struct world *w, struct str rest, struct buf *why)
{
	struct str address = { 0 };

	if (!str_cut(&rest, ' ', &address))
		return no(why, "refuse", rest);
	w->refused = arena_str(&w->arena, address);
	w->refusal = world_reply(w, rest);
	return true;
}

static bool
set_submit(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	w->submit_reply = world_reply(w, rest);
	return true;
}

static bool
set_verdict(struct world *w, struct str rest, struct buf *why)
{
	w->verdict_later = str_eq(rest, STR("later"));
	return w->verdict_later || no(why, "verdict", rest);
}

static bool
set_one_of(struct str rest, const char *const *names, size_t n, int *value, struct buf *why)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(rest, str_of(names[i]))) {
			*value = (int)i;
			return true;
		}
	return no(why, "none of its values", rest);
}

static bool
set_load(struct world *w, struct str rest, struct buf *why)
{
	static const char *const names[] = { "calm", "busy", "full" };
	int v = 0;
	bool ok = set_one_of(rest, names, 3, &v, why);

	w->load = (enum smtp_in_load)v;
	return ok;
}

static bool
set_answers(struct world *w, struct str rest, struct buf *why)
{
	static const char *const names[] = { "now", "later", "held" };
	int v = 0;
	bool ok = set_one_of(rest, names, 3, &v, why);

	w->answers = (enum answers)v;
	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++)
		conn_drive(&w->conns[i]);
	return ok;
}

static bool
set_sink(struct world *w, struct str rest, struct buf *why)
{
	static const char *const names[] = { "takes", "no-open", "no-write", "waits", "waits-fails" };
	int v = 0;
	bool ok = set_one_of(rest, names, 5, &v, why);

	w->sink = (enum sink_mood)v;
	return ok;
}

static bool
do_shutdown(struct world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++)
		if (w->conns[i].session != NULL && !w->conns[i].closed)
			smtp_in_shutdown(w->conns[i].session);
	return true;
}

/* --- what came of it --- */

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
	ok = talk_expand(&want, rest) && (str_eq(buf_str(&want), buf_str(&m->body)) || no(why, "body", buf_str(&m->body)));
	buf_fini(&want);
	return ok;
}

static bool
is_body_like(struct world *w, struct str rest, struct buf *why)
{
	const struct message *m = last(w, why);

	return m != NULL && (talk_match(rest, buf_str(&m->body)) || no(why, "body", buf_str(&m->body)));
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
	return ok || no(why, "body", buf_str(&m->body));
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
	ok = talk_match(rest, buf_str(&flat)) || no(why, "prefix", buf_str(&flat));
	buf_fini(&flat);
	return ok;
}

static bool
is_text(struct str rest, struct str got, struct buf *why)
{
	struct buf want;
	bool ok;

	buf_init(&want, 1 << 20);
	ok = (talk_expand(&want, rest) && str_eq(buf_str(&want), got)) || no(why, "it is", got);
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
	return in_log(w, rest) || no(why, "log", buf_str(&w->log));
}

static bool
is_not_logged(struct world *w, struct str rest, struct buf *why)
{
	return !in_log(w, rest) || no(why, "log", buf_str(&w->log));
}

static const struct {
	const char *word;
	bool (*run)(struct world *w, struct str rest, struct buf *why);
} words[] = {
	{ "profile", set_profile },   { "users", add_users },       { "grant", add_grant },
	{ "limits", set_limits },     { "client", set_client },     { "show", set_show },
	{ "offer-tls", set_tls },     { "early", set_early },       { "relay", set_relay },
	{ "refuse", set_refuse },     { "submit", set_submit },     { "verdict", set_verdict },
	{ "load", set_load },         { "answers", set_answers },   { "sink", set_sink },
	{ "shutdown", do_shutdown },  { "spool", is_spool },        { "body", is_body },
	{ "body-like", is_body_like }, { "body-end", is_body_end },
	{ "bodysize", is_body_size }, { "prefix", is_prefix },      { "sender", is_sender },
	{ "envid", is_envid },        { "protocol", is_protocol },  { "login", is_login },
	{ "rcpt", is_rcpt },          { "orcpt", is_orcpt },        { "notify", is_notify },
	{ "nrcpt", is_nrcpt },        { "ret", is_ret },            { "flags", is_flags },
	{ "auths", is_auths },        { "writes", is_writes },      { "log", is_logged },
	{ "nolog", is_not_logged },
};

enum talk_word
world_word(void *ctx, struct str word, struct str rest, struct buf *why)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(word, str_of(words[i].word)))
			return words[i].run(ctx, rest, why) ? TALK_DONE : TALK_FAILED;
	return TALK_UNKNOWN;
}
