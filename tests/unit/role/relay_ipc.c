/* relay_ipc.c - tests of jobs and results as messages: both ways, and what a taken-over process might say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../../src/role/relay_ipc.h"

static void
a_job(void **state)
{
	const struct queue_job_rcpt rcpts[] = { { STR("a@x.test"), 2, STR("rfc822;A@x.test") }, { STR("b@x.test"), 0, STR("") } };
	const struct queue_job job = { .destination = STR("x.test"), .sid = STR("s1"), .sender = STR("me@here.test"),
		.flags = ENVELOPE_8BIT, .ret = ENVELOPE_RET_HDRS, .envid = STR("e"), .rcpts = rcpts, .n = 2, .sts = STR("p"),
		.handshakes_failed = 3, .fd = 7 };
	struct relay_mail_ask ask;
	struct queue_job out;
	struct arena a;

	(void)state;
	arena_init(&a);
	relay_job_pack(&job, &a, &ask);
	assert_true(relay_job_unpack(&ask, &a, &out));
	assert_int_equal(out.n, 2);
	assert_true(str_eq(out.rcpts[0].orcpt, rcpts[0].orcpt) && str_eq(out.rcpts[1].address, rcpts[1].address));
	assert_int_equal(out.rcpts[0].notify, 2);
	assert_true(str_eq(out.destination, job.destination) && str_eq(out.sts, job.sts) && str_eq(out.envid, job.envid));
	assert_int_equal(out.ret, ENVELOPE_RET_HDRS);
	assert_int_equal(out.handshakes_failed, 3);
	arena_fini(&a);
}

static void
jobs_that_make_no_sense(void **state)
{
	const struct queue_job_rcpt rcpts[] = { { STR("a@x.test"), 0, STR("") } };
	const struct queue_job job = { .destination = STR("x.test"), .rcpts = rcpts, .n = 1, .fd = 7 };
	struct relay_mail_ask good, bad;
	struct queue_job out;
	struct arena a;

	(void)state;
	arena_init(&a);
	relay_job_pack(&job, &a, &good);
	assert_true(relay_job_unpack(&good, &a, &out));
	bad = good;
	bad.file = -1;
	assert_false(relay_job_unpack(&bad, &a, &out));
	bad = good;
	bad.addresses.n = 0;
	assert_false(relay_job_unpack(&bad, &a, &out));
	bad = good;
	bad.notifies.n = 0;
	assert_false(relay_job_unpack(&bad, &a, &out));
	bad = good;
	bad.orcpts.n = 0;
	assert_false(relay_job_unpack(&bad, &a, &out));
	bad = good;
	bad.ret = 9;
	assert_false(relay_job_unpack(&bad, &a, &out));
	bad = good;
	bad.flags = 1u << 30;
	assert_false(relay_job_unpack(&bad, &a, &out));
	arena_fini(&a);
}

static const struct queue_hop hop = { .host = STR_INIT("mx.x.test"), .ip = STR_INIT("192.0.2.1:25"), .wanted = TLS_LEVEL_DANE,
	.got = TLS_LEVEL_DANE, .why = STR_INIT("TLSA"), .policy = TLSRPT_TLSA, .counted = true, .result = TLSRPT_OK, .reason = STR_INIT(""),
	.connect_ms = 12, .transfer_ms = 70000 };

static void
fill(struct queue_relayed_rcpt rcpts[2])
{
	rcpts[0] = (struct queue_relayed_rcpt){ .verdict = QUEUE_DONE, .dsn_passed = true, .hop = 0, .status = "2.0.0", .text = "250 ok" };
	rcpts[1] = (struct queue_relayed_rcpt){ .verdict = QUEUE_PERM, .hop = 1, .status = "5.1.1", .text = "550 who?" };
}

static void
a_result(void **state)
{
	struct queue_relayed_rcpt rcpts[2];
	const struct queue_relayed r = { .reach = QUEUE_CROWDED, .rcpts = rcpts, .n = 2, .hops = &hop, .nhops = 1 };
	struct relay_mail_answer answer;
	struct queue_relayed out;
	struct arena a;

	(void)state;
	fill(rcpts);
	arena_init(&a);
	relay_result_pack(&r, &a, &answer);
	assert_true(relay_result_unpack(&answer, &a, &out));
	assert_int_equal(out.reach, QUEUE_CROWDED);
	assert_int_equal(out.n, 2);
	assert_true(out.rcpts[0].dsn_passed && !out.rcpts[1].dsn_passed);
	assert_int_equal(out.rcpts[1].verdict, QUEUE_PERM);
	assert_int_equal(out.rcpts[1].hop, 1); /* nobody's words: as many as there are hops */
	assert_string_equal(out.rcpts[1].text, "550 who?");
	assert_int_equal(out.nhops, 1);
	assert_true(str_eq(out.hops[0].ip, hop.ip) && str_eq(out.hops[0].why, hop.why));
	assert_int_equal(out.hops[0].transfer_ms, 70000);
	assert_int_equal(out.hops[0].policy, TLSRPT_TLSA);
	arena_fini(&a);
}

/* Every byte of a hop changed, every length of it: refused, or in range. */
static void
results_that_make_no_sense(void **state)
{
	struct queue_relayed_rcpt rcpts[2];
	const struct queue_relayed r = { .rcpts = rcpts, .n = 2, .hops = &hop, .nhops = 1 };
	struct relay_mail_answer answer;
	struct queue_relayed out;
	char bytes[512];
	struct str packed;
	struct arena a;

	(void)state;
	fill(rcpts);
	arena_init(&a);
	relay_result_pack(&r, &a, &answer);
	packed = answer.hops.v[0];
	assert_true(packed.n < sizeof bytes);
	answer.hops.v = &packed;
	memcpy(bytes, packed.p, packed.n);
	for (size_t n = 0; n < packed.n; n++) {
		struct str cut = str_from(bytes, n);

		answer.hops.v = &cut;
		assert_false(relay_result_unpack(&answer, &a, &out));
	}
	for (size_t i = 0; i < packed.n; i++) {
		struct str whole = str_from(bytes, packed.n);

		bytes[i] = (char)~bytes[i];
		answer.hops.v = &whole;
		if (relay_result_unpack(&answer, &a, &out)) {
			assert_true(out.hops[0].wanted < TLS_LEVELS && out.hops[0].got < TLS_LEVELS);
			assert_true(out.hops[0].result < TLSRPT_RESULTS && out.hops[0].policy < TLSRPT_POLICIES);
		}
		bytes[i] = (char)~bytes[i];
	}
	answer.hops.n = 0;
	answer.verdicts.p = "\x03\x03"; /* PREPARED is a store's */
	assert_false(relay_result_unpack(&answer, &a, &out));
	answer.reached = 9;
	assert_false(relay_result_unpack(&answer, &a, &out));
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job),
		cmocka_unit_test(jobs_that_make_no_sense),
		cmocka_unit_test(a_result),
		cmocka_unit_test(results_that_make_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
