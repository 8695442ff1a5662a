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
 *   log PATTERN      some line since the start of the transcript     nolog PATTERN     logged N PATTERN   so many
 *                                  lines */
#include <postern/core/log.h>

#include "smtp_peer.h"

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
	return world_no(why, "profile", rest);
}

static bool
add_users(struct world *w, struct str rest, struct buf *why)
{
	struct str item;
	struct str address;

	while (str_cut(&rest, ' ', &item)) {
		if (w->nusers == USERS_MAX)
			return world_no(why, "too many users", item);
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
		return world_no(why, "grant", rest);
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
			return world_no(why, "limit", name);
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
			return world_no(why, "limit", name);
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
	return w->conf.show_client || world_no(why, "show", rest);
}

static bool
set_tls(struct world *w, struct str rest, struct buf *why)
{
	w->conf.tls = false;
	return str_eq(rest, STR("off")) || world_no(why, "offer", rest);
}

static bool
set_early(struct world *w, struct str rest, struct buf *why)
{
	struct buf bytes;
	bool ok;

	buf_init(&bytes, SMTP_FEED_MAX);
	ok = talk_expand(&bytes, rest) || world_no(why, "early", rest);
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
		return world_no(why, "refuse", rest);
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
	return w->verdict_later || world_no(why, "verdict", rest);
}

static bool
set_one_of(struct str rest, const char *const *names, size_t n, int *value, struct buf *why)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(rest, str_of(names[i]))) {
			*value = (int)i;
			return true;
		}
	return world_no(why, "none of its values", rest);
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

static const struct world_word words[] = {
	{ "profile", set_profile },
	{ "users", add_users },
	{ "grant", add_grant },
	{ "limits", set_limits },
	{ "client", set_client },
	{ "show", set_show },
	{ "offer-tls", set_tls },
	{ "early", set_early },
	{ "relay", set_relay },
	{ "refuse", set_refuse },
	{ "submit", set_submit },
	{ "verdict", set_verdict },
	{ "load", set_load },
	{ "answers", set_answers },
	{ "sink", set_sink },
	{ "shutdown", do_shutdown },
};

bool
world_no(struct buf *why, const char *what, struct str got)
{
	buf_addf(why, "%s: \"%.*s\"", what, STR_ARG(str_sub(got, 0, 400)));
	return false;
}

enum talk_word
world_word(void *ctx, struct str word, struct str rest, struct buf *why)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(word, str_of(words[i].word)))
			return words[i].run(ctx, rest, why) ? TALK_DONE : TALK_FAILED;
	return world_look(ctx, word, rest, why);
}
