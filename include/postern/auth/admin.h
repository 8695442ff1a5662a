/* admin.h - what `postern user`, `alias` and `domain` do, as library calls.
 *
 * The auth role calls them for the command line; without a running server the command line calls them itself. Names
 * come in as typed. On failure err.log is the whole sentence for the administrator: what is wrong and what to do;
 * err.class tells whether trying again can help. Passwords are never in it. */
#ifndef POSTERN_AUTH_ADMIN_H
#define POSTERN_AUTH_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/auth/directory.h>
#include <postern/conf/conf.h>
#include <postern/core/arena.h>
#include <postern/core/err.h>
#include <postern/core/str.h>

struct admin {
	struct directory *dir;
	const struct conf *conf;
	bool part; /* conf is a role's part: its lines are not those of the file */
};

/* How a new password is given. */
struct admin_secret {
	struct str password; /* as typed; or */
	struct str hash;     /* "{SCHEME}…" of another system; one of both is empty */
};

/* Each name is the address as typed; the canonical form is what is stored and shown. */
bool admin_user_add(
    const struct admin *ad, struct str name, const struct admin_secret *secret, uint64_t quota, struct err *e);
bool admin_user_del(const struct admin *ad, struct str name, struct err *e);
bool admin_user_passwd(const struct admin *ad, struct str name, const struct admin_secret *secret, struct err *e);
bool admin_user_quota(const struct admin *ad, struct str name, uint64_t quota, struct err *e);
bool admin_user_enable(const struct admin *ad, struct str name, struct err *e);
bool admin_user_disable(const struct admin *ad, struct str name, struct err *e);
bool admin_user_show(const struct admin *ad, struct str name, struct arena *a, struct user *out, struct err *e);
/* Quota in force: the user's own or limits.quota. 0: none. */
uint64_t admin_quota(const struct conf *conf, const struct user *u);

/* "+name" words after TARGET… on the command line become senders; none given: the targets that are own users may send.
 */
bool admin_alias_add(const struct admin *ad, struct str name, const struct str *targets, size_t ntargets,
    const struct str *senders, size_t nsenders, struct err *e);
bool admin_alias_del(const struct admin *ad, struct str name, struct err *e);

bool admin_domain_add(const struct admin *ad, struct str name, struct err *e);
/* Not while accounts are in it. A domain of the configuration file is not deleted here: the words name the file and the
 * line, where they are known. The command line, which has read the file, asks admin_domain_free before it asks a
 * server. */
bool admin_domain_free(const struct conf *conf, struct str name, struct err *e);
bool admin_domain_del(const struct admin *ad, struct str name, struct err *e);

/* An address as typed, in the form in which it is stored; words when it is none. The result lives in a. */
bool admin_address(struct str typed, struct arena *a, struct str *canonical, struct err *e);
bool admin_domain(struct str typed, struct arena *a, struct str *canonical, struct err *e);

#endif
