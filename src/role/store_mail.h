/* store_mail.h - a logged-in IMAP session in the store role, for the files that take part in its life. */
#ifndef ROLE_STORE_MAIL_H
#define ROLE_STORE_MAIL_H

#include <postern/imap/session.h>
#include <postern/net/conn.h>
#include <postern/role/owner.h>
#include <postern/store/user.h>

#include "store.h"

enum {
	SID_MAX = 32,
	CLIENT_MAX = 80,
	TAG_MAX = 256,
	STORE_REST_MAX = 32 * 1024, /* bytes pipelined behind UNAUTHENTICATE; they have to fit in one answer to imap */
};

struct mail_session {
	LIST_ENTRY(mail_session) link;
	struct store_role *role;
	const struct conf *conf; /* the one it began with */
	struct ipc_question *question; /* until the user is open */
	unsigned front;                /* which imap process it came from */
	char *user_name;
	char sid[SID_MAX];
	char client[CLIENT_MAX];
	char tag[TAG_MAX];
	struct id ticket;
	bool waiting; /* for its ticket */
	uint64_t quota;
	struct ipc_call *owner_call;   /* auth is asked for another user, … */
	struct owner_opening *opening; /* … his account is being opened */
	int fd; /* until conn has it */
	struct store_user *user;
	struct conn *conn;
	struct imap_session *imap;
	struct loop_timer again;
	struct loop_timer later;
	struct loop_timer idle;
	bool closing;
	bool over; /* shut down before the user was open */
	bool leaving;   /* after UNAUTHENTICATE */
	bool ended;     /* the client's side of the stream, after that */
	struct buf rest; /* what came behind UNAUTHENTICATE */
	struct ipc_question *taker; /* imap wants the rest */
};

/* store_mail.c: delivers what is written, then it is over. */
void mail_session_close(struct mail_session *m);

/* store_leave.c: UNAUTHENTICATE was answered; rest: what the session had taken of what follows. */
void store_leave(struct mail_session *m, struct str rest);
void store_leave_more(struct mail_session *m, struct str bytes);
/* imap sends nothing more. */
void store_leave_ended(struct mail_session *m);

/* store_other.c: another user's account, for the session (imap/session.h, open_owner); and the end of that. */
void store_open_owner(void *ctx, struct str address);
void store_drop_owner(struct mail_session *m);

#endif
