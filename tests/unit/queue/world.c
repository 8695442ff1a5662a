/* world.c - stores, auth, other hosts, clock and message files for the queue's tests. */
#include "world.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "../../../src/queue/job.h"
#include "../../../src/queue/lane.h"
#include "../../../src/queue/schedule.h"

/* --- stores ------------------------------------------------------------------------------------------------------- */

static unsigned
store_of(void *ctx, struct str user)
{
	(void)ctx;
	return user.n > 0 ? (unsigned)user.p[0] & 1U : 0; /* alice, carol: 1; bob, dave: 0 */
}

static enum act
act(struct world *w, const char *question, struct str user)
{
	if (w->down)
		return ACT_GONE_BEFORE;
	return w->act != NULL ? w->act(w, question, user) : ACT_OK;
}

static void
put_text(char *out, size_t size, struct str s)
{
	assert_true(s.n < size);
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

static struct copy *
find_copy(struct world *w, struct id id, struct str user)
{
	for (size_t i = 0; i < w->ncopies; i++)
		if (id_eq(w->copies[i].id, id) && str_eq(str_of(w->copies[i].user), user))
			return &w->copies[i];
	return NULL;
}

static void
add_copy(struct world *w, const struct queue_delivery *d, const struct queue_target *t)
{
	struct copy *c = &w->copies[w->ncopies++];
	struct envelope_reader r;
	struct err e;
	struct buf b;

	assert_true(w->ncopies < COPIES_MAX);
	*c = (struct copy){ .id = d->id, .store = d->store };
	put_text(c->user, sizeof c->user, t->user);
	put_text(c->detail, sizeof c->detail, t->detail);
	put_text(c->orig_to, sizeof c->orig_to, t->orig_to);
	put_text(c->sender, sizeof c->sender, d->sender);
	buf_init(&b, SIZE_MAX);
	assert_true(envelope_open(&r, d->fd, &e));
	assert_true(envelope_read_message(&r, 0, SIZE_MAX / 2, &b, &e));
	envelope_close(&r);
	c->message = b.p;
	c->size = b.n;
}

static void
del_copy(struct world *w, struct copy *c)
{
	free(c->message);
	*c = w->copies[--w->ncopies];
}

static struct queue_answer
answer(enum queue_verdict v)
{
	static const char *const status[] = { "2.0.0", "4.2.1", "5.2.2", "" };
	static const char *const text[] = { "stored", "mailbox is locked", "mailbox is full", "prepared" };
	struct queue_answer a = { .verdict = v };

	snprintf(a.status, sizeof a.status, "%s", status[v]);
	snprintf(a.text, sizeof a.text, "%s", text[v]);
	return a;
}

/* A question of a dead queue goes unanswered. */
static bool
lost(struct world *w)
{
	w->asked++;
	return w->dead;
}

static void
publish_id(struct world *w, struct id id)
{
	for (size_t i = 0; i < w->ncopies; i++)
		if (id_eq(w->copies[i].id, id))
			w->copies[i].visible = true;
}

static void
drop_prepared(struct world *w, const struct id *id, int store)
{
	for (size_t i = 0; i < w->ncopies;) {
		struct copy *c = &w->copies[i];

		if (!c->visible && (id == NULL || id_eq(c->id, *id)) && (store == -1 || c->store == (unsigned)store))
			del_copy(w, c);
		else
			i++;
	}
}

static bool
prepare_all(struct world *w, const struct queue_delivery *d, struct queue_answer *answers)
{
	bool all = true;

	for (size_t i = 0; i < d->n; i++) {
		const struct queue_target *t = &d->targets[i];
		const struct copy *old = find_copy(w, d->id, t->user);
		enum act what = old != NULL && old->visible ? ACT_OK : act(w, "target", t->user);

		answers[i] = answer(what == ACT_OK ? QUEUE_DONE : what == ACT_TEMP ? QUEUE_TEMP : QUEUE_PERM);
		if (what == ACT_OK && old == NULL)
			add_copy(w, d, t);
		all = all && what == ACT_OK;
	}
	return all;
}

static void
on_deliver(void *ctx, const struct queue_delivery *d, struct queue_ask *ask)
{
	struct world *w = ctx;
	struct queue_answer answers[QUEUE_BATCH_MAX];
	enum act how = act(w, d->mode == QUEUE_DELIVER ? "deliver" : "prepare", STR(""));

	assert_true(d->n > 0 && d->n <= QUEUE_BATCH_MAX);
	for (size_t i = 0; i < d->n; i++)
		assert_int_equal(store_of(w, d->targets[i].user), d->store);
	if (how != ACT_GONE_BEFORE) {
		bool all = prepare_all(w, d, answers);

		if (all && d->mode == QUEUE_DELIVER)
			publish_id(w, d->id);
		for (size_t i = 0; i < d->n && !all && d->mode == QUEUE_DELIVER; i++)
			if (answers[i].verdict == QUEUE_DONE)
				answers[i].verdict = QUEUE_PREPARED;
	}
	if (lost(w))
		return;
	if (how == ACT_OK)
		queue_answer(ask, answers, d->n);
	else {
		drop_prepared(w, NULL, (int)d->store);
		queue_answer_gone(ask);
	}
}

static bool
store_knows(const struct world *w, struct id id)
{
	for (size_t i = 0; i < w->ncopies; i++)
		if (id_eq(w->copies[i].id, id))
			return true;
	return false;
}

static void
on_settle(void *ctx, unsigned store, enum queue_settle how, struct id id, size_t n, struct queue_ask *ask)
{
	struct world *w = ctx;
	struct queue_answer answers[QUEUE_BATCH_MAX];
	enum act what = act(w, how == QUEUE_PUBLISH ? "publish" : "drop", STR(""));
	bool known = store_knows(w, id);

	for (size_t i = 0; i < n; i++)
		answers[i] = answer(what == ACT_TEMP ? QUEUE_TEMP : QUEUE_DONE);
	if (what == ACT_OK || what == ACT_GONE_AFTER) {
		if (how == QUEUE_PUBLISH)
			publish_id(w, id);
		else
			drop_prepared(w, &id, -1);
	} else if (what == ACT_TEMP) {
		drop_prepared(w, &id, -1);
	}
	if (lost(w))
		return;
	if (known && (what == ACT_OK || what == ACT_TEMP)) {
		queue_answer(ask, answers, n);
		return;
	}
	drop_prepared(w, NULL, (int)store);
	queue_answer_gone(ask);
}

/* user+detail@example.test → user, detail */
static bool
split_local(struct str address, struct str *user_out, struct buf *user, struct str *detail)
{
	size_t at = str_rfind(address, '@');
	size_t plus = str_find(address, '+');

	if (!str_eq(str_sub(address, at, address.n), STR("@example.test")))
		return false;
	buf_add(user, str_sub(address, 0, plus < at ? plus : at));
	buf_add_cstr(user, "@example.test");
	*user_out = buf_str(user);
	*detail = plus < at ? str_sub(address, plus + 1, at) : STR("");
	return true;
}

static struct envelope_target
target_of(struct str address, struct buf *user)
{
	struct envelope_target t = { .kind = ENVELOPE_REMOTE, .address = address, .detail = STR("") };

	if (split_local(address, &t.address, user, &t.detail))
		t.kind = ENVELOPE_LOCAL;
	return t;
}

static void
on_resolve(void *ctx, struct str address, struct queue_ask *ask)
{
	struct world *w = ctx;
	enum act what = act(w, "resolve", address);
	struct queue_answer a = answer(what == ACT_TEMP ? QUEUE_TEMP : QUEUE_PERM);
	struct envelope_target t;
	struct buf user;

	if (lost(w))
		return;
	buf_init(&user, 200);
	t = target_of(address, &user);
	if (what == ACT_TEMP || what == ACT_PERM)
		queue_answer(ask, &a, 1);
	else if (what == ACT_OK)
		queue_answer_targets(ask, &t, 1);
	else
		queue_answer_gone(ask);
	buf_fini(&user);
}

/* --- other hosts -------------------------------------------------------------------------------------------------- */

static void
on_destination(void *ctx, struct str domain, struct queue_destination *out)
{
	struct world *w = ctx;

	*out = (struct queue_destination){ .sts = true };
	if (w->route != NULL)
		w->route(w, domain, out);
	else
		put_text(out->name, sizeof out->name, domain); /* canonical already */
}

static void
add_sent(struct world *w, const struct queue_job *job, struct str address)
{
	struct sent *s;

	w->sent = mem_resize(w->sent, (w->nsent + 1) * sizeof *w->sent);
	s = &w->sent[w->nsent++];
	*s = (struct sent){ .qid = job->qid };
	put_text(s->destination, sizeof s->destination, job->destination);
	put_text(s->address, sizeof s->address, address);
	put_text(s->sts, sizeof s->sts, str_sub(job->sts, 0, sizeof s->sts - 1));
}

static const struct {
	enum queue_verdict verdict;
	enum queue_reach reach;
	const char *status, *text;
	bool said;
} remotes[] = {
	[REMOTE_LATER] = { QUEUE_TEMP, QUEUE_REACHED, "4.2.1", "451 4.2.1 try later", true },
	[REMOTE_TAKE] = { QUEUE_DONE, QUEUE_REACHED, "2.0.0", "250 2.0.0 accepted", true },
	[REMOTE_REFUSE] = { QUEUE_PERM, QUEUE_REACHED, "5.1.1", "550 5.1.1 no such user", true },
	[REMOTE_DEAD] = { QUEUE_TEMP, QUEUE_UNREACHED, "4.4.1", "no host answers", false },
	[REMOTE_NO_DOMAIN] = { QUEUE_PERM, QUEUE_UNREACHED, "5.1.2", "no such domain", false },
	[REMOTE_CROWDED] = { QUEUE_TEMP, QUEUE_CROWDED, "4.7.0", "421 4.7.0 too many connections", true },
};

static void
answer_job(struct world *w, const struct queue_job *job, enum remote how, struct queue_ask *ask)
{
	static const enum remote mix[] = { REMOTE_TAKE, REMOTE_REFUSE, REMOTE_LATER };
	struct queue_relayed_rcpt rcpts[QUEUE_JOB_MAX] = { { 0 } };
	struct queue_relayed r = { .rcpts = rcpts, .n = job->n, .hops = &w->hop, .nhops = 1 };

	if (how == REMOTE_GONE) {
		queue_answer_gone(ask);
		return;
	}
	for (size_t i = 0; i < job->n; i++) {
		enum remote what = how == REMOTE_MIXED ? mix[i % 3] : how;

		rcpts[i].verdict = remotes[what].verdict;
		rcpts[i].hop = remotes[what].said ? 0 : 1;
		rcpts[i].dsn_passed = w->dsn_passed;
		snprintf(rcpts[i].status, sizeof rcpts[i].status, "%s", remotes[what].status);
		snprintf(rcpts[i].text, sizeof rcpts[i].text, "%s", remotes[what].text);
		r.reach = remotes[what].reach;
		if (what == REMOTE_TAKE)
			add_sent(w, job, job->rcpts[i].address);
	}
	queue_answer_relayed(ask, &r);
}

static void
hold_job(struct world *w, const struct queue_job *job, struct queue_ask *ask)
{
	struct held_job *h;

	w->held = mem_resize(w->held, (w->nheld + 1) * sizeof *w->held);
	h = &w->held[w->nheld++];
	*h = (struct held_job){ .ask = ask, .qid = job->qid, .since = mono_now(), .n = job->n };
	put_text(h->destination, sizeof h->destination, job->destination);
	for (size_t i = 0; i < job->n; i++)
		put_text(h->addresses[i], sizeof h->addresses[i], job->rcpts[i].address);
	w->held_rows += job->n;
}

void
world_release(struct world *w, enum remote how)
{
	struct held_job h;
	struct queue_job_rcpt rcpts[QUEUE_JOB_MAX];
	struct queue_job job = { .rcpts = rcpts };

	assert_true(w->nheld > 0);
	h = w->held[0];
	memmove(w->held, w->held + 1, --w->nheld * sizeof *w->held);
	w->held_rows -= h.n;
	job.qid = h.qid;
	job.destination = str_of(h.destination);
	job.n = h.n;
	for (size_t i = 0; i < h.n; i++)
		rcpts[i] = (struct queue_job_rcpt){ .address = str_of(h.addresses[i]) };
	answer_job(w, &job, how, h.ask);
}

static void
check_job(const struct queue_job *job)
{
	struct envelope_reader r;
	struct err e;

	assert_true(job->n > 0 && job->n <= QUEUE_JOB_MAX);
	assert_true(envelope_open(&r, job->fd, &e));
	assert_true(id_eq(r.envelope.qid, job->qid));
	envelope_close(&r);
}

static void
on_relay(void *ctx, const struct queue_job *job, struct queue_ask *ask)
{
	struct world *w = ctx;
	enum remote how = w->remote != NULL ? w->remote(w, job) : REMOTE_LATER;

	check_job(job);
	w->jobs++;
	if (lost(w))
		return;
	if (how == REMOTE_HANGS)
		hold_job(w, job, ask);
	else
		answer_job(w, job, how, ask);
}

static void
on_sts(void *ctx, struct str domain, struct str known_id, bool refresh, struct queue_ask *ask)
{
	struct world *w = ctx;
	const struct queue_sts none = { .news = QUEUE_STS_NONE, .ttl = 300 };

	w->looks++;
	if (lost(w))
		return;
	if (w->sts != NULL)
		w->sts(w, domain, known_id, refresh, ask);
	else
		queue_answer_sts(ask, &none);
}

size_t
world_sent(const struct world *w, const char *address)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nsent; i++)
		n += strcmp(w->sent[i].address, address) == 0;
	return n;
}

size_t
world_sent_to(const struct world *w, const char *destination)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nsent; i++)
		n += strcmp(w->sent[i].destination, destination) == 0;
	return n;
}

bool
world_logged(const struct world *w, const char *const *words)
{
	struct str rest = str_from(w->log, w->log_n);
	struct str line;

	while (str_cut(&rest, '\n', &line)) {
		const char *const *word = words;

		while (*word != NULL && str_search(line, str_of(*word)) < line.n)
			word++;
		if (*word == NULL)
			return true;
	}
	return false;
}

static const struct queue_ops ops = { .store_of = store_of, .deliver = on_deliver, .settle = on_settle, .resolve = on_resolve,
	.destination = on_destination, .relay = on_relay, .sts = on_sts };

/* --- the world ---------------------------------------------------------------------------------------------------- */

static void
on_guard(void *ctx)
{
	(void)ctx;
	log_panic("the test waits for something that does not come");
}

static void
keep_log(void *ctx, struct str line)
{
	struct world *w = ctx;

	if (w->log_n + line.n > sizeof w->log)
		w->log_n = 0;
	memcpy(w->log + w->log_n, line.p, line.n);
	w->log_n += line.n;
	if (getenv("TEST_LOG") != NULL)
		fwrite(line.p, 1, line.n, stderr);
}

void
world_init(struct world *w)
{
	const char *top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	*w = (struct world){ 0 };
	snprintf(w->dir, sizeof w->dir, "%s/postern-queue-XXXXXX", top);
	assert_non_null(mkdtemp(w->dir));
	clock_fake((struct mono){ 1000000000 }, (struct wall){ 1700000000000000 });
	log_to(keep_log, w);
	w->loop = loop_new();
	w->options.dir = w->dir;
	w->options.proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	w->options.hostname = STR("mx.example.test");
	w->options.postmaster = STR("postmaster@example.test");
	w->options.limits = queue_limits_default();
	w->options.limits.map_bytes = 64 << 20;
	w->options.limits.disk_reserve = 0;
	w->hop = (struct queue_hop){ .host = STR("mx.remote.test"), .ip = STR("192.0.2.25:25"), .wanted = TLS_LEVEL_MAY,
		.got = TLS_LEVEL_ENCRYPT, .why = STR("no policy"), .counted = true, .reason = STR(""), .connect_ms = 12,
		.transfer_ms = 345 };
	loop_timer_init(&w->guard, w->loop, on_guard, w);
}

void
world_open(struct world *w)
{
	struct err e;

	w->q = queue_open(w->loop, &w->options, &ops, w, &e);
	if (w->q == NULL)
		fail_msg("queue_open: %s", e.log);
	w->dead = false;
}

void
world_crash(struct world *w)
{
	queue_close(w->q);
	w->q = NULL;
	w->nheld = w->held_rows = 0;
	drop_prepared(w, NULL, -1);
	loop_turn(w->loop);
	loop_turn(w->loop);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
world_fini(struct world *w)
{
	if (w->q != NULL)
		world_crash(w);
	while (w->ncopies > 0)
		del_copy(w, &w->copies[0]);
	free(w->sent);
	free(w->held);
	loop_timer_fini(&w->guard);
	loop_free(w->loop);
	io_close(&w->options.proc_fd);
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	clock_real();
	log_to(NULL, NULL);
}

static void
turn(struct world *w)
{
	loop_timer_start(&w->guard, 20000);
	loop_once(w->loop);
}

/* Recipients whose results wait for space: the pause of the scheduler ends only when the clock goes on. */
static size_t
unwritten(const struct queue *q)
{
	const struct job *j;
	size_t n = 0;

	TAILQ_FOREACH(j, &q->unwritten, entry)
		n += j->n;
	return n;
}

static bool
under_way(const struct world *w)
{
	const struct queue *q = w->q;

	return q->busy.n + q->marks.n > w->held_rows + unwritten(q) || q->changing > 0 || q->accepting > 0 || q->loading || q->sorting;
}

void
world_idle(struct world *w)
{
	unsigned before;

	do {
		before = w->asked;
		loop_turn(w->loop);
		while (under_way(w)) {
			turn(w);
			loop_turn(w->loop);
		}
		schedule_run(w->q);
	} while (under_way(w) || w->asked != before);
	loop_timer_stop(&w->guard);
}

/* When the queue has something to do next; INT64_MAX: never. */
static int64_t
next_due(struct world *w)
{
	struct ledger_key k = { .number = 0 };
	MDB_txn *t = ledger_read(&w->q->ledger);
	int64_t due = 0;
	int64_t remote = w->q->eligible.n > 0 || !TAILQ_EMPTY(&w->q->unwritten) ? 0 : lane_next_due(w->q);

	if (ledger_next_due(&w->q->ledger, t, &due, &k) != 0)
		due = INT64_MAX;
	mdb_txn_abort(t);
	return due < remote ? due : remote;
}

void
world_settle(struct world *w, int hours)
{
	int64_t end = wall_now().us + (int64_t)hours * 3600 * 1000000;
	int64_t due;

	world_idle(w);
	while ((due = next_due(w)) <= end) {
		if (due > wall_now().us)
			clock_fake_step((due - wall_now().us) / 1000 + 1);
		w->q->pause = mono_now();
		schedule_run(w->q);
		world_idle(w);
	}
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static void
write_one_recipient(struct envelope_writer *ew, const char *to)
{
	struct envelope_recipient r = { .orcpt = STR("") };
	struct envelope_target t;
	struct buf user;

	if (*to == '!')
		r.notify = ENVELOPE_NOTIFY_NEVER;
	if (*to == '+')
		r.notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE;
	r.address = str_of(r.notify != 0 ? to + 1 : to);
	buf_init(&user, 200);
	t = target_of(r.address, &user);
	assert_true(envelope_write_recipient(ew, &r));
	assert_true(envelope_write_target(ew, &t));
	buf_fini(&user);
}

int
world_message(const struct world *w, const char *sender, const char *const *to, size_t size, struct id *qid)
{
	struct envelope e = { .qid = id_new(), .received = wall_now(), .sid = STR("s1"), .client = STR("192.0.2.7"),
		.helo = STR("client.test"), .protocol = STR("ESMTP"), .sender = str_of(sender) };
	struct envelope_writer ew;
	struct err err;
	char *body = mem_new(size + 1);
	int fd = size > ENVELOPE_MEMFD_MAX ? queue_spool_file(w->q, &err) : envelope_memfd();

	memset(body, 'x', size);
	assert_true(fd != -1);
	assert_true(envelope_write_begin(&ew, fd, &e));
	for (; *to != NULL; to++)
		write_one_recipient(&ew, *to);
	assert_true(envelope_write_body(&ew, STR("Subject: test\r\n\r\n")));
	assert_true(envelope_write_body(&ew, str_from(body, size)));
	assert_true(envelope_write_prefix(&ew, STR("Received: by mx.example.test\r\n")));
	assert_true(envelope_write_finish(&ew, 0));
	envelope_write_end(&ew);
	if (size <= ENVELOPE_MEMFD_MAX)
		assert_true(envelope_seal(fd));
	free(body);
	if (qid != NULL)
		*qid = e.qid;
	return fd;
}

static void
on_answer(void *ctx, const struct queue_answer *a)
{
	struct world *w = ctx;

	assert_false(w->answered); /* exactly once */
	w->answered = true;
	w->last = *a;
}

void
world_submit(struct world *w, int fd)
{
	w->answered = false;
	queue_submit(w->q, fd, STR("s1"), on_answer, w);
	assert_false(w->answered); /* never inside the call */
	while (!w->answered && !w->dead)
		turn(w);
	loop_timer_stop(&w->guard);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

size_t
world_copies(const struct world *w, const char *user, const char *detail)
{
	size_t n = 0;

	for (size_t i = 0; i < w->ncopies; i++)
		n += w->copies[i].visible && strcmp(w->copies[i].user, user) == 0 &&
		    (detail == NULL || strcmp(w->copies[i].detail, detail) == 0);
	return n;
}

const struct copy *
world_copy(const struct world *w, const char *user)
{
	for (size_t i = 0; i < w->ncopies; i++)
		if (w->copies[i].visible && strcmp(w->copies[i].user, user) == 0)
			return &w->copies[i];
	return NULL;
}

uint64_t
world_rows(struct world *w)
{
	struct queue_counts c;

	queue_count(w->q, &c);
	assert_true((c.recipients == 0) == (c.messages == 0));
	if (c.messages == 0)
		assert_true(c.bytes == 0);
	return c.recipients;
}

struct looking {
	const char *address;
	struct queue_recipient_info *out;
	char *reason;
	bool found;
};

static void
look_message(void *ctx, const struct queue_message_info *m)
{
	(void)ctx;
	(void)m;
}

static void
look_recipient(void *ctx, const struct queue_recipient_info *r)
{
	struct looking *l = ctx;

	if (!str_eq(r->address, str_of(l->address)))
		return;
	l->found = true;
	*l->out = *r;
	put_text(l->reason, 256, r->reason);
}

bool
world_row(struct world *w, const char *address, struct queue_recipient_info *out, char reason[static 256])
{
	const struct queue_view view = { look_message, look_recipient };
	struct looking l = { address, out, reason, false };
	struct id at = { { 0 } };

	while (queue_list(w->q, &at, 10, &view, &l))
		;
	return l.found;
}
