/* trace.c - tests of how the lines of a message are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../src/cli/trace.h"

static json_t *
load(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, 0, &e);

	if (j == NULL)
		fail_msg("%s: %s", text, e.text);
	return j;
}

static void
check_waiting(const char *events, const char *who)
{
	json_t *lines = load(events);
	json_t *wanted = load(who);
	json_t *waiting = trace_waiting(lines);

	assert_true(json_equal(waiting, wanted));
	json_decref(waiting);
	json_decref(wanted);
	json_decref(lines);
}

#define ACCEPT "{\"event\":\"accept\"}"
#define LINE(event, to) "{\"event\":\"" event "\",\"to\":\"" to "\"}"

static void
who_still_waits(void **state)
{
	(void)state;
	check_waiting("[]", "[]");
	check_waiting("[" ACCEPT "]", "[]");
	check_waiting("[" ACCEPT "," LINE("defer", "a@b") "," LINE("defer", "c@d") "," LINE("defer", "a@b") "]", "[\"a@b\",\"c@d\"]");
	check_waiting("[" LINE("defer", "a@b") "," LINE("deliver", "a@b") "]", "[]");
	check_waiting("[" LINE("defer", "a@b") "," LINE("defer", "c@d") "," LINE("bounce", "a@b") "]", "[\"c@d\"]");
	check_waiting("[" LINE("defer", "a@b") "," LINE("defer", "c@d") ",{\"event\":\"delete\"}]", "[]");
	check_waiting("[" LINE("defer", "a@b") "," LINE("unheard-of", "a@b") "]", "[\"a@b\"]");
}

static void
check_told(const char *story, const char *text)
{
	json_t *j = load(story);
	struct buf out;

	buf_init(&out, SIZE_MAX);
	trace_show(j, &out);
	assert_string_equal(buf_cstr(&out), text);
	buf_fini(&out);
	json_decref(j);
}

#define T "\"time\":\"2026-05-01T12:00:00.546+02:00\",\"level\":\"info\",\"role\":\"queue\",\"qid\":\"q1\",\"from\":\"a@x.test\","

static void
told_in_words(void **state)
{
	(void)state;
	check_told("{\"messages\":[],\"refused\":[],\"cut\":false}", "");
	check_told("{\"messages\":[{\"qid\":\"q1\",\"waiting\":[],\"events\":[{" T "\"event\":\"accept\",\"client\":\"192.0.2.1\",\"msgid\":\"<m@x>\"}]}],"
		   "\"refused\":[],\"cut\":true}",
	    "message q1 from <a@x.test>, Message-ID <m@x>\n"
	    "  2026-05-01 12:00:00.546+02:00  accepted from 192.0.2.1\n"
	    "  no outcome yet; `postern queue show q1' tells whether it waits\n"
	    "\nThere is more: these are the newest. --days takes fewer days.\n");
	/* that it was taken stands first; what has no words of its own is shown as it is */
	check_told("{\"messages\":[{\"qid\":\"q1\",\"waiting\":[\"c@d\"],\"events\":["
		   "{" T "\"event\":\"defer\",\"to\":\"c@d\",\"host\":\"mx.d\",\"ip\":\"192.0.2.9\",\"delay\":\"1.5\",\"dsn\":\"4.7.5\",\"reply\":\"no\","
		   "\"tls_got\":\"none\",\"tls_wanted\":\"dane\",\"tls_why\":\"TLSA\",\"next\":\"12:30\"},"
		   "{" T "\"event\":\"new-thing\",\"colour\":\"blue\",\"empty\":\"\"},"
		   "{" T "\"event\":\"accept\",\"client\":\"192.0.2.1\"}]}],\"refused\":[]}",
	    "message q1 from <a@x.test>\n"
	    "  2026-05-01 12:00:00.546+02:00  accepted from 192.0.2.1\n"
	    "  2026-05-01 12:00:00.546+02:00  not delivered yet to c@d at mx.d [192.0.2.9], after 1.5 s: 4.7.5 no; TLS: none (wanted: dane), "
	    "because: TLSA, next 12:30\n"
	    "  2026-05-01 12:00:00.546+02:00  new-thing, colour blue\n"
	    "  still waits for c@d; `postern queue show q1' tells when it is tried again\n");
}

/* A process that was taken over may have written the lines. */
static void
nothing_reaches_the_terminal_raw(void **state)
{
	static const char story[] = "{\"messages\":[{\"qid\":\"q\\u001b[2J\",\"waiting\":[\"\\u001b]0;x\\u0007\"],\"events\":[{\"time\":\"\\u009b\\u001b\","
				    "\"event\":\"\\u001b\",\"\\u001bkey\":\"\\u202e\\u001b\",\"from\":\"\\r\\n\",\"msgid\":\"\\u0000\"}]}],"
				    "\"refused\":[{\"sid\":\"\\u001b\",\"events\":[{\"event\":\"refuse\",\"why\":\"\\u001b\\u0080\"},{}]}]}";
	json_t *j = json_loads(story, JSON_ALLOW_NUL, NULL);
	struct buf out;

	(void)state;
	assert_non_null(j);
	buf_init(&out, SIZE_MAX);
	trace_show(j, &out);
	for (size_t i = 0; i < out.n; i++) {
		unsigned char c = (unsigned char)out.p[i];

		assert_true(c == '\n' || (c >= 0x20 && c < 0x7f));
	}
	buf_fini(&out);
	json_decref(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_still_waits),
		cmocka_unit_test(told_in_words),
		cmocka_unit_test(nothing_reaches_the_terminal_raw),
	};

	return cmocka_run_group_tests_name("cli_trace", tests, NULL, NULL);
}
