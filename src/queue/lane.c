/* lane.c - which lane has mail that is due. */
#include "lane.h"

#include <stdlib.h>

#include <postern/core/be.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "step.h"

enum { SLICE = 500 /* lanes taken up in one turn of the loop */ };

struct lane_name {
	size_t n;
	char b[QUEUE_DESTINATION_SIZE + 8];
};

static struct lane_name
name_of(struct str destination, uint64_t source)
{
	struct lane_name name = { .n = destination.n + 9 };

	ASSERT(destination.n < QUEUE_DESTINATION_SIZE);
	memcpy(name.b, destination.p, destination.n);
	be_store((uint8_t *)name.b + destination.n + 1, 8, source);
	return name;
}

static struct lane *
get_lane(struct queue *q, struct str destination, uint64_t source)
{
	struct lane_name name = name_of(destination, source);
	struct lane *lane = map_get(&q->lanes, str_from(name.b, name.n));

	if (lane != NULL)
		return lane;
	lane = NEW(struct lane);
	lane->destination = destination_get(q, destination);
	lane->destination->lanes++;
	lane->source = source;
	map_put(&q->lanes, str_from(name.b, name.n), lane);
	return lane;
}

static void
set_ready(struct lane *lane, bool ready)
{
	struct destination *d = lane->destination;

	if (ready && !lane->ready)
		TAILQ_INSERT_TAIL(&d->ready, lane, entry);
	if (!ready && lane->ready)
		TAILQ_REMOVE(&d->ready, lane, entry);
	lane->ready = ready;
}

static void
lane_free(struct lane *lane)
{
	struct destination *d = lane->destination;
	struct lane_name name = name_of(str_of(d->name), lane->source);

	set_ready(lane, false);
	heap_take(&d->q->waiting, &lane->waits);
	map_del(&d->q->lanes, str_from(name.b, name.n));
	d->lanes--;
	free(lane);
}

void
lane_free_all(struct queue *q)
{
	size_t at = 0;
	struct str name;
	void *lane;

	while (map_next(&q->lanes, &at, &name, &lane))
		free(lane);
	map_fini(&q->lanes);
}

/* --- what comes --------------------------------------------------------------------------------------------------- */

static bool
before(const struct ledger_place *a, const struct ledger_place *b)
{
	int order;

	if (a->next_try.us != b->next_try.us)
		return a->next_try.us < b->next_try.us;
	order = memcmp(a->key.qid.b, b->key.qid.b, sizeof a->key.qid.b);
	return order != 0 ? order < 0 : a->key.number < b->key.number;
}

void
lane_note(struct queue *q, struct str destination, uint64_t source, const struct ledger_place *place)
{
	struct lane *lane = get_lane(q, destination, source);

	if (before(place, &lane->mark))
		lane->mark = *place;
	if (!lane->ready && (lane->waits.slot == 0 || lane->waits.at > place->next_try.us))
		heap_put(&q->waiting, &lane->waits, place->next_try.us);
}

void
lane_touched(void *queue, struct str places)
{
	struct ledger_lane lane;
	struct ledger_place place;

	while (ledger_take_touched(&places, &lane, &place))
		lane_note(queue, str_of(lane.destination), lane.source, &place);
}

static void
load(struct queue *q, const struct ledger_place *first)
{
	step_check_place(q, first->next_try);
	lane_note(q, str_of(q->loaded.destination), q->loaded.source, first);
}

bool
lane_load_slice(struct queue *q)
{
	MDB_txn *t = ledger_read(&q->ledger);
	struct ledger_place first;
	bool more = t != NULL;

	for (unsigned n = 0; more && n < SLICE; n++) {
		more = ledger_next_lane(&q->ledger, t, &q->loaded, &first) == 0;
		if (more)
			load(q, &first);
	}
	if (t != NULL)
		mdb_txn_abort(t);
	return more;
}

/* --- what goes ---------------------------------------------------------------------------------------------------- */

void
lane_rearrange(struct lane *lane, MDB_txn *t)
{
	struct destination *d = lane->destination;
	struct ledger_place next = lane->mark;

	set_ready(lane, false);
	if (ledger_next_place(&d->q->ledger, t, str_of(d->name), lane->source, &next) != 0)
		lane_free(lane);
	else if (next.next_try.us > wall_now().us)
		heap_put(&d->q->waiting, &lane->waits, next.next_try.us);
	else
		set_ready(lane, true); /* behind the others */
}

void
lane_wake_due(struct queue *q)
{
	int64_t now = wall_now().us;
	struct heap_node *first;

	while ((first = heap_first(&q->waiting)) != NULL && first->at <= now) {
		struct lane *lane = HEAP_OWNER(first, struct lane, waits);

		heap_take(&q->waiting, first);
		set_ready(lane, true);
		destination_arrange(lane->destination);
	}
	while ((first = heap_first(&q->resting)) != NULL && first->at <= now)
		destination_arrange(HEAP_OWNER(first, struct destination, rests));
}

int64_t
lane_next_due(const struct queue *q)
{
	const struct heap_node *lane = heap_first(&q->waiting);
	const struct heap_node *rest = heap_first(&q->resting);
	int64_t due = lane != NULL ? lane->at : INT64_MAX;

	return rest != NULL && rest->at < due ? rest->at : due;
}
