/* marks.c - UIDs in buckets of ranges. */
#include "marks.h"

#include <stdlib.h>

#include <postern/core/mem.h>

enum { BUCKET_BITS = 14 };

void
marks_fini(struct marks *m)
{
	for (size_t i = 0; i < m->n; i++)
		uidset_fini(&m->bucket[i].set);
	free(m->bucket);
	*m = (struct marks){ 0 };
}

/* Index of the first bucket with this number or a higher one. */
static size_t
find(const struct marks *m, uint32_t number)
{
	size_t low = 0;
	size_t high = m->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->bucket[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct uidset *
bucket_of(const struct marks *m, uint32_t number)
{
	size_t at = find(m, number);

	return at < m->n && m->bucket[at].number == number ? &m->bucket[at].set : NULL;
}

static struct uidset *
make_bucket(struct marks *m, uint32_t number)
{
	size_t at = find(m, number);

	if (at < m->n && m->bucket[at].number == number)
		return &m->bucket[at].set;
	if (m->n == m->cap) {
		m->cap += m->cap / 2 + 4;
		m->bucket = mem_resize(m->bucket, m->cap * sizeof(*m->bucket));
	}
	memmove(m->bucket + at + 1, m->bucket + at, (m->n - at) * sizeof(*m->bucket));
	m->bucket[at] = (struct marks_bucket){ .number = number };
	m->n++;
	return &m->bucket[at].set;
}

static void
drop_bucket(struct marks *m, size_t at)
{
	uidset_fini(&m->bucket[at].set);
	m->n--;
	memmove(m->bucket + at, m->bucket + at + 1, (m->n - at) * sizeof(*m->bucket));
}

bool
marks_has(const struct marks *m, uint32_t uid)
{
	const struct uidset *set = bucket_of(m, uid >> BUCKET_BITS);

	return set != NULL && uidset_has(set, uid);
}

uint32_t
marks_next(const struct marks *m, uint32_t uid)
{
	size_t at = find(m, uid >> BUCKET_BITS);
	uint32_t next = at < m->n ? uidset_next(&m->bucket[at].set, uid) : 0;

	if (next != 0 || at + 1 >= m->n)
		return next;
	return uidset_first(&m->bucket[at + 1].set);
}

/* The part of a range that lies in the bucket of its first UID. */
static struct uid_range
part_of(uint32_t first, uint32_t last)
{
	uint32_t end = first | ((1u << BUCKET_BITS) - 1);

	return (struct uid_range){ first, last < end ? last : end };
}

void
marks_add_set(struct marks *m, const struct uidset *set)
{
	for (size_t i = 0; i < set->n; i++) {
		struct uid_range part = part_of(set->p[i].first, set->p[i].last);

		for (;; part = part_of(part.last + 1, set->p[i].last)) {
			uidset_add(make_bucket(m, part.first >> BUCKET_BITS), part.first, part.last);
			if (part.last == set->p[i].last)
				break;
		}
	}
}

/* Only buckets that are there are visited: a range may be as wide as it likes. */
static void
remove_range(struct marks *m, struct uid_range r)
{
	size_t at = find(m, r.first >> BUCKET_BITS);

	while (at < m->n && m->bucket[at].number <= r.last >> BUCKET_BITS) {
		uidset_remove(&m->bucket[at].set, r.first, r.last);
		if (uidset_empty(&m->bucket[at].set))
			drop_bucket(m, at);
		else
			at++;
	}
}

void
marks_remove_set(struct marks *m, const struct uidset *set)
{
	for (size_t i = 0; i < set->n; i++)
		remove_range(m, set->p[i]);
}

/* The members of one bucket among some ranges. */
static void
add_common(const struct uidset *bucket, struct uid_range *ranges, size_t n, struct uidset *common)
{
	const struct uidset part = { .p = ranges, .n = n };
	struct uidset members;

	uidset_init(&members);
	uidset_copy(&members, bucket);
	uidset_keep_set(&members, &part);
	uidset_add_set(common, &members);
	uidset_fini(&members);
}

static size_t
ranges_below(const struct uidset *set, size_t from, uint32_t number)
{
	while (from < set->n && set->p[from].first >> BUCKET_BITS <= number)
		from++;
	return from;
}

void
marks_common(const struct marks *m, const struct uidset *set, struct uidset *common)
{
	size_t at = 0;
	size_t i = 0;

	while (i < set->n && at < m->n) {
		const struct marks_bucket *b = &m->bucket[at];
		size_t end;

		if (set->p[i].last >> BUCKET_BITS < b->number) {
			i++;
		} else if (set->p[i].first >> BUCKET_BITS > b->number) {
			at = find(m, set->p[i].first >> BUCKET_BITS);
		} else {
			end = ranges_below(set, i, b->number);
			add_common(&b->set, set->p + i, end - i, common);
			i = end - 1; /* the last of them may go on */
			at++;
		}
	}
}
