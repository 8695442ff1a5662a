/* reading.c - what libconfuse does in silence and conf must not: comments, quotes, environment, duplicates, ends. */
#include "help.h"

#include <stdlib.h>

static void
comments_shift_no_line(void **state)
{
	static const struct verdict rows[] = {
		{ H "# one\n# two\n// three\nnope = 1\n", "f:5: \"nope\" is not known, see `postern config doc'\n" },
		{ H "/* one\n two */ nope = 1\n", "f:3: \"nope\" is not known, see `postern config doc'\n" },
		{ "# no newline at the end\n" H "# x", "" },
		{ H "domains = { \"a.test\", # why\n \"b.test\" }\n", "" },
		{ H "state = \"/a#b//c/*d\"\n", "" },
		{ H "/* no end\n\n", "f:2: the comment that starts here has no end, add */\n" },
		{ H "log { # }\n }\n", "" },
	};

	(void)state;
	check_verdicts(ROWS(rows));
}

static void
environment_stays_out(void **state)
{
	struct conf *c;

	(void)state;
	setenv("POSTERN_TEST_NAME", "evil", 1);
	c = parse(H "state = \"/x/${POSTERN_TEST_NAME}/${POSTERN_TEST_NAME:-y}\"\n"
		    "tls { certificate = '/${POSTERN_TEST_NAME}' key = \"/$\" }\n");
	check_str(c->state, "/x/${POSTERN_TEST_NAME}/${POSTERN_TEST_NAME:-y}");
	check_str(c->tls.certificate, "/${POSTERN_TEST_NAME}");
	check_str(c->tls.key, "/$");
	conf_unref(c);
	check_verdict(STR("hostname = ${POSTERN_TEST_NAME}\n"), "f:1: a word with \"$\" must stand in quotes\n");
}

static void
strings_keep_their_bytes(void **state)
{
	static const struct verdict rows[] = {
		{ H "state = \"/a\n", "f:2: the string has no end in its line, add the \"\n" },
		{ H "state = '/a\nlog { }\n", "f:2: the string has no end in its line, add the '\n" },
		{ H "state = \"/a\\n\"\n", "f:2: a backslash stands alone in the string, write two\n" },
		{ H "state = \"/a\\000b\"\n", "f:2: a backslash stands alone in the string, write two\n" },
		{ H "state = \"/a\001b\"\n", "f:2: the string has a control byte (01), delete it\n" },
		{ H "state = \"/a\tb\"\n", "" },
		{ H "state = \"/a\xff\"\n", "f:2: the line is not UTF-8, convert the file\n" },
	};
	struct conf *c;

	(void)state;
	check_verdicts(ROWS(rows));
	check_verdict(STR(H "\0nope = 1\n"), "f:2: a control byte (00) has no place here, delete it\n");
	c = parse(H "route x.test { user = \"a\\\"b\\\\c\" password_file = \"/p\" to = y.test }\n");
	check_str(c->routes.v[0].user, "a\"b\\c");
	conf_unref(c);
	c = parse(
	    "hostname = 'mx.example.test'\nroute 'x.test' { user = 'a\\'b\"' password_file = '/p' to = y.test }\r\n");
	check_str(c->routes.v[0].user, "a'b\"");
	conf_unref(c);
}

static void
nothing_vanishes(void **state)
{
	static const struct verdict rows[] = {
		{ H "listen { smtp = { *:25 } }\n", "f:2: a word with \"*\" must stand in quotes\n" },
		{ H "state = /srv/mail\n", "f:2: a word with \"/\" must stand in quotes\n" },
		{ H "domains += { a.test }\n", "f:2: += is not known, write the whole list with =\n" },
		{ H "include(\"/etc/passwd\")\n", "f:2: \"(\" has no meaning here, there are no functions\n" },
		{ H "\"tls|key\" = \"/k\"\n",
		    "f:2: no sub-section title/index for 'tls', look for a missing =, quote, comma or "
		    "brace up to here\n" },
		{ H "tls { }\n\"imap|separator\" = \"/\"\n",
		    "f:3: no sub-section title/index for 'imap', look for a missing =, "
		    "quote, comma or brace up to here\n" },
		{ H "route a.test { }\n\"route=a.test|to\" = b.test\n",
		    "f:3: a key must stand in its section, put to there\n" },
	};

	(void)state;
	check_verdicts(ROWS(rows));
}

static void
ends_are_looked_for(void **state)
{
	static const struct verdict rows[] = {
		{ "", "" },
		{ H "log {\n\nformat = json\n", "f:2: section log starts here and has no end, add }\n" },
		{ H "tls { certificate = \"/c\"\nkey = \"/k\"\nserver_name a.test { ",
		    "f:4: section server_name starts here and has no end, add }\n" },
		{ H "domains = { a.test,\n b.test",
		    "f:3: the file ends in the middle of a list or value, complete it\n" },
		{ H "domains = { a.test,", "f:2: the file ends in the middle of a list or value, complete it\n" },
		{ H "state =", "f:2: the file ends in the middle of a list or value, complete it\n" },
		{ H "state", "f:2: the file ends in the middle of a list or value, complete it\n" },
		{ H "route", "f:2: the file ends in the middle of a list or value, complete it\n" },
		{ H "}\nlog { }\n",
		    "f:2: unexpected closing brace, look for a missing =, quote, comma or brace up to here\n" },
		{ H "domains = { a.test b.test }\n",
		    "f:2: unexpected token 'b.test', look for a missing =, quote, comma or "
		    "brace up to here\n" },
		{ H "state \"/x\"\n",
		    "f:2: missing equal sign after option 'state', look for a missing =, quote, comma or brace "
		    "up to here\n" },
		{ H "route { }\n",
		    "f:2: missing title for section 'route', look for a missing =, quote, comma or brace up to "
		    "here\n" },
	};

	(void)state;
	for (size_t i = 1; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_verdict(str_of(rows[i].text), rows[i].errors);
}

static void
nothing_twice(void **state)
{
	static const struct verdict rows[] = {
		{ H H, "f:2: hostname was already set in line 1, delete one\n" },
		{ H "listen { smtp = {}\n imap = {}\n smtp = { } }\n",
		    "f:4: smtp was already set in line 2, delete one\n" },
		{ H "listen { smtp = { \"*:25\" }\n smtp = {} }\n",
		    "f:3: smtp was already set in line 2, delete one\n" },
		{ H "log { }\nlog { format = json }\n",
		    "f:3: section log was already given in line 2, put their keys together\n" },
		{ H "route a.test { }\nroute A.TEST { }\n",
		    "f:3: route \"a.test\" was already given in line 2, put their keys together\n" },
		{ H "route a.test { tls = may\n tls = may }\n", "f:3: tls was already set in line 2, delete one\n" },
		{ H "tls { server_name a.test { certificate = \"/c\" key = \"/k\" }\n"
		    "server_name a.test { certificate = \"/c\" key = \"/k\" } }\n",
		    "f:3: server_name \"a.test\" was already given in line 2, put their keys together\n" },
		{ H "domains = { a.test, b.test,\nA.test }\n",
		    "f:3: domains: the list has \"A.test\" twice, delete one\n" },
	};

	(void)state;
	check_verdicts(ROWS(rows));
}

static void
unknown_keys_get_a_hint(void **state)
{
	static const struct verdict rows[] = {
		{ "hostnam = mx.example.test\nhostname = b.test\n",
		    "f:1: \"hostnam\" is not known, did you mean \"hostname\"?\n" },
		{ H "limits { mesage_size = 5M\n recpients = 100 }\n",
		    "f:2: \"mesage_size\" is not known, did you mean \"message_size\"?\n"
		    "f:3: \"recpients\" is not known, did you mean \"recipients\"?\n" },
		{ H "limits { emssage_size = 5M }\n",
		    "f:2: \"emssage_size\" is not known, did you mean \"message_size\"?\n" },
		{ H "message_size = 5M\n",
		    "f:2: \"message_size\" is not known here, it belongs into section limits\n" },
		{ H "log { state = \"/x\" }\n",
		    "f:2: \"state\" is not known here, it belongs to the top of the file\n" },
		{ H "lisen { }\n", "f:2: \"lisen\" is not known, did you mean \"listen\"?\n" },
		{ H "milter = no\n", "f:2: \"milter\" is not known, see `postern config doc'\n" },
		{ H "root { }\nroot { }\n", "f:2: \"root\" is not known, did you mean \"route\"?\n" },
	};

	(void)state;
	check_verdicts(ROWS(rows));
}

static void
all_errors_are_told(void **state)
{
	(void)state;
	check_verdict(STR("hostname = \"-\"\nlog { format = xml }\nnope = 1\nlimits {\n errors = 0\n hops = many }\n"
			  "tls { key = \"/k\" }\n"),
	    "f:1: hostname: \"-\" is not a domain, write one like example.org\n"
	    "f:2: format: \"xml\" is not a choice, write one of \"text\", \"json\"\n"
	    "f:3: \"nope\" is not known, see `postern config doc'\n"
	    "f:5: errors: out of range, write a value from 1 to 1000\n"
	    "f:6: hops: \"many\" is not a whole number, like 20\n"
	    "f:7: key without its certificate, add certificate = \"…\"\n");
}

/* No prefix of a file may crash, hang or be taken for more than it says. */
static void
every_truncation(void **state)
{
	static const char text[] =
	    H "domains = { \"a.test\", 'b.test' } # c\n/* d */ tls { certificate = \"/c\\\"\" key = '/k' }\n"
	      "route \".x.test\" { tls = encrypt }\nlisten { smtp = {} }\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		struct conf_errors e;
		struct conf *c;

		conf_errors_init(&e);
		c = conf_parse(str_from(text, n), "f", &e);
		assert_int_equal(c == NULL, e.n > 0);
		conf_unref(c);
		conf_errors_fini(&e);
	}
}

static void
files_are_loaded(void **state)
{
	struct conf_errors e;
	struct buf got;

	(void)state;
	conf_errors_init(&e);
	buf_init(&got, CONF_FILE_MAX);
	assert_null(conf_load("/nonexistent/postern.conf", &e));
	conf_errors_write(&e, &got);
	assert_string_equal(buf_cstr(&got),
	    "/nonexistent/postern.conf: No such file or directory, name another file with -c or "
	    "make this one\n");
	conf_errors_fini(&e);
	buf_fini(&got);
}

static void
named_files_are_looked_for(void **state)
{
	struct conf *c =
	    parse(H "state = \"/nonexistent\"\ntls {\ncertificate = \"/nonexistent/c\"\nkey = \"/dev/null\"\n"
		    "server_name a.test { certificate = \"/dev/null\"\nkey = \"/nonexistent/k\" } }\n");
	struct conf_errors e;
	struct buf got;

	(void)state;
	conf_errors_init(&e);
	buf_init(&got, SIZE_MAX);
	conf_check_files(c, &e);
	conf_errors_write(&e, &got);
	assert_string_equal(buf_cstr(&got),
	    "f:4: certificate: /nonexistent/c: No such file or directory, name a file that can be "
	    "read\n"
	    "f:7: key: /nonexistent/k: No such file or directory, name a file that can be read\n");
	conf_errors_fini(&e);
	buf_fini(&got);
	conf_unref(c);
}

static void
size_has_a_ceiling(void **state)
{
	struct buf big;

	(void)state;
	buf_init(&big, SIZE_MAX);
	buf_add_cstr(&big, H);
	while (big.n <= CONF_FILE_MAX)
		buf_add_cstr(&big, "# more and more and more and more and more and more and more\n");
	check_verdict(buf_str(&big), "f: the file is larger than 1048576 bytes, delete what it does not need\n");
	buf_cut(&big, CONF_FILE_MAX);
	check_verdict(buf_str(&big), "");
	buf_fini(&big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comments_shift_no_line),
		cmocka_unit_test(environment_stays_out),
		cmocka_unit_test(strings_keep_their_bytes),
		cmocka_unit_test(nothing_vanishes),
		cmocka_unit_test(ends_are_looked_for),
		cmocka_unit_test(nothing_twice),
		cmocka_unit_test(unknown_keys_get_a_hint),
		cmocka_unit_test(all_errors_are_told),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(files_are_loaded),
		cmocka_unit_test(named_files_are_looked_for),
		cmocka_unit_test(size_has_a_ceiling),
	};

	return cmocka_run_group_tests_name("conf_reading", tests, NULL, NULL);
}
