/* smtp_ops.c - what an SMTP session asks for: its connection, auth, the message file, the queue.
 *
 * A session has at most one question under way. When it withdraws the question, the answer is dropped on arrival; a SASL exchange
 * that nobody will continue is ended then. */
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <postern/auth/login.h>
#include <postern/auth/resolve.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/queue/queue.h>

#include "smtp.h"

enum { SINK_LOOK_BYTES = 1 << 20 }; /* between two looks at the free space */

struct smtp_asked {
	struct smtp_session *s; /* NULL: withdrawn */
	struct env *env;
};

static void
op_write(void *ctx, struct str bytes)
{
	struct smtp_session *s = ctx;

	conn_write(s->session.conn, bytes);
}

static void
op_close(void *ctx)
{
	struct smtp_session *s = ctx;

	s->session.closing = true;
	loop_timer_stop(&s->tick);
	conn_close(s->session.conn);
}

static void
op_starttls(void *ctx)
{
	struct smtp_session *s = ctx;
	SSL *ssl = front_tls(s->role->all.front, s->session.service);

	if (ssl == NULL) {
		op_close(s);
		return;
	}
	conn_secure(s->session.conn, ssl, CONN_SERVER, CONN_INJECTED_CLOSE, STR(""));
	conn_wait(s->session.conn, CONN_WAIT_HANDSHAKE, s->session.conf->limits.handshake_ms);
}

static void
op_pause(void *ctx)
{
	struct smtp_session *s = ctx;

	s->paused = true;
	conn_pause(s->session.conn);
}

static void
op_resume(void *ctx)
{
	struct smtp_session *s = ctx;

	s->paused = false;
	conn_resume(s->session.conn);
}

static enum smtp_in_load
op_load(void *ctx)
{
	unsigned fill = front_fill(((struct smtp_session *)ctx)->role->all.front);

	return fill >= 90 ? SMTP_LOAD_FULL : fill >= 60 ? SMTP_LOAD_BUSY : SMTP_LOAD_CALM;
}

/* --- questions --- */

static struct ipc_chan *
auth_of(struct smtp_session *s)
{
	return env_peer(s->role->all.env, ROLE_AUTH, 0);
}

static struct ipc_chan *
queue_of(struct smtp_session *s)
{
	return env_peer(s->role->all.env, ROLE_QUEUE, 0);
}

static struct smtp_asked *
asking(struct smtp_session *s)
{
	struct smtp_asked *a = NEW(struct smtp_asked);

	a->s = s;
	a->env = s->role->all.env;
	s->asked = a;
	return a;
}

/* The session that still waits for this answer, or NULL. */
static struct smtp_session *
answered(struct smtp_asked *a)
{
	struct smtp_session *s = a->s;

	if (s != NULL)
		s->asked = NULL;
	free(a);
	return s;
}

static void
op_cancel(void *ctx)
{
	struct smtp_session *s = ctx;

	if (s->asked != NULL)
		s->asked->s = NULL;
	s->asked = NULL;
}

static void
on_rcpt(void *ctx, const struct rcpt_answer *a)
{
	struct smtp_session *s = answered(ctx);
	struct smtp_in_resolved out = { .ok = false };
	struct envelope_target *targets = NULL;

	if (s == NULL)
		return;
	if (a == NULL) {
		out.reply = smtp_reply(SMTP_LATER_PLEASE);
		out.reply.why = "auth is not there";
	} else if (a->verdict != RESOLVE_TAKE || a->kinds.n != a->targets.n || a->details.n != a->targets.n) {
		out.reply = smtp_reply_refused(a->code, a->enhanced, a->words);
	} else {
		targets = mem_array(a->targets.n, sizeof *targets);
		for (uint32_t i = 0; i < a->targets.n; i++)
			targets[i] = (struct envelope_target){ a->kinds.p[i] == 'l' ? ENVELOPE_LOCAL : ENVELOPE_REMOTE,
				a->targets.v[i], a->details.v[i] };
		out = (struct smtp_in_resolved){ .ok = true, .targets = targets, .ntargets = a->targets.n };
	}
	smtp_in_answer_resolve(s->in, &out);
	free(targets);
	smtp_session_settle(s);
}

/* A program on the box may send to anywhere as if logged in: the kernel told who it is. */
static void
op_resolve(void *ctx, const struct smtp_in_resolve *q)
{
	struct smtp_session *s = ctx;
	struct str login = q->login.n > 0 ? q->login : str_of(s->local_user);

	ask_rcpt(auth_of(s),
	    &(struct rcpt_ask){ .address = q->address,
		.login = login,
		.client = str_of(s->session.client),
		.size = q->size,
		.smtputf8 = q->smtputf8 },
	    on_rcpt, asking(s));
}

static void
on_may_send(void *ctx, const struct may_send_answer *a)
{
	struct smtp_session *s = answered(ctx);

	if (s == NULL)
		return;
	smtp_in_answer_may_send(s->in, a == NULL || a->verdict == MAY_SEND_LATER ? SMTP_VERDICT_LATER :
	    a->verdict == MAY_SEND ? SMTP_VERDICT_YES : SMTP_VERDICT_NO);
	smtp_session_settle(s);
}

static void
op_may_send(void *ctx, struct str login, struct str address)
{
	struct smtp_session *s = ctx;

	ask_may_send(auth_of(s), &(struct may_send_ask){ .login = login, .address = address }, on_may_send, asking(s));
}

/* What auth said to start or step, in the session's words. */
static void
login_answered(
    struct smtp_asked *asked, uint64_t exchange, unsigned verdict, bool close, struct str data, struct str user)
{
	static const enum smtp_in_auth_result results[] = { [LOGIN_CHALLENGE] = SMTP_AUTH_CHALLENGE,
		[LOGIN_OK] = SMTP_AUTH_DONE,
		[LOGIN_WRONG] = SMTP_AUTH_REFUSED,
		[LOGIN_FORBIDDEN] = SMTP_AUTH_REFUSED,
		[LOGIN_MALFORMED] = SMTP_AUTH_MALFORMED,
		[LOGIN_UNKNOWN] = SMTP_AUTH_UNKNOWN,
		[LOGIN_LATER] = SMTP_AUTH_BUSY };
	enum smtp_in_auth_result result = verdict <= LOGIN_LATER ? results[verdict] : SMTP_AUTH_BUSY;
	struct env *env = asked->env;
	struct smtp_session *s = answered(asked);

	if (s == NULL) {
		if (verdict == LOGIN_CHALLENGE)
			say_sasl_abort(env_peer(env, ROLE_AUTH, 0), &(struct sasl_abort_ask){ .exchange = exchange });
		return;
	}
	s->exchange = verdict == LOGIN_CHALLENGE ? exchange : 0;
	smtp_in_answer_auth(s->in,
	    &(struct smtp_in_authed){ .result = close ? SMTP_AUTH_SHUT_OUT : result, .data = data, .user = user });
	smtp_session_settle(s);
}

static void
on_sasl_started(void *ctx, const struct sasl_start_answer *a)
{
	if (a == NULL)
		login_answered(ctx, 0, LOGIN_LATER, false, STR(""), STR(""));
	else
		login_answered(ctx, a->exchange, a->verdict, a->close != 0, a->data, a->user);
}

static void
on_sasl_stepped(void *ctx, const struct sasl_step_answer *a)
{
	if (a == NULL)
		login_answered(ctx, 0, LOGIN_LATER, false, STR(""), STR(""));
	else
		login_answered(ctx, a->exchange, a->verdict, a->close != 0, a->data, a->user);
}

static void
op_auth_start(void *ctx, struct str mechanism, struct str initial)
{
	struct smtp_session *s = ctx;
	struct front_bindings bindings;
	const struct str *begun = initial.p != NULL ? &initial : NULL;
	struct sasl_start_ask ask = session_login(&s->session, mechanism, begun, &bindings);

	ask_sasl_start(auth_of(s), &ask, on_sasl_started, asking(s));
}

static void
op_auth_step(void *ctx, struct str bytes)
{
	struct smtp_session *s = ctx;

	ask_sasl_step(
	    auth_of(s), &(struct sasl_step_ask){ .exchange = s->exchange, .data = bytes }, on_sasl_stepped, asking(s));
}

static void
op_auth_abort(void *ctx)
{
	struct smtp_session *s = ctx;

	if (s->exchange != 0)
		say_sasl_abort(auth_of(s), &(struct sasl_abort_ask){ .exchange = s->exchange });
	s->exchange = 0;
}

/* --- the message file --- */

static void
close_sink(struct smtp_session *s)
{
	ipc_cancel(s->spool_call);
	s->spool_call = NULL;
	envelope_write_end(&s->sink);
	io_close(&s->sink_fd);
	s->sink_spooled = false;
	s->sink_looked = 0;
}

static bool
write_recipients(struct envelope_writer *w, const struct smtp_in_mail *mail)
{
	for (size_t i = 0; i < mail->nrcpts; i++) {
		envelope_write_recipient(w, &mail->rcpts[i].rcpt);
		for (size_t j = 0; j < mail->rcpts[i].ntargets; j++)
			envelope_write_target(w, &mail->rcpts[i].targets[j]);
	}
	return w->err.class == ERR_NONE;
}

static bool
op_sink_open(void *ctx, const struct smtp_in_mail *mail, struct err *e)
{
	struct smtp_session *s = ctx;

	s->sink_fd = envelope_memfd();
	if (s->sink_fd == -1)
		return err_temp(e, SAY_DISK, "memfd: %s", strerror(errno));
	if (envelope_write_begin(&s->sink, s->sink_fd, &mail->envelope) && write_recipients(&s->sink, mail))
		return true;
	*e = s->sink.err;
	close_sink(s);
	return false;
}

static bool
take_spool_file(struct smtp_session *s, const struct spool_file_answer *a, struct err *e)
{
	if (a == NULL)
		return err_temp(e, SAY_DISK, "no spool file: queue is not there");
	if (a->file == -1)
		return err_temp(e, SAY_DISK, "no spool file: %.*s", STR_ARG(a->words));
	if (!envelope_write_move(&s->sink, a->file)) {
		*e = s->sink.err;
		close(a->file);
		return false;
	}
	io_close(&s->sink_fd);
	s->sink_fd = a->file;
	s->sink_spooled = true;
	return true;
}

static void
on_spool_file(void *ctx, const struct spool_file_answer *a)
{
	struct smtp_session *s = ctx;
	struct err e;
	bool ok = take_spool_file(s, a, &e);

	s->spool_call = NULL;
	if (!ok)
		close_sink(s);
	smtp_in_sink_ready(s->in, ok ? NULL : &e);
	smtp_session_settle(s);
}

/* What the queue saw free when it gave the file may be gone by now, taken by all the other messages that are still coming. */
static bool
has_room(struct smtp_session *s, struct err *e)
{
	uint64_t size = envelope_write_size(&s->sink);
	struct statvfs v;

	if (!s->sink_spooled || size < s->sink_looked + SINK_LOOK_BYTES)
		return true;
	s->sink_looked = size;
	if (fstatvfs(s->sink_fd, &v) == -1 || (uint64_t)v.f_bavail * v.f_frsize >= s->session.conf->limits.disk_reserve)
		return true;
	return err_temp(e, SAY_DISK, "the disk is nearly full: the reserve is %llu bytes",
	    (unsigned long long)s->session.conf->limits.disk_reserve);
}

static enum smtp_in_sink
op_sink_write(void *ctx, struct str bytes, struct err *e)
{
	struct smtp_session *s = ctx;

	*e = (struct err){ 0 };
	if (!envelope_write_body(&s->sink, bytes))
		*e = s->sink.err;
	if (e->class != ERR_NONE || !has_room(s, e)) {
		close_sink(s);
		return SMTP_SINK_FAILED;
	}
	if (s->sink_spooled || envelope_write_size(&s->sink) <= ENVELOPE_MEMFD_MAX - ENVELOPE_PREFIX_MAX)
		return SMTP_SINK_OK;
	if (s->spool_call == NULL)
		s->spool_call = ask_spool_file(
		    queue_of(s), &(struct spool_file_ask){ .size = envelope_write_size(&s->sink) }, on_spool_file, s);
	return SMTP_SINK_WAIT;
}

static void
op_sink_abort(void *ctx)
{
	close_sink(ctx);
}

void
smtp_sink_drop(struct smtp_session *s)
{
	op_cancel(s);
	op_auth_abort(s);
	close_sink(s);
}

static void
on_submitted(void *ctx, const struct submit_answer *a)
{
	struct smtp_session *s = answered(ctx);
	struct smtp_reply reply = smtp_reply(SMTP_LATER_PLEASE);

	if (s == NULL)
		return;
	if (a != NULL) {
		reply = smtp_reply_told(a->code, a->enhanced, a->words);
		s->role->messages += a->code == 250;
	}
	smtp_in_answer_submit(s->in, &reply);
	smtp_session_settle(s);
}

static void
op_submit(void *ctx, struct str prefix, unsigned flags)
{
	struct smtp_session *s = ctx;
	struct smtp_asked *a = asking(s);
	bool ok = envelope_write_prefix(&s->sink, prefix) && envelope_write_finish(&s->sink, flags) &&
	    (s->sink_spooled || envelope_seal(s->sink_fd));

	if (ok)
		ask_submit(queue_of(s), &(struct submit_ask){ .sid = str_of(s->session.sid), .file = s->sink_fd },
		    on_submitted, a);
	else
		log_say(LEVEL_ERROR, "spool", "message file: %s", s->sink.err.log);
	close_sink(s);
	if (!ok) {
		struct smtp_reply reply = smtp_reply(SMTP_STORAGE);

		answered(a);
		smtp_in_answer_submit(s->in, &reply);
	}
}

const struct smtp_in_ops smtp_session_ops = {
	.write = op_write,
	.close = op_close,
	.starttls = op_starttls,
	.pause = op_pause,
	.resume = op_resume,
	.load = op_load,
	.cancel = op_cancel,
	.resolve = op_resolve,
	.may_send = op_may_send,
	.auth_start = op_auth_start,
	.auth_step = op_auth_step,
	.auth_abort = op_auth_abort,
	.sink_open = op_sink_open,
	.sink_write = op_sink_write,
	.sink_abort = op_sink_abort,
	.submit = op_submit,
};
