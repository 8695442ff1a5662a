/* identity.c - login names and addresses in the one form that the directory knows. */
#include "identity.h"

#include <postern/auth/directory.h>
#include <postern/auth/password.h>
#include <postern/message/address.h>

bool
identity_of_address(struct str text, bool utf8, struct arena *a, struct str *canonical)
{
	struct address parsed;

	return address_parse(text, utf8 ? ADDRESS_UTF8 : 0, &parsed) && !address_is_literal(&parsed) &&
	       address_canon_user(a, &parsed, canonical) && canonical->n <= DIRECTORY_NAME_MAX;
}

bool
identity_of_login(const struct conf *conf, struct str typed, struct arena *a, struct str *canonical)
{
	struct buf name;
	bool ok;

	buf_init(&name, (size_t)PASSWORD_MAX * 8);
	ok = login_name_prepare(&name, typed, NULL);
	if (ok && !str_has(buf_str(&name), '@') && conf->domains.n > 0) {
		buf_add_char(&name, '@');
		buf_add(&name, conf->domains.v[0]);
	}
	*canonical = arena_str(a, str_sub(ok ? buf_str(&name) : typed, 0, DIRECTORY_NAME_MAX));
	ok = ok && identity_of_address(buf_str(&name), true, a, canonical);
	buf_fini(&name);
	return ok;
}
