/* imap_back.c - a connection comes back from the store process after UNAUTHENTICATE (RFC 8437): TLS stays, all else begins
 * anew, and the next login gets its own ticket.
 *
 * Two things have to come, in any order: the end of the stream, so that the client has all the session said, and what the
 * session did not take. */
#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/role/owner.h>

#include "imap.h"

/* Nothing of the last user stays. */
static void
forget_user(struct client *c)
{
	pump_free(c->pump);
	c->pump = NULL;
	free(c->user);
	c->user = NULL;
	c->ticket = (struct id){ 0 };
	c->exchange = 0;
	c->taken = false;
	c->ended = false;
}

static void
begin_again(struct client *c)
{
	struct env *env = c->role->all.env;

	forget_user(c);
	conn_set_ops(c->session.conn, &imap_client_ops, c);
	conn_wait(c->session.conn, CONN_WAIT_TOTAL, c->session.conf->limits.login_ms);
	imap_client_begin(c, conn_is_secure(c->session.conn), true);
	if (env->draining)
		imap_front_shutdown(c->front);
	else if (imap_back_feed(c) && !c->session.closing)
		conn_resume(c->session.conn);
}

/* Also when the answer came first: the stream's end is not far. */
void
imap_back_ended(void *ctx, bool eof)
{
	struct client *c = ctx;

	c->ended = true;
	if (c->session.closing)
		return;
	if (eof || (c->taking == NULL && !c->taken))
		imap_client_close(c);
	else if (c->taken)
		begin_again(c);
}

static void
on_taken(void *ctx, const struct take_back_answer *a)
{
	struct client *c = ctx;

	c->taking = NULL;
	if (a == NULL || !a->ok) {
		imap_client_close(c);
		return;
	}
	buf_clear(&c->rest);
	buf_add(&c->rest, a->rest);
	c->taken = true;
	if (c->ended)
		begin_again(c);
}

bool
imap_back_feed(struct client *c)
{
	size_t n = 1;

	while (c->rest.n > 0 && n > 0 && c->front != NULL && c->opening == NULL && !c->session.closing) {
		n = imap_front_input(c->front, buf_str(&c->rest));
		buf_drop(&c->rest, n);
	}
	return c->rest.n == 0;
}

/* A store process speaks of its own users only. */
static bool
is_owner(const struct client *c, struct ipc_chan *from)
{
	const struct env *env = c->role->all.env;

	return c->user != NULL && owner_of(str_of(c->user), env->conf->store.processes) == ipc_chan_index(from);
}

void
imap_on_unauthenticated(void *ctx, struct ipc_chan *from, const struct unauthenticated_ask *said)
{
	struct env *env = ctx;
	struct imap_role *r = env->role;
	struct session *s;

	LIST_FOREACH(s, &r->all.list, link) {
		struct client *c = (struct client *)s;

		if (c->pump == NULL || c->taking != NULL || c->taken || s->closing || !str_eq(said->sid, str_of(s->sid))
		    || !is_owner(c, from))
			continue;
		c->taking = ask_take_back(from, &(struct take_back_ask){ .sid = said->sid }, on_taken, c);
		pump_take_back(c->pump);
		/* a store that holds on to the stream holds nobody for ever */
		conn_wait(s->conn, CONN_WAIT_TOTAL, s->conf->limits.login_ms);
		return;
	}
}
