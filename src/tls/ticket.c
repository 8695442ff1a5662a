/* ticket.c - rings of session ticket keys. */
#include <postern/tls/ticket.h>

#include <sodium.h>
#include <string.h>

#include <postern/core/mem.h>

static void
make_key(struct tls_ticket_key *k)
{
	randombytes_buf(k, sizeof *k);
}

void
tls_ticket_init(struct tls_ticket_ring *r)
{
	for (size_t i = 0; i < TLS_TICKET_KEYS; i++)
		make_key(&r->key[i]);
}

void
tls_ticket_rotate(struct tls_ticket_ring *r)
{
	memmove(&r->key[1], &r->key[0], (TLS_TICKET_KEYS - 1) * sizeof r->key[0]);
	make_key(&r->key[0]);
}

void
tls_ticket_wipe(struct tls_ticket_ring *r)
{
	mem_wipe(r, sizeof *r);
}

const struct tls_ticket_key *
tls_ticket_find(const struct tls_ticket_ring *r, const uint8_t name[static 16], size_t *at)
{
	for (*at = 0; *at < TLS_TICKET_KEYS; ++*at)
		if (memcmp(r->key[*at].name, name, sizeof r->key[*at].name) == 0)
			return &r->key[*at];
	return NULL;
}
