/* drain.c - stopping, step by step: those who face clients first, then queue and relay, then the rest, each step with its time. */
#include <signal.h>

#include <postern/core/log.h>

#include "parent.h"

void
parent_end(struct server *s, int status)
{
	s->status = status;
	loop_stop(s->loop);
}

static unsigned
running_in_step(const struct server *s, int step)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->nprocs; i++)
		n += s->procs[i].pid != 0 && s->procs[i].row->drain_step == step;
	return n;
}

static void
begin_step(struct server *s)
{
	while (s->drain_step <= DRAIN_LAST && running_in_step(s, s->drain_step) == 0)
		s->drain_step++;
	if (s->drain_step > DRAIN_LAST) {
		parent_end(s, s->status);
		return;
	}
	for (unsigned i = 0; i < s->nprocs; i++)
		if (s->procs[i].pid != 0 && s->procs[i].row->drain_step == s->drain_step)
			say_drain(s->procs[i].chan, &(struct drain_ask){ .seconds = DRAIN_SECONDS });
	/* a second more than they were given, then no more asking */
	loop_timer_start(&s->drain_limit, (DRAIN_SECONDS + 1) * 1000);
}

void
parent_drain_by_force(void *server)
{
	struct server *s = server;

	for (unsigned i = 0; i < s->nprocs; i++)
		if (s->procs[i].pid != 0 && s->procs[i].row->drain_step == s->drain_step)
			kill(s->procs[i].pid, SIGKILL);
}

void
parent_drain(struct server *s)
{
	if (s->draining)
		return;
	s->draining = true;
	log_say(LEVEL_INFO, "stop", "ending: open sessions get %d seconds", DRAIN_SECONDS);
	notify_systemd("STOPPING=1");
	begin_step(s);
}

void
parent_drain_on(struct server *s)
{
	if (running_in_step(s, s->drain_step) == 0)
		begin_step(s);
}
