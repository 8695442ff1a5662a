/* address.c - envelope addresses: grammar, limits at the edge, one spelling. */
#include "testing.h"

#include <postern/message/address.h>

struct fixture {
	struct arena a;
};

static int
set_up(void **state)
{
	struct fixture *f = NEW(struct fixture);

	arena_init(&f->a);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	arena_fini(&f->a);
	free(f);
	return 0;
}

static bool
path(const char *text, unsigned options, struct address *out)
{
	struct cur c = cur_init(str_of(text));

	return address_parse_path(&c, options, out) && cur_end(&c);
}

static void
paths(void **state)
{
	static const struct {
		const char *text;
		unsigned options;
		const char *local, *domain; /* NULL: refused */
	} rows[] = {
		{ "<bob@example.test>", 0, "bob", "example.test" }, { "<b.o-b+x=y@a.b>", 0, "b.o-b+x=y", "a.b" },
		{ "<bob@example.test.>", 0, "bob", "example.test." },
		{ "<\"b\\\" o\\\\b\"@x>", 0, "\"b\\\" o\\\\b\"", "x" }, { "<\"\"@local>", 0, "\"\"", "local" },
		{ "<\" \"@local>", 0, "\" \"", "local" }, { "<bob@[192.0.2.1]>", 0, "bob", "[192.0.2.1]" },
		{ "<bob@[IPv6:2001:db8::1]>", 0, "bob", "[IPv6:2001:db8::1]" },
		{ "<bob@[IPv6:::ffff:192.0.2.1]>", 0, "bob", "[IPv6:::ffff:192.0.2.1]" },
		{ "<@a.test:u@foreign>", 0, "u", "foreign" }, { "<@a.test,@[10.0.0.1]:u@foreign>", 0, "u", "foreign" },
		{ "<u%foreign@local>", 0, "u%foreign", "local" }, { "<foreign!u@local>", 0, "foreign!u", "local" },
		{ "<|id@local>", 0, "|id", "local" },
		{ "<\"$(touch${IFS}/tmp/p)\"@local>", 0, "\"$(touch${IFS}/tmp/p)\"", "local" },
		{ "<>", ADDRESS_NULL, "", "" }, { "<PostMaster>", ADDRESS_POSTMASTER, "PostMaster", "" },
		{ "<postmaster@x>", ADDRESS_POSTMASTER, "postmaster", "x" },
		{ "<d\xc3\xb6rte@s\xc3\xb6rens.example>", ADDRESS_UTF8, "d\xc3\xb6rte", "s\xc3\xb6rens.example" },
		{ "<\"\xc3\xb6 x\"@x>", ADDRESS_UTF8, "\"\xc3\xb6 x\"", "x" }, { "<>", 0, NULL, NULL },
		{ "<postmaster>", 0, NULL, NULL }, { "<bob>", ADDRESS_POSTMASTER, NULL, NULL },
		{ "bob@x", 0, NULL, NULL }, { "<bob@x", 0, NULL, NULL }, { "<bob@x>>", 0, NULL, NULL },
		{ "< bob@x>", 0, NULL, NULL }, { "<bob@>", 0, NULL, NULL }, { "<@x>", 0, NULL, NULL },
		{ "<@x:>", 0, NULL, NULL }, { "<@x,:u@y>", 0, NULL, NULL }, { "<bob@@x>", 0, NULL, NULL },
		{ "<b@o@b>", 0, NULL, NULL }, { "<.bob@x>", 0, NULL, NULL }, { "<bob.@x>", 0, NULL, NULL },
		{ "<b..ob@x>", 0, NULL, NULL }, { "<bob@.x>", 0, NULL, NULL }, { "<bob@x..y>", 0, NULL, NULL },
		{ "<bob@x..>", 0, NULL, NULL }, { "<bob@-x>", 0, NULL, NULL }, { "<bob@x->", 0, NULL, NULL },
		{ "<bob@x_y>", 0, NULL, NULL }, { "<bob@x y>", 0, NULL, NULL }, { "<b ob@x>", 0, NULL, NULL },
		{ "<\"bob@x>", 0, NULL, NULL }, { "<\"\\\"@local>", 0, NULL, NULL }, { "<\"a\rb\"@x>", 0, NULL, NULL },
		{ "<\"a\\\nb\"@x>", 0, NULL, NULL }, { "<\"a\x7f\"@x>", 0, NULL, NULL }, { "<a\x01@x>", 0, NULL, NULL },
		{ "<;for i in 0 1;do read r;done;sh;exit 0;>", 0, NULL, NULL }, { "<:include:x@local>", 0, NULL, NULL },
		{ "<bob@[192.0.2.256]>", 0, NULL, NULL }, { "<bob@[192.0.2]>", 0, NULL, NULL },
		{ "<bob@[192.0.2.1>", 0, NULL, NULL }, { "<bob@[IPv6:1::2::3]>", 0, NULL, NULL },
		{ "<bob@[2001:db8::1]>", 0, NULL, NULL }, { "<bob@[tag:x]>", 0, NULL, NULL },
		{ "<bob@[]>", 0, NULL, NULL }, { "<d\xc3\xb6rte@x>", 0, NULL, NULL },
		{ "<bob@s\xc3\xb6rens.example>", 0, NULL, NULL }, { "<a\xc3>", ADDRESS_UTF8, NULL, NULL },
		{ "<a\xc3@x>", ADDRESS_UTF8, NULL, NULL }, { "<a\xc0\xaf@x>", ADDRESS_UTF8, NULL, NULL },
		{ "<admin\xe2\x80\x8b@x>", ADDRESS_UTF8, NULL, NULL }, /* zero width space */
		{ "<\xe2\x80\xaenimda@x>", ADDRESS_UTF8, NULL, NULL }, /* right-to-left override */
		{ "<admin\xef\xbb\xbf@x>", ADDRESS_UTF8, NULL, NULL }, /* byte order mark */
		{ "<admin\xe2\x80\x8d@x>", ADDRESS_UTF8, NULL, NULL }, /* joiner after ASCII */
		{ "<a\xc2\xa0"
		  "b@x>",
		    ADDRESS_UTF8, NULL, NULL }, /* no-break space */
		{ "<a\xc2\x85@x>", ADDRESS_UTF8, NULL, NULL }, /* C1 control */
		{ "<admin\xef\xbc\xa0local>", ADDRESS_UTF8, NULL, NULL }, /* full-width @ */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address got;
		bool ok = path(rows[i].text, rows[i].options, &got);

		if (ok != (rows[i].local != NULL))
			fail_msg("%s: %s", rows[i].text, ok ? "accepted" : "refused");
		if (!ok)
			continue;
		ASSERT_STR(got.local, str_of(rows[i].local), rows[i].text);
		ASSERT_STR(got.domain, str_of(rows[i].domain), rows[i].text);
	}
}

static void
no_nul(void **state)
{
	static const char *const texts[] = { "<b?b@x.test>", "<\"b?b\"@x>", "<\"b\\?b\"@x>", "<bob@x?y>", "<bob@x>?",
		"<bob@[?]>" };
	struct address got;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char copy[32];
		size_t n = strlen(texts[i]);
		struct cur c;

		memcpy(copy, texts[i], n + 1);
		*strchr(copy, '?') = '\0';
		c = cur_init(str_from(copy, n));
		assert_false(address_parse_path(&c, ADDRESS_UTF8, &got) && cur_end(&c));
	}
}

static struct str
labels(struct arena *a, size_t size)
{
	char *p = arena_alloc(a, size + 1);

	for (size_t i = 0; i < size; i++)
		p[i] = i % 60 == 59 && i + 1 < size ? '.' : 'a';
	return str_from(p, size);
}

/* RFC 5321 4.5.3.1: taken at the limit, refused one above. */
static void
limits(void **state)
{
	struct fixture *f = *state;
	struct address got;
	struct str domain;
	struct cur c;

	for (size_t extra = 0; extra < 2; extra++) {
		struct str local = repeated(&f->a, "l", ADDRESS_LOCAL_MAX + extra);
		struct str label = repeated(&f->a, "x", ADDRESS_LABEL_MAX + extra);
		size_t room = ADDRESS_PATH_MAX + extra - strlen("<a@>");

		assert_int_equal(address_parse(arena_strf(&f->a, "%s@x", local.p), 0, &got), extra == 0);
		assert_int_equal(
		    address_parse(arena_strf(&f->a, "\"%.*s\"@x", (int)local.n - 2, local.p), 0, &got), extra == 0);
		assert_int_equal(address_parse(arena_strf(&f->a, "a@%s.y", label.p), 0, &got), extra == 0);
		c = cur_init(labels(&f->a, ADDRESS_DOMAIN_MAX + extra));
		assert_int_equal(address_parse_domain(&c, 0, &domain), extra == 0);
		assert_int_equal(path(arena_strf(&f->a, "<a@%s>", labels(&f->a, room).p).p, 0, &got), extra == 0);
		assert_int_equal(
		    path(arena_strf(&f->a, "<@%s:a@b>", labels(&f->a, room - 3).p).p, 0, &got), extra == 0);
	}
	assert_true(
	    path(arena_strf(&f->a, "<a@%sx>", repeated(&f->a, "a.", 125).p).p, 0, &got)); /* 126 labels fill a path */
	c = cur_init(arena_strf(&f->a, "%sx", repeated(&f->a, "a.", 126).p));
	assert_true(address_parse_domain(&c, 0, &domain) && cur_end(&c)); /* 127 labels */
}

static void
e15_domains(void **state)
{
	static const struct {
		const char *text, *canon; /* NULL: refused */
	} rows[] = {
		{ "Example.TEST", "example.test" },
		{ "example.test.", "example.test" },
		{ "b\xc3\xbc"
		  "cher.example",
		    "xn--bcher-kva.example" },
		{ "B\xc3\x9c"
		  "CHER.Example.",
		    "xn--bcher-kva.example" },
		{ "bu\xcc\x88"
		  "cher.example",
		    "xn--bcher-kva.example" }, /* NFD */
		{ "XN--BCHER-KVA.example", "xn--bcher-kva.example" },
		{ "fa\xc3\x9f.example", "xn--fa-hia.example" }, /* sharp s is itself in IDNA2008 */
		{ "\xd0\xb0pple.example", "xn--pple-43d.example" }, /* Cyrillic a: another name */
		{ "[192.0.2.1]", "[192.0.2.1]" },
		{ "[IPV6:2001:DB8:0:0::1]", "[IPv6:2001:db8::1]" },
		{ "\xe2\x93\x90"
		  "dmin.test",
		    NULL }, /* circled a */
		{ "\xef\xbd\x81"
		  "dmin.test",
		    NULL }, /* full-width a */
		{ "\xef\xac\x81nd.test", NULL }, /* ligature fi */
		{ "\xe2\x84\xaa.test", NULL }, /* Kelvin sign */
		{ "\xc4\xb0.test", NULL }, /* dotted capital I */
		{ "a\xe3\x80\x82test", NULL }, /* ideographic full stop */
		{ "a\xe2\x80\x8b.test", NULL },
		{ "", NULL },
		{ ".", NULL },
		{ "a b", NULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str got;
		bool ok = address_canon_domain(&f->a, str_of(rows[i].text), &got);

		if (ok != (rows[i].canon != NULL))
			fail_msg("%s: %s %s", rows[i].text, ok ? "accepted as" : "refused", ok ? got.p : "");
		if (ok)
			ASSERT_STR(got, str_of(rows[i].canon), rows[i].text);
	}
	assert_false(address_canon_domain(
	    &f->a, arena_strf(&f->a, "%s.test", repeated(&f->a, "\xc3\xb6", 60).p), &(struct str){ 0 }));
}

static void
accounts(void **state)
{
	static const struct {
		const char *text, *user, *stranger;
	} rows[] = {
		{ "Bob@Example.TEST.", "bob@example.test", "Bob@example.test" },
		{ "\"Bob\"@x", "bob@x", "Bob@x" },
		{ "\"b\\ob\"@x", "bob@x", "bob@x" },
		{ "\"B o\\\"b\"@x", "\"b o\\\"b\"@x", "\"B o\\\"b\"@x" },
		{ "\"a@b\"@x", "\"a@b\"@x", "\"a@b\"@x" },
		{ "\"a..b\"@x", "\"a..b\"@x", "\"a..b\"@x" },
		{ "\"\"@x", "\"\"@x", "\"\"@x" },
		{ "J\xc3\x96rg@x", "j\xc3\xb6rg@x", "J\xc3\x96rg@x" },
		{ "jo\xcc\x88rg@x", "j\xc3\xb6rg@x", "jo\xcc\x88rg@x" },
		{ "\xe2\x93\x90"
		  "dmin@x",
		    NULL,
		    "\xe2\x93\x90"
		    "dmin@x" },
		{ "\xef\xac\x81na@x", NULL, "\xef\xac\x81na@x" },
		{ "\xe2\x84\xaa"
		  "ate@x",
		    NULL,
		    "\xe2\x84\xaa"
		    "ate@x" },
		{ "adm\xc4\xb0n@x", NULL, "adm\xc4\xb0n@x" },
		{ "\xd0\xb0"
		  "dmin@x",
		    "\xd0\xb0"
		    "dmin@x",
		    "\xd0\xb0"
		    "dmin@x" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address address;
		struct str got;

		assert_true(address_parse(str_of(rows[i].text), ADDRESS_UTF8, &address));
		assert_int_equal(address_canon_user(&f->a, &address, &got), rows[i].user != NULL);
		if (rows[i].user != NULL)
			ASSERT_STR(got, str_of(rows[i].user), rows[i].text);
		assert_true(address_canon(&f->a, &address, &got));
		ASSERT_STR(got, str_of(rows[i].stranger), rows[i].text);
	}
}

static void
special_paths(void **state)
{
	struct fixture *f = *state;
	struct address got;
	struct str text;

	assert_true(path("<>", ADDRESS_NULL, &got) && address_is_null(&got));
	assert_true(address_canon(&f->a, &got, &text) && text.n == 0);
	assert_true(path("<POSTMASTER>", ADDRESS_POSTMASTER, &got) && !address_is_null(&got));
	assert_true(address_canon_user(&f->a, &got, &text) && str_eq(text, STR("postmaster")));
	assert_true(path("<x@[192.0.2.1]>", 0, &got) && address_is_literal(&got));
}

static void
e18_details(void **state)
{
	struct str user, detail;

	(void)state;
	assert_true(address_split_detail(STR("bob+tag+more"), '+', &user, &detail));
	assert_true(str_eq(user, STR("bob")) && str_eq(detail, STR("tag+more")));
	assert_true(address_split_detail(STR("bob+"), '+', &user, &detail));
	assert_true(str_eq(user, STR("bob")) && detail.n == 0);
	assert_false(address_split_detail(STR("+bob"), '+', &user, &detail));
	assert_true(str_eq(user, STR("+bob")));
	assert_true(address_split_detail(STR("++x"), '+', &user, &detail) && str_eq(user, STR("+")));
	assert_false(address_split_detail(STR("\"a+b c\""), '+', &user, &detail));
	assert_false(address_split_detail(STR(""), '+', &user, &detail));
	assert_true(address_split(STR("\"a@b\"@x"), &user, &detail) && str_eq(detail, STR("x")));
	assert_false(address_split(STR("bob"), &user, &detail));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(no_nul),
		cmocka_unit_test_setup_teardown(limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(e15_domains, set_up, tear_down),
		cmocka_unit_test_setup_teardown(accounts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(special_paths, set_up, tear_down),
		cmocka_unit_test(e18_details),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
