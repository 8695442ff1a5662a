/* context_tell.c - ADDTO and REMOVEFROM (RFC 5267 4.3.2 to 4.3.4).
 *
 * Results of SEARCH are in the order of the mailbox: their position is told as 0. Those of SORT have positions, which the
 * client counts as it goes through the pairs: going and coming are told from the front, so that what stands before is
 * settled. */
#include "context.h"

#include <stdlib.h>

#include "numbers.h"

struct place {
	uint32_t position; /* in the list with all of them */
	uint32_t number;   /* as the client knows the message */
};

static void
begin_line(struct imap_session *s, const struct context *x, const char *item)
{
	buf_add_cstr(&s->out, "* ESEARCH (TAG ");
	out_quoted(&s->out, context_tag(x));
	buf_add(&s->out, x->search->correlator);
	buf_addf(&s->out, ")%s %s (", x->run.uid ? " UID" : "", item);
}

static void
end_line(struct imap_session *s)
{
	buf_add_cstr(&s->out, ")\r\n");
}

/* --- in the order of the mailbox --- */

/* Takes the first ranges away. */
static void
take_some(struct uidset *from, struct uidset *some)
{
	size_t n = from->n < CONTEXT_CHUNK ? from->n : CONTEXT_CHUNK;

	for (size_t i = 0; i < n; i++)
		uidset_add(some, from->p[i].first, from->p[i].last);
	uidset_remove_set(from, some);
}

static void
tell_set(struct imap_session *s, const struct context *x, const struct uidset *uids, const char *item)
{
	struct uidset seqs;

	uidset_init(&seqs);
	if (!x->run.uid)
		view_seqs(&s->box->view, uids, &seqs);
	begin_line(s, x, item);
	buf_add_cstr(&s->out, "0 ");
	uidset_write(x->run.uid ? uids : &seqs, &s->out);
	end_line(s);
	uidset_fini(&seqs);
}

/* --- sorted --- */

static int
place_order(const void *a, const void *b)
{
	const struct place *x = a;
	const struct place *y = b;

	return (x->position > y->position) - (x->position < y->position);
}

/* The places of up to CONTEXT_CHUNK UIDs, from the front; UIDs without one are left out. */
static size_t
find_places(const struct imap_session *s, const struct context *x, const struct uidset *uids, struct place *place)
{
	size_t n = 0;

	for (uint32_t uid = uidset_first(uids); uid != 0 && n < CONTEXT_CHUNK;) {
		place[n].position = rank_position(&x->rank, uid);
		place[n].number = x->run.uid ? uid : view_seq(&s->box->view, uid);
		n += place[n].position != 0;
		uid = uid < UINT32_MAX ? uidset_next(uids, uid + 1) : 0;
	}
	qsort(place, n, sizeof(*place), place_order);
	return n;
}

static void
write_numbers(struct imap_session *s, const struct numbers *set)
{
	for (size_t i = 0; i < set->n; i++) {
		buf_addf(&s->out, i > 0 ? ",%u" : " %u", set->p[i].first);
		if (set->p[i].last != set->p[i].first)
			buf_addf(&s->out, ":%u", set->p[i].last);
	}
}

/* Those that stand side by side make one pair: its end. */
static size_t
write_pair(struct imap_session *s, const struct place *place, size_t at, size_t n, uint32_t position)
{
	struct numbers set = { 0 };
	size_t end = at;

	do
		numbers_add(&set, place[end].number, place[end].number);
	while (++end < n && place[end].position == place[end - 1].position + 1);
	buf_addf(&s->out, at > 0 ? " %u" : "%u", position);
	write_numbers(s, &set);
	numbers_fini(&set);
	return end;
}

/* gone: those before have been taken away when the client comes to a pair. */
static void
tell_places(struct imap_session *s, const struct context *x, const struct place *place, size_t n, bool gone)
{
	if (n == 0)
		return;
	begin_line(s, x, gone ? "REMOVEFROM" : "ADDTO");
	for (size_t at = 0; at < n;)
		at = write_pair(s, place, at, n, place[at].position - (gone ? (uint32_t)at : 0));
	end_line(s);
}

static void
tell_sorted_leaving(struct imap_session *s, struct context *x)
{
	struct place place[CONTEXT_CHUNK];
	uint32_t uid = uidset_first(&x->leaving);
	uint32_t last = uid;

	tell_places(s, x, place, find_places(s, x, &x->leaving, place), true);
	for (unsigned n = 0; n < CONTEXT_CHUNK && uid != 0; n++) {
		rank_remove(&x->rank, uid);
		last = uid;
		uid = uid < UINT32_MAX ? uidset_next(&x->leaving, uid + 1) : 0;
	}
	uidset_remove(&x->leaving, 1, last);
}

void
context_tell_leaving(struct imap_session *s, struct context *x)
{
	struct uidset some;

	if (x->sorted) {
		tell_sorted_leaving(s, x);
		return;
	}
	uidset_init(&some);
	take_some(&x->leaving, &some);
	tell_set(s, x, &some, "REMOVEFROM");
	marks_remove_set(&x->marks, &some);
	uidset_fini(&some);
}

void
context_tell_coming(struct imap_session *s, struct context *x)
{
	struct place place[CONTEXT_CHUNK];
	struct uidset some;

	if (x->sorted) {
		tell_places(s, x, place, find_places(s, x, &x->placing, place), false);
		uidset_clear(&x->placing);
		return;
	}
	uidset_init(&some);
	take_some(&x->coming, &some);
	tell_set(s, x, &some, "ADDTO");
	marks_add_set(&x->marks, &some);
	uidset_fini(&some);
}
