/* sessions.h - the sessions of a role that faces clients: what they have in common, how they end, and `postern session
 * list' and `session end'.
 *
 * list    → [{sid, service, client, user, seconds}], newest first
 * end ID|ADDRESS → {ended: how many} */
#ifndef ROLE_SESSIONS_H
#define ROLE_SESSIONS_H

#include <sys/queue.h>

#include <postern/conf/conf.h>
#include <postern/core/clock.h>
#include <postern/role/control.h>

#include "front.h"

enum { SESSIONS_PAGE = 200 };

/* First member of a role's own session. */
struct session {
	LIST_ENTRY(session) link;
	struct sessions *of;
	enum conf_service service; /* SERVICE_COUNT: the local socket */
	struct addr peer;
	char client[ADDR_TEXT_SIZE];
	char sid[SID_SIZE];
	uint64_t number; /* counts connections, so that a page of the list can begin where the last one ended */
	struct mono since;
	const struct conf *conf; /* the one it began with */
	struct conn *conn;
	bool closing;
};

/* What differs from role to role. */
struct session_kind {
	/* Who is logged in; empty before the login. */
	struct str (*user)(const struct session *s);
	/* The operator, or the end of the server, wants it to end: what is under way is finished first. */
	void (*end)(struct session *s);
};

struct sessions {
	struct env *env;
	struct front *front;
	const struct session_kind *kind;
	LIST_HEAD(, session) list;
	unsigned n;
	uint64_t connections;
};

void sessions_init(struct sessions *all, struct env *env, const struct session_kind *kind);

/* For role_ops of a role whose env->role begins with its struct sessions. */
void sessions_start(struct env *env);
void sessions_reload(struct env *env, const struct conf *was);
void *sessions_admin(struct env *env);
/* No new ones; each is told to end. When the last is gone, so is the process; at the latest after so many seconds. */
void sessions_drain(struct env *env, unsigned seconds);

/* "sessions" and "connections". */
void sessions_count(const struct sessions *all, struct counters_out *out);

/* A connection begins: fills s, whose owner is ctx of the callbacks. */
void session_begin(struct sessions *all, struct session *s, int fd, enum conf_service service, const struct addr *peer,
    const struct conn_ops *ops, void *ctx);
/* The question with which its login begins; initial: NULL when the client sent none. *b holds what the question points to. */
struct sasl_start_ask session_login(
    const struct session *s, struct str mechanism, const struct str *initial, struct front_bindings *b);
/* It is over: takes s apart; its memory is the owner's. The last thing to be done with it: the process may end here. */
void session_over(struct session *s);

/* Verbs of the control socket, for role_ops; they run on a struct sessions. */
extern const struct control_verb session_verbs[];

#endif
