/* ticket.h - the keys under which session tickets are sealed (RFC 5077, RFC 8446 4.6.1).
 *
 * The parent makes a ring for each service, rotates it and hands copies to the processes of that service, so that a
 * ticket works at each of them, across their restarts, and nowhere else. A ring is plain data: it travels as bytes
 * (sizeof struct tls_ticket_ring) over the channel to roles of the same binary. */
#ifndef POSTERN_TLS_TICKET_H
#define POSTERN_TLS_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TLS_TICKET_KEYS = 3,                   /* one seals, all open */
	TLS_TICKET_ROTATE_MS = 6 * 3600 * 1000,
	TLS_TICKET_LIFETIME_S = 12 * 3600,     /* told to clients; covered by the keys that still open */
};

struct tls_ticket_key {
	uint8_t name[16]; /* which key; random, sent in the clear in each ticket */
	uint8_t aes[32];
	uint8_t mac[32];
};

struct tls_ticket_ring {
	struct tls_ticket_key key[TLS_TICKET_KEYS]; /* newest first */
};

/* All keys new. */
void tls_ticket_init(struct tls_ticket_ring *r);
/* A new first key; the oldest is forgotten. Every TLS_TICKET_ROTATE_MS. */
void tls_ticket_rotate(struct tls_ticket_ring *r);
void tls_ticket_wipe(struct tls_ticket_ring *r);
/* The key of that name or NULL; *at is its place, 0 the one that seals. */
const struct tls_ticket_key *tls_ticket_find(
    const struct tls_ticket_ring *r, const uint8_t name[static 16], size_t *at);

#endif
