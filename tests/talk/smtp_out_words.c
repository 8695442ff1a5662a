/* smtp_out_words.c - the words of the client's transcripts.
 *
 * Before the first line:
 *   protocol lmtp          starttls plain|offered|demanded|first      verified no    what the handshake finds
 *   login USER PASSWORD    password-to-anybody    chunking    messages N
 * A message, sent when the session is ready (behind the first line: with `go`):
 *   mail SENDER RCPT …     addresses in <>, with escapes             rcpts N    r1@remote.test, r2@remote.test, …
 *   flags 8bit|binary|utf8|requiretls …    size N    ret full|hdrs    envid TEXT
 *   notify N BITS          orcpt N TEXT    of recipient N (BITS: a number, see envelope.h)
 *   body BYTES             with escapes
 * At any time:
 *   go    quit    answers now|later|held    pieces N    body-fails    tls-fails WORDS
 * What came of it:
 *   result [M.]N PATTERN   of recipient N of message M: "OUTCOME CODE ENHANCED STAGE: WORDS", then (unsure), (dsn)
 *   noresult [M.]N         dones N         end PATTERN   as result     writes N   since the last time asked
 *   unsure yes|no          server PATTERN  starttls-seen yes|no        idle   the session waits for a message */
#include <postern/core/log.h>

#include "smtp_out_peer.h"

struct word {
	const char *word;
	bool (*run)(struct out_world *w, struct str rest, struct buf *why);
};

static bool
no(struct buf *why, const char *what, struct str got)
{
	buf_addf(why, "%s: \"%.*s\"", what, STR_ARG(str_sub(got, 0, 600)));
	return false;
}

static bool
one_of(struct str rest, const char *const *names, size_t n, size_t *value, struct buf *why)
{
	for (*value = 0; *value < n; ++*value)
		if (str_eq(rest, str_of(names[*value])))
			return true;
	return no(why, "none of its values", rest);
}

static bool
number(struct str rest, uint64_t *n, struct buf *why)
{
	return str_u64(rest, UINT64_MAX, n) || no(why, "no number", rest);
}

/* --- how the world is --- */

static bool
set_protocol(struct out_world *w, struct str rest, struct buf *why)
{
	w->conf.protocol = SMTP_OUT_LMTP;
	return str_eq(rest, STR("lmtp")) || no(why, "protocol", rest);
}

static bool
set_starttls(struct out_world *w, struct str rest, struct buf *why)
{
	static const char *const names[] = { "plain", "offered", "demanded", "first" };
	size_t v;

	if (!one_of(rest, names, 4, &v, why))
		return false;
	w->conf.starttls = (enum smtp_out_starttls)v;
	return true;
}

static bool
set_verified(struct out_world *w, struct str rest, struct buf *why)
{
	w->verified = false;
	return str_eq(rest, STR("no")) || no(why, "verified", rest);
}

static bool
set_login(struct out_world *w, struct str rest, struct buf *why)
{
	struct str user = { 0 };

	(void)why;
	str_cut(&rest, ' ', &user);
	w->conf.user = arena_str(&w->arena, user);
	w->conf.password = arena_str(&w->arena, rest);
	return true;
}

static bool
set_anybody(struct out_world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	return w->conf.password_to_anybody = true;
}

static bool
set_chunking(struct out_world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	return w->conf.chunking = true;
}

static bool
set_messages(struct out_world *w, struct str rest, struct buf *why)
{
	uint64_t n = 0;

	if (!number(rest, &n, why))
		return false;
	w->conf.messages = (unsigned)n;
	return true;
}

/* --- messages --- */

static struct out_mail *
last(struct out_world *w)
{
	ASSERT(w->nmails > 0);
	return &w->mails[w->nmails - 1];
}

/* Without <>, with escapes. */
static struct str
address(struct out_world *w, struct str word)
{
	struct buf b;
	struct str text;

	buf_init(&b, 4096);
	ASSERT(word.n >= 2 && talk_expand(&b, str_sub(word, 1, word.n - 1)));
	text = arena_str(&w->arena, buf_str(&b));
	buf_fini(&b);
	return text;
}

static bool
add_mail(struct out_world *w, struct str rest, struct buf *why)
{
	struct out_mail *m = &w->mails[w->nmails];
	struct str word = { 0 };

	if (w->nmails == OUT_MAILS_MAX || !str_cut(&rest, ' ', &word))
		return no(why, "mail", rest);
	m->rcpts = arena_array(&w->arena, OUT_RCPTS_MAX, sizeof(*m->rcpts));
	m->results = arena_array(&w->arena, OUT_RCPTS_MAX, sizeof(*m->results));
	m->mail.sender = address(w, word);
	m->mail.rcpts = m->rcpts;
	m->body = STR("Subject: hi\r\n\r\nbody\r\n");
	while (str_cut(&rest, ' ', &word))
		m->rcpts[m->mail.nrcpts++].address = address(w, word);
	w->nmails++;
	return true;
}

static bool
add_rcpts(struct out_world *w, struct str rest, struct buf *why)
{
	struct out_mail *m = last(w);
	uint64_t n = 0;

	if (!number(rest, &n, why) || m->mail.nrcpts + n > OUT_RCPTS_MAX)
		return no(why, "recipients", rest);
	for (uint64_t i = 1; i <= n; i++)
		m->rcpts[m->mail.nrcpts++].address = arena_strf(&w->arena, "r%u@remote.test", (unsigned)i);
	return true;
}

static bool
set_flags(struct out_world *w, struct str rest, struct buf *why)
{
	static const char *const names[] = { "8bit", "binary", "utf8", "requiretls" };
	static const unsigned bits[] = { ENVELOPE_8BIT, ENVELOPE_BINARY, ENVELOPE_UTF8_HEADER, ENVELOPE_REQUIRETLS };
	struct str item;
	size_t v;

	while (str_cut(&rest, ' ', &item)) {
		if (!one_of(item, names, 4, &v, why))
			return false;
		last(w)->mail.flags |= bits[v];
	}
	return true;
}

static bool
set_size(struct out_world *w, struct str rest, struct buf *why)
{
	return number(rest, &last(w)->mail.size, why);
}

static bool
set_ret(struct out_world *w, struct str rest, struct buf *why)
{
	static const char *const names[] = { "none", "full", "hdrs" };
	size_t v;

	if (!one_of(rest, names, 3, &v, why))
		return false;
	last(w)->mail.ret = (enum envelope_ret)v;
	return true;
}

static bool
set_envid(struct out_world *w, struct str rest, struct buf *why)
{
	(void)why;
	last(w)->mail.envid = arena_str(&w->arena, rest);
	return true;
}

/* "N rest": recipient N of the last message. */
static struct smtp_out_rcpt *
rcpt(struct out_world *w, struct str *rest)
{
	struct str word = { 0 };
	uint64_t n = 0;

	str_cut(rest, ' ', &word);
	ASSERT(str_u64(word, last(w)->mail.nrcpts, &n) && n > 0);
	return &last(w)->rcpts[n - 1];
}

static bool
set_notify(struct out_world *w, struct str rest, struct buf *why)
{
	struct smtp_out_rcpt *r = rcpt(w, &rest);
	uint64_t n = 0;

	if (!number(rest, &n, why))
		return false;
	r->notify = (unsigned)n;
	return true;
}

static bool
set_orcpt(struct out_world *w, struct str rest, struct buf *why)
{
	struct smtp_out_rcpt *r = rcpt(w, &rest);

	(void)why;
	r->orcpt = arena_str(&w->arena, rest);
	return true;
}

static bool
set_body(struct out_world *w, struct str rest, struct buf *why)
{
	struct buf b;
	bool ok;

	buf_init(&b, 64 << 20);
	ok = talk_expand(&b, rest) || no(why, "body", rest);
	last(w)->body = arena_str(&w->arena, buf_str(&b));
	buf_fini(&b);
	return ok;
}

/* --- at any time --- */

static bool
do_go(struct out_world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	w->sendable = w->nmails;
	out_world_drive(w);
	return true;
}

static bool
do_quit(struct out_world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	smtp_out_quit(w->session);
	return true;
}

static bool
set_answers(struct out_world *w, struct str rest, struct buf *why)
{
	static const char *const names[] = { "now", "later", "held" };
	size_t v;

	if (!one_of(rest, names, 3, &v, why))
		return false;
	w->answers = (enum out_answers)v;
	out_world_drive(w);
	return true;
}

static bool
set_pieces(struct out_world *w, struct str rest, struct buf *why)
{
	uint64_t n = 0;

	if (!number(rest, &n, why))
		return false;
	w->piece = (size_t)n;
	return true;
}

static bool
set_body_fails(struct out_world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	return w->fails = true;
}

static bool
do_tls_fails(struct out_world *w, struct str rest, struct buf *why)
{
	if (!w->handshake)
		return no(why, "no handshake", rest);
	w->handshake = false;
	smtp_out_tls_failed(w->session, rest);
	return true;
}

/* --- what came of it --- */

/* "[M.]N rest" */
static struct str
result_of(struct out_world *w, struct str *rest)
{
	struct str which = { 0 };
	struct str mail = { 0 };
	uint64_t m = 1;
	uint64_t n = 0;

	str_cut(rest, ' ', &which);
	if (str_has(which, '.')) {
		str_cut(&which, '.', &mail);
		ASSERT(str_u64(mail, w->nmails, &m) && m > 0);
	}
	ASSERT(str_u64(which, w->mails[m - 1].mail.nrcpts, &n) && n > 0);
	return w->mails[m - 1].results[n - 1];
}

static bool
look_result(struct out_world *w, struct str rest, struct buf *why)
{
	struct str result = result_of(w, &rest);

	return talk_match(rest, result) || no(why, "result", result);
}

static bool
look_noresult(struct out_world *w, struct str rest, struct buf *why)
{
	struct str result = result_of(w, &rest);

	return result.p == NULL || no(why, "result", result);
}

static bool
look_dones(struct out_world *w, struct str rest, struct buf *why)
{
	uint64_t n = 0;

	if (!number(rest, &n, why))
		return false;
	if (w->dones != n)
		buf_addf(why, "%u", w->dones);
	return w->dones == n;
}

static bool
look_end(struct out_world *w, struct str rest, struct buf *why)
{
	return (w->closed && talk_match(rest, w->end)) || no(why, "end", w->end);
}

static bool
look_writes(struct out_world *w, struct str rest, struct buf *why)
{
	uint64_t n = 0;
	unsigned were = w->writes;

	w->writes = 0;
	if (!number(rest, &n, why))
		return false;
	if (were != n)
		buf_addf(why, "%u", were);
	return were == n;
}

static bool
yes_or_no(struct str rest, bool is, struct buf *why)
{
	return str_eq(rest, is ? STR("yes") : STR("no")) || no(why, "it is not", rest);
}

static bool
look_unsure(struct out_world *w, struct str rest, struct buf *why)
{
	return yes_or_no(rest, smtp_out_unsure(w->session), why);
}

static bool
look_server(struct out_world *w, struct str rest, struct buf *why)
{
	return talk_match(rest, smtp_out_server(w->session)) || no(why, "server", smtp_out_server(w->session));
}

static bool
look_starttls(struct out_world *w, struct str rest, struct buf *why)
{
	return yes_or_no(rest, smtp_out_offers_starttls(w->session), why);
}

static bool
look_idle(struct out_world *w, struct str rest, struct buf *why)
{
	struct mono when;

	return (w->ready && !smtp_out_deadline(w->session, &when)) || no(why, "not idle", rest);
}

static const struct word words[] = {
	{ "protocol", set_protocol },
	{ "starttls", set_starttls },
	{ "verified", set_verified },
	{ "login", set_login },
	{ "password-to-anybody", set_anybody },
	{ "chunking", set_chunking },
	{ "messages", set_messages },
	{ "mail", add_mail },
	{ "rcpts", add_rcpts },
	{ "flags", set_flags },
	{ "size", set_size },
	{ "ret", set_ret },
	{ "envid", set_envid },
	{ "notify", set_notify },
	{ "orcpt", set_orcpt },
	{ "body", set_body },
	{ "go", do_go },
	{ "quit", do_quit },
	{ "answers", set_answers },
	{ "pieces", set_pieces },
	{ "body-fails", set_body_fails },
	{ "tls-fails", do_tls_fails },
	{ "result", look_result },
	{ "noresult", look_noresult },
	{ "dones", look_dones },
	{ "end", look_end },
	{ "writes", look_writes },
	{ "unsure", look_unsure },
	{ "server", look_server },
	{ "starttls-seen", look_starttls },
	{ "idle", look_idle },
};

enum talk_word
out_world_word(void *ctx, struct str word, struct str rest, struct buf *why)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(word, str_of(words[i].word)))
			return words[i].run(ctx, rest, why) ? TALK_DONE : TALK_FAILED;
	return TALK_UNKNOWN;
}
