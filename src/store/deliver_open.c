/* deliver_open.c - what becomes of a recipient: known already, refused, or to be written, and where. */
#include <stdio.h>
#include <stdlib.h>

#include "group.h"
#include "view.h"
#include "work.h"

struct str
delivery_key(const struct id *id)
{
	return str_from(id->b, sizeof id->b);
}

static bool
is_known(struct store_view *v, struct target *t)
{
	MDB_val value;

	return map_get(&t->u->arrivals, delivery_key(&t->d->id)) != NULL ||
	       snap_get(&v->s, T_DONE, str_val(delivery_key(&t->d->id)), &value);
}

static bool
find_mailbox(struct store_view *v, struct target *t)
{
	char *dir;

	t->number = t->mailbox[0] != '\0' ? store_find(v, str_of(t->mailbox)) : 0;
	if (t->number == 0)
		t->number = store_find(v, STR("INBOX"));
	dir = view_dir(v, t->number);
	if (dir == NULL)
		return err_temp(&t->err, SAY_LATER, "%s: no INBOX", t->user);
	snprintf(t->dir, sizeof t->dir, "%s", dir);
	free(dir);
	return true;
}

enum target_state
deliver_check_target(struct target *t)
{
	struct store_view *v = store_view_open(t->u, &t->err);
	enum target_state state = TARGET_REFUSED;

	if (v == NULL)
		return TARGET_REFUSED;
	if (is_known(v, t))
		state = TARGET_KNOWN;
	else if (t->limit > 0 && store_user_bytes(t->u) + t->size > t->limit)
		err_perm(&t->err, "the mailbox is full", "%s: over quota", t->user);
	else if (find_mailbox(v, t))
		state = TARGET_READY;
	store_view_close(v);
	return state;
}
