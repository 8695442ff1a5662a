/* send.c - tests of jobs over plain connections: what goes over the wire, what each reply means for whom, and what the
 * answer says of it. */
#include "outbound.h"

#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/message/envelope.h>

static const struct peer_script good = { .banner = NULL };

static void
a_message_arrives(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .notify = ENVELOPE_NOTIFY_SUCCESS });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250 2.0.0 accepted (in reply to end of message)");
	assert_true(r->rcpts[0].dsn_passed);
	assert_int_equal(r->reach, QUEUE_REACHED);
	assert_int_equal(r->nhops, 1);
	assert_string_equal(r->host[0], "mx.remote.test");
	assert_says(r->ip[0], "127.0.0.1:");
	assert_says(r->why[0], "no STARTTLS");
	assert_true(r->hops[0].counted && r->hops[0].result == TLSRPT_STARTTLS_NOT_SUPPORTED);
	assert_false(r->hops[0].plain);
	assert_says(peer_heard(p), "EHLO mail.example.test\r\nMAIL FROM:<a@example.test> SIZE=");
	assert_says(peer_heard(p), "RCPT TO:<b@remote.test> NOTIFY=SUCCESS\r\n");
	assert_true(str_eq(peer_mail(p, 0), STR("Received: from here\r\nSubject: hi\r\n\r\n..dot\r\nbody\r\n")));
	out_close(&w);
}

/* More than a connection takes at once. */
static void
a_large_message_arrives_whole(void **state)
{
	enum { LINES = 60000, WIDTH = 70 };
	struct outbound w;
	struct out_result *r;
	struct peer *p;
	char *body = mem_new(LINES * WIDTH);

	(void)state;
	for (size_t i = 0; i < LINES * WIDTH; i++)
		body[i] = i % WIDTH == WIDTH - 2 ? '\r' : i % WIDTH == WIDTH - 1 ? '\n' : (char)('a' + i % 23);
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .ehlo = "250 mx.remote.test\r\n" });
	r = out_deliver(&w, &(struct out_mail){ .body = body, .body_n = LINES * WIDTH });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250 2.0.0 accepted");
	assert_true(str_ends(peer_mail(p, 0), str_from(body, LINES * WIDTH)));
	assert_int_equal(peer_mail(p, 0).n, LINES * WIDTH + strlen("Received: from here\r\n"));
	free(body);
	out_close(&w);
}

/* A09: whatever is stored, the wire has CRLF and stuffed dots, and one message stays one. */
static void
odd_line_ends_cannot_end_the_message(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	p = out_server(&w, "mx.remote.test", &good);
	r = out_deliver(
	    &w, &(struct out_mail){ .body = "Subject: x\n\na\n.\nMAIL FROM:<evil@test>\r.\rRCPT\r\n.\r\n..\nend" });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(peer_mails(p), 1);
	assert_true(
	    str_eq(peer_mail(p, 0), STR("Received: from here\r\nSubject: x\r\n\r\na\r\n..\r\nMAIL FROM:<evil@test> . "
					"RCPT\r\n..\r\n...\r\nend\r\n")));
	assert_null(strstr(peer_heard(p), "evil"));
	out_close(&w);
}

static void
each_recipient_has_an_answer_of_his_own(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open(&w, "");
	out_server(&w, "mx.remote.test",
	    &(struct peer_script){
		.rcpts = { { "gone@", "550 5.1.1 no such user\r\n" }, { "full@", "452 4.2.2 full\r\n" } } });
	r = out_deliver(&w, &(struct out_mail){ .rcpts = { "b@remote.test", "gone@remote.test", "full@remote.test" } });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250 2.0.0 accepted");
	assert_verdict(r, 1, QUEUE_PERM, "5.1.1", "550 5.1.1 no such user (in reply to RCPT TO)");
	assert_verdict(r, 2, QUEUE_TEMP, "4.2.2", "452 4.2.2 full (in reply to RCPT TO)");
	assert_int_equal(r->reach, QUEUE_REACHED);
	assert_int_equal(r->rcpts[1].hop, 0);
	out_close(&w);
}

static void
lmtp_answers_each_recipient_behind_the_message(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open(&w, "route \"remote.test\" { to = \"127.0.0.1:24\" protocol = lmtp }");
	p = out_server(&w, "127.0.0.1",
	    &(struct peer_script){ .lmtp = true, .ends = { NULL, "552 5.2.2 over quota\r\n", "451 4.3.0 later\r\n" } });
	r = out_deliver(&w, &(struct out_mail){ .rcpts = { "a@remote.test", "b@remote.test", "c@remote.test" } });
	assert_says(peer_heard(p), "LHLO mail.example.test\r\n");
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "stored");
	assert_verdict(r, 1, QUEUE_PERM, "5.2.2", "over quota");
	assert_verdict(r, 2, QUEUE_TEMP, "4.3.0", "451 4.3.0 later (in reply to end of message)");
	out_close(&w);
}

/* --- what one server cannot do --- */

static void
eight_bits_are_not_converted(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open(&w, "");
	out_server(&w, "old.remote.test", &(struct peer_script){ .ehlo = "250 old.remote.test\r\n" });
	r = out_deliver(&w, &(struct out_mail){ .flags = ENVELOPE_8BIT, .body = "Subject: x\r\n\r\n\xc3\xa4\r\n" });
	assert_verdict(r, 0, QUEUE_PERM, "5.6.3", "8-bit");
	assert_int_equal(r->reach, QUEUE_REACHED);
	out_close(&w);
}

static void
another_server_may_do_it(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open(&w, "");
	out_server(&w, "old.remote.test", &(struct peer_script){ .ehlo = "250 old.remote.test\r\n" });
	p = out_server(&w, "new.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .flags = ENVELOPE_8BIT, .body = "Subject: x\r\n\r\n\xc3\xa4\r\n" });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(r->rcpts[0].hop, 1);
	assert_says(peer_heard(p), " BODY=8BITMIME");
	out_close(&w);
}

/* --- which host is next --- */

static void
what_one_host_puts_off_another_may_take(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p[2];

	(void)state;
	out_open(&w, "");
	p[0] = out_server(&w, "mx1.remote.test",
	    &(struct peer_script){ .rcpts = { { "b@", "450 4.2.0 grey\r\n" }, { "gone@", "550 5.1.1 no\r\n" } } });
	p[1] = out_server(&w, "mx2.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .rcpts = { "a@remote.test", "b@remote.test", "gone@remote.test" } });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_verdict(r, 1, QUEUE_DONE, "2.0.0", "250");
	assert_verdict(r, 2, QUEUE_PERM, "5.1.1", "550");
	assert_int_equal(r->rcpts[0].hop, 0);
	assert_int_equal(r->rcpts[1].hop, 1);
	assert_null(strstr(peer_heard(p[1]), "<a@remote.test>"));
	assert_null(strstr(peer_heard(p[1]), "<gone@remote.test>"));
	assert_int_equal(peer_mails(p[0]) + peer_mails(p[1]), 2);
	out_close(&w);
}

static void
two_hosts_are_asked_and_no_more(void **state)
{
	static const struct peer_script grey = { .rcpt = "450 4.2.0 come back later\r\n" };
	struct outbound w;
	struct out_result *r;
	struct peer *third;

	(void)state;
	out_open(&w, "");
	out_server(&w, "mx1.remote.test", &grey);
	out_server(&w, "mx2.remote.test", &grey);
	third = out_server(&w, "mx3.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_TEMP, "4.2.0", "come back later");
	assert_int_equal(r->nhops, 2);
	assert_int_equal(r->reach, QUEUE_REACHED);
	assert_int_equal(peer_connections(third), 0);
	out_close(&w);
}

/* What is said after the end of the message is not tried out elsewhere in the same go. */
static void
a_refusal_of_the_content_is_not_tried_twice(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *second;

	(void)state;
	out_open(&w, "");
	out_server(&w, "mx1.remote.test", &(struct peer_script){ .end = "451 4.7.1 scanner is down\r\n" });
	second = out_server(&w, "mx2.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_TEMP, "4.7.1", "scanner is down (in reply to end of message)");
	assert_int_equal(peer_connections(second), 0);
	out_close(&w);
}

/* --- plans without hosts --- */

static void
a_plan_without_hosts_is_the_answer(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open(&w, "");
	w.plan = (struct relay_plan){ .verdict = QUEUE_PERM, .status = "5.1.10", .text = "takes no mail" };
	r = out_deliver(&w, &(struct out_mail){ .rcpts = { "a@remote.test", "b@remote.test" } });
	assert_verdict(r, 0, QUEUE_PERM, "5.1.10", "takes no mail");
	assert_verdict(r, 1, QUEUE_PERM, "5.1.10", "takes no mail");
	assert_int_equal(r->reach, QUEUE_REACHED);
	w.plan = (struct relay_plan){ .verdict = QUEUE_TEMP, .status = "4.4.3", .text = "DNS is down" };
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_TEMP, "4.4.3", "DNS is down");
	assert_int_equal(r->reach, QUEUE_UNREACHED);
	assert_string_equal(r->host[0], "");
	assert_string_equal(r->why[0], "DNS is down");
	out_close(&w);
}

static void
a_host_that_policy_forbids_is_told_of_and_counted(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct relay_host *h;

	(void)state;
	out_open(&w, "");
	h = out_host(&w, "mx1.remote.test");
	h->decision =
	    (struct tls_decision){ .next = TLS_NEXT_HOST, .policy = TLSRPT_TLSA, .report = TLSRPT_DNSSEC_INVALID };
	h->words = "DANE: bogus";
	out_server(&w, "mx2.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(r->nhops, 2);
	assert_true(
	    r->hops[0].counted && r->hops[0].result == TLSRPT_DNSSEC_INVALID && r->hops[0].policy == TLSRPT_TLSA);
	assert_int_equal(r->hops[0].wanted, TLS_LEVEL_DANE);
	assert_string_equal(r->ip[0], "");
	assert_string_equal(r->why[0], "DANE: bogus");
	assert_int_equal(r->rcpts[0].hop, 1);
	out_close(&w);
}

/* The rows are few, those that say something stay. */
static void
many_forbidden_hosts_leave_room_for_the_one_that_counts(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open(&w, "");
	for (int i = 0; i < 5; i++) {
		struct relay_host *h = out_host(&w, "no.remote.test");

		h->decision = (struct tls_decision){ .next = TLS_NEXT_HOST,
			.policy = TLSRPT_STS,
			.report = i == 0 ? TLSRPT_VALIDATION_FAILURE : TLSRPT_OK };
		h->words = "not listed";
	}
	out_server(&w, "mx.remote.test", &good);
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(r->nhops, QUEUE_HOPS_MAX);
	assert_int_equal(r->rcpts[0].hop, QUEUE_HOPS_MAX - 1);
	assert_string_equal(r->host[QUEUE_HOPS_MAX - 1], "mx.remote.test");
	assert_true(r->hops[0].counted);
	out_close(&w);
}

static void
a_destination_that_no_route_makes_waits_to_be_sorted_anew(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open(&w, "");
	r = out_deliver(&w, &(struct out_mail){ .destination = ".gone.test" });
	assert_verdict(r, 0, QUEUE_TEMP, "4.3.5", "not configured");
	assert_int_equal(r->reach, QUEUE_REACHED);
	assert_int_equal(w.plans, 0);
	out_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_arrives),
		cmocka_unit_test(a_large_message_arrives_whole),
		cmocka_unit_test(odd_line_ends_cannot_end_the_message),
		cmocka_unit_test(each_recipient_has_an_answer_of_his_own),
		cmocka_unit_test(lmtp_answers_each_recipient_behind_the_message),
		cmocka_unit_test(eight_bits_are_not_converted),
		cmocka_unit_test(another_server_may_do_it),
		cmocka_unit_test(what_one_host_puts_off_another_may_take),
		cmocka_unit_test(two_hosts_are_asked_and_no_more),
		cmocka_unit_test(a_refusal_of_the_content_is_not_tried_twice),
		cmocka_unit_test(a_plan_without_hosts_is_the_answer),
		cmocka_unit_test(a_host_that_policy_forbids_is_told_of_and_counted),
		cmocka_unit_test(many_forbidden_hosts_leave_room_for_the_one_that_counts),
		cmocka_unit_test(a_destination_that_no_route_makes_waits_to_be_sorted_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
