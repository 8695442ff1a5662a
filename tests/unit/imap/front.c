/* front.c - tests of the front's seams: questions and answers, cancelling, what is logged, what is not taken. The
 * dialogues themselves are transcripts (tests/talk/imap). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/core/buf.h>
#include <postern/core/log.h>
#include <postern/imap/front.h>

static struct {
	struct buf out;
	struct buf asked;   /* mechanism and bytes of each question */
	struct buf handed;
	struct buf log;
	int closed;
	int cancelled;
	int starttls;
} role;

static void
role_write(void *ctx, struct str bytes)
{
	(void)ctx;
	buf_add(&role.out, bytes);
}

static void
role_close(void *ctx)
{
	(void)ctx;
	role.closed++;
}

static void
role_starttls(void *ctx)
{
	(void)ctx;
	role.starttls++;
}

static void
role_auth_start(void *ctx, struct str mech, const struct str *initial)
{
	(void)ctx;
	buf_add(&role.asked, mech);
	buf_add_cstr(&role.asked, initial == NULL ? "-" : ":");
	for (size_t i = 0; initial != NULL && i < initial->n; i++)
		buf_add_char(&role.asked, initial->p[i] == '\0' ? '|' : initial->p[i]);
}

static void
role_auth_step(void *ctx, struct str response)
{
	(void)ctx;
	buf_add_cstr(&role.asked, ";");
	buf_add(&role.asked, response);
}

static void
role_auth_cancel(void *ctx)
{
	(void)ctx;
	role.cancelled++;
}

static void
role_handover(void *ctx, const struct imap_login *login)
{
	(void)ctx;
	buf_addf(&role.handed, "%.*s %.*s %.*s %.*s", STR_ARG(login->user), STR_ARG(login->ticket), STR_ARG(login->tag),
	    STR_ARG(login->mech));
}

static const struct imap_front_ops ops = { role_write, role_close, role_starttls, role_auth_start, role_auth_step,
	role_auth_cancel, role_handover };
static const struct str mechs[] = { STR_INIT("SCRAM-SHA-256"), STR_INIT("PLAIN") };

static void
keep_log(void *ctx, struct str line)
{
	(void)ctx;
	buf_add(&role.log, line);
}

static int
set_up(void **state)
{
	(void)state;
	memset(&role, 0, sizeof(role));
	buf_init(&role.out, SIZE_MAX);
	buf_init(&role.asked, SIZE_MAX);
	buf_init(&role.handed, SIZE_MAX);
	buf_init(&role.log, SIZE_MAX);
	log_to(keep_log, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	log_to(NULL, NULL);
	buf_fini(&role.out);
	buf_fini(&role.asked);
	buf_fini(&role.handed);
	buf_fini(&role.log);
	return 0;
}

static struct imap_front *
front_with(bool tls)
{
	const struct imap_front_setup setup = {
		.hostname = STR("mx.test"),
		.sid = STR("sid1"),
		.client = STR("192.0.2.1"),
		.mechs = mechs,
		.nmechs = 2,
		.tls = tls,
		.starttls = !tls,
	};

	return imap_front_new(&setup, &ops, NULL);
}

static bool
said(const char *words)
{
	bool found = strstr(buf_cstr(&role.out), words) != NULL;

	buf_clear(&role.out);
	return found;
}

static void
login_hands_over(void **state)
{
	struct imap_front *f = front_with(true);
	const struct imap_auth_answer ok = { .verdict = IMAP_AUTH_OK, .user = STR("bob@x.test"), .ticket = STR("t1") };
	struct str in = STR("a LOGIN bob \"s3cret\"\r\nb SELECT INBOX\r\n");

	(void)state;
	assert_int_equal(imap_front_input(f, in), 22);
	assert_true(imap_front_waits(f));
	assert_string_equal(buf_cstr(&role.asked), "PLAIN:|bob|s3cret");
	assert_int_equal(imap_front_input(f, STR("b")), 0);
	imap_front_answer(f, &ok);
	assert_string_equal(buf_cstr(&role.handed), "bob@x.test t1 a LOGIN");
	assert_int_equal(imap_front_input(f, STR("b SELECT INBOX\r\n")), 0);
	assert_null(strstr(buf_cstr(&role.log), "s3cret"));
	imap_front_free(f);
	assert_int_equal(role.cancelled, 0);
}

static void
scram_with_last_message(void **state)
{
	struct imap_front *f = front_with(true);
	const struct imap_auth_answer first = { .verdict = IMAP_AUTH_CHALLENGE, .data = STR("r=1") };
	const struct imap_auth_answer last = { .verdict = IMAP_AUTH_OK, .data = STR("v=2"), .user = STR("u@x.test"),
		.ticket = STR("t") };

	(void)state;
	imap_front_input(f, STR("a AUTHENTICATE scram-sha-256\r\n"));
	assert_string_equal(buf_cstr(&role.asked), "SCRAM-SHA-256-");
	imap_front_answer(f, &first);
	assert_true(said("+ cj0x\r\n"));
	imap_front_input(f, STR("Yz0x\r\n"));
	assert_string_equal(buf_cstr(&role.asked), "SCRAM-SHA-256-;c=1");
	imap_front_answer(f, &last);
	assert_true(said("+ dj0y\r\n"));
	assert_int_equal(role.handed.n, 0);
	imap_front_input(f, STR("\r\n"));
	assert_string_equal(buf_cstr(&role.handed), "u@x.test t a SCRAM-SHA-256");
	imap_front_free(f);
}

static void
cancel_and_free(void **state)
{
	struct imap_front *f = front_with(true);
	const struct imap_auth_answer challenge = { .verdict = IMAP_AUTH_CHALLENGE };

	(void)state;
	imap_front_input(f, STR("a AUTHENTICATE PLAIN\r\n"));
	imap_front_answer(f, &challenge);
	assert_true(said("+ \r\n"));
	imap_front_input(f, STR("*\r\n"));
	assert_int_equal(role.cancelled, 1);
	assert_true(said("a BAD"));
	imap_front_input(f, STR("b AUTHENTICATE PLAIN =\r\n"));
	assert_true(imap_front_waits(f));
	imap_front_free(f);
	assert_int_equal(role.cancelled, 2);
}

/* C07: without TLS nobody is asked, and the client is not even asked for a literal. */
static void
no_login_without_tls(void **state)
{
	struct imap_front *f = front_with(false);

	(void)state;
	assert_true(said("LOGINDISABLED"));
	imap_front_input(f, STR("a LOGIN bob s3cret\r\n"));
	assert_true(said("a NO [PRIVACYREQUIRED]"));
	imap_front_input(f, STR("b AUTHENTICATE PLAIN AGJvYgBzM2NyZXQ=\r\n"));
	assert_true(said("b NO [PRIVACYREQUIRED]"));
	imap_front_input(f, STR("c LOGIN bob {6}\r\n"));
	assert_false(strstr(buf_cstr(&role.out), "+ ") != NULL);
	assert_true(said("c NO [PRIVACYREQUIRED]"));
	imap_front_input(f, STR("d LOGIN bob {6+}\r\ns3cret\r\n"));
	assert_true(said("d NO [PRIVACYREQUIRED]"));
	assert_int_equal(role.asked.n, 0);
	assert_null(strstr(buf_cstr(&role.log), "s3cret"));
	imap_front_free(f);
}

/* C02: what follows STARTTLS is not taken. */
static void
nothing_behind_starttls(void **state)
{
	struct imap_front *f = front_with(false);
	struct str in = STR("a STARTTLS\r\nb CAPABILITY\r\n");

	(void)state;
	assert_int_equal(imap_front_input(f, in), 12);
	assert_int_equal(role.starttls, 1);
	assert_int_equal(imap_front_input(f, STR("b CAPABILITY\r\n")), 0);
	imap_front_tls(f);
	buf_clear(&role.out);
	imap_front_input(f, STR("c CAPABILITY\r\n"));
	assert_null(strstr(buf_cstr(&role.out), "LOGINDISABLED"));
	assert_null(strstr(buf_cstr(&role.out), "STARTTLS"));
	assert_true(said("AUTH=PLAIN"));
	imap_front_free(f);
}

static void
failures_close(void **state)
{
	struct imap_front *f = front_with(true);
	const struct imap_auth_answer no = { .verdict = IMAP_AUTH_FAILED };

	(void)state;
	for (int i = 0; i < IMAP_FRONT_AUTH_MAX; i++) {
		assert_int_equal(role.closed, 0);
		imap_front_input(f, STR("a LOGIN a b\r\n"));
		imap_front_answer(f, &no);
	}
	assert_true(said("a NO [AUTHENTICATIONFAILED]"));
	assert_int_equal(role.closed, 1);
	imap_front_free(f);
}

static void
timeout_says_bye(void **state)
{
	struct imap_front *f = front_with(true);

	(void)state;
	imap_front_input(f, STR("a LOGIN a b\r\n"));
	imap_front_timeout(f);
	assert_int_equal(role.cancelled, 1);
	assert_int_equal(role.closed, 1);
	assert_true(said("* BYE"));
	imap_front_free(f);
	assert_int_equal(role.cancelled, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(login_hands_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(scram_with_last_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancel_and_free, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_login_without_tls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_behind_starttls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures_close, set_up, tear_down),
		cmocka_unit_test_setup_teardown(timeout_says_bye, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
