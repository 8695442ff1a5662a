/* sessions.h - `postern session list` and `session end`, for the roles that face clients.
 *
 * list    → [{sid, service, client, user, seconds}], newest first
 * end ID|ADDRESS → {ended: how many} */
#ifndef ROLE_SESSIONS_H
#define ROLE_SESSIONS_H

#include <postern/conf/conf.h>
#include <postern/core/clock.h>
#include <postern/role/control.h>

enum { SESSIONS_PAGE = 200 };

/* One session, for a row. number: counts connections, so that a page can begin where the last one ended. */
struct session_info {
	uint64_t number;
	const char *sid;
	enum conf_service service; /* SERVICE_COUNT: the local socket */
	const char *client;
	struct str user; /* empty before the login */
	struct mono since;
};

/* A page being made. */
struct session_page {
	json_t *rows;
	uint64_t below; /* only sessions with a lower number */
	uint64_t last;
	bool more;
};

/* False, with the answer in out, when the page asked for cannot be. */
bool session_page_begin(struct session_page *p, const struct control_ask *ask, struct control_answer *out);
void session_page_add(struct session_page *p, const struct session_info *s);
/* The page as the answer; true. */
bool session_page_end(struct session_page *p, const struct control_ask *ask, struct control_answer *out);

/* Does the word name this session, by id or by its user? */
bool session_is(struct str word, const struct session_info *s);
/* How many were ended, as the answer; true. */
bool session_ended(unsigned n, struct control_answer *out);

#endif
