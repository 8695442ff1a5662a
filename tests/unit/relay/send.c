/* send.c - tests of jobs over plain connections: what goes over the wire, what each reply means, which host is next. */
#include "outbound.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_arrives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
