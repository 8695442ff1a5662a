/* store_leave.c - the way back of a session to the imap role after UNAUTHENTICATE (RFC 8437).
 *
 * What the client pipelined behind the command is here already, or in the stream. So imap is told, and stops sending; when the
 * stream has come to its end, the user's session is taken apart, and what was not its own goes back in the answer. */
#include <stdlib.h>

#include "store_mail.h"

/* Bytes for whoever comes next; they may hold his password. */
void
store_leave_more(struct mail_session *m, struct str bytes)
{
	buf_add(&m->rest, bytes);
	if (m->rest.over)
		mail_session_close(m);
}

void
store_leave(struct mail_session *m, struct str rest)
{
	m->leaving = true;
	loop_timer_stop(&m->again);
	loop_timer_stop(&m->later);
	loop_timer_start(&m->idle, m->conf->limits.login_ms);
	store_leave_more(m, rest);
	conn_resume(m->conn);
	say_unauthenticated(env_peer(m->role->env, ROLE_IMAP, m->front), &(struct unauthenticated_ask){ .sid = str_of(m->sid) });
}

/* imap has sent all it will, and has asked: the user's session is gone before imap may bring the next user. */
static void
give_back(struct mail_session *m)
{
	if (!m->ended || m->taker == NULL || m->closing)
		return;
	imap_session_free(m->imap);
	m->imap = NULL;
	store_user_unref(m->user);
	m->user = NULL;
	answer_take_back(m->taker, &(struct take_back_answer){ .ok = 1, .rest = buf_str(&m->rest) });
	m->taker = NULL;
	mail_session_close(m);
}

void
store_leave_ended(struct mail_session *m)
{
	give_back(m);
}

void
store_on_take_back(void *env, struct ipc_question *q, const struct take_back_ask *ask)
{
	struct store_role *r = store_role_of(env);
	struct mail_session *m;

	LIST_FOREACH(m, &r->sessions, link) {
		if (m->front == ipc_chan_index(ipc_question_from(q)) && m->leaving && m->taker == NULL
		    && str_eq(ask->sid, str_of(m->sid))) {
			m->taker = q;
			give_back(m);
			return;
		}
	}
	answer_take_back(q, &(struct take_back_answer){ .ok = 0 });
}
