/* cacheread.c - cache rows and keys in a snapshot: of one message, or of one after another. */
#include "view.h"

bool
store_cache(struct store_view *v, uint32_t mailbox, uint32_t uid, struct str *row)
{
	struct key k = key_message(mailbox, uid);
	MDB_val value;

	if (!snap_get(&v->s, T_CACHE, key_val(&k), &value))
		return false;
	*row = val_str(value);
	return true;
}

void
store_rows_open(struct store_rows_walk *w, struct store_view *v, uint32_t mailbox, enum store_rows which)
{
	*w = (struct store_rows_walk){ snap_cursor(&v->s, which == STORE_KEYS ? T_KEYS : T_CACHE), v, mailbox, 0 };
}

bool
store_rows_find(struct store_rows_walk *w, uint32_t uid, struct str *row)
{
	struct key k = key_message(w->mailbox, uid);
	MDB_val key = key_val(&k), value;
	uint32_t at;

	if (w->at == 0 || uid != w->at + 1 || !snap_step(&w->view->s, w->cursor, &key, &value, MDB_NEXT)
	    || !key_uid(key, w->mailbox, &at) || at != uid) {
		key = key_val(&k);
		w->at = 0;
		if (!snap_step(&w->view->s, w->cursor, &key, &value, MDB_SET_KEY))
			return false;
	}
	w->at = uid;
	*row = val_str(value);
	return true;
}

void
store_rows_close(struct store_rows_walk *w)
{
	cursor_close(w->cursor);
	w->cursor = NULL;
}
