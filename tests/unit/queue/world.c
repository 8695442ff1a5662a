/* world.c - stores, auth, clock and message files for the queue's tests. */
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

static const struct queue_ops ops = { .store_of = store_of, .deliver = on_deliver, .settle = on_settle, .resolve = on_resolve };

/* --- the world ---------------------------------------------------------------------------------------------------- */

static void
on_guard(void *ctx)
{
	(void)ctx;
	log_panic("the test waits for something that does not come");
}

static void
no_log(void *ctx, struct str line)
{
	(void)ctx;
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
	log_to(no_log, NULL);
	w->loop = loop_new();
	w->options.dir = w->dir;
	w->options.proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	w->options.hostname = STR("mx.example.test");
	w->options.postmaster = STR("postmaster@example.test");
	w->options.limits = queue_limits_default();
	w->options.limits.map_bytes = 64 << 20;
	w->options.limits.disk_reserve = 0;
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

void
world_idle(struct world *w)
{
	loop_turn(w->loop);
	while (w->q->busy.n > 0 || w->q->changing > 0 || w->q->accepting > 0) {
		turn(w);
		loop_turn(w->loop);
	}
	loop_timer_stop(&w->guard);
}

static bool
anything_due(struct world *w, int64_t *due)
{
	struct ledger_key k = { .number = 0 };
	MDB_txn *t = ledger_read(&w->q->ledger);
	bool any;

	*due = 0;
	any = ledger_next_due(&w->q->ledger, t, due, &k) == 0;
	mdb_txn_abort(t);
	return any;
}

void
world_settle(struct world *w, int hours)
{
	int64_t end = wall_now().us + (int64_t)hours * 3600 * 1000000;
	int64_t due;

	world_idle(w);
	while (anything_due(w, &due) && due <= end) {
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
