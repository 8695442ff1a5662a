/* admin_domain.c - domains as the administrator's commands want them. */
#include <postern/auth/admin.h>

#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/message/address.h>

enum { PAGE = 64 };

static bool
is_configured(const struct conf *conf, struct str name, size_t *item)
{
	for (*item = 0; *item < conf->domains.n; (*item)++)
		if (str_eq(conf->domains.v[*item], name))
			return true;
	return false;
}

/* Where the configuration has the domain, in words; empty: it does not. */
static struct str
where_configured(const struct conf *conf, bool part, struct str name, struct arena *a)
{
	size_t item;

	if (!is_configured(conf, name, &item))
		return STR("");
	if (part)
		return STR("the configuration file");
	return arena_strf(a, "%s:%u", conf_file(conf), conf_item_line(conf, "", "domains", item));
}

static bool
want_free(const struct conf *conf, bool part, struct str name, struct arena *a, struct err *e)
{
	struct str where = where_configured(conf, part, name, a);

	return where.n == 0 || err_perm(e, "a configured domain",
				   "%.*s is a domain by %.*s: take it out of `domains` there and run `postern reload`",
				   STR_ARG(name), STR_ARG(where));
}

bool
admin_domain_free(const struct conf *conf, struct str name, struct err *e)
{
	struct arena a;
	struct str canonical;
	bool ok;

	arena_init(&a);
	ok = admin_domain(name, &a, &canonical, e) && want_free(conf, false, canonical, &a, e);
	arena_fini(&a);
	return ok;
}

static bool
add_domain(const struct admin *ad, struct str typed, struct arena *a, struct err *e)
{
	struct domain row;
	struct str name;
	struct str where;

	if (!admin_domain(typed, a, &name, e))
		return false;
	where = where_configured(ad->conf, ad->part, name, a);
	if (where.n > 0)
		return err_perm(e, "exists already", "%.*s is a domain of this server already, by %.*s", STR_ARG(name),
		    STR_ARG(where));
	if (directory_domain(ad->dir, name, a, &row, e) == DIRECTORY_FOUND)
		return err_perm(e, "exists already", "%.*s is a domain of this server already", STR_ARG(name));
	return directory_domain_add(ad->dir, name, e);
}

bool
admin_domain_add(const struct admin *ad, struct str name, struct err *e)
{
	struct arena a;
	bool ok;

	arena_init(&a);
	ok = add_domain(ad, name, &a, e);
	arena_fini(&a);
	return ok;
}

static bool
is_in(struct str address, struct str domain)
{
	struct str local;
	struct str own;

	return address_split(address, &local, &own) && str_eq(own, domain);
}

/* The directory is ordered by local part, so all of it is looked through; it is a rare command. */
static bool
want_empty(const struct admin *ad, struct str domain, struct err *e)
{
	struct user *users = mem_array(PAGE, sizeof *users);
	struct directory_page page = { .max = PAGE, .more = true };
	struct str after = STR("");
	struct arena a;
	bool ok = true;

	arena_init(&a);
	while (ok && page.more) {
		ok = directory_users(ad->dir, after, &a, &page, users, e);
		for (size_t i = 0; ok && i < page.n; i++)
			if (is_in(users[i].address, domain))
				ok =
				    err_perm(e, "not empty", "%.*s still has accounts, such as %.*s: delete them first",
					STR_ARG(domain), STR_ARG(users[i].address));
		if (page.n > 0)
			after = users[page.n - 1].address;
	}
	arena_fini(&a);
	mem_wipe(users, PAGE * sizeof *users);
	free(users);
	return ok;
}

static bool
del_domain(const struct admin *ad, struct str typed, struct arena *a, struct err *e)
{
	struct domain row;
	struct str name;

	if (!admin_domain(typed, a, &name, e) || !want_free(ad->conf, ad->part, name, a, e))
		return false;
	if (directory_domain(ad->dir, name, a, &row, e) == DIRECTORY_MISSING)
		return err_perm(e, "no such domain",
		    "%.*s is not a domain of this server; `postern domain list` shows those there are", STR_ARG(name));
	return want_empty(ad, name, e) && directory_domain_del(ad->dir, name, e);
}

bool
admin_domain_del(const struct admin *ad, struct str name, struct err *e)
{
	struct arena a;
	bool ok;

	arena_init(&a);
	ok = del_domain(ad, name, &a, e);
	arena_fini(&a);
	return ok;
}
