/* verbs.h - what the command line can ask of each owner: tables for control.h, run by the role or, without a server, by the
 * command itself. */
#ifndef POSTERN_ROLE_VERBS_H
#define POSTERN_ROLE_VERBS_H

#include <postern/auth/admin.h>
#include <postern/auth/login.h>
#include <postern/auth/resolve.h>
#include <postern/role/control.h>

/* ctx of auth_verbs (admin_auth.c): accounts, aliases, domains, explain. */
struct auth_admin {
	struct admin admin;
	const struct resolver *resolver;
	struct login *login;       /* NULL offline */
	struct usage *usage;       /* NULL offline */
};
extern const struct control_verb auth_verbs[];

/* admin_queue.c; ctx is the struct queue. */
extern const struct control_verb queue_verbs[];

#endif
