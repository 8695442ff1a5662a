/* admin_auth.h - what the rows of auth share, and those of `postern user'. */
#ifndef ROLE_ADMIN_AUTH_H
#define ROLE_ADMIN_AUTH_H

#include <postern/role/verbs.h>

/* Names are UTF-8; of a damaged row anything may come. */
json_t *verb_text(struct str s);

/* {what: name}; true. */
bool verb_answer_name(struct control_answer *out, const char *what, struct str name);
/* The failure with its class; true. */
bool verb_fail(struct control_answer *out, const struct control_ask *ask, const struct err *e);
const struct admin *verb_admin(void *ctx);

/* admin_user.c */
bool verb_user_add(void *ctx, const struct control_ask *ask, struct control_answer *out);
bool verb_user_del(void *ctx, const struct control_ask *ask, struct control_answer *out);
bool verb_user_list(void *ctx, const struct control_ask *ask, struct control_answer *out);
bool verb_user_show(void *ctx, const struct control_ask *ask, struct control_answer *out);
bool verb_user_passwd(void *ctx, const struct control_ask *ask, struct control_answer *out);
bool verb_user_quota(void *ctx, const struct control_ask *ask, struct control_answer *out);
bool verb_user_enable(void *ctx, const struct control_ask *ask, struct control_answer *out);
bool verb_user_disable(void *ctx, const struct control_ask *ask, struct control_answer *out);
bool verb_user_check(void *ctx, const struct control_ask *ask, struct control_answer *out);

#endif
