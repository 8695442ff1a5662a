/* session.c - what a transcript cannot see of a session: cancelling, freeing, deadlines, pausing, wiped secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include <postern/core/buf.h>
#include <postern/core/log.h>
#include <postern/smtp/in.h>

struct role {
	struct smtp_in *session;
	struct buf said;
	unsigned cancels, aborts, auth_aborts, pauses, resumes, closes, asked;
	char secret[64]; /* where the last response stood, as the op saw it */
};

static void
role_write(void *ctx, struct str bytes)
{
	buf_add(&((struct role *)ctx)->said, bytes);
}

static void
role_close(void *ctx)
{
	((struct role *)ctx)->closes++;
}

static void
role_nothing(void *ctx)
{
	(void)ctx;
}

static void
role_pause(void *ctx)
{
	((struct role *)ctx)->pauses++;
}

static void
role_resume(void *ctx)
{
	((struct role *)ctx)->resumes++;
}

static enum smtp_in_load
role_load(void *ctx)
{
	(void)ctx;
	return SMTP_LOAD_CALM;
}

static void
role_cancel(void *ctx)
{
	((struct role *)ctx)->cancels++;
}

static void
role_resolve(void *ctx, const struct smtp_in_resolve *q)
{
	(void)q;
	((struct role *)ctx)->asked++;
}

static void
role_may_send(void *ctx, struct str login, struct str address)
{
	(void)login;
	(void)address;
	((struct role *)ctx)->asked++;
}

static void
role_auth_start(void *ctx, struct str mechanism, struct str initial)
{
	struct role *r = ctx;

	(void)mechanism;
	memcpy(r->secret, initial.p, initial.n);
	r->asked++;
}

static void
role_auth_step(void *ctx, struct str bytes)
{
	(void)bytes;
	((struct role *)ctx)->asked++;
}

static void
role_auth_abort(void *ctx)
{
	((struct role *)ctx)->auth_aborts++;
}

static bool
role_sink_open(void *ctx, const struct smtp_in_mail *mail, struct err *e)
{
	(void)ctx;
	(void)mail;
	(void)e;
	return true;
}

static enum smtp_in_sink
role_sink_write(void *ctx, struct str bytes, struct err *e)
{
	(void)ctx;
	(void)bytes;
	(void)e;
	return SMTP_SINK_OK;
}

static void
role_sink_abort(void *ctx)
{
	((struct role *)ctx)->aborts++;
}

static void
role_submit(void *ctx, struct str prefix, unsigned flags)
{
	(void)prefix;
	(void)flags;
	((struct role *)ctx)->asked++;
}

static const struct smtp_in_ops ops = {
	.write = role_write,
	.close = role_close,
	.starttls = role_nothing,
	.pause = role_pause,
	.resume = role_resume,
	.load = role_load,
	.cancel = role_cancel,
	.resolve = role_resolve,
	.may_send = role_may_send,
	.auth_start = role_auth_start,
	.auth_step = role_auth_step,
	.auth_abort = role_auth_abort,
	.sink_open = role_sink_open,
	.sink_write = role_sink_write,
	.sink_abort = role_sink_abort,
	.submit = role_submit,
};

static const struct str mechanisms[] = { STR_INIT("PLAIN"), STR_INIT("SCRAM-SHA-256-PLUS") };
static const struct smtp_in_conf conf = {
	.hostname = STR_INIT("mx.example.test"),
	.message_size = 1000000,
	.recipients = 100,
	.messages = 100,
	.mechanisms = mechanisms,
	.nmechanisms = 2,
	.tls = true,
};
static const struct smtp_in_tls tls = { .version = STR_INIT("TLSv1.3"), .cipher = STR_INIT("TLS_AES_128_GCM_SHA256") };

static void
swallow_log(void *ctx, struct str line)
{
	(void)ctx;
	(void)line;
}

static int
setup(void **state)
{
	struct role *r = calloc(1, sizeof(*r));

	buf_init(&r->said, 1 << 20);
	log_to(swallow_log, NULL);
	clock_fake((struct mono){ INT64_C(5000000000) }, wall_from_seconds(1777636800));
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct role *r = *state;

	if (r->session != NULL)
		smtp_in_free(r->session);
	buf_fini(&r->said);
	log_to(NULL, NULL);
	free(r);
	return 0;
}

static void
begin(struct role *r, enum smtp_in_profile profile, const struct smtp_in_tls *facts)
{
	struct smtp_in_peer peer = { .address = STR("192.0.2.7"), .sid = STR("s") };

	r->session = smtp_in_new(&ops, r, &conf, profile, &peer, facts);
	smtp_in_start(r->session);
}

static void
feed(struct role *r, const char *text)
{
	smtp_in_feed(r->session, str_of(text));
}

static void
resolved(struct role *r)
{
	static const struct envelope_target target = { .kind = ENVELOPE_LOCAL, .address = STR_INIT("b@example.test") };
	struct smtp_in_resolved a = { .ok = true, .targets = &target, .ntargets = 1 };

	smtp_in_answer_resolve(r->session, &a);
}

static void
until_data(struct role *r)
{
	begin(r, SMTP_MX, NULL);
	feed(r, "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n");
	assert_int_equal(r->asked, 1);
	resolved(r);
	assert_true(str_ends(buf_str(&r->said), STR("354 go ahead, end with <CRLF>.<CRLF>\r\n")));
}

static void
free_withdraws_everything(void **state)
{
	struct role *r = *state;

	begin(r, SMTP_MX, NULL);
	feed(r, "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@example.test>\r\n");
	smtp_in_free(r->session);
	assert_int_equal(r->cancels, 1);
	r->asked = 0;
	until_data(r);
	feed(r, "x: y\r\n\r\nbody\r\n");
	smtp_in_free(r->session);
	r->session = NULL;
	assert_int_equal(r->aborts, 1);
	assert_int_equal(r->closes, 0);
}

static void
eof_withdraws_a_question(void **state)
{
	struct role *r = *state;

	begin(r, SMTP_MX, NULL);
	feed(r, "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@example.test>\r\n");
	smtp_in_eof(r->session);
	assert_int_equal(r->cancels, 1);
	assert_int_equal(r->closes, 1);
	smtp_in_eof(r->session);
	feed(r, "NOOP\r\n");
	assert_int_equal(r->closes, 1);
}

static void
eof_waits_for_the_queue(void **state)
{
	struct role *r = *state;
	struct smtp_reply ok = smtp_reply(SMTP_OK);

	until_data(r);
	feed(r, "x: y\r\n\r\nbody\r\n.\r\n");
	assert_int_equal(r->asked, 2);
	buf_clear(&r->said);
	smtp_in_eof(r->session);
	assert_int_equal(r->closes, 0);
	smtp_in_answer_submit(r->session, &ok);
	assert_int_equal(r->closes, 1);
	assert_int_equal(r->cancels, 0);
	assert_int_equal(r->said.n, 0); /* nobody is there to read it */
}

static void
auth_is_aborted(void **state)
{
	struct role *r = *state;

	begin(r, SMTP_SUBMISSIONS, &tls);
	feed(r, "EHLO c\r\nAUTH PLAIN AGFsaWNlAHB3\r\n");
	assert_int_equal(r->asked, 1);
	assert_memory_equal(r->secret, "\0alice\0pw", 9);
	smtp_in_eof(r->session);
	assert_int_equal(r->cancels, 1);
	assert_int_equal(r->auth_aborts, 1);
}

static void
plus_needs_a_binding(void **state)
{
	struct role *r = *state;
	struct smtp_in_tls bound = tls;

	begin(r, SMTP_SUBMISSIONS, &tls);
	feed(r, "EHLO c\r\n");
	assert_true(str_search(buf_str(&r->said), STR("250-AUTH PLAIN\r\n")) < r->said.n);
	smtp_in_free(r->session);
	bound.endpoint = STR("0123");
	begin(r, SMTP_SUBMISSIONS, &bound);
	feed(r, "EHLO c\r\n");
	assert_true(str_search(buf_str(&r->said), STR("250-AUTH PLAIN SCRAM-SHA-256-PLUS\r\n")) < r->said.n);
}

static void
deadlines(void **state)
{
	struct role *r = *state;
	struct mono when;

	begin(r, SMTP_MX, NULL);
	assert_true(smtp_in_deadline(r->session, &when));
	assert_int_equal(mono_ms_between(when, mono_now()), SMTP_COMMAND_SECONDS * 1000);
	feed(r, "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@example.test>\r\n");
	assert_false(smtp_in_deadline(r->session, &when));
	resolved(r);
	feed(r, "DATA\r\n");
	assert_true(smtp_in_deadline(r->session, &when));
	assert_int_equal(mono_ms_between(when, mono_now()), SMTP_DATA_GRACE_SECONDS * 1000);
	feed(r, "a: b\r\n\r\n");
	smtp_in_deadline(r->session, &when);
	assert_int_equal(mono_ms_between(when, mono_now()), SMTP_DATA_GRACE_SECONDS * 1000 + 8 * 1000 / SMTP_DATA_RATE);
	smtp_in_tick(r->session);
	assert_int_equal(r->closes, 0);
	clock_fake_step(SMTP_DATA_GRACE_SECONDS * 1000 + 16);
	smtp_in_tick(r->session);
	assert_int_equal(r->closes, 1);
	assert_int_equal(r->aborts, 1);
	assert_false(smtp_in_deadline(r->session, &when));
}

static void
backlog_pauses_and_resumes(void **state)
{
	struct role *r = *state;
	static char noops[SMTP_FEED_MAX];

	for (size_t i = 0; i + 6 <= sizeof(noops); i += 6)
		memcpy(noops + i, "NOOP\r\n", 6);
	begin(r, SMTP_MX, NULL);
	feed(r, "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@example.test>\r\n");
	smtp_in_feed(r->session, str_from(noops, SMTP_BACKLOG_MAX));
	assert_int_equal(r->pauses, 0);
	smtp_in_feed(r->session, str_from("N", 1));
	assert_int_equal(r->pauses, 1);
	resolved(r);
	assert_int_equal(r->closes, 1); /* so many NOOPs are too many */
	assert_true(str_search(buf_str(&r->said), STR("421 4.7.0")) < r->said.n);
}

static void
shutdown_lets_a_transaction_end(void **state)
{
	struct role *r = *state;
	struct smtp_reply ok = smtp_reply(SMTP_OK);

	until_data(r);
	smtp_in_shutdown(r->session);
	assert_int_equal(r->closes, 0);
	feed(r, "x: y\r\n\r\n.\r\n");
	smtp_in_answer_submit(r->session, &ok);
	assert_int_equal(r->closes, 1);
	assert_true(str_ends(buf_str(&r->said), STR("421 4.3.2 service shutting down\r\n")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(free_withdraws_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(eof_withdraws_a_question, setup, teardown),
		cmocka_unit_test_setup_teardown(eof_waits_for_the_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(auth_is_aborted, setup, teardown),
		cmocka_unit_test_setup_teardown(plus_needs_a_binding, setup, teardown),
		cmocka_unit_test_setup_teardown(deadlines, setup, teardown),
		cmocka_unit_test_setup_teardown(backlog_pauses_and_resumes, setup, teardown),
		cmocka_unit_test_setup_teardown(shutdown_lets_a_transaction_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
