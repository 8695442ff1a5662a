/* ticket.h - one-time login tickets: how auth proves a login to the store process that owns the user.
 *
 * auth makes a ticket and sends it to the owner with the user's name; the front gets the same 16 bytes in the answer to
 * its login and presents them with the stream. A ticket is good once and for TICKET_MS. The table is the store's side.
 */
#ifndef POSTERN_AUTH_TICKET_H
#define POSTERN_AUTH_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/clock.h>
#include <postern/core/io.h>
#include <postern/core/str.h>

enum {
	TICKET_MS = 30 * 1000,
	TICKET_MAX = 8192,     /* open tickets; past it the oldest go */
	TICKET_USER_MAX = 320, /* bytes of a canonical address */
};

/* 128 random bits. */
struct id ticket_new(void);

struct ticket_table;
struct ticket_table *ticket_table_new(void);
void ticket_table_free(struct ticket_table *t);
/* Remembers that the bearer is user (copied). quota travels along for the one who opens the mailbox. */
void ticket_table_add(struct ticket_table *t, struct id ticket, struct str user, uint64_t quota, struct mono now);
/* Takes the ticket out: true once, for the right user, before its end. A wrong user ends the ticket, too. */
bool ticket_table_take(struct ticket_table *t, struct id ticket, struct str user, uint64_t *quota, struct mono now);

#endif
