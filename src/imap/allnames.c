/* allnames.c - one's own names, and others'. */
#include "allnames.h"

#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/store/rights.h>

#include "owners.h"

static struct store_entry *
add(struct allnames *l, struct store_user *user, struct store_entry e)
{
	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? 2 * l->cap : 64;
		l->entries = mem_resize(l->entries, l->cap * sizeof(*l->entries));
		l->users = mem_resize(l->users, l->cap * sizeof(*l->users));
	}
	l->entries[l->n] = e;
	l->users[l->n] = user;
	return &l->entries[l->n++];
}

/* What stands in one's own account below a namespace is a subscription of another's mailbox. */
static void
add_own(struct allnames *l, const struct imap_session *s, const struct store_entry *e)
{
	static char mark;

	if (!owners_has_name(s, e->name))
		add(l, s->setup.user, *e);
	else if (e->subscribed)
		map_put(&l->subscribed, e->name, &mark);
}

enum step
allnames_begin(struct allnames *l, struct imap_session *s, struct command *c, struct arena *a)
{
	struct store_entry *own;
	struct err e;
	struct store_view *v = session_look(s, s->setup.user, &e);
	size_t n;

	if (v == NULL)
		return done_unreadable(s, c, &e);
	n = store_list(v, a, &own);
	store_view_close(v);
	for (size_t i = 0; i < n; i++)
		add_own(l, s, &own[i]);
	l->next = c->owners;
	return STEP_MORE;
}

/* --- others' --- */

/* "Users", "Users/address": each once, for owners come in order of their names. */
static void
add_levels(struct allnames *l, struct store_user *user, struct str prefix)
{
	for (size_t i = 0; i < prefix.n; i++) {
		struct str level = str_sub(prefix, 0, i);

		if (prefix.p[i] != '/' || str_eq(l->level, level) || str_starts(l->level, str_sub(prefix, 0, i + 1)))
			continue;
		add(l, user, (struct store_entry){ .name = level, .children = true });
		l->level = level;
	}
}

static void
add_names(struct allnames *l, const struct imap_session *s, const struct owner *o, struct store_view *v, struct arena *a)
{
	struct str prefix = owners_prefix(s, o->address, a);
	struct store_entry *entries;
	size_t n = store_list_shared(v, store_user_address(s->setup.user), a, &entries);

	if (n > 0)
		add_levels(l, o->user, prefix);
	for (size_t i = 0; i < n; i++) {
		struct store_entry *e = add(l, o->user, entries[i]);

		e->name = arena_strf(a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(e->name));
		e->subscribed = map_del(&l->subscribed, e->name) != NULL;
	}
}

/* Subscribed, and nothing that can be seen. */
static void
add_left(struct allnames *l, const struct imap_session *s, struct arena *a)
{
	size_t at = 0;
	struct str name;
	void *mark;

	while (map_next(&l->subscribed, &at, &name, &mark))
		add(l, s->setup.user, (struct store_entry){ .name = arena_str(a, name), .subscribed = true });
	map_fini(&l->subscribed);
}

enum step
allnames_step(struct allnames *l, struct imap_session *s, struct arena *a)
{
	const struct owner *o = l->next;
	struct store_view *v;
	struct err e;

	if (o == NULL) {
		add_left(l, s, a);
		return STEP_DONE;
	}
	l->next = o->next;
	v = o->user != NULL ? session_look(s, o->user, &e) : NULL;
	if (v == NULL)
		return STEP_MORE;
	add_names(l, s, o, v, a);
	store_view_close(v);
	return STEP_MORE;
}

void
allnames_fini(struct allnames *l)
{
	free(l->entries);
	free(l->users);
	map_fini(&l->subscribed);
	*l = (struct allnames){ .n = 0 };
}
