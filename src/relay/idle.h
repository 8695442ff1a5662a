/* idle.h - open connections that wait for the next message, by what may go over them.
 *
 * A key names destination, policy and what the message asks of TLS (transfer.c makes it): nothing goes over a
 * connection that was made for another key, or under an older configuration. */
#ifndef RELAY_IDLE_H
#define RELAY_IDLE_H

#include "link.h"

void idle_init(struct relay *r);
void idle_fini(struct relay *r);

/* The link's user is done with it: it waits for RELAY_IDLE_MS, or goes when it is too old or there is no room. */
void idle_put(struct relay *r, struct link *l);
/* One for that key and snapshot, the youngest rest first; NULL: there is none. */
struct link *idle_take(struct relay *r, struct str key, const struct conf *conf);
/* Sends the one away that has rested longest; false: there is none. */
bool idle_drop_one(struct relay *r);
/* Sends all away. */
void idle_drop_all(struct relay *r);

#endif
