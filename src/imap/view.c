/* view.c - the table of runs behind sequence numbers. Every look-up is a binary search; removal rebuilds the table in
 * one pass. */
#include "view.h"

#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

void
view_fini(struct view *v)
{
	free(v->run);
	*v = (struct view){ 0 };
}

static uint32_t
run_length(const struct view *v, size_t i)
{
	return (i + 1 < v->n ? v->run[i + 1].seq : v->count + 1) - v->run[i].seq;
}

uint32_t
view_last_uid(const struct view *v)
{
	return v->n > 0 ? v->run[v->n - 1].uid + run_length(v, v->n - 1) - 1 : 0;
}

uint32_t
view_next_uid(const struct view *v)
{
	return view_last_uid(v) < UINT32_MAX ? view_last_uid(v) + 1 : 0;
}

void
view_append(struct view *v, uint32_t lo, uint32_t hi)
{
	ASSERT(lo > view_last_uid(v) && hi >= lo);
	if (v->n == 0 || view_last_uid(v) + 1 != lo) {
		if (v->n == v->cap) {
			v->cap += v->cap / 2 + 2;
			v->run = mem_resize(v->run, v->cap * sizeof(*v->run));
		}
		v->run[v->n++] = (struct view_run){ .uid = lo, .seq = v->count + 1 };
	}
	v->count += hi - lo + 1;
}

enum run_key { BY_SEQ, BY_UID };

/* Index of the last run that begins at or before the number; v->n when there is none. */
static size_t
find_run(const struct view *v, uint32_t number, enum run_key key)
{
	size_t from = 0;
	size_t to = v->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if ((key == BY_UID ? v->run[mid].uid : v->run[mid].seq) <= number)
			from = mid + 1;
		else
			to = mid;
	}
	return from > 0 ? from - 1 : v->n;
}

uint32_t
view_uid(const struct view *v, uint32_t seq)
{
	size_t i = find_run(v, seq, BY_SEQ);

	return seq > v->count || i == v->n ? 0 : v->run[i].uid + (seq - v->run[i].seq);
}

uint32_t
view_run_left(const struct view *v, uint32_t seq)
{
	size_t i = find_run(v, seq, BY_SEQ);

	return seq > v->count || i == v->n ? 0 : v->run[i].seq + run_length(v, i) - seq;
}

uint32_t
view_seq_from(const struct view *v, uint32_t uid)
{
	size_t i = find_run(v, uid, BY_UID);

	if (i == v->n)
		return 1;
	if (uid - v->run[i].uid < run_length(v, i))
		return v->run[i].seq + (uid - v->run[i].uid);
	return v->run[i].seq + run_length(v, i);
}

uint32_t
view_seq(const struct view *v, uint32_t uid)
{
	uint32_t seq = view_seq_from(v, uid);

	return uid != 0 && view_uid(v, seq) == uid ? seq : 0;
}

/* Adds the sequence numbers of the UIDs lo..hi that are in the view. */
static void
add_seqs(const struct view *v, uint32_t lo, uint32_t hi, struct uidset *seqs)
{
	uint32_t from = view_seq_from(v, lo);
	uint32_t to = hi == UINT32_MAX ? v->count + 1 : view_seq_from(v, hi + 1);

	if (from < to)
		uidset_add(seqs, from, to - 1);
}

void
view_seqs(const struct view *v, const struct uidset *uids, struct uidset *seqs)
{
	for (size_t i = 0; i < uids->n; i++)
		add_seqs(v, uids->p[i].first, uids->p[i].last, seqs);
}

/* Adds the UIDs of the sequence numbers first..last. */
static void
add_uids(const struct view *v, uint32_t first, uint32_t last, struct uidset *uids)
{
	for (size_t i = find_run(v, first, BY_SEQ); i < v->n && first <= last; i++) {
		uint32_t skip = first - v->run[i].seq;
		uint32_t n = run_length(v, i) - skip;

		if (n > last - first + 1)
			n = last - first + 1;
		uidset_add(uids, v->run[i].uid + skip, v->run[i].uid + skip + n - 1);
		first += n;
	}
}

void
view_uids(const struct view *v, const struct uidset *seqs, struct uidset *uids)
{
	for (size_t i = 0; i < seqs->n; i++)
		add_uids(v, seqs->p[i].first, seqs->p[i].last, uids);
}

/* The UIDs of all messages but those with the sequence numbers in gone. */
static void
add_others(const struct view *v, const struct uidset *gone, struct uidset *uids)
{
	uint32_t next = 1;

	for (size_t i = 0; i < gone->n; i++) {
		if (gone->p[i].first > next)
			add_uids(v, next, gone->p[i].first - 1, uids);
		next = gone->p[i].last + 1;
	}
	if (next <= v->count)
		add_uids(v, next, v->count, uids);
}

void
view_remove(struct view *v, const struct uidset *uids, struct uidset *gone)
{
	struct uidset kept;

	uidset_clear(gone);
	view_seqs(v, uids, gone);
	uidset_init(&kept);
	add_others(v, gone, &kept);
	view_fini(v);
	for (size_t i = 0; i < kept.n; i++)
		view_append(v, kept.p[i].first, kept.p[i].last);
	uidset_fini(&kept);
}

static int
range_order(const void *a, const void *b)
{
	const struct seq_range *x = a;
	const struct seq_range *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* A range with "*" resolved and its ends in order. "559:*" holds the last message even if that is 500 (RFC 9051
 * 6.4.9). */
static struct seq_range
resolve(struct seq_range r, uint32_t star)
{
	uint32_t a = r.lo != 0 ? r.lo : star;
	uint32_t b = r.hi != 0 ? r.hi : star;

	return (struct seq_range){ a < b ? a : b, a < b ? b : a };
}

/* Sorted first: adding to a uidset in order is cheap, and a client may send its numbers in any. */
static struct seq_range *
resolve_sorted(const struct seq_set *set, uint32_t star)
{
	struct seq_range *r = mem_array(set->n, sizeof(*r));

	for (size_t i = 0; i < set->n; i++)
		r[i] = resolve(set->r[i], star);
	if (set->n > 1)
		qsort(r, set->n, sizeof(*r), range_order);
	return r;
}

static void
add_numbers(const struct view *v, struct seq_range r, struct uidset *out)
{
	uint32_t lo = r.lo > 0 ? r.lo : 1;
	uint32_t hi = r.hi < v->count ? r.hi : v->count;

	if (lo <= hi)
		uidset_add(out, lo, hi);
}

bool
view_apply(const struct view *v, const struct seq_set *set, enum seq_kind kind, const struct uidset *saved,
	struct uidset *out)
{
	struct seq_range *r = resolve_sorted(set, kind == SEQ_UIDS ? view_last_uid(v) : v->count);
	bool ok = true;

	for (size_t i = 0; i < set->n && ok; i++) {
		bool there = r[i].lo > 0 && r[i].hi <= v->count;

		ok = kind != SEQ_NUMBERS || there;
		if (kind == SEQ_UIDS)
			add_seqs(v, r[i].lo, r[i].hi, out);
		else
			add_numbers(v, r[i], out);
	}
	if (ok && set->saved)
		view_seqs(v, saved, out);
	free(r);
	return ok;
}

void
view_named_uids(const struct seq_set *set, const struct uidset *saved, struct uidset *out)
{
	struct seq_range *r = resolve_sorted(set, UINT32_MAX);

	for (size_t i = 0; i < set->n; i++)
		uidset_add(out, r[i].lo, r[i].hi);
	if (set->saved)
		uidset_add_set(out, saved);
	free(r);
}
