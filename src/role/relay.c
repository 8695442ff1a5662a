/* relay.c - the relay role: jobs from queue, names from dns, connections to other hosts. No files: the message comes as a
 * descriptor, the CA certificates are read before the root is closed, passwords come from the parent. */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/map.h>
#include <postern/core/mem.h>
#include <postern/relay/relay.h>

#include "env.h"
#include "relay_ipc.h"
#include "roles.h"
#include "sign.h"

struct relay_role {
	struct env *env;
	struct relay *relay;
	struct tls_client *tls;
	struct map passwords; /* file as configured → struct buf */
	struct addr *local; /* this machine's */
	size_t nlocal;
	struct tls_signer signer;
	bool shows; /* a certificate came in this round of certificates */
	uint64_t nonsense;    /* jobs that made no sense */
};

static struct relay_role *
role_of(struct env *env)
{
	return env->role;
}

/* --- what the relay asks of others --- */

struct looking {
	struct ipc_call *call;
	enum dns_type type;
	void (*on)(void *arg, const struct dns_answer *a);
	void *arg;
};

static void
on_looked_up(void *ctx, const struct lookup_answer *said)
{
	struct looking *l = ctx;
	struct looking mine = *l;
	struct dns_answer answer;
	struct arena a;

	free(l);
	arena_init(&a);
	dns_answer_unpack(said, mine.type, &a, &answer);
	mine.on(mine.arg, &answer);
	arena_fini(&a);
}

static void *
op_lookup(void *ctx, enum dns_type type, struct str name, void (*on)(void *arg, const struct dns_answer *a), void *arg)
{
	struct relay_role *r = ctx;
	struct looking *l = NEW(struct looking);

	*l = (struct looking){ .type = type, .on = on, .arg = arg };
	l->call = ask_lookup(env_peer(r->env, ROLE_DNS, 0),
	    &(struct lookup_ask){ .type = (uint16_t)type, .name = name }, on_looked_up, l);
	return l;
}

static void
op_cancel(void *ctx, void *asked)
{
	struct looking *l = asked;

	(void)ctx;
	ipc_cancel(l->call);
	free(l);
}

static struct str
op_password(void *ctx, const struct conf_route *route)
{
	struct relay_role *r = ctx;
	const struct buf *b = map_get(&r->passwords, route->password_file);

	return b != NULL ? buf_str(b) : STR("");
}

/* As it was at the start: a machine that gets another address later is found out by the name in its greeting. */
static bool
op_is_local(void *ctx, const struct addr *at)
{
	const struct relay_role *r = ctx;

	for (size_t i = 0; i < r->nlocal; i++)
		if (addr_eq_ip(&r->local[i], at))
			return true;
	return false;
}

static void
note_local(struct relay_role *r, const struct sockaddr *sa)
{
	struct addr *grown = mem_array(r->nlocal + 1, sizeof *grown);

	if (r->nlocal > 0)
		memcpy(grown, r->local, r->nlocal * sizeof *grown);
	free(r->local);
	r->local = grown;
	if (addr_from_sockaddr(sa, sa->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6),
		&r->local[r->nlocal]))
		r->nlocal++;
}

static void
note_locals(struct relay_role *r)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) == -1) {
		log_say(LEVEL_WARN, "relay", "addresses of this machine: %s; it is known by its name only",
		    strerror(errno));
		return;
	}
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL && (i->ifa_addr->sa_family == AF_INET || i->ifa_addr->sa_family == AF_INET6))
			note_local(r, i->ifa_addr);
	freeifaddrs(all);
}

static const struct relay_ops ops = {
	.lookup = op_lookup, .cancel = op_cancel, .password = op_password, .is_local = op_is_local
};

/* --- what others tell --- */

static void
on_password(void *ctx, struct ipc_chan *from, const struct password_ask *said)
{
	struct relay_role *r = role_of(ctx);
	struct buf *b = NEW(struct buf);
	struct buf *was;

	(void)from;
	buf_init(b, said->password.n);
	buf_add(b, said->password);
	was = map_put(&r->passwords, said->file, b);
	if (was != NULL)
		buf_wipe(was);
	free(was);
}

static void
on_certificate(void *ctx, struct ipc_chan *from, const struct certificate_ask *said)
{
	struct relay_role *r = role_of(ctx);
	struct err e;

	(void)from;
	if (!said->fallback)
		return;
	r->shows = true;
	if (!tls_client_set_certificate(r->tls, said->chain, said->key, &r->signer, &e))
		log_say(LEVEL_ERROR, "relay", "no client certificate: %s", e.log);
}

static void
on_certificates_end(void *ctx, struct ipc_chan *from, const struct certificates_end_ask *said)
{
	struct relay_role *r = role_of(ctx);
	struct err e;

	(void)from;
	(void)said;
	if (!r->shows)
		tls_client_set_certificate(r->tls, STR(""), STR(""), NULL, &e);
	r->shows = false;
}

static void
on_relayed(void *ctx, const struct queue_relayed *result)
{
	struct ipc_question *q = ctx;
	struct relay_mail_answer answer;
	struct arena a;

	arena_init(&a);
	relay_result_pack(result, &a, &answer);
	answer_relay_mail(q, &answer);
	arena_fini(&a);
}

static void
on_relay_mail(void *ctx, struct ipc_question *q, const struct relay_mail_ask *ask)
{
	struct relay_role *r = role_of(ctx);
	struct queue_job job;
	struct arena a;

	arena_init(&a);
	if (relay_job_unpack(ask, &a, &job)) {
		relay_send(r->relay, &job, on_relayed, q);
	} else {
		r->nonsense++;
		answer_relay_mail(q, &(struct relay_mail_answer){ .reached = QUEUE_REACHED }); /* which queue takes for "gone" */
	}
	if (ask->file != -1)
		close(ask->file);
	arena_fini(&a);
}

/* --- the role --- */

static void *
make(struct env *env)
{
	struct relay_role *r = NEW(struct relay_role);

	r->env = env;
	r->signer = (struct tls_signer){ sign_by_keys, env };
	r->tls = tls_client_new();
	map_init(&r->passwords);
	return r;
}

static void
open_outside(struct env *env)
{
	struct relay_role *r = role_of(env);
	size_t damaged = 0;
	struct err e;

	note_locals(r);
	if (!tls_client_load_ca(r->tls, env->conf->relay.ca_file.p, &damaged, &e))
		log_say(
		    LEVEL_WARN, "relay", "%s; nobody's certificate can be verified, mail that demands it waits", e.log);
	else if (damaged > 0)
		log_say(
		    LEVEL_WARN, "relay", "%s: %zu damaged certificates left out", env->conf->relay.ca_file.p, damaged);
}

static void
start(struct env *env)
{
	struct relay_role *r = role_of(env);

	r->relay = relay_new(env->loop, env->conf, r->tls, &ops, r);
}

static void
reload(struct env *env, const struct conf *was)
{
	(void)was;
	relay_configure(role_of(env)->relay, env->conf);
}

/* What a dead queue sent is sent again by the next one: going on with it would only be mail that comes twice. */
static void
on_peer(struct env *env, enum role role, unsigned index, bool there)
{
	(void)index;
	if (role == ROLE_QUEUE && !there)
		relay_abandon(role_of(env)->relay);
}

static void
on_idle(void *ctx)
{
	env_end(ctx);
}

static void
drain(struct env *env, unsigned seconds)
{
	(void)seconds;
	relay_drain(role_of(env)->relay, on_idle, env);
}

static void
counters(struct env *env, struct counters_out *out)
{
	const struct relay_role *r = role_of(env);
	struct relay_counts c;

	relay_count(r->relay, &c);
	counter_add(out, "jobs", c.jobs);
	counter_add(out, "connections", c.connections);
	counter_add(out, "idle", c.idle);
	counter_add(out, "connected", c.connected);
	counter_add(out, "reused", c.reused);
	counter_add(out, "messages", c.messages);
	counter_add(out, "nonsense", r->nonsense);
}

static const struct ipc_handlers handlers = {
	.relay_mail = on_relay_mail,
	.password = on_password,
	.certificate = on_certificate,
	.certificates_end = on_certificates_end,
};

const struct role_ops relay_ops = {
	.handlers = &handlers,
	.make = make,
	.open = open_outside,
	.start = start,
	.reload = reload,
	.drain = drain,
	.peer = on_peer,
	.counters = counters,
};
