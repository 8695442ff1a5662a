/* writing.c - a role's part is read back as what it was; differences are found and told. */
#include "help.h"

static const char everything[] =
    H "domains = { a.test, \"bücher.test\" }\npostmaster = \"p@a.test\"\nrelay_from = { \"10.0.0.0/8\", "
      "\"2001:db8::/32\" }\n"
      "state = \"/srv/\\\"x\\\\ ${HOME}\"\n"
      "tls { certificate = \"/c\" key = \"/k\"\nserver_name a.test { certificate = \"/c1\" key = \"/k1\" }\n"
      "server_name \"*.a.test\" { certificate = \"/c2\" key = \"/k2\" } }\n"
      "listen { smtp = {} imap = { \"127.0.0.1:1143\", \"[::1]:1143\" } }\ndns { forward = { 192.0.2.53 } trust_anchor "
      "= \"\" }\n"
      "route \"*\" { to = \"[::1]:25\" tls = verify names = { x.test, y.test } }\n"
      "route r.test { to = r.test user = me password_file = \"/p\" }\n"
      "auth { tag = \"\" cache = 90s }\nlimits { message_size = 1000000 login = 61s }\nlog { format = json }\n";

static void
check_round_trip(const struct conf *c, unsigned roles)
{
	struct buf first, second;
	struct conf_changes changes;
	struct conf_errors e;
	struct conf *again;

	buf_init(&first, SIZE_MAX);
	buf_init(&second, SIZE_MAX);
	conf_errors_init(&e);
	conf_write_part(c, roles, &first);
	again = conf_parse(buf_str(&first), "part", &e);
	conf_errors_write(&e, &second);
	assert_string_equal(buf_cstr(&second), "");
	conf_write_part(again, roles, &second);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	conf_diff(c, again, &changes);
	for (size_t i = 0; i < changes.n; i++)
		assert_int_equal(changes.v[i].roles & roles, 0);
	assert_true(roles != CONF_ALL || changes.n == 0);
	conf_unref(again);
	conf_errors_fini(&e);
	buf_fini(&first);
	buf_fini(&second);
}

static void
every_part_is_read_back(void **state)
{
	struct conf *c = parse(everything);

	(void)state;
	for (unsigned role = CONF_PARENT; role <= CONF_ALL; role <<= 1)
		check_round_trip(c, role);
	check_round_trip(c, CONF_ALL);
	conf_unref(c);
}

static void
a_part_is_no_more_than_needed(void **state)
{
	struct conf *c =
	    parse(H "domains = { a.test }\nroute r.test { to = r.test user = me password_file = \"/p\" }\n");
	struct buf part;

	(void)state;
	buf_init(&part, SIZE_MAX);
	conf_write_part(c, CONF_LOG, &part);
	assert_string_equal(buf_cstr(&part), "hostname = \"mx.example.test\"\nstate = \"/var/lib/postern\"\n"
					     "trace {\n\tdays = 7\n\tsize = 256M\n}\nlog {\n\tformat = text\n\tlevel = info\n}\n");
	buf_clear(&part);
	conf_write_part(c, CONF_IMAP, &part);
	assert_int_equal(str_search(buf_str(&part), STR("route")), part.n);
	assert_int_equal(str_search(buf_str(&part), STR("domains")), part.n);
	buf_clear(&part);
	conf_write_part(c, CONF_RELAY, &part);
	assert_true(
	    str_search(buf_str(&part), STR("route \"r.test\" {\n\tto = \"r.test:25\"\n\ttls = verify\n")) < part.n);
	buf_fini(&part);
	conf_unref(c);
}

static void
check_change(const struct conf_change *got, const char *key, unsigned line, bool restart)
{
	assert_string_equal(got->key, key);
	assert_int_equal(got->line, line);
	assert_int_equal(got->restart, restart);
}

static void
changes_are_told(void **state)
{
	struct conf *before = parse(everything);
	struct conf *same = parse(everything);
	struct conf *after =
	    parse("\n" H "state = \"/other\"\nlimits { hops = 30\n recipients = 500 }\nroute x.test { tls = none }\n"
		  "domains = { a.test, \"bücher.test\" }\n");
	struct conf_changes d;

	(void)state;
	conf_diff(before, same, &d);
	assert_int_equal(d.n, 0);
	conf_diff(before, after, &d);
	assert_int_equal(d.n, 18);
	check_change(&d.v[0], "postmaster", 0, false);
	check_change(&d.v[1], "relay_from", 0, false);
	check_change(&d.v[2], "state", 3, true);
	check_change(&d.v[3], "tls.certificate", 0, false);
	check_change(&d.v[5], "tls.server_name", 0, false);
	check_change(&d.v[6], "listen.smtp", 0, true);
	check_change(&d.v[10], "route", 0, false);
	check_change(&d.v[13], "limits.message_size", 0, false);
	check_change(&d.v[14], "limits.recipients", 5, false);
	check_change(&d.v[15], "limits.hops", 4, false);
	assert_int_equal(d.v[15].roles, CONF_SMTP);
	conf_unref(before);
	conf_unref(same);
	conf_unref(after);
}

static void
references_keep_it(void **state)
{
	const struct conf *c = parse(H);
	const struct conf *session = conf_ref(c);

	(void)state;
	assert_ptr_equal(c, session);
	conf_unref(c);
	check_str(session->hostname, "mx.example.test");
	conf_unref(session);
	conf_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_part_is_read_back),
		cmocka_unit_test(a_part_is_no_more_than_needed),
		cmocka_unit_test(changes_are_told),
		cmocka_unit_test(references_keep_it),
	};

	return cmocka_run_group_tests_name("conf_writing", tests, NULL, NULL);
}
