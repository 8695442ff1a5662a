/* probe_port.c - runs the questions to one port: first one look, and when TLS is there the others, PORT_SHOTS_MAX at a
 * time. */
#include "probe_task.h"

#include <stdlib.h>

#include <postern/core/mem.h>

enum { FIRST_VERSION = 0x0300 };

static void
give_up(struct task_state *t)
{
	struct tls_trial *trial = task_trial(t);

	t->state = OVER;
	t->port->facts.in_time = false;
	if (trial != NULL)
		tls_trial_lost(trial);
}

/* A server that loses connections has too many: it gets fewer, and time. */
static void
rest(struct task_state *t)
{
	t->port->most = 1;
	t->rests = mono_add_ms(mono_now(), (int64_t)PORT_AGAIN_MS << t->lost);
	if (++t->lost == PORT_LOST_MAX)
		give_up(t);
}

static void
on_shot(void *ctx, struct shot *s)
{
	struct task_state *t = ctx;
	struct probe_port *p = t->port;
	bool lost = s->end != SHOT_OVER && s->end != SHOT_NO_TLS && t != &p->tasks[TASK_LOOK];
	bool stalled = s->stalled;
	enum next next = task_rows[t - p->tasks].take(p, t, s);

	shot_free(s);
	t->shot = NULL;
	t->state = next == AGAIN ? WAITS : OVER;
	if (next == AGAIN && lost && stalled)
		give_up(t); /* once more would take as long */
	else if (next == AGAIN && lost)
		rest(t);
	loop_timer_start(&p->turn, 0);
}

static void
run_task(struct probe_port *p, struct task_state *t)
{
	struct shot_aim aim = {
		.at = p->host->addrs[p->address],
		.way = p->facts.implicit ? SHOT_TLS_FIRST : SHOT_STARTTLS,
		.protocol = p->facts.protocol,
		.hostname = p->world->hostname,
	};

	aim.at.port = p->facts.port;
	t->state = OVER;
	if (!task_rows[t - p->tasks].aim(p, t, &aim))
		return;
	t->state = RUNS;
	t->shot = shot_start(p->world->loop, &aim, on_shot, t);
}

static unsigned
count_running(const struct probe_port *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < TASKS; i++)
		n += p->tasks[i].state == RUNS;
	return n;
}

/* As many as may go begin. How long until one that rests may; -1: none rests. */
static int64_t
run_tasks(struct probe_port *p)
{
	int64_t soonest = -1;

	for (size_t i = 0; i < TASKS; i++) {
		struct task_state *t = &p->tasks[i];
		int64_t ms = mono_ms_between(t->rests, mono_now());

		if (t->state != WAITS || !task_rows[i].ready(p))
			continue;
		if (ms > 0)
			soonest = soonest == -1 || ms < soonest ? ms : soonest;
		else if (count_running(p) < p->most)
			run_task(p, t);
	}
	return soonest;
}

/* When none runs and none rests, all is over. */
static void
on_turn(void *ctx)
{
	struct probe_port *p = ctx;
	int64_t soonest = run_tasks(p);

	if (soonest != -1)
		loop_timer_start(&p->turn, soonest);
	else if (count_running(p) == 0)
		p->done(p->ctx);
}

static const struct well_known {
	uint16_t port;
	enum port_use use;
	enum talk_protocol protocol;
	bool implicit;
} well_known[] = {
	{ 25, PORT_MAIL, TALK_SMTP, false },
	{ 587, PORT_CLIENTS, TALK_SMTP, false },
	{ 465, PORT_CLIENTS, TALK_SMTP, true },
	{ 143, PORT_CLIENTS, TALK_IMAP, false },
	{ 993, PORT_CLIENTS, TALK_IMAP, true },
};

/* A port that nobody knows is one of mail, until it turns out to be something else. */
static void
set_port(struct probe_port *p, uint16_t port)
{
	p->facts.port = port;
	p->facts.use = PORT_MAIL;
	p->guess = true;
	for (size_t i = 0; i < sizeof well_known / sizeof well_known[0]; i++)
		if (well_known[i].port == port) {
			p->facts.use = well_known[i].use;
			p->facts.protocol = well_known[i].protocol;
			p->facts.implicit = well_known[i].implicit;
			p->guess = false;
		}
}

struct probe_port *
port_start(const struct port_world *w, const struct names_host *host, uint16_t port, void (*done)(void *ctx), void *ctx)
{
	struct probe_port *p = NEW(struct probe_port);

	p->world = w;
	p->host = host;
	p->done = done;
	p->ctx = ctx;
	p->most = PORT_SHOTS_MAX;
	p->facts.in_time = true;
	p->facts.at = host->addrs[0];
	p->facts.dane = &host->decision;
	p->facts.mx = host->query.hop == TLS_HOP_MX ? host->query.mx : TLS_DNS_SECURE;
	p->facts.address = host->query.address;
	set_port(p, port);
	p->facts.has_dane = p->facts.use == PORT_MAIL && host->query.hop != TLS_HOP_LITERAL;
	for (size_t i = 0; i < TASKS; i++)
		p->tasks[i].port = p;
	for (uint16_t v = 0; v < PORT_VERSIONS; v++)
		tls_trial_suites(&p->facts.versions[v], (uint16_t)(FIRST_VERSION + v), str_of(host->name));
	loop_timer_init(&p->turn, w->loop, on_turn, p);
	loop_timer_start(&p->turn, 0);
	return p;
}

void
port_stop(struct probe_port *p)
{
	loop_timer_stop(&p->turn);
	for (size_t i = 0; i < TASKS; i++) {
		struct task_state *t = &p->tasks[i];

		if (t->state == RUNS || (t->state == WAITS && p->facts.reached == PORT_TLS))
			give_up(t);
		shot_free(t->shot);
		t->shot = NULL;
	}
}

struct port_facts *
port_facts(struct probe_port *p)
{
	return &p->facts;
}

void
port_free(struct probe_port *p)
{
	port_stop(p);
	loop_timer_fini(&p->turn);
	cert_fini(&p->facts.cert);
	free(p);
}
