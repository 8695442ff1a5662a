/* out_needs.c - what a message needs of a server, looked at before MAIL: nobody sends
 * 50 MB to be told what EHLO said. */
#include <postern/core/utf8.h>
#include <postern/message/address.h>

#include "out_session.h"

struct need {
	bool (*lacks)(const struct smtp_out *s, const struct smtp_out_mail *m);
	enum smtp_out_outcome outcome;
	const char *enhanced;
	const char *words;
};

/* RFC 1870 6.1 */
static bool
lacks_size(const struct smtp_out *s, const struct smtp_out_mail *m)
{
	return s->size > 0 && m->size > s->size;
}

/* RFC 3030 3: BINARYMIME goes in chunks. */
static bool
lacks_binary(const struct smtp_out *s, const struct smtp_out_mail *m)
{
	return (m->flags & ENVELOPE_BINARY) && (~s->caps & (CAP_CHUNKING | CAP_BINARYMIME));
}

/* RFC 6152 3 */
static bool
lacks_8bit(const struct smtp_out *s, const struct smtp_out_mail *m)
{
	return (m->flags & (ENVELOPE_8BIT | ENVELOPE_UTF8_HEADER)) == ENVELOPE_8BIT && !(m->flags & ENVELOPE_BINARY) &&
	       !(s->caps & CAP_8BITMIME);
}

static bool
lacks_utf8_sender(const struct smtp_out *s, const struct smtp_out_mail *m)
{
	return !ascii_only(m->sender) && !(s->caps & CAP_SMTPUTF8);
}

static bool
lacks_utf8_header(const struct smtp_out *s, const struct smtp_out_mail *m)
{
	return (m->flags & ENVELOPE_UTF8_HEADER) && !(s->caps & CAP_SMTPUTF8);
}

/* RFC 8689 4.2.1: a bounce goes all the same. */
static bool
lacks_requiretls(const struct smtp_out *s, const struct smtp_out_mail *m)
{
	return (m->flags & ENVELOPE_REQUIRETLS) && m->sender.n > 0 &&
	       !(s->has_tls && s->verified && (s->caps & CAP_REQUIRETLS));
}

/* No control byte and no parameter gets into MAIL or RCPT, whatever the queue holds. */
static bool
is_address(struct str text)
{
	struct address a;

	return address_parse(text, ADDRESS_UTF8, &a);
}

static bool
lacks_sender(const struct smtp_out *s, const struct smtp_out_mail *m)
{
	(void)s;
	return m->sender.n > 0 && !is_address(m->sender);
}

static const struct need needs[] = {
	{ lacks_sender, SMTP_OUT_PERM, "5.1.7", "the sender address is malformed" },
	{ lacks_size, SMTP_OUT_PERM, "5.3.4", "the message is larger than the server takes" },
	{ lacks_requiretls, SMTP_OUT_PERM, "5.7.30", "the sender requires TLS, which the server cannot promise" },
	{ lacks_utf8_sender, SMTP_OUT_PERM, "5.6.7", "the sender needs SMTPUTF8, which the server does not offer" },
	{ lacks_utf8_header, SMTP_OUT_PERM, "5.6.9", "the header needs SMTPUTF8, which the server does not offer" },
	{ lacks_binary, SMTP_OUT_CONVERT, "5.6.3", "the server takes no binary content" },
	{ lacks_8bit, SMTP_OUT_CONVERT, "5.6.3", "the server takes no 8-bit content" },
};

static void
check_rcpt(struct smtp_out *s, size_t i)
{
	struct str address = s->tx.mail->rcpts[i].address;
	struct smtp_out_result r;

	if (!is_address(address) && !str_eq_nocase(address, STR("postmaster")))
		r = out_own(SMTP_OUT_PERM, SMTP_OUT_AT_MAIL, "5.1.3", STR("the address is malformed"));
	else if (!ascii_only(address) && !(s->caps & CAP_SMTPUTF8))
		r = out_own(SMTP_OUT_PERM, SMTP_OUT_AT_MAIL, "5.6.7",
		    STR("the address needs SMTPUTF8, which the server does not offer"));
	else
		return;
	out_result(s, i, &r);
}

void
out_needs_check(struct smtp_out *s)
{
	const struct smtp_out_mail *m = s->tx.mail;
	struct smtp_out_result r;

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		if (!needs[i].lacks(s, m))
			continue;
		r = out_own(needs[i].outcome, SMTP_OUT_AT_MAIL, needs[i].enhanced, str_of(needs[i].words));
		out_result_all(s, 0, &r);
		return;
	}
	for (size_t i = 0; i < m->nrcpts; i++)
		check_rcpt(s, i);
}
