/* sortmem.c - orders by mailbox and criteria. A mailbox is known by its id (RFC 8474), which no other ever has, and its UIDVALIDITY. */
#include "sortmem.h"

#include <string.h>

#include <postern/core/mem.h>

#include "memo.h"
#include "sort.h"

static struct memo orders = { .max = SORTMEM_BYTES_MAX };

static void
write_key(struct buf *out, const struct sort *o, const struct store_mailbox *box)
{
	buf_add(out, str_from(box->id.b, sizeof(box->id.b)));
	buf_addf(out, "%u", box->uidvalidity);
	for (size_t i = 0; i < o->nby; i++) {
		buf_add_char(out, o->by[i].reverse ? '-' : '+');
		buf_add(out, o->by[i].row->name);
	}
}

/* Whether somebody else may have taken messages away that the view still has. */
static bool
is_as_seen(const struct sort *o, const struct store_mailbox *box)
{
	return box->highestmodseq == o->search.box->modseq && uidset_empty(&o->search.box->gone);
}

bool
sortmem_recall(struct sort *o, struct store_view *v)
{
	struct store_mailbox box;
	struct buf key;
	const void *uids;
	size_t n = 0;

	if (!store_mailbox(v, o->search.box->mailbox, &box) || !is_as_seen(o, &box))
		return false;
	buf_init(&key, SIZE_MAX);
	write_key(&key, o, &box);
	uids = memo_get(&orders, buf_str(&key), &n);
	buf_fini(&key);
	o->nuids = n / sizeof(*o->uids);
	if (uids == NULL || uidset_count(&o->search.found) < o->nuids / SORTMEM_PART)
		return false;
	o->uids = mem_array(o->nuids + 1, sizeof(*o->uids));
	memcpy(o->uids, uids, n);
	return true;
}

void
sortmem_keep(const struct sort *o, struct store_view *v)
{
	struct store_mailbox box;
	struct buf key;
	void *room;

	if (!store_mailbox(v, o->search.box->mailbox, &box))
		return;
	buf_init(&key, SIZE_MAX);
	write_key(&key, o, &box);
	room = memo_put(&orders, buf_str(&key), o->nuids * sizeof(*o->uids));
	if (room != NULL)
		memcpy(room, o->uids, o->nuids * sizeof(*o->uids));
	buf_fini(&key);
}

void
sortmem_forget(void)
{
	memo_clear(&orders);
}
