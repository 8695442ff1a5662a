/* recent.c - one number per mailbox that was selected. Bounded: when the table is full it starts anew, and what was
 * recent is not. */
#include "recent.h"

#include <stdlib.h>

#include <postern/core/buf.h>
#include <postern/core/map.h>
#include <postern/core/mem.h>

enum {
	RECENT_MAX = 65536,   /* mailboxes remembered */
	RECENT_KEY_MAX = 512, /* address and number */
};

static struct map table;

/* The row of the mailbox, made with this floor if there is none. */
static uint32_t *
find_row(struct str user, uint32_t mailbox, uint32_t floor)
{
	struct buf key;
	uint32_t *row;

	buf_init(&key, RECENT_KEY_MAX);
	buf_addf(&key, "%u ", mailbox);
	buf_add(&key, user);
	row = map_get(&table, buf_str(&key));
	if (row == NULL) {
		if (table.n >= RECENT_MAX)
			recent_forget();
		row = NEW(uint32_t);
		*row = floor;
		map_put(&table, buf_str(&key), row);
	}
	buf_fini(&key);
	return row;
}

uint32_t
recent_floor(struct str user, uint32_t mailbox, uint32_t uidnext)
{
	return *find_row(user, mailbox, uidnext);
}

void
recent_told(struct str user, uint32_t mailbox, uint32_t uidnext)
{
	uint32_t *row = find_row(user, mailbox, uidnext);

	if (*row < uidnext)
		*row = uidnext;
}

void
recent_forget(void)
{
	size_t at = 0;
	struct str key;
	void *row;

	while (map_next(&table, &at, &key, &row))
		free(row);
	map_fini(&table);
	map_init(&table);
}
