/* kill.c - kill -9 over a real ledger: a child accepts messages as fast as it can into stores made of files, and for another host
 * that writes files, and tells what it acknowledged; it is killed at any instant, started again, and at the end each acknowledged
 * recipient is in exactly one place. The other host may have a message twice: taken, and killed before that was noted.
 *
 * Message n comes from n<n>@far.test; its copies are files <user>.<n>.<delivery id>, remote.n<n>.<random id> elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "../../../src/queue/schedule.h"
#include "../../../src/queue/state.h"

enum { ROUNDS = 12, MESSAGES_MAX = 100000, UNDER_WAY = 20 };

static char top[64];
static int mail = -1;  /* visible */
static int ready = -1; /* prepared */
static bool healthy;
static int acks = -1;
static struct queue *queue;
static uint32_t next_number;

/* --- stores made of files ----------------------------------------------------------------------------------------- */

static unsigned
store_of(void *ctx, struct str user)
{
	(void)ctx;
	return (unsigned)user.p[0] & 1U;
}

static void
name_of(char out[static 128], const char *user, struct str sender, struct id id)
{
	char text[ID_TEXT_SIZE];

	id_text(id, text);
	snprintf(out, 128, "%s.%.*s.%s", user, (int)str_find(sender, '@'), sender.p, text);
}

static bool
put_copy(const struct queue_delivery *d, const struct queue_target *t)
{
	char name[128], user[64];
	struct envelope_reader r;
	struct err e;
	struct buf b;
	int fd;

	snprintf(user, sizeof user, "%.*s", (int)str_find(t->user, '@'), t->user.p);
	name_of(name, user, d->sender, d->id);
	if (faccessat(mail, name, F_OK, 0) == 0)
		return true;
	buf_init(&b, SIZE_MAX);
	if (!envelope_open(&r, d->fd, &e) || !envelope_read_message(&r, 0, SIZE_MAX / 2, &b, &e))
		_exit(3);
	envelope_close(&r);
	fd = openat(ready, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1 || !io_write_all(fd, buf_str(&b)))
		_exit(4);
	close(fd);
	buf_fini(&b);
	return true;
}

static void
each_ready(struct id id, bool publish)
{
	char text[ID_TEXT_SIZE];
	DIR *d = fdopendir(openat(ready, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *f;

	id_text(id, text);
	while ((f = readdir(d)) != NULL) {
		if (!str_ends(str_of(f->d_name), str_of(text)))
			continue;
		if (publish)
			renameat(ready, f->d_name, mail, f->d_name);
		else
			unlinkat(ready, f->d_name, 0);
	}
	closedir(d);
}

static bool
one_in(unsigned n)
{
	return !healthy && randombytes_uniform(n) == 0;
}

static void
deliver(void *ctx, const struct queue_delivery *d, struct queue_ask *ask)
{
	struct queue_answer a[QUEUE_BATCH_MAX] = { 0 };
	bool all = true;

	(void)ctx;
	if (one_in(10)) {
		queue_answer_gone(ask);
		return;
	}
	for (size_t i = 0; i < d->n; i++) {
		bool take = !one_in(5) && put_copy(d, &d->targets[i]);

		a[i].verdict = take ? QUEUE_DONE : QUEUE_TEMP;
		all = all && take;
	}
	if (d->mode == QUEUE_DELIVER && all)
		each_ready(d->id, true);
	for (size_t i = 0; i < d->n && d->mode == QUEUE_DELIVER && !all; i++)
		if (a[i].verdict == QUEUE_DONE)
			a[i].verdict = QUEUE_PREPARED;
	queue_answer(ask, a, d->n);
}

static void
settle(void *ctx, unsigned store, enum queue_settle how, struct id id, size_t n, struct queue_ask *ask)
{
	struct queue_answer a[QUEUE_BATCH_MAX] = { 0 };

	(void)ctx;
	(void)store;
	if (one_in(20)) {
		each_ready(id, false);
		queue_answer_gone(ask);
		return;
	}
	each_ready(id, how == QUEUE_PUBLISH);
	queue_answer(ask, a, n);
}

static void
resolve(void *ctx, struct str address, struct queue_ask *ask)
{
	(void)ctx;
	(void)address;
	queue_answer_gone(ask);
}

static void
destination(void *ctx, struct str domain, struct queue_destination *out)
{
	(void)ctx;
	*out = (struct queue_destination){ .sts = false };
	memcpy(out->name, domain.p, domain.n);
}

static void
take_remote(const struct queue_job *job)
{
	char name[128];
	int fd;

	name_of(name, "remote", job->sender, id_new());
	fd = openat(mail, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		_exit(9);
	close(fd);
}

static void
relay(void *ctx, const struct queue_job *job, struct queue_ask *ask)
{
	struct queue_relayed_rcpt r = { .verdict = one_in(4) ? QUEUE_TEMP : QUEUE_DONE };
	const struct queue_relayed result = { .reach = one_in(50) ? QUEUE_CROWDED : QUEUE_REACHED, .rcpts = &r, .n = 1 };

	(void)ctx;
	if (job->n != 1)
		_exit(10);
	if (r.verdict == QUEUE_DONE)
		take_remote(job);
	if (r.verdict == QUEUE_TEMP && one_in(10))
		queue_answer_gone(ask);
	else
		queue_answer_relayed(ask, &result);
}

static const struct queue_ops ops = { .store_of = store_of, .deliver = deliver, .settle = settle, .resolve = resolve,
	.destination = destination, .relay = relay };

/* --- the child ---------------------------------------------------------------------------------------------------- */

static void
open_queue(struct loop *loop)
{
	struct queue_options o = { .dir = top, .proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC),
		.hostname = STR("mx.test"), .limits = queue_limits_default() };
	struct err e;

	o.limits.map_bytes = 256 << 20;
	o.limits.disk_reserve = 0;
	queue = queue_open(loop, &o, &ops, NULL, &e);
	if (queue == NULL)
		_exit(5);
}

static void
add_to(struct envelope_writer *w, const char *address, enum envelope_target_kind kind)
{
	const struct envelope_recipient r = { 0, str_of(address), STR("") };
	const struct envelope_target t = { kind, str_of(address), STR("") };

	envelope_write_recipient(w, &r);
	envelope_write_target(w, &t);
}

static int
make_message(uint32_t n)
{
	static char body[80000];
	char sender[32];
	struct envelope v = { .qid = id_new(), .received = wall_now() };
	struct envelope_writer w;
	int fd = envelope_memfd();

	snprintf(sender, sizeof sender, "n%u@far.test", n);
	v.sender = str_of(sender);
	envelope_write_begin(&w, fd, &v);
	add_to(&w, "bob@x.test", ENVELOPE_LOCAL);
	if (n % 2 == 1)
		add_to(&w, "alice@x.test", ENVELOPE_LOCAL);
	if (n % 3 == 0)
		add_to(&w, "remote@far.test", ENVELOPE_REMOTE);
	memset(body, 'x', sizeof body);
	envelope_write_body(&w, str_from(body, n % 7 == 0 ? sizeof body : 500));
	if (!envelope_write_finish(&w, 0) || !envelope_seal(fd))
		_exit(6);
	envelope_write_end(&w);
	return fd;
}

static void submit_next(void);

static void
on_done(void *ctx, const struct queue_answer *a)
{
	uint32_t n = (uint32_t)(uintptr_t)ctx;

	if (a->verdict == QUEUE_DONE && write(acks, &n, sizeof n) != sizeof n)
		_exit(7);
	submit_next();
}

static void
submit_next(void)
{
	uint32_t n = next_number++;

	queue_submit(queue, make_message(n), STR("s"), on_done, (void *)(uintptr_t)n);
}

static void
drop_prepared(void)
{
	DIR *d = fdopendir(openat(ready, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *f;

	while ((f = readdir(d)) != NULL)
		unlinkat(ready, f->d_name, 0);
	closedir(d);
}

_Noreturn static void
child_accept(void)
{
	struct loop *loop = loop_new();

	drop_prepared();
	open_queue(loop);
	for (int i = 0; i < UNDER_WAY; i++)
		submit_next();
	loop_run(loop);
	_exit(8);
}

static bool
any_owed(void)
{
	struct ledger_key k = { .number = 0 };
	int64_t due = 0;
	MDB_txn *t = ledger_read(&queue->ledger);
	bool any = ledger_next_due(&queue->ledger, t, &due, &k) == 0; /* deadlines of remote ones are there, too */

	mdb_txn_abort(t);
	return any;
}

/* Delivers all that is owed: an hour later, with stores that work. */
_Noreturn static void
child_settle(void)
{
	struct loop *loop = loop_new();

	healthy = true;
	drop_prepared();
	clock_fake(mono_now(), (struct wall){ wall_now().us + 3600000000 });
	open_queue(loop);
	while (any_owed() || queue->busy.n + queue->marks.n > 0 || queue->changing > 0)
		loop_once(loop);
	queue_close(queue);
	loop_free(loop);
	_exit(0);
}

/* --- the checker -------------------------------------------------------------------------------------------------- */

static uint8_t *acked, *bobs, *alices, *remotes;

static void
count_copies(void)
{
	DIR *d = fdopendir(openat(mail, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *f;
	struct stat st;
	unsigned n;

	while ((f = readdir(d)) != NULL) {
		const char *number = strstr(f->d_name, ".n");

		if (number == NULL || sscanf(number, ".n%u.", &n) != 1 || n >= MESSAGES_MAX)
			continue;
		assert_int_equal(fstatat(mail, f->d_name, &st, 0), 0);
		if (f->d_name[0] == 'r') {
			remotes[n]++;
			continue;
		}
		assert_int_equal(st.st_size, n % 7 == 0 ? 80000 : 500);
		(f->d_name[0] == 'b' ? bobs : alices)[n]++;
	}
	closedir(d);
}

static void
nothing_is_left(void)
{
	struct loop *loop = loop_new();
	struct queue_counts c;

	open_queue(loop);
	queue_count(queue, &c);
	assert_true(c.messages == 0 && c.recipients == 0 && c.bytes == 0);
	queue_close(queue);
	loop_free(loop);
}

static void
check(void)
{
	unsigned n_acked = 0, twice = 0;

	count_copies();
	nothing_is_left();
	for (unsigned n = 0; n < MESSAGES_MAX; n++) {
		unsigned alice = n % 2 == 1, remote = n % 3 == 0;

		n_acked += acked[n];
		twice += remotes[n] > 1;
		if (acked[n] && (bobs[n] != 1 || alices[n] != alice || (remotes[n] >= 1) != remote))
			fail_msg("message %u: bob %u, alice %u of %u, remote %u of %u", n, bobs[n], alices[n], alice,
			    remotes[n], remote);
		assert_true(bobs[n] <= 1 && alices[n] <= alice && remotes[n] <= remote + ROUNDS);
	}
	print_message("%u messages acknowledged, %u twice at the other host\n", n_acked, twice);
	assert_true(n_acked > ROUNDS);
	assert_true(twice <= ROUNDS * UNDER_WAY);
}

/* --- the parent --------------------------------------------------------------------------------------------------- */

static void
read_acks(int fd)
{
	uint32_t n;

	while (read(fd, &n, sizeof n) == sizeof n) {
		assert_true(n < MESSAGES_MAX);
		acked[n] = 1;
	}
}

/* The pipe holds what the child wrote before it died. */
static void
one_round(unsigned round)
{
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 1 << 18) > 0, 1);
	next_number = round * (MESSAGES_MAX / ROUNDS);
	pid = fork();
	if (pid == 0) {
		acks = ends[1];
		child_accept();
	}
	close(ends[1]);
	usleep(60000 + randombytes_uniform(80000));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* not an exit of its own */
	read_acks(ends[0]);
	close(ends[0]);
}

static void
settle_all(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		child_settle();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
no_log(void *ctx, struct str line)
{
	(void)ctx;
	(void)line;
}

static void
killed_at_any_instant(void **state)
{
	(void)state;
	snprintf(top, sizeof top, "/tmp/postern-kill-XXXXXX");
	assert_non_null(mkdtemp(top));
	log_to(no_log, NULL);
	int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(dir, "mail", 0700), 0);
	assert_int_equal(mkdirat(dir, "ready", 0700), 0);
	mail = openat(dir, "mail", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ready = openat(dir, "ready", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	acked = mem_new(MESSAGES_MAX);
	bobs = mem_new(MESSAGES_MAX);
	alices = mem_new(MESSAGES_MAX);
	remotes = mem_new(MESSAGES_MAX);
	for (unsigned round = 0; round < ROUNDS; round++)
		one_round(round);
	settle_all();
	check();
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	close(dir);
	close(mail);
	close(ready);
	free(acked);
	free(bobs);
	free(alices);
	free(remotes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(killed_at_any_instant) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
