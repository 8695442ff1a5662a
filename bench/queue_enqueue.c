/* queue_enqueue.c - how many messages a second the ledger takes: mail for another host, from so many submitters at a
 * time.
 *
 *   bench_queue_enqueue DIR SUBMITTERS SECONDS BYTES
 *
 * DIR should be on a journaled file system of its own (docs/bench.md); its queue is left there. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/queue/queue.h>

static struct queue *queue;
static struct loop *loop;
static struct mono end;
static size_t size;
static char *body;
static unsigned long done, failed, under_way;

static unsigned
store_of(void *ctx, struct str user)
{
	(void)ctx;
	(void)user;
	return 0;
}

static void
deliver(void *ctx, const struct queue_delivery *d, struct queue_ask *ask)
{
	(void)ctx;
	(void)d;
	queue_answer_gone(ask);
}

static void
settle(void *ctx, unsigned store, enum queue_settle how, struct id id, size_t n, struct queue_ask *ask)
{
	(void)ctx;
	(void)store;
	(void)how;
	(void)id;
	(void)n;
	queue_answer_gone(ask);
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
	memcpy(out->name, domain.p, domain.n < sizeof out->name ? domain.n : sizeof out->name - 1);
}

/* Nobody is there: the destination rests, and what is measured is taking mail. */
static void
relay(void *ctx, const struct queue_job *job, struct queue_ask *ask)
{
	struct queue_relayed_rcpt rcpts[QUEUE_JOB_MAX] = { { .verdict = QUEUE_TEMP } };
	const struct queue_relayed r = { .reach = QUEUE_UNREACHED, .rcpts = rcpts, .n = job->n };

	(void)ctx;
	for (size_t i = 0; i < job->n; i++)
		rcpts[i].verdict = QUEUE_TEMP;
	queue_answer_relayed(ask, &r);
}

static const struct queue_ops ops = { .store_of = store_of, .deliver = deliver, .settle = settle, .resolve = resolve,
	.destination = destination, .relay = relay };

static int
make_message(void)
{
	const struct envelope e = { .qid = id_new(), .received = wall_now(), .sender = STR("from@here.test") };
	const struct envelope_recipient r = { 0, STR("to@far.test"), STR("") };
	const struct envelope_target t = { ENVELOPE_REMOTE, STR("to@far.test"), STR("") };
	struct envelope_writer w;
	struct err err;
	int fd = size > ENVELOPE_MEMFD_MAX ? queue_spool_file(queue, &err) : envelope_memfd();

	if (fd == -1 || !envelope_write_begin(&w, fd, &e) || !envelope_write_recipient(&w, &r) ||
	    !envelope_write_target(&w, &t) || !envelope_write_body(&w, str_from(body, size)) ||
	    !envelope_write_finish(&w, 0) || (size <= ENVELOPE_MEMFD_MAX && !envelope_seal(fd)))
		log_fatal("cannot write a message");
	envelope_write_end(&w);
	return fd;
}

static void
on_done(void *ctx, const struct queue_answer *a)
{
	(void)ctx;
	if (a->verdict == QUEUE_DONE)
		done++;
	else
		failed++;
	if (mono_before(mono_now(), end))
		queue_submit(queue, make_message(), STR("bench"), on_done, NULL);
	else if (--under_way == 0)
		loop_stop(loop);
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
no_log(void *ctx, struct str line)
{
	(void)ctx;
	(void)line;
}

static void
run(unsigned long submitters, unsigned long seconds)
{
	struct mono start = mono_now();
	struct queue_counts c;
	double cpu = cpu_seconds();
	double took;

	end = mono_add_ms(start, (int64_t)seconds * 1000);
	for (under_way = 0; under_way < submitters; under_way++)
		queue_submit(queue, make_message(), STR("bench"), on_done, NULL);
	loop_run(loop);
	took = (double)mono_ms_between(mono_now(), start) / 1000;
	queue_count(queue, &c);
	printf("%4lu submitters  %7zu bytes  %8.0f/s  %6.1f messages per commit  %.3f CPU-s per 1000  %lu refused\n",
	    submitters, size, (double)done / took, (double)done / (double)c.commits,
	    (cpu_seconds() - cpu) / (double)done * 1000, failed);
}

int
main(int argc, char **argv)
{
	struct queue_options o = { .proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC),
		.hostname = STR("mx.test"), .limits = queue_limits_default() };
	struct err e;

	if (argc != 5) {
		fprintf(stderr, "usage: %s DIR SUBMITTERS SECONDS BYTES\n", argv[0]);
		return 2;
	}
	size = strtoul(argv[4], NULL, 10);
	body = mem_new(size);
	memset(body, 'x', size);
	o.dir = argv[1];
	o.limits.disk_reserve = 0;
	log_to(no_log, NULL);
	loop = loop_new();
	queue = queue_open(loop, &o, &ops, NULL, &e);
	if (queue == NULL) {
		fprintf(stderr, "%s\n", e.log);
		return 1;
	}
	run(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	queue_close(queue);
	loop_free(loop);
	free(body);
	return 0;
}
