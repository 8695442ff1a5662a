/* resolve.c - an address to its recipients.
 *
 * expand() walks: alias, user, the same without the tag, role names, catch-all. A name that is being expanded already
 * is a loop; one that has been expanded is not expanded again. Each step leaves a line of explanation. */
#include <postern/auth/resolve.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <postern/auth/admin.h>
#include <postern/core/buf.h>
#include <postern/core/utf8.h>
#include <postern/message/address.h>

/* What came of an address: one row each. */
struct outcome {
	enum resolve_verdict verdict;
	unsigned code;
	const char *enhanced; /* RFC 3463 */
	const char *words;
};

static const struct outcome taken = { RESOLVE_TAKE, 250, "2.1.5", "recipient ok" };
static const struct outcome unknown = { RESOLVE_REFUSE, 550, "5.1.1", "no such user here" };
static const struct outcome disabled = { RESOLVE_REFUSE, 550, "5.2.1", "mailbox disabled" };
static const struct outcome loop = { RESOLVE_REFUSE, 550, "5.4.6", "alias loop" };
static const struct outcome foreign = { RESOLVE_REFUSE, 550, "5.7.1", "relaying denied" };
static const struct outcome bad_syntax = { RESOLVE_REFUSE, 553, "5.1.3", "bad recipient address" };
static const struct outcome needs_utf8 = { RESOLVE_REFUSE, 553, "5.6.7", "address needs SMTPUTF8" };
static const struct outcome never_fits = { RESOLVE_REFUSE, 552, "5.2.2", "message larger than the mailbox may become" };
static const struct outcome full = { RESOLVE_LATER, 452, "4.2.2", "mailbox full" };
static const struct outcome nobody_yet = { RESOLVE_LATER, 451, "4.3.0", "no postmaster yet, please try again later" };
static const struct outcome too_many = { RESOLVE_LATER, 451, "4.3.5", "alias with too many recipients" };
static const struct outcome trouble = { RESOLVE_LATER, 451, "4.3.0", "temporary failure, please try again later" };

struct walk {
	const struct resolver *r;
	const struct resolve_ask *ask;
	struct arena *a;
	struct resolve_answer *out;
	struct str path[RESOLVE_DEPTH_MAX]; /* aliases being expanded */
	unsigned depth;
	struct map done;  /* aliases expanded before */
	struct map taken; /* targets there are already */
	size_t room;      /* targets that fit in the array */
	size_t fulls;     /* local targets over their quota */
	bool never;       /* … because the message alone is too large */
	bool failed, looped, overflowed, found_disabled, found_nobody;
};

static void __attribute__((format(printf, 2, 3))) note(struct walk *w, const char *format, ...)
{
	struct buf line;
	va_list args;

	if (w->out->nchain == RESOLVE_CHAIN_MAX)
		return;
	buf_init(&line, 2048);
	va_start(args, format);
	buf_addv(&line, format, args);
	va_end(args);
	w->out->chain[w->out->nchain++] = arena_str(w->a, buf_str(&line));
	buf_fini(&line);
}

static void
settle(struct walk *w, const struct outcome *o)
{
	w->out->verdict = o->verdict;
	w->out->code = o->code;
	w->out->enhanced = o->enhanced;
	w->out->words = o->words;
}

/* --- targets --- */

static void
add_target(struct walk *w, struct resolve_target t)
{
	struct resolve_target *grown;
	struct str key = arena_strf(w->a, "%.*s\n%.*s", STR_ARG(t.address), STR_ARG(t.detail));

	if (map_get(&w->taken, key) != NULL)
		return;
	if (w->out->ntargets == RESOLVE_TARGETS_MAX) {
		w->overflowed = true;
		return;
	}
	map_put(&w->taken, key, w);
	if (w->out->ntargets == w->room) {
		w->room = w->room == 0 ? 4 : w->room * 2;
		grown = arena_array(w->a, w->room, sizeof *grown);
		if (w->out->ntargets > 0)
			memcpy(grown, w->out->targets, w->out->ntargets * sizeof *grown);
		w->out->targets = grown;
	}
	w->out->targets[w->out->ntargets++] = t;
}

static bool
is_full(struct walk *w, struct str user, uint64_t quota)
{
	uint64_t used = usage_of(w->r->usage, user);
	uint64_t size = w->ask->size;

	if (quota == 0 || (used < quota && size <= quota - used))
		return false;
	w->never = size > quota;
	note(w, "%.*s has used %llu of %llu bytes", STR_ARG(user), (unsigned long long)used, (unsigned long long)quota);
	return true;
}

static void
add_user(struct walk *w, const struct user *u, struct str detail)
{
	uint64_t quota = admin_quota(w->r->conf, u);

	if (u->disabled) {
		w->found_disabled = true;
		note(w, "%.*s is a user, disabled", STR_ARG(u->address));
		return;
	}
	note(w, "%.*s is a user", STR_ARG(u->address));
	if (is_full(w, u->address, quota))
		w->fulls++;
	add_target(
	    w, (struct resolve_target){ .local = true, .address = u->address, .detail = detail, .quota = quota });
}

/* --- the walk --- */

static void expand(struct walk *w, struct str address, struct str tag);

static bool
on_path(const struct walk *w, struct str address)
{
	for (unsigned i = 0; i < w->depth; i++)
		if (str_eq(w->path[i], address))
			return true;
	return false;
}

static void
expand_target(struct walk *w, struct str target)
{
	struct str local;
	struct str domain;
	bool failed = false;

	if (!address_split(target, &local, &domain))
		return;
	if (resolve_own_domain(w->r, domain, &failed)) {
		expand(w, target, STR(""));
		return;
	}
	w->failed = w->failed || failed;
	note(w, "%.*s is an address elsewhere", STR_ARG(target));
	add_target(w, (struct resolve_target){ .address = target });
}

/* The alias's own address among its targets means the account of that name, so it stays on the path meanwhile. */
static void
expand_alias(struct walk *w, const struct alias *al)
{
	if (map_put(&w->done, al->address, w) != NULL)
		return;
	if (w->depth == RESOLVE_DEPTH_MAX) {
		w->looped = true;
		note(w, "%.*s: more than %d aliases within each other", STR_ARG(al->address), RESOLVE_DEPTH_MAX);
		return;
	}
	note(
	    w, "%.*s is an alias for %zu address%s", STR_ARG(al->address), al->ntargets, al->ntargets == 1 ? "" : "es");
	w->path[w->depth++] = al->address;
	for (size_t i = 0; i < al->ntargets && !w->overflowed; i++)
		expand_target(w, al->targets[i]);
	w->depth--;
}

static void
note_trouble(struct walk *w, const struct err *e)
{
	w->failed = true;
	note(w, "%s", e->log);
}

/* True if the name stands for something (or nothing can be said): then others are not looked at. */
static bool
try_alias(struct walk *w, struct str name)
{
	struct alias al;
	struct err e;
	enum directory_found found;

	if (on_path(w, name))
		return false;
	found = directory_alias(w->r->dir, name, w->a, &al, &e);
	if (found == DIRECTORY_FAILED)
		note_trouble(w, &e);
	if (found == DIRECTORY_FOUND)
		expand_alias(w, &al);
	return found != DIRECTORY_MISSING;
}

static bool
try_user(struct walk *w, struct str name, struct str detail)
{
	struct user u;
	struct err e;
	enum directory_found found = directory_user(w->r->dir, name, w->a, &u, &e);

	if (found == DIRECTORY_FAILED)
		note_trouble(w, &e);
	if (found == DIRECTORY_FOUND)
		add_user(w, &u, detail);
	return found != DIRECTORY_MISSING;
}

static bool
try_name(struct walk *w, struct str name, struct str detail)
{
	return try_alias(w, name) || try_user(w, name, detail);
}

static bool
try_role_name(struct walk *w, struct str local, struct str name)
{
	struct str postmaster;
	struct err e;
	enum directory_found found;

	if (!resolve_is_role_name(local) || w->depth == RESOLVE_DEPTH_MAX)
		return false;
	found = resolve_postmaster(w->r, w->a, &postmaster, &e);
	if (found == DIRECTORY_FAILED) {
		note_trouble(w, &e);
		return true;
	}
	if (found == DIRECTORY_MISSING) {
		w->found_nobody = true;
		note(w, "%.*s goes to the postmaster, but there is no account yet", STR_ARG(name));
		return true;
	}
	note(w, "%.*s goes to the postmaster, %.*s", STR_ARG(name), STR_ARG(postmaster));
	w->path[w->depth++] = name;
	expand_target(w, postmaster);
	w->depth--;
	return true;
}

/* tag: what follows the "+" as the sender wrote it; empty: take it from the address. */
static void
expand(struct walk *w, struct str address, struct str tag)
{
	struct str local;
	struct str domain;
	struct str base;
	struct str detail = STR("");
	char separator = w->r->conf->auth.tag;
	bool tagged;

	if (!address_split(address, &local, &domain) || try_name(w, address, STR("")))
		return;
	tagged = separator != '\0' && address_split_detail(local, separator, &base, &detail);
	if (tagged) {
		address = arena_strf(w->a, "%.*s@%.*s", STR_ARG(base), STR_ARG(domain));
		local = base;
		if (try_name(w, address, tag.n > 0 ? tag : detail))
			return;
	}
	if (on_path(w, address)) {
		w->looped = true;
		note(w, "%.*s leads back to itself", STR_ARG(address));
		return;
	}
	if (try_role_name(w, local, address))
		return;
	if (try_alias(w, arena_strf(w->a, "@%.*s", STR_ARG(domain))))
		return;
	note(w, "%.*s is no user and no alias", STR_ARG(address));
}

/* --- the verdict --- */

static const struct outcome *
judge(const struct walk *w)
{
	if (w->failed)
		return &trouble;
	if (w->overflowed)
		return &too_many;
	if (w->out->ntargets > 0 && w->fulls < w->out->ntargets)
		return &taken; /* a full mailbox among others is no reason to keep the mail from those */
	if (w->out->ntargets > 0)
		return w->never ? &never_fits : &full;
	if (w->found_nobody)
		return &nobody_yet;
	if (w->looped)
		return &loop;
	return w->found_disabled ? &disabled : &unknown;
}

static void
resolve_own(struct walk *w, const struct address *parsed)
{
	struct str base;
	struct str tag = STR("");

	if (!address_canon_user(w->a, parsed, &w->out->canonical)) {
		note(w, "the local part has characters that no account name has");
		settle(w, &unknown);
		return;
	}
	if (w->r->conf->auth.tag != '\0' && !address_split_detail(parsed->local, w->r->conf->auth.tag, &base, &tag))
		tag = STR("");
	expand(w, w->out->canonical, arena_str(w->a, tag));
	settle(w, judge(w));
}

static bool
from_relay_net(const struct walk *w)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };

	memcpy(&sa.sin6_addr, w->ask->client.b, sizeof sa.sin6_addr);
	return conf_nets_has(&w->r->conf->relay_from, (const struct sockaddr *)&sa);
}

static void
resolve_foreign(struct walk *w, const struct address *parsed)
{
	bool login = w->ask->login.n > 0;

	if (!address_canon(w->a, parsed, &w->out->canonical)) {
		settle(w, &bad_syntax);
		return;
	}
	if (!login && !w->ask->ours && !from_relay_net(w)) {
		note(w, "the domain is not ours, there is no login, and the client is not in relay_from");
		settle(w, &foreign);
		return;
	}
	note(w, "the domain is not ours; relayed for %s",
	    login ? "a login" : w->ask->ours ? "ourselves" : "a client in relay_from");
	add_target(w, (struct resolve_target){ .address = w->out->canonical });
	settle(w, &taken);
}

/* "<postmaster>" without a domain is ours: RFC 5321 4.1.1.3. */
static bool
parse(struct walk *w, struct address *parsed)
{
	struct str text = w->ask->address;

	if (str_eq_nocase(text, STR("postmaster")) && w->r->conf->domains.n > 0) {
		*parsed = (struct address){ .local = STR("postmaster"), .domain = w->r->conf->domains.v[0] };
		return true;
	}
	if (!address_parse(text, w->ask->smtputf8 ? ADDRESS_UTF8 : 0, parsed)) {
		note(w, "not an address");
		settle(w, ascii_only(text) || w->ask->smtputf8 ? &bad_syntax : &needs_utf8);
		return false;
	}
	return true;
}

static void
resolve_parsed(struct walk *w, const struct address *parsed)
{
	struct str domain;
	bool failed = false;

	if (address_is_literal(parsed)) {
		resolve_foreign(w, parsed);
		return;
	}
	if (!address_canon_domain(w->a, parsed->domain, &domain)) {
		note(w, "not a domain");
		settle(w, &bad_syntax);
		return;
	}
	if (resolve_own_domain(w->r, domain, &failed))
		resolve_own(w, parsed);
	else if (failed)
		settle(w, &trouble);
	else
		resolve_foreign(w, parsed);
}

void
resolve(const struct resolver *r, const struct resolve_ask *ask, struct arena *a, struct resolve_answer *out)
{
	struct walk w = { .r = r, .ask = ask, .a = a, .out = out };
	struct address parsed;

	*out = (struct resolve_answer){ .canonical = STR("") };
	out->chain = arena_array(a, RESOLVE_CHAIN_MAX, sizeof *out->chain);
	map_init(&w.done);
	map_init(&w.taken);
	if (parse(&w, &parsed))
		resolve_parsed(&w, &parsed);
	if (out->verdict != RESOLVE_TAKE)
		out->ntargets = 0;
	map_fini(&w.done);
	map_fini(&w.taken);
}
