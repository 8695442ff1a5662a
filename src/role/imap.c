/* imap.c - the imap role: connections before login; afterwards bytes between the client and the store process that owns the
 * user. What is read here never touches a mailbox. */
#include "imap.h"

#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/role/owner.h>

#include "roles.h"

void
imap_client_close(struct client *c)
{
	c->session.closing = true;
	conn_close(c->session.conn);
}

void
imap_client_free(struct client *c)
{
	if (c->front != NULL)
		imap_front_free(c->front);
	imap_login_withdraw(c);
	ipc_cancel(c->opening);
	ipc_cancel(c->taking);
	if (c->pump != NULL)
		pump_free(c->pump);
	io_close(&c->stream);
	buf_wipe(&c->rest);
	free(c->user);
	session_over(&c->session);
	free(c);
}

/* --- the connection --- */

static size_t
on_data(void *ctx, struct str bytes)
{
	struct client *c = ctx;
	size_t used;

	if (c->front == NULL || c->opening != NULL || c->stream != -1 || !imap_back_feed(c))
		return c->session.closing ? bytes.n : 0;
	used = imap_front_input(c->front, bytes);
	return c->session.closing ? bytes.n : used;
}

static void
on_eof(void *ctx)
{
	struct client *c = ctx;

	if (!c->session.closing)
		imap_client_close(c);
}

static void
on_wait(void *ctx, enum conn_wait what)
{
	struct client *c = ctx;

	(void)what;
	if (c->front != NULL && !c->session.closing)
		imap_front_timeout(c->front);
	else if (!c->session.closing)
		imap_client_close(c);
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct client *c = ctx;

	front_log_end(c->session.service, c->session.sid, c->session.client, c->session.conn, why);
	imap_client_free(c);
}

void
imap_client_begin(struct client *c, bool tls, bool again)
{
	struct imap_front_setup setup = { .hostname = c->session.conf->hostname,
		.sid = str_of(c->session.sid),
		.client = str_of(c->session.client),
		.mechs = c->mechs,
		.nmechs = front_mechanisms(c->session.conf, c->mechs),
		.tls = tls,
		.starttls = !tls,
		.again = again };

	c->front = imap_front_new(&setup, &imap_login_ops, c);
}

static void
on_secure(void *ctx)
{
	struct client *c = ctx;

	tls_facts_log((enum tls_service)c->session.service, str_of(c->session.sid), str_of(c->session.client),
	    conn_ssl(c->session.conn));
	if (c->front == NULL)
		imap_client_begin(c, true, false);
	else
		imap_front_tls(c->front);
}

const struct conn_ops imap_client_ops = {
	.on_data = on_data, .on_secure = on_secure, .on_eof = on_eof, .on_wait = on_wait, .on_end = on_end
};

static struct client *
new_client(struct imap_role *r, int fd, enum conf_service service, const struct addr *peer)
{
	struct client *c = NEW(struct client);

	c->role = r;
	c->stream = -1;
	buf_init(&c->rest, SIZE_MAX);
	session_begin(&r->all, &c->session, fd, service, peer, &imap_client_ops, c);
	conn_wait(c->session.conn, CONN_WAIT_TOTAL, c->session.conf->limits.login_ms);
	return c;
}

static void
on_accept_imap(void *ctx, int fd, const struct addr *peer, const struct addr *local)
{
	(void)local;
	imap_client_begin(new_client(ctx, fd, SERVICE_IMAP, peer), false, false);
}

static void
on_accept_imaps(void *ctx, int fd, const struct addr *peer, const struct addr *local)
{
	struct imap_role *r = ctx;
	struct client *c = new_client(r, fd, SERVICE_IMAPS, peer);
	SSL *ssl = front_tls(r->all.front, SERVICE_IMAPS);

	(void)local;
	if (ssl == NULL) {
		imap_client_close(c);
		return;
	}
	conn_secure(c->session.conn, ssl, CONN_SERVER, CONN_INJECTED_CLOSE,
	    STR("* BYE this port speaks TLS from the first byte\r\n"));
	conn_wait(c->session.conn, CONN_WAIT_HANDSHAKE, c->session.conf->limits.handshake_ms);
}

static const struct listen_ops imap_door = { on_accept_imap, front_log_refused,
	STR_INIT("* BYE [UNAVAILABLE] too many connections\r\n") };
static const struct listen_ops imaps_door = { on_accept_imaps, front_log_refused, STR_INIT("") };

/* --- the role --- */

static struct str
user_of(const struct session *session)
{
	const struct client *c = (const struct client *)session;

	return str_of(c->user != NULL ? c->user : "");
}

/* The store says goodbye to who is logged in; when the server stops it was told of all at once. */
static void
end_client(struct session *session)
{
	struct client *c = (struct client *)session;
	struct env *env = c->role->all.env;

	if (c->pump != NULL && env->draining)
		return;
	if (c->pump != NULL)
		say_close_mail(env_peer(env, ROLE_STORE, owner_of(str_of(c->user), env->conf->store.processes)),
		    &(struct close_mail_ask){ .sid = str_of(session->sid) });
	else if (c->front != NULL && c->opening == NULL)
		imap_front_shutdown(c->front);
	else
		imap_client_close(c);
}

static const struct session_kind kind = { user_of, end_client };

static void *
make(struct env *env)
{
	struct imap_role *r = NEW(struct imap_role);

	sessions_init(&r->all, env, &kind);
	return r;
}

static void
on_listen(struct env *env, struct str service, struct str address, int fd)
{
	struct imap_role *r = env->role;

	(void)address;
	front_add_door(r->all.front, service, fd, str_eq(service, STR("imaps")) ? &imaps_door : &imap_door, r);
}

static void
drain(struct env *env, unsigned seconds)
{
	for (unsigned i = 0; i < env->npeers[ROLE_STORE]; i++)
		say_close_mail(env_peer(env, ROLE_STORE, i), &(struct close_mail_ask){ .sid = STR("") });
	sessions_drain(env, seconds);
}

static void
counters(struct env *env, struct counters_out *out)
{
	const struct imap_role *r = env->role;

	sessions_count(&r->all, out);
	counter_add(out, "logins", r->logins);
}

static const struct ipc_handlers handlers = {
	.certificate = front_on_certificate,
	.certificates_end = front_on_certificates_end,
	.ticket_key = front_on_ticket_key,
	.unauthenticated = imap_on_unauthenticated,
};

const struct role_ops imap_ops = {
	.handlers = &handlers,
	.make = make,
	.verbs = session_verbs,
	.admin = sessions_admin,
	.start = sessions_start,
	.reload = sessions_reload,
	.listen = on_listen,
	.drain = drain,
	.counters = counters,
};
