/* roles.h - the operations of each role, one file per role. */
#ifndef ROLE_ROLES_H
#define ROLE_ROLES_H

#include "table.h"

extern const struct role_ops log_ops;   /* log.c */
extern const struct role_ops keys_ops;  /* keys.c */
extern const struct role_ops dns_ops;   /* dns.c */
extern const struct role_ops fetch_ops; /* fetch.c */
extern const struct role_ops auth_ops;  /* auth.c */
extern const struct role_ops smtp_ops;  /* smtp.c */
extern const struct role_ops imap_ops;  /* imap.c */
extern const struct role_ops relay_ops; /* relay.c */
extern const struct role_ops queue_ops; /* queue.c */
extern const struct role_ops store_ops; /* store.c */

#endif
