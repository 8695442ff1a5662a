/* probe_judge.c - the checks as a table; each reads the facts and adds what it finds. */
#include "probe_finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
grade_name(enum grade g)
{
	static const char *const names[] = { "A+", "A", "B", "C", "D", "F", "-" };

	return names[g];
}

const char *
finding_level_name(enum finding_level l)
{
	static const char *const names[] = { "good", "notice", "warn", "bad" };

	return names[l];
}

void
finding_add(struct judgement *j, const char *check, enum finding_level level, enum grade cap, const char *format, ...)
{
	struct finding *v = &j->v[j->n];
	va_list args;

	if (j->n == FINDINGS_MAX)
		return;
	j->n++;
	v->check = check;
	v->level = level;
	v->cap = cap;
	va_start(args, format);
	vsnprintf(v->words, sizeof v->words, format, args);
	va_end(args);
	if (cap > j->grade)
		j->grade = cap;
}

/* --- before TLS --- */

static void
check_starttls(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (f->implicit && f->reached == PORT_TLS)
		GOOD("TLS from the first byte: nobody can strip it");
	else if (f->reached == PORT_TLS)
		GOOD("STARTTLS is offered and obeyed");
	else if (f->reached == PORT_NO_TLS)
		BAD(GRADE_F, "no handshake succeeds: %s", f->words);
	else
		BAD(GRADE_F, "%s", talk_stop_words(f->stop));
}

static void
check_injection(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (f->injected == ANSWER_YES)
		BAD(GRADE_F, "a command sent in the clear behind STARTTLS is carried out inside TLS: whoever sits on "
			     "the line can "
			     "put words into the mouths of others (CVE-2011-0411)");
	else if (f->injected == ANSWER_NO)
		GOOD("what is sent in the clear behind STARTTLS is thrown away");
}

/* Mechanisms that show the password to whoever listens. */
static bool
is_readable(const char *auth)
{
	return strstr(auth, "PLAIN") != NULL || strstr(auth, "LOGIN") != NULL || strstr(auth, "OAUTH") != NULL;
}

static void
check_login(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (f->implicit || !f->clear.asked)
		return;
	if (f->clear.auth[0] != '\0' && is_readable(f->clear.auth))
		BAD(GRADE_C, "passwords are asked for before TLS: AUTH %s (RFC 8314 3)", f->clear.auth);
	else if (f->clear.auth[0] != '\0')
		WARN(GRADE_B, "logins are offered before TLS: AUTH %s", f->clear.auth);
	else if (f->protocol == TALK_IMAP && !f->clear.login_disabled)
		BAD(GRADE_C, "LOGIN is not disabled before TLS (RFC 9051 6.2.3)");
	else
		GOOD("no login before TLS");
}

static void
check_time(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (!f->in_time)
		NOTICE(GRADE_A_PLUS, "not every question was answered in time: there may be more than is told here");
}

enum { WITHOUT_TLS = 1, MAIL_ONLY = 2 };

static const struct check_row {
	const char *check;
	unsigned when;
	void (*run)(const struct port_facts *f, const char *check, struct judgement *j);
} rows[] = {
	{ "starttls", WITHOUT_TLS, check_starttls },
	{ "login", WITHOUT_TLS, check_login },
	{ "injection", 0, check_injection },
	{ "versions", 0, check_versions },
	{ "ciphers", 0, check_ciphers },
	{ "order", 0, check_order },
	{ "key exchange", 0, check_groups },
	{ "renegotiation", 0, check_renegotiation },
	{ "compression", 0, check_compression },
	{ "tickets", 0, check_tickets },
	{ "certificate", 0, check_certificate },
	{ "dane", MAIL_ONLY, check_dane },
	{ "mta-sts", MAIL_ONLY, check_sts },
	{ "protection", MAIL_ONLY, check_protection },
	{ "time", 0, check_time },
};

void
judge(const struct port_facts *f, struct judgement *j)
{
	*j = (struct judgement){ .grade = GRADE_A_PLUS };
	if (f->reached == PORT_UNREACHED) {
		j->grade = GRADE_NONE;
		return;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if ((f->reached == PORT_TLS || (rows[i].when & WITHOUT_TLS) != 0) &&
		    (f->use == PORT_MAIL || (rows[i].when & MAIL_ONLY) == 0))
			rows[i].run(f, rows[i].check, j);
}
