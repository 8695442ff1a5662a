/* boxmem.c - remembered views, the latest used first. A mailbox is known by its id (RFC 8474), which no other ever has. */
#include "boxmem.h"

#include <stdlib.h>
#include <string.h>

#include <postern/core/map.h>
#include <postern/core/mem.h>

struct memory {
	struct memory *newer;
	struct memory *older;
	struct id id;
	uint32_t uidvalidity;
	uint64_t modseq;
	uint32_t unseen;
	uint32_t count;
	size_t n;
	struct view_run run[];
};

static struct {
	struct map by_id;
	struct memory *newest;
	struct memory *oldest;
	size_t bytes;
} all;

static struct str
key_of(const struct id *id)
{
	return str_from(id->b, sizeof(id->b));
}

static size_t
size_of(const struct memory *m)
{
	return sizeof(*m) + m->n * sizeof(*m->run);
}

static void
forget(struct memory *m)
{
	*(m->newer != NULL ? &m->newer->older : &all.newest) = m->older;
	*(m->older != NULL ? &m->older->newer : &all.oldest) = m->newer;
	all.bytes -= size_of(m);
	map_del(&all.by_id, key_of(&m->id));
	free(m);
}

static void
remember(struct memory *m)
{
	m->older = all.newest;
	*(all.newest != NULL ? &all.newest->newer : &all.oldest) = m;
	all.newest = m;
	all.bytes += size_of(m);
	map_put(&all.by_id, key_of(&m->id), m);
	while (all.bytes > BOXMEM_BYTES_MAX)
		forget(all.oldest);
}

void
boxmem_keep(const struct store_mailbox *box, uint64_t modseq, const struct view *view, uint32_t unseen)
{
	struct memory *m = map_get(&all.by_id, key_of(&box->id));
	size_t runs = view->n * sizeof(*view->run);

	if (m != NULL)
		forget(m);
	m = mem_new(sizeof(*m) + runs);
	*m = (struct memory){ .id = box->id, .uidvalidity = box->uidvalidity, .modseq = modseq, .unseen = unseen,
		.count = view->count, .n = view->n };
	if (runs > 0)
		memcpy(m->run, view->run, runs);
	remember(m);
}

static void
copy_runs(const struct memory *m, struct view *view)
{
	*view = (struct view){ .run = mem_array(m->n + 1, sizeof(*view->run)), .n = m->n, .cap = m->n + 1, .count = m->count };
	if (m->n > 0)
		memcpy(view->run, m->run, m->n * sizeof(*m->run));
}

/* New messages are behind the last one that was there. */
static void
take_changes(struct view *view, const struct store_changes *c, uint32_t uidnext)
{
	struct uidset seqs;

	uidset_init(&seqs);
	if (!uidset_empty(&c->gone))
		view_remove(view, &c->gone, &seqs);
	uidset_fini(&seqs);
	for (size_t i = 0; i < c->changed.n && uidnext != 0; i++) {
		uint32_t first = c->changed.p[i].first < uidnext ? uidnext : c->changed.p[i].first;

		if (first <= c->changed.p[i].last)
			view_append(view, first, c->changed.p[i].last);
	}
}

static bool
is_unseen(struct store_view *v, uint32_t mailbox, uint32_t uid)
{
	struct store_message m;

	return store_message(v, mailbox, uid, &m) && !(m.flags & STORE_SEEN);
}

static uint32_t
scan_unseen(struct store_view *v, uint32_t mailbox, uint32_t from)
{
	struct store_message m;
	struct store_scan scan;
	bool found = false;

	store_scan_open(&scan, v, mailbox, from);
	while (!found && store_scan_next(&scan, &m))
		found = !(m.flags & STORE_SEEN);
	store_scan_close(&scan);
	return found ? m.uid : 0;
}

/* The first of what changed below the one that was the first, or that one, or the next behind it. */
static uint32_t
first_unseen(struct store_view *v, const struct store_mailbox *box, uint32_t before, const struct store_changes *c)
{
	if (box->unseen == 0)
		return 0;
	if (before == BOXMEM_UNKNOWN)
		return BOXMEM_UNKNOWN;
	if (uidset_count(&c->changed) > BOXMEM_CHANGES_MAX)
		return scan_unseen(v, box->number, 1);
	for (uint32_t uid = uidset_next(&c->changed, 1); uid != 0 && (before == 0 || uid < before);
	     uid = uidset_next(&c->changed, uid + 1))
		if (is_unseen(v, box->number, uid))
			return uid;
	return scan_unseen(v, box->number, before);
}

static bool
recall(struct store_view *v, const struct store_mailbox *box, const struct memory *m, struct view *view, uint32_t *unseen)
{
	struct store_changes c;
	bool ok;

	uidset_init(&c.changed);
	uidset_init(&c.gone);
	ok = store_changes(v, box->number, m->modseq, &c);
	if (ok) {
		copy_runs(m, view);
		take_changes(view, &c, view_next_uid(view));
		*unseen = first_unseen(v, box, m->unseen, &c);
	}
	uidset_fini(&c.changed);
	uidset_fini(&c.gone);
	return ok;
}

/* More messages than the mailbox has would mean that a UID was missed; then the index is walked. */
bool
boxmem_recall(struct store_view *v, const struct store_mailbox *box, struct view *view, uint32_t *unseen)
{
	const struct memory *m = map_get(&all.by_id, key_of(&box->id));

	if (m == NULL || m->uidvalidity != box->uidvalidity || m->modseq > box->highestmodseq)
		return false;
	if (recall(v, box, m, view, unseen) && view->count == box->messages)
		return true;
	view_fini(view);
	return false;
}

size_t
boxmem_bytes(void)
{
	return all.bytes;
}

void
boxmem_forget(void)
{
	while (all.newest != NULL)
		forget(all.newest);
	map_fini(&all.by_id);
	map_init(&all.by_id);
}
