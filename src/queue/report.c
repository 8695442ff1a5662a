/* report.c - who is told what: failed recipients, delayed ones, and the null-sender rules.
 *
 * A notification goes to the sender of the message, from the null sender, with NOTIFY=NEVER; nobody is told about a
 * message that itself had the null sender, but for our own bounces: those the postmaster gets, once (RFC 5321 6.1,
 * RFC 3461 6.1). It becomes durable in the transaction that settles what it reports: there is one for each failure,
 * and only one. */
#include "report.h"

#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/core/utf8.h>

#include "schedule.h"
#include "tell.h"

/* Whom a report about the message goes to, "" for nobody, and what that report is itself. */
static struct str
addressee(const struct queue *q, const struct row_message *m, enum row_origin *origin)
{
	*origin = ROW_REPORT;
	if (m->sender.n > 0)
		return m->sender;
	*origin = ROW_DOUBLE;
	return m->origin == ROW_REPORT ? q->options.postmaster : STR("");
}

bool
report_is_owed(const struct queue *q, const struct row_message *m, unsigned notify)
{
	enum row_origin origin;

	if (m->origin == ROW_REPORT) /* NEVER, but the postmaster is no sender */
		return q->options.postmaster.n > 0;
	return addressee(q, m, &origin).n > 0 && row_wants(notify, ENVELOPE_NOTIFY_FAILURE);
}

/* --- making the message ------------------------------------------------------------------------------------------- */

static bool
any_failed(const struct bounce_recipient *about, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (about[i].action == BOUNCE_FAILED)
			return true;
	return false;
}

/* RFC 3461 6.2: all of it only in reports of failure, unless RET=HDRS or it is large; binary does not travel in
 * 8bit; RFC 8689 5: what demanded TLS is not returned in whole. */
static bool
returns_whole(const struct row_message *m, const struct bounce_recipient *about, size_t n)
{
	return any_failed(about, n) && m->ret != ENVELOPE_RET_HDRS && m->message_size <= QUEUE_RETURN_MAX &&
	    (m->flags & (ENVELOPE_BINARY | ENVELOPE_REQUIRETLS)) == 0;
}

/* The whole message, or its header, cut at a line. */
static bool
read_returned(int content, bool whole, struct buf *out, struct err *e)
{
	struct envelope_reader r;
	struct str all;
	size_t end;
	bool ok = envelope_open(&r, content, e) && envelope_read_message(&r, 0, QUEUE_RETURN_MAX, out, e);

	envelope_close(&r);
	if (!ok || whole)
		return ok;
	all = buf_str(out);
	end = str_search(all, STR("\r\n\r\n"));
	if (end == all.n && (end = str_rfind(all, '\n')) == all.n)
		end = 0;
	buf_cut(out, end < all.n && all.p[end] == '\r' ? end + 2 : end + (end > 0));
	return true;
}

static bool
write_file(int fd, struct str to, struct id qid, struct str text, unsigned flags, struct err *e)
{
	const struct envelope v = { .qid = qid, .received = wall_now(), .protocol = STR("LOCAL") };
	const struct envelope_recipient rcpt = { ENVELOPE_NOTIFY_NEVER, to, STR("") };
	const struct envelope_target target = { ENVELOPE_REMOTE, to, STR("") };
	struct envelope_writer w;
	bool ok = envelope_write_begin(&w, fd, &v) && envelope_write_recipient(&w, &rcpt) &&
	    envelope_write_target(&w, &target) && envelope_write_body(&w, text) && envelope_write_finish(&w, flags);

	envelope_write_end(&w);
	if (!ok)
		*e = w.err;
	else if (!envelope_seal(fd))
		ok = err_temp(e, SAY_LATER, "bounce: seal");
	return ok;
}

static void
fill_message(struct change *c, struct str to, enum row_origin origin, size_t text_size, unsigned flags)
{
	struct row_recipient *r = change_rows(c, 1);

	c->adds_message = true;
	c->message.origin = origin;
	c->message.message_size = text_size;
	c->message.received = wall_now();
	c->message.flags = flags;
	c->message.file_size = (uint64_t)lseek(c->content, 0, SEEK_END);
	c->message.in_file = c->message.file_size > QUEUE_INLINE_MAX;
	r->kind = ROW_RESOLVE;
	r->state = QUEUE_WAITING;
	r->notify = ENVELOPE_NOTIFY_NEVER;
	r->next_try = wall_now();
	r->delivery = id_new();
	r->address = r->target = arena_str(&c->mem, to);
}

static bool
write_report(struct change *c, const struct bounce *b, enum row_origin origin, unsigned flags, struct err *e)
{
	struct buf text;
	bool ok;

	buf_init(&text, SIZE_MAX);
	if (bounce_write(&text, b))
		flags |= ENVELOPE_8BIT;
	if (!ascii_only(str_sub(buf_str(&text), 0, str_search(buf_str(&text), STR("\r\n\r\n")))))
		flags |= ENVELOPE_SMTPUTF8 | ENVELOPE_UTF8_HEADER;
	c->new_qid = b->id;
	c->content = envelope_memfd();
	ok = c->content != -1 || err_temp(e, SAY_LATER, "bounce: memfd");
	ok = ok && write_file(c->content, b->to, b->id, buf_str(&text), flags, e);
	if (ok)
		fill_message(c, b->to, origin, text.n, flags);
	buf_fini(&text);
	return ok;
}

struct change *
report_new(struct queue *q, struct id qid, const struct row_message *m, int content,
    const struct bounce_recipient *about, size_t n, struct err *e)
{
	struct change *c = change_new(q);
	struct bounce b = { .hostname = q->options.hostname, .id = id_new(), .now = wall_now(), .qid = qid,
		.arrived = m->received, .envid = m->envid, .helo = m->helo, .client = m->client, .recipients = about,
		.n = n };
	enum row_origin origin;
	struct buf returned;
	bool ok = true;

	b.to = addressee(q, m, &origin);
	b.whole = returns_whole(m, about, n);
	buf_init(&returned, QUEUE_RETURN_MAX);
	if (content != -1)
		ok = read_returned(content, b.whole, &returned, e);
	b.returned = buf_str(&returned);
	ok = ok && write_report(c, &b, origin, m->flags & ENVELOPE_REQUIRETLS, e);
	buf_fini(&returned);
	if (ok)
		return c;
	change_drop(c);
	return NULL;
}

/* --- reports about rows ------------------------------------------------------------------------------------------- */

enum { REPORT_ROWS_MAX = 1000 }; /* recipients in one report; the rest gets the next */

struct gathering {
	struct queue *q;
	struct arena mem;
	struct id qid;
	struct row_message message;
	struct bounce_recipient *about; /* who is told of */
	size_t nabout;
	uint32_t *numbers; /* of all rows that are settled or marked */
	uint32_t n;
};

static void
add_about(struct gathering *g, const struct row_recipient *r, enum bounce_action action)
{
	struct wall until = { g->message.received.us + g->q->options.limits.expire_s * 1000000 };

	g->about[g->nabout++] = (struct bounce_recipient){ .action = action, .address = arena_str(&g->mem, r->address),
		.orcpt = arena_str(&g->mem, r->orcpt), .text = arena_str(&g->mem, r->reason), .tried = r->last_try,
		.host = arena_str(&g->mem, r->last.host), .said = r->last.said,
		.status = r->status.n > 0 ? arena_str(&g->mem, r->status) : STR("4.0.0"), .until = until };
}

static void
tell_row(const struct gathering *g, const char *event, const struct row_recipient *r)
{
	const struct tell line = { .qid = g->qid, .sid = g->message.sid, .from = g->message.sender, .to = r->target,
		.orig_to = r->address, .received = g->message.received, .status = r->status, .text = r->reason };

	tell_outcome(event, &line);
}

typedef void take_row(struct gathering *g, uint32_t number, const struct row_recipient *r);

static void
take_failed(struct gathering *g, uint32_t number, const struct row_recipient *r)
{
	if (r->state != QUEUE_FAILED)
		return;
	g->numbers[g->n++] = number;
	if (report_is_owed(g->q, &g->message, r->notify))
		add_about(g, r, BOUNCE_FAILED);
	if (r->kind != ROW_REMOTE) /* said when it failed, with all that was known then */
		tell_row(g, "bounce", r);
}

static void
take_delayed(struct gathering *g, uint32_t number, const struct row_recipient *r)
{
	if (r->kind == ROW_REMOTE || r->state != QUEUE_WAITING || r->warned || r->attempts == 0 ||
	    g->message.sender.n == 0 || !row_wants(r->notify, ENVELOPE_NOTIFY_DELAY))
		return;
	g->numbers[g->n++] = number;
	add_about(g, r, BOUNCE_DELAYED);
}

static bool
gather(struct gathering *g, struct queue *q, struct id qid, take_row *take)
{
	struct row_message m;
	struct row_recipient r;
	struct ledger *l = &q->ledger;
	MDB_txn *t = ledger_read(l);

	*g = (struct gathering){ .q = q, .qid = qid };
	arena_init(&g->mem);
	if (t == NULL)
		return false;
	g->about = arena_array(&g->mem, REPORT_ROWS_MAX, sizeof *g->about);
	g->numbers = arena_array(&g->mem, REPORT_ROWS_MAX, sizeof *g->numbers);
	if (ledger_get_message(l, t, qid, &m) == 0) {
		g->message = m;
		row_keep_message(&g->mem, &g->message);
		for (uint32_t at = 0; g->n < REPORT_ROWS_MAX && ledger_next_recipient(l, t, qid, &at, &r) == 0; at++)
			take(g, at, &r);
	}
	mdb_txn_abort(t);
	return g->n > 0;
}

static void
add_updates(const struct gathering *g, struct change *c, enum row_update_kind kind)
{
	struct row_update *u = change_updates(c, g->qid, g->n);

	for (uint32_t i = 0; i < g->n; i++)
		u[i] = (struct row_update){ .kind = kind, .number = g->numbers[i] };
}

static struct change *
report_change(struct gathering *g, struct err *e)
{
	int content;
	struct change *c;

	if (g->nabout == 0)
		return change_new(g->q);
	content = content_open(g->q, g->qid, e);
	if (content == -1 && e->class == ERR_TEMP)
		return NULL;
	c = report_new(g->q, g->qid, &g->message, content, g->about, g->nabout, e);
	io_close(&content);
	return c;
}

static void
on_reported(void *ctx, struct change *c, const struct err *e)
{
	(void)ctx;
	busy_free_message(c->q, c->old_qid);
	if (e != NULL) {
		log_say(LEVEL_ERROR, "error", "bounce: %s", e->log);
		schedule_pause(c->q);
	}
	schedule_soon(c->q);
}

static void
report_rows(struct queue *q, struct id qid, take_row *take, enum row_update_kind then)
{
	struct gathering g;
	struct change *c = NULL;
	struct err e = { .class = ERR_NONE };

	if (gather(&g, q, qid, take))
		c = report_change(&g, &e);
	if (c != NULL) {
		add_updates(&g, c, then);
		change_submit(c, on_reported, NULL);
	} else {
		if (e.class != ERR_NONE) {
			log_say(LEVEL_ERROR, "error", "bounce: %s", e.log);
			schedule_pause(q);
		}
		busy_free_message(q, qid);
		schedule_soon(q);
	}
	arena_fini(&g.mem);
}

void
report_failed(struct queue *q, struct id qid)
{
	report_rows(q, qid, take_failed, UPDATE_DELETE);
}

void
report_delayed(struct queue *q, struct id qid)
{
	report_rows(q, qid, take_delayed, UPDATE_WARNED);
}
