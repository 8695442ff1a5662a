/* addrlist.c - address lists as ENVELOPE shows them. */
#include "testing.h"

#include <postern/message/addrlist.h>

/* An item per line: kind, display, route, local, domain; "-" for none. */
static struct str
shown(struct arena *a, const struct addrlist *list)
{
	struct buf b;
	struct str out;

	buf_init(&b, SIZE_MAX / 16);
	for (const struct addrlist_item *i = list->first; i != NULL; i = i->next) {
		const struct str parts[] = { i->display, i->route, i->local, i->domain };

		buf_add_char(&b, "mge"[i->kind]);
		for (size_t k = 0; k < 4; k++) {
			buf_add_char(&b, '|');
			buf_add(&b, parts[k].p != NULL ? parts[k] : STR("-"));
		}
		buf_add_char(&b, '\n');
	}
	if (list->malformed)
		buf_add(&b, STR("malformed\n"));
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static const struct {
	const char *text, *want;
} rows[] = {
	{ "", "" },
	{ " , ,, ", "" },
	{ "John Doe <jdoe@machine.example>", "m|John Doe|-|jdoe|machine.example\n" },
	{ "\"Joe Q. Public\" <john.q.public@example.com>", "m|Joe Q. Public|-|john.q.public|example.com\n" },
	{ "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
	    "m|Mary Smith|-|mary|x.test\nm|-|-|jdoe|example.org\nm|Who?|-|one|y.test\n" },
	{ "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <s@e.net>",
	    "m|-|-|boss|nil.test\nm|Giant; \"Big\" Box|-|s|e.net\n" },
	{ "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
	    "g|-|-|A Group|-\nm|Ed Jones|-|c|a.test\nm|-|-|joe|where.test\nm|John|-|jdoe|one.test\ne|-|-|-|-\n" },
	{ "Undisclosed recipients:;", "g|-|-|Undisclosed recipients|-\ne|-|-|-|-\n" },
	{ "a:b,;", "g|-|-|a|-\nm|-|-|b|\ne|-|-|-|-\nmalformed\n" },
	{ "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "m|Pete|-|pete|silly.test\n" },
	{ "A Group(Some people)\r\n    :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org,\r\n"
	  "  John <jdoe@one.test> (my dear friend); (the end of the group)",
	    "g|-|-|A Group|-\nm|Chris "
	    "Jones|-|c|public.example\nm|-|-|joe|example.org\nm|John|-|jdoe|one.test\ne|-|-|-|-\n" },
	{ "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", "g|-|-|Hidden recipients|-\ne|-|-|-|-\n" },
	{ "Joe Q. Public <john.q.public@example.com>", "m|Joe Q. Public|-|john.q.public|example.com\n" },
	{ "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
	    "m|Mary Smith|@node.test|mary|example.net\nm|-|-|jdoe|test.example\n" },
	{ "<@a.test,@b.test:x@c.test>", "m|-|@a.test,@b.test|x|c.test\n" },
	{ "<@a.test , , @b.test : x@c.test>", "m|-|@a.test,,@b.test|x|c.test\n" },
	{ "john . q . public @ example . com", "m|-|-|john.q.public|example.com\n" },
	{ "\"john doe\"@example.com", "m|-|-|john doe|example.com\n" },
	{ "a.\"b c\".d@x", "m|-|-|a.b c.d|x\n" },
	{ "joe@[192.0.2.1]", "m|-|-|joe|[192.0.2.1]\n" },
	{ "joe@[IPv6:2001:db8::1], b@c", "m|-|-|joe|[IPv6:2001:db8::1]\nm|-|-|b|c\n" },
	{ "joe@x.test (Joe \\(the\\) (big) Doe)", "m|Joe (the) (big) Doe|-|joe|x.test\n" },
	{ "=?UTF-8?Q?J=C3=B6rg?=\r\n =?UTF-8?Q?M?= <j@x>", "m|=?UTF-8?Q?J=C3=B6rg?= =?UTF-8?Q?M?=|-|j|x\n" },
	{ "phil@example.com <phil@example.com>", "m|phil@example.com|-|phil|example.com\n" },
	{ "\"\" <a@b>", "m|-|-|a|b\n" },
	{ "J\xf6rg <j@x>", "m|J\xf6rg|-|j|x\n" },
	{ "[list] Joe <j@x>", "m|[list] Joe|-|j|x\n" },
	/* what no grammar allows */
	{ "<>", "m|-|-||\nmalformed\n" },
	{ "<><><>", "m|-|-||\nmalformed\n" },
	{ "joe", "m|-|-|joe|\nmalformed\n" },
	{ "Joe Doe", "m|-|-|Joe Doe|\nmalformed\n" },
	{ "@x", "m|-|-||x\nmalformed\n" },
	{ "joe@", "m|-|-|joe|\nmalformed\n" },
	{ "Joe Doe joe@x", "m|-|-|Joe Doe joe|x\nmalformed\n" },
	{ "joe@x junk", "m|-|-|joe|x\nmalformed\n" },
	{ "a@b@c", "m|-|-|a@b|c\nmalformed\n" },
	{ "<a@b@c>", "m|-|-|a@b|c\nmalformed\n" },
	{ "<a@b> c", "m|-|-|a|b\nmalformed\n" },
	{ "<a@b> <c@d>", "m|-|-|a|b\nmalformed\n" },
	{ "<a@b, c@d>", "m|-|-|a|b\nm|-|-|c|d\nmalformed\n" },
	{ "<<a@b>>", "m|-|-|a|b\nmalformed\n" },
	{ "<http://x/>", "m|-|-|http://x/|\nmalformed\n" },
	{ "Joe <a@b", "m|Joe|-|a|b\nmalformed\n" },
	{ "\"Joe <joe@x>", "m|\"Joe|-|joe|x\nmalformed\n" },
	{ "a@b (unclosed", "m|unclosed|-|a|b\nmalformed\n" },
	{ "a@b (ends in \\", "m|ends in \\|-|a|b\nmalformed\n" },
	{ "a:b:c@d;;", "g|-|-|a|-\ne|-|-|-|-\ng|-|-|b|-\nm|-|-|c|d\ne|-|-|-|-\nmalformed\n" },
	{ "a:b@c", "g|-|-|a|-\nm|-|-|b|c\ne|-|-|-|-\nmalformed\n" },
	{ ">", "malformed\n" },
	{ ")", "malformed\n" },
	{ "a@b; c@d", "m|-|-|a|b\nm|-|-|c|d\n" },
};

static void
f07_lists(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct addrlist list = { 0 };

		addrlist_parse(&a, str_of(rows[i].text), 1000, &list);
		ASSERT_STR(shown(&a, &list), str_of(rows[i].want), rows[i].text);
	}
	arena_fini(&a);
}

static void
check_balance(const struct addrlist *list)
{
	size_t n = 0;
	bool in_group = false;

	for (const struct addrlist_item *i = list->first; i != NULL; i = i->next, n++) {
		assert_true(i->kind != ADDRLIST_GROUP || !in_group);
		assert_true(i->kind != ADDRLIST_END || in_group);
		in_group = i->kind == ADDRLIST_GROUP || (in_group && i->kind != ADDRLIST_END);
	}
	assert_false(in_group);
	assert_int_equal(n, list->n);
}

/* Every truncation of every row, under every small limit. */
static void
truncated(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t n = 0; n <= strlen(rows[i].text); n++) {
			for (size_t max = 0; max < 6; max++) {
				struct addrlist list = { 0 };
				char *copy = mem_new(n); /* so that ASAN sees a read behind the end */

				memcpy(copy, rows[i].text, n);
				addrlist_parse(&a, str_from(copy, n), max, &list);
				assert_true(list.n <= max);
				check_balance(&list);
				free(copy);
			}
		}
		arena_reset(&a);
	}
	arena_fini(&a);
}

/* Each of these is a second at least if some step is quadratic. */
static void
f05_linear(void **state)
{
	static const char *const units[] = { "(", "<", ">", "\"", "\\", "a@b,", "a@b, ", "<><><>", "a:b,;", "<@",
		"<@a,", "\"(", "[", "a@[", ":", ";", "<@(c)", "a(", "@", " a", ".", "a b@", "=?" };
	struct arena a;
	double start = cpu_seconds();

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		struct addrlist list = { 0 };

		addrlist_parse(&a, repeated(&a, units[i], 1000000 / strlen(units[i])), 100, &list);
		check_balance(&list);
		arena_reset(&a);
	}
	arena_fini(&a);
	assert_true(cpu_seconds() - start < 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(f07_lists),
		cmocka_unit_test(truncated),
		cmocka_unit_test(f05_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
