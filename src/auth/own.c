/* own.c - which domains are ours, and who answers for them. */
#include <postern/auth/resolve.h>

bool
resolve_own_domain(const struct resolver *r, struct str domain, bool *failed)
{
	struct domain row;
	struct arena a;
	struct err e;
	enum directory_found found;

	for (size_t i = 0; i < r->conf->domains.n; i++)
		if (str_eq(r->conf->domains.v[i], domain))
			return true;
	arena_init(&a);
	found = directory_domain(r->dir, domain, &a, &row, &e);
	arena_fini(&a);
	if (found == DIRECTORY_FAILED)
		*failed = true;
	return found == DIRECTORY_FOUND;
}

enum directory_found
resolve_postmaster(const struct resolver *r, struct arena *a, struct str *address, struct err *e)
{
	if (r->conf->postmaster.n == 0)
		return directory_first_user(r->dir, a, address, e);
	*address = r->conf->postmaster;
	return DIRECTORY_FOUND;
}

bool
resolve_is_role_name(struct str local)
{
	return str_eq(local, STR("postmaster")) || str_eq(local, STR("abuse")) || str_eq(local, STR("root"));
}
