/* admin_tls.h - `postern tls show', for the queue's table of verbs. */
#ifndef ROLE_ADMIN_TLS_H
#define ROLE_ADMIN_TLS_H

#include <postern/role/control.h>

bool verb_tls_show(void *queue, const struct control_ask *ask, struct control_answer *out);
/* Of a queue_last_host: {host, ip, tls_wanted, tls_got, tls_why, plain} into object; nothing when no host is known. */
struct queue_last_host;
void tls_last_host_json(json_t *object, const struct queue_last_host *h);
/* RFC 3339, or null for 0. */
json_t *tls_time_json(int64_t us);

#endif
