/* smtp.c - the smtp role: connections and sessions come together, questions go to auth and queue. */
#include "smtp.h"

#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "roles.h"

/* --- one session: the deadline follows every call into it --- */

void
smtp_session_settle(struct smtp_session *s)
{
	struct mono when;

	if (s->in == NULL)
		return;
	if (smtp_in_deadline(s->in, &when))
		loop_timer_start(
		    &s->tick, mono_ms_between(when, mono_now()) > 0 ? mono_ms_between(when, mono_now()) : 0);
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
	const SSL *ssl = conn_ssl(s->session.conn);
	size_t used = 0;

	if (s->in == NULL)
		return bytes.n;
	while (used < bytes.n && !s->session.closing && !s->paused && conn_ssl(s->session.conn) == ssl) {
		struct str now = str_sub(bytes, used, used + SMTP_FEED_MAX);

		smtp_in_feed(s->in, now);
		used += now.n;
	}
	smtp_session_settle(s);
	return s->session.closing ? bytes.n : used;
}

static void
on_eof(void *ctx)
{
	struct smtp_session *s = ctx;

	if (s->in == NULL) {
		conn_close(s->session.conn);
	} else if (!s->session.closing) {
		smtp_in_eof(s->in); /* closes, unless the queue still owes the word on a message: that goes into the log */
		smtp_session_settle(s);
	}
}

static void
free_session(struct smtp_session *s)
{
	if (s->in != NULL)
		smtp_in_free(s->in);
	smtp_sink_drop(s);
	loop_timer_fini(&s->tick);
	session_over(&s->session);
	free(s);
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct smtp_session *s = ctx;

	front_log_end(s->session.service, s->session.sid, s->session.client, s->session.conn, why);
	free_session(s);
}

/* A client that sends before it was greeted is no mail server (RFC 5321 3.1); the session sends it away. */
static bool
spoke_early(const struct smtp_session *s)
{
	char byte;

	return recv(conn_fd(s->session.conn), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void
begin(struct smtp_session *s, const struct smtp_in_tls *tls)
{
	static const enum smtp_in_profile profiles[] = { [SERVICE_SMTP] = SMTP_MX,
		[SERVICE_SUBMISSION] = SMTP_SUBMISSION,
		[SERVICE_SUBMISSIONS] = SMTP_SUBMISSIONS,
		[SERVICE_COUNT] = SMTP_LOCAL };
	struct smtp_in_peer peer = {
		.address = str_of(s->session.client), .sid = str_of(s->session.sid), .user = str_of(s->local_user)
	};

	s->in = smtp_in_new(&smtp_session_ops, s, &s->in_conf, profiles[s->session.service], &peer, tls);
	if (tls == NULL && spoke_early(s))
		smtp_in_feed(s->in, STR("?")); /* what was said does not matter */
	smtp_in_start(s->in);
	smtp_session_settle(s);
}

static void
on_secure(void *ctx)
{
	struct smtp_session *s = ctx;
	SSL *ssl = conn_ssl(s->session.conn);
	struct front_bindings bindings;
	struct tls_facts f;
	struct smtp_in_tls tls;

	tls_facts_log((enum tls_service)s->session.service, str_of(s->session.sid), str_of(s->session.client), ssl);
	tls_facts_read(ssl, &f);
	tls = (struct smtp_in_tls){ .version = str_of(f.version), .cipher = str_of(f.cipher), .bits = (unsigned)f.bits,
		.group = str_of(f.group), .sni = str_of(f.sni), .client = str_of(f.client_subject) };
	front_bindings(s->session.conn, &bindings);
	tls.exporter = bindings.exporter;
	tls.endpoint = bindings.end_point;
	if (s->in == NULL) {
		begin(s, &tls);
		return;
	}
	smtp_in_tls_started(s->in, &tls);
	smtp_session_settle(s);
}

static const struct conn_ops conn_callbacks = {
	.on_data = on_data, .on_secure = on_secure, .on_eof = on_eof, .on_end = on_end
};

/* --- doors --- */

static void
fill_conf(struct smtp_session *s)
{
	const struct conf *conf = s->session.conf;
	struct smtp_role *r = s->role;

	s->in_conf = (struct smtp_in_conf){ .hostname = conf->hostname,
		.message_size = conf->limits.message_size,
		.recipients = conf->limits.recipients,
		.messages = SMTP_MESSAGES_MAX,
		.show_client = !conf->smtp.hide_client,
		.hops = conf->limits.hops,
		.errors = conf->limits.errors,
		.command_ms = conf->limits.smtp_ms,
		.login_ms = conf->limits.login_ms };
	s->in_conf.mechanisms = r->mechanisms;
	s->in_conf.nmechanisms = front_mechanisms(conf, r->mechanisms);
	s->in_conf.tls = s->session.service == SERVICE_SMTP || s->session.service == SERVICE_SUBMISSION;
}

static struct smtp_session *
new_session(struct smtp_role *r, int fd, enum conf_service service, const struct addr *peer)
{
	struct smtp_session *s = NEW(struct smtp_session);

	s->role = r;
	s->sink_fd = -1;
	session_begin(&r->all, &s->session, fd, service, peer, &conn_callbacks, s);
	fill_conf(s);
	loop_timer_init(&s->tick, r->all.env->loop, on_tick, s);
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
	SSL *ssl = front_tls(r->all.front, SERVICE_SUBMISSIONS);

	(void)local;
	if (ssl == NULL)
		conn_close(s->session.conn);
	else
		conn_secure(s->session.conn, ssl, CONN_SERVER, CONN_INJECTED_CLOSE,
		    STR("500 5.5.1 this port speaks TLS from the first byte\r\n"));
	conn_wait(s->session.conn, CONN_WAIT_HANDSHAKE, s->session.conf->limits.handshake_ms);
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
	snprintf(s->session.client, sizeof s->session.client, "local");
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

/* --- the role --- */

static struct str
user_of(const struct session *session)
{
	const struct smtp_session *s = (const struct smtp_session *)session;

	return s->in != NULL ? smtp_in_login(s->in) : STR("");
}

/* A transaction under way is finished first. */
static void
end_session(struct session *session)
{
	struct smtp_session *s = (struct smtp_session *)session;

	if (s->in == NULL) {
		conn_close(session->conn);
		return;
	}
	smtp_in_shutdown(s->in);
	smtp_session_settle(s);
}

static const struct session_kind kind = { user_of, end_session };

static void *
make(struct env *env)
{
	struct smtp_role *r = NEW(struct smtp_role);

	sessions_init(&r->all, env, &kind);
	return r;
}

static void
on_listen(struct env *env, struct str service, struct str address, int fd)
{
	struct smtp_role *r = env->role;

	(void)address;
	for (size_t i = 0; i < sizeof doors / sizeof *doors; i++)
		if (str_eq(service, str_of(doors[i].service)))
			front_add_door(r->all.front, service, fd, &doors[i].ops, r);
}

static void
counters(struct env *env, struct counters_out *out)
{
	const struct smtp_role *r = env->role;

	sessions_count(&r->all, out);
	counter_add(out, "messages", r->messages);
}

static const struct ipc_handlers handlers = {
	.certificate = front_on_certificate,
	.certificates_end = front_on_certificates_end,
	.ticket_key = front_on_ticket_key,
};

const struct role_ops smtp_ops = {
	.handlers = &handlers,
	.make = make,
	.verbs = session_verbs,
	.admin = sessions_admin,
	.start = sessions_start,
	.reload = sessions_reload,
	.listen = on_listen,
	.drain = sessions_drain,
	.counters = counters,
};
