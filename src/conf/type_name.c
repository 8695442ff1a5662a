/* type_name.c - types of names: domains, addresses of mail, what a route or a certificate is for.
 *
 * Domains are kept as A-labels in lower case (RFC 5890 2.3.2.1), whatever form the file has. */
#include "table.h"

#include <idn2.h>
#include <stdlib.h>

#include <postern/core/cur.h>
#include <postern/core/mem.h>
#include <postern/core/utf8.h>

enum { DOMAIN_MAX = 253, LABEL_MAX = 63, LOCAL_MAX = 64 };

static void
str_write(const struct conf_key *k, const void *value, struct buf *out)
{
	(void)k;
	buf_add(out, *(const struct str *)value);
}

/* letter-digit-hyphen, no hyphen at either end: RFC 5321 4.1.2 (sub-domain). */
static bool
label_valid(struct str label)
{
	if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-')
			return false;
	return true;
}

static bool
all_digits(struct str label)
{
	uint64_t value;

	return str_u64(label, UINT64_MAX, &value);
}

static bool
labels_valid(struct str domain)
{
	struct str rest = domain;
	struct str label = STR("");

	if (domain.n == 0 || domain.n > DOMAIN_MAX || domain.p[domain.n - 1] == '.')
		return false;
	while (str_cut(&rest, '.', &label))
		if (!label_valid(label))
			return false;
	return !all_digits(label); /* 192.0.2.1 is no name */
}

/* The A-label form in lower case, or "" for what has none. */
static struct str
domain_ascii(struct arena *a, struct str word)
{
	char *source = mem_cstr(word);
	char *ascii = NULL;
	char *result = NULL;

	if (word.n <= 4 * DOMAIN_MAX && utf8_valid(word) &&
	    idn2_to_ascii_8z(source, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK)
		result = arena_cstr(a, str_of(ascii));
	for (char *p = result; p != NULL && *p != '\0'; p++)
		*p = ascii_lower(*p);
	idn2_free(ascii);
	free(source);
	return result != NULL ? str_of(result) : STR("");
}

bool
conf_domain_take(struct arena *a, struct str word, struct str *out, struct conf_why *w)
{
	*out = domain_ascii(a, word);
	return labels_valid(*out) ||
	    conf_refuse(w, "\"%.*s\" is not a domain, write one like example.org", STR_ARG(conf_head(word)));
}

static bool
domain_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	(void)k;
	return conf_domain_take(a, word, out, w);
}

const struct conf_type type_domain = {
	.name = "domain",
	.syntax = "a domain, like mx.example.org",
	.size = sizeof(struct str),
	.blank = true,
	.parse = domain_parse,
	.write = str_write,
};

const struct conf_type type_domains = {
	.name = "list of domains",
	.syntax = "domains in braces, like { \"example.org\", \"example.net\" }",
	.size = sizeof(struct str),
	.list = true,
	.parse = domain_parse,
	.write = str_write,
};

/* prefix in front of an A-label domain. */
static bool
prefixed_take(struct arena *a, const char *prefix, struct str domain, struct str *out, struct conf_why *w)
{
	struct str ascii;

	if (!conf_domain_take(a, domain, &ascii, w))
		return false;
	*out = arena_strf(a, "%s%.*s", prefix, STR_ARG(ascii));
	return true;
}

static bool
match_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	(void)k;
	if (str_eq(word, STR("*"))) {
		*(struct str *)out = STR("*");
		return true;
	}
	if (str_starts(word, STR(".")))
		return prefixed_take(a, ".", str_sub(word, 1, word.n), out, w);
	return conf_domain_take(a, word, out, w);
}

const struct conf_type type_match = {
	.name = "destination",
	.syntax = "a domain, .domain for its subdomains, or *",
	.size = sizeof(struct str),
	.parse = match_parse,
	.write = str_write,
};

static bool
server_name_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	(void)k;
	if (str_starts(word, STR("*.")))
		return prefixed_take(a, "*.", str_sub(word, 2, word.n), out, w);
	return conf_domain_take(a, word, out, w);
}

const struct conf_type type_server_name = {
	.name = "server name",
	.syntax = "a domain, or *.domain for any one label in its place",
	.size = sizeof(struct str),
	.parse = server_name_parse,
	.write = str_write,
};

/* RFC 5322 3.2.3 */
static bool
is_atext(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Dot-string of RFC 5321 4.1.2, in ASCII. */
static bool
local_valid(struct str local)
{
	struct cur c = cur_init(local);

	do
		cur_want_while(&c, is_atext, LOCAL_MAX, "atext");
	while (cur_take_char(&c, '.'));
	return local.n <= LOCAL_MAX && cur_end(&c);
}

static bool
address_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	size_t at = str_rfind(word, '@');
	struct str local = str_sub(word, 0, at);
	struct str domain = str_sub(word, at + 1, word.n);

	(void)k;
	if (at == word.n || !local_valid(local))
		return conf_refuse(
		    w, "\"%.*s\" is not an address, write one like alice@example.org", STR_ARG(conf_head(word)));
	if (!conf_domain_take(a, domain, &domain, w))
		return false;
	*(struct str *)out = arena_strf(a, "%s@%.*s", arena_lower(a, local).p, STR_ARG(domain));
	return true;
}

const struct conf_type type_address = {
	.name = "address",
	.syntax = "an address, like alice@example.org",
	.size = sizeof(struct str),
	.blank = true,
	.parse = address_parse,
	.write = str_write,
};
