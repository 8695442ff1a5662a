/* store.c - the store role: the mail of its users. Deliveries, sessions and commands of a user meet in this one process. */
#include "store.h"

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/imap/cache.h>
#include <postern/message/charset.h>
#include <postern/store/deliver.h>
#include <postern/store/store.h>

#include "roles.h"

enum { SYNC_THREADS = 8 }; /* measured: APPEND by twenty clients is twice to two and a half times as fast as with two */

static void
on_usage(void *ctx, struct str user, uint64_t bytes)
{
	struct store_role *r = ctx;

	say_usage(env_peer(r->env, ROLE_AUTH, 0), &(struct usage_ask){ .user = user, .bytes = bytes });
}

/* What needs files outside the root to be. */
static void
open_outside(struct env *env)
{
	(void)env;
	charset_init();
	store_prepare();
}

static void
start(struct env *env)
{
	struct store_role *r = NEW(struct store_role);
	struct store_config config = { .loop = env->loop,
		.root = env->root,
		.host = mem_cstr(env->conf->hostname),
		.threads = SYNC_THREADS,
		.free_min = env->conf->limits.disk_reserve,
		.make_cache = imap_make_cache,
		.make_grams = env->conf->imap.search_index ? imap_make_grams : NULL,
		.shares = env->conf->imap.shared,
		.on_usage = on_usage,
		.ctx = r };
	struct err e;

	/* the store outlives this configuration; so its host name is a copy */
	r->env = env;
	LIST_INIT(&r->sessions);
	r->tickets = ticket_table_new();
	env->role = r;
	r->store = store_open(&config, &e);
	if (r->store == NULL)
		log_fatal("mail store: %s", e.log);
}

static void
on_peer(struct env *env, enum role role, unsigned index, bool there)
{
	(void)index;
	/* whoever asked to prepare will not come back for it: his ledger decides, under the same ids */
	if (role == ROLE_QUEUE && !there)
		store_drop_all(store_role_of(env)->store);
}

static void
drain(struct env *env, unsigned seconds)
{
	struct store_role *r = store_role_of(env);

	(void)seconds;
	store_mail_shutdown(r, "the server stops");
	loop_stop(env->loop);
}

/* Outside the loop: closing runs it until the sync threads are done. */
static void
end(struct env *env)
{
	store_close(store_role_of(env)->store);
}

static void
counters(struct env *env, struct counters_out *out)
{
	const struct store_role *r = store_role_of(env);

	counter_add(out, "sessions", r->nsessions);
	counter_add(out, "logins", r->logins);
	counter_add(out, "delivered", r->delivered);
}

static void *
admin(struct env *env)
{
	return env->role;
}

static const struct ipc_handlers handlers = {
	.deliver = store_on_deliver,
	.settle = store_on_settle,
	.ticket = store_on_ticket,
	.open_mail = store_on_open_mail,
	.take_back = store_on_take_back,
	.close_mail = store_on_close_mail,
};

const struct role_ops store_ops = {
	.handlers = &handlers,
	.verbs = store_verbs,
	.admin = admin,
	.open = open_outside,
	.start = start,
	.peer = on_peer,
	.drain = drain,
	.end = end,
	.counters = counters,
};
