/* admin_store.c - `postern store …` and `postern mailbox list` as rows. ctx is the struct store_role, or offline one made for the command.
 *
 * store check|rebuild|stat ADDRESS → {mailboxes, messages, bytes, problems, index_bytes, index_free, search_bytes, waiting, text}
 * mailbox list ADDRESS             → [{name, messages, unseen, bytes, uidvalidity, uidnext, highestmodseq, use, subscribed}] */
#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/store/admin.h>
#include <postern/store/read.h>
#include <postern/store/request.h>
#include <postern/store/user.h>

#include "store.h"

/* Answers that come later carry their question along. */
static void
on_report(void *ctx, const struct store_report *r)
{
	struct control_answer out = { .status = ADMIN_DONE };

	if (r->err.class != ERR_NONE) {
		out.status = r->err.class == ERR_TEMP ? ADMIN_LATER : ADMIN_FAILED;
		out.why = str_of(r->err.log);
	}
	out.json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "mailboxes", (json_int_t)r->mailboxes, "messages",
	    (json_int_t)r->messages, "bytes", (json_int_t)r->bytes, "problems", (json_int_t)r->problems, "index_bytes",
	    (json_int_t)r->index_bytes, "index_free", (json_int_t)r->index_free, "search_bytes",
	    (json_int_t)r->search_bytes, "waiting", (json_int_t)r->waiting);
	json_object_set_new(
	    out.json, "text", json_stringn(r->text.n > 0 ? r->text.p : "", r->text.n < 40000 ? r->text.n : 40000));
	if (out.status == ADMIN_DONE && r->problems > 0) {
		out.status = ADMIN_FAILED;
		out.why = STR("index and files differ; postern store rebuild ADDRESS makes the index anew");
	}
	control_reply(ctx, &out);
}

static bool
run_check(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	(void)out;
	store_check(
	    ((struct store_role *)ctx)->store, ask->args.v[0], (struct store_reported){ on_report, ask->question });
	return false;
}

static bool
run_rebuild(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	(void)out;
	store_rebuild(
	    ((struct store_role *)ctx)->store, ask->args.v[0], (struct store_reported){ on_report, ask->question });
	return false;
}

static bool
run_stat(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	(void)out;
	store_stat(
	    ((struct store_role *)ctx)->store, ask->args.v[0], (struct store_reported){ on_report, ask->question });
	return false;
}

static json_t *
list_mailboxes(struct store_view *v)
{
	json_t *list = json_array();
	struct store_entry *entries;
	struct store_mailbox m;
	struct arena a;
	size_t n;

	arena_init(&a);
	n = store_list(v, &a, &entries);
	for (size_t i = 0; i < n; i++) {
		if (entries[i].mailbox == 0 || !store_mailbox(v, entries[i].mailbox, &m))
			continue;
		json_array_append_new(
		    list, json_pack("{s:s%, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b}", "name", entries[i].name.p,
			      entries[i].name.n, "messages", (json_int_t)m.messages, "unseen", (json_int_t)m.unseen,
			      "bytes", (json_int_t)m.bytes, "uidvalidity", (json_int_t)m.uidvalidity, "uidnext",
			      (json_int_t)m.uidnext, "highestmodseq", (json_int_t)m.highestmodseq, "use",
			      store_use_attribute(m.use).p, "subscribed", entries[i].subscribed));
	}
	arena_fini(&a);
	return list;
}

/* `mailbox list' under way. */
struct listing {
	struct ipc_question *question;
	struct store_user *user;
};

static void
answer_listing(struct listing *l, struct control_answer *out)
{
	control_reply(l->question, out);
	if (l->user != NULL)
		store_user_unref(l->user);
	free(l);
}

static void
refuse_listing(struct listing *l, const struct err *e)
{
	struct control_answer out = { .status = e->class == ERR_TEMP ? ADMIN_LATER : ADMIN_FAILED,
		.why = str_of(e->log) };

	answer_listing(l, &out);
}

/* What waited in new/ counts, too. */
static void
on_refreshed(void *ctx, const struct store_result *r)
{
	struct listing *l = ctx;
	struct control_answer out = { .status = ADMIN_DONE };
	struct store_view *v;
	struct err e;

	if (r->code != STORE_OK) {
		refuse_listing(l, r->err);
		return;
	}
	v = store_view_open(l->user, &e);
	if (v == NULL) {
		refuse_listing(l, &e);
		return;
	}
	out.json = list_mailboxes(v);
	store_view_close(v);
	answer_listing(l, &out);
}

static void
on_open_for_list(void *ctx, struct store_user *u, const struct err *e)
{
	struct listing *l = ctx;

	l->user = u;
	if (u == NULL)
		refuse_listing(l, e);
	else
		store_refresh(u, 0, (struct store_done){ .fn = on_refreshed, .ctx = l });
}

static bool
run_mailbox_list(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct listing *l = NEW(struct listing);

	(void)out;
	l->question = ask->question;
	store_user_open(((struct store_role *)ctx)->store, ask->args.v[0], on_open_for_list, l);
	return false;
}

const struct control_verb store_verbs[] = {
	{ "store", "check", 1, 1, run_check },
	{ "store", "rebuild", 1, 1, run_rebuild },
	{ "store", "stat", 1, 1, run_stat },
	{ "mailbox", "list", 1, 1, run_mailbox_list },
	{ 0 },
};
