/* message_address.c - envelope paths under any bytes: what is accepted keeps the limits, and its canonical form is
 * canonical. */
#include <postern/core/utf8.h>
#include <postern/message/address.h>

#include "fuzz.h"

static void
check_clean(struct str s)
{
	MUST(utf8_valid(s));
	for (size_t i = 0; i < s.n; i++)
		MUST((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f);
}

/* Parsing and canonicalising the canonical form changes nothing more. */
static void
check_stable(struct arena *a, struct str text, bool (*canon)(struct arena *, const struct address *, struct str *))
{
	struct address again;
	struct str same;

	check_clean(text);
	if (!str_has(text, '@') || text.n > ADDRESS_LOCAL_MAX)
		return;
	MUST(address_parse(text, ADDRESS_UTF8, &again));
	MUST(canon(a, &again, &same) && str_eq(same, text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = cur_init(str_from(p, n));
	struct address address;
	struct str text;
	struct arena a;

	if (!address_parse_path(&c, ADDRESS_UTF8 | ADDRESS_NULL | ADDRESS_POSTMASTER, &address))
		return 0;
	MUST((size_t)(c.p - (const char *)p) <= ADDRESS_PATH_MAX);
	MUST(address.local.n <= ADDRESS_LOCAL_MAX && address.domain.n <= ADDRESS_DOMAIN_MAX + 1);
	check_clean(address.local);
	check_clean(address.domain);
	arena_init(&a);
	if (address_canon(&a, &address, &text))
		check_stable(&a, text, address_canon);
	if (address_canon_user(&a, &address, &text))
		check_stable(&a, text, address_canon_user);
	arena_fini(&a);
	return 0;
}
