/* store.h - the store role's parts: deliveries from queue, logged-in sessions from imap, commands. */
#ifndef ROLE_STORE_H
#define ROLE_STORE_H

#include <sys/queue.h>

#include <postern/auth/ticket.h>
#include <postern/role/control.h>
#include <postern/store/store.h>

#include "env.h"

struct store_role {
	struct env *env;
	struct store *store;
	struct ticket_table *tickets;
	LIST_HEAD(, mail_session) sessions;
	unsigned nsessions;
	unsigned nwaiting; /* of them: without their ticket yet */
	uint64_t delivered;
	uint64_t logins;
};

static inline struct store_role *
store_role_of(struct env *env)
{
	return env->role;
}

/* store_deliver.c */
void store_on_deliver(void *env, struct ipc_question *q, const struct deliver_ask *ask);
void store_on_settle(void *env, struct ipc_question *q, const struct settle_ask *ask);

/* store_mail.c: IMAP after the login. */
void store_on_ticket(void *env, struct ipc_chan *from, const struct ticket_ask *said);
void store_on_open_mail(void *env, struct ipc_question *q, const struct open_mail_ask *ask);
void store_on_close_mail(void *env, struct ipc_chan *from, const struct close_mail_ask *said);
void store_mail_shutdown(struct store_role *r, const char *why);

/* store_leave.c: UNAUTHENTICATE. */
void store_on_take_back(void *env, struct ipc_question *q, const struct take_back_ask *ask);

/* admin_store.c */
extern const struct control_verb store_verbs[];

#endif
