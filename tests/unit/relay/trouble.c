/* trouble.c - tests of hosts that are away, busy, broken or hostile: what is tried next, and what the answer says. */
#include "outbound.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/core/mem.h>
#include <postern/smtp/out.h>

static const struct peer_script good = { .banner = NULL };

/* --- connecting --- */

static void
a_refused_address_is_followed_by_the_next(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct relay_host *h;
	struct mono began;

	(void)state;
	out_open(&w, "");
	h = out_host(&w, "mx.remote.test");
	out_add_addr(h, refusing_addr("127.0.0.1"));
	w.peers[w.npeers++] = peer_new(w.loop, "127.0.0.1", &good);
	out_add_addr(h, peer_addr(w.peers[0]));
	began = mono_now();
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_true(mono_ms_between(mono_now(), began) < RELAY_STAGGER_MS);
	assert_int_equal(r->nhops, 1);
	out_close(&w);
}

/* RFC 8305 5: IPv6 leads nowhere, IPv4 answers a little later. */
static void
a_black_hole_does_not_hold_up_the_mail(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct relay_host *h;
	struct hole hole;
	int64_t ms;

	(void)state;
	out_open(&w, "");
	hole_open(&hole, "::1");
	h = out_host(&w, "mx.remote.test");
	out_add_addr(h, hole.addr);
	w.peers[w.npeers++] = peer_new(w.loop, "127.0.0.1", &good);
	out_add_addr(h, peer_addr(w.peers[0]));
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	ms = r->hops[0].connect_ms;
	assert_true(ms >= RELAY_STAGGER_MS && ms < 900);
	assert_says(r->ip[0], "127.0.0.1:");
	hole_close(&hole);
	out_close(&w);
}

static void
no_answer_at_all_names_each_address(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct relay_host *h;
	struct hole hole;

	(void)state;
	out_open(&w, "");
	hole_open(&hole, "127.0.0.1");
	h = out_host(&w, "mx.remote.test");
	out_add_addr(h, hole.addr);
	out_add_addr(h, refusing_addr("::1"));
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_TEMP, "4.4.1", "mx.remote.test: ");
	assert_says(r->rcpts[0].text, ": no answer");
	assert_says(r->rcpts[0].text, ": Connection refused");
	assert_int_equal(r->reach, QUEUE_UNREACHED);
	assert_false(r->hops[0].counted);
	hole_close(&hole);
	out_close(&w);
}

static void
no_more_addresses_than_allowed_are_tried(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *last;

	(void)state;
	out_open(&w, "");
	for (int i = 0; i < 2; i++) {
		struct relay_host *h = out_host(&w, "mx.remote.test");

		for (int k = 0; k < 4; k++)
			out_add_addr(h, refusing_addr("127.0.0.1"));
	}
	last = out_server(&w, "mx3.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_TEMP, "4.4.1", "Connection refused");
	assert_int_equal(peer_connections(last), 0);
	out_close(&w);
}

/* Of the family that fits; an address that is not ours is a failure with words, not a connection from elsewhere. */
static void
connections_come_from_the_configured_address(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;
	struct addr source, from;

	(void)state;
	out_open(&w, "relay { source = { \"2001:db8::1\", \"127.0.0.2\", \"127.0.0.3\" } }");
	p = out_server(&w, "mx.remote.test", &good);
	assert_verdict(out_deliver(&w, &(struct out_mail){ .sender = NULL }), 0, QUEUE_DONE, "2.0.0", "250");
	from = peer_client(p);
	assert_true(addr_parse_ip(STR("127.0.0.2"), &source) && addr_eq_ip(&from, &source));
	out_close(&w);
	out_open(&w, "relay { source = { \"192.0.2.1\" } }");
	out_server(&w, "mx.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_TEMP, "4.4.1", "Cannot assign requested address");
	out_close(&w);
}

/* It connects, and then nothing comes of it: so IPv6 looks on a path that loses large packets. */
static void
broken_ipv6_is_left_for_ipv4(void **state)
{
	static const struct peer_script broken[] = { { .banner = "!rst" }, { .ehlo = "!close" }, { .data = "!rst" } };

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct outbound w;
		struct out_result *r;
		struct relay_host *h;

		out_open(&w, "");
		h = out_host(&w, "mx.remote.test");
		w.peers[w.npeers++] = peer_new(w.loop, "::1", &broken[i]);
		w.peers[w.npeers++] = peer_new(w.loop, "127.0.0.1", &good);
		out_add_addr(h, peer_addr(w.peers[0]));
		out_add_addr(h, peer_addr(w.peers[1]));
		r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
		assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
		assert_int_equal(peer_connections(w.peers[0]), 1);
		assert_int_equal(r->nhops, 1);
		assert_says(r->ip[0], "127.0.0.1:");
		assert_says(r->why[0], i == 0 ? "[::1]" : "IPv4 instead of IPv6");
		out_close(&w);
	}
}

/* Without TLS the path is no better: IPv4 means IPv4, and is asked for TLS first. */
static void
broken_ipv6_in_plain_text_is_left_for_ipv4(void **state)
{
	static const struct peer_script broken = {
		.ehlo = "250-mx\r\n250 STARTTLS\r\n", .starttls = "454 4.7.0 not now\r\n", .data = "!rst"
	};
	struct outbound w;
	struct out_result *r;
	struct relay_host *h;

	(void)state;
	out_open(&w, "");
	h = out_host(&w, "mx.remote.test");
	w.peers[w.npeers++] = peer_new(w.loop, "::1", &broken);
	w.peers[w.npeers++] = peer_new(w.loop, "127.0.0.1", &good);
	out_add_addr(h, peer_addr(w.peers[0]));
	out_add_addr(h, peer_addr(w.peers[1]));
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(peer_connections(w.peers[0]), 2);
	assert_says(r->ip[0], "127.0.0.1:");
	assert_false(r->hops[0].plain);
	out_close(&w);
}

/* The host has done nothing: its destination does not rest for it. */
static void
our_own_lack_of_descriptors_is_not_the_host_s_fault(void **state)
{
	struct rlimit was, now;
	struct outbound w;
	struct out_result *r;
	unsigned job;
	int next;

	(void)state;
	out_open(&w, "");
	out_server(&w, "mx.remote.test", &good);
	job = out_send(&w, &(struct out_mail){ .sender = NULL });
	next = dup(0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &was);
	now = (struct rlimit){ (rlim_t)next, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	r = out_wait(&w, job);
	setrlimit(RLIMIT_NOFILE, &was);
	assert_verdict(r, 0, QUEUE_TEMP, "4.4.1", "Too many open files");
	assert_int_equal(r->reach, QUEUE_REACHED);
	out_close(&w);
}

/* --- hosts that do not want us --- */

static const struct {
	struct peer_script script;
	const char *status, *words;
	enum queue_reach reach;
} unwilling[] = {
	{ { .banner = "421 4.3.2 too busy\r\n!close" }, "4.3.2", "421 4.3.2 too busy (in reply to connect)",
	    QUEUE_UNREACHED },
	{ { .banner = "554 5.7.1 go away\r\n!close" }, "4.7.1", "554 5.7.1 go away", QUEUE_UNREACHED },
	{ { .banner = "!close" }, "4.4.2", "the connection broke (at connect)", QUEUE_UNREACHED },
	{ { .ehlo = "!rst" }, "4.4.2", "the connection broke (at EHLO)", QUEUE_UNREACHED },
	{ { .banner = "HTTP/1.1 400 Bad Request\r\n" }, "4.5.0", "at connect", QUEUE_UNREACHED },
	{ { .ehlo = "421 4.7.0 no\r\n" }, "4.7.0", "in reply to EHLO", QUEUE_UNREACHED },
	{ { .ehlo = "250-mx\r\n!endless" }, "4.5.0", "at EHLO", QUEUE_UNREACHED }, /* H13 */
};

static void
an_unwilling_host_is_followed_by_the_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof unwilling / sizeof *unwilling; i++) {
		struct outbound w;
		struct out_result *r;

		out_open(&w, "");
		out_server(&w, "mx1.remote.test", &unwilling[i].script);
		r = out_deliver(&w, &(struct out_mail){ .destination = "one.test" });
		assert_verdict(r, 0, QUEUE_TEMP, unwilling[i].status, unwilling[i].words);
		assert_int_equal(r->reach, unwilling[i].reach);
		assert_says(r->why[0], unwilling[i].words);
		out_server(&w, "mx2.remote.test", &good);
		r = out_deliver(&w, &(struct out_mail){ .destination = "two.test" });
		assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
		assert_int_equal(r->nhops, 2);
		assert_int_equal(r->rcpts[0].hop, 1);
		assert_int_equal(r->reach, QUEUE_REACHED);
		out_close(&w);
	}
}

/* RFC 7504 3: never, from anybody. */
static void
a_host_that_never_takes_mail_is_an_answer(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open(&w, "");
	out_server(&w, "mx.remote.test", &(struct peer_script){ .banner = "521 5.3.2 no mail here\r\n!close" });
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_PERM, "5.3.2", "521 5.3.2 no mail here");
	out_close(&w);
}

/* What is said before TLS can be anybody's word where TLS is demanded: nothing is given up for it. */
static void
a_word_in_the_clear_is_not_final_where_tls_is_demanded(void **state)
{
	static const struct peer_script script = { .banner = "521 5.3.2 no mail here\r\n!close" };

	(void)state;
	for (enum tls_level level = TLS_LEVEL_ENCRYPT; level < TLS_LEVELS; level++) {
		struct outbound w;
		struct out_result *r;

		out_open(&w, "");
		out_server(&w, "mx.remote.test", &script);
		out_demand(&w.hosts[0], level);
		r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
		assert_verdict(r, 0, QUEUE_TEMP, "4.3.2", "521 5.3.2 no mail here");
		out_close(&w);
	}
}

static void
a_server_with_our_name_is_ourselves(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .ehlo = "250 MAIL.example.test greets you\r\n" });
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_PERM, "5.4.6", "our own name");
	assert_null(strstr(peer_heard(p), "MAIL"));
	out_server(&w, "mx2.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	out_close(&w);
}

/* --- hosts that fail in the middle --- */

/* H15: nobody knows whether it was taken. It is not sent to the next host in the same go. */
static void
a_reset_behind_the_dot_leaves_it_open(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *second;

	(void)state;
	out_open(&w, "");
	out_server(&w, "mx1.remote.test", &(struct peer_script){ .end = "!rst" });
	second = out_server(&w, "mx2.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .rcpts = { "a@remote.test", "b@remote.test" } });
	assert_verdict(r, 0, QUEUE_TEMP, "4.4.2", "it may have arrived, and will be sent again");
	assert_verdict(r, 1, QUEUE_TEMP, "4.4.2", "it may have arrived");
	assert_int_equal(peer_connections(second), 0);
	out_close(&w);
}

static void
a_250_counts_whatever_follows_it(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open(&w, "");
	out_server(&w, "mx.remote.test", &(struct peer_script){ .end = "250 2.0.0 mine\r\n!rst" });
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250 2.0.0 mine");
	out_close(&w);
}

static void
a_connection_lost_before_the_end_is_tried_elsewhere(void **state)
{
	static const struct peer_script deaths[] = { { .mail = "!rst" }, { .rcpt = "!close" }, { .data = "!rst" },
		{ .mail = "421 4.3.2 bye\r\n!close" } };

	(void)state;
	for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
		struct outbound w;
		struct out_result *r;

		out_open(&w, "");
		out_server(&w, "mx1.remote.test", &deaths[i]);
		r = out_deliver(&w, &(struct out_mail){ .destination = "one.test" });
		assert_verdict(
		    r, 0, QUEUE_TEMP, i == 3 ? "4.3.2" : "4.4.2", i == 3 ? "421 4.3.2 bye" : "the connection broke");
		assert_int_equal(r->reach, i == 3 ? QUEUE_CROWDED : QUEUE_REACHED);
		out_server(&w, "mx2.remote.test", &good);
		r = out_deliver(&w, &(struct out_mail){ .destination = "two.test" });
		assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
		out_close(&w);
	}
}

/* The same in the middle of the content: the end did not go out, so nobody can have taken it. */
static void
half_a_message_is_none(void **state)
{
	enum { BYTES = 8 << 20 };
	struct outbound w;
	struct out_result *r;
	char *body = mem_new(BYTES);

	(void)state;
	for (size_t i = 0; i < BYTES; i++)
		body[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : 'x';
	out_open(&w, "");
	out_server(&w, "mx1.remote.test", &(struct peer_script){ .ehlo = "250 mx1\r\n", .data = "354 go\r\n!rst" });
	out_server(&w, "mx2.remote.test", &(struct peer_script){ .ehlo = "250 mx2\r\n" });
	r = out_deliver(&w, &(struct out_mail){ .body = body, .body_n = BYTES });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(r->rcpts[0].hop, 1);
	free(body);
	out_close(&w);
}

/* H13: single bytes buy no time. The session's deadlines have tests of their own; here they are kept. */
static void
a_server_that_takes_for_ever_is_left(void **state)
{
	struct outbound w;
	struct out_result *r;
	unsigned job;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	clock_fake(mono_now(), wall_now());
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .mail = "!hang" });
	job = out_send(&w, &(struct out_mail){ .sender = NULL });
	out_run(&w, 100);
	clock_fake_step((SMTP_OUT_COMMAND_SECONDS - 1) * 1000);
	peer_say(p, "2");
	out_run(&w, 50);
	assert_false(w.results[job].done);
	clock_fake_step(1000);
	peer_say(p, "5");
	r = out_wait(&w, job);
	clock_real();
	assert_verdict(r, 0, QUEUE_TEMP, "4.4.2", "the server took too long (at MAIL FROM)");
	out_close(&w);
}

/* One that reads a little before each deadline of the session still has only so long for the whole message. */
static void
a_server_that_reads_for_ever_is_left(void **state)
{
	enum { BYTES = 32 << 20, STEP_S = 170, ALLOWED_S = 2400 + BYTES / 4096 };
	struct outbound w;
	struct peer *p;
	unsigned job, steps = 0;
	char *body = mem_new(BYTES);

	(void)state;
	memset(body, 'x', BYTES);
	for (size_t i = 100; i < BYTES; i += 100)
		memcpy(body + i, "\r\n", 2);
	out_open(&w, "");
	clock_fake(mono_now(), wall_now());
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .ehlo = "250 mx\r\n", .data = "354 go\r\n!slow" });
	job = out_send(&w, &(struct out_mail){ .body = body, .body_n = BYTES });
	while (!w.results[job].done && steps++ < 200) {
		clock_fake_step(STEP_S * 1000);
		peer_read(p);
		out_run(&w, 5);
	}
	clock_real();
	assert_verdict(&w.results[job], 0, QUEUE_TEMP, "4.4.2", "the connection broke (at message)");
	assert_in_range(
	    steps, ALLOWED_S / STEP_S, ALLOWED_S / STEP_S + 15); /* its timer is looked at when bytes move */
	free(body);
	out_close(&w);
}

/* 421 in the middle of a message: what is queued for him is of no use, and he is not waited for until he has read it. */
static void
a_server_that_goes_in_the_middle_is_not_waited_for(void **state)
{
	enum { BYTES = 16 << 20 };
	struct outbound w;
	struct relay_counts c;
	struct peer *p;
	unsigned job;
	char *body = mem_new(BYTES);

	(void)state;
	memset(body, 'x', BYTES);
	for (size_t i = 100; i < BYTES; i += 100)
		memcpy(body + i, "\r\n", 2);
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .ehlo = "250 mx\r\n", .data = "354 go\r\n!slow" });
	job = out_send(&w, &(struct out_mail){ .body = body, .body_n = BYTES });
	out_run(&w, 200);
	assert_false(w.results[job].done);
	peer_say(p, "421 4.3.2 going down\r\n");
	for (int i = 0; i < 1000 && !w.results[job].done; i++) {
		peer_read(p);
		out_run(&w, 1);
	}
	assert_verdict(out_wait(&w, job), 0, QUEUE_TEMP, "4.3.2", "going down");
	out_run(&w, 100);
	relay_count(w.relay, &c);
	assert_int_equal(c.connections, 0);
	free(body);
	out_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_address_is_followed_by_the_next),
		cmocka_unit_test(a_black_hole_does_not_hold_up_the_mail),
		cmocka_unit_test(no_answer_at_all_names_each_address),
		cmocka_unit_test(no_more_addresses_than_allowed_are_tried),
		cmocka_unit_test(connections_come_from_the_configured_address),
		cmocka_unit_test(broken_ipv6_is_left_for_ipv4),
		cmocka_unit_test(broken_ipv6_in_plain_text_is_left_for_ipv4),
		cmocka_unit_test(our_own_lack_of_descriptors_is_not_the_host_s_fault),
		cmocka_unit_test(an_unwilling_host_is_followed_by_the_next),
		cmocka_unit_test(a_host_that_never_takes_mail_is_an_answer),
		cmocka_unit_test(a_word_in_the_clear_is_not_final_where_tls_is_demanded),
		cmocka_unit_test(a_server_with_our_name_is_ourselves),
		cmocka_unit_test(a_reset_behind_the_dot_leaves_it_open),
		cmocka_unit_test(a_250_counts_whatever_follows_it),
		cmocka_unit_test(a_connection_lost_before_the_end_is_tried_elsewhere),
		cmocka_unit_test(half_a_message_is_none),
		cmocka_unit_test(a_server_that_takes_for_ever_is_left),
		cmocka_unit_test(a_server_that_reads_for_ever_is_left),
		cmocka_unit_test(a_server_that_goes_in_the_middle_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
