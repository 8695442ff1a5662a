/* mark.c - recipients that somebody works on. */
#include "mark.h"

#include <stdlib.h>
#include <string.h>

#include <postern/core/be.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "lane.h"

struct mark {
	char *destination; /* whose lane passed by; NULL: none did */
	uint64_t source;
	struct ledger_place place;
};

enum { NAME = sizeof(struct id) + 4 };

static struct str
name_of(struct ledger_key k, char out[static NAME])
{
	memcpy(out, k.qid.b, sizeof k.qid.b);
	be_store((uint8_t *)out + sizeof k.qid.b, 4, k.number);
	return str_from(out, NAME);
}

static struct mark *
find(const struct queue *q, struct ledger_key k)
{
	char name[NAME];

	return map_get(&q->marks, name_of(k, name));
}

bool
mark_has(const struct queue *q, struct ledger_key k)
{
	return find(q, k) != NULL;
}

void
mark_take(struct queue *q, struct ledger_key k)
{
	char name[NAME];

	ASSERT(map_put(&q->marks, name_of(k, name), NEW(struct mark)) == NULL);
}

void
mark_pass(struct queue *q, struct str destination, uint64_t source, const struct ledger_place *place)
{
	struct mark *m = find(q, place->key);

	free(m->destination); /* a recipient stands in one place: it left the one before */
	m->destination = mem_cstr(destination);
	m->source = source;
	m->place = *place;
}

static void
free_mark(struct mark *m)
{
	free(m->destination);
	free(m);
}

void
mark_free(struct queue *q, struct ledger_key k)
{
	char name[NAME];
	struct mark *m = map_del(&q->marks, name_of(k, name));

	if (m->destination != NULL)
		lane_note(q, str_of(m->destination), m->source, &m->place);
	free_mark(m);
}

void
mark_free_all(struct queue *q)
{
	size_t at = 0;
	struct str name;
	void *m;

	while (map_next(&q->marks, &at, &name, &m))
		free_mark(m);
	map_fini(&q->marks);
}
