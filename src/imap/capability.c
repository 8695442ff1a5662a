/* capability.c - the capabilities that belong to the protocol itself rather than to a command, an item or an option. */
#include "capability.h"

#include <postern/store/grams.h>

#include "limit.h"
#include "rows.h"

static bool
offers_compress(const struct imap_session *s)
{
	return s->setup.compress && s->compress == NULL;
}

static bool
offers_unauthenticate(const struct imap_session *s)
{
	return s->setup.unauthenticate;
}

/* RFC 7889 2: one limit for all mailboxes, or none. */
static bool
offers_without_limit(const struct imap_session *s)
{
	return s->setup.message_max == 0;
}

/* Looking into every message is no search for people who mistype. */
static bool
offers_fuzzy(const struct imap_session *s)
{
	return store_grams_on(s->setup.user);
}

/* Told with its number, by limit.h. */
static bool
offers_with_number(const struct imap_session *s)
{
	(void)s;
	return false;
}

struct capability {
	const char *name;
	const char *rfc;
};

static const struct capability base[] = {
	{ "IMAP4rev1", "RFC 3501" },
	{ "IMAP4rev2", "RFC 9051" },
	{ "LITERAL+", "RFC 7888" },
	{ "SASL-IR", "RFC 4959" },
	{ "ID", "RFC 2971" },
	{ "ENABLE", "RFC 5161" },
};
enum { BASE = sizeof(base) / sizeof(*base) };

/* What no one row stands for, after login. */
static const struct capability others[] = {
	{ "ESORT", "RFC 5267 3.1" },
	{ "CONTEXT=SORT", "RFC 5267 4" },
	{ "I18NLEVEL=1", "RFC 5255 4.3" },
	{ "INPROGRESS", "RFC 9585" },
};
enum { OTHERS = sizeof(others) / sizeof(*others) };

/* What depends on the session. */
static const struct capability_if {
	struct capability c;
	bool (*offered)(const struct imap_session *s);
} conditional[] = {
	{ { "COMPRESS=DEFLATE", "RFC 4978" }, offers_compress },
	{ { "UNAUTHENTICATE", "RFC 8437" }, offers_unauthenticate },
	{ { "SEARCH=FUZZY", "RFC 6203" }, offers_fuzzy },
	{ { "APPENDLIMIT", "RFC 7889" }, offers_without_limit },
	{ { "MESSAGELIMIT", "RFC 9738" }, offers_with_number },
	{ { "SAVELIMIT", "RFC 9738" }, offers_with_number },
};
enum { CONDITIONAL = sizeof(conditional) / sizeof(*conditional) };

void
capability_write_base(struct buf *out)
{
	for (size_t i = 0; i < BASE; i++) {
		buf_add_char(out, ' ');
		buf_add_cstr(out, base[i].name);
	}
}

void
capability_write_session(const struct imap_session *s, struct buf *out)
{
	for (size_t i = 0; i < CONDITIONAL; i++)
		if (conditional[i].offered(s))
			buf_addf(out, " %s", conditional[i].c.name);
	if (!offers_without_limit(s))
		buf_addf(out, " APPENDLIMIT=%llu", (unsigned long long)s->setup.message_max);
	limit_capabilities(s, out);
}

void
capability_rows(const struct rows *r)
{
	for (size_t i = 0; i < BASE; i++)
		rows_show(r, "capability", str_of(base[i].name), base[i].name, base[i].rfc);
	for (size_t i = 0; i < OTHERS; i++)
		rows_show(r, "capability", str_of(others[i].name), others[i].name, others[i].rfc);
}

void
capability_session_rows(const struct rows *r)
{
	for (size_t i = 0; i < CONDITIONAL; i++)
		rows_show(r, "capability", str_of(conditional[i].c.name), conditional[i].c.name, conditional[i].c.rfc);
}
