/* boxmem.c - remembered views. A mailbox is known by its id (RFC 8474), which no other ever has. */
#include "boxmem.h"

#include <string.h>

#include <postern/core/mem.h>

#include "memo.h"

struct memory {
	uint32_t uidvalidity;
	uint32_t unseen;
	uint64_t modseq;
	uint32_t count;
	struct view_run run[];
};

static struct memo boxes = { .max = BOXMEM_BYTES_MAX };

static struct str
key_of(const struct store_mailbox *box)
{
	return str_from(box->id.b, sizeof(box->id.b));
}

void
boxmem_keep(const struct store_mailbox *box, uint64_t modseq, const struct view *view, uint32_t unseen)
{
	size_t runs = view->n * sizeof(*view->run);
	struct memory *m = memo_put(&boxes, key_of(box), sizeof(*m) + runs);

	if (m == NULL)
		return;
	*m = (struct memory){ .uidvalidity = box->uidvalidity, .unseen = unseen, .modseq = modseq, .count = view->count };
	if (runs > 0)
		memcpy(m->run, view->run, runs);
}

static void
copy_runs(const struct memory *m, size_t n, struct view *view)
{
	*view = (struct view){ .run = mem_array(n + 1, sizeof(*view->run)), .n = n, .cap = n + 1, .count = m->count };
	if (n > 0)
		memcpy(view->run, m->run, n * sizeof(*m->run));
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
	size_t size;
	const struct memory *m = memo_get(&boxes, key_of(box), &size);

	if (m == NULL || m->uidvalidity != box->uidvalidity || m->modseq > box->highestmodseq)
		return false;
	copy_runs(m, (size - sizeof(*m)) / sizeof(*m->run), view);
	if (recall(v, box, m, view, unseen) && view->count == box->messages)
		return true;
	view_fini(view);
	*unseen = BOXMEM_UNKNOWN;
	return false;
}

size_t
boxmem_bytes(void)
{
	return boxes.bytes;
}

void
boxmem_forget(void)
{
	memo_clear(&boxes);
}
