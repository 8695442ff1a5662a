/* address.c - the grammar of envelope addresses: RFC 5321 4.1.2, 4.1.3, RFC 6531 3.3. */
#include <postern/message/address.h>

#include <arpa/inet.h>
#include <unictype.h>

#include <postern/core/utf8.h>

#include "address_text.h"

bool
address_is_atext(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Characters that cannot be seen or change the order of others; joiners have a use in some scripts, between letters
 * that are not ASCII. */
static bool
is_invisible(uint32_t code, bool after_ascii)
{
	if (code == 0x200c || code == 0x200d)
		return after_ascii;
	return uc_is_property_default_ignorable_code_point(code) || uc_is_property_white_space(code) ||
	    uc_is_property_not_a_character(code) || uc_is_property_bidi_control(code) ||
	    uc_is_general_category(code, UC_CATEGORY_Cc) || uc_is_general_category(code, UC_CATEGORY_Co);
}

/* Takes one character above 0x7f, if it may stand in an address. */
static bool
take_utf8(struct cur *c, unsigned options, const char *start)
{
	uint32_t code;
	size_t used;

	if (!(options & ADDRESS_UTF8))
		return cur_fail(c, "non-ASCII address needs SMTPUTF8");
	if (!utf8_next(cur_rest(c), &code, &used))
		return cur_fail(c, "address is not UTF-8");
	if (is_invisible(code, c->p == start || (unsigned char)c->p[-1] < 0x80))
		return cur_fail(c, "invisible character in address");
	c->p += used;
	return true;
}

static void
take_quoted(struct cur *c, unsigned options)
{
	const char *start = c->p;
	int b;

	c->p++;
	while ((b = cur_peek(c)) >= 0 && b != '"') {
		if (b >= 0x80) {
			take_utf8(c, options, start);
			continue;
		}
		if (b == '\\')
			c->p++;
		b = cur_peek(c);
		if (b < 0x20 || b > 0x7e)
			cur_fail(c, "invalid character in quoted local part");
		else
			c->p++;
	}
	cur_want(c, "\"");
}

/* Dot-string: atoms with single dots between them. */
static void
take_dot_string(struct cur *c, unsigned options)
{
	do {
		const char *start = c->p;
		int b;

		while ((b = cur_peek(c)) >= 0) {
			if (address_is_atext((char)b))
				c->p++;
			else if (b < 0x80 || !take_utf8(c, options, start))
				break;
		}
		if (c->p == start)
			cur_fail(c, "local part expected");
	} while (cur_take_char(c, '.'));
}

static struct str
take_local(struct cur *c, unsigned options)
{
	const char *start = c->p;

	if (cur_peek(c) == '"')
		take_quoted(c, options);
	else
		take_dot_string(c, options);
	if (cur_ok(c) && c->p - start > ADDRESS_LOCAL_MAX)
		cur_fail(c, "local part too long");
	return str_from(start, cur_ok(c) ? (size_t)(c->p - start) : 0);
}

/* sub-domain: letters, digits and inner hyphens, or a U-label (judged by address_canon_domain). */
static void
take_label(struct cur *c, unsigned options)
{
	const char *start = c->p;
	bool ascii = true;
	int b;

	while ((b = cur_peek(c)) >= 0) {
		if (ascii_is_alnum((char)b) || b == '-')
			c->p++;
		else if (b >= 0x80 && take_utf8(c, options, start))
			ascii = false;
		else
			break;
	}
	if (!cur_ok(c))
		return;
	if (c->p == start || *start == '-' || c->p[-1] == '-')
		cur_fail(c, "invalid domain");
	else if (ascii && c->p - start > ADDRESS_LABEL_MAX)
		cur_fail(c, "domain label too long");
}

static bool
at_label(const struct cur *c)
{
	int b = cur_peek(c);

	return b >= 0x80 || (b >= 0 && (ascii_is_alnum((char)b) || b == '-'));
}

static bool
in_literal(char c)
{
	return ascii_is_alnum(c) || c == ':' || c == '.';
}

/* The address inside the brackets in its one spelling; false: none that is registered (RFC 5321 4.1.3). */
bool
address_canon_literal(struct str literal, char out[static ADDRESS_LITERAL_SIZE])
{
	struct str inside = str_sub(literal, 1, literal.n > 0 ? literal.n - 1 : 0);
	bool v6 = str_starts_nocase(inside, STR("IPv6:"));
	unsigned char bytes[16];
	char text[INET6_ADDRSTRLEN];

	if (v6)
		inside = str_sub(inside, 5, inside.n);
	if (inside.n >= sizeof text || str_has(inside, '\0'))
		return false;
	memcpy(text, inside.p, inside.n);
	text[inside.n] = '\0';
	if (inet_pton(v6 ? AF_INET6 : AF_INET, text, bytes) != 1)
		return false;
	inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, text, sizeof text);
	snprintf(out, ADDRESS_LITERAL_SIZE, "[%s%s]", v6 ? "IPv6:" : "", text);
	return true;
}

static void
take_literal(struct cur *c)
{
	const char *start = c->p;
	char text[ADDRESS_LITERAL_SIZE];

	c->p++;
	cur_while(c, in_literal);
	cur_want(c, "]");
	if (cur_ok(c) && !address_canon_literal(str_from(start, (size_t)(c->p - start)), text))
		cur_fail(c, "invalid address literal");
}

static void
take_name(struct cur *c, unsigned options)
{
	do
		take_label(c, options);
	while (cur_take_char(c, '.') && at_label(c));
}

bool
address_parse_domain(struct cur *c, unsigned options, struct str *out)
{
	const char *start = c->p;
	size_t n;

	if (cur_peek(c) == '[')
		take_literal(c);
	else
		take_name(c, options);
	if (!cur_ok(c))
		return false;
	n = (size_t)(c->p - start);
	*out = str_from(start, n);
	if (n - (start[n - 1] == '.') > ADDRESS_DOMAIN_MAX)
		return cur_fail(c, "domain too long");
	return true;
}

/* Mailbox: Local-part "@" ( Domain / address-literal ). */
static bool
take_mailbox(struct cur *c, unsigned options, struct address *out)
{
	out->local = take_local(c, options);
	cur_want(c, "@");
	return address_parse_domain(c, options, &out->domain);
}

/* A-d-l ":" (RFC 5321 appendix C): accepted, ignored. */
static void
take_route(struct cur *c, unsigned options)
{
	struct str domain;

	do
		cur_want(c, "@");
	while (address_parse_domain(c, options, &domain) && cur_take_char(c, ','));
	cur_want(c, ":");
}

static bool
take_postmaster(struct cur *c, struct address *out)
{
	struct str word = STR("postmaster>");

	if (!str_starts_nocase(cur_rest(c), word))
		return false;
	out->local = str_sub(cur_bytes(c, word.n - 1), 0, word.n - 1);
	return true;
}

bool
address_parse_path(struct cur *c, unsigned options, struct address *out)
{
	const char *start = c->p;

	*out = (struct address){ 0 };
	if (!cur_want(c, "<"))
		return false;
	if ((options & ADDRESS_NULL) && cur_take_char(c, '>'))
		return true;
	if (cur_peek(c) == '@')
		take_route(c, options);
	if (!(options & ADDRESS_POSTMASTER) || !take_postmaster(c, out))
		take_mailbox(c, options, out);
	cur_want(c, ">");
	if (cur_ok(c) && c->p - start > ADDRESS_PATH_MAX)
		cur_fail(c, "path too long");
	return cur_ok(c);
}

bool
address_parse(struct str s, unsigned options, struct address *out)
{
	struct cur c = cur_init(s);

	*out = (struct address){ 0 };
	take_mailbox(&c, options, out);
	return cur_end(&c);
}
