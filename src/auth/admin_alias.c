/* admin_alias.c - aliases as the administrator's commands want them. */
#include <postern/auth/admin.h>

#include <postern/auth/resolve.h>
#include <postern/message/address.h>

/* "name@domain", or "@domain" for a catch-all. */
static bool
alias_name(struct str typed, struct arena *a, struct str *canonical, struct err *e)
{
	struct str domain;

	typed = str_trim(typed);
	if (typed.n == 0 || typed.p[0] != '@')
		return admin_address(typed, a, canonical, e);
	if (!admin_domain(str_sub(typed, 1, typed.n), a, &domain, e))
		return false;
	*canonical = arena_strf(a, "@%.*s", STR_ARG(domain));
	return true;
}

static bool
is_own(const struct admin *ad, struct str name, bool *failed)
{
	struct resolver r = { .dir = ad->dir, .conf = ad->conf };
	struct str local;
	struct str domain;

	return address_split(name, &local, &domain) && resolve_own_domain(&r, domain, failed);
}

/* A target: ours in the form of accounts, anybody else's with the local part as it is. */
static bool
target_name(const struct admin *ad, struct str typed, struct arena *a, struct str *canonical, struct err *e)
{
	struct address parsed;
	bool failed = false;

	typed = str_trim(typed);
	if (!address_parse(typed, ADDRESS_UTF8, &parsed) || !address_canon(a, &parsed, canonical))
		return err_perm(e, "not an address", "\"%.*s\" is no address: give targets as name@domain",
		    (int)(typed.n < 128 ? typed.n : 128), typed.p);
	if (is_own(ad, *canonical, &failed))
		return admin_address(typed, a, canonical, e);
	return !failed || err_temp(e, SAY_LATER, "the directory does not answer: try again");
}

static bool
is_among(struct str name, const struct str *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i], name))
			return true;
	return false;
}

static bool
read_targets(
    const struct admin *ad, const struct str *typed, size_t n, struct alias *al, struct arena *a, struct err *e)
{
	struct str *v = arena_array(a, n, sizeof *v);
	struct str name;

	for (size_t i = 0; i < n; i++) {
		if (!target_name(ad, typed[i], a, &name, e))
			return false;
		if (!is_among(name, v, al->ntargets))
			v[al->ntargets++] = name;
	}
	al->targets = v;
	return true;
}

static enum directory_found
is_user(const struct admin *ad, struct str name, struct arena *a, struct err *e)
{
	struct user u;

	return directory_user(ad->dir, name, a, &u, e);
}

static bool
want_user(const struct admin *ad, struct str name, struct arena *a, struct err *e)
{
	enum directory_found found = is_user(ad, name, a, e);

	if (found == DIRECTORY_MISSING)
		return err_perm(
		    e, "no such account", "%.*s cannot be a sender: there is no such account", STR_ARG(name));
	return found == DIRECTORY_FOUND;
}

static bool
read_senders(
    const struct admin *ad, const struct str *typed, size_t n, struct alias *al, struct arena *a, struct err *e)
{
	struct str *v = arena_array(a, n, sizeof *v);

	for (size_t i = 0; i < n; i++)
		if (!admin_address(typed[i], a, &v[i], e) || !want_user(ad, v[i], a, e))
			return false;
	al->senders = v;
	al->nsenders = n;
	return true;
}

/* Nobody named: the accounts among the targets. */
static bool
default_senders(const struct admin *ad, struct alias *al, struct arena *a, struct err *e)
{
	struct str *v = arena_array(a, al->ntargets, sizeof *v);

	for (size_t i = 0; i < al->ntargets; i++) {
		enum directory_found found = is_user(ad, al->targets[i], a, e);

		if (found == DIRECTORY_FAILED)
			return false;
		if (found == DIRECTORY_FOUND)
			v[al->nsenders++] = al->targets[i];
	}
	al->senders = v;
	return true;
}

static bool
want_place(const struct admin *ad, const struct alias *al, struct arena *a, struct err *e)
{
	bool failed = false;
	enum directory_found found;

	if (!is_own(ad, al->address, &failed))
		return failed
			   ? err_temp(e, SAY_LATER, "the directory does not answer: try again")
			   : err_perm(e, "not a local domain",
				 "%.*s is not in a domain of this server: `postern domain list` shows those there are",
				 STR_ARG(al->address));
	found = is_user(ad, al->address, a, e);
	if (found == DIRECTORY_FOUND && !is_among(al->address, al->targets, al->ntargets))
		return err_perm(e, "would hide an account",
		    "%.*s is an account, and the alias would take its mail away: name it among the targets, too, or "
		    "delete it first",
		    STR_ARG(al->address));
	if (found == DIRECTORY_MISSING && is_among(al->address, al->targets, al->ntargets))
		return err_perm(e, "alias loop", "%.*s is an alias for itself", STR_ARG(al->address));
	return found != DIRECTORY_FAILED;
}

static bool
want_new(const struct admin *ad, struct str name, struct arena *a, struct err *e)
{
	struct alias al;
	enum directory_found found = directory_alias(ad->dir, name, a, &al, e);

	if (found == DIRECTORY_FOUND)
		return err_perm(e, "exists already",
		    "%.*s is an alias already: delete it first with `postern alias del %.*s`", STR_ARG(name),
		    STR_ARG(name));
	return found == DIRECTORY_MISSING;
}

static bool
fits(size_t ntargets, size_t nsenders, struct err *e)
{
	if (ntargets == 0)
		return err_perm(
		    e, "no target", "an alias needs at least one target: `postern alias add ALIAS TARGET…`");
	if (ntargets > ALIAS_TARGETS_MAX || nsenders > ALIAS_SENDERS_MAX)
		return err_perm(e, "too many targets",
		    "an alias has at most %d targets and %d senders: make several and an alias for those",
		    ALIAS_TARGETS_MAX, ALIAS_SENDERS_MAX);
	return true;
}

bool
admin_alias_add(const struct admin *ad, struct str name, const struct str *targets, size_t ntargets,
    const struct str *senders, size_t nsenders, struct err *e)
{
	struct alias al = { 0 };
	struct arena a;
	bool ok;

	arena_init(&a);
	ok = fits(ntargets, nsenders, e) && alias_name(name, &a, &al.address, e) && want_new(ad, al.address, &a, e) &&
	     read_targets(ad, targets, ntargets, &al, &a, e) && want_place(ad, &al, &a, e) &&
	     (nsenders > 0 ? read_senders(ad, senders, nsenders, &al, &a, e) : default_senders(ad, &al, &a, e)) &&
	     directory_alias_add(ad->dir, &al, e);
	arena_fini(&a);
	return ok;
}

static bool
del_alias(const struct admin *ad, struct str typed, struct arena *a, struct err *e)
{
	struct str name;
	struct alias al;

	if (!alias_name(typed, a, &name, e))
		return false;
	if (directory_alias(ad->dir, name, a, &al, e) == DIRECTORY_MISSING)
		return err_perm(e, "no such alias",
		    "there is no alias %.*s; `postern alias list` shows those there are", STR_ARG(name));
	return directory_alias_del(ad->dir, name, e);
}

bool
admin_alias_del(const struct admin *ad, struct str name, struct err *e)
{
	struct arena a;
	bool ok;

	arena_init(&a);
	ok = del_alias(ad, name, &a, e);
	arena_fini(&a);
	return ok;
}
