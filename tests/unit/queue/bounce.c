/* bounce.c - notifications read back: RFC 3464 fields, RFC 6522 parts, RFC 6533 types; and ledger rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/core/utf8.h>

#include "../../../src/queue/bounce.h"
#include "../../../src/queue/row.h"
#include "dsn.h"

static const struct bounce_recipient failed = { BOUNCE_FAILED, STR_INIT("bob@example.test"),
	STR_INIT("rfc822;Bob@old.test"), STR_INIT("5.2.2"), STR_INIT("mailbox is full"), { 1700000100000000 }, { 0 } };
static const struct bounce_recipient delayed = { BOUNCE_DELAYED, STR_INIT("carol@example.test"), STR_INIT(""),
	STR_INIT("4.2.1"), STR_INIT("mailbox is locked"), { 1700000200000000 }, { 1700400000000000 } };

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
	assert_true(str_eq(d.body[2], STR("Subject: x\r\n\r\nbody")));
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

static void
rows(void **state)
{
	const struct row_message m = { ROW_REPORT, true, 1000, 900, { 5 }, ENVELOPE_8BIT, ENVELOPE_RET_FULL, 7,
		STR_INIT("sid"), STR_INIT("::1"), STR_INIT("helo"), STR_INIT("login@x"), STR_INIT("from@x"),
		STR_INIT("env") };
	const struct row_recipient r = { ROW_LOCAL, QUEUE_HELD, true, 4, 3, { 11 }, { 12 }, { { 1, 2 } },
		STR_INIT("a@b"), STR_INIT("rfc822;x"), STR_INIT("u@b"), STR_INIT("d"), STR_INIT("4.2.1"),
		STR_INIT("why") };
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
	row_write_recipient(&b, &r);
	assert_true(row_parse_recipient(buf_str(&b), &r2));
	assert_true(r2.kind == r.kind && r2.state == r.state && r2.warned && r2.attempts == 3 && r2.next_try.us == 11);
	assert_true(str_eq(r2.target, r.target) && str_eq(r2.reason, r.reason) && id_eq(r2.delivery, r.delivery));
	for (size_t n = 0; n < b.n; n++)
		assert_false(row_parse_recipient(str_from(b.p, n), &r2));
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
		cmocka_unit_test(rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
