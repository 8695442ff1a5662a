/* admin.c - accounts and domains as the administrator's commands want them: checked, with whole sentences when not. */
#include <postern/auth/admin.h>

#include <stdio.h>

#include <postern/auth/resolve.h>
#include <postern/core/mem.h>
#include <postern/message/address.h>

#include "identity.h"
#include "login_own.h"

bool
admin_address(struct str typed, struct arena *a, struct str *canonical, struct err *e)
{
	typed = str_trim(typed);
	if (identity_of_address(typed, true, a, canonical))
		return true;
	return err_perm(e, "not an address", "\"%.*s\" is no address for an account: give it as name@domain",
	    (int)(typed.n < 128 ? typed.n : 128), typed.p);
}

bool
admin_domain(struct str typed, struct arena *a, struct str *canonical, struct err *e)
{
	typed = str_trim(typed);
	if (typed.n > 0 && typed.p[0] != '[' && address_canon_domain(a, typed, canonical))
		return true;
	return err_perm(e, "not a domain", "\"%.*s\" is no domain name", (int)(typed.n < 128 ? typed.n : 128), typed.p);
}

uint64_t
admin_quota(const struct conf *conf, const struct user *u)
{
	return u->quota == QUOTA_DEFAULT ? conf->limits.quota : u->quota;
}

static bool
missing(struct str name, struct err *e)
{
	return err_perm(
	    e, "no such account", "there is no account %.*s; `postern user list` shows those there are", STR_ARG(name));
}

static bool
want_own_domain(const struct admin *ad, struct str address, struct err *e)
{
	struct resolver r = { .dir = ad->dir, .conf = ad->conf };
	bool failed = false;
	struct str domain;
	struct str local;

	if (address_split(address, &local, &domain) && resolve_own_domain(&r, domain, &failed))
		return true;
	if (failed)
		return err_temp(e, SAY_LATER, "the directory does not answer: try again");
	return err_perm(e, "not a local domain",
	    "%.*s is not a domain of this server: add it first with `postern domain add %.*s`, or to `domains` in the "
	    "configuration",
	    STR_ARG(domain), STR_ARG(domain));
}

static bool
make_verifier(const struct admin *ad, const struct admin_secret *secret, struct verifier *v, struct err *e)
{
	struct verifier_cost cost = login_cost(ad->conf);

	if (secret->hash.n > 0)
		return verifier_import(v, secret->hash, &cost, e);
	return verifier_make(v, secret->password, &cost, e);
}

static bool
want_no_user(const struct admin *ad, struct str name, struct arena *a, struct err *e)
{
	struct user u;

	switch (directory_user(ad->dir, name, a, &u, e)) {
	case DIRECTORY_MISSING:
		return true;
	case DIRECTORY_FOUND:
		return err_perm(e, "exists already",
		    "%.*s is an account already: `postern user passwd %.*s` gives it another password", STR_ARG(name),
		    STR_ARG(name));
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

static bool
want_no_alias(const struct admin *ad, struct str name, struct arena *a, struct err *e)
{
	struct alias al;

	switch (directory_alias(ad->dir, name, a, &al, e)) {
	case DIRECTORY_MISSING:
		return true;
	case DIRECTORY_FOUND:
		return err_perm(e, "exists already",
		    "%.*s is an alias and would keep the account's mail: delete it first with `postern alias del %.*s`",
		    STR_ARG(name), STR_ARG(name));
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

/* An account "a+b" could not be told from the tag b of the account "a". */
static bool
want_no_tag(const struct admin *ad, struct str name, struct err *e)
{
	struct str local;
	struct str domain;

	if (ad->conf->auth.tag == '\0' || !address_split(name, &local, &domain) || !str_has(local, ad->conf->auth.tag))
		return true;
	return err_perm(e, "tag in an account name",
	    "%.*s: \"%c\" starts a tag (auth { tag }), so it cannot be part of an account's name", STR_ARG(name),
	    ad->conf->auth.tag);
}

static bool
add(const struct admin *ad, struct str typed, const struct admin_secret *secret, uint64_t quota, struct arena *a,
    struct err *e)
{
	struct user u = { .quota = quota };
	bool ok;

	if (!admin_address(typed, a, &u.address, e) || !want_own_domain(ad, u.address, e) ||
	    !want_no_tag(ad, u.address, e) || !want_no_user(ad, u.address, a, e) || !want_no_alias(ad, u.address, a, e))
		return false;
	ok = make_verifier(ad, secret, &u.verifier, e) && directory_user_add(ad->dir, &u, e);
	mem_wipe(&u, sizeof u);
	return ok;
}

bool
admin_user_add(
    const struct admin *ad, struct str name, const struct admin_secret *secret, uint64_t quota, struct err *e)
{
	struct arena a;
	bool ok;

	arena_init(&a);
	ok = add(ad, name, secret, quota, &a, e);
	arena_fini(&a);
	return ok;
}

/* What one of the short commands does with an account that exists (or whose row is damaged). */
struct deed {
	bool (*run)(const struct admin *ad, struct str name, const struct deed *what, struct err *e);
	bool damaged_too;
	const struct verifier *verifier;
	uint64_t quota;
};

static bool
do_deed(const struct admin *ad, struct str typed, const struct deed *what, struct arena *a, struct err *e)
{
	enum directory_found found;
	struct str name;
	struct user u;

	if (!admin_address(typed, a, &name, e))
		return false;
	found = directory_user(ad->dir, name, a, &u, e);
	mem_wipe(&u, sizeof u);
	if (found == DIRECTORY_MISSING)
		return missing(name, e);
	if (found == DIRECTORY_FAILED && !what->damaged_too)
		return false;
	return what->run(ad, name, what, e);
}

static bool
with_user(const struct admin *ad, struct str typed, const struct deed *what, struct err *e)
{
	struct arena a;
	bool ok;

	arena_init(&a);
	ok = do_deed(ad, typed, what, &a, e);
	arena_fini(&a);
	return ok;
}

static bool
run_del(const struct admin *ad, struct str name, const struct deed *what, struct err *e)
{
	(void)what;
	return directory_user_del(ad->dir, name, e);
}

bool
admin_user_del(const struct admin *ad, struct str name, struct err *e)
{
	return with_user(ad, name, &(struct deed){ .run = run_del, .damaged_too = true }, e);
}

static bool
run_passwd(const struct admin *ad, struct str name, const struct deed *what, struct err *e)
{
	return directory_user_set_verifier(ad->dir, name, what->verifier, e);
}

bool
admin_user_passwd(const struct admin *ad, struct str name, const struct admin_secret *secret, struct err *e)
{
	struct verifier v;
	bool ok = make_verifier(ad, secret, &v, e) &&
		  with_user(ad, name, &(struct deed){ .run = run_passwd, .verifier = &v }, e);

	mem_wipe(&v, sizeof v);
	return ok;
}

static bool
run_quota(const struct admin *ad, struct str name, const struct deed *what, struct err *e)
{
	return directory_user_set_quota(ad->dir, name, what->quota, e);
}

bool
admin_user_quota(const struct admin *ad, struct str name, uint64_t quota, struct err *e)
{
	return with_user(ad, name, &(struct deed){ .run = run_quota, .quota = quota }, e);
}

static bool
run_enable(const struct admin *ad, struct str name, const struct deed *what, struct err *e)
{
	(void)what;
	return directory_user_set_disabled(ad->dir, name, false, e);
}

bool
admin_user_enable(const struct admin *ad, struct str name, struct err *e)
{
	return with_user(ad, name, &(struct deed){ .run = run_enable }, e);
}

static bool
run_disable(const struct admin *ad, struct str name, const struct deed *what, struct err *e)
{
	(void)what;
	return directory_user_set_disabled(ad->dir, name, true, e);
}

bool
admin_user_disable(const struct admin *ad, struct str name, struct err *e)
{
	return with_user(ad, name, &(struct deed){ .run = run_disable }, e);
}

bool
admin_user_show(const struct admin *ad, struct str name, struct arena *a, struct user *out, struct err *e)
{
	struct str canonical;

	if (!admin_address(name, a, &canonical, e))
		return false;
	switch (directory_user(ad->dir, canonical, a, out, e)) {
	case DIRECTORY_FOUND:
		return true;
	case DIRECTORY_MISSING:
		return missing(canonical, e);
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}
