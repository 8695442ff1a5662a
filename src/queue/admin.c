/* admin.c - the operator's view: pages of the ledger. */
#include <postern/queue/admin.h>

#include <postern/core/log.h>

#include "destination.h"
#include "mark.h"

/* What waits for another host waits for its destination, too. */
static struct wall
next_try(struct queue *q, const struct row_recipient *r)
{
	const struct destination *d;
	struct wall next = r->next_try;

	if (r->kind != ROW_REMOTE || r->state != QUEUE_WAITING)
		return (struct wall){ row_due(r) };
	d = destination_find(q, r->destination);
	if (d != NULL && d->rest_until.us > next.us)
		next = d->rest_until;
	return next;
}

/* Mail that was never tried says why its destination rests. */
static void
say_why(struct queue *q, const struct row_recipient *r, struct record *known, struct queue_recipient_info *info)
{
	if (r->kind != ROW_REMOTE || r->state != QUEUE_WAITING || r->attempts > 0)
		return;
	if (!destination_record(q, r->destination, known) || known->text[0] == '\0')
		return;
	info->status = str_of(known->status);
	info->reason = str_of(known->text);
}

static void
show_recipient(
    struct queue *q, struct ledger_key k, const struct row_recipient *r, const struct queue_view *v, void *ctx)
{
	struct queue_recipient_info info = { .qid = k.qid, .number = k.number, .state = r->state,
		.address = r->address, .target = r->kind == ROW_RESOLVE ? STR("") : r->target,
		.local = r->kind == ROW_LOCAL,
		.attempts = r->attempts, .next_try = next_try(q, r), .last_try = r->last_try, .status = r->status,
		.reason = r->reason, .destination = r->destination, .under_way = mark_has(q, k), .last = r->last };
	struct record known;

	say_why(q, r, &known, &info);
	v->recipient(ctx, &info);
}

static void
show_message(struct queue *q, MDB_txn *t, struct id qid, const struct row_message *m, const struct queue_view *v,
    void *ctx)
{
	const struct queue_message_info info = { .qid = qid, .size = m->message_size, .received = m->received,
		.flags = m->flags, .sender = m->sender, .sid = m->sid, .client = m->client, .helo = m->helo,
		.login = m->login, .envid = m->envid };
	struct row_recipient r;

	v->message(ctx, &info);
	for (uint32_t at = 0; ledger_next_recipient(&q->ledger, t, qid, &at, &r) == 0; at++)
		show_recipient(q, (struct ledger_key){ qid, at }, &r, v, ctx);
}

bool
queue_list(struct queue *q, struct id *at, unsigned max, const struct queue_view *view, void *ctx)
{
	MDB_txn *t = ledger_read(&q->ledger);
	struct row_message m;
	bool more = t != NULL;

	for (unsigned n = 0; more && n < max; n++) {
		more = ledger_next_message(&q->ledger, t, at, &m) == 0;
		if (more)
			show_message(q, t, *at, &m, view, ctx);
	}
	if (t != NULL)
		mdb_txn_abort(t);
	return more;
}

static void
add_header(struct queue *q, struct id qid, struct buf *out)
{
	struct envelope_reader r;
	struct err e;
	int fd = content_open(q, qid, &e);
	bool ok;

	if (fd == -1) {
		log_say(LEVEL_WARN, "error", "queue: show: %s", e.log);
		return;
	}
	ok = envelope_open(&r, fd, &e) && envelope_read_message(&r, 0, out->max - out->n, out, &e);
	envelope_close(&r);
	io_close(&fd);
	if (ok)
		buf_cut(out, str_search(buf_str(out), STR("\r\n\r\n")));
}

bool
queue_show(struct queue *q, struct id qid, const struct queue_view *view, void *ctx, struct buf *header)
{
	MDB_txn *t = ledger_read(&q->ledger);
	struct row_message m;
	bool found = t != NULL && ledger_get_message(&q->ledger, t, qid, &m) == 0;

	if (found)
		show_message(q, t, qid, &m, view, ctx);
	if (t != NULL)
		mdb_txn_abort(t);
	if (found && header != NULL)
		add_header(q, qid, header);
	return found;
}
