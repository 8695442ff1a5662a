/* probe_judge_tls.c - what versions, ciphers and key exchange are worth (RFC 8996, RFC 9325). */
#include "probe_finding.h"

#include <stdio.h>

enum { SSL3, TLS_10, TLS_11, TLS_12, TLS_13 }; /* indexes of versions */
enum { TICKET_LONG_S = 7 * 24 * 3600, FIELD_MIN = 2048, FIELD_BROKEN = 1024 };

static bool
speaks(const struct port_facts *f, int version)
{
	return f->versions[version].nchosen > 0;
}

static void
check_old_versions(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (speaks(f, SSL3))
		BAD(GRADE_D, "SSL 3 is spoken, which can be read (CVE-2014-3566, RFC 7568)");
	if (speaks(f, TLS_10) || speaks(f, TLS_11))
		WARN(GRADE_B, "%s%s%s spoken, which nobody should any more (RFC 8996)",
		    speaks(f, TLS_10) ? "TLS 1.0" : "", speaks(f, TLS_10) && speaks(f, TLS_11) ? " and " : "",
		    speaks(f, TLS_11) ? speaks(f, TLS_10) ? "TLS 1.1 are" : "TLS 1.1 is" : " is");
}

void
check_versions(const struct port_facts *f, const char *check, struct judgement *j)
{
	check_old_versions(f, check, j);
	if (!speaks(f, TLS_12) && !speaks(f, TLS_13))
		BAD(GRADE_D, "neither TLS 1.2 nor TLS 1.3 is spoken");
	else if (!speaks(f, TLS_13))
		NOTICE(GRADE_A, "TLS 1.2, and no TLS 1.3");
	else
		GOOD("TLS 1.3%s", speaks(f, TLS_12) ? " and TLS 1.2" : "");
	for (int v = 0; v < PORT_VERSIONS; v++)
		if (f->versions[v].strange)
			WARN(GRADE_B, "asked for %s the server chose what was not offered",
			    tls_version_name(f->versions[v].version));
}

/* How many accepted suites are worth that, all versions together, and the first of them. */
static unsigned
count_worth(const struct port_facts *f, enum tls_worth worth, const struct tls_suite **first)
{
	unsigned n = 0;

	for (int v = 0; v < PORT_VERSIONS; v++)
		for (size_t i = 0; i < f->versions[v].nchosen; i++) {
			const struct tls_suite *s = tls_suite_find(f->versions[v].chosen[i]);

			if (tls_suite_worth(s) == worth && n++ == 0)
				*first = s;
		}
	return n;
}

/* Between mail servers nobody looks at a certificate unless DANE or MTA-STS demand it, and then no anonymous suite is
 * offered; a mail program must never come so far. */
static void
check_anonymous(const struct port_facts *f, const char *check, unsigned n, const char *name, struct judgement *j)
{
	if (n > 0 && f->use == PORT_MAIL)
		NOTICE(GRADE_A_PLUS,
		    "%u cipher suite%s without a certificate, such as %s, for clients that ask for none", n,
		    n == 1 ? "" : "s", name);
	else if (n > 0)
		BAD(GRADE_D, "%u cipher suite%s without a certificate, such as %s", n, n == 1 ? "" : "s", name);
}

void
check_ciphers(const struct port_facts *f, const char *check, struct judgement *j)
{
	const struct tls_suite *s = NULL;
	unsigned broken = count_worth(f, TLS_WORTH_BROKEN, &s);

	if (broken > 0)
		BAD(GRADE_D, "%u broken cipher suite%s, such as %s: %s", broken, broken == 1 ? "" : "s", s->name,
		    tls_suite_why(s));
	if (count_worth(f, TLS_WORTH_ANON, &s) > 0)
		check_anonymous(f, check, count_worth(f, TLS_WORTH_ANON, &s), s->name, j);
	if (count_worth(f, TLS_WORTH_WEAK, &s) > 0)
		WARN(GRADE_B, "%u weak cipher suite%s, such as %s: %s", count_worth(f, TLS_WORTH_WEAK, &s),
		    count_worth(f, TLS_WORTH_WEAK, &s) == 1 ? "" : "s", s->name, tls_suite_why(s));
	if (count_worth(f, TLS_WORTH_OLD, &s) > 0)
		NOTICE(f->use == PORT_MAIL ? GRADE_A_PLUS : GRADE_A, "%u cipher suite%s of an old make, such as %s",
		    count_worth(f, TLS_WORTH_OLD, &s), count_worth(f, TLS_WORTH_OLD, &s) == 1 ? "" : "s", s->name);
	if (count_worth(f, TLS_WORTH_GOOD, &s) > 0)
		GOOD("%u cipher suites with forward secrecy and authenticated encryption",
		    count_worth(f, TLS_WORTH_GOOD, &s));
	else
		BAD(GRADE_C, "no cipher suite with forward secrecy and authenticated encryption");
}

/* Matters only where there is something to choose wrongly. */
void
check_order(const struct port_facts *f, const char *check, struct judgement *j)
{
	const struct tls_suite *s;
	bool has_worse = count_worth(f, TLS_WORTH_WEAK, &s) + count_worth(f, TLS_WORTH_BROKEN, &s) > 0;

	for (int v = TLS_13; v >= 0; v--) {
		if (f->versions[v].order == TLS_ORDER_UNKNOWN)
			continue;
		if (f->versions[v].order == TLS_ORDER_SERVER)
			GOOD("the server's order of cipher suites counts");
		else
			NOTICE(has_worse ? GRADE_B : GRADE_A_PLUS, "the client's order of cipher suites counts%s",
			    has_worse ? ", and there are weak ones to choose" : ": all of them are good enough");
		return;
	}
}

static void
check_fields(const struct port_facts *f, const char *check, struct judgement *j)
{
	unsigned bits = 0;

	for (int v = 0; v < PORT_VERSIONS; v++)
		if (f->versions[v].dh_bits > 0 && (bits == 0 || f->versions[v].dh_bits < bits))
			bits = f->versions[v].dh_bits;
	if (bits > 0 && bits < FIELD_BROKEN)
		BAD(GRADE_D, "Diffie-Hellman with %u bits can be broken (CVE-2015-4000)", bits);
	else if (bits > 0 && bits < FIELD_MIN)
		WARN(GRADE_C, "Diffie-Hellman with %u bits is too short; take %u, or curves only", bits, FIELD_MIN);
	else if (bits > 0)
		NOTICE(GRADE_A_PLUS,
		    "Diffie-Hellman with %u bits costs the server much for each handshake (CVE-2002-20001)", bits);
}

void
check_groups(const struct port_facts *f, const char *check, struct judgement *j)
{
	char list[160] = "";
	size_t n = 0;

	for (size_t i = 0; i < f->groups.nchosen; i++) {
		const char *name = tls_group_name(f->groups.chosen[i]);
		int wrote = snprintf(list + n, sizeof list - n, "%s%s", i > 0 ? ", " : "", name != NULL ? name : "?");

		n = n + (size_t)wrote < sizeof list ? n + (size_t)wrote : sizeof list - 1;
		if (tls_group_is_weak(f->groups.chosen[i]))
			WARN(GRADE_C, "the curve %s is too short", name);
	}
	if (n > 0)
		GOOD("key exchange with %s", list);
	check_fields(f, check, j);
}

void
check_renegotiation(const struct port_facts *f, const char *check, struct judgement *j)
{
	bool insecure = false;

	for (int v = TLS_10; v <= TLS_12; v++)
		insecure |= speaks(f, v) && !f->versions[v].first.secure_renegotiation;
	if (insecure)
		WARN(GRADE_C, "the server does not know RFC 5746: renegotiation can be used to put words in front "
			      "(CVE-2009-3555)");
	if (f->renegotiates == ANSWER_YES)
		WARN(GRADE_B, "clients may renegotiate, which costs them little and the server much (CVE-2011-1473)");
	else if (f->renegotiates == ANSWER_NO && !insecure)
		GOOD("no renegotiation by clients");
}

void
check_compression(const struct port_facts *f, const char *check, struct judgement *j)
{
	bool compresses = false;

	for (int v = 0; v < PORT_VERSIONS; v++)
		compresses |= speaks(f, v) && f->versions[v].first.compressed;
	if (compresses)
		WARN(GRADE_C, "TLS compression, which shows what it hides (CVE-2012-4929)");
	else
		GOOD("no TLS compression");
}

void
check_tickets(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (f->early_data)
		WARN(GRADE_B, "early data is taken: it can be sent again by whoever hears it (RFC 8446 8)");
	if (f->ticket_lifetime > TICKET_LONG_S)
		NOTICE(GRADE_A, "session tickets live %ld days: their keys undo forward secrecy as long",
		    f->ticket_lifetime / 86400);
	else if (f->tickets > 0)
		GOOD("session tickets, good for %ld hours", f->ticket_lifetime / 3600);
	else
		NOTICE(GRADE_A_PLUS, "no session tickets: each connection costs a whole handshake");
}
