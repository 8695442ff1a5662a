/* store.c - what the store alone can do: deliveries a second, scans, large requests.
 *
 *   bench_store DIRECTORY      a directory on the file system to be measured (journaled, or the figures mean little) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/core/loop.h>
#include <postern/core/mem.h>
#include <postern/store/deliver.h>
#include <postern/store/request.h>
#include <postern/store/user.h>

enum { USERS = 10, SECONDS = 3, SIZE = 4096, MANY = 100000 };

struct bench {
	struct loop *loop;
	struct store *s;
	struct store_user *u;
	uint64_t delivered, failed;
	unsigned flying;
	struct mono end;
	bool answered;
	uint32_t mailbox;
	unsigned next;
};

static double
seconds_since(struct mono t)
{
	return (double)(mono_now().ns - t.ns) / 1e9;
}

static double
cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void deliver(struct bench *b);

static void
on_delivered(void *ctx, const struct store_outcome *o, size_t n)
{
	struct bench *b = ctx;

	b->flying--;
	if (n == 1 && o[0].state == STORE_STORED)
		b->delivered++;
	else
		b->failed++;
	if (mono_before(mono_now(), b->end))
		deliver(b);
}

static void
deliver(struct bench *b)
{
	static char body[SIZE];
	char user[40];
	struct store_target target = { .head = STR("Return-Path: <a@example.test>\r\nDelivered-To: <b@example.test>\r\n") };
	struct store_delivery d = { .id = id_new(), .parts = { { 0, SIZE } }, .targets = &target, .ntargets = 1 };

	memset(body, 'x', sizeof body - 2);
	memcpy(body + SIZE - 2, "\r\n", 2);
	snprintf(user, sizeof user, "user%u@example.test", b->next++ % USERS);
	target.user = str_of(user);
	d.fd = memfd_create("m", MFD_CLOEXEC);
	if (!io_write_all(d.fd, str_from(body, SIZE)))
		exit(1);
	b->flying++;
	store_deliver(b->s, &d, STORE_DELIVER_WHOLE, (struct store_delivered){ on_delivered, b });
}

static void
measure_deliveries(struct bench *b, unsigned at_once)
{
	struct mono start = mono_now();
	double used = cpu();

	b->delivered = b->failed = 0;
	b->end = mono_add_ms(start, SECONDS * 1000);
	for (unsigned i = 0; i < at_once; i++)
		deliver(b);
	while (b->flying > 0)
		loop_once(b->loop);
	printf("deliver %3u at once: %7.0f/s, %.3f CPU-s per 1000, %llu failed\n", at_once,
	    (double)b->delivered / seconds_since(start), (cpu() - used) * 1000 / (double)b->delivered,
	    (unsigned long long)b->failed);
	store_settle(b->s);
}

static void
on_user(void *ctx, struct store_user *u, const struct err *e)
{
	struct bench *b = ctx;

	if (u == NULL) {
		fprintf(stderr, "%s\n", e->log);
		exit(1);
	}
	b->u = u;
	b->answered = true;
}

static void
on_done(void *ctx, const struct store_result *r)
{
	struct bench *b = ctx;

	if (r->code != STORE_OK) {
		fprintf(stderr, "%s\n", r->err->log);
		exit(1);
	}
	b->mailbox = r->mailbox;
	b->answered = true;
}

/* The request that was just submitted. */
static void
timed(struct bench *b, const char *what, struct mono start)
{
	double used = cpu(), took, cost;

	while (!b->answered)
		loop_once(b->loop);
	b->answered = false;
	took = seconds_since(start) * 1000;
	cost = (cpu() - used) * 1000;
	start = mono_now();
	used = cpu();
	store_settle(b->s);
	printf("%-28s %8.1f ms, %7.1f ms of CPU; in the background %8.1f ms, %7.1f ms of CPU\n", what, took, cost,
	    seconds_since(start) * 1000, (cpu() - used) * 1000);
}

static void
fill(struct bench *b, uint32_t inbox)
{
	enum { AT_ONCE = 1000 };
	struct store_new m[AT_ONCE];
	struct err e;

	for (unsigned i = 0; i < MANY / AT_ONCE; i++) {
		for (unsigned k = 0; k < AT_ONCE; k++) {
			m[k] = (struct store_new){ .stage = store_stage_new(b->u), .internal_date = STORE_DATE_NOW };
			store_stage_write(m[k].stage, STR("Subject: x\r\n\r\nx\r\n"), &e);
		}
		store_append(b->u, inbox, m, AT_ONCE, 0, (struct store_done){ .fn = on_done, .ctx = b });
		while (!b->answered)
			loop_once(b->loop);
		b->answered = false;
	}
	store_settle(b->s);
}

static void
scan(struct bench *b, uint32_t inbox)
{
	struct err e;
	struct store_view *v = store_view_open(b->u, &e);
	struct store_message m;
	struct store_scan s;
	double used = cpu(); /* not the clock: the machine may have other work */
	uint64_t n = 0;

	for (int round = 0; round < 10; round++) {
		store_scan_open(&s, v, inbox, 1);
		while (store_scan_next(&s, &m))
			n++;
		store_scan_close(&s);
	}
	printf("%-28s %8.1f ns of CPU per message\n", "scan", (cpu() - used) * 1e9 / (double)n);
	store_view_close(v);
}

static void
large(struct bench *b)
{
	struct uidset all;
	struct store_flags f = { .uids = &all, .mode = STORE_FLAGS_ADD, .flags = STORE_SEEN };
	struct store_done done = { .fn = on_done, .ctx = b };
	struct err e;
	struct store_view *v;
	uint32_t inbox, copy;

	store_user_open(b->s, STR("large@example.test"), on_user, b);
	while (!b->answered)
		loop_once(b->loop);
	b->answered = false;
	v = store_view_open(b->u, &e);
	f.mailbox = inbox = store_find(v, STR("INBOX"));
	store_view_close(v);
	fill(b, inbox);
	scan(b, inbox);
	uidset_init(&all);
	uidset_add(&all, 1, UINT32_MAX);
	store_refresh(b->u, inbox, done);
	timed(b, "look at 100000, changed", mono_now());
	sleep(3);
	store_refresh(b->u, inbox, done);
	timed(b, "look at 100000, settling", mono_now());
	store_refresh(b->u, inbox, done);
	timed(b, "look at 100000, unchanged", mono_now());
	store_flags(b->u, &f, done);
	timed(b, "STORE 1:* of 100000", mono_now());
	store_create(b->u, STR("copy"), STORE_USE_NONE, done);
	timed(b, "create", mono_now());
	copy = b->mailbox;
	store_copy(b->u, inbox, &all, copy, 0, done);
	timed(b, "COPY 1:* of 100000", mono_now());
	f.mailbox = copy;
	f.flags = STORE_DELETED;
	store_flags(b->u, &f, done);
	timed(b, "STORE +\\Deleted", mono_now());
	store_expunge(b->u, copy, NULL, done);
	timed(b, "EXPUNGE of 100000", mono_now());
	store_move(b->u, inbox, &all, copy, done);
	timed(b, "MOVE 1:* of 100000", mono_now());
	store_user_unref(b->u);
	uidset_fini(&all);
}

int
main(int argc, char **argv)
{
	struct bench b = { .loop = loop_new() };
	struct store_config c = { .loop = b.loop, .root = argc > 1 ? argv[1] : "", .host = "bench", .threads = 2 };
	struct err e;

	log_setup(2, "bench", LOG_TEXT, LEVEL_ERROR);
	b.s = argc > 1 ? store_open(&c, &e) : NULL;
	if (b.s == NULL) {
		fprintf(stderr, "usage: bench_store DIRECTORY\n");
		return 2;
	}
	b.end = mono_add_ms(mono_now(), 300); /* everybody is opened once */
	for (unsigned i = 0; i < USERS; i++)
		deliver(&b);
	while (b.flying > 0)
		loop_once(b.loop);
	measure_deliveries(&b, 1);
	measure_deliveries(&b, 20);
	measure_deliveries(&b, 100);
	if (argc > 2 && strcmp(argv[2], "short") == 0)
		return 0;
	large(&b);
	store_close(b.s);
	loop_free(b.loop);
	return 0;
}
