/* threadid.c - 128 bits of BLAKE2b of the first Message-ID. */
#include "threadid.h"

#include <sodium.h>

#include "msgid.h"

static struct id
hash(char kind, struct str s)
{
	crypto_generichash_state h;
	struct id id;

	crypto_generichash_init(&h, NULL, 0, sizeof(id));
	crypto_generichash_update(&h, (const unsigned char *)&kind, 1);
	crypto_generichash_update(&h, (const unsigned char *)s.p, s.n);
	crypto_generichash_final(&h, (unsigned char *)&id, sizeof(id));
	return id;
}

struct id
threadid_of(const struct mime_envelope *e, struct id email)
{
	const struct str fields[] = { e->references, e->in_reply_to, e->message_id };
	struct id id = hash('m', str_from((const char *)&email, sizeof(email)));
	struct buf first;

	buf_init(&first, SIZE_MAX);
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		struct str rest = fields[i];

		if (rest.p != NULL && msgid_next(&rest, &first)) {
			id = hash('i', buf_str(&first));
			break;
		}
	}
	buf_fini(&first);
	return id;
}
