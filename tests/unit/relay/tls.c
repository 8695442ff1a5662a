/* tls.c - tests of TLS as a decision demands it, over real sockets: what is sent in the clear, what follows a failure,
 * and what the answer says. */
#include "outbound.h"

#include <postern/core/buf.h>
#include <postern/message/envelope.h>

static void
the_mail_goes_inside_tls(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open_trusting(&w, "");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .cert = &out_certs.mx });
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250 2.0.0 accepted");
	assert_string_equal(peer_sni(p), "mx.remote.test");
	assert_int_equal(r->hops[0].wanted, TLS_LEVEL_MAY);
	assert_int_equal(r->hops[0].got, TLS_LEVEL_VERIFY);
	assert_true(r->hops[0].counted && r->hops[0].result == TLSRPT_OK);
	assert_says(peer_heard(p), "STARTTLS\r\nEHLO mail.example.test\r\nMAIL FROM");
	out_close(&w);
}

static void
a_foreign_certificate_is_good_enough_for_may(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open_trusting(&w, "");
	out_server(&w, "mx.remote.test", &(struct peer_script){ .cert = &out_certs.other });
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(r->hops[0].got, TLS_LEVEL_ENCRYPT);
	assert_int_equal(r->hops[0].result, TLSRPT_CERTIFICATE_HOST_MISMATCH);
	assert_says(r->why[0], "for other names");
	out_close(&w);
}

/* The mail waits, or goes to a host that can prove who it is. */
static void
a_foreign_certificate_is_not_verified(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open_trusting(&w, "");
	p = out_server(&w, "mx1.remote.test", &(struct peer_script){ .cert = &out_certs.other });
	out_demand(&w.hosts[0], TLS_LEVEL_VERIFY);
	w.hosts[0].decision.policy = TLSRPT_STS;
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(
	    r, 0, QUEUE_TEMP, "4.7.5", "mx1.remote.test: TLS is demanded (the test demands verify): the certificate");
	assert_int_equal(r->reach, QUEUE_UNREACHED);
	assert_true(r->hops[0].handshake_failed && r->hops[0].counted && !r->hops[0].plain);
	assert_int_equal(r->hops[0].result, TLSRPT_CERTIFICATE_HOST_MISMATCH);
	assert_int_equal(r->hops[0].policy, TLSRPT_STS);
	assert_int_equal(r->hops[0].got, TLS_LEVEL_NONE);
	assert_null(strstr(peer_heard(p), "MAIL"));
	out_server(&w, "mx.remote.test", &(struct peer_script){ .cert = &out_certs.mx });
	out_demand(&w.hosts[1], TLS_LEVEL_VERIFY);
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(r->hops[1].got, TLS_LEVEL_VERIFY);
	assert_int_equal(r->reach, QUEUE_REACHED);
	assert_int_equal(peer_mails(p), 0);
	out_close(&w);
}

static void
dane_looks_at_the_record(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct buf bytes;

	(void)state;
	out_open_trusting(&w, "");
	out_server(&w, "mx.remote.test", &(struct peer_script){ .cert = &out_certs.other });
	out_demand(&w.hosts[0], TLS_LEVEL_DANE);
	w.hosts[0].decision.tlsa[w.hosts[0].decision.n_tlsa++] = pki_tlsa(&out_certs.other, 3, 1, 1, &bytes);
	r = out_deliver(&w, &(struct out_mail){ .destination = "dane.test" });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_int_equal(r->hops[0].got, TLS_LEVEL_DANE);
	buf_fini(&bytes);
	w.hosts[0].decision.tlsa[0] = pki_tlsa(&out_certs.mx, 3, 1, 1, &bytes);
	r = out_deliver(&w, &(struct out_mail){ .destination = "wrong.test" });
	assert_verdict(r, 0, QUEUE_TEMP, "4.7.5", "no TLSA record matches");
	assert_int_equal(r->hops[0].result, TLSRPT_VALIDATION_FAILURE);
	assert_string_equal(r->reason[0], "X509_V_ERR_DANE_NO_MATCH");
	buf_fini(&bytes);
	out_close(&w);
}

/* --- H18: TLS that somebody takes away --- */

static const struct {
	const char *name;
	struct peer_script script;
	bool handshake; /* it came so far */
} strippers[] = {
	{ "not offered", { .ehlo = "250 mx.remote.test\r\n" }, false },
	{ "454", { .ehlo = "250-mx.remote.test\r\n250 STARTTLS\r\n", .starttls = "454 4.7.0 not now\r\n" }, false },
	{ "no TLS after 220", { .ehlo = "250-mx.remote.test\r\n250 STARTTLS\r\n", .no_tls_after_220 = true }, true },
	{ "closed after 220", { .ehlo = "250-mx.remote.test\r\n250 STARTTLS\r\n", .starttls = "220 go\r\n!close" },
	    true },
	{ "reset after 220", { .ehlo = "250-mx.remote.test\r\n250 STARTTLS\r\n", .starttls = "220 go\r\n!rst" }, true },
};

static void
stripped_tls_makes_mail_wait_where_it_is_demanded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof strippers / sizeof *strippers; i++) {
		struct outbound w;
		struct out_result *r;
		struct peer *p;

		out_open_trusting(&w, "");
		p = out_server(&w, "mx.remote.test", &strippers[i].script);
		out_demand(&w.hosts[0], TLS_LEVEL_ENCRYPT);
		r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
		assert_verdict(r, 0, QUEUE_TEMP, "4.7.5", "TLS is demanded (the test demands encrypt)");
		assert_int_equal(r->hops[0].handshake_failed, strippers[i].handshake);
		assert_int_equal(r->hops[0].result,
		    strippers[i].handshake ? TLSRPT_VALIDATION_FAILURE : TLSRPT_STARTTLS_NOT_SUPPORTED);
		assert_true(r->hops[0].counted && !r->hops[0].plain);
		assert_null(strstr(peer_heard(p), "MAIL"));
		assert_int_equal(peer_connections(p), 1);
		assert_int_equal(r->reach, QUEUE_UNREACHED);
		out_close(&w);
	}
}

static void
stripped_tls_falls_back_by_rule_and_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof strippers / sizeof *strippers; i++) {
		bool again = i > 0; /* TLS was spoken of: a new connection */
		struct outbound w;
		struct out_result *r;
		struct peer *p;

		out_open_trusting(&w, "");
		p = out_server(&w, "mx.remote.test", &strippers[i].script);
		r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
		assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
		assert_int_equal(peer_connections(p), again ? 2 : 1);
		assert_int_equal(r->nhops, 1);
		assert_int_equal(r->hops[0].plain, again);
		assert_int_equal(r->hops[0].got, TLS_LEVEL_NONE);
		assert_int_equal(r->hops[0].handshake_failed, strippers[i].handshake);
		assert_true(r->hops[0].counted && r->hops[0].result != TLSRPT_OK);
		if (again)
			assert_says(r->why[0], "plain text instead");
		out_close(&w);
	}
}

static void
the_operator_may_want_no_fallback(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open_trusting(&w, "");
	p = out_server(&w, "mx.remote.test", &strippers[2].script);
	w.hosts[0].decision.on[TLS_FAILURE_HANDSHAKE] = TLS_NEXT_HOST;
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_TEMP, "4.7.5", "TLS");
	assert_int_equal(peer_connections(p), 1);
	assert_true(r->hops[0].handshake_failed);
	out_close(&w);
}

/* C06: what stands behind the 220 came from somebody on the way. */
static void
injected_plain_text_ends_the_connection(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open_trusting(&w, "");
	p = out_server(&w, "mx.remote.test",
	    &(struct peer_script){ .cert = &out_certs.mx, .starttls = "220 go\r\n250-fake\r\n250 AUTH PLAIN\r\n" });
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_TEMP, "4.7.5", "plain text behind the reply to STARTTLS");
	assert_int_equal(peer_connections(p), 1);
	assert_null(strstr(peer_heard(p), "MAIL"));
	assert_true(r->hops[0].counted && r->hops[0].result == TLSRPT_VALIDATION_FAILURE);
	out_close(&w);
}

static void
tls_may_come_first(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open_trusting(&w, "route \"remote.test\" { to = \"mx.remote.test:465\" protocol = smtps tls = verify }");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .cert = &out_certs.mx, .tls_first = true });
	out_demand(&w.hosts[0], TLS_LEVEL_VERIFY);
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_null(strstr(peer_heard(p), "STARTTLS"));
	assert_int_equal(r->hops[0].got, TLS_LEVEL_VERIFY);
	out_close(&w);
}

/* A server that speaks first, in the clear, where TLS is due. */
static void
tls_first_needs_tls(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open_trusting(&w, "route \"remote.test\" { to = \"mx.remote.test:465\" protocol = smtps tls = verify }");
	out_server(&w, "mx.remote.test", &(struct peer_script){ .banner = NULL });
	out_demand(&w.hosts[0], TLS_LEVEL_VERIFY);
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_TEMP, "4.7.5", "TLS is demanded");
	out_close(&w);
}

/* --- RFC 8689 --- */

/* All hosts are asked (RFC 8689 4.2.1). */
static void
requiretls_goes_where_it_is_kept(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p[2];

	(void)state;
	out_open_trusting(&w, "");
	p[0] = out_server(&w, "mx1.remote.test", &(struct peer_script){ .cert = &out_certs.mx });
	out_server(&w, "mx2.remote.test", &(struct peer_script){ .cert = &out_certs.other });
	out_server(&w, "mx3.remote.test", &(struct peer_script){ .banner = NULL });
	p[1] = out_server(&w, "mx.remote.test",
	    &(struct peer_script){ .cert = &out_certs.mx, .ehlo_tls = "250-mx.remote.test\r\n250 REQUIRETLS\r\n" });
	for (int i = 0; i < 4; i++) {
		out_demand(&w.hosts[i], TLS_LEVEL_VERIFY);
		w.hosts[i].decision.names[0] = STR("mx.remote.test");
		w.hosts[i].decision.requiretls = true;
	}
	r = out_deliver(&w, &(struct out_mail){ .flags = ENVELOPE_REQUIRETLS });
	assert_int_equal(w.asked_message, TLS_MESSAGE_REQUIRES);
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_null(strstr(peer_heard(p[0]), "MAIL"));
	assert_says(peer_heard(p[1]), "MAIL FROM:<a@example.test> REQUIRETLS\r\n");
	out_close(&w);
}

static void
requiretls_bounces_when_nobody_keeps_it(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open_trusting(&w, "");
	out_server(&w, "mx.remote.test", &(struct peer_script){ .cert = &out_certs.mx });
	out_demand(&w.hosts[0], TLS_LEVEL_VERIFY);
	w.hosts[0].decision.requiretls = true;
	r = out_deliver(&w, &(struct out_mail){ .flags = ENVELOPE_REQUIRETLS });
	assert_verdict(r, 0, QUEUE_PERM, "5.7.30", "requires TLS");
	assert_int_equal(r->reach, QUEUE_REACHED);
	out_close(&w);
	out_open_trusting(&w, "");
	out_server(&w, "mx.remote.test", &(struct peer_script){ .cert = &out_certs.other });
	out_demand(&w.hosts[0], TLS_LEVEL_VERIFY);
	w.hosts[0].decision.requiretls = true;
	r = out_deliver(&w, &(struct out_mail){ .flags = ENVELOPE_REQUIRETLS });
	assert_verdict(r, 0, QUEUE_PERM, "5.7.10", "for other names");
	assert_int_equal(r->reach, QUEUE_REACHED);
	out_close(&w);
}

/* A host that is down today may keep it tomorrow. */
static void
requiretls_waits_for_a_host_that_does_not_answer(void **state)
{
	struct outbound w;
	struct out_result *r;

	(void)state;
	out_open_trusting(&w, "");
	out_server(&w, "mx.remote.test", &(struct peer_script){ .cert = &out_certs.other });
	out_demand(&w.hosts[0], TLS_LEVEL_VERIFY);
	w.hosts[0].decision.requiretls = true;
	out_add_addr(out_host(&w, "mx2.remote.test"), refusing_addr("127.0.0.1"));
	w.hosts[1].decision.requiretls = true;
	r = out_deliver(&w, &(struct out_mail){ .flags = ENVELOPE_REQUIRETLS });
	assert_verdict(r, 0, QUEUE_TEMP, "4.4.1", "mx2.remote.test: 127.0.0.1");
	out_close(&w);
}

static void
the_message_says_what_it_asks_of_tls(void **state)
{
	struct outbound w;

	(void)state;
	out_open_trusting(&w, "");
	out_server(&w, "mx.remote.test", &(struct peer_script){ .cert = &out_certs.mx });
	out_deliver(&w, &(struct out_mail){ .flags = ENVELOPE_TLS_OPTIONAL });
	assert_int_equal(w.asked_message, TLS_MESSAGE_OPTIONAL);
	out_deliver(&w, &(struct out_mail){ .sender = "", .flags = ENVELOPE_REQUIRETLS });
	assert_int_equal(w.asked_message, TLS_MESSAGE_PLAIN);
	out_close(&w);
}

/* --- login --- */

#define SMARTHOST "route \"*\" { to = \"mx.remote.test:587\" user = \"us\" password_file = \"/x\" tls = verify }"

static void
the_password_goes_to_a_verified_server(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open_trusting(&w, SMARTHOST);
	w.password = "secret";
	p = out_server(&w, "mx.remote.test",
	    &(struct peer_script){ .cert = &out_certs.mx, .ehlo_tls = "250-mx.remote.test\r\n250 AUTH PLAIN\r\n" });
	out_demand(&w.hosts[0], TLS_LEVEL_VERIFY);
	r = out_deliver(&w, &(struct out_mail){ .destination = "*" });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_says(peer_heard(p), "AUTH PLAIN AHVzAHNlY3JldA==\r\n");
	out_close(&w);
}

static void
the_password_goes_to_nobody_else(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open_trusting(&w, SMARTHOST);
	w.password = "secret";
	p = out_server(&w, "mx.remote.test",
	    &(struct peer_script){ .cert = &out_certs.other, .ehlo_tls = "250-mx.remote.test\r\n250 AUTH PLAIN\r\n" });
	r = out_deliver(&w, &(struct out_mail){ .destination = "*" }); /* `may': TLS stands, unverified */
	assert_verdict(r, 0, QUEUE_TEMP, "4.7.0", "a password is given to a verified server only");
	assert_null(strstr(peer_heard(p), "AUTH"));
	assert_int_equal(r->reach, QUEUE_UNREACHED);
	w.password = "";
	r = out_deliver(&w, &(struct out_mail){ .destination = "*" });
	assert_verdict(r, 0, QUEUE_TEMP, "4.7.0", "the password of the route cannot be read");
	assert_int_equal(peer_connections(p), 1);
	out_close(&w);
}

/* The operator may say that encryption is enough: then, and only then, and never in the clear. */
static void
the_password_goes_where_the_operator_says(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	out_open_trusting(&w, "route \"*\" { to = \"mx.remote.test:587\" user = \"us\" password_file = \"/x\" tls = encrypt }");
	w.password = "secret";
	p = out_server(&w, "mx.remote.test",
	    &(struct peer_script){ .cert = &out_certs.other, .ehlo_tls = "250-mx.remote.test\r\n250 AUTH PLAIN\r\n" });
	out_demand(&w.hosts[0], TLS_LEVEL_ENCRYPT);
	r = out_deliver(&w, &(struct out_mail){ .destination = "*" });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250");
	assert_says(peer_heard(p), "AUTH PLAIN AHVzAHNlY3JldA==\r\n");
	out_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mail_goes_inside_tls),
		cmocka_unit_test(a_foreign_certificate_is_good_enough_for_may),
		cmocka_unit_test(a_foreign_certificate_is_not_verified),
		cmocka_unit_test(dane_looks_at_the_record),
		cmocka_unit_test(stripped_tls_makes_mail_wait_where_it_is_demanded),
		cmocka_unit_test(stripped_tls_falls_back_by_rule_and_says_so),
		cmocka_unit_test(the_operator_may_want_no_fallback),
		cmocka_unit_test(injected_plain_text_ends_the_connection),
		cmocka_unit_test(tls_may_come_first),
		cmocka_unit_test(tls_first_needs_tls),
		cmocka_unit_test(requiretls_goes_where_it_is_kept),
		cmocka_unit_test(requiretls_bounces_when_nobody_keeps_it),
		cmocka_unit_test(requiretls_waits_for_a_host_that_does_not_answer),
		cmocka_unit_test(the_message_says_what_it_asks_of_tls),
		cmocka_unit_test(the_password_goes_to_a_verified_server),
		cmocka_unit_test(the_password_goes_to_nobody_else),
		cmocka_unit_test(the_password_goes_where_the_operator_says),
	};

	return cmocka_run_group_tests(tests, out_make_certs, out_free_certs);
}
