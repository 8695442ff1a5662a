/* address_canon.c - one spelling per address. RFC 5321 2.4 and 4.1.2, RFC 5891, RFC 6531 3.2.
 *
 * Lower case and NFC only: neither merges characters that are compatible but not equal. The three characters whose
 * lower case or canonical form is an ASCII letter although they are not (Kelvin sign, dotted capital I, Greek question
 * mark and the like) are refused, so that nobody's look-alike turns into an account. */
#include <postern/message/address.h>

#include <idn2.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>

#include <postern/core/utf8.h>

#include "address_text.h"

static bool
becomes_ascii(uint32_t code)
{
	ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
	int n;

	if (code < 0x80)
		return false;
	if (uc_tolower(code) < 0x80)
		return true;
	n = uc_canonical_decomposition(code, parts);
	return n == 1 && parts[0] < 0x80;
}

/* Lower case in NFC. */
static bool
lower_unicode(struct arena *a, struct str s, struct str *out)
{
	size_t at = 0;
	size_t used;
	size_t n = 0;
	uint32_t code;
	uint8_t *lower;

	while (utf8_next(str_sub(s, at, s.n), &code, &used)) {
		if (becomes_ascii(code))
			return false;
		at += used;
	}
	if (at < s.n)
		return false;
	lower = u8_tolower((const uint8_t *)s.p, s.n, "", UNINORM_NFC, NULL, &n);
	if (lower == NULL)
		return false;
	*out = arena_str(a, str_from(lower, n));
	free(lower);
	return true;
}

/* Whether NFKC would change it: the PRECIS class HasCompat, which no user name may hold (RFC 8264 9.17). */
static bool
has_compat(struct str s)
{
	size_t n = 0;
	uint8_t *folded = u8_normalize(UNINORM_NFKC, (const uint8_t *)s.p, s.n, NULL, &n);
	bool changed = folded == NULL || !str_eq(str_from(folded, n), s);

	free(folded);
	return changed;
}

/* U-labels to A-labels: RFC 5891 5, without the mapping of UTS 46. */
static bool
to_alabels(struct arena *a, struct str domain, struct str *out)
{
	char *ascii = NULL;
	bool ok = idn2_to_ascii_8z(arena_cstr(a, domain), &ascii, IDN2_NFC_INPUT | IDN2_NO_TR46) == IDN2_OK;

	if (ok)
		*out = arena_lower(a, str_of(ascii));
	idn2_free(ascii);
	return ok;
}

static bool
canon_literal(struct arena *a, struct str domain, struct str *out)
{
	char text[ADDRESS_LITERAL_SIZE];

	if (!address_canon_literal(domain, text))
		return false;
	*out = arena_str(a, str_of(text));
	return true;
}

bool
address_canon_domain(struct arena *a, struct str domain, struct str *out)
{
	struct cur c = cur_init(domain);
	struct str whole, lower;

	if (!address_parse_domain(&c, ADDRESS_UTF8, &whole) || !cur_end(&c))
		return false;
	if (domain.p[0] == '[')
		return canon_literal(a, domain, out);
	if (domain.p[domain.n - 1] == '.')
		domain.n--;
	if (ascii_only(domain)) {
		*out = arena_lower(a, domain);
		return true;
	}
	return lower_unicode(a, domain, &lower) && to_alabels(a, lower, out) && out->n <= ADDRESS_DOMAIN_MAX;
}

/* What a quoted local part stands for (quotes and backslashes gone); others as they are. */
static struct str
unquote(struct arena *a, struct str local)
{
	char *p;
	size_t n = 0;

	if (local.n < 2 || local.p[0] != '"')
		return local;
	p = arena_alloc(a, local.n);
	for (size_t i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '\\' && i + 2 < local.n)
			i++;
		p[n++] = local.p[i];
	}
	return str_from(p, n);
}

static bool
is_dot_string(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool inner_dot = s.p[i] == '.' && i > 0 && i + 1 < s.n && s.p[i - 1] != '.';

		if (!inner_dot && !address_is_atext(s.p[i]) && (unsigned char)s.p[i] < 0x80)
			return false;
	}
	return s.n > 0;
}

void
address_write_local(struct buf *out, struct str raw)
{
	if (is_dot_string(raw)) {
		buf_add(out, raw);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if (c == '"' || c == '\\')
			buf_add_char(out, '\\');
		/* no quoting helps a control character */
		buf_add_char(out, ascii_is_print(c) || (unsigned char)c >= 0x80 ? c : '?');
	}
	buf_add_char(out, '"');
}

/* The unquoted local part, quoted again only if it must be. */
static struct str
requoted(struct arena *a, struct str raw)
{
	struct buf b;
	struct str out;

	buf_init(&b, raw.n * 2 + 2);
	address_write_local(&b, raw);
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

/* Lower case in NFC, quotes only where needed; false for what is no name of an account. */
static bool
canon_local(struct arena *a, struct str local, struct str *out)
{
	struct str raw = unquote(a, local);

	if (ascii_only(raw))
		raw = arena_lower(a, raw);
	else if (!lower_unicode(a, raw, &raw) || has_compat(raw))
		return false;
	*out = requoted(a, raw);
	return true;
}

static struct str
joined(struct arena *a, struct str local, struct str domain)
{
	struct buf b;
	struct str out;

	buf_init(&b, local.n + domain.n + 1);
	buf_add(&b, local);
	if (domain.n > 0)
		buf_add_char(&b, '@');
	buf_add(&b, domain);
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

bool
address_canon(struct arena *a, const struct address *in, struct str *out)
{
	struct str domain = STR("");

	if (address_is_null(in)) {
		*out = STR("");
		return true;
	}
	if (in->domain.n == 0 && !str_eq_nocase(in->local, STR("postmaster")))
		return false;
	if (in->domain.n > 0 && !address_canon_domain(a, in->domain, &domain))
		return false;
	*out = in->domain.n == 0 ? STR("postmaster") : joined(a, requoted(a, unquote(a, in->local)), domain);
	return true;
}

bool
address_canon_user(struct arena *a, const struct address *in, struct str *out)
{
	struct str local, domain;

	if (in->domain.n == 0)
		return address_canon(a, in, out);
	if (!canon_local(a, in->local, &local) || !address_canon_domain(a, in->domain, &domain))
		return false;
	*out = joined(a, local, domain);
	return true;
}

bool
address_split_detail(struct str local, char separator, struct str *user, struct str *detail)
{
	size_t at = local.n > 1 ? 1 + str_find(str_sub(local, 1, local.n), separator) : local.n;

	*user = local;
	*detail = str_sub(local, local.n, local.n);
	if (at == local.n || local.p[0] == '"')
		return false;
	*user = str_sub(local, 0, at);
	*detail = str_sub(local, at + 1, local.n);
	return true;
}

bool
address_split(struct str text, struct str *local, struct str *domain)
{
	size_t at = str_rfind(text, '@');

	if (at == text.n)
		return false;
	*local = str_sub(text, 0, at);
	*domain = str_sub(text, at + 1, text.n);
	return true;
}
