/* verbs.h - what the command line can ask of each owner: tables for control.h, run by the role or, without a server, by the
 * command itself. */
#ifndef POSTERN_ROLE_VERBS_H
#define POSTERN_ROLE_VERBS_H

#include <postern/auth/admin.h>
#include <postern/auth/login.h>
#include <postern/auth/resolve.h>
#include <postern/role/control.h>

/* admin_auth.c: accounts, aliases, domains, explain. Sizes are bytes, times seconds since the epoch. SECRET is two words,
 * "password" and it as typed, or "hash" and one as another system wrote it. QUOTA is bytes, "none" or "default".
 *
 *   user add ADDRESS SECRET QUOTA         → {address}
 *   user passwd ADDRESS SECRET            → {address}
 *   user quota ADDRESS QUOTA              → {address}
 *   user del|enable|disable ADDRESS       → {address}
 *   user list                             → [{address, disabled, quota (null: the default), created, damaged}]
 *   user show ADDRESS                     → the same and {quota_in_force, scheme, scram, used (null: not known)}
 *   user check ADDRESS PASSWORD           → {address, ok}; a login that would fail is a failure with the reason
 *   alias add ALIAS TARGET… +SENDER…      → {alias}
 *   alias del ALIAS                       → {alias}
 *   alias list                            → [{alias, targets, senders, omitted (did not fit), created, damaged}]
 *   domain add|del DOMAIN                 → {domain}
 *   domain list                           → [{domain, configured, created, damaged}]
 *   explain ADDRESS                       → {address, verdict, code, enhanced, words, chain, text,
 *                                            targets: [{address, local, detail, quota}]} */
struct auth_admin {
	struct admin admin;
	const struct resolver *resolver;
	struct login *login;       /* NULL offline */
	struct usage *usage;       /* NULL offline */
};
extern const struct control_verb auth_verbs[];

/* admin_queue.c; ctx is the struct queue. */
extern const struct control_verb queue_verbs[];

/* admin_dns.c: what the dns role sees.
 *
 *   dns lookup TYPE NAME → {name, type, status, secure, ttl, canonical, aliases, aliases_secure, records, why} */
struct dns;
struct dns_admin {
	struct dns *dns;    /* NULL: there is none */
	const char *broken; /* then: why */
};
extern const struct control_verb dns_verbs[];

/* admin_trace.c: the lines of the log that tell of messages, the newest first; ctx is a struct trace_source
 * (src/role/trace.h).
 *
 *   trace KIND SINCE WORD… → [{time, level, role, event, and the line's fields}]; KIND: all, mail (lines with a
 *                       queue id) or refused; SINCE in seconds since the epoch; lines in which one of the words is the whole value
 *                       of a field that names a message, a session or an address */
extern const struct control_verb trace_verbs[];
/* The same without a server: the files are only read. */
void trace_run_alone(const struct conf *conf, const struct strs *words, struct str after, struct arena *a,
    struct control_answer *out);

/* `store' and `mailbox' (admin_store.c), for the command line without a server. As root the process becomes the user of
 * the store. */
void store_run_alone(const struct conf *conf, const struct strs *words, struct str after, struct arena *a,
    struct control_answer *out);

#endif
