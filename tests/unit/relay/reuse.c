/* reuse.c - tests of connections that stay open: who may use them, who may not, when they go; limits; the end. */
#include "outbound.h"

#include <time.h>

#include <postern/message/envelope.h>
#include <postern/smtp/out.h>

static const struct peer_script good = { .banner = NULL };

static struct relay_counts
counts(struct outbound *w)
{
	struct relay_counts c;

	relay_count(w->relay, &c);
	return c;
}

static void
the_next_message_takes_the_same_connection(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &good);
	for (int i = 0; i < 3; i++) {
		r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
		assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
		assert_int_equal(counts(&w).idle, 1);
	}
	assert_int_equal(peer_connections(p), 1);
	assert_int_equal(peer_mails(p), 3);
	assert_int_equal(w.plans, 1);
	assert_false(r->hops[0].counted);
	assert_string_equal(r->host[0], "mx.remote.test");
	assert_says(r->why[0], "the connection was open");
	assert_int_equal(r->hops[0].connect_ms, 0);
	assert_int_equal(counts(&w).connected, 1);
	assert_int_equal(counts(&w).reused, 2);
	assert_int_equal(counts(&w).messages, 3);
	out_close(&w);
}

/* Another destination, another policy, another wish of the message: another connection. */
static void
nobody_else_takes_it(void **state)
{
	static const struct out_mail others[] = {
		{ .destination = "other.test" },
		{ .sts = "version: STSv1\nmode: enforce\nmx: mx.remote.test\nmax_age: 86400\n" },
		{ .flags = ENVELOPE_TLS_OPTIONAL },
		{ .flags = ENVELOPE_REQUIRETLS, .sender = "a@example.test" },
	};
	struct outbound w;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &good);
	out_deliver(&w, &(struct out_mail){ .sender = NULL });
	for (unsigned i = 0; i < sizeof others / sizeof *others; i++) {
		out_deliver(&w, &others[i]);
		assert_int_equal(peer_connections(p), i + 2);
		assert_int_equal(w.plans, i + 2);
	}
	out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_int_equal(peer_connections(p), 5);
	out_close(&w);
}

static void
nor_anybody_under_a_new_configuration(void **state)
{
	struct outbound w;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &good);
	out_deliver(&w, &(struct out_mail){ .sender = NULL });
	out_configure(&w, "relay { connections = 10 }");
	assert_int_equal(counts(&w).idle, 0);
	out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_int_equal(peer_connections(p), 2);
	out_close(&w);
}

/* The snapshot changes while a message is under way: its connection is not kept. */
static void
a_connection_of_an_old_configuration_is_not_kept(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;
	unsigned job;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .end = "!hang" });
	job = out_send(&w, &(struct out_mail){ .sender = NULL });
	out_run(&w, 100);
	out_configure(&w, "relay { connections = 10 }");
	peer_say(p, "250 2.0.0 at last\r\n");
	r = out_wait(&w, job);
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "at last");
	assert_int_equal(counts(&w).idle, 0);
	out_close(&w);
}

static void
what_dns_said_does_not_outlive_its_time(void **state)
{
	static const struct {
		uint32_t ttl;
		int64_t ms;
	} rows[] = { { 0, RELAY_REUSE_MIN_MS }, { 60, 60000 }, { 86400, RELAY_REUSE_MS } };
	struct outbound w;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &good);
	clock_fake(mono_now(), wall_now());
	for (unsigned i = 0; i < 3; i++) {
		w.hosts[0].ttl = rows[i].ttl;
		out_deliver(&w, &(struct out_mail){ .sender = NULL });
		clock_fake_step(rows[i].ms - 1);
		out_deliver(&w, &(struct out_mail){ .sender = NULL });
		assert_int_equal(peer_connections(p), i + 1);
		clock_fake_step(1);
	}
	clock_real();
	out_close(&w);
}

static void
an_idle_connection_says_goodbye(void **state)
{
	struct outbound w;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &good);
	out_deliver(&w, &(struct out_mail){ .sender = NULL });
	out_run(&w, RELAY_IDLE_MS - 500);
	assert_int_equal(counts(&w).idle, 1);
	out_run(&w, 700);
	assert_int_equal(counts(&w).idle, 0);
	assert_int_equal(counts(&w).connections, 0);
	assert_says(peer_heard(p), "QUIT\r\n");
	assert_int_equal(peer_open(p), 0);
	out_close(&w);
}

/* CPU time of this process. */
static int64_t
spent_ms(void)
{
	return (int64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

/* A server that does not answer QUIT holds neither the processor nor the connection. */
static void
a_goodbye_without_an_answer_costs_nothing(void **state)
{
	struct outbound w;
	struct peer *p;
	int64_t before;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .end = "250 2.0.0 ok\r\n!hang" });
	clock_fake(mono_now(), wall_now());
	out_deliver(&w, &(struct out_mail){ .sender = NULL });
	clock_fake_step(RELAY_IDLE_MS);
	out_run(&w, RELAY_IDLE_MS + 100);
	before = spent_ms();
	out_run(&w, 500);
	assert_in_range(spent_ms() - before, 0, 100);
	assert_int_equal(counts(&w).idle, 0); /* nobody is given it any more */
	assert_int_equal(counts(&w).connections, 1);
	clock_fake_step(SMTP_OUT_QUIT_SECONDS * 1000);
	peer_say(p, "2"); /* a part of an answer buys no time */
	out_run(&w, 100);
	assert_int_equal(counts(&w).connections, 0);
	clock_real();
	out_close(&w);
}

/* --- connections that were closed meanwhile --- */

static void
a_server_that_goes_first_is_let_go(void **state)
{
	struct outbound w;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .end = "250 2.0.0 ok\r\n!close", .once = true });
	out_deliver(&w, &(struct out_mail){ .sender = NULL });
	out_run(&w, 100);
	assert_int_equal(counts(&w).idle, 0);
	assert_verdict(out_deliver(&w, &(struct out_mail){ .sender = NULL }), 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(peer_connections(p), 2);
	out_close(&w);
}

/* It seemed open, and the message finds out: nothing was tried yet, so a new connection is made. */
static void
a_connection_that_only_seemed_open_costs_nothing(void **state)
{
	static const char *const ends[] = { "421 4.4.2 idle for too long\r\n!close", "!rst", "!close" };

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct outbound w;
		struct out_result *r;
		struct peer *p;

		out_open(&w, "");
		p = out_server(&w, "mx.remote.test", &(struct peer_script){ .mail_again = ends[i], .once = true });
		out_deliver(&w, &(struct out_mail){ .sender = NULL });
		assert_int_equal(counts(&w).idle, 1);
		r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
		assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
		assert_int_equal(peer_connections(p), 2);
		assert_int_equal(peer_mails(p), 2);
		assert_int_equal(r->nhops, 1);
		assert_true(r->hops[0].counted);
		out_close(&w);
	}
}

static void
what_an_open_connection_puts_off_goes_to_the_next_host(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p[2];

	(void)state;
	out_open(&w, "");
	p[0] =
	    out_server(&w, "mx1.remote.test", &(struct peer_script){ .rcpts = { { "grey@", "450 4.2.0 grey\r\n" } } });
	p[1] = out_server(&w, "mx2.remote.test", &good);
	out_deliver(&w, &(struct out_mail){ .sender = NULL });
	r = out_deliver(&w, &(struct out_mail){ .rcpts = { "b@remote.test", "grey@remote.test" } });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_verdict(r, 1, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(r->rcpts[1].hop, 1);
	assert_int_equal(peer_connections(p[0]), 1);
	assert_int_equal(peer_connections(p[1]), 1);
	out_close(&w);
}

/* --- limits --- */

static void
no_more_connections_than_configured(void **state)
{
	struct outbound w;
	struct peer *p;
	unsigned jobs[3];

	(void)state;
	out_open(&w, "relay { connections = 2 }");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .end = "!hang" });
	for (int i = 0; i < 3; i++)
		jobs[i] = out_send(&w, &(struct out_mail){ .sender = NULL });
	out_run(&w, 100);
	assert_int_equal(peer_connections(p), 2);
	assert_int_equal(counts(&w).jobs, 3);
	peer_say(p, "250 2.0.0 ok\r\n");
	out_wait(&w, jobs[0]);
	out_wait(&w, jobs[1]);
	out_run(&w, 100);
	assert_int_equal(peer_connections(p), 2); /* the third goes over one of them */
	assert_int_equal(counts(&w).reused, 1);
	out_close(&w);
}

/* Connections at rest make room for another destination. */
static void
a_resting_connection_makes_room(void **state)
{
	struct outbound w;
	struct peer *p;

	(void)state;
	out_open(&w, "relay { connections = 1 }");
	p = out_server(&w, "mx.remote.test", &good);
	out_deliver(&w, &(struct out_mail){ .destination = "one.test" });
	assert_int_equal(counts(&w).idle, 1);
	assert_verdict(out_deliver(&w, &(struct out_mail){ .destination = "two.test" }), 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(peer_connections(p), 2);
	assert_int_equal(counts(&w).connections, 1);
	out_close(&w);
}

/* --- the end --- */

static void
on_idle(void *ctx)
{
	((struct outbound *)ctx)->idle = true;
}

static void
a_drain_waits_for_what_is_under_way_and_for_nothing_else(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;
	struct hole hole;
	unsigned sending, connecting, late;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .end = "!hang" });
	sending = out_send(&w, &(struct out_mail){ .sender = NULL });
	out_run(&w, 100);
	hole_open(&hole, "127.0.0.1");
	w.hosts[0].addrs[0] = hole.addr;
	connecting = out_send(&w, &(struct out_mail){ .destination = "other.test" });
	out_run(&w, 50);
	relay_drain(w.relay, on_idle, &w);
	late = out_send(&w, &(struct out_mail){ .destination = "third.test" });
	out_run(&w, 50);
	r = &w.results[connecting];
	assert_true(r->done && w.results[late].done && !w.results[sending].done && !w.idle);
	assert_verdict(r, 0, QUEUE_TEMP, "4.3.2", "about to stop");
	assert_int_equal(r->reach, QUEUE_REACHED);
	peer_say(p, "250 2.0.0 at last\r\n");
	assert_verdict(out_wait(&w, sending), 0, QUEUE_DONE, "2.0.0", "at last");
	assert_int_equal(counts(&w).idle, 0);
	assert_false(w.idle);
	peer_say(p, "221 2.0.0 bye\r\n");
	out_run(&w, 100);
	assert_true(w.idle);
	assert_int_equal(counts(&w).connections, 0);
	hole_close(&hole);
	out_close(&w);
}

static void
a_drain_of_nothing_is_over_at_once(void **state)
{
	struct outbound w;

	(void)state;
	out_open(&w, "");
	relay_drain(w.relay, on_idle, &w);
	assert_false(w.idle);
	out_run(&w, 10);
	assert_true(w.idle);
	out_close(&w);
}

/* Wherever it is: the server has no whole message, and the next job goes its way. */
static void
what_is_abandoned_ends_at_once(void **state)
{
	static const struct peer_script stops[] = { { .banner = "!hang" }, { .ehlo = "!hang" }, { .mail = "!hang" }, { .data = "!hang" } };

	(void)state;
	for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
		struct outbound w;
		struct peer *p;
		unsigned n;

		out_open(&w, "");
		p = out_server(&w, "mx.remote.test", &stops[i]);
		n = out_send(&w, &(struct out_mail){ .sender = NULL });
		out_run(&w, 100);
		assert_false(w.results[n].done);
		relay_abandon(w.relay);
		assert_true(w.results[n].done);
		assert_int_equal(w.results[n].reach, i < 2 ? QUEUE_UNREACHED : QUEUE_REACHED);
		out_run(&w, 50);
		assert_int_equal(counts(&w).jobs, 0);
		assert_int_equal(counts(&w).connections, 0);
		assert_int_equal(peer_open(p), 0);
		assert_int_equal(peer_mails(p), 0);
		out_close(&w);
	}
}

/* In every state a job and a connection can be in. */
static void
it_can_be_freed_at_any_time(void **state)
{
	static const struct peer_script stops[] = { { .banner = "!hang" }, { .ehlo = "!hang" }, { .mail = "!hang" },
		{ .data = "!hang" }, { .end = "!hang" } };

	(void)state;
	for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
		struct outbound w;

		out_open(&w, "relay { connections = 1 }");
		out_server(&w, "mx.remote.test", &stops[i]);
		out_send(&w, &(struct out_mail){ .sender = NULL });
		out_send(&w, &(struct out_mail){ .sender = NULL });
		out_run(&w, i == 0 ? 0 : 50);
		out_close(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_message_takes_the_same_connection),
		cmocka_unit_test(nobody_else_takes_it),
		cmocka_unit_test(nor_anybody_under_a_new_configuration),
		cmocka_unit_test(a_connection_of_an_old_configuration_is_not_kept),
		cmocka_unit_test(what_dns_said_does_not_outlive_its_time),
		cmocka_unit_test(an_idle_connection_says_goodbye),
		cmocka_unit_test(a_goodbye_without_an_answer_costs_nothing),
		cmocka_unit_test(a_server_that_goes_first_is_let_go),
		cmocka_unit_test(a_connection_that_only_seemed_open_costs_nothing),
		cmocka_unit_test(what_an_open_connection_puts_off_goes_to_the_next_host),
		cmocka_unit_test(no_more_connections_than_configured),
		cmocka_unit_test(a_resting_connection_makes_room),
		cmocka_unit_test(a_drain_waits_for_what_is_under_way_and_for_nothing_else),
		cmocka_unit_test(a_drain_of_nothing_is_over_at_once),
		cmocka_unit_test(what_is_abandoned_ends_at_once),
		cmocka_unit_test(it_can_be_freed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
