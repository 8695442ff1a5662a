/* job.c - making a job of what is due in a lane, and handing it out. */
#include "job.h"

#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "ask.h"
#include "mark.h"
#include "schedule.h"

/* --- reading ------------------------------------------------------------------------------------------------------ */

static struct job *
job_new(struct lane *lane, const struct ledger_place *first)
{
	struct queue *q = lane->destination->q;
	struct job *j = NEW(struct job);

	*j = (struct job){ .q = q, .destination = lane->destination, .qid = first->key.qid, .source = lane->source,
		.first = *first, .rests_begun = lane->destination->rests_begun, .began = wall_now() };
	arena_init(&j->mem);
	j->rows = arena_array(&j->mem, QUEUE_JOB_MAX, sizeof *j->rows);
	j->results = arena_array(&j->mem, QUEUE_JOB_MAX, sizeof *j->results);
	j->relayed = arena_array(&j->mem, QUEUE_JOB_MAX, sizeof *j->relayed);
	j->destination->refs++;
	TAILQ_INSERT_TAIL(&q->job_list, j, entry);
	return j;
}

void
job_free(struct job *j)
{
	struct queue *q = j->q;
	struct destination *d = j->destination;

	for (uint32_t i = 0; i < j->n; i++)
		mark_free(q, (struct ledger_key){ j->qid, j->results[i].number });
	if (j->again)
		lane_note(q, str_of(d->name), j->source, &j->first);
	TAILQ_REMOVE(&q->job_list, j, entry);
	d->refs--;
	arena_fini(&j->mem);
	free(j);
	destination_arrange(d);
}

void
job_return(struct job *j)
{
	j->again = true;
	job_free(j);
}

void
job_free_all(struct queue *q)
{
	struct job *j;

	TAILQ_CONCAT(&q->job_list, &q->unwritten, entry);
	while ((j = TAILQ_FIRST(&q->job_list)) != NULL) {
		TAILQ_REMOVE(&q->job_list, j, entry);
		arena_fini(&j->mem);
		free(j);
	}
}

static void
keep_row(struct job *j, struct row_recipient *to, const struct row_recipient *r)
{
	struct arena *a = &j->mem;

	*to = *r;
	to->address = arena_str(a, r->address);
	to->orcpt = arena_str(a, r->orcpt);
	to->target = arena_str(a, r->target);
	to->detail = to->status = to->reason = STR("");
	to->destination = str_of(j->destination->name);
	to->last = (struct queue_last_host){ .host = STR("") };
}

static bool
job_add(struct job *j, uint32_t number, const struct row_recipient *r)
{
	size_t bytes = r->target.n + r->orcpt.n + 8;

	if (j->n == QUEUE_JOB_MAX || (j->n > 0 && j->bytes + bytes > QUEUE_JOB_BYTES_MAX))
		return false;
	keep_row(j, &j->rows[j->n], r);
	j->results[j->n++].number = number;
	j->bytes += bytes;
	mark_take(j->q, (struct ledger_key){ j->qid, number });
	return true;
}

/* The next place that is due, at or after *at. */
static bool
next_due(const struct lane *lane, MDB_txn *t, struct ledger_place *at)
{
	const struct destination *d = lane->destination;

	return ledger_next_place(&d->q->ledger, t, str_of(d->name), lane->source, at) == 0 &&
	    at->next_try.us <= wall_now().us;
}

/* The next of those that is not on its way. */
static bool
next_free(const struct lane *lane, MDB_txn *t, struct ledger_place *at)
{
	const struct destination *d = lane->destination;

	for (; next_due(lane, t, at); at->key.number++) {
		if (!mark_has(d->q, at->key))
			return true;
		mark_pass(d->q, str_of(d->name), lane->source, at);
	}
	return false;
}

/* Those of the same message stand next to each other: they failed together the last time. */
static void
fill(struct job *j, const struct lane *lane, MDB_txn *t, struct ledger_place *at)
{
	struct row_recipient r;

	while (ledger_get_recipient(&j->q->ledger, t, at->key, &r) != 0 || job_add(j, at->key.number, &r)) {
		at->key.number++;
		if (!next_free(lane, t, at) || !id_eq(at->key.qid, j->qid))
			break;
	}
}

static struct job *
read_job(struct lane *lane, MDB_txn *t)
{
	struct ledger_place at = lane->mark;
	struct row_message m;
	struct job *j = NULL;

	if (next_free(lane, t, &at)) {
		j = job_new(lane, &at);
		if (ledger_get_message(&j->q->ledger, t, j->qid, &m) == 0) {
			j->message = m;
			row_keep_message(&j->mem, &j->message);
		}
		fill(j, lane, t, &at);
	}
	lane->mark = at;
	return j;
}

struct job *
job_read(struct lane *lane)
{
	struct destination *d = lane->destination;
	MDB_txn *t = ledger_read(&d->q->ledger);
	struct job *j;

	if (t == NULL)
		return NULL;
	d->refs++; /* the lane may be freed, and with it the destination */
	j = read_job(lane, t);
	lane_rearrange(lane, t);
	mdb_txn_abort(t);
	d->refs--;
	if (j != NULL && j->n == 0) { /* settled meanwhile */
		job_free(j);
		return NULL;
	}
	destination_arrange(d);
	return j;
}

/* --- where it belongs --------------------------------------------------------------------------------------------- */

/* True when the recipient belongs elsewhere by now: the operator's routes changed. */
static bool
moves(const struct job *j, const struct row_recipient *r, struct queue_destination *to)
{
	if (j->destination->name[0] == '=')
		return false;
	schedule_destination(j->q, r->target, to);
	return !str_eq(str_of(to->name), str_of(j->destination->name));
}

bool
job_has_sts(const struct job *j)
{
	struct queue_destination to;

	return j->destination->name[0] != '=' && !moves(j, &j->rows[0], &to) && to.sts;
}

static bool
sort_anew(struct job *j)
{
	struct queue_destination to;
	bool any = false;

	for (uint32_t i = 0; i < j->n; i++) {
		struct row_update *u = &j->results[i];
		bool go = moves(j, &j->rows[i], &to);

		u->kind = UPDATE_MOVE;
		u->destination = go ? arena_str(&j->mem, str_of(to.name)) : j->rows[i].destination;
		any = any || go;
	}
	j->again = any; /* for those that stay */
	return any;
}

/* --- handing out -------------------------------------------------------------------------------------------------- */

static struct str
policy_in_force(struct job *j)
{
	const struct destination *d = j->destination;
	struct ledger *l = &j->q->ledger;
	struct str bytes, policy = STR("");
	struct record_sts sts;
	MDB_txn *t;

	if (d->sts_until.us <= wall_now().us || !job_has_sts(j) || (t = ledger_read(l)) == NULL)
		return policy;
	if (ledger_get_named(t, l->sts, str_of(d->name), &bytes) == 0 && record_parse_sts(bytes, &sts))
		policy = arena_str(&j->mem, sts.policy);
	mdb_txn_abort(t);
	return policy;
}

static void
hand_out(struct job *j, int fd)
{
	struct queue_job_rcpt rcpts[QUEUE_JOB_MAX];
	const struct queue_job job = { .qid = j->qid,
		.sid = j->message.sid,
		.destination = str_of(j->destination->name),
		.sender = j->message.sender,
		.flags = j->message.flags,
		.ret = j->message.ret,
		.envid = j->message.envid,
		.rcpts = rcpts,
		.n = j->n,
		.sts = policy_in_force(j),
		.handshakes_failed = j->destination->handshakes_failed,
		.fd = fd };

	for (uint32_t i = 0; i < j->n; i++)
		rcpts[i] = (struct queue_job_rcpt){ j->rows[i].target, j->rows[i].notify, j->rows[i].orcpt };
	j->q->jobs++;
	j->destination->jobs++;
	destination_arrange(j->destination);
	j->q->ops->relay(j->q->ctx, &job, ask_new_job(j->q, j->n, j->message.file_size, job_answered, j));
}

void
job_start(struct job *j)
{
	struct err e;
	int fd;

	if (sort_anew(j)) {
		job_write(j);
		return;
	}
	fd = content_open(j->q, j->qid, &e);
	if (fd == -1)
		job_without_content(j, &e);
	else
		hand_out(j, fd);
	io_close(&fd);
}
