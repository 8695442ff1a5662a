/* smtp.h - a session of the smtp role: connection, protocol value, message sink. */
#ifndef ROLE_SMTP_H
#define ROLE_SMTP_H

#include <stdio.h>
#include <sys/socket.h>

#include <postern/auth/sasl.h>
#include <postern/message/envelope.h>
#include <postern/smtp/in.h>

#include "sessions.h"

enum { SMTP_MESSAGES_MAX = 1000 }; /* of one session; a client with more connects again */

struct smtp_role {
	struct sessions all;
	uint64_t messages;
	struct str mechanisms[SASL_MECHANISMS_MAX];
};

struct smtp_session {
	struct session session;
	struct smtp_role *role;
	char local_user[32];
	struct smtp_in_conf in_conf;
	struct smtp_in *in; /* NULL until TLS stands on port 465 */
	struct loop_timer tick;
	bool paused;

	struct smtp_asked *asked; /* the question under way (smtp_ops.c) */
	uint64_t exchange;        /* SASL, between challenge and response */
	struct envelope_writer sink;
	int sink_fd;
	bool sink_spooled;    /* sink_fd is a file of the queue's */
	uint64_t sink_looked; /* its size when free space was last looked at */
	struct ipc_call *spool_call;
};

/* smtp.c: the deadline follows every call into the session. */
void smtp_session_settle(struct smtp_session *s);

/* smtp_ops.c: what the session value asks for. */
extern const struct smtp_in_ops smtp_session_ops;
/* Forgets the questions and the message under way. */
void smtp_sink_drop(struct smtp_session *s);

#endif
