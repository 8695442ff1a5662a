/* out_session.c - what a transcript cannot see of a client session: freeing, stale answers, calls after the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/core/buf.h>
#include <postern/smtp/out.h>

struct relay {
	struct smtp_out *session;
	struct buf said;
	struct smtp_out_mail mail;
	unsigned readies, bodies, results, dones, closes;
	bool send; /* from inside ready */
};

static void
relay_write(void *ctx, struct str bytes)
{
	buf_add(&((struct relay *)ctx)->said, bytes);
}

static void
relay_starttls(void *ctx)
{
	(void)ctx;
}

static void
relay_ready(void *ctx)
{
	struct relay *r = ctx;

	r->readies++;
	if (r->send)
		assert_true(smtp_out_send(r->session, &r->mail));
}

static void
relay_body(void *ctx)
{
	((struct relay *)ctx)->bodies++;
}

static void
relay_result(void *ctx, size_t i, const struct smtp_out_result *result)
{
	(void)i;
	(void)result;
	((struct relay *)ctx)->results++;
}

static void
relay_done(void *ctx)
{
	((struct relay *)ctx)->dones++;
}

static void
relay_close(void *ctx, const struct smtp_out_end *end)
{
	assert_true(end->words.n > 0 && end->enhanced[0] != '\0');
	((struct relay *)ctx)->closes++;
}

static const struct smtp_out_ops ops = {
	.write = relay_write,
	.starttls = relay_starttls,
	.ready = relay_ready,
	.body = relay_body,
	.result = relay_result,
	.done = relay_done,
	.close = relay_close,
};

static const struct smtp_out_conf conf = { .hostname = STR_INIT("mail.example.test") };
static const struct smtp_out_rcpt rcpts[] = { { .address = STR_INIT("b@remote.test") } };

static void
begin(struct relay *r, bool send)
{
	*r = (struct relay){ .send = send };
	r->mail = (struct smtp_out_mail){ .sender = STR("a@example.test"), .rcpts = rcpts, .nrcpts = 1 };
	buf_init(&r->said, 1 << 20);
	r->session = smtp_out_new(&ops, r, &conf, NULL);
	smtp_out_start(r->session);
}

static void
finish(struct relay *r)
{
	smtp_out_free(r->session);
	buf_fini(&r->said);
}

static void
feed(struct relay *r, const char *text)
{
	smtp_out_feed(r->session, str_of(text));
}

/* A session that waits for the first piece of the message. */
static void
begin_body(struct relay *r)
{
	begin(r, true);
	feed(r, "220 hi\r\n");
	feed(r, "250-remote.test\r\n250 PIPELINING\r\n");
	feed(r, "250 ok\r\n250 ok\r\n354 go\r\n");
	assert_int_equal(r->bodies, 1);
}

static void
free_at_any_time(void **state)
{
	struct relay r;

	(void)state;
	begin(&r, true);
	finish(&r);
	begin(&r, true);
	feed(&r, "220 hi\r\n25");
	finish(&r);
	begin_body(&r);
	smtp_out_body(r.session, STR("half a line"), SMTP_OUT_MORE);
	finish(&r);
	assert_int_equal(r.results + r.dones + r.closes, 0);
}

static void
answers_after_the_end_change_nothing(void **state)
{
	struct relay r;

	(void)state;
	begin_body(&r);
	smtp_out_eof(r.session);
	assert_int_equal(r.results, 1);
	assert_int_equal(r.dones, 1);
	assert_int_equal(r.closes, 1);
	buf_clear(&r.said);
	smtp_out_body(r.session, STR("late\r\n"), SMTP_OUT_LAST);
	smtp_out_body_failed(r.session);
	assert_false(smtp_out_send(r.session, &r.mail));
	smtp_out_quit(r.session);
	smtp_out_tls_failed(r.session, STR("late"));
	smtp_out_tls_started(r.session, &(struct smtp_out_tls){ .verified = true });
	feed(&r, "250 late\r\n");
	smtp_out_eof(r.session);
	smtp_out_tick(r.session);
	assert_int_equal(r.said.n, 0);
	assert_int_equal(r.closes, 1);
	finish(&r);
}

static void
a_message_for_a_session_that_has_ended_is_not_taken(void **state)
{
	struct relay r;

	(void)state;
	begin(&r, false);
	feed(&r, "220 hi\r\n");
	feed(&r, "250 remote.test\r\n");
	assert_int_equal(r.readies, 1);
	feed(&r, "421 4.4.2 idle\r\n");
	assert_int_equal(r.closes, 1);
	assert_false(smtp_out_send(r.session, &r.mail));
	finish(&r);
	begin(&r, false);
	feed(&r, "220 hi\r\n");
	feed(&r, "250 remote.test\r\n");
	smtp_out_quit(r.session);
	assert_false(smtp_out_send(r.session, &r.mail));
	assert_int_equal(r.results + r.dones, 0);
	finish(&r);
}

static void
the_deadline_follows_the_dialogue(void **state)
{
	struct relay r;
	struct mono when;

	(void)state;
	clock_fake((struct mono){ 0 }, wall_from_seconds(0));
	begin(&r, false);
	assert_true(smtp_out_deadline(r.session, &when));
	assert_int_equal(when.ns, SMTP_OUT_BANNER_SECONDS * INT64_C(1000000000));
	clock_fake_step(1000);
	feed(&r, "220 hi\r\n");
	assert_true(smtp_out_deadline(r.session, &when));
	assert_int_equal(when.ns, (1 + SMTP_OUT_COMMAND_SECONDS) * INT64_C(1000000000));
	feed(&r, "250 remote.test\r\n");
	assert_false(smtp_out_deadline(r.session, &when));
	clock_real();
	finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_at_any_time),
		cmocka_unit_test(answers_after_the_end_change_nothing),
		cmocka_unit_test(a_message_for_a_session_that_has_ended_is_not_taken),
		cmocka_unit_test(the_deadline_follows_the_dialogue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
