/* bounce.c - notifications read back: RFC 3464 fields, RFC 6522 parts, RFC 6533 types; and ledger rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/core/utf8.h>

#include "../../../src/queue/bounce.h"
#include "../../../src/queue/record.h"
#include "../../../src/queue/row.h"
#include "dsn.h"

static const struct bounce_recipient failed = { BOUNCE_FAILED, STR_INIT("bob@example.test"),
	STR_INIT("rfc822;Bob@old.test"), STR_INIT("5.2.2"), STR_INIT("mailbox is full"),
	STR_INIT(""), false, { 1700000100000000 }, { 0 } };
static const struct bounce_recipient delayed = { BOUNCE_DELAYED, STR_INIT("carol@example.test"), STR_INIT(""),
	STR_INIT("4.2.1"), STR_INIT("mailbox is locked"), STR_INIT(""), false, { 1700000200000000 }, { 1700400000000000 } };

static struct bounce
base(const struct bounce_recipient *r, size_t n)
{
	return (struct bounce){ .hostname = STR("mx.example.test"), .to = STR("sender@far.test"), .id = { { 1, 2, 3 } },
		.now = { 1700000300000000 }, .qid = { { 9 } }, .arrived = { 1700000000000000 },
		.envid = STR("QQ314159"),
		.helo = STR("client.test"), .client = STR("192.0.2.1"), .returned = STR("Subject: x\r\n\r\nbody\r\n"),
		.whole = true, .recipients = r, .n = n };
}

static struct dsn
parse(const struct buf *text)
{
	struct bounce b = base(&failed, 1);
	char boundary[ID_TEXT_SIZE];
	struct dsn d;

	id_text(b.id, boundary);
	assert_true(dsn_parse(buf_str(text), str_of(boundary), &d));
	return d;
}

static void
assert_field(const struct dsn *d, size_t group, const char *name, const char *want)
{
	struct str got;

	assert_true(dsn_field(d, group, str_of(name), &got));
	if (!str_eq(got, str_of(want)))
		fail_msg("%s: got \"%.*s\", want \"%s\"", name, STR_ARG(got), want);
}

static void
no_field(const struct dsn *d, size_t group, const char *name)
{
	struct str got;

	assert_false(dsn_field(d, group, str_of(name), &got));
}

static void
two_recipients(void **state)
{
	const struct bounce_recipient both[] = { failed, delayed };
	struct bounce b = base(both, 2);
	struct header_field f;
	struct buf text;
	struct dsn d;

	(void)state;
	buf_init(&text, 100000);
	assert_false(bounce_write(&text, &b));
	assert_true(ascii_only(buf_str(&text)));
	d = parse(&text);
	assert_int_equal(d.parts, 3);
	assert_true(header_find(d.header, STR("Auto-Submitted"), &f));
	assert_true(header_find(d.header, STR("To"), &f) && str_eq(str_trim(f.value), STR("<sender@far.test>")));
	assert_true(header_find(d.header, STR("Subject"), &f));
	assert_true(str_eq(str_trim(f.value), STR("Undelivered mail returned to sender")));
	assert_true(header_find(d.header, STR("Content-Type"), &f));
	assert_true(str_search(f.value, STR("report-type=delivery-status;")) < f.value.n);
	assert_true(str_eq(d.type[1], STR("message/delivery-status")));
	assert_true(str_eq(d.type[2], STR("message/rfc822")));
	assert_true(str_eq(d.body[2], STR("Subject: x\r\n\r\nbody\r\n")));
	assert_field(&d, 0, "Reporting-MTA", "dns; mx.example.test");
	assert_field(&d, 0, "Original-Envelope-Id", "QQ314159");
	assert_field(&d, 0, "Received-From-MTA", "dns; client.test (192.0.2.1)");
	assert_field(&d, 1, "Original-Recipient", "rfc822;Bob@old.test");
	assert_field(&d, 1, "Final-Recipient", "rfc822; bob@example.test");
	assert_field(&d, 1, "Action", "failed");
	assert_field(&d, 1, "Status", "5.2.2");
	no_field(&d, 1, "Will-Retry-Until");
	no_field(&d, 2, "Original-Recipient");
	assert_field(&d, 2, "Action", "delayed");
	assert_true(dsn_field(&d, 2, STR("Will-Retry-Until"), &f.value));
	buf_fini(&text);
}

static void
without_what_is_not_known(void **state)
{
	struct bounce b = base(&delayed, 1);
	struct header_field f;
	struct buf text;
	struct dsn d;

	(void)state;
	b.envid = b.helo = b.client = b.returned = STR("");
	buf_init(&text, 100000);
	bounce_write(&text, &b);
	d = parse(&text);
	assert_int_equal(d.parts, 2);
	no_field(&d, 0, "Original-Envelope-Id");
	no_field(&d, 0, "Received-From-MTA");
	assert_true(header_find(d.header, STR("Subject"), &f));
	assert_true(str_eq(str_trim(f.value), STR("Delayed mail (still being tried)")));
	buf_fini(&text);
}

static void
header_only(void **state)
{
	struct bounce b = base(&failed, 1);
	struct buf text;
	struct dsn d;

	(void)state;
	b.whole = false;
	b.returned = STR("Subject: caf\xe9\r\n");
	buf_init(&text, 100000);
	assert_true(bounce_write(&text, &b));
	d = parse(&text);
	assert_true(str_eq(d.type[2], STR("message/global-headers")));
	assert_true(str_eq(d.type[1], STR("message/delivery-status")));
	buf_clear(&text);
	b.returned = STR("Subject: cafe\r\n");
	assert_false(bounce_write(&text, &b));
	d = parse(&text);
	assert_true(str_eq(d.type[2], STR("text/rfc822-headers")));
	buf_fini(&text);
}

/* RFC 6533: addresses beyond ASCII */
static void
global(void **state)
{
	struct bounce_recipient r = failed;
	struct bounce b = base(&r, 1);
	struct header_field f;
	struct buf text;
	struct dsn d;

	(void)state;
	r.address = STR("b\xc3\xb6"
			"b@example.test");
	buf_init(&text, 100000);
	assert_true(bounce_write(&text, &b));
	d = parse(&text);
	assert_true(str_eq(d.type[1], STR("message/global-delivery-status")));
	assert_field(&d, 1, "Final-Recipient", "utf-8; b\xc3\xb6"
					       "b@example.test");
	assert_true(header_find(d.header, STR("Content-Type"), &f));
	assert_true(str_search(f.value, STR("report-type=global-delivery-status;")) < f.value.n);
	buf_fini(&text);
}

/* RFC 3464 2.3.5, 2.3.6: who said it, and its reply as a reply; our own words stay ours. */
static void
another_host(void **state)
{
	struct bounce_recipient r[2] = { failed, failed };
	struct bounce b = base(r, 2);
	struct buf text;
	struct dsn d;

	(void)state;
	r[0].host = STR("mx.far.test");
	r[0].text = STR("550 5.1.1 no such (in reply to a) user (in reply to RCPT TO)");
	r[0].said = true;
	r[1].host = STR("mx.far.test");
	r[1].text = STR("no host of far.test answers");
	buf_init(&text, 100000);
	bounce_write(&text, &b);
	d = parse(&text);
	assert_field(&d, 1, "Remote-MTA", "dns; mx.far.test");
	assert_field(&d, 1, "Diagnostic-Code", "smtp; 550 5.1.1 no such (in reply to a) user");
	no_field(&d, 2, "Remote-MTA");
	assert_field(&d, 2, "Diagnostic-Code", "X-Postern; no host of far.test answers");
	assert_true(str_search(d.body[0], STR("mx.far.test said: 550 5.1.1 no such (in reply to a) user (in reply to RCPT TO)")) < d.body[0].n);
	buf_clear(&text);
	r[0].action = BOUNCE_RELAYED;
	r[0].status = STR("2.0.0");
	r[0].text = STR("250 2.0.0 accepted");
	b.n = 1;
	bounce_write(&text, &b);
	d = parse(&text);
	assert_field(&d, 1, "Action", "relayed");
	assert_field(&d, 1, "Remote-MTA", "dns; mx.far.test");
	buf_fini(&text);
}

static const struct row_recipient remote_row = { .kind = ROW_REMOTE, .state = QUEUE_WAITING, .notify = 4, .attempts = 3,
	.next_try = { 11 }, .last_try = { 12 }, .delivery = { { 1, 2 } }, .address = STR_INIT("a@b"),
	.orcpt = STR_INIT("rfc822;x"), .target = STR_INIT("u@b"), .detail = STR_INIT(""), .status = STR_INIT("4.2.1"),
	.reason = STR_INIT("why"), .destination = STR_INIT("b"), .source = 7, .deadline = { 13 },
	.last = { STR_INIT("mx.b"), STR_INIT("192.0.2.1:25"), TLS_LEVEL_DANE, TLS_LEVEL_MAY, STR_INIT("DANE"), true, true } };

static void
rows(void **state)
{
	const struct row_message m = { ROW_REPORT, true, 1000, 900, { 5 }, ENVELOPE_8BIT, ENVELOPE_RET_FULL, 7,
		STR_INIT("sid"), STR_INIT("::1"), STR_INIT("helo"), STR_INIT("login@x"), STR_INIT("from@x"),
		STR_INIT("env") };
	const struct row_recipient *r = &remote_row;
	struct row_message m2;
	struct row_recipient r2;
	struct buf b;

	(void)state;
	buf_init(&b, ROW_RECIPIENT_MAX);
	row_write_message(&b, &m);
	assert_true(row_parse_message(buf_str(&b), &m2));
	assert_true(m2.origin == m.origin && m2.in_file && m2.file_size == 1000 && m2.next_number == 7);
	assert_true(str_eq(m2.sender, m.sender) && str_eq(m2.envid, m.envid) && str_eq(m2.login, m.login));
	for (size_t n = 0; n < b.n; n++)
		assert_false(row_parse_message(str_from(b.p, n), &m2));
	buf_clear(&b);
	row_write_recipient(&b, r);
	assert_true(row_parse_recipient(buf_str(&b), &r2));
	assert_true(r2.kind == r->kind && r2.state == r->state && r2.attempts == 3 && r2.next_try.us == 11);
	assert_true(str_eq(r2.target, r->target) && str_eq(r2.reason, r->reason) && id_eq(r2.delivery, r->delivery));
	assert_true(str_eq(r2.destination, r->destination) && r2.source == 7 && r2.deadline.us == 13);
	assert_true(str_eq(r2.last.host, r->last.host) && str_eq(r2.last.ip, r->last.ip) && str_eq(r2.last.why, r->last.why));
	assert_true(r2.last.wanted == TLS_LEVEL_DANE && r2.last.got == TLS_LEVEL_MAY && r2.last.plain && r2.last.said);
	for (size_t n = 0; n < b.n; n++)
		assert_false(row_parse_recipient(str_from(b.p, n), &r2));
	buf_fini(&b);
}

/* A row of version 1 ends behind the reason; its destination is not known yet. */
static void
old_row(void **state)
{
	const size_t later = 2 + 1 + 8 + 8 + 2 + 4 + 2 + 12 + 1 + 1 + 2 + 4 + 1 + 1; /* what version 2 adds to this one */
	struct row_recipient r;
	struct buf b;

	(void)state;
	buf_init(&b, ROW_RECIPIENT_MAX);
	row_write_recipient(&b, &remote_row);
	b.p[0] = 1;
	buf_cut(&b, b.n - later);
	assert_true(row_parse_recipient(buf_str(&b), &r));
	assert_true(str_eq(r.reason, remote_row.reason) && r.destination.n == 0 && r.deadline.us == 0 && r.last.host.n == 0);
	assert_false(row_in_lane(&r));
	assert_int_equal(row_due(&r), 0);
	for (size_t n = 0; n < b.n; n++)
		assert_false(row_parse_recipient(str_from(b.p, n), &r));
	buf_fini(&b);
}

static void
full_record(struct record *r)
{
	const struct queue_hop hop = { .host = STR("mx.b"), .ip = STR("192.0.2.1:25"), .wanted = TLS_LEVEL_VERIFY,
		.why = STR("MTA-STS"), .policy = TLSRPT_STS, .counted = true, .result = TLSRPT_CERTIFICATE_EXPIRED,
		.reason = STR("expired"), .handshake_failed = true };

	*r = (struct record){ .used = { 1 }, .unreached = 3, .rest_until = { 2 }, .status = "4.4.1", .text = "none answers",
		.sts_check = { 4 }, .sts_words = "no certificate" };
	for (int day = 1; day < 4; day++)
		for (int i = 0; i < 20; i++)
			record_hop(r, &hop, wall_from_seconds(day * 86400));
}

static void
records(void **state)
{
	struct record r, r2;
	struct buf b, again;

	(void)state;
	full_record(&r);
	assert_int_equal(r.handshakes_failed, 60);
	assert_true(r.days[0].day == 3 && r.days[1].day == 2);
	assert_int_equal(r.days[0].counts[TLSRPT_STS].sessions[TLSRPT_CERTIFICATE_EXPIRED], 20);
	assert_true(r.days[0].nfailures == 1 && r.days[0].failures[0].sessions == 20);
	buf_init(&b, RECORD_MAX);
	buf_init(&again, RECORD_MAX);
	record_write(&b, &r);
	assert_true(record_parse(buf_str(&b), &r2));
	record_write(&again, &r2);
	assert_true(str_eq(buf_str(&b), buf_str(&again)));
	assert_string_equal(r2.days[1].failures[0].reason, "expired");
	for (size_t n = 0; n < b.n; n++)
		assert_false(record_parse(str_from(b.p, n), &r2));
	buf_fini(&b);
	buf_fini(&again);
}

/* Many hosts and long words: counted all the same, and the record has its size. */
static void
record_is_bounded(void **state)
{
	struct queue_hop hop = { .ip = STR("192.0.2.1:25"), .policy = TLSRPT_TLSA, .counted = true,
		.result = TLSRPT_VALIDATION_FAILURE };
	char host[300], words[400];
	struct record r = { 0 };
	struct buf b;

	(void)state;
	memset(host, 'h', sizeof host);
	memset(words, 'w', sizeof words);
	hop.why = hop.reason = str_from(words, sizeof words);
	hop.host = str_from(host, sizeof host);
	for (int i = 0; i < 1000; i++) {
		host[0] = (char)('a' + i % 26);
		record_hop(&r, &hop, wall_from_seconds((1 + i / 500) * 86400));
	}
	assert_int_equal(r.days[0].counts[TLSRPT_TLSA].sessions[TLSRPT_VALIDATION_FAILURE], 500);
	assert_int_equal(r.days[0].nfailures, RECORD_FAILURES_MAX);
	buf_init(&b, RECORD_MAX);
	record_write(&b, &r);
	assert_false(b.over);
	assert_true(record_parse(buf_str(&b), &r));
	buf_fini(&b);
	record_text(host, 5, STR("ab\x01" "cd"));
	assert_string_equal(host, "ab");
	record_text(host, 4, STR("ab\xc3\xa4"));
	assert_string_equal(host, "ab");
}

static void
sts_records(void **state)
{
	const struct record_sts s = { { 5 }, STR_INIT("id1"), STR_INIT("version: STSv1\n") };
	struct record_sts s2;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	record_write_sts(&b, &s);
	assert_true(record_parse_sts(buf_str(&b), &s2));
	assert_true(s2.fetched.us == 5 && str_eq(s2.id, s.id) && str_eq(s2.policy, s.policy));
	for (size_t n = 0; n < b.n; n++)
		assert_false(record_parse_sts(str_from(b.p, n), &s2));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_recipients),
		cmocka_unit_test(without_what_is_not_known),
		cmocka_unit_test(header_only),
		cmocka_unit_test(global),
		cmocka_unit_test(another_host),
		cmocka_unit_test(rows),
		cmocka_unit_test(old_row),
		cmocka_unit_test(records),
		cmocka_unit_test(record_is_bounded),
		cmocka_unit_test(sts_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
