/* hung.c - the parent's eye on processes that live and do nothing: stopped, waiting for each other, in a loop without end. Others
 * wait for their answers, and nobody would start them again.
 *
 * Each is asked for its counters now and then; whoever does not answer is looked at. Long work within one turn (a mailbox of
 * millions is made anew) is told from doing nothing by the processor time that it takes. */
#include "hung.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <postern/core/log.h>

#include "parent.h"

void
hung_answered(struct hung *h)
{
	h->asked = false;
	h->idle = 0;
	h->busy = 0;
}

bool
hung_look(struct hung *h, uint64_t used)
{
	if (h->asked && used == h->used)
		h->idle++;
	else if (h->asked)
		h->busy++;
	h->used = used;
	return h->idle >= HUNG_LOOKS || h->idle + h->busy >= HUNG_LOOKS * HUNG_BUSY_FACTOR;
}

/* Of all threads, in the kernel's ticks; 0 when it cannot be read. */
static uint64_t
processor_time(pid_t pid)
{
	unsigned long long user = 0;
	unsigned long long system = 0;
	char text[1024];
	char path[32];
	const char *p;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	p = strrchr(text, ')'); /* the name before it may be anything; proc(5): utime is field 14 */
	if (p != NULL && sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
		return 0;
	return user + system;
}

static void
on_counters(void *ctx, const struct counters_answer *a)
{
	struct proc *p = ctx;

	(void)a; /* or it is gone: the next one begins anew as well */
	hung_answered(&p->hung);
}

static void
look_at(struct proc *p)
{
	if (hung_look(&p->hung, processor_time(p->pid))) {
		log_say(LEVEL_ERROR, "hung", "%s %u (pid %d) has not answered for %lld s: killed", role_name(p->row->role), p->index,
		    (int)p->pid, (long long)(p->server->conf->limits.hung_ms / 1000 * (p->hung.busy > 0 ? HUNG_BUSY_FACTOR : 1)));
		kill(p->pid, SIGKILL);
		hung_answered(&p->hung);
	} else if (!p->hung.asked) {
		p->hung.asked = true;
		ask_counters(p->chan, &(struct counters_ask){ .unused = 0 }, on_counters, p);
	}
}

void
parent_look(void *server)
{
	struct server *s = server;
	int64_t limit = s->conf->limits.hung_ms;
	int64_t pause = limit / HUNG_LOOKS;

	for (unsigned i = 0; i < s->nprocs && limit > 0; i++)
		if (s->procs[i].pid != 0)
			look_at(&s->procs[i]);
	if (limit == 0)
		pause = HUNG_OFF_MS;
	loop_timer_start(&s->look, pause > HUNG_LOOK_MIN_MS ? pause : HUNG_LOOK_MIN_MS);
}
