/* store_other.c - the account of another user, whose mailboxes a session has named: auth says whether there is such an account and what
 * it may hold, then the store opens it. Nothing is made for it. */
#include <stdlib.h>

#include <postern/core/mem.h>

#include "store_mail.h"

/* Outlives the session: an account that is being opened cannot be called off. */
struct owner_opening {
	struct mail_session *m; /* NULL: gone meanwhile */
	struct store *store;
	char *address;
	uint64_t quota;
};

static void
end(struct owner_opening *o, struct store_user *u)
{
	struct mail_session *m = o->m;

	if (m != NULL) {
		m->opening = NULL;
		imap_session_owner(m->imap, u, o->quota);
	}
	if (u != NULL)
		store_user_unref(u);
	free(o->address);
	free(o);
}

static void
on_open(void *ctx, struct store_user *u, const struct err *e)
{
	(void)e; /* the store has said why */
	end(ctx, u);
}

static void
on_known(void *ctx, const struct owner_answer *answer)
{
	struct owner_opening *o = ctx;

	o->m->owner_call = NULL;
	if (answer == NULL || answer->known == 0) {
		end(o, NULL);
		return;
	}
	o->quota = answer->quota;
	store_user_find(o->store, str_of(o->address), on_open, o);
}

void
store_open_owner(void *ctx, struct str address)
{
	struct mail_session *m = ctx;
	struct owner_opening *o = NEW(struct owner_opening);

	o->m = m;
	o->store = m->role->store;
	o->address = mem_cstr(address);
	m->opening = o;
	m->owner_call = ask_owner(env_peer(m->role->env, ROLE_AUTH, 0), &(struct owner_ask){ .user = address }, on_known, o);
}

void
store_drop_owner(struct mail_session *m)
{
	if (m->opening == NULL)
		return;
	m->opening->m = NULL;
	if (m->owner_call == NULL)
		return;
	ipc_cancel(m->owner_call);
	free(m->opening->address);
	free(m->opening);
	m->opening = NULL;
}
