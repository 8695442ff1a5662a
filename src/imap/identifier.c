/* identifier.c - from what a client writes to the name under which rights are kept. Addresses are prepared as those of
 * logins are (message/address.h), which is stricter than SASLprep: what that would fold is refused. */
#include "identifier.h"

#include <postern/core/utf8.h>
#include <postern/message/address.h>
#include <postern/store/rights.h>

static bool
canon_user(struct arena *a, struct str name, struct str owner, struct str *out)
{
	struct str local, domain;
	struct address address;

	if (!str_has(name, '@') && address_split(owner, &local, &domain))
		name = arena_strf(a, "%.*s@%.*s", STR_ARG(name), STR_ARG(domain));
	return address_parse(name, ADDRESS_UTF8, &address) && address_canon_user(a, &address, out);
}

bool
identifier_canon(struct arena *a, struct str raw, struct str owner, struct str *out)
{
	bool negative = raw.n > 0 && raw.p[0] == '-';
	struct str name = str_sub(raw, negative, raw.n);

	if (name.n == 0 || name.n > ADDRESS_PATH_MAX || !utf8_valid(name) || str_has(name, '\0'))
		return false;
	if (str_eq_nocase(name, STR("anyone")))
		*out = STR("anyone");
	else if (!canon_user(a, name, owner, out))
		return false;
	if (negative)
		*out = arena_strf(a, "-%.*s", STR_ARG(*out));
	return store_identifier_ok(*out);
}
