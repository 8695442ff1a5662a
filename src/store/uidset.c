/* uidset.c - sets of UIDs as sorted, disjoint, never adjacent ranges. */
#include <postern/store/uidset.h>

#include <stdlib.h>

#include <postern/core/mem.h>

void
uidset_init(struct uidset *s)
{
	*s = (struct uidset){ 0 };
}

void
uidset_fini(struct uidset *s)
{
	free(s->p);
	uidset_init(s);
}

void
uidset_clear(struct uidset *s)
{
	s->n = 0;
}

static void
make_room(struct uidset *s)
{
	if (s->n < s->cap)
		return;
	s->cap = s->cap == 0 ? 4 : s->cap * 2;
	s->p = mem_resize(s->p, s->cap * sizeof *s->p);
}

/* Index of the first range whose last UID is >= uid; s->n when there is none. */
static size_t
find(const struct uidset *s, uint32_t uid)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->p[mid].last < uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
insert(struct uidset *s, size_t at, struct uid_range r)
{
	make_room(s);
	memmove(s->p + at + 1, s->p + at, (s->n - at) * sizeof *s->p);
	s->p[at] = r;
	s->n++;
}

static void
cut(struct uidset *s, size_t at, size_t n)
{
	if (n == 0)
		return;
	memmove(s->p + at, s->p + at + n, (s->n - at - n) * sizeof *s->p);
	s->n -= n;
}

static struct uid_range
in_order(uint32_t a, uint32_t b)
{
	return a <= b ? (struct uid_range){ a, b } : (struct uid_range){ b, a };
}

void
uidset_add(struct uidset *s, uint32_t first, uint32_t last)
{
	struct uid_range r = in_order(first, last);
	size_t at, end;

	if (r.last == 0)
		return;
	if (r.first == 0)
		r.first = 1;
	if (s->n > 0 && r.first > s->p[s->n - 1].last && r.first - s->p[s->n - 1].last > 1)
		at = s->n;
	else
		at = find(s, r.first - 1); /* a range that ends just before touches */
	for (end = at; end < s->n && (r.last == UINT32_MAX || s->p[end].first <= r.last + 1); end++) {
		if (s->p[end].first < r.first)
			r.first = s->p[end].first;
		if (s->p[end].last > r.last)
			r.last = s->p[end].last;
	}
	if (end == at) {
		insert(s, at, r);
		return;
	}
	s->p[at] = r;
	cut(s, at + 1, end - at - 1);
}

/* Behind all that is there, not touching it. */
static void
append(struct uidset *s, uint32_t first, uint32_t last)
{
	make_room(s);
	s->p[s->n++] = (struct uid_range){ first, last };
}

void
uidset_collect(struct uidset *s, uint32_t first, uint32_t last)
{
	append(s, first, last);
}

static int
range_order(const void *a, const void *b)
{
	const struct uid_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

void
uidset_sort(struct uidset *s)
{
	size_t n = s->n;

	if (n > 1)
		qsort(s->p, n, sizeof *s->p, range_order);
	s->n = 0;
	for (size_t i = 0; i < n; i++) /* what is added has been read, for ranges only become fewer */
		uidset_add(s, s->p[i].first, s->p[i].last);
}

static void
replace(struct uidset *s, struct uidset *by)
{
	uidset_fini(s);
	*s = *by;
}

/* The range that begins first of two sets, and one step on in its set. */
static struct uid_range
next_of_two(const struct uidset *a, size_t *i, const struct uidset *b, size_t *j)
{
	if (*j == b->n || (*i < a->n && a->p[*i].first <= b->p[*j].first))
		return a->p[(*i)++];
	return b->p[(*j)++];
}

void
uidset_add_set(struct uidset *s, const struct uidset *other)
{
	struct uidset both;
	size_t i = 0, j = 0;

	uidset_init(&both);
	while (i < s->n || j < other->n) {
		struct uid_range r = next_of_two(s, &i, other, &j);

		uidset_add(&both, r.first, r.last);
	}
	replace(s, &both);
}

void
uidset_remove(struct uidset *s, uint32_t first, uint32_t last)
{
	struct uid_range r = in_order(first, last);
	size_t at = find(s, r.first), end = at;

	if (at < s->n && s->p[at].first < r.first) {
		struct uid_range head = { s->p[at].first, r.first - 1 };

		if (s->p[at].last > r.last) {
			s->p[at].first = r.last + 1;
			insert(s, at, head);
			return;
		}
		s->p[at] = head;
		end = ++at;
	}
	while (end < s->n && s->p[end].last <= r.last)
		end++;
	if (end < s->n && s->p[end].first <= r.last)
		s->p[end].first = r.last + 1;
	cut(s, at, end - at);
}

/* What of r no range of other from *at on holds; *at moves on to where the next r begins. */
static void
append_without(struct uidset *s, struct uid_range r, const struct uidset *other, size_t *at)
{
	while (*at < other->n && other->p[*at].last < r.first)
		(*at)++;
	for (; *at < other->n && other->p[*at].first <= r.last; (*at)++) {
		const struct uid_range *o = &other->p[*at];

		if (o->first > r.first)
			append(s, r.first, o->first - 1);
		if (o->last >= r.last)
			return;
		r.first = o->last + 1;
	}
	append(s, r.first, r.last);
}

void
uidset_remove_set(struct uidset *s, const struct uidset *other)
{
	struct uidset rest;
	size_t at = 0;

	uidset_init(&rest);
	for (size_t i = 0; i < s->n; i++)
		append_without(&rest, s->p[i], other, &at);
	replace(s, &rest);
}

void
uidset_keep_set(struct uidset *s, const struct uidset *other)
{
	struct uidset both;
	size_t i = 0, j = 0;

	uidset_init(&both);
	while (i < s->n && j < other->n) {
		struct uid_range a = s->p[i], b = other->p[j];
		uint32_t first = a.first > b.first ? a.first : b.first;
		uint32_t last = a.last < b.last ? a.last : b.last;

		if (first <= last)
			append(&both, first, last);
		if (a.last < b.last)
			i++;
		else
			j++;
	}
	replace(s, &both);
}

void
uidset_copy(struct uidset *to, const struct uidset *from)
{
	struct uidset copy;

	uidset_init(&copy);
	copy.n = copy.cap = from->n;
	if (from->n > 0) {
		copy.p = mem_array(from->n, sizeof *copy.p);
		memcpy(copy.p, from->p, from->n * sizeof *copy.p);
	}
	replace(to, &copy);
}

bool
uidset_has(const struct uidset *s, uint32_t uid)
{
	size_t at = find(s, uid);

	return at < s->n && s->p[at].first <= uid;
}

bool
uidset_empty(const struct uidset *s)
{
	return s->n == 0;
}

uint64_t
uidset_count(const struct uidset *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += (uint64_t)s->p[i].last - s->p[i].first + 1;
	return n;
}

uint32_t
uidset_first(const struct uidset *s)
{
	return s->n > 0 ? s->p[0].first : 0;
}

uint32_t
uidset_last(const struct uidset *s)
{
	return s->n > 0 ? s->p[s->n - 1].last : 0;
}

uint32_t
uidset_next(const struct uidset *s, uint32_t uid)
{
	size_t at;

	if (uid == 0) /* one behind the last UID there can be: the walk is over */
		return 0;
	at = find(s, uid);
	if (at == s->n)
		return 0;
	return s->p[at].first > uid ? s->p[at].first : uid;
}

void
uidset_write(const struct uidset *s, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		buf_add_u64(out, s->p[i].first);
		if (s->p[i].last == s->p[i].first)
			continue;
		buf_add_char(out, ':');
		buf_add_u64(out, s->p[i].last);
	}
}

static bool
parse_range(struct str text, struct uid_range *r)
{
	size_t colon = str_find(text, ':');
	uint64_t first, last;

	if (!str_u64(str_sub(text, 0, colon), UINT32_MAX, &first) || first == 0)
		return false;
	last = first;
	if (colon < text.n && (!str_u64(str_sub(text, colon + 1, text.n), UINT32_MAX, &last) || last == 0))
		return false;
	*r = in_order((uint32_t)first, (uint32_t)last);
	return true;
}

bool
uidset_parse(struct uidset *s, struct str text, size_t max)
{
	struct uidset found;
	struct uid_range r;
	struct str item;
	bool ok = text.n > 0 && text.p[text.n - 1] != ',';

	uidset_init(&found);
	for (size_t n = 0; ok && str_cut(&text, ',', &item); n++) {
		ok = n < max && parse_range(item, &r);
		if (ok)
			uidset_add(&found, r.first, r.last);
	}
	if (ok)
		uidset_add_set(s, &found);
	uidset_fini(&found);
	return ok;
}
