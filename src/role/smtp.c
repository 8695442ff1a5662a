/* smtp.c - the smtp role: connections and sessions come together, questions go to auth and queue. */
#include "smtp.h"

#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "roles.h"
#include "sessions.h"

static void on_end(void *ctx, enum conn_end why);

static struct smtp_role *
role_of(struct env *env)
{
	if (env->role == NULL) {
		struct smtp_role *r = NEW(struct smtp_role);

		r->env = env;
		r->front = front_of(env);
		LIST_INIT(&r->sessions);
		env->role = r;
	}
	return env->role;
}

/* --- one session: the deadline follows every call into it --- */

void
smtp_session_settle(struct smtp_session *s)
{
	struct mono when;

	if (s->in == NULL)
		return;
	if (smtp_in_deadline(s->in, &when))
		loop_timer_start(&s->tick, mono_ms_between(when, mono_now()) > 0 ? mono_ms_between(when, mono_now()) : 0);
	else
		loop_timer_stop(&s->tick);
}

static void
on_tick(void *ctx)
{
	struct smtp_session *s = ctx;

	smtp_in_tick(s->in);
	smtp_session_settle(s);
}

/* All that came, in pieces of the session's size: what is left while nothing is paused would not come again. */
static size_t
on_data(void *ctx, struct str bytes)
{
	struct smtp_session *s = ctx;
	const SSL *ssl = conn_ssl(s->conn);
	size_t used = 0;

	if (s->in == NULL)
		return bytes.n;
	while (used < bytes.n && !s->closing && !s->paused && conn_ssl(s->conn) == ssl) {
		struct str now = str_sub(bytes, used, used + SMTP_FEED_MAX);

		smtp_in_feed(s->in, now);
		used += now.n;
	}
	smtp_session_settle(s);
	return s->closing ? bytes.n : used;
}

static void
on_eof(void *ctx)
{
	struct smtp_session *s = ctx;

	if (s->in == NULL) {
		conn_close(s->conn);
	} else if (!s->closing) {
		smtp_in_eof(s->in); /* closes, unless the queue still owes the word on a message: that goes into the log */
		smtp_session_settle(s);
	}
}

static void
free_session(struct smtp_session *s)
{
	struct smtp_role *r = s->role;

	LIST_REMOVE(s, link);
	if (s->in != NULL)
		smtp_in_free(s->in);
	smtp_sink_drop(s);
	loop_timer_fini(&s->tick);
	conn_free(s->conn);
	front_left(r->front, s->service, &s->peer);
	conf_unref(s->conf);
	free(s);
	r->nsessions--;
	if (r->env->draining && r->nsessions == 0)
		env_end(r->env);
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct smtp_session *s = ctx;

	front_log_end(s->service, s->sid, s->client, s->conn, why);
	free_session(s);
}

/* A client that sends before it was greeted is no mail server (RFC 5321 3.1); the session sends it away. */
static bool
spoke_early(const struct smtp_session *s)
{
	char byte;

	return recv(conn_fd(s->conn), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void
begin(struct smtp_session *s, const struct smtp_in_tls *tls)
{
	static const enum smtp_in_profile profiles[] = { [SERVICE_SMTP] = SMTP_MX, [SERVICE_SUBMISSION] = SMTP_SUBMISSION,
		[SERVICE_SUBMISSIONS] = SMTP_SUBMISSIONS, [SERVICE_COUNT] = SMTP_LOCAL };
	struct smtp_in_peer peer = { .address = str_of(s->client), .sid = str_of(s->sid), .user = str_of(s->local_user) };

	s->in = smtp_in_new(&smtp_session_ops, s, &s->in_conf, profiles[s->service], &peer, tls);
	if (tls == NULL && spoke_early(s))
		smtp_in_feed(s->in, STR("?")); /* what was said does not matter */
	smtp_in_start(s->in);
	smtp_session_settle(s);
}

static void
on_secure(void *ctx)
{
	struct smtp_session *s = ctx;
	SSL *ssl = conn_ssl(s->conn);
	struct front_bindings bindings;
	struct tls_facts f;
	struct smtp_in_tls tls;

	tls_facts_log((enum tls_service)s->service, str_of(s->sid), str_of(s->client), ssl);
	tls_facts_read(ssl, &f);
	tls = (struct smtp_in_tls){ .version = str_of(f.version), .cipher = str_of(f.cipher), .bits = (unsigned)f.bits,
		.group = str_of(f.group), .sni = str_of(f.sni), .client = str_of(f.client_subject) };
	front_bindings(s->conn, &bindings);
	tls.exporter = bindings.exporter;
	tls.endpoint = bindings.end_point;
	if (s->in == NULL) {
		begin(s, &tls);
		return;
	}
	smtp_in_tls_started(s->in, &tls);
	smtp_session_settle(s);
}

static const struct conn_ops conn_callbacks = { .on_data = on_data, .on_secure = on_secure, .on_eof = on_eof, .on_end = on_end };

/* --- doors --- */

static void
fill_conf(struct smtp_session *s)
{
	const struct conf *conf = s->conf;
	struct smtp_role *r = s->role;

	s->in_conf = (struct smtp_in_conf){ .hostname = conf->hostname, .message_size = conf->limits.message_size,
		.recipients = conf->limits.recipients, .messages = SMTP_MESSAGES_MAX, .show_client = !conf->smtp.hide_client,
		.hops = conf->limits.hops, .errors = conf->limits.errors, .command_ms = conf->limits.smtp_ms,
		.login_ms = conf->limits.login_ms };
	s->in_conf.mechanisms = r->mechanisms;
	s->in_conf.nmechanisms = front_mechanisms(conf, r->mechanisms);
	s->in_conf.tls = s->service == SERVICE_SMTP || s->service == SERVICE_SUBMISSION;
}

static struct smtp_session *
new_session(struct smtp_role *r, int fd, enum conf_service service, const struct addr *peer)
{
	struct smtp_session *s = NEW(struct smtp_session);

	s->role = r;
	s->service = service;
	s->peer = *peer;
	s->sink_fd = -1;
	s->conf = conf_ref(r->env->conf);
	addr_text_ip(peer, s->client);
	front_sid(s->sid);
	fill_conf(s);
	loop_timer_init(&s->tick, r->env->loop, on_tick, s);
	s->conn = conn_new(r->env->loop, fd, &conn_callbacks, s);
	LIST_INSERT_HEAD(&r->sessions, s, link);
	r->nsessions++;
	s->number = r->connections++;
	s->since = mono_now();
	return s;
}

static void
accept_plain(struct smtp_role *r, int fd, enum conf_service service, const struct addr *peer)
{
	begin(new_session(r, fd, service, peer), NULL);
}

static void
on_accept_smtp(void *ctx, int fd, const struct addr *peer, const struct addr *local)
{
	(void)local;
	accept_plain(ctx, fd, SERVICE_SMTP, peer);
}

static void
on_accept_submission(void *ctx, int fd, const struct addr *peer, const struct addr *local)
{
	(void)local;
	accept_plain(ctx, fd, SERVICE_SUBMISSION, peer);
}

static void
on_accept_submissions(void *ctx, int fd, const struct addr *peer, const struct addr *local)
{
	struct smtp_role *r = ctx;
	struct smtp_session *s = new_session(r, fd, SERVICE_SUBMISSIONS, peer);
	SSL *ssl = front_tls(r->front, SERVICE_SUBMISSIONS);

	(void)local;
	if (ssl == NULL)
		conn_close(s->conn);
	else
		conn_secure(s->conn, ssl, CONN_SERVER, CONN_INJECTED_CLOSE, STR("500 5.5.1 this port speaks TLS from the first byte\r\n"));
	conn_wait(s->conn, CONN_WAIT_HANDSHAKE, s->conf->limits.handshake_ms);
}

/* The local submission socket: whoever may open it is known to the kernel. */
static void
on_accept_local(void *ctx, int fd, const struct addr *peer, const struct addr *local)
{
	struct smtp_session *s = new_session(ctx, fd, SERVICE_COUNT, peer);
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t n = sizeof cred;

	(void)local;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == -1)
		cred.uid = (uid_t)-1;
	snprintf(s->local_user, sizeof s->local_user, "uid=%u", (unsigned)cred.uid);
	snprintf(s->client, sizeof s->client, "local");
	begin(s, NULL);
}

#define BUSY "421 4.7.0 too many connections, please try again later\r\n"

static const struct {
	const char *service;
	struct listen_ops ops;
} doors[] = {
	{ "smtp", { on_accept_smtp, front_log_refused, STR_INIT(BUSY) } },
	{ "submission", { on_accept_submission, front_log_refused, STR_INIT(BUSY) } },
	{ "submissions", { on_accept_submissions, front_log_refused, STR_INIT("") } },
	{ "submit", { on_accept_local, front_log_refused, STR_INIT(BUSY) } },
};

static void
on_listen(struct env *env, struct str service, struct str address, int fd)
{
	struct smtp_role *r = role_of(env);

	(void)address;
	for (size_t i = 0; i < sizeof doors / sizeof *doors; i++)
		if (str_eq(service, str_of(doors[i].service)))
			front_add_door(r->front, service, fd, &doors[i].ops, r);
}

/* --- the role --- */

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
	struct smtp_role *r = role_of(env);
	struct smtp_session *s;
	struct smtp_session *next;

	front_close_doors(r->front);
	if (r->nsessions == 0)
		env_end(env);
	front_drain_limit(env, seconds);
	for (s = LIST_FIRST(&r->sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		if (s->in == NULL) {
			conn_close(s->conn);
		} else if (!s->closing) {
			smtp_in_shutdown(s->in);
			smtp_session_settle(s);
		}
	}
}

/* --- `postern session …` --- */

static struct session_info
info_of(const struct smtp_session *s)
{
	return (struct session_info){ .number = s->number, .sid = s->sid, .service = s->service, .client = s->client,
		.user = s->in != NULL ? smtp_in_login(s->in) : STR(""), .since = s->since };
}

static bool
run_list(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	const struct smtp_role *r = ctx;
	const struct smtp_session *s;
	struct session_page page;

	if (!session_page_begin(&page, ask, out))
		return true;
	LIST_FOREACH(s, &r->sessions, link) {
		struct session_info info = info_of(s);

		session_page_add(&page, &info);
	}
	return session_page_end(&page, ask, out);
}

/* A transaction under way is finished first. */
static bool
run_end(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct smtp_role *r = ctx;
	struct smtp_session *s;
	unsigned n = 0;

	LIST_FOREACH(s, &r->sessions, link) {
		struct session_info info = info_of(s);

		if (s->closing || !session_is(ask->args.v[0], &info))
			continue;
		if (s->in == NULL) {
			conn_close(s->conn);
		} else {
			smtp_in_shutdown(s->in);
			smtp_session_settle(s);
		}
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
	const struct smtp_role *r = role_of(env);

	counter_add(out, "sessions", r->nsessions);
	counter_add(out, "connections", r->connections);
	counter_add(out, "messages", r->messages);
}

static const struct ipc_handlers handlers = {
	.certificate = front_on_certificate,
	.certificates_end = front_on_certificates_end,
	.ticket_key = front_on_ticket_key,
};

const struct role_ops smtp_ops = {
	.handlers = &handlers,
	.verbs = verbs,
	.admin = admin,
	.start = start,
	.reload = reload,
	.listen = on_listen,
	.drain = drain,
	.counters = counters,
};
