/* param.c - parameters with and without RFC 2231. */
#include "testing.h"

#include <postern/message/charset.h>
#include <postern/message/param.h>

/* "type/subtype|name=value|…" */
static struct str
shown(struct arena *a, struct str value)
{
	struct str type, subtype;
	const struct param *p;
	struct buf b;
	struct str out;

	if (!param_parse_type(a, value, &type, &subtype, &p))
		return STR("none");
	buf_init(&b, SIZE_MAX / 16);
	buf_add(&b, type);
	buf_add_char(&b, '/');
	buf_add(&b, subtype);
	for (; p != NULL; p = p->next) {
		buf_add_char(&b, '|');
		buf_add(&b, p->name);
		buf_add_char(&b, '=');
		buf_add(&b, p->value);
	}
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static const struct {
	const char *text, *want;
} rows[] = {
	{ "audio/basic", "audio/basic" },
	{ " message / rfc822", "message/rfc822" },
	{ "TEXT/Plain; CharSet=US-ASCII (Plain text)", "text/plain|charset=US-ASCII" },
	{ "(hello) text (plain) / (world) plain (eod);charset=us-ascii", "text/plain|charset=us-ascii" },
	{ "text/plain; charset = ISO-8859-1", "text/plain|charset=ISO-8859-1" },
	{ "text/plain; charset=\"iso-8859-1\"; format=flowed", "text/plain|charset=iso-8859-1|format=flowed" },
	{ "multipart/mixed; boundary=gc0pJq0M:08jU534c0p", "multipart/mixed|boundary=gc0pJq0M:08jU534c0p" },
	{ "multipart/mixed; boundary==_x?y", "multipart/mixed|boundary==_x?y" },
	{ "multipart/mixed;\r\n boundary=\"---- main\r\n boundary ----\"",
	    "multipart/mixed|boundary=---- main boundary ----" },
	{ "image/gif; name=my holiday.gif; x=y", "image/gif|name=my holiday.gif|x=y" },
	{ "text/plain charset=utf-8 name=x", "text/plain|charset=utf-8|name=x" },
	{ "text/plain;charset=a;charset=b", "text/plain|charset=a" },
	{ "text/plain ;;;;; = ;; name=\"value\"", "text/plain|name=value" },
	{ "text/plain/format; a=b", "text/plain|a=b" },
	{ "text/plain; junk; a=b", "text/plain|a=b" },
	{ "text/plain; a=\"\\\"x\\\\\"", "text/plain|a=\"x\\" },
	{ "text/plain; a=\"unclosed", "text/plain|a=unclosed" },
	{ "text/plain; a=", "text/plain|a=" },
	{ "text/plain; a=;b=c", "text/plain|a=|b=c" },
	{ "text/plain; =x; a=b", "text/plain|a=b" },
	{ "message/external-body; access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/x.tar\"",
	    "message/external-body|access-type=URL|url=ftp://cs.utk.edu/x.tar" },
	{ "a/b; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
	    "a/b|title*=utf-8'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A" },
	{ "a/b; t*0*=us-ascii'en'This%20is%20; t*1*=%2A%2Afun; t*2=\" isn't it!\"",
	    "a/b|t*=utf-8'en'This%20is%20%2A%2Afun%20isn%27t%20it!" },
	{ "a/b; n*1=b; n*0=a; n*3=d", "a/b|n=ab" },
	{ "a/b; n*=iso-8859-1''Fr%F6sche; n=Froesche", "a/b|n*=utf-8''Fr%C3%B6sche|n=Froesche" },
	{ "a/b; n*=''x%y", "a/b|n*=utf-8''x%25y" },
	{ "a/b; n*=no-charset", "a/b|n*=utf-8''no-charset" },
	{ "a/b; n*1*=x; m*2=y", "a/b" },
	{ "a/b; n**=x; *=y; n*x=z; n*0*0=1", "a/b" },
	{ "text", "none" },
	{ "text/", "none" },
	{ "/plain", "none" },
	{ ";charset=x", "none" },
	{ "", "none" },
};

static void
fields(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ASSERT_STR(shown(&a, str_of(rows[i].text)), str_of(rows[i].want), rows[i].text);
		for (size_t n = 0; n < strlen(rows[i].text); n++) {
			char *copy = mem_new(n);

			memcpy(copy, rows[i].text, n);
			shown(&a, str_from(copy, n));
			free(copy);
		}
	}
	arena_fini(&a);
}

static void
decoding(void **state)
{
	static const struct {
		const char *text, *want;
	} values[] = {
		{ "attachment; filename*=iso-8859-1''Fr%F6sche.txt", "Fr\xc3\xb6sche.txt" },
		{ "attachment; filename=\"=?utf-8?q?Fr=C3=B6sche?=.txt\"", "Fr\xc3\xb6sche.txt" },
		{ "attachment; filename=x; filename*=utf-8''y", "y" },
		{ "attachment; FILENAME=\"x y\"", "x y" },
	};
	struct arena a;
	struct buf b;

	(void)state;
	arena_init(&a);
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		const struct param *list;
		struct str token;

		assert_true(param_parse_token(&a, str_of(values[i].text), &token, &list));
		assert_true(str_eq(token, STR("attachment")));
		buf_clear(&b);
		param_decode(&b, param_find(list, STR("filename")));
		ASSERT_STR(buf_str(&b), str_of(values[i].want), values[i].text);
	}
	assert_null(param_find(NULL, STR("x")));
	buf_fini(&b);
	arena_fini(&a);
}

static void
many(void **state)
{
	static const char *const units[] = { ";a=b", ";a*0=b", " x(", "; x (", "=", "\"", ";a=\"", " a", "(", ";\"" };
	double start = cpu_seconds();
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		shown(&a, arena_strf(&a, "a/b; n=%s", repeated(&a, units[i], 500000 / strlen(units[i])).p));
		arena_reset(&a);
	}
	assert_true(cpu_seconds() - start < 20);
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(decoding),
		cmocka_unit_test(many),
	};

	charset_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
