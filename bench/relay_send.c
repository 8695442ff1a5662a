/* relay_send.c - how many messages a second one relay process sends: to a sink, so many jobs under way at a time.
 *
 *   bench_relay_send HOST:PORT JOBS SECONDS BYTES
 *
 * The sink is bench/smtp_sink, or any server that takes mail for b@sink.test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/message/envelope.h>
#include <postern/relay/relay.h>

static struct relay *relay;
static struct loop *loop;
static struct mono end;
static int message;
static unsigned long done, failed, under_way;

static struct str
password(void *ctx, const struct conf_route *route)
{
	(void)ctx;
	(void)route;
	return STR("");
}

static const struct relay_ops ops = { .password = password };

static int
write_message(size_t bytes)
{
	struct envelope_writer w;
	struct envelope e = { .qid = id_new(),
		.received = wall_now(),
		.sid = STR("sid"),
		.helo = STR("h"),
		.protocol = STR("ESMTP"),
		.sender = STR("a@example.test") };
	struct envelope_recipient r = { .address = STR("b@sink.test") };
	struct envelope_target t = { .kind = ENVELOPE_REMOTE, .address = STR("b@sink.test") };
	int fd = envelope_memfd();

	envelope_write_begin(&w, fd, &e);
	envelope_write_recipient(&w, &r);
	envelope_write_target(&w, &t);
	envelope_write_body(&w, STR("Subject: measured\r\n\r\n"));
	for (size_t n = 0; n < bytes; n += 64)
		envelope_write_body(&w, STR("a line of sixty-four bytes, as they come in any message of text\r\n"));
	if (!envelope_write_finish(&w, 0))
		log_fatal("message: %s", w.err.log);
	envelope_write_end(&w);
	return fd;
}

static void send_one(void *ctx);

static void
on_done(void *ctx, const struct queue_relayed *result)
{
	bool ok = result->rcpts[0].verdict == QUEUE_DONE;

	(void)ctx;
	under_way--;
	done += ok;
	failed += !ok;
	if (!ok && failed < 4)
		fprintf(stderr, "%s %s\n", result->rcpts[0].status, result->rcpts[0].text);
	if (mono_before(mono_now(), end) && failed < 1000)
		send_one(NULL);
	else if (under_way == 0)
		loop_stop(loop);
}

static void
send_one(void *ctx)
{
	const struct queue_job_rcpt rcpt = { .address = STR("b@sink.test") };
	const struct queue_job job = { .qid = id_new(), .sid = STR("sid"), .destination = STR("sink.test"),
		.sender = STR("a@example.test"), .rcpts = &rcpt, .n = 1, .fd = message };

	(void)ctx;
	under_way++;
	relay_send(relay, &job, on_done, NULL);
}

static double
cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int
main(int argc, char **argv)
{
	char text[512];
	struct conf_errors errors;
	struct conf *conf;
	double before;
	long jobs, seconds;

	if (argc != 5) {
		fprintf(stderr, "usage: bench_relay_send HOST:PORT JOBS SECONDS BYTES\n");
		return 2;
	}
	jobs = atol(argv[2]);
	seconds = atol(argv[3]);
	snprintf(text, sizeof text,
	    "hostname = \"mail.example.test\"\ndomains = { \"example.test\" }\n"
	    "route \"sink.test\" { to = \"%s\"  tls = none }\n",
	    argv[1]);
	conf_errors_init(&errors);
	conf = conf_parse(str_of(text), "bench", &errors);
	if (conf == NULL)
		log_fatal("%s", errors.v[0].text);
	loop = loop_new();
	message = write_message((size_t)atol(argv[4]));
	relay = relay_new(loop, conf, tls_client_new(), &ops, NULL);
	before = cpu();
	end = mono_add_ms(mono_now(), seconds * 1000);
	for (long i = 0; i < jobs; i++)
		send_one(NULL);
	loop_run(loop);
	printf("%.0f messages/s, %.3f CPU-s per 1000, %lu failed\n", (double)done / (double)seconds,
	    (cpu() - before) * 1000 / (double)(done > 0 ? done : 1), failed);
	relay_free(relay);
	return 0;
}
