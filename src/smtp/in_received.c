/* in_received.c - the trace field that goes before the message (RFC 5321 4.4, 3848, 6531 4.3, 8314 4.3). */
#include <postern/message/date.h>

#include "in_session.h"

const char *
in_protocol(const struct smtp_in *s)
{
	static const char *const names[2][2][2] = {
		/* [SMTPUTF8][TLS][AUTH] */
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};

	if (!s->esmtp && !s->has_tls)
		return "SMTP";
	return names[s->tx.smtputf8][s->has_tls][s->login.n > 0];
}

/* address-literal (RFC 5321 4.1.3) */
static void
write_literal(struct buf *out, struct str address)
{
	buf_addf(out, "[%s%.*s]", str_has(address, ':') ? "IPv6:" : "", STR_ARG(address));
}

/* Where a user sits is nobody's business; the log knows. The name is his machine's own and goes with the address. */
static void
write_from(const struct smtp_in *s, struct buf *out)
{
	if (s->profile == SMTP_LOCAL) {
		buf_addf(out, "from local (%.*s)", STR_ARG(s->user));
		return;
	}
	if (s->login.n > 0 && !s->conf->show_client) {
		buf_add(out, STR("from submission (client hidden)"));
		return;
	}
	buf_addf(out, "from %.*s (", STR_ARG(s->helo));
	write_literal(out, s->address);
	buf_add(out, STR(")"));
}

static void
write_tls(const struct smtp_in *s, struct buf *out)
{
	if (!s->has_tls)
		return;
	buf_addf(out, "\r\n\t(version=%.*s cipher=%.*s bits=%u)", STR_ARG(s->tls.version), STR_ARG(s->tls.cipher),
	    s->tls.bits);
}

/* Behind "for": the registered clauses come last. Names from OpenSSL could hold a "-"; the grammar has none. */
static void
write_tls_clause(const struct smtp_in *s, struct buf *out)
{
	if (!s->has_tls || s->tls.cipher.n == 0 || str_has(s->tls.cipher, '-'))
		return;
	buf_addf(out, "\r\n\ttls %.*s", STR_ARG(s->tls.cipher));
	if (s->tls.group.n > 0)
		buf_addf(out, " group %.*s", STR_ARG(s->tls.group));
}

/* One recipient only: others learn nothing of each other (RFC 5321 7.6). */
static void
write_for(const struct smtp_in *s, struct buf *out)
{
	if (s->tx.nrcpts == 1)
		buf_addf(out, "\r\n\tfor <%.*s>", STR_ARG(s->tx.rcpts[0].rcpt.address));
}

void
in_received_write(const struct smtp_in *s, struct buf *out)
{
	char qid[ID_TEXT_SIZE];

	id_text(s->tx.envelope.qid, qid);
	buf_add(out, STR("Received: "));
	write_from(s, out);
	buf_addf(out, "\r\n\tby %.*s (postern) with %s id %s", STR_ARG(s->conf->hostname), in_protocol(s), qid);
	write_for(s, out);
	write_tls_clause(s, out);
	write_tls(s, out);
	buf_add(out, STR(";\r\n\t"));
	date_write_mail(out, date_local(s->tx.envelope.received));
	buf_add(out, STR("\r\n"));
}
