/* store_mail.c - logged-in IMAP sessions: a stream from the imap role, the user's store, the session value between them.
 *
 * imap shows the ticket that auth sent us for this user; without it nobody's mail is opened, whatever a front says. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/imap/session.h>
#include <postern/net/conn.h>
#include <postern/store/request.h>
#include <postern/store/user.h>

#include "store_mail.h"

enum {
	TICKET_WAIT_MS = 1000, /* a ticket comes on another channel than the login it is for, and may be read after it */
	WAITING_MAX = 100,     /* logins that wait so */
};

static const char NO_LOGIN[] = "no such login";

static void
free_session(struct mail_session *m)
{
	LIST_REMOVE(m, link);
	m->role->nsessions--;
	m->role->nwaiting -= m->waiting;
	if (m->taker != NULL)
		answer_take_back(m->taker, &(struct take_back_answer){ .ok = 0 });
	store_drop_owner(m);
	if (m->imap != NULL)
		imap_session_free(m->imap);
	if (m->conn != NULL)
		conn_free(m->conn);
	if (m->user != NULL)
		store_user_unref(m->user);
	loop_timer_fini(&m->again);
	loop_timer_fini(&m->later);
	loop_timer_fini(&m->idle);
	io_close(&m->fd);
	conf_unref(m->conf);
	buf_wipe(&m->rest);
	free(m->user_name);
	free(m);
}

static void
refuse(struct mail_session *m, enum mail_verdict verdict, const char *words)
{
	answer_open_mail(m->question, &(struct open_mail_answer){ .verdict = (uint8_t)verdict, .words = str_of(words) });
	free_session(m);
}

static void
give_up(struct mail_session *m, const char *words)
{
	refuse(m, MAIL_REFUSED, words);
}

/* --- what the session value asks for --- */

static void
op_write(void *ctx, struct str bytes)
{
	conn_write(((struct mail_session *)ctx)->conn, bytes);
}

static size_t
op_pending(void *ctx)
{
	return conn_queued(((struct mail_session *)ctx)->conn);
}

static void
op_again(void *ctx)
{
	loop_timer_start(&((struct mail_session *)ctx)->again, 0);
}

static void
op_later(void *ctx, int64_t ms)
{
	loop_timer_start(&((struct mail_session *)ctx)->later, ms);
}

void
mail_session_close(struct mail_session *m)
{
	m->closing = true;
	loop_timer_stop(&m->again);
	loop_timer_stop(&m->later);
	loop_timer_stop(&m->idle);
	conn_close(m->conn);
}

static void
op_close(void *ctx)
{
	mail_session_close(ctx);
}

static void
op_release(void *ctx, struct str rest)
{
	store_leave(ctx, rest);
}

static const struct imap_session_ops session_ops = {
	.write = op_write, .pending = op_pending, .again = op_again, .later = op_later, .close = op_close,
	.open_owner = store_open_owner, .release = op_release
};

/* --- the stream --- */

static void
go_on_reading(struct mail_session *m)
{
	if (!m->closing && !m->leaving && imap_session_wants(m->imap))
		conn_resume(m->conn);
}

static void
on_again(void *ctx)
{
	struct mail_session *m = ctx;

	imap_session_run(m->imap);
	go_on_reading(m);
}

static void
on_idle(void *ctx)
{
	struct mail_session *m = ctx;

	if (m->waiting)
		give_up(m, NO_LOGIN);
	else if (m->leaving)
		mail_session_close(m); /* imap did not take it back */
	else if (!imap_session_timeout(m->imap))
		loop_timer_start(&m->idle, m->conf->limits.imap_ms);
}

static size_t
on_data(void *ctx, struct str bytes)
{
	struct mail_session *m = ctx;
	size_t used;

	if (m->closing || m->imap == NULL)
		return m->closing ? bytes.n : 0;
	if (m->leaving) {
		store_leave_more(m, bytes);
		return bytes.n;
	}
	loop_timer_start(&m->idle, m->conf->limits.imap_ms);
	used = imap_session_input(m->imap, bytes);
	if (!m->closing && !m->leaving && used < bytes.n && !imap_session_wants(m->imap))
		conn_pause(m->conn);
	return m->closing ? bytes.n : used;
}

static void
on_drained(void *ctx)
{
	struct mail_session *m = ctx;

	if (m->imap == NULL || m->closing || m->leaving)
		return;
	imap_session_drained(m->imap);
	go_on_reading(m);
}

/* imap sends nothing more: the client is gone, or what follows is for imap itself. */
static void
on_eof(void *ctx)
{
	struct mail_session *m = ctx;

	m->ended = true;
	if (m->leaving)
		store_leave_ended(m);
	else
		mail_session_close(m);
}

static void
on_end(void *ctx, enum conn_end why)
{
	(void)why;
	free_session(ctx);
}

static const struct conn_ops conn_callbacks = { .on_data = on_data, .on_drained = on_drained, .on_eof = on_eof, .on_end = on_end };

/* --- opening --- */

static void
begin(struct mail_session *m)
{
	struct imap_session_setup setup = { .user = m->user,
		.store = m->conf->imap.shared ? m->role->store : NULL,
		.shared_owner = m->conf->imap.shared_owner,
		.sid = str_of(m->sid),
		.client = str_of(m->client),
		.tag = str_of(m->tag),
		.message_max = m->conf->limits.message_size,
		.quota = m->quota,
		.compress = m->conf->imap.compress,
		.accept_8bit = m->conf->imap.accept_8bit,
		.unauthenticate = m->conf->imap.unauthenticate,
		.comment = m->conf->imap.comment,
		.message_limit = m->conf->imap.message_limit,
		.save_limit = m->conf->imap.save_limit };

	answer_open_mail(m->question, &(struct open_mail_answer){ .verdict = MAIL_OPENED });
	m->question = NULL;
	m->role->logins++;
	m->conn = conn_new(m->role->env->loop, m->fd, &conn_callbacks, m);
	m->fd = -1;
	m->imap = imap_session_new(&setup, &session_ops, m);
	loop_timer_start(&m->idle, m->conf->limits.imap_ms);
}

static void
on_defaults(void *ctx, const struct store_result *r)
{
	struct mail_session *m = ctx;

	if (r->code != STORE_OK)
		log_say(LEVEL_WARN, "store", "default folders of %s: %s", m->user_name, r->err->log);
	if (m->over)
		give_up(m, "the server stops");
	else
		begin(m);
}

static void
on_user_open(void *ctx, struct store_user *u, const struct err *e)
{
	struct mail_session *m = ctx;

	m->user = u;
	if (u == NULL) {
		log_say(LEVEL_WARN, "store", "mail of %s cannot be opened: %s", m->user_name, e->log);
		give_up(m, e->say);
		return;
	}
	store_make_defaults(u, (struct store_done){ .fn = on_defaults, .ctx = m });
}

/* Those who only say that they are his are not. */
static unsigned
sessions_of(const struct store_role *r, struct str user)
{
	const struct mail_session *m;
	unsigned n = 0;

	LIST_FOREACH(m, &r->sessions, link)
		n += !m->waiting && str_eq(str_of(m->user_name), user);
	return n;
}

/* Who guesses with a ticket has used it. */
static bool
has_ticket(struct mail_session *m, struct str user)
{
	return ticket_table_take(m->role->tickets, m->ticket, user, &m->quota, mono_now());
}

/* With his ticket. */
static void
open_user(struct mail_session *m)
{
	m->role->nwaiting -= m->waiting;
	m->waiting = false;
	loop_timer_stop(&m->idle);
	if (m->over)
		give_up(m, "the server stops");
	else if (sessions_of(m->role, str_of(m->user_name)) > m->conf->limits.sessions_per_user)
		refuse(m, MAIL_LIMIT, "too many sessions of this user");
	else
		store_user_open(m->role->store, str_of(m->user_name), on_user_open, m);
}

static void
wait_for_ticket(struct mail_session *m)
{
	m->waiting = true;
	m->role->nwaiting++;
	loop_timer_start(&m->idle, TICKET_WAIT_MS);
}

void
store_on_ticket(void *env, struct ipc_chan *from, const struct ticket_ask *said)
{
	struct store_role *r = store_role_of(env);
	struct mail_session *m;

	(void)from;
	if (said->user.n > TICKET_USER_MAX)
		return;
	ticket_table_add(r->tickets, said->ticket, said->user, said->quota, mono_now());
	LIST_FOREACH(m, &r->sessions, link)
		if (m->waiting && has_ticket(m, str_of(m->user_name))) {
			open_user(m);
			return;
		}
}

static void
copy(char *to, size_t size, struct str s)
{
	snprintf(to, size, "%.*s", STR_ARG(s));
}

/* One end of a pair as imap makes it. What epoll does not watch, a file for example, would never end. */
static bool
is_stream(int fd)
{
	int domain = -1;
	int type = -1;
	socklen_t n = sizeof domain;
	socklen_t m = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &m) == 0 && type == SOCK_STREAM;
}

static const char *
why_not(const struct env *env, const struct open_mail_ask *ask)
{
	const struct store_role *r = env->role;

	if (!is_stream(ask->stream) || ask->tag.n >= TAG_MAX || ask->user.n > TICKET_USER_MAX || r->nwaiting >= WAITING_MAX)
		return NO_LOGIN;
	return env->draining ? "the server stops" : NULL;
}

static struct mail_session *
session_new(struct env *env, struct ipc_question *q, const struct open_mail_ask *ask)
{
	struct store_role *r = store_role_of(env);
	struct mail_session *m = NEW(struct mail_session);

	m->role = r;
	m->conf = conf_ref(env->conf);
	m->question = q;
	m->front = ipc_chan_index(ipc_question_from(q));
	m->user_name = mem_cstr(ask->user);
	m->ticket = ask->ticket;
	m->fd = ask->stream;
	copy(m->sid, sizeof m->sid, ask->sid);
	copy(m->client, sizeof m->client, ask->client);
	copy(m->tag, sizeof m->tag, ask->tag);
	buf_init(&m->rest, STORE_REST_MAX);
	loop_timer_init(&m->again, env->loop, on_again, m);
	loop_timer_init(&m->later, env->loop, on_again, m);
	loop_timer_init(&m->idle, env->loop, on_idle, m);
	LIST_INSERT_HEAD(&r->sessions, m, link);
	r->nsessions++;
	return m;
}

void
store_on_open_mail(void *ctx, struct ipc_question *q, const struct open_mail_ask *ask)
{
	struct env *env = ctx;
	const char *why = why_not(env, ask);
	struct mail_session *m;

	if (why != NULL) {
		int fd = ask->stream;

		io_close(&fd);
		answer_open_mail(q, &(struct open_mail_answer){ .verdict = MAIL_REFUSED, .words = str_of(why) });
		return;
	}
	m = session_new(env, q, ask);
	if (has_ticket(m, ask->user))
		open_user(m);
	else if (str_has(ask->user, '\0'))
		give_up(m, NO_LOGIN);
	else
		wait_for_ticket(m);
}

static void
shut(struct mail_session *m, const char *why)
{
	if (m->imap == NULL)
		m->over = true;
	else if (!m->closing)
		imap_session_shutdown(m->imap, why);
}

void
store_mail_shutdown(struct store_role *r, const char *why)
{
	struct mail_session *m;

	LIST_FOREACH(m, &r->sessions, link)
		shut(m, why);
}

void
store_on_close_mail(void *env, struct ipc_chan *from, const struct close_mail_ask *said)
{
	struct store_role *r = store_role_of(env);
	struct mail_session *m;

	LIST_FOREACH(m, &r->sessions, link)
		if (m->front == ipc_chan_index(from) && (said->sid.n == 0 || str_eq(said->sid, str_of(m->sid))))
			shut(m, "the server stops");
}
