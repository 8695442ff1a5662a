/* status.c - what the parent answers to the command line: status, reload, stop. */
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "env.h"
#include "parent.h"

enum { STATUS_MS = 3000 };

/* One `status` under way: every role is asked for its counters, the answer goes when all have answered or the time is over. */
struct gather {
	struct server *server;
	struct ipc_question *question;
	json_t *processes;
	unsigned waiting;
	struct loop_timer limit;
	struct gather_one {
		struct gather *gather;
		struct ipc_call *call;
		json_t *row;
	} one[PROCS_MAX];
};

static void
finish(struct gather *g)
{
	struct server *s = g->server;
	struct control_answer out = { .status = ADMIN_DONE };
	bool healthy = true;

	for (unsigned i = 0; i < s->nprocs; i++)
		healthy = healthy && s->procs[i].ready;
	out.json = json_pack("{s:s, s:s%, s:I, s:b, s:b, s:o, s:o}", "version", POSTERN_VERSION, "hostname",
	    s->conf->hostname.p, s->conf->hostname.n, "uptime_ms", (json_int_t)mono_ms_between(mono_now(), s->started),
	    "healthy", healthy, "draining", s->draining, "gone_without",
	    s->skipped[0] != '\0' ? json_string(s->skipped) : json_null(), "processes", g->processes);
	control_reply(g->question, &out);
	for (unsigned i = 0; i < s->nprocs; i++)
		ipc_cancel(g->one[i].call);
	loop_timer_fini(&g->limit);
	free(g);
}

static void
on_limit(void *ctx)
{
	finish(ctx);
}

/* A process that was taken over says what it likes: its answer must not push the others' out of the message. */
static json_t *
counters_of(const struct counters_answer *a)
{
	json_t *counters = json_object();

	for (uint32_t i = 0; i < a->names.n && i < a->values.n && i < COUNTERS_MAX; i++) {
		uint64_t value = 0;

		str_u64(a->values.v[i], INT64_MAX, &value);
		if (a->names.v[i].n <= COUNTER_NAME_MAX)
			json_object_setn_new(
			    counters, a->names.v[i].p, a->names.v[i].n, json_integer((json_int_t)value));
	}
	return counters;
}

static void
on_counters(void *ctx, const struct counters_answer *a)
{
	struct gather_one *one = ctx;
	struct gather *g = one->gather;

	one->call = NULL;
	if (a != NULL)
		json_object_set_new(one->row, "counters", counters_of(a));
	if (--g->waiting == 0)
		finish(g);
}

static void
ask_one(struct gather *g, unsigned i)
{
	struct proc *p = &g->server->procs[i];
	struct gather_one *one = &g->one[i];

	one->gather = g;
	one->row = json_pack("{s:s, s:i, s:i, s:b, s:I, s:i}", "role", role_name(p->row->role), "index", (int)p->index,
	    "pid", (int)p->pid, "ready", p->ready, "uptime_ms",
	    p->pid != 0 ? (json_int_t)mono_ms_between(mono_now(), p->started) : (json_int_t)0, "starts",
	    (int)p->generation);
	json_array_append_new(g->processes, one->row);
	if (!p->ready)
		return;
	g->waiting++;
	one->call = ask_counters(p->chan, &(struct counters_ask){ .unused = 0 }, on_counters, one);
}

static bool
run_status(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct server *s = ctx;
	struct gather *g = NEW(struct gather);

	(void)out;
	g->server = s;
	g->question = ask->question;
	g->processes = json_array();
	loop_timer_init(&g->limit, s->loop, on_limit, g);
	loop_timer_start(&g->limit, STATUS_MS);
	g->waiting = 1;
	for (unsigned i = 0; i < s->nprocs; i++)
		ask_one(g, i);
	if (--g->waiting == 0)
		finish(g);
	return false;
}

static bool
run_reload(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct err e;

	if (!parent_reload(ctx, &e))
		return control_fail(out, ask->arena, ADMIN_FAILED, "the old configuration stays: %s", e.log);
	return true;
}

static bool
run_stop(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	(void)ask;
	(void)out;
	/* the command waits for the connection to end, which it does with us */
	parent_drain(ctx);
	return true;
}

const struct control_verb parent_verbs[] = {
	{ "status", NULL, 0, 0, run_status },
	{ "reload", NULL, 0, 0, run_reload },
	{ "stop", NULL, 0, 0, run_stop },
	{ 0 },
};
