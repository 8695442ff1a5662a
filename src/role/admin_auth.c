/* admin_auth.c - `postern user', `alias', `domain' and `explain' as rows (verbs.h): words in, a library call, JSON out. */
#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/role/verbs.h>

enum {
	PAGE = 50,
	DOMAIN_PAGE = 150,
	JSON_ROOM = CONTROL_JSON_MAX / 2, /* a page ends when it is so long; one row more still fits */
};

/* --- JSON --- */

/* Names are UTF-8; of a damaged row anything may come. */
static json_t *
text(struct str s)
{
	json_t *json = json_stringn(s.n > 0 ? s.p : "", s.n);

	return json != NULL ? json : json_string("(not UTF-8)");
}

static json_t *
texts(const struct str *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, text(v[i]));
	return list;
}

static json_t *
quota_json(uint64_t quota)
{
	return quota == QUOTA_DEFAULT ? json_null() : json_integer((json_int_t)quota);
}

static json_t *
user_json(const struct user *u)
{
	return json_pack("{s:o, s:b, s:o, s:I, s:b}", "address", text(u->address), "disabled", u->disabled, "quota",
	    quota_json(u->quota), "created", (json_int_t)u->created, "damaged", u->damaged);
}

static bool
answer_name(struct control_answer *out, const char *what, struct str name)
{
	out->json = json_pack("{s:o}", what, text(name));
	return true;
}

static bool
fail(struct control_answer *out, const struct control_ask *ask, const struct err *e)
{
	return control_fail(out, ask->arena, e->class == ERR_TEMP ? ADMIN_LATER : ADMIN_FAILED, "%s", e->log);
}

/* --- users --- */

static const struct admin *
admin_of(void *ctx)
{
	return &((struct auth_admin *)ctx)->admin;
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

static bool
user_add(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct admin_secret secret;
	uint64_t quota;
	struct err e;

	if (!secret_of(ask, &secret, out) || !quota_of(ask, ask->args.v[3], &quota, out))
		return true;
	if (!admin_user_add(admin_of(ctx), ask->args.v[0], &secret, quota, &e))
		return fail(out, ask, &e);
	return answer_name(out, "address", ask->args.v[0]);
}

static bool
user_passwd(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct admin_secret secret;
	struct err e;

	if (!secret_of(ask, &secret, out))
		return true;
	if (!admin_user_passwd(admin_of(ctx), ask->args.v[0], &secret, &e))
		return fail(out, ask, &e);
	return answer_name(out, "address", ask->args.v[0]);
}

static bool
user_quota(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	uint64_t quota;
	struct err e;

	if (!quota_of(ask, ask->args.v[1], &quota, out))
		return true;
	if (!admin_user_quota(admin_of(ctx), ask->args.v[0], quota, &e))
		return fail(out, ask, &e);
	return answer_name(out, "address", ask->args.v[0]);
}

static bool
user_del(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct auth_admin *auth = ctx;
	struct str address;
	struct err e;

	if (!admin_user_del(&auth->admin, ask->args.v[0], &e) ||
	    !admin_address(ask->args.v[0], ask->arena, &address, &e))
		return fail(out, ask, &e);
	if (auth->usage != NULL)
		usage_forget(auth->usage, address);
	return answer_name(out, "address", address);
}

static bool
user_enable(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct err e;

	if (!admin_user_enable(admin_of(ctx), ask->args.v[0], &e))
		return fail(out, ask, &e);
	return answer_name(out, "address", ask->args.v[0]);
}

static bool
user_disable(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct err e;

	if (!admin_user_disable(admin_of(ctx), ask->args.v[0], &e))
		return fail(out, ask, &e);
	return answer_name(out, "address", ask->args.v[0]);
}

static bool
user_show(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct auth_admin *auth = ctx;
	struct user u;
	struct err e;
	json_t *used;

	if (!admin_user_show(&auth->admin, ask->args.v[0], ask->arena, &u, &e))
		return fail(out, ask, &e);
	used = auth->usage != NULL ? json_integer((json_int_t)usage_of(auth->usage, u.address)) : json_null();
	out->json = user_json(&u);
	json_object_set_new(out->json, "quota_in_force", json_integer((json_int_t)admin_quota(auth->admin.conf, &u)));
	json_object_set_new(out->json, "scheme", json_string(verifier_scheme(&u.verifier)));
	json_object_set_new(out->json, "scram", json_boolean(u.verifier.scram.iterations > 0));
	json_object_set_new(out->json, "used", used);
	mem_wipe(&u.verifier, sizeof(u.verifier));
	return true;
}

static bool
user_list(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct user *rows = arena_array(ask->arena, PAGE, sizeof(rows[0]));
	struct directory_page page = { .max = PAGE };
	struct err e;

	if (!directory_users(admin_of(ctx)->dir, ask->after, ask->arena, &page, rows, &e))
		return fail(out, ask, &e);
	out->json = json_array();
	for (size_t i = 0; i < page.n; i++)
		json_array_append_new(out->json, user_json(&rows[i]));
	if (page.more)
		out->more = rows[page.n - 1].address;
	mem_wipe(rows, PAGE * sizeof(rows[0]));
	return true;
}

static bool
user_check(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	const struct admin *admin = admin_of(ctx);
	struct err e;

	switch (login_check_now(admin->dir, admin->conf, ask->args.v[0], ask->args.v[1], &e)) {
	case LOGIN_OK:
		out->json = json_pack("{s:o, s:b}", "address", text(ask->args.v[0]), "ok", true);
		return true;
	case LOGIN_LATER:
		return control_fail(out, ask->arena, ADMIN_LATER, "%s", e.log);
	default:
		return control_fail(out, ask->arena, ADMIN_FAILED, "%s", e.log);
	}
}

/* --- aliases --- */

/* TARGET… and +SENDER…, in any order. */
static bool
alias_add(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct str *targets = arena_array(ask->arena, ask->args.n, sizeof(targets[0]));
	struct str *senders = arena_array(ask->arena, ask->args.n, sizeof(senders[0]));
	size_t ntargets = 0, nsenders = 0;
	struct err e;

	for (uint32_t i = 1; i < ask->args.n; i++)
		if (str_starts(ask->args.v[i], STR("+")))
			senders[nsenders++] = str_sub(ask->args.v[i], 1, ask->args.v[i].n);
		else
			targets[ntargets++] = ask->args.v[i];
	if (!admin_alias_add(admin_of(ctx), ask->args.v[0], targets, ntargets, senders, nsenders, &e))
		return fail(out, ask, &e);
	return answer_name(out, "alias", ask->args.v[0]);
}

static bool
alias_del(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct err e;

	if (!admin_alias_del(admin_of(ctx), ask->args.v[0], &e))
		return fail(out, ask, &e);
	return answer_name(out, "alias", ask->args.v[0]);
}

/* As many names as fit into room bytes of JSON; room is what is left then. */
static size_t
fitting(const struct str *v, size_t n, size_t *room)
{
	size_t i = 0;

	while (i < n && v[i].n + 3 <= *room)
		*room -= v[i++].n + 3;
	return i;
}

static json_t *
alias_json(const struct alias *al, size_t *room)
{
	size_t all = JSON_ROOM;
	size_t targets = fitting(al->targets, al->ntargets, &all);
	size_t senders = fitting(al->senders, al->nsenders, &all);
	size_t used = JSON_ROOM - all + al->address.n + 128;

	*room -= used < *room ? used : *room;
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:b}", "alias", text(al->address), "targets",
	    texts(al->targets, targets), "senders", texts(al->senders, senders), "omitted",
	    (json_int_t)(al->ntargets - targets + al->nsenders - senders), "created", (json_int_t)al->created,
	    "damaged", al->damaged);
}

static bool
alias_list(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct alias *rows = arena_array(ask->arena, PAGE, sizeof(rows[0]));
	struct directory_page page = { .max = PAGE };
	size_t room = JSON_ROOM;
	size_t i = 0;
	struct err e;

	if (!directory_aliases(admin_of(ctx)->dir, ask->after, ask->arena, &page, rows, &e))
		return fail(out, ask, &e);
	out->json = json_array();
	while (i < page.n && room > 0)
		json_array_append_new(out->json, alias_json(&rows[i++], &room));
	if (page.more || i < page.n)
		out->more = rows[i - 1].address;
	return true;
}

/* --- domains --- */

static bool
domain_add(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct err e;

	if (!admin_domain_add(admin_of(ctx), ask->args.v[0], &e))
		return fail(out, ask, &e);
	return answer_name(out, "domain", ask->args.v[0]);
}

static bool
domain_del(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct err e;

	if (!admin_domain_del(admin_of(ctx), ask->args.v[0], &e))
		return fail(out, ask, &e);
	return answer_name(out, "domain", ask->args.v[0]);
}

static bool
is_configured(const struct conf *conf, struct str name)
{
	for (size_t i = 0; i < conf->domains.n; i++)
		if (str_eq(conf->domains.v[i], name))
			return true;
	return false;
}

/* Pages of those in the file come first; `after' is "#" and the number to go on with. */
static bool
list_configured(const struct admin *admin, const struct control_ask *ask, struct control_answer *out)
{
	const struct conf_strs *all = &admin->conf->domains;
	uint64_t at = 0;

	str_u64(str_sub(ask->after, 1, ask->after.n), all->n, &at);
	out->json = json_array();
	for (uint64_t end = at + DOMAIN_PAGE; at < all->n && at < end; at++)
		json_array_append_new(out->json, json_pack("{s:o, s:b, s:n, s:b}", "domain", text(all->v[at]),
						     "configured", true, "created", "damaged", false));
	out->more = at < all->n ? arena_strf(ask->arena, "#%ju", (uintmax_t)at) : STR("##");
	return true;
}

static json_t *
domain_json(const struct domain *d)
{
	return json_pack("{s:o, s:b, s:I, s:b}", "domain", text(d->name), "configured", false, "created",
	    (json_int_t)d->created, "damaged", d->damaged);
}

static bool
list_added(const struct admin *admin, struct str after, const struct control_ask *ask, struct control_answer *out)
{
	struct domain *rows = arena_array(ask->arena, DOMAIN_PAGE, sizeof(rows[0]));
	struct directory_page page = { .max = DOMAIN_PAGE };
	struct err e;

	if (!directory_domains(admin->dir, after, ask->arena, &page, rows, &e))
		return fail(out, ask, &e);
	out->json = json_array();
	for (size_t i = 0; i < page.n; i++)
		if (!is_configured(admin->conf, rows[i].name))
			json_array_append_new(out->json, domain_json(&rows[i]));
	if (page.more)
		out->more = rows[page.n - 1].name;
	return true;
}

static bool
domain_list(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	if (str_eq(ask->after, STR("##")))
		return list_added(admin_of(ctx), STR(""), ask, out);
	if (ask->after.n == 0 || ask->after.p[0] == '#')
		return list_configured(admin_of(ctx), ask, out);
	return list_added(admin_of(ctx), ask->after, ask, out);
}

/* --- explain --- */

static json_t *
targets_json(const struct resolve_answer *answer, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct resolve_target *t = &answer->targets[i];

		json_array_append_new(list, json_pack("{s:o, s:b, s:o, s:I}", "address", text(t->address), "local",
						t->local, "detail", text(t->detail), "quota", (json_int_t)t->quota));
	}
	return list;
}

static json_t *
explain_json(const struct resolve_answer *answer)
{
	static const char *const verdicts[] = { "take", "refuse", "later" };
	enum { TARGETS_SHOWN = 100 };
	size_t shown = answer->ntargets < TARGETS_SHOWN ? answer->ntargets : TARGETS_SHOWN;
	struct resolve_answer some = *answer;
	struct buf words;
	json_t *json;

	some.ntargets = shown;
	buf_init(&words, CONTROL_JSON_MAX / 3);
	resolve_explain(&some, &words);
	if (shown < answer->ntargets)
		buf_addf(&words, "  and %zu more\n", answer->ntargets - shown);
	json = json_pack("{s:o, s:s, s:i, s:s, s:s, s:o, s:o, s:o}", "address", text(answer->canonical), "verdict",
	    verdicts[answer->verdict], "code", (int)answer->code, "enhanced", answer->enhanced, "words", answer->words,
	    "chain", texts(answer->chain, answer->nchain), "targets", targets_json(answer, shown), "text",
	    text(buf_str(&words)));
	buf_fini(&words);
	return json;
}

static bool
explain(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct resolve_ask question = { .address = ask->args.v[0], .smtputf8 = true };
	struct resolve_answer answer;

	resolve(((struct auth_admin *)ctx)->resolver, &question, ask->arena, &answer);
	out->json = explain_json(&answer);
	return true;
}

const struct control_verb auth_verbs[] = {
	{ "user", "add", 4, 4, user_add },
	{ "user", "del", 1, 1, user_del },
	{ "user", "list", 0, 0, user_list },
	{ "user", "show", 1, 1, user_show },
	{ "user", "passwd", 3, 3, user_passwd },
	{ "user", "quota", 2, 2, user_quota },
	{ "user", "enable", 1, 1, user_enable },
	{ "user", "disable", 1, 1, user_disable },
	{ "user", "check", 2, 2, user_check },
	{ "alias", "add", 2, 1 + ALIAS_TARGETS_MAX + ALIAS_SENDERS_MAX, alias_add },
	{ "alias", "del", 1, 1, alias_del },
	{ "alias", "list", 0, 0, alias_list },
	{ "domain", "add", 1, 1, domain_add },
	{ "domain", "del", 1, 1, domain_del },
	{ "domain", "list", 0, 0, domain_list },
	{ "explain", NULL, 1, 1, explain },
	{ .noun = NULL },
};
