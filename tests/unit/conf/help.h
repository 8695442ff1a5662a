/* help.h - parsing a text and looking at what came out, shared by the tests of configuration. */
#ifndef TESTS_CONF_HELP_H
#define TESTS_CONF_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/conf/conf.h>

/* A row of a table: a file and every error that it must get, one line each; "" for a file that is right. */
struct verdict {
	const char *text;
	const char *errors;
};


static inline void
check_verdict(struct str text, const char *errors)
{
	struct conf_errors e;
	struct conf *c;
	struct buf got;

	conf_errors_init(&e);
	buf_init(&got, CONF_FILE_MAX);
	c = conf_parse(text, "f", &e);
	conf_errors_write(&e, &got);
	assert_string_equal(buf_cstr(&got), errors);
	assert_int_equal(c == NULL, got.n > 0);
	conf_unref(c);
	buf_fini(&got);
	conf_errors_fini(&e);
}

static inline void
check_verdicts(const struct verdict *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_verdict(str_of(v[i].text), v[i].errors);
}

/* A file without errors. */
static inline struct conf *
parse(const char *text)
{
	struct conf_errors e;
	struct conf *c;
	struct buf got;

	conf_errors_init(&e);
	buf_init(&got, CONF_FILE_MAX);
	c = conf_parse(str_of(text), "f", &e);
	conf_errors_write(&e, &got);
	assert_string_equal(buf_cstr(&got), "");
	assert_non_null(c);
	buf_fini(&got);
	conf_errors_fini(&e);
	return c;
}

static inline void
check_str(struct str got, const char *want)
{
	assert_string_equal(got.n > 0 ? got.p : "", want);
	assert_int_equal(got.n, strlen(want));
}

#define ROWS(array) (array), sizeof(array) / sizeof((array)[0])
#define H "hostname = mx.example.test\n"

#endif
