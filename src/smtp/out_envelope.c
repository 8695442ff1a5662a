/* out_envelope.c - MAIL and RCPT with the parameters of what the server offers (RFC 5321 4.1.1.2, 4.1.1.3; RFC 1870,
 * RFC 3030, RFC 3461, RFC 6152, RFC 6531, RFC 6533, RFC 8689). */
#include <postern/core/utf8.h>

#include "out_session.h"

/* --- xtext --- */

static bool
is_xchar(char c)
{
	return c > 0x20 && c < 0x7f && c != '+' && c != '=';
}

/* RFC 3461 4: what is no xchar is "+" and two upper-case hexadecimal digits. */
static void
add_xtext(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (is_xchar(text.p[i]))
			buf_add_char(out, text.p[i]);
		else
			buf_addf(out, "+%02X", (unsigned)(unsigned char)text.p[i]);
	}
}

/* utf-8-addr-xtext (RFC 6533 3): ASCII only, good with and without SMTPUTF8. */
static void
add_utf8_xtext(struct buf *out, struct str text)
{
	uint32_t code = 0;
	size_t used = 0;

	for (; text.n > 0; text = str_sub(text, used, text.n)) {
		if (!utf8_next(text, &code, &used))
			continue;
		if (code < 0x7f && is_xchar((char)code) && code != '\\')
			buf_add_char(out, (char)code);
		else
			buf_addf(out, "\\x{%02X}", code);
	}
}

/* addr-type ";" address (RFC 3461 4.2). */
static void
add_orcpt(struct buf *out, struct str orcpt)
{
	struct str type = { 0 };

	str_cut(&orcpt, ';', &type);
	buf_addf(out, " ORCPT=%.*s;", STR_ARG(type));
	if (str_eq_nocase(type, STR("utf-8")))
		add_utf8_xtext(out, orcpt);
	else
		add_xtext(out, orcpt);
}

/* --- MAIL --- */

static void
add_body(struct smtp_out *s, unsigned flags)
{
	if (flags & ENVELOPE_BINARY)
		buf_add_cstr(&s->out, " BODY=BINARYMIME");
	else if ((flags & (ENVELOPE_8BIT | ENVELOPE_UTF8_HEADER)) && (s->caps & CAP_8BITMIME))
		buf_add_cstr(&s->out, " BODY=8BITMIME");
}

static void
add_dsn(struct smtp_out *s, const struct smtp_out_mail *m)
{
	static const char *const ret[] = { "", " RET=FULL", " RET=HDRS" };

	if (!(s->caps & CAP_DSN))
		return;
	buf_add_cstr(&s->out, ret[m->ret]);
	if (m->envid.n > 0) {
		buf_add_cstr(&s->out, " ENVID=");
		add_xtext(&s->out, m->envid);
	}
}

void
out_envelope_mail(struct smtp_out *s)
{
	const struct smtp_out_mail *m = s->tx.mail;

	buf_addf(&s->out, "MAIL FROM:<%.*s>", STR_ARG(m->sender));
	if ((s->caps & CAP_SIZE) && m->size > 0)
		buf_addf(&s->out, " SIZE=%llu", (unsigned long long)m->size);
	add_body(s, m->flags);
	if (s->tx.utf8)
		buf_add_cstr(&s->out, " SMTPUTF8");
	if ((m->flags & ENVELOPE_REQUIRETLS) && s->has_tls && (s->caps & CAP_REQUIRETLS))
		buf_add_cstr(&s->out, " REQUIRETLS");
	add_dsn(s, m);
	out_command(s, OUT_MAIL, "%s", "");
}

/* --- RCPT --- */

static void
add_notify(struct buf *out, unsigned notify)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
		{ "NEVER", ENVELOPE_NOTIFY_NEVER },
		{ "SUCCESS", ENVELOPE_NOTIFY_SUCCESS },
		{ "FAILURE", ENVELOPE_NOTIFY_FAILURE },
		{ "DELAY", ENVELOPE_NOTIFY_DELAY },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!(notify & words[i].bit))
			continue;
		buf_addf(out, "%s%s", before, words[i].word);
		before = ",";
	}
}

void
out_envelope_rcpt(struct smtp_out *s, const struct smtp_out_rcpt *r)
{
	buf_addf(&s->out, "RCPT TO:<%.*s>", STR_ARG(r->address));
	if (s->caps & CAP_DSN) {
		add_notify(&s->out, r->notify);
		if (r->orcpt.n > 0)
			add_orcpt(&s->out, r->orcpt);
	}
	out_command(s, OUT_RCPT, "%s", "");
}
