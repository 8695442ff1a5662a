/* queue.c - the queue role: responsibility for accepted mail. smtp submits, stores deliver, auth resolves, all by question. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/auth/resolve.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/queue/queue.h>
#include <postern/relay/route.h>
#include <postern/role/owner.h>
#include <postern/role/verbs.h>

#include "env.h"
#include "queue_sts.h"
#include "relay_ipc.h"
#include "roles.h"

struct queue_role {
	struct env *env;
	struct queue *queue;
	char postmaster[400];
	int proc_fd; /* /proc/self/fd, opened while it was there */
	uint64_t submitted;
};

static struct queue_role *
role_of(struct env *env)
{
	return env->role;
}

/* --- what the queue asks of others --- */

/* A question to a store: how many answers are due. */
struct store_asked {
	struct queue_ask *ask;
	size_t n;
};

static struct store_asked *
asking(struct queue_ask *ask, size_t n)
{
	struct store_asked *a = NEW(struct store_asked);

	*a = (struct store_asked){ ask, n };
	return a;
}

/* One answer for each target, or none at all: then nobody knows what the store did. */
static void
store_answered(struct store_asked *a, struct str verdicts, const struct strs *statuses, const struct strs *texts)
{
	struct queue_answer answers[QUEUE_BATCH_MAX] = { 0 };
	struct queue_ask *ask = a->ask;
	size_t n = a->n;

	free(a);
	if (verdicts.n != n || statuses->n != n || texts->n != n || n > QUEUE_BATCH_MAX) {
		queue_answer_gone(ask);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		answers[i].verdict = (enum queue_verdict)verdicts.p[i];
		if ((unsigned char)verdicts.p[i] > QUEUE_PREPARED)
			answers[i].verdict = QUEUE_TEMP;
		snprintf(answers[i].status, sizeof answers[i].status, "%.*s", STR_ARG(statuses->v[i]));
		snprintf(answers[i].text, sizeof answers[i].text, "%.*s", STR_ARG(texts->v[i]));
	}
	queue_answer(ask, answers, n);
}

static void
on_delivered(void *ctx, const struct deliver_answer *a)
{
	static const struct deliver_answer gone;

	a = a != NULL ? a : &gone;
	store_answered(ctx, a->verdicts, &a->statuses, &a->texts);
}

static void
on_settled(void *ctx, const struct settle_answer *a)
{
	static const struct settle_answer gone;

	a = a != NULL ? a : &gone;
	store_answered(ctx, a->verdicts, &a->statuses, &a->texts);
}

static void
on_dropped(void *ctx, const struct settle_answer *a)
{
	struct store_asked *asked = ctx;
	struct queue_answer answers[QUEUE_BATCH_MAX] = { 0 };

	/* a store that is gone has dropped it, too */
	(void)a;
	queue_answer(asked->ask, answers, asked->n);
	free(asked);
}

static unsigned
op_store_of(void *ctx, struct str user)
{
	struct queue_role *r = ctx;

	return owner_of(user, r->env->conf->store.processes);
}

static void
op_deliver(void *ctx, const struct queue_delivery *d, struct queue_ask *ask)
{
	struct queue_role *r = ctx;
	struct str users[QUEUE_BATCH_MAX];
	struct str details[QUEUE_BATCH_MAX];
	struct str orig_tos[QUEUE_BATCH_MAX];
	uint32_t n = (uint32_t)d->n;

	ASSERT(d->n <= QUEUE_BATCH_MAX);
	for (uint32_t i = 0; i < n; i++) {
		users[i] = d->targets[i].user;
		details[i] = d->targets[i].detail;
		orig_tos[i] = d->targets[i].orig_to;
	}
	ask_deliver(env_peer(r->env, ROLE_STORE, d->store),
	    &(struct deliver_ask){ .delivery = d->id,
		.mode = (uint8_t)d->mode,
		.qid = d->qid,
		.sender = d->sender,
		.users = { users, n },
		.details = { details, n },
		.orig_tos = { orig_tos, n },
		.file = d->fd },
	    on_delivered, asking(ask, d->n));
}

static void
op_settle(void *ctx, unsigned store, enum queue_settle how, struct id id, size_t n, struct queue_ask *ask)
{
	struct queue_role *r = ctx;

	ask_settle(env_peer(r->env, ROLE_STORE, store), &(struct settle_ask){ .delivery = id, .how = (uint8_t)how },
	    how == QUEUE_DROP ? on_dropped : on_settled, asking(ask, n));
}

static void
on_rcpt(void *ctx, const struct rcpt_answer *a)
{
	struct queue_ask *ask = ctx;
	struct queue_answer refusal = { .verdict = QUEUE_TEMP, .code = 451 };
	struct envelope_target *targets;

	if (a == NULL) {
		queue_answer_gone(ask);
		return;
	}
	if (a->verdict != RESOLVE_TAKE || a->kinds.n != a->targets.n || a->details.n != a->targets.n) {
		refusal.verdict = a->verdict == RESOLVE_REFUSE ? QUEUE_PERM : QUEUE_TEMP;
		refusal.code = a->code;
		snprintf(refusal.status, sizeof refusal.status, "%.*s", STR_ARG(a->enhanced));
		snprintf(refusal.text, sizeof refusal.text, "%.*s", STR_ARG(a->words));
		queue_answer(ask, &refusal, 1);
		return;
	}
	targets = mem_array(a->targets.n, sizeof *targets);
	for (uint32_t i = 0; i < a->targets.n; i++)
		targets[i] = (struct envelope_target){ a->kinds.p[i] == 'l' ? ENVELOPE_LOCAL : ENVELOPE_REMOTE,
			a->targets.v[i], a->details.v[i] };
	queue_answer_targets(ask, targets, a->targets.n);
	free(targets);
}

static void
op_resolve(void *ctx, struct str address, struct queue_ask *ask)
{
	struct queue_role *r = ctx;

	/* bounces may go anywhere */
	ask_rcpt(env_peer(r->env, ROLE_AUTH, 0),
	    &(struct rcpt_ask){ .address = address, .client = STR("local"), .smtputf8 = 1 }, on_rcpt, ask);
}

static void
op_destination(void *ctx, struct str domain, struct queue_destination *out)
{
	struct queue_role *r = ctx;

	relay_route_destination(r->env->conf, domain, out);
}

static void
on_relayed(void *ctx, const struct relay_mail_answer *a)
{
	struct queue_ask *ask = ctx;
	struct queue_relayed result;
	struct arena arena;

	arena_init(&arena);
	if (a != NULL && relay_result_unpack(a, &arena, &result))
		queue_answer_relayed(ask, &result);
	else
		queue_answer_gone(ask);
	arena_fini(&arena);
}

/* A destination stays with one process, so that its connections are used again. */
static struct ipc_chan *
relay_of(struct queue_role *r, struct str destination)
{
	return env_peer(r->env, ROLE_RELAY, owner_of(destination, r->env->conf->relay.processes));
}

static void
op_relay(void *ctx, const struct queue_job *job, struct queue_ask *ask)
{
	struct queue_role *r = ctx;
	struct relay_mail_ask packed;
	struct arena arena;

	arena_init(&arena);
	relay_job_pack(job, &arena, &packed);
	ask_relay_mail(relay_of(r, job->destination), &packed, on_relayed, ask);
	arena_fini(&arena);
}

static void
on_sts(void *ctx, const struct queue_sts *s)
{
	queue_answer_sts(ctx, s);
}

static void
op_sts(void *ctx, struct str domain, struct str known_id, bool refresh, struct queue_ask *ask)
{
	struct queue_role *r = ctx;

	queue_sts_look(&(struct queue_sts_query){ .dns = env_peer(r->env, ROLE_DNS, 0),
			   .fetch = env_peer(r->env, ROLE_FETCH, 0),
			   .domain = domain,
			   .known_id = known_id,
			   .refresh = refresh },
	    on_sts, ask);
}

static const struct queue_ops asked_ops = { .store_of = op_store_of,
	.deliver = op_deliver,
	.settle = op_settle,
	.resolve = op_resolve,
	.destination = op_destination,
	.relay = op_relay,
	.sts = op_sts };

/* --- what others ask of the queue --- */

static void
on_done(void *ctx, const struct queue_answer *a)
{
	struct ipc_question *q = ctx;

	answer_submit(q, &(struct submit_answer){ .verdict = (uint8_t)a->verdict,
			     .code = (uint16_t)a->code,
			     .enhanced = str_of(a->status),
			     .words = str_of(a->text) });
}

static void
on_submit(void *ctx, struct ipc_question *q, const struct submit_ask *ask)
{
	struct queue_role *r = role_of(ctx);

	r->submitted++;
	if (ask->file == -1) {
		answer_submit(q, &(struct submit_answer){ .verdict = QUEUE_TEMP, .code = 451, .enhanced = STR("4.3.0"),
		    .words = STR(SAY_LATER) });
		return;
	}
	queue_submit(r->queue, ask->file, ask->sid, on_done, q);
}

static void
on_spool_file(void *ctx, struct ipc_question *q, const struct spool_file_ask *ask)
{
	struct queue_role *r = role_of(ctx);
	struct err e;
	int fd = queue_spool_file(r->queue, &e);

	(void)ask;
	if (fd == -1)
		log_say(LEVEL_ERROR, "spool", "%s", e.log);
	answer_spool_file(
	    q, &(struct spool_file_answer){ .ok = fd != -1, .words = str_of(fd == -1 ? e.log : ""), .file = fd });
	io_close(&fd);
}

/* --- the role --- */

static void
fill_options(struct queue_role *r, struct queue_options *o)
{
	const struct conf *conf = r->env->conf;

	snprintf(r->postmaster, sizeof r->postmaster, "postmaster@%.*s",
	    STR_ARG(conf->domains.n > 0 ? conf->domains.v[0] : conf->hostname));
	*o = (struct queue_options){ .dir = r->env->root,
		.proc_fd = r->proc_fd,
		.hostname = conf->hostname,
		.postmaster = conf->postmaster.n > 0 ? conf->postmaster : str_of(r->postmaster),
		.limits = queue_limits_default() };
	if (conf->limits.message_size > 0)
		o->limits.message_size =
		    conf->limits.message_size + ENVELOPE_HEADER_SIZE + ENVELOPE_RECORD_MAX + ENVELOPE_PREFIX_MAX;
	o->limits.disk_reserve = conf->limits.disk_reserve;
	o->limits.warn_s = conf->queue.warn_ms / 1000;
	o->limits.expire_s = conf->queue.expire_ms / 1000;
	o->limits.retry_first_s = conf->queue.retry_first_ms / 1000;
	o->limits.retry_last_s = conf->queue.retry_last_ms / 1000;
	o->limits.jobs = conf->relay.connections;
	o->limits.jobs_per_destination = conf->relay.connections_per_destination;
}

static void
open_outside(struct env *env)
{
	struct queue_role *r = NEW(struct queue_role);

	r->env = env;
	r->proc_fd = io_open_fds();
	env->role = r;
}

static void
start(struct env *env)
{
	struct queue_role *r = role_of(env);
	struct queue_options o;
	struct err e;

	fill_options(r, &o);
	r->queue = queue_open(env->loop, &o, &asked_ops, r, &e);
	if (r->queue == NULL)
		log_fatal("queue: %s", e.log);
}

static void
reload(struct env *env, const struct conf *was)
{
	struct queue_role *r = role_of(env);
	struct queue_options o;

	(void)was;
	fill_options(r, &o);
	queue_configure(r->queue, &o);
}

static void
on_idle(void *ctx)
{
	env_end(ctx);
}

static void
drain(struct env *env, unsigned seconds)
{
	(void)seconds; /* the parent ends us when it takes longer: the ledger is as after a crash */
	queue_drain(role_of(env)->queue, on_idle, env);
}

static void
counters(struct env *env, struct counters_out *out)
{
	const struct queue_role *r = role_of(env);
	struct queue_counts c;

	queue_count(r->queue, &c);
	counter_add(out, "messages", c.messages);
	counter_add(out, "recipients", c.recipients);
	counter_add(out, "bytes", c.bytes);
	counter_add(out, "accepting", c.accepting);
	counter_add(out, "delivering", c.delivering);
	counter_add(out, "jobs", c.jobs);
	counter_add(out, "destinations", c.destinations);
	counter_add(out, "resting", c.resting);
	counter_add(out, "commits", c.commits);
	counter_add(out, "submitted", r->submitted);
}

static void *
admin(struct env *env)
{
	return role_of(env)->queue;
}

static const struct ipc_handlers handlers = { .submit = on_submit, .spool_file = on_spool_file };

const struct role_ops queue_ops = {
	.handlers = &handlers,
	.verbs = queue_verbs,
	.admin = admin,
	.open = open_outside,
	.start = start,
	.reload = reload,
	.drain = drain,
	.counters = counters,
};
