/* ledger_lane.c - queue.mdb: the lanes, in which recipients on other hosts wait, and the tables by destination.
 *
 * A key of the table lane is the destination's name, a zero byte, the source, the time of the next try, qid and number, so that
 * lanes lie one behind the other, each in the order of trying. */
#include "ledger_own.h"

#include <string.h>

#include <postern/core/log.h>

enum { KEY_PLACE = 28 }; /* time, qid, number */

/* --- keys --------------------------------------------------------------------------------------------------------- */

static struct lane_key
key_of(struct str destination, uint64_t source)
{
	struct lane_key key;

	ASSERT(destination.n < QUEUE_DESTINATION_SIZE);
	memcpy(key.b, destination.p, destination.n);
	key.b[destination.n] = 0;
	be_store(key.b + destination.n + 1, 8, source);
	key.n = destination.n + KEY_LANE_END - KEY_PLACE;
	return key;
}

static void
add_place(struct lane_key *key, struct wall next_try, struct ledger_key k)
{
	be_store(key->b + key->n, 8, (uint64_t)next_try.us);
	key_recipient(key->b + key->n + 8, k);
	key->n += KEY_PLACE;
}

struct lane_key
key_lane(struct ledger_key k, const struct row_recipient *r)
{
	struct lane_key key;

	if (!row_in_lane(r))
		return (struct lane_key){ 0 };
	key = key_of(r->destination, r->source);
	add_place(&key, r->next_try, k);
	return key;
}

static bool
parse(struct str bytes, struct ledger_lane *lane, struct ledger_place *place)
{
	size_t n = bytes.n - KEY_LANE_END;
	const uint8_t *p = (const uint8_t *)bytes.p;

	if (bytes.n <= KEY_LANE_END || n >= sizeof lane->destination || p[n] != 0)
		return false;
	memcpy(lane->destination, p, n + 1);
	lane->source = be_load(p + n + 1, 8);
	place->next_try.us = (int64_t)be_load(p + n + 9, 8);
	place->key = key_parse(p + n + 17);
	return true;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static struct str
str_val(MDB_val v)
{
	return str_from(v.mv_data, v.mv_size);
}

int
ledger_next_place(struct ledger *l, MDB_txn *t, struct str destination, uint64_t source, struct ledger_place *at)
{
	struct lane_key lane = key_of(destination, source);
	struct lane_key from = lane;
	struct ledger_lane found;
	MDB_val k, d;
	int rc;

	add_place(&from, at->next_try, at->key);
	k = val(from.b, from.n);
	rc = ledger_seek(t, l->lane, &k, &d);
	if (rc == 0 && !str_starts(str_val(k), str_from(lane.b, lane.n)))
		return MDB_NOTFOUND;
	return rc == 0 && !parse(str_val(k), &found, at) ? MDB_CORRUPTED : rc;
}

int
ledger_next_lane(struct ledger *l, MDB_txn *t, struct ledger_lane *lane, struct ledger_place *first)
{
	struct lane_key from = key_of(str_of(lane->destination), lane->source);
	MDB_val k, d;
	int rc;

	if (lane->source == UINT64_MAX) /* the next destination */
		from.b[strlen(lane->destination)] = 1;
	else
		be_store(from.b + from.n - 8, 8, lane->source + 1);
	k = val(from.b, from.n);
	rc = ledger_seek(t, l->lane, &k, &d);
	return rc == 0 && !parse(str_val(k), lane, first) ? MDB_CORRUPTED : rc;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Who schedules must hear of each new place: the loop's thread gets the list after the commit. */
static void
note(struct ledger *l, const struct lane_key *place)
{
	buf_add_str16(&l->touched, str_from(place->b, place->n));
}

bool
ledger_take_touched(struct str *touched, struct ledger_lane *lane, struct ledger_place *place)
{
	struct cur c = cur_init(*touched);
	struct str bytes = cur_str16(&c);

	if (bytes.n == 0)
		return false;
	ASSERT(parse(bytes, lane, place));
	*touched = cur_rest(&c);
	return true;
}

int
lane_move(struct ledger *l, MDB_txn *t, const struct lane_key *from, const struct lane_key *to)
{
	MDB_val old = val(from->b, from->n);
	MDB_val new = val(to->b, to->n);
	MDB_val nothing = { 0, NULL };
	int rc = 0;

	if (from->n == to->n && memcmp(from->b, to->b, to->n) == 0)
		return 0;
	if (from->n > 0)
		rc = mdb_del(t, l->lane, &old, NULL);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (to->n == 0)
		return 0;
	note(l, to);
	return mdb_put(t, l->lane, &new, &nothing, 0);
}

/* --- tables by destination ---------------------------------------------------------------------------------------- */

int
ledger_get_named(MDB_txn *t, MDB_dbi table, struct str name, struct str *value)
{
	MDB_val k = val(name.p, name.n);
	MDB_val d;
	int rc = mdb_get(t, table, &k, &d);

	if (rc == 0)
		*value = str_val(d);
	return rc;
}

int
ledger_put_named(MDB_txn *t, MDB_dbi table, struct str name, struct str value)
{
	MDB_val k = val(name.p, name.n);
	MDB_val d = val(value.p, value.n);
	int rc;

	if (value.n > 0)
		return mdb_put(t, table, &k, &d, 0);
	rc = mdb_del(t, table, &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
ledger_next_named(MDB_txn *t, MDB_dbi table, char *name, struct str *value)
{
	MDB_val k = val(name, strlen(name) + 1); /* the zero byte: right behind that name */
	MDB_val d;
	int rc = ledger_seek(t, table, &k, &d);

	if (rc != 0)
		return rc;
	if (k.mv_size >= QUEUE_DESTINATION_SIZE)
		return MDB_CORRUPTED;
	memcpy(name, k.mv_data, k.mv_size);
	name[k.mv_size] = '\0';
	*value = str_val(d);
	return 0;
}
