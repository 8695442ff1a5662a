/* url.c - URLs of messages: what is one, what it names, and every piece of it that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "url.h"

static void
assert_str(struct str got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

static struct arena arena;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void
test_whole(void **state)
{
	struct url u;

	(void)state;
	assert_true(url_parse(STR("/a%2Fb/c;UIDVALIDITY=785799047/;UID=113330/;section=1.5.9/;partial=5.10"), &arena, &u));
	assert_true(u.absolute);
	assert_str(u.mailbox, "a/b/c");
	assert_int_equal(u.uidvalidity, 785799047);
	assert_int_equal(u.uid, 113330);
	assert_str(u.section, "1.5.9");
	assert_true(u.partial);
	assert_int_equal(u.from, 5);
	assert_int_equal(u.size, 10);
}

static void
test_relative(void **state)
{
	struct url u;

	(void)state;
	assert_true(url_parse(STR(";UID=20"), &arena, &u));
	assert_false(u.absolute);
	assert_int_equal(u.mailbox.n, 0);
	assert_int_equal(u.uidvalidity, 0);
	assert_int_equal(u.section.n, 0);
	assert_false(u.partial);
	assert_true(url_parse(STR("x/y/;uid=4294967295/;partial=7"), &arena, &u));
	assert_str(u.mailbox, "x/y");
	assert_true(u.size == UINT64_MAX);
	assert_true(url_parse(STR("/Gr%C3%BCn/;UID=1/;SECTION=HEADER.FIELDS%20(a)"), &arena, &u));
	assert_str(u.mailbox, "Gr\xc3\xbcn");
	assert_str(u.section, "HEADER.FIELDS (a)");
}

static void
test_none(void **state)
{
	static const char *const none[] = { "", "/", "/INBOX", "/INBOX/", "/;UID=1", ";UIDVALIDITY=1/;UID=1", "/INBOX;UID=1",
		"/INBOX/;UID=0", "/INBOX/;UID=4294967296", "/INBOX/;UID=1/", "/INBOX/;UID=1/;SECTION=", "/INBOX/;UID=1/;PARTIAL=1.0",
		"/INBOX/;UID=1/;PARTIAL=1.", "/INBOX/;UID=1/;PARTIAL=1/;SECTION=1", "/INBOX/;UID=1?x", "/INBOX;UIDVALIDITY=0/;UID=1",
		"/INBOX;UIDVALIDITY=1;UID=1", "/IN%BOX/;UID=1", "/IN%0/;UID=1", "/IN%00/;UID=1", "/IN%FF/;UID=1", "/IN BOX/;UID=1",
		"/IN\xc3\xb6/;UID=1", "/INBOX/;UID=1;URLAUTH=anonymous", "imap://h/INBOX/;UID=1", "imap:INBOX/;UID=1" };
	struct url u;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		if (url_parse(str_of(none[i]), &arena, &u))
			fail_msg("%s", none[i]);
}

/* What is cut off somewhere is none, but for the places where it is whole again. */
static void
test_cut(void **state)
{
	static const struct str whole = STR_INIT("/INBOX;UIDVALIDITY=7/;UID=12/;SECTION=1.2/;PARTIAL=3.45");
	struct url u;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i <= whole.n; i++) {
		char *copy = malloc(i > 0 ? i : 1);

		assert_non_null(copy);
		memcpy(copy, whole.p, i);
		n += url_parse(str_from(copy, i), &arena, &u);
		free(copy);
	}
	assert_int_equal(n, 2 + 3 + 1 + 2); /* UID=1, 12; SECTION=1, 1., 1.2; PARTIAL=3; 3.4, 3.45 */
}

static void
test_write(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, SIZE_MAX);
	url_write(&out, STR("/a]b\\\"\r\n \x7f\xc3\xb6%41"));
	assert_str(buf_str(&out), "\"/a%5Db%5C%22%0D%0A%20%7F%C3%B6%41\"");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relative, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
