/* admin.c - `store check`, `store rebuild`, `store stat`. */
#include <postern/store/admin.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <postern/core/arena.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "look.h"
#include "view.h"

enum { TEXT_MAX = 1 << 20 };

struct question {
	struct store *s;
	struct store_user *u;
	struct store_reported done;
	struct store_report report;
	struct buf text;
	char *address;
	void (*go)(struct question *q);
};

static void
answer(struct question *q)
{
	q->report.text = buf_str(&q->text);
	if (q->done.fn != NULL && !q->s->closing)
		q->done.fn(q->done.ctx, &q->report);
	if (q->u != NULL)
		store_user_unref(q->u);
	buf_fini(&q->text);
	free(q->address);
	free(q);
}

static void
on_opened(void *ctx, struct store_user *u, const struct err *e)
{
	struct question *q = ctx;

	if (u == NULL) {
		q->report.err = *e;
		answer(q);
		return;
	}
	q->u = u;
	q->go(q);
}

static struct question *
question_new(struct store *s, struct str address, struct store_reported done, void (*go)(struct question *q))
{
	struct question *q = NEW(struct question);

	q->s = s;
	q->done = done;
	q->go = go;
	q->address = mem_cstr(address);
	err_clear(&q->report.err);
	buf_init(&q->text, TEXT_MAX);
	return q;
}

static void
ask(struct store *s, struct str address, struct store_reported done, void (*go)(struct question *q))
{
	store_user_open(s, address, on_opened, question_new(s, address, done, go));
}

/* -- stat -- */

static void
count_mailboxes(struct question *q, struct store_view *v)
{
	struct arena a;
	struct store_entry *entries;
	struct store_mailbox m;
	size_t n;

	arena_init(&a);
	n = store_list(v, &a, &entries);
	for (size_t i = 0; i < n; i++) {
		if (entries[i].mailbox == 0 || !store_mailbox(v, entries[i].mailbox, &m))
			continue;
		q->report.mailboxes++;
		q->report.messages += m.messages;
		q->report.bytes += m.bytes;
	}
	arena_fini(&a);
}

static void
count_todo(struct question *q, struct store_view *v)
{
	struct todo t;
	uint64_t from = 0;

	todo_init(&t);
	while (todo_first(&v->s, from, &t)) {
		q->report.waiting += uidset_empty(&t.uids) ? 1 : uidset_count(&t.uids);
		from = t.seq + 1;
	}
	todo_fini(&t);
}

static void
look(struct question *q)
{
	struct store_view *v = store_view_open(q->u, &q->report.err);

	if (v == NULL)
		return;
	count_mailboxes(q, v);
	index_pages(&v->s, &q->report.index_bytes, &q->report.index_free);
	q->report.search_bytes = grams_size(q->u);
	count_todo(q, v);
	if (store_view_failed(v))
		err_temp(&q->report.err, SAY_LATER, "index: damaged");
	store_view_close(v);
}

static void
go_stat(struct question *q)
{
	look(q);
	answer(q);
}

void
store_stat(struct store *s, struct str address, struct store_reported done)
{
	ask(s, address, done, go_stat);
}

/* -- check -- */

struct check_request {
	struct store_request r;
	struct question *q;
};

static bool
check_prepare(struct work *w, struct store_request *r)
{
	return check_run(w, &((struct check_request *)r)->q->report, &((struct check_request *)r)->q->text);
}

static const struct request_kind check_kind = { .name = "check", .prepare = check_prepare, .names = true };

static void
on_checked(void *ctx, const struct store_result *r)
{
	struct question *q = ctx;
	uint64_t problems = q->report.problems;

	look(q);
	q->report.problems = problems;
	if (r->code != STORE_OK)
		q->report.err = *r->err;
	answer(q);
}

static void
go_check(struct question *q)
{
	struct check_request *r = (struct check_request *)request_new(sizeof *r, &check_kind,
	    (struct store_done){ .fn = on_checked, .ctx = q });

	r->q = q;
	work_submit(q->u, &r->r);
}

void
store_check(struct store *s, struct str address, struct store_reported done)
{
	ask(s, address, done, go_check);
}

/* -- rebuild -- */

static void
answer_rebuilt(struct question *q)
{
	if (q->report.err.class == ERR_NONE)
		look(q);
	answer(q);
}

void
admin_rebuilt(struct store_user *u, const struct err *e)
{
	struct question *q = u->rebuilder;

	u->rebuild = false;
	u->rebuilder = NULL;
	if (e->class == ERR_NONE) {
		/* the open environment is the old file: views from now on see the new one */
		user_close_index(u);
		grams_free(u);
		u->seen.n = 0;
		watch_tell_all_gone(u);
	}
	if (q == NULL)
		return;
	q->report.err = *e;
	answer_rebuilt(q);
}

static void
go_rebuild(struct question *q)
{
	if (q->u->rebuilder != NULL) {
		err_temp(&q->report.err, SAY_LATER, "a rebuild is under way");
		answer(q);
		return;
	}
	q->u->rebuild = true;
	q->u->rebuilder = q;
	work_kick(q->u);
}

static void
on_reloaded(void *ctx, struct store_user *u, const struct err *e)
{
	struct question *q = ctx;

	q->u = u;
	if (u == NULL)
		q->report.err = *e;
	answer_rebuilt(q);
}

/* One whose index is damaged is loaded anew, without reading what is damaged. */
static void
on_opened_or_broken(void *ctx, struct store_user *u, const struct err *e)
{
	struct question *q = ctx;
	struct store_user *broken = user_find(q->s, str_of(q->address));

	if (u != NULL) {
		q->u = u;
		go_rebuild(q);
		return;
	}
	if (broken == NULL || !user_reload(broken, on_reloaded, q)) {
		q->report.err = *e;
		answer(q);
	}
}

void
store_rebuild(struct store *s, struct str address, struct store_reported done)
{
	store_user_open(s, address, on_opened_or_broken, question_new(s, address, done, NULL));
}
