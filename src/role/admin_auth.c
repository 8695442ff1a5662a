/* admin_auth.c - `postern alias', `domain' and `explain' as rows (verbs.h), and the table with those of `user'. */
#include "admin_auth.h"

#include <stdlib.h>

#include <postern/core/mem.h>

enum {
	PAGE = 50,
	DOMAIN_PAGE = 150,
	JSON_ROOM = CONTROL_JSON_MAX / 2, /* a page ends when it is so long; one row more still fits */
};

json_t *
verb_text(struct str s)
{
	json_t *json = json_stringn(s.n > 0 ? s.p : "", s.n);

	return json != NULL ? json : json_string("(not UTF-8)");
}

static json_t *
texts_json(const struct str *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, verb_text(v[i]));
	return list;
}

bool
verb_answer_name(struct control_answer *out, const char *what, struct str name)
{
	out->json = json_pack("{s:o}", what, verb_text(name));
	return true;
}

bool
verb_fail(struct control_answer *out, const struct control_ask *ask, const struct err *e)
{
	return control_fail(out, ask->arena, e->class == ERR_TEMP ? ADMIN_LATER : ADMIN_FAILED, "%s", e->log);
}

const struct admin *
verb_admin(void *ctx)
{
	return &((struct auth_admin *)ctx)->admin;
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
	if (!admin_alias_add(verb_admin(ctx), ask->args.v[0], targets, ntargets, senders, nsenders, &e))
		return verb_fail(out, ask, &e);
	return verb_answer_name(out, "alias", ask->args.v[0]);
}

static bool
alias_del(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct err e;

	if (!admin_alias_del(verb_admin(ctx), ask->args.v[0], &e))
		return verb_fail(out, ask, &e);
	return verb_answer_name(out, "alias", ask->args.v[0]);
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
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:b}", "alias", verb_text(al->address), "targets",
	    texts_json(al->targets, targets), "senders", texts_json(al->senders, senders), "omitted",
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

	if (!directory_aliases(verb_admin(ctx)->dir, ask->after, ask->arena, &page, rows, &e))
		return verb_fail(out, ask, &e);
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

	if (!admin_domain_add(verb_admin(ctx), ask->args.v[0], &e))
		return verb_fail(out, ask, &e);
	return verb_answer_name(out, "domain", ask->args.v[0]);
}

static bool
domain_del(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct err e;

	if (!admin_domain_del(verb_admin(ctx), ask->args.v[0], &e))
		return verb_fail(out, ask, &e);
	return verb_answer_name(out, "domain", ask->args.v[0]);
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
		json_array_append_new(out->json, json_pack("{s:o, s:b, s:n, s:b}", "domain", verb_text(all->v[at]),
						     "configured", true, "created", "damaged", false));
	out->more = at < all->n ? arena_strf(ask->arena, "#%ju", (uintmax_t)at) : STR("##");
	return true;
}

static json_t *
domain_json(const struct domain *d)
{
	return json_pack("{s:o, s:b, s:I, s:b}", "domain", verb_text(d->name), "configured", false, "created",
	    (json_int_t)d->created, "damaged", d->damaged);
}

static bool
list_added(const struct admin *admin, struct str after, const struct control_ask *ask, struct control_answer *out)
{
	struct domain *rows = arena_array(ask->arena, DOMAIN_PAGE, sizeof(rows[0]));
	struct directory_page page = { .max = DOMAIN_PAGE };
	struct err e;

	if (!directory_domains(admin->dir, after, ask->arena, &page, rows, &e))
		return verb_fail(out, ask, &e);
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
		return list_added(verb_admin(ctx), STR(""), ask, out);
	if (ask->after.n == 0 || ask->after.p[0] == '#')
		return list_configured(verb_admin(ctx), ask, out);
	return list_added(verb_admin(ctx), ask->after, ask, out);
}

/* --- explain --- */

static json_t *
targets_json(const struct resolve_answer *answer, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct resolve_target *t = &answer->targets[i];

		json_array_append_new(
		    list, json_pack("{s:o, s:b, s:o, s:I}", "address", verb_text(t->address), "local", t->local,
			      "detail", verb_text(t->detail), "quota", (json_int_t)t->quota));
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
	json = json_pack("{s:o, s:s, s:i, s:s, s:s, s:o, s:o, s:o}", "address", verb_text(answer->canonical), "verdict",
	    verdicts[answer->verdict], "code", (int)answer->code, "enhanced", answer->enhanced, "words", answer->words,
	    "chain", texts_json(answer->chain, answer->nchain), "targets", targets_json(answer, shown), "text",
	    verb_text(buf_str(&words)));
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
	{ "user", "add", 4, 4, verb_user_add },
	{ "user", "del", 1, 1, verb_user_del },
	{ "user", "list", 0, 0, verb_user_list },
	{ "user", "show", 1, 1, verb_user_show },
	{ "user", "passwd", 3, 3, verb_user_passwd },
	{ "user", "quota", 2, 2, verb_user_quota },
	{ "user", "enable", 1, 1, verb_user_enable },
	{ "user", "disable", 1, 1, verb_user_disable },
	{ "user", "check", 2, 2, verb_user_check },
	{ "alias", "add", 2, 1 + ALIAS_TARGETS_MAX + ALIAS_SENDERS_MAX, alias_add },
	{ "alias", "del", 1, 1, alias_del },
	{ "alias", "list", 0, 0, alias_list },
	{ "domain", "add", 1, 1, domain_add },
	{ "domain", "del", 1, 1, domain_del },
	{ "domain", "list", 0, 0, domain_list },
	{ "explain", NULL, 1, 1, explain },
	{ .noun = NULL },
};
