/* auth_scheme.c - password hashes of other systems, passwords and login names under any bytes. Hashes are parsed, not
 * computed. */
#include <stdlib.h>

#include <postern/auth/password.h>
#include <postern/auth/verifier.h>
#include <postern/core/utf8.h>

#include "../../src/auth/scheme.h"
#include "fuzz.h"

typedef bool prepare_fn(struct buf *out, struct str typed, const char **why);

/* Prepared text is UTF-8, not empty, and preparing it again changes nothing. */
static void
check_prepared(prepare_fn *prepare, struct str in, bool stable)
{
	struct buf once;
	struct buf twice;

	buf_init(&once, (size_t)PASSWORD_MAX * 32);
	buf_init(&twice, (size_t)PASSWORD_MAX * 32);
	if (prepare(&once, in, NULL)) {
		if (once.n == 0 || !utf8_valid(buf_str(&once)))
			abort();
		if (stable && once.n <= PASSWORD_MAX &&
		    (!prepare(&twice, buf_str(&once), NULL) || !str_eq(buf_str(&once), buf_str(&twice))))
			abort();
	}
	buf_wipe(&once);
	buf_wipe(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p, n);
	const struct scheme *scheme;
	struct str rest;
	struct err e;
	bool plain;

	if (scheme_parse(in, &scheme, &rest, &plain, &e)) {
		if (plain ? scheme != NULL : scheme == NULL || rest.n > VERIFIER_HASH_MAX || scheme_of(rest) != scheme)
			abort();
	} else if (e.class != ERR_PERM) {
		abort();
	}
	check_prepared(password_prepare, in, true);
	check_prepared(password_prepare_scram, in, false);
	check_prepared(login_name_prepare, in, false);
	return 0;
}
