/* imap_login.c - what the dialogue before the login asks for: TLS, questions to auth, and in the end the way into the store
 * process that owns the user. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/auth/login.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/role/owner.h>

#include "imap.h"

/* A question to auth; its client may be gone when the answer comes. */
struct asked {
	struct client *client;
	struct env *env;
};

void
imap_login_withdraw(struct client *c)
{
	if (c->asked != NULL)
		c->asked->client = NULL;
	c->asked = NULL;
	if (c->exchange != 0)
		say_sasl_abort(
		    env_peer(c->role->all.env, ROLE_AUTH, 0), &(struct sasl_abort_ask){ .exchange = c->exchange });
	c->exchange = 0;
}

static void
op_write(void *ctx, struct str bytes)
{
	conn_write(((struct client *)ctx)->session.conn, bytes);
}

static void
op_close(void *ctx)
{
	imap_client_close(ctx);
}

static void
op_starttls(void *ctx)
{
	struct client *c = ctx;
	SSL *ssl = front_tls(c->role->all.front, c->session.service);

	if (ssl == NULL) {
		imap_client_close(c);
		return;
	}
	conn_secure(c->session.conn, ssl, CONN_SERVER, CONN_INJECTED_CLOSE, STR(""));
	conn_wait(c->session.conn, CONN_WAIT_HANDSHAKE, c->session.conf->limits.handshake_ms);
}

static struct asked *
asking(struct client *c)
{
	struct asked *a = NEW(struct asked);

	a->client = c;
	a->env = c->role->all.env;
	c->asked = a;
	return a;
}

static void
login_answered(struct asked *asked, uint64_t exchange, unsigned verdict, const struct imap_auth_answer *answer,
    const struct id *ticket)
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
	imap_back_feed(c);
	if (!c->session.closing && c->front != NULL)
		conn_resume(c->session.conn);
}

static enum imap_auth_verdict
verdict_of(unsigned verdict)
{
	static const enum imap_auth_verdict verdicts[] = { [LOGIN_CHALLENGE] = IMAP_AUTH_CHALLENGE,
		[LOGIN_OK] = IMAP_AUTH_OK,
		[LOGIN_WRONG] = IMAP_AUTH_FAILED,
		[LOGIN_FORBIDDEN] = IMAP_AUTH_FORBIDDEN,
		[LOGIN_MALFORMED] = IMAP_AUTH_BAD,
		[LOGIN_UNKNOWN] = IMAP_AUTH_UNKNOWN,
		[LOGIN_LATER] = IMAP_AUTH_UNAVAILABLE };

	return verdict <= LOGIN_LATER ? verdicts[verdict] : IMAP_AUTH_UNAVAILABLE;
}

static const struct imap_auth_answer nobody = { .verdict = IMAP_AUTH_UNAVAILABLE, .why = "auth is not there" };

static void
login_said(struct asked *asked, uint64_t exchange, unsigned verdict, bool close, struct str data, struct str user,
    const struct id *ticket)
{
	struct imap_auth_answer answer = { .verdict = verdict_of(verdict),
		.close = close,
		.data = data,
		.user = user,
		.ticket = str_from(ticket, sizeof *ticket) };

	login_answered(asked, exchange, verdict, &answer, ticket);
}

static void
on_sasl_started(void *ctx, const struct sasl_start_answer *a)
{
	if (a == NULL)
		login_answered(ctx, 0, LOGIN_LATER, &nobody, NULL);
	else
		login_said(ctx, a->exchange, a->verdict, a->close != 0, a->data, a->user, &a->ticket);
}

static void
on_sasl_stepped(void *ctx, const struct sasl_step_answer *a)
{
	if (a == NULL)
		login_answered(ctx, 0, LOGIN_LATER, &nobody, NULL);
	else
		login_said(ctx, a->exchange, a->verdict, a->close != 0, a->data, a->user, &a->ticket);
}

static void
op_auth_start(void *ctx, struct str mech, const struct str *initial)
{
	struct client *c = ctx;
	struct front_bindings bindings;
	struct sasl_start_ask ask = session_login(&c->session, mech, initial, &bindings);

	ask_sasl_start(env_peer(c->role->all.env, ROLE_AUTH, 0), &ask, on_sasl_started, asking(c));
}

static void
op_auth_step(void *ctx, struct str response)
{
	struct client *c = ctx;

	ask_sasl_step(env_peer(c->role->all.env, ROLE_AUTH, 0),
	    &(struct sasl_step_ask){ .exchange = c->exchange, .data = response }, on_sasl_stepped, asking(c));
}

static void
op_auth_cancel(void *ctx)
{
	imap_login_withdraw(ctx);
}

/* --- the way into the store --- */

static void
on_pump_end(void *ctx, enum conn_end why, bool gone)
{
	(void)why;
	(void)gone;
	imap_client_free(ctx);
}

static const struct pump_ops pump_callbacks = { .on_end = on_pump_end, .on_back = imap_back_ended };

/* Not event=login: the password was right, and nobody is to be locked out for this. */
static void
refuse_login(struct client *c, enum mail_verdict verdict, const char *why)
{
	static const char *const replies[] = {
		[MAIL_REFUSED] = "[UNAVAILABLE] the mail store is not available, please try again",
		[MAIL_LIMIT] = "[LIMIT] too many sessions of this user", /* RFC 5530 3 */
	};
	const char *reply = replies[verdict == MAIL_LIMIT ? MAIL_LIMIT : MAIL_REFUSED];
	struct log_line l;

	log_begin(&l, LEVEL_WARN, "refuse");
	log_cstr(&l, "sid", c->session.sid);
	log_cstr(&l, "client", c->session.client);
	log_cstr(&l, "user", c->user != NULL ? c->user : "");
	log_cstr(&l, "reply", reply);
	log_cstr(&l, "why", why);
	log_end(&l);
	conn_write(c->session.conn, STR("* BYE "));
	conn_write(c->session.conn, str_of(reply));
	conn_write(c->session.conn, STR("\r\n"));
	imap_client_close(c);
}

/* What came back from the last user's session is the first of this one's. */
static bool
send_rest(struct client *c)
{
	ssize_t n = c->rest.n > 0 ? send(c->stream, c->rest.p, c->rest.n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	bool all = n >= 0 && (size_t)n == c->rest.n;

	buf_wipe(&c->rest);
	return all;
}

static void
on_opened(void *ctx, const struct open_mail_answer *a)
{
	struct client *c = ctx;

	c->opening = NULL;
	imap_front_free(c->front);
	c->front = NULL;
	if (a == NULL || a->verdict != MAIL_OPENED) {
		char why[128];

		snprintf(why, sizeof why, "%.*s", STR_ARG(a == NULL ? STR("it is not there") : a->words));
		refuse_login(c, a == NULL ? MAIL_REFUSED : (enum mail_verdict)a->verdict, why);
		return;
	}
	if (!send_rest(c)) {
		refuse_login(c, MAIL_REFUSED, "what came behind the login has no room");
		return;
	}
	c->role->logins++;
	/* the session's own time limits take over */
	conn_wait(c->session.conn, CONN_WAIT_TOTAL, 0);
	c->pump = pump_new(c->role->all.env->loop, c->session.conn, c->stream, &pump_callbacks, c);
	c->stream = -1;
	conn_resume(c->session.conn);
}

static void
op_handover(void *ctx, const struct imap_login *login)
{
	struct client *c = ctx;
	struct env *env = c->role->all.env;
	int pair[2];

	conn_pause(c->session.conn);
	c->user = mem_cstr(login->user);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == -1) {
		refuse_login(c, MAIL_REFUSED, strerror(errno));
		return;
	}
	c->stream = pair[0];
	c->opening = ask_open_mail(env_peer(env, ROLE_STORE, owner_of(login->user, env->conf->store.processes)),
	    &(struct open_mail_ask){ .ticket = c->ticket,
		.user = login->user,
		.sid = str_of(c->session.sid),
		.client = str_of(c->session.client),
		.tag = login->tag,
		.stream = pair[1] },
	    on_opened, c);
	close(pair[1]);
}

const struct imap_front_ops imap_login_ops = {
	.write = op_write,
	.close = op_close,
	.starttls = op_starttls,
	.auth_start = op_auth_start,
	.auth_step = op_auth_step,
	.auth_cancel = op_auth_cancel,
	.handover = op_handover,
};
