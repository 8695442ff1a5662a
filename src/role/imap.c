/* imap.c - the imap role: connections before login; afterwards bytes between the client and the store process that owns the
 * user. What is read here never touches a mailbox. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/auth/login.h>
#include <postern/auth/sasl.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/imap/front.h>
#include <postern/net/pump.h>
#include <postern/role/owner.h>

#include "front.h"
#include "roles.h"
#include "sessions.h"

struct imap_role {
	struct env *env;
	struct front *front;
	LIST_HEAD(, client) clients;
	unsigned nclients;
	uint64_t connections;
	uint64_t logins;
};

/* A question to auth; its client may be gone when the answer comes. */
struct asked {
	struct client *client;
	struct env *env;
};

struct client {
	LIST_ENTRY(client) link;
	struct imap_role *role;
	enum conf_service service;
	struct addr peer;
	char address[ADDR_TEXT_SIZE];
	char sid[SID_SIZE];
	uint64_t number;
	struct mono since;
	char *user; /* of the login; NULL before */
	const struct conf *conf; /* the one it began with */
	struct str mechs[SASL_MECHANISMS_MAX];
	struct conn *conn;
	struct imap_front *front; /* until the login */
	struct asked *asked;
	uint64_t exchange;
	struct id ticket; /* of the login that is being handed over */
	struct ipc_call *opening;
	struct pump *pump;        /* after the login */
	int stream;               /* our end, until the pump has it */
	bool closing;
};

static struct imap_role *
role_of(struct env *env)
{
	if (env->role == NULL) {
		struct imap_role *r = NEW(struct imap_role);

		r->env = env;
		r->front = front_of(env);
		LIST_INIT(&r->clients);
		env->role = r;
	}
	return env->role;
}

static void
withdraw(struct client *c)
{
	if (c->asked != NULL)
		c->asked->client = NULL;
	c->asked = NULL;
	if (c->exchange != 0)
		say_sasl_abort(env_peer(c->role->env, ROLE_AUTH, 0), &(struct sasl_abort_ask){ .exchange = c->exchange });
	c->exchange = 0;
}

static void
free_client(struct client *c)
{
	struct imap_role *r = c->role;

	LIST_REMOVE(c, link);
	if (c->front != NULL)
		imap_front_free(c->front);
	withdraw(c);
	ipc_cancel(c->opening);
	conn_free(c->conn);
	if (c->pump != NULL)
		pump_free(c->pump);
	io_close(&c->stream);
	front_left(r->front, c->service, &c->peer);
	conf_unref(c->conf);
	free(c->user);
	free(c);
	r->nclients--;
	if (r->env->draining && r->nclients == 0)
		env_end(r->env);
}

/* --- what the front asks for --- */

static void
op_write(void *ctx, struct str bytes)
{
	conn_write(((struct client *)ctx)->conn, bytes);
}

static void
op_close(void *ctx)
{
	struct client *c = ctx;

	c->closing = true;
	conn_close(c->conn);
}

static void
op_starttls(void *ctx)
{
	struct client *c = ctx;
	SSL *ssl = front_tls(c->role->front, c->service);

	if (ssl == NULL) {
		op_close(c);
		return;
	}
	conn_secure(c->conn, ssl, CONN_SERVER, CONN_INJECTED_CLOSE, STR(""));
	conn_wait(c->conn, CONN_WAIT_HANDSHAKE, c->conf->limits.handshake_ms);
}

static struct asked *
asking(struct client *c)
{
	struct asked *a = NEW(struct asked);

	a->client = c;
	a->env = c->role->env;
	c->asked = a;
	return a;
}

static void
login_answered(struct asked *asked, uint64_t exchange, unsigned verdict, const struct imap_auth_answer *answer, const struct id *ticket)
{
	struct client *c = asked->client;
	struct env *env = asked->env;

	free(asked);
	if (c == NULL) {
		if (verdict == LOGIN_CHALLENGE)
			say_sasl_abort(env_peer(env, ROLE_AUTH, 0), &(struct sasl_abort_ask){ .exchange = exchange });
		return;
	}
	c->asked = NULL;
	c->exchange = verdict == LOGIN_CHALLENGE ? exchange : 0;
	if (ticket != NULL)
		c->ticket = *ticket;
	imap_front_answer(c->front, answer);
	if (!c->closing && c->front != NULL)
		conn_resume(c->conn);
}

static enum imap_auth_verdict
verdict_of(unsigned verdict)
{
	static const enum imap_auth_verdict verdicts[] = { [LOGIN_CHALLENGE] = IMAP_AUTH_CHALLENGE, [LOGIN_OK] = IMAP_AUTH_OK,
		[LOGIN_WRONG] = IMAP_AUTH_FAILED, [LOGIN_FORBIDDEN] = IMAP_AUTH_FORBIDDEN, [LOGIN_MALFORMED] = IMAP_AUTH_BAD,
		[LOGIN_UNKNOWN] = IMAP_AUTH_UNKNOWN, [LOGIN_LATER] = IMAP_AUTH_UNAVAILABLE };

	return verdict <= LOGIN_LATER ? verdicts[verdict] : IMAP_AUTH_UNAVAILABLE;
}

static const struct imap_auth_answer nobody = { .verdict = IMAP_AUTH_UNAVAILABLE, .why = "auth is not there" };

static void
on_sasl_started(void *ctx, const struct sasl_start_answer *a)
{
	if (a == NULL)
		login_answered(ctx, 0, LOGIN_LATER, &nobody, NULL);
	else
		login_answered(ctx, a->exchange, a->verdict, &(struct imap_auth_answer){ .verdict = verdict_of(a->verdict),
		    .close = a->close != 0, .data = a->data, .user = a->user, .ticket = str_from(&a->ticket, sizeof a->ticket) }, &a->ticket);
}

static void
on_sasl_stepped(void *ctx, const struct sasl_step_answer *a)
{
	if (a == NULL)
		login_answered(ctx, 0, LOGIN_LATER, &nobody, NULL);
	else
		login_answered(ctx, a->exchange, a->verdict, &(struct imap_auth_answer){ .verdict = verdict_of(a->verdict),
		    .close = a->close != 0, .data = a->data, .user = a->user, .ticket = str_from(&a->ticket, sizeof a->ticket) }, &a->ticket);
}

static void
op_auth_start(void *ctx, struct str mech, const struct str *initial)
{
	struct client *c = ctx;
	struct front_bindings bindings;
	struct sasl_start_ask ask = { .service = str_of(conf_service_name(c->service)), .sid = str_of(c->sid), .client = str_of(c->address),
		.mechanism = mech, .has_initial = initial != NULL, .initial = initial != NULL ? *initial : STR(""),
		.tls = conn_is_secure(c->conn) };

	front_bindings(c->conn, &bindings);
	ask.exporter = bindings.exporter;
	ask.end_point = bindings.end_point;
	ask_sasl_start(env_peer(c->role->env, ROLE_AUTH, 0), &ask, on_sasl_started, asking(c));
}

static void
op_auth_step(void *ctx, struct str response)
{
	struct client *c = ctx;

	ask_sasl_step(env_peer(c->role->env, ROLE_AUTH, 0), &(struct sasl_step_ask){ .exchange = c->exchange, .data = response },
	    on_sasl_stepped, asking(c));
}

static void
op_auth_cancel(void *ctx)
{
	withdraw(ctx);
}

/* --- the way into the store --- */

static void
on_pump_end(void *ctx, enum conn_end why, bool gone)
{
	(void)why;
	(void)gone;
	free_client(ctx);
}

static const struct pump_ops pump_callbacks = { .on_end = on_pump_end };

/* Not event=login: the password was right, and nobody is to be locked out for this. */
static void
refuse_login(struct client *c, const char *why)
{
	struct log_line l;

	log_begin(&l, LEVEL_WARN, "refuse");
	log_cstr(&l, "sid", c->sid);
	log_cstr(&l, "client", c->address);
	log_cstr(&l, "user", c->user != NULL ? c->user : "");
	log_cstr(&l, "reply", "the mail store is not available, please try again");
	log_cstr(&l, "why", why);
	log_end(&l);
	conn_write(c->conn, STR("* BYE [UNAVAILABLE] the mail store is not available, please try again\r\n"));
	op_close(c);
}

static void
on_opened(void *ctx, const struct open_mail_answer *a)
{
	struct client *c = ctx;

	c->opening = NULL;
	imap_front_free(c->front);
	c->front = NULL;
	if (a == NULL || a->verdict != 0) {
		char why[128];

		snprintf(why, sizeof why, "%.*s", STR_ARG(a == NULL ? STR("it is not there") : a->words));
		refuse_login(c, why);
		return;
	}
	c->role->logins++;
	/* the session's own time limits take over */
	conn_wait(c->conn, CONN_WAIT_TOTAL, 0);
	c->pump = pump_new(c->role->env->loop, c->conn, c->stream, &pump_callbacks, c);
	c->stream = -1;
	conn_resume(c->conn);
}

static void
op_handover(void *ctx, const struct imap_login *login)
{
	struct client *c = ctx;
	struct env *env = c->role->env;
	int pair[2];

	conn_pause(c->conn);
	c->user = mem_cstr(login->user);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == -1) {
		refuse_login(c, strerror(errno));
		return;
	}
	c->stream = pair[0];
	c->opening = ask_open_mail(env_peer(env, ROLE_STORE, owner_of(login->user, env->conf->store.processes)),
	    &(struct open_mail_ask){ .ticket = c->ticket, .user = login->user, .sid = str_of(c->sid), .client = str_of(c->address),
	        .tag = login->tag, .stream = pair[1] },
	    on_opened, c);
	close(pair[1]);
}

static const struct imap_front_ops front_ops = {
	.write = op_write,
	.close = op_close,
	.starttls = op_starttls,
	.auth_start = op_auth_start,
	.auth_step = op_auth_step,
	.auth_cancel = op_auth_cancel,
	.handover = op_handover,
};

/* --- the connection --- */

static size_t
on_data(void *ctx, struct str bytes)
{
	struct client *c = ctx;
	size_t used;

	if (c->front == NULL || c->opening != NULL || c->stream != -1)
		return c->closing ? bytes.n : 0;
	used = imap_front_input(c->front, bytes);
	return c->closing ? bytes.n : used;
}

static void
on_eof(void *ctx)
{
	struct client *c = ctx;

	if (!c->closing)
		op_close(c);
}

static void
on_wait(void *ctx, enum conn_wait what)
{
	struct client *c = ctx;

	(void)what;
	if (c->front != NULL && !c->closing)
		imap_front_timeout(c->front);
	else if (!c->closing)
		op_close(c);
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct client *c = ctx;

	front_log_end(c->service, c->sid, c->address, c->conn, why);
	free_client(c);
}

static void
begin(struct client *c, bool tls)
{
	struct imap_front_setup setup = { .hostname = c->conf->hostname, .sid = str_of(c->sid), .client = str_of(c->address),
		.mechs = c->mechs, .nmechs = front_mechanisms(c->conf, c->mechs), .tls = tls, .starttls = !tls };

	c->front = imap_front_new(&setup, &front_ops, c);
}

static void
on_secure(void *ctx)
{
	struct client *c = ctx;

	tls_facts_log((enum tls_service)c->service, str_of(c->sid), str_of(c->address), conn_ssl(c->conn));
	if (c->front == NULL)
		begin(c, true);
	else
		imap_front_tls(c->front);
}

static const struct conn_ops conn_callbacks = { .on_data = on_data, .on_secure = on_secure, .on_eof = on_eof, .on_wait = on_wait,
	.on_end = on_end };

static struct client *
new_client(struct imap_role *r, int fd, enum conf_service service, const struct addr *peer)
{
	struct client *c = NEW(struct client);

	c->role = r;
	c->service = service;
	c->peer = *peer;
	c->stream = -1;
	c->conf = conf_ref(r->env->conf);
	addr_text_ip(peer, c->address);
	front_sid(c->sid);
	c->conn = conn_new(r->env->loop, fd, &conn_callbacks, c);
	conn_wait(c->conn, CONN_WAIT_TOTAL, c->conf->limits.login_ms);
	LIST_INSERT_HEAD(&r->clients, c, link);
	r->nclients++;
	c->number = r->connections++;
	c->since = mono_now();
	return c;
}

static void
on_accept_imap(void *ctx, int fd, const struct addr *peer, const struct addr *local)
{
	(void)local;
	begin(new_client(ctx, fd, SERVICE_IMAP, peer), false);
}

static void
on_accept_imaps(void *ctx, int fd, const struct addr *peer, const struct addr *local)
{
	struct imap_role *r = ctx;
	struct client *c = new_client(r, fd, SERVICE_IMAPS, peer);
	SSL *ssl = front_tls(r->front, SERVICE_IMAPS);

	(void)local;
	if (ssl == NULL) {
		op_close(c);
		return;
	}
	conn_secure(c->conn, ssl, CONN_SERVER, CONN_INJECTED_CLOSE, STR("* BYE this port speaks TLS from the first byte\r\n"));
	conn_wait(c->conn, CONN_WAIT_HANDSHAKE, c->conf->limits.handshake_ms);
}

static const struct listen_ops imap_door = { on_accept_imap, front_log_refused, STR_INIT("* BYE [UNAVAILABLE] too many connections\r\n") };
static const struct listen_ops imaps_door = { on_accept_imaps, front_log_refused, STR_INIT("") };

/* --- the role --- */

static void
on_listen(struct env *env, struct str service, struct str address, int fd)
{
	struct imap_role *r = role_of(env);

	(void)address;
	front_add_door(r->front, service, fd, str_eq(service, STR("imaps")) ? &imaps_door : &imap_door, r);
}

static void
start(struct env *env)
{
	front_start(role_of(env)->front);
}

static void
reload(struct env *env, const struct conf *was)
{
	(void)was;
	front_reload(role_of(env)->front);
}

static void
drain(struct env *env, unsigned seconds)
{
	struct imap_role *r = role_of(env);
	struct client *next;

	front_close_doors(r->front);
	if (r->nclients == 0)
		env_end(env);
	front_drain_limit(env, seconds);
	for (unsigned i = 0; i < env->npeers[ROLE_STORE]; i++)
		say_close_mail(env_peer(env, ROLE_STORE, i), &(struct close_mail_ask){ .sid = STR("") });
	for (struct client *c = LIST_FIRST(&r->clients); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (c->closing || c->pump != NULL)
			continue;
		if (c->front != NULL)
			imap_front_shutdown(c->front);
		else
			op_close(c);
	}
}

/* --- `postern session …` --- */

static struct session_info
info_of(const struct client *c)
{
	return (struct session_info){ .number = c->number, .sid = c->sid, .service = c->service, .client = c->address,
		.user = str_of(c->user != NULL ? c->user : ""), .since = c->since };
}

static bool
run_list(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	const struct imap_role *r = ctx;
	const struct client *c;
	struct session_page page;

	if (!session_page_begin(&page, ask, out))
		return true;
	LIST_FOREACH(c, &r->clients, link) {
		struct session_info info = info_of(c);

		session_page_add(&page, &info);
	}
	return session_page_end(&page, ask, out);
}

/* The store says goodbye to who is logged in. */
static void
end_client(struct client *c)
{
	struct env *env = c->role->env;

	if (c->closing)
		return;
	if (c->pump != NULL)
		say_close_mail(env_peer(env, ROLE_STORE, owner_of(str_of(c->user), env->conf->store.processes)),
		    &(struct close_mail_ask){ .sid = str_of(c->sid) });
	else if (c->front != NULL && c->opening == NULL)
		imap_front_shutdown(c->front);
	else
		op_close(c);
}

static bool
run_end(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct imap_role *r = ctx;
	struct client *c;
	unsigned n = 0;

	LIST_FOREACH(c, &r->clients, link) {
		struct session_info info = info_of(c);

		if (!session_is(ask->args.v[0], &info))
			continue;
		end_client(c);
		n++;
	}
	return session_ended(n, out);
}

static const struct control_verb verbs[] = {
	{ "session", "list", 0, 0, run_list },
	{ "session", "end", 1, 1, run_end },
	{ 0 },
};

static void *
admin(struct env *env)
{
	return role_of(env);
}

static void
counters(struct env *env, struct counters_out *out)
{
	const struct imap_role *r = role_of(env);

	counter_add(out, "sessions", r->nclients);
	counter_add(out, "connections", r->connections);
	counter_add(out, "logins", r->logins);
}

static const struct ipc_handlers handlers = {
	.certificate = front_on_certificate,
	.certificates_end = front_on_certificates_end,
	.ticket_key = front_on_ticket_key,
};

const struct role_ops imap_ops = {
	.handlers = &handlers,
	.verbs = verbs,
	.admin = admin,
	.start = start,
	.reload = reload,
	.listen = on_listen,
	.drain = drain,
	.counters = counters,
};
