/* keys.c - the keys role: private keys in, signatures out, certificates to those who speak TLS. No files, no network. */
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/core/map.h>
#include <postern/core/mem.h>
#include <postern/tls/keystore.h>

#include "env.h"
#include "roles.h"

/* Longer than the longest handshake (limits.handshake is at most 5 minutes). */
enum { RETIRED_MS = 6 * 60 * 1000 };

/* A pair as the configuration names it. Each loading gets a key id of its own: a handshake that began with the old
 * certificate is signed by the old key. */
struct pair {
	char *name; /* for which server name; "" for the default */
	bool fallback;
	unsigned round; /* in which KEYPAIR round it was last named */
	char key_id[ID_TEXT_SIZE];
};

/* A key that no new handshake is given, until those under way have ended. */
struct retired {
	TAILQ_ENTRY(retired) link;
	struct mono since;
	char key_id[ID_TEXT_SIZE];
};

struct keys {
	struct keystore *store;
	struct map pairs; /* id → struct pair */
	TAILQ_HEAD(, retired) retired; /* oldest first */
	struct loop_timer forget;
	unsigned round;
	bool failed;      /* a pair of this round was refused */
	uint64_t signatures;
	uint64_t refusals;
};

static void
forget_retired(void *ctx)
{
	struct keys *k = ctx;
	struct retired *r;

	while ((r = TAILQ_FIRST(&k->retired)) != NULL) {
		int64_t left = RETIRED_MS - mono_ms_between(mono_now(), r->since);

		if (left > 0) {
			loop_timer_start(&k->forget, left);
			return;
		}
		keystore_forget(k->store, str_of(r->key_id));
		TAILQ_REMOVE(&k->retired, r, link);
		free(r);
	}
}

static void
retire(struct keys *k, const struct pair *p)
{
	struct retired *r = NEW(struct retired);

	r->since = mono_now();
	memcpy(r->key_id, p->key_id, sizeof r->key_id);
	if (TAILQ_EMPTY(&k->retired))
		loop_timer_start(&k->forget, RETIRED_MS);
	TAILQ_INSERT_TAIL(&k->retired, r, link);
}

static struct keys *
keys_of(struct env *env)
{
	if (env->role == NULL) {
		struct keys *k = NEW(struct keys);

		if (!keystore_lock_memory())
			log_say(LEVEL_WARN, "keys", "memory for keys cannot be locked: raise RLIMIT_MEMLOCK");
		k->store = keystore_new();
		map_init(&k->pairs);
		TAILQ_INIT(&k->retired);
		loop_timer_init(&k->forget, env->loop, forget_retired, k);
		env->role = k;
	}
	return env->role;
}

static void
note_pair(struct keys *k, const struct keypair_ask *said, const char key_id[static ID_TEXT_SIZE])
{
	struct pair *p = map_get(&k->pairs, said->id);

	if (p == NULL) {
		p = NEW(struct pair);
		map_put(&k->pairs, said->id, p);
	} else {
		retire(k, p);
	}
	free(p->name);
	p->name = mem_cstr(said->names.n > 0 ? said->names.v[0] : STR(""));
	p->fallback = said->fallback != 0;
	p->round = k->round;
	memcpy(p->key_id, key_id, sizeof p->key_id);
}

/* What was there under that name stays. */
static void
keep_pair(struct keys *k, struct str id, const struct err *e)
{
	struct pair *p = map_get(&k->pairs, id);

	log_say(LEVEL_ERROR, "keys", "%s%s", e->log, p != NULL ? "; the old pair stays" : "");
	k->failed = true;
	if (p != NULL)
		p->round = k->round;
}

static void
on_keypair(void *ctx, struct ipc_chan *from, const struct keypair_ask *said)
{
	static const uint32_t callers = 1u << ROLE_SMTP | 1u << ROLE_IMAP;
	struct env *env = ctx;
	struct keys *k = keys_of(env);
	char *origin = mem_cstr(said->origin);
	char key_id[ID_TEXT_SIZE];
	struct err e;

	(void)from;
	id_text(id_new(), key_id);
	if (keystore_load_fds(k->store, str_of(key_id), callers, said->chain, said->key, origin, &e))
		note_pair(k, said, key_id);
	else
		keep_pair(k, said->id, &e);
	if (said->fallback && env->conf->relay.client_certificate)
		keystore_allow_clients(k->store, str_of(key_id), 1u << ROLE_RELAY);
	free(origin);
	close(said->chain);
	close(said->key);
}

/* Who connects to others shows the default, if any. */
static bool
is_for(const struct env *env, const struct pair *p, enum role role)
{
	return role != ROLE_RELAY || (p->fallback && env->conf->relay.client_certificate);
}

/* All certificates to one who speaks TLS; the default first. */
static void
tell(struct env *env, struct ipc_chan *to)
{
	struct keys *k = keys_of(env);

	for (int fallback = 1; fallback >= 0; fallback--) {
		size_t at = 0;
		struct str id;
		void *value;

		while (map_next(&k->pairs, &at, &id, &value)) {
			const struct pair *p = value;
			struct str name = str_of(p->name);

			if (p->fallback == (fallback == 1) && is_for(env, p, ipc_chan_peer(to)))
				say_certificate(to, &(struct certificate_ask){ .key = str_of(p->key_id),
							.names = { &name, name.n > 0 },
							.fallback = p->fallback,
							.chain = keystore_chain(k->store, str_of(p->key_id)) });
		}
	}
	say_certificates_end(to, &(struct certificates_end_ask){ .unused = 0 });
}

static bool
speaks_tls(enum role role)
{
	return role == ROLE_SMTP || role == ROLE_IMAP || role == ROLE_RELAY;
}

static void
tell_all(struct env *env)
{
	for (unsigned role = 0; role < ROLE_COUNT; role++)
		for (unsigned i = 0; speaks_tls((enum role)role) && i < env->npeers[role]; i++)
			tell(env, env_peer(env, (enum role)role, i));
}

static void
drop_unnamed(struct keys *k)
{
	size_t at = 0;
	struct str id;
	void *value;

	while (map_next(&k->pairs, &at, &id, &value)) {
		struct pair *p = value;

		if (p->round == k->round)
			continue;
		retire(k, p);
		map_del(&k->pairs, id);
		free(p->name);
		free(p);
	}
}

static void
on_keypairs_end(void *ctx, struct ipc_chan *from, const struct keypairs_end_ask *said)
{
	struct env *env = ctx;
	struct keys *k = keys_of(env);

	(void)from;
	(void)said;
	if (!k->failed)
		drop_unnamed(k); /* after a failure what was there may be needed still */
	k->round++;
	if (env->started)
		tell_all(env);
}

static void
start(struct env *env)
{
	struct keys *k = keys_of(env);

	/* at the very first start a pair that does not fit is the operator's to mend, before anybody connects */
	if (env->generation == 0 && (k->failed || keystore_count(k->store) == 0))
		log_fatal("certificates: mend what the lines above name, then start again");
	k->failed = false;
	tell_all(env);
}

static void
on_peer(struct env *env, enum role role, unsigned index, bool there)
{
	if (there && speaks_tls(role))
		tell(env, env_peer(env, role, index));
}

/* Who asks is known by the channel, not by the message. */
static unsigned
caller_of(struct ipc_question *q)
{
	return (unsigned)ipc_chan_peer(ipc_question_from(q));
}

static void
on_sign(void *ctx, struct ipc_question *q, const struct sign_ask *ask)
{
	struct keys *k = keys_of(ctx);
	struct sign_answer answer = { .ok = 0 };
	struct buf sig;
	struct err e;

	buf_init(&sig, TLS_SIGNATURE_MAX);
	answer.ok = keystore_sign(k->store, caller_of(q), ask->key, (enum tls_scheme)ask->scheme, ask->data, &sig, &e);
	if (answer.ok) {
		answer.signature = buf_str(&sig);
		k->signatures++;
	} else {
		log_say(LEVEL_WARN, "sign", "refused for %s: %s", role_name(caller_of(q)), e.log);
		k->refusals++;
	}
	answer_sign(q, &answer);
	buf_wipe(&sig);
}

static void
counters(struct env *env, struct counters_out *out)
{
	const struct keys *k = keys_of(env);

	counter_add(out, "keys", keystore_count(k->store));
	counter_add(out, "signatures", k->signatures);
	counter_add(out, "refused", k->refusals);
}

static const struct ipc_handlers handlers = { .keypair = on_keypair, .keypairs_end = on_keypairs_end, .sign = on_sign };

const struct role_ops keys_ops = { .handlers = &handlers, .start = start, .peer = on_peer, .counters = counters };
