/* conn_wait.c - the deadlines of a connection, on one timer.
 *
 * Activity only moves a deadline; the timer stays where it is, and when it fires too early it is set anew. */
#include "conn_own.h"

#include <postern/core/mem.h>

/* Those that run only while there is something to wait for, not from conn_wait on. */
static bool
is_on_demand(enum conn_wait what)
{
	return what == CONN_WAIT_HANDSHAKE || what == CONN_WAIT_STALL;
}

void
conn_wait_restart(struct conn *c, enum conn_wait what)
{
	c->due[what] = (struct mono){ 0 };
	if (c->wait_ms[what] > 0)
		c->due[what] = mono_add_ms(mono_now(), c->wait_ms[what]);
}

void
conn_wait_stop(struct conn *c, enum conn_wait what)
{
	c->due[what] = (struct mono){ 0 };
}

void
conn_wait(struct conn *c, enum conn_wait what, int64_t ms)
{
	c->wait_ms[what] = ms;
	if (!is_on_demand(what) || c->due[what].ns != 0)
		conn_wait_restart(c, what);
	if (!c->running && !c->freed && c->phase != CONN_ENDED)
		conn_wait_arm(c);
}

static void
pass(struct conn *c, enum conn_wait what)
{
	c->waited = what;
	conn_wait_stop(c, what);
	if (c->phase != CONN_OPEN || is_on_demand(what)) {
		conn_fail(c, CONN_END_WAIT);
		return;
	}
	if (c->ops->on_wait != NULL)
		c->ops->on_wait(c->ctx, what);
	conn_close_for(c, CONN_END_WAIT);
	c->why = CONN_END_WAIT; /* also if the owner closed with his last words */
}

void
conn_wait_fire(struct conn *c)
{
	struct mono now = mono_now();

	c->armed = (struct mono){ 0 };
	if (c->phase == CONN_LINGERING) {
		c->eof |= !mono_before(now, c->linger_due);
		return;
	}
	for (int what = 0; what < CONN_WAITS && !c->freed; what++)
		if (c->due[what].ns != 0 && !mono_before(now, c->due[what]))
			pass(c, (enum conn_wait)what);
}

static struct mono
next_due(const struct conn *c)
{
	struct mono next = { 0 };

	if (c->phase == CONN_LINGERING)
		return c->linger_due;
	for (int what = 0; what < CONN_WAITS; what++)
		if (c->due[what].ns != 0 && (next.ns == 0 || mono_before(c->due[what], next)))
			next = c->due[what];
	return next;
}

void
conn_wait_arm(struct conn *c)
{
	struct mono next = next_due(c);
	int64_t ms;

	if (next.ns == 0 || (c->armed.ns != 0 && !mono_before(next, c->armed)))
		return;
	ms = mono_ms_between(next, mono_now());
	c->armed = next;
	loop_timer_start(&c->timer, ms > 0 ? ms : 0);
}
