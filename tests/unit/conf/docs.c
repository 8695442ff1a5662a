/* docs.c - what is written for people agrees with the table: documentation, the manual, the example, what is shown. */
#include "help.h"

#include <jansson.h>
#include <stdlib.h>

#include <postern/core/io.h>

static json_t *
doc_json(void)
{
	struct buf text;
	json_t *doc;

	buf_init(&text, SIZE_MAX);
	conf_doc(CONF_JSON, &text);
	doc = json_loadb(text.p, text.n, 0, NULL);
	assert_true(json_is_array(doc) && json_array_size(doc) > 40);
	buf_fini(&text);
	return doc;
}

static const char *
field(const json_t *key, const char *name)
{
	return json_string_value(json_object_get(key, name));
}

/* Whether the text has a line with the words before the key's name and those after it. */
static bool
mentions(struct buf *text, const char *before, const json_t *key, const char *after)
{
	struct buf words;
	bool found;

	buf_init(&words, SIZE_MAX);
	buf_addf(&words, "%s%s%s", before, field(key, "name"), after);
	found = str_search(buf_str(text), buf_str(&words)) < text->n;
	buf_fini(&words);
	return found;
}

/* Every key of the table is explained, and the explanation can be found under its name. */
static void
every_key_is_documented(void **state)
{
	struct buf text, man;
	json_t *doc = doc_json();
	json_t *key;
	size_t i;

	(void)state;
	buf_init(&text, SIZE_MAX);
	buf_init(&man, SIZE_MAX);
	conf_doc(CONF_TEXT, &text);
	conf_doc_man(&man);
	json_array_foreach(doc, i, key) {
		assert_true(strlen(field(key, "help")) > 10);
		assert_true(strchr(field(key, "help"), '\n') == NULL);
		assert_true(mentions(&text, *field(key, "section") == '\0' ? "  " : ".", key, " = "));
		assert_true(mentions(&man, ".It Ic ", key, " No = "));
	}
	json_decref(doc);
	buf_fini(&text);
	buf_fini(&man);
}

static void
read_example(struct buf *text)
{
	buf_init(text, CONF_FILE_MAX);
	assert_true(io_read_file(-1, EXAMPLE, text));
}

static bool
line_sets(struct str line, const char *name)
{
	size_t n = strlen(name);

	while (line.n > 0 && (line.p[0] == '#' || line.p[0] == ' '))
		line = str_sub(line, 1, line.n);
	return str_starts(line, str_of(name)) && line.n > n && line.p[n] == ' ' && str_has(line, '=');
}

static void
the_example_mentions_every_key(void **state)
{
	struct buf text;
	json_t *doc = doc_json();
	json_t *key;
	size_t i;

	(void)state;
	read_example(&text);
	json_array_foreach(doc, i, key) {
		struct str rest = buf_str(&text);
		struct str line;
		bool found = false;

		while (!found && str_cut(&rest, '\n', &line))
			found = line_sets(line, field(key, "name"));
		if (!found)
			fail_msg("%s is not in %s", field(key, "name"), EXAMPLE);
	}
	json_decref(doc);
	buf_fini(&text);
}

/* The example with its defaults spoken out: "# key = value" without the #, but not in sections that are an example as a
 * whole. */
static void
speak_out(struct str text, struct buf *out)
{
	struct str line;
	bool whole = false;

	while (str_cut(&text, '\n', &line)) {
		whole = whole ? !str_starts(line, STR("# }"))
			      : str_starts(line, STR("# route ")) || str_starts(line, STR("# server_name "));
		if (!whole && str_starts(line, STR("# ")) && str_has(line, '='))
			line = str_sub(line, 1, line.n);
		buf_add(out, line);
		buf_add_char(out, '\n');
	}
}

static void
the_example_tells_the_defaults(void **state)
{
	struct conf *plain = parse("hostname = mx.example.org domains = { example.org }");
	struct conf *shipped, *spoken;
	struct conf_changes d;
	struct buf text, aloud;

	(void)state;
	read_example(&text);
	buf_init(&aloud, SIZE_MAX);
	speak_out(buf_str(&text), &aloud);
	shipped = parse(buf_cstr(&text));
	spoken = parse(buf_cstr(&aloud));
	conf_diff(plain, shipped, &d);
	assert_int_equal(d.n, 0);
	conf_diff(plain, spoken, &d);
	assert_int_equal(d.n, 0);
	assert_true(conf_item_line(spoken, "log", "level", 0) > 0);
	conf_unref(plain);
	conf_unref(shipped);
	conf_unref(spoken);
	buf_fini(&text);
	buf_fini(&aloud);
}

static void
shown_text_is_a_configuration(void **state)
{
	struct conf *c =
	    parse(H "tls { server_name a.test { certificate = \"/c\"\nkey = \"/k\" } }\nlimits { hops = 30 }\n");
	struct conf *again;
	struct conf_changes d;
	struct buf text;

	(void)state;
	buf_init(&text, SIZE_MAX);
	conf_show(c, CONF_TEXT, &text);
	assert_true(str_search(buf_str(&text), STR("hops = 30 ")) < text.n);
	assert_true(str_search(buf_str(&text), STR("# f:4\n")) < text.n);
	assert_true(str_search(buf_str(&text), STR("# f:3\n")) < text.n);
	assert_true(str_search(buf_str(&text), STR("# default\n")) < text.n);
	again = parse(buf_cstr(&text));
	conf_diff(c, again, &d);
	assert_int_equal(d.n, 0);
	conf_unref(c);
	conf_unref(again);
	buf_fini(&text);
}

static void
shown_json_has_types(void **state)
{
	struct conf *c = parse(H "domains = { a.test }\nroute x.test { tls = none }\n");
	struct buf text;
	json_t *show, *limits, *route;

	(void)state;
	buf_init(&text, SIZE_MAX);
	conf_show(c, CONF_JSON, &text);
	show = json_loadb(text.p, text.n, 0, NULL);
	assert_non_null(show);
	limits = json_object_get(show, "limits");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(limits, "recipients"), "value")), 1000);
	assert_string_equal(field(json_object_get(limits, "message_size"), "value"), "50M");
	assert_string_equal(field(json_object_get(show, "domains"), "from"), "f:2");
	assert_string_equal(field(json_object_get(limits, "message_size"), "from"), "default");
	route = json_object_get(json_object_get(show, "route"), "x.test");
	assert_string_equal(field(json_object_get(route, "tls"), "value"), "none");
	json_decref(show);
	conf_unref(c);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_documented),
		cmocka_unit_test(the_example_mentions_every_key),
		cmocka_unit_test(the_example_tells_the_defaults),
		cmocka_unit_test(shown_text_is_a_configuration),
		cmocka_unit_test(shown_json_has_types),
	};

	return cmocka_run_group_tests_name("conf_docs", tests, NULL, NULL);
}
