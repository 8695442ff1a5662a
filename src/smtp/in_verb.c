/* in_verb.c - the verbs of the server, one row each; what follows from the rows. */
#include <postern/core/utf8.h>

#include "in_session.h"

static struct smtp_reply
rset_run(struct smtp_in *s, const struct in_args *a)
{
	(void)a;
	if (s->state != IN_START)
		s->state = IN_READY;
	in_tx_reset(s);
	return smtp_reply(SMTP_FORGOTTEN);
}

/* The same for everybody: whether an address exists is not told (RFC 5321 7.3, 3.5.3). */
static struct smtp_reply
vrfy_run(struct smtp_in *s, const struct in_args *a)
{
	(void)s;
	(void)a;
	return smtp_reply(SMTP_VRFY);
}

static struct smtp_reply
expn_run(struct smtp_in *s, const struct in_args *a)
{
	(void)s;
	(void)a;
	return smtp_reply(SMTP_NO_EXPN);
}

static struct smtp_reply
noop_run(struct smtp_in *s, const struct in_args *a)
{
	(void)s;
	(void)a;
	return smtp_reply(SMTP_OK);
}

static struct smtp_reply
quit_run(struct smtp_in *s, const struct in_args *a)
{
	(void)s;
	(void)a;
	return smtp_reply(SMTP_BYE);
}

static struct smtp_reply
foreign_run(struct smtp_in *s, const struct in_args *a)
{
	(void)s;
	(void)a;
	return smtp_reply(SMTP_NOT_SMTP);
}

/* [ SP String ]: whatever it says. */
static bool
rest_parse(struct cur *c, struct in_args *a)
{
	if (cur_take(c, " "))
		a->word = cur_bytes(c, cur_left(c));
	return cur_end(c);
}

/* SP String */
static bool
word_parse(struct cur *c, struct in_args *a)
{
	return rest_parse(c, a) && a->word.n > 0;
}

static struct smtp_reply help_run(struct smtp_in *s, const struct in_args *a);

#define IN_GREETED (IN_READY | IN_MAIL | IN_RCPT)

static const struct in_verb verbs[] = {
	{ STR_INIT("EHLO"), IN_ANY, V_CHAT, hello_parse, ehlo_run, "5321 4.1.1.1" },
	{ STR_INIT("HELO"), IN_ANY, V_CHAT, hello_parse, helo_run, "5321 4.1.1.1" },
	{ STR_INIT("STARTTLS"), IN_GREETED, V_CHAT, NULL, starttls_run, "3207 4" },
	{ STR_INIT("AUTH"), IN_ANY, V_CHAT | V_SECRET, auth_parse, auth_run, "4954 4" },
	{ STR_INIT("MAIL"), IN_READY, V_GUARDED, mail_parse, mail_run, "5321 4.1.1.2" },
	{ STR_INIT("RCPT"), IN_MAIL | IN_RCPT, V_GUARDED, rcpt_parse, rcpt_run, "5321 4.1.1.3" },
	{ STR_INIT("DATA"), IN_RCPT, V_GUARDED, NULL, data_run, "5321 4.1.1.4" },
	{ STR_INIT("BDAT"), IN_ANY, 0, bdat_parse, bdat_run, "3030 2" },
	{ STR_INIT("RSET"), IN_ANY, V_CHAT, NULL, rset_run, "5321 4.1.1.5" },
	{ STR_INIT("VRFY"), IN_ANY, V_CHAT | V_GUARDED, word_parse, vrfy_run, "5321 4.1.1.6" },
	{ STR_INIT("EXPN"), IN_ANY, V_CHAT | V_GUARDED | V_HIDDEN, word_parse, expn_run, "5321 4.1.1.7" },
	{ STR_INIT("HELP"), IN_ANY, V_CHAT, rest_parse, help_run, "5321 4.1.1.8" },
	{ STR_INIT("NOOP"), IN_ANY, V_CHAT, rest_parse, noop_run, "5321 4.1.1.9" },
	{ STR_INIT("QUIT"), IN_ANY, 0, NULL, quit_run, "5321 4.1.1.10" },
	/* a browser that was led here must get nothing it could show or run: one short line, no echo */
	{ STR_INIT("GET"), IN_ANY, V_FOREIGN | V_HIDDEN, rest_parse, foreign_run, "9110 9.3" },
	{ STR_INIT("HEAD"), IN_ANY, V_FOREIGN | V_HIDDEN, rest_parse, foreign_run, "9110 9.3" },
	{ STR_INIT("POST"), IN_ANY, V_FOREIGN | V_HIDDEN, rest_parse, foreign_run, "9110 9.3" },
	{ STR_INIT("PUT"), IN_ANY, V_FOREIGN | V_HIDDEN, rest_parse, foreign_run, "9110 9.3" },
	{ STR_INIT("DELETE"), IN_ANY, V_FOREIGN | V_HIDDEN, rest_parse, foreign_run, "9110 9.3" },
	{ STR_INIT("CONNECT"), IN_ANY, V_FOREIGN | V_HIDDEN, rest_parse, foreign_run, "9110 9.3" },
	{ STR_INIT("OPTIONS"), IN_ANY, V_FOREIGN | V_HIDDEN, rest_parse, foreign_run, "9110 9.3" },
	{ STR_INIT("TRACE"), IN_ANY, V_FOREIGN | V_HIDDEN, rest_parse, foreign_run, "9110 9.3" },
	{ STR_INIT("PATCH"), IN_ANY, V_FOREIGN | V_HIDDEN, rest_parse, foreign_run, "5789 2" },
	{ STR_INIT("PRI"), IN_ANY, V_FOREIGN | V_HIDDEN, rest_parse, foreign_run, "9113 3.4" },
};

enum { NVERBS = sizeof(verbs) / sizeof(verbs[0]) };

const struct in_verb *
in_verb_find(struct str name)
{
	for (size_t i = 0; i < NVERBS; i++)
		if (str_eq_nocase(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* RFC 5321 4.1.1.8 */
static struct smtp_reply
help_run(struct smtp_in *s, const struct in_args *a)
{
	struct buf names;
	struct smtp_reply r;

	(void)a;
	buf_init(&names, SMTP_REPLY_LINE_MAX);
	buf_add(&names, STR("commands:"));
	for (size_t i = 0; i < NVERBS; i++)
		if (!(verbs[i].flags & V_HIDDEN)) {
			buf_add_char(&names, ' ');
			buf_add(&names, verbs[i].name);
		}
	r = smtp_reply_with(214, "2.0.0", arena_str(&s->scratch, buf_str(&names)));
	buf_fini(&names);
	return r;
}

/* What has to come first, from the state alone. */
static enum smtp_reply_name
wrong_state(const struct smtp_in *s, const struct in_verb *v)
{
	switch (s->state) {
	case IN_START:
		return SMTP_HELLO_FIRST;
	case IN_CHUNK:
		return SMTP_CHUNKS_ONLY;
	case IN_BROKEN:
		return SMTP_TX_BROKEN;
	default:
		break;
	}
	if (s->state == IN_READY)
		return SMTP_MAIL_FIRST;
	if (s->state == IN_MAIL && (v->allowed & IN_RCPT))
		return s->tx.refused > 0 ? SMTP_NO_VALID_RCPT : SMTP_RCPT_FIRST;
	return SMTP_NOT_NOW;
}

enum smtp_reply_name
in_guard(const struct smtp_in *s)
{
	if (s->profile == SMTP_MX || s->profile == SMTP_LOCAL || s->login.n > 0)
		return SMTP_OK;
	return s->has_tls ? SMTP_NEED_AUTH : SMTP_NEED_TLS;
}

/* Commands are text: no control bytes, and bytes above 127 only as UTF-8 (RFC 6531 3.3). */
static bool
is_text(struct str line)
{
	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.p[i] < 0x20 || line.p[i] == 0x7f)
			return false;
	return utf8_valid(line);
}

static bool
parse_args(const struct in_verb *v, struct str rest, struct in_args *a)
{
	struct cur c = cur_init(rest);

	while (c.end > c.p && c.end[-1] == ' ') /* RFC 5321 4.1.1: trailing white space SHOULD be tolerated */
		c.end--;
	return v->parse != NULL ? v->parse(&c, a) : cur_end(&c);
}

/* Before EHLO an unknown word is a client of another protocol, and would go on talking: it is cut off at once. */
static struct smtp_reply
unknown(const struct smtp_in *s)
{
	return smtp_reply(s->state == IN_START && !s->has_tls ? SMTP_NOT_SMTP : SMTP_UNKNOWN);
}

struct smtp_reply
in_verb_run(struct smtp_in *s, struct str line)
{
	size_t name = str_find(line, ' ');
	const struct in_verb *v = in_verb_find(str_sub(line, 0, name));
	enum smtp_reply_name guard;

	s->verb = v;
	s->args = (struct in_args){ .arena = &s->scratch, .bad = SMTP_SYNTAX };
	if (v == NULL)
		return unknown(s);
	if (!is_text(line))
		return smtp_reply(SMTP_CONTROL_BYTE);
	guard = v->flags & V_GUARDED ? in_guard(s) : SMTP_OK;
	if (guard != SMTP_OK)
		return smtp_reply(guard);
	if (!(v->allowed & s->state))
		return smtp_reply(wrong_state(s, v));
	if (!parse_args(v, str_sub(line, name, line.n), &s->args))
		return smtp_reply(s->args.bad);
	return v->run(s, &s->args);
}
