/* admin_user.c - `postern user …' as rows (verbs.h): words in, a library call, JSON out. */
#include "admin_auth.h"

#include <postern/core/mem.h>

enum { PAGE = 50 };

static json_t *
quota_json(uint64_t quota)
{
	return quota == QUOTA_DEFAULT ? json_null() : json_integer((json_int_t)quota);
}

static json_t *
user_json(const struct user *u)
{
	return json_pack("{s:o, s:b, s:o, s:I, s:b}", "address", verb_text(u->address), "disabled", u->disabled,
	    "quota", quota_json(u->quota), "created", (json_int_t)u->created, "damaged", u->damaged);
}

static bool
secret_of(const struct control_ask *ask, struct admin_secret *secret, struct control_answer *out)
{
	struct str kind = ask->args.v[1];

	*secret = (struct admin_secret){ .password = STR(""), .hash = STR("") };
	if (str_eq(kind, STR("password")))
		secret->password = ask->args.v[2];
	else if (str_eq(kind, STR("hash")))
		secret->hash = ask->args.v[2];
	else
		return !control_fail(out, ask->arena, ADMIN_USAGE, "a secret is a password or a hash");
	return true;
}

static bool
quota_of(const struct control_ask *ask, struct str word, uint64_t *quota, struct control_answer *out)
{
	*quota = str_eq(word, STR("none")) ? 0 : QUOTA_DEFAULT;
	if (str_eq(word, STR("none")) || str_eq(word, STR("default")) || str_u64(word, INT64_MAX, quota))
		return true;
	return !control_fail(out, ask->arena, ADMIN_USAGE, "a quota is a number of bytes, none or default");
}

bool
verb_user_add(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct admin_secret secret;
	uint64_t quota;
	struct err e;

	if (!secret_of(ask, &secret, out) || !quota_of(ask, ask->args.v[3], &quota, out))
		return true;
	if (!admin_user_add(verb_admin(ctx), ask->args.v[0], &secret, quota, &e))
		return verb_fail(out, ask, &e);
	return verb_answer_name(out, "address", ask->args.v[0]);
}

bool
verb_user_passwd(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct admin_secret secret;
	struct err e;

	if (!secret_of(ask, &secret, out))
		return true;
	if (!admin_user_passwd(verb_admin(ctx), ask->args.v[0], &secret, &e))
		return verb_fail(out, ask, &e);
	return verb_answer_name(out, "address", ask->args.v[0]);
}

bool
verb_user_quota(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	uint64_t quota;
	struct err e;

	if (!quota_of(ask, ask->args.v[1], &quota, out))
		return true;
	if (!admin_user_quota(verb_admin(ctx), ask->args.v[0], quota, &e))
		return verb_fail(out, ask, &e);
	return verb_answer_name(out, "address", ask->args.v[0]);
}

bool
verb_user_del(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct auth_admin *auth = ctx;
	struct str address;
	struct err e;

	if (!admin_user_del(&auth->admin, ask->args.v[0], &e) ||
	    !admin_address(ask->args.v[0], ask->arena, &address, &e))
		return verb_fail(out, ask, &e);
	if (auth->usage != NULL)
		usage_forget(auth->usage, address);
	return verb_answer_name(out, "address", address);
}

bool
verb_user_enable(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct err e;

	if (!admin_user_enable(verb_admin(ctx), ask->args.v[0], &e))
		return verb_fail(out, ask, &e);
	return verb_answer_name(out, "address", ask->args.v[0]);
}

bool
verb_user_disable(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct err e;

	if (!admin_user_disable(verb_admin(ctx), ask->args.v[0], &e))
		return verb_fail(out, ask, &e);
	return verb_answer_name(out, "address", ask->args.v[0]);
}

bool
verb_user_show(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct auth_admin *auth = ctx;
	struct user u;
	struct err e;
	json_t *used;

	if (!admin_user_show(&auth->admin, ask->args.v[0], ask->arena, &u, &e))
		return verb_fail(out, ask, &e);
	used = auth->usage != NULL ? json_integer((json_int_t)usage_of(auth->usage, u.address)) : json_null();
	out->json = user_json(&u);
	json_object_set_new(out->json, "quota_in_force", json_integer((json_int_t)admin_quota(auth->admin.conf, &u)));
	json_object_set_new(out->json, "scheme", json_string(verifier_scheme(&u.verifier)));
	json_object_set_new(out->json, "scram", json_boolean(u.verifier.scram.iterations > 0));
	json_object_set_new(out->json, "used", used);
	mem_wipe(&u.verifier, sizeof(u.verifier));
	return true;
}

bool
verb_user_list(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct user *rows = arena_array(ask->arena, PAGE, sizeof(rows[0]));
	struct directory_page page = { .max = PAGE };
	struct err e;

	if (!directory_users(verb_admin(ctx)->dir, ask->after, ask->arena, &page, rows, &e))
		return verb_fail(out, ask, &e);
	out->json = json_array();
	for (size_t i = 0; i < page.n; i++)
		json_array_append_new(out->json, user_json(&rows[i]));
	if (page.more)
		out->more = rows[page.n - 1].address;
	mem_wipe(rows, PAGE * sizeof(rows[0]));
	return true;
}

bool
verb_user_check(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	const struct admin *admin = verb_admin(ctx);
	struct err e;

	switch (login_check_now(admin->dir, admin->conf, ask->args.v[0], ask->args.v[1], &e)) {
	case LOGIN_OK:
		out->json = json_pack("{s:o, s:b}", "address", verb_text(ask->args.v[0]), "ok", true);
		return true;
	case LOGIN_LATER:
		return control_fail(out, ask->arena, ADMIN_LATER, "%s", e.log);
	default:
		return control_fail(out, ask->arena, ADMIN_FAILED, "%s", e.log);
	}
}
