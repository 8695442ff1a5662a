/* values.c - every type at its edges, and what keys contradict each other in. */
#include "help.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define NOT_DOMAIN " is not a domain, write one like example.org\n"
#define LABEL63 "a23456789012345678901234567890123456789012345678901234567890123"

static void
domains(void **state)
{
	static const struct verdict rows[] = {
		{ "hostname = " LABEL63 ".test", "" },
		{ "hostname = " LABEL63 "x.test",
		    "f:1: hostname: \"a23456789012345678901234567890123456789012345678901234567890\"" NOT_DOMAIN },
		{ "hostname = -a.test", "f:1: hostname: \"-a.test\"" NOT_DOMAIN },
		{ "hostname = a-.test", "f:1: hostname: \"a-.test\"" NOT_DOMAIN },
		{ "hostname = a..test", "f:1: hostname: \"a..test\"" NOT_DOMAIN },
		{ "hostname = a.test.", "f:1: hostname: \"a.test.\"" NOT_DOMAIN },
		{ "hostname = a_b.test", "f:1: hostname: \"a_b.test\"" NOT_DOMAIN },
		{ "hostname = \"a b.test\"", "f:1: hostname: \"a b.test\"" NOT_DOMAIN },
		{ "hostname = 192.0.2.1", "f:1: hostname: \"192.0.2.1\"" NOT_DOMAIN },
		{ "hostname = { a.test, b.test }",
		    "f:1: hostname: one value is wanted, not a list of 2, write hostname = …\n" },
		{ "hostname = {}", "f:1: hostname: one value is wanted, not a list of 0, write hostname = …\n" },
		{ "hostname = { a.test }", "" },
		{ H "domains = a.test", "" },
		{ H "domains = { a.test, }", "" },
		{ H "domains = { \"\" }", "f:2: domains: an entry of the list is empty, delete it\n" },
	};
	struct conf *c;

	(void)state;
	check_verdicts(ROWS(rows));
	c = parse("hostname = MX.Example.TEST\ndomains = { \"bücher.test\", \"XN--MNCHEN-3YA.test\", local }");
	check_str(c->hostname, "mx.example.test");
	check_str(c->domains.v[0], "xn--bcher-kva.test");
	check_str(c->domains.v[1], "xn--mnchen-3ya.test");
	check_str(c->domains.v[2], "local");
	assert_int_equal(c->domains.n, 3);
	conf_unref(c);
}

static void
addresses(void **state)
{
	static const struct verdict rows[] = {
		{ H "postmaster = bob",
		    "f:2: postmaster: \"bob\" is not an address, write one like alice@example.org\n" },
		{ H "postmaster = \"@a.test\"",
		    "f:2: postmaster: \"@a.test\" is not an address, write one like alice@example.org\n" },
		{ H "postmaster = \"a..b@a.test\"",
		    "f:2: postmaster: \"a..b@a.test\" is not an address, write one like alice@example.org\n" },
		{ H "postmaster = \"a@b@a.test\"",
		    "f:2: postmaster: \"a@b@a.test\" is not an address, write one like alice@example.org\n" },
		{ H "postmaster = \"bob@\"", "f:2: postmaster: \"\"" NOT_DOMAIN },
		{ H "postmaster = \"\"", "" },
	};
	struct conf *c;

	(void)state;
	check_verdicts(ROWS(rows));
	c = parse(H "postmaster = \"Alice.B+tag@EXAMPLE.test\"");
	check_str(c->postmaster, "alice.b+tag@example.test");
	conf_unref(c);
}

static bool
relays(const struct conf *c, const char *address)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return conf_nets_has(&c->relay_from, (struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return conf_nets_has(&c->relay_from, (struct sockaddr *)&v6);
}

static void
networks(void **state)
{
	static const struct verdict rows[] = {
		{ H "relay_from = { \"0.0.0.0/0\" }",
		    "f:2: relay_from: \"0.0.0.0/0\" is everybody and makes an open relay, name your own networks\n" },
		{ H "relay_from = { \"::/0\" }",
		    "f:2: relay_from: \"::/0\" is everybody and makes an open relay, name your own networks\n" },
		{ H "relay_from = { \"::/64\" }",
		    "f:2: relay_from: \"::/64\" is everybody and makes an open relay, name your own networks\n" },
		{ H "relay_from = { \"10.0.0.1/8\" }", "f:2: relay_from: the address has bits beyond the network's, "
						       "write \"10.0.0.0/8\" or an address alone\n" },
		{ H "relay_from = { \"2001:db8::1/32\" }", "f:2: relay_from: the address has bits beyond the "
							   "network's, write \"2001:db8::/32\" or an address alone\n" },
		{ H "relay_from = { \"10.0.0.0/33\" }",
		    "f:2: relay_from: \"10.0.0.0/33\" wants a number from 0 to 32 after the "
		    "slash\n" },
		{ H "relay_from = { \"10.0.0.0/\" }",
		    "f:2: relay_from: \"10.0.0.0/\" wants a number from 0 to 32 after the slash\n" },
		{ H "relay_from = { a.test }",
		    "f:2: relay_from: \"a.test\" is not a network, write one like 192.0.2.0/24 or 2001:db8::/32\n" },
		{ H "relay_from = { \"10.0.0.0/8\", \"::ffff:10.0.0.0/104\" }",
		    "f:2: relay_from: the list has \"::ffff:10.0.0.0/104\" twice, delete one\n" },
	};
	struct conf *c;

	(void)state;
	check_verdicts(ROWS(rows));
	c = parse(H "relay_from = { \"192.0.2.0/25\", \"2001:db8::/33\", \"127.0.0.1\", \"::1/128\" }");
	assert_true(relays(c, "192.0.2.127") && relays(c, "::ffff:192.0.2.1") && !relays(c, "192.0.2.128"));
	assert_true(relays(c, "2001:db8:7fff::1") && !relays(c, "2001:db8:8000::1"));
	assert_true(relays(c, "127.0.0.1") && !relays(c, "127.0.0.2") && relays(c, "::1") && !relays(c, "::2"));
	conf_unref(c);
	c = parse(H);
	assert_false(relays(c, "127.0.0.1"));
	conf_unref(c);
}

#define NOT_PLACE " is not a place to listen, write *:port, 192.0.2.1:port or [2001:db8::1]:port\n"

static void
places(void **state)
{
	static const struct verdict rows[] = {
		{ H "listen { smtp = { \"*\" } }", "f:2: smtp: \"*\"" NOT_PLACE },
		{ H "listen { smtp = { \"*:0\" } }", "f:2: smtp: \"*:0\"" NOT_PLACE },
		{ H "listen { smtp = { \"*:65536\" } }", "f:2: smtp: \"*:65536\"" NOT_PLACE },
		{ H "listen { smtp = { \"*:\" } }", "f:2: smtp: \"*:\"" NOT_PLACE },
		{ H "listen { smtp = { \"::1\" } }", "f:2: smtp: \"::1\"" NOT_PLACE },
		{ H "listen { smtp = { \"[::1]\" } }", "f:2: smtp: \"[::1]\"" NOT_PLACE },
		{ H "listen { smtp = { \"[::1:25\" } }", "f:2: smtp: \"[::1:25\"" NOT_PLACE },
		{ H "listen { smtp = { \"[::1]25\" } }", "f:2: smtp: \"[::1]25\"" NOT_PLACE },
		{ H "listen { smtp = { \"localhost:25\" } }", "f:2: smtp: \"localhost:25\"" NOT_PLACE },
		{ H "listen { smtp = { \"127.1:25\" } }", "f:2: smtp: \"127.1:25\"" NOT_PLACE },
		{ H "relay { source = { \"192.0.2.1:25\" } }", "f:2: source: \"192.0.2.1:25\" is not an address, write "
							       "192.0.2.1 or 2001:db8::1, without a port\n" },
		{ H "relay { source = { \"mx.test\" } }", "f:2: source: \"mx.test\" is not an address, write "
							  "192.0.2.1 or 2001:db8::1, without a port\n" },
		{ H "dns { forward = { \"*:53\" } }",
		    "f:2: forward: \"*:53\" is not an address, write 192.0.2.53, 2001:db8::53 or one with a port\n" },
	};
	struct conf *c;

	(void)state;
	check_verdicts(ROWS(rows));
	c = parse(H "listen { smtp = { \"127.0.0.1:65535\", \"[0:0::1]:25\" } imap = \"*:1143\" submission = {} }\n"
		    "dns { forward = { 192.0.2.53, \"2001:db8::53\", \"[::1]:5353\" } }");
	assert_int_equal(c->listen[SERVICE_SMTP].n, 2);
	check_str(c->listen[SERVICE_SMTP].v[1].text, "[::1]:25");
	assert_int_equal(ntohs(((const struct sockaddr_in *)&c->listen[SERVICE_SMTP].v[0].sa)->sin_port), 65535);
	assert_true(c->listen[SERVICE_IMAP].v[0].any);
	assert_int_equal(c->listen[SERVICE_IMAP].v[0].sa.ss_family, AF_INET6);
	assert_int_equal(c->listen[SERVICE_SUBMISSION].n, 0);
	check_str(c->listen[SERVICE_IMAPS].v[0].text, "*:993");
	check_str(c->dns.forward.v[0].text, "192.0.2.53:53");
	check_str(c->dns.forward.v[1].text, "[2001:db8::53]:53");
	check_str(c->dns.forward.v[2].text, "[::1]:5353");
	conf_unref(c);
}

static void
paths(void **state)
{
	static const struct verdict rows[] = {
		{ H "state = \"\"", "f:2: state: a value is wanted: a path that starts with /\n" },
		{ H "state = srv", "f:2: state: \"srv\" does not start with /, write the whole path\n" },
		{ H "state = \"/23456789012345678901234567890123456789012345678901234567890123456789012345678901\"",
		    "f:2: state: the path is longer than 80 bytes, choose a shorter one\n" },
		{ H "dns { trust_anchor = \"\" }", "" },
	};
	struct conf *c;

	(void)state;
	check_verdicts(ROWS(rows));
	c = parse(H "state = \"/srv/mail//\"\ndns { trust_anchor = \"\" root_hints = \"/\" }");
	check_str(c->state, "/srv/mail");
	check_str(c->dns.trust_anchor, "");
	check_str(c->dns.root_hints, "/");
	conf_unref(c);
}

static void
amounts(void **state)
{
	static const struct verdict rows[] = {
		{ H "limits { hops = 24 }", "f:2: hops: out of range, write a value from 25 to 1000\n" },
		{ H "limits { hops = 1001 }", "f:2: hops: out of range, write a value from 25 to 1000\n" },
		{ H "limits { hops = 25 errors = 1000 }", "" },
		/* what an envelope holds (message/envelope.h): more would be accepted one by one and refused at DATA */
		{ H "limits { recipients = 5000 }", "" },
		{ H "limits { recipients = 5001 }", "f:2: recipients: out of range, write a value from 100 to 5000\n" },
		{ H "limits { hops = -1 }", "f:2: hops: \"-1\" is not a whole number, like 20\n" },
		{ H "limits { hops = 0x40 }", "f:2: hops: \"0x40\" is not a whole number, like 20\n" },
		{ H "limits { hops = \"\" }", "f:2: hops: a value is wanted: a whole number, like 20\n" },
		{ H "limits { hops = 18446744073709551616 }",
		    "f:2: hops: \"18446744073709551616\" is not a whole number, like 20\n" },
		{ H "limits { message_size = 63K }",
		    "f:2: message_size: out of range, write a value from 64K to 2G\n" },
		{ H "limits { message_size = 3G }", "f:2: message_size: out of range, write a value from 64K to 2G\n" },
		{ H "limits { message_size = 18446744073709551615T }",
		    "f:2: message_size: out of range, write a value from 64K to 2G\n" },
		{ H "limits { message_size = 5MB }",
		    "f:2: message_size: \"5MB\" is not a number of bytes, or of K, M, G or T, like 50M\n" },
		{ H "limits { message_size = M }",
		    "f:2: message_size: \"M\" is not a number of bytes, or of K, M, G or T, like 50M\n" },
		{ H "limits { login = 30 }",
		    "f:2: login: \"30\" is not a number with its unit s, m, h or d, like 30s\n" },
		{ H "limits { login = 2h }", "f:2: login: out of range, write a value from 1s to 1h\n" },
		{ H "limits { login = 1s handshake = 1s }", "" },
		{ H "auth { cache = 0s }", "" },
	};
	struct conf *c;

	(void)state;
	check_verdicts(ROWS(rows));
	c = parse(H "limits { message_size = 1g quota = 1T hops = 0100 login = 60M imap_timeout = 1d }");
	assert_int_equal(c->limits.message_size, 1 << 30);
	assert_true(c->limits.quota == 1ULL << 40);
	assert_int_equal(c->limits.hops, 100);
	assert_int_equal(c->limits.login_ms, 3600000);
	assert_int_equal(c->limits.imap_ms, 86400000);
	conf_unref(c);
}

static void
sizes_of_commands(void **state)
{
	uint64_t bytes = 1;

	(void)state;
	assert_true(conf_parse_size(STR("0"), &bytes) && bytes == 0);
	assert_true(conf_parse_size(STR("5g"), &bytes) && bytes == 5ULL << 30);
	assert_true(conf_parse_size(STR("18446744073709551615"), &bytes) && bytes == UINT64_MAX);
	assert_false(conf_parse_size(STR("18446744073709551616"), &bytes));
	assert_false(conf_parse_size(STR("20000000T"), &bytes));
	assert_false(conf_parse_size(STR(""), &bytes));
	assert_false(conf_parse_size(STR("-1"), &bytes));
	assert_false(conf_parse_size(STR("5 G"), &bytes));
}

static void
choices(void **state)
{
	static const struct verdict rows[] = {
		{ H "log { format = Text }",
		    "f:2: format: \"Text\" is not a choice, write one of \"text\", \"json\"\n" },
		{ H "imap { separator = \"\" }", "f:2: separator: \"\" is not a choice, write one of \"/\"\n" },
		{ H "imap { separator = \".\" }", "f:2: separator: \".\" is not a choice, write one of \"/\"\n" },
		{ H "imap { separator = \"//\" }", "f:2: separator: \"//\" is not a choice, write one of \"/\"\n" },
		{ H "auth { tag = \"+-\" }", "f:2: tag: \"+-\" is not a choice, write one of \"+\", \"-\", \"\"\n" },
		{ H "auth { scram = maybe }", "f:2: scram: \"maybe\" is neither yes nor no, write one of them\n" },
		{ H "auth { scram = 1 }", "f:2: scram: \"1\" is neither yes nor no, write one of them\n" },
	};
	struct conf *c;

	(void)state;
	check_verdicts(ROWS(rows));
	c = parse(H "log { format = json level = error } imap { separator = \"/\" } auth { scram = Off tag = \"\" }");
	assert_int_equal(c->log.format, LOG_JSON);
	assert_int_equal(c->log.level, LEVEL_ERROR);
	assert_int_equal(c->imap.separator, '/');
	assert_false(c->auth.scram);
	assert_int_equal(c->auth.tag, 0);
	conf_unref(c);
}

static void
routes(void **state)
{
	static const struct verdict rows[] = {
		{ H "route \"\" { }",
		    "f:2: route \"\": the title must be a domain, .domain for its subdomains, or *\n" },
		{ H "route \"*.a.test\" { }",
		    "f:2: route \"*.a.test\": the title must be a domain, .domain for its subdomains, or *\n" },
		{ H "route a.test { to = \"b.test:\" }",
		    "f:2: to: \"b.test:\" is not a host with a port, write one like relay.example.org:587\n" },
		{ H "route a.test { to = \"b_c:25\" }", "f:2: to: \"b_c\"" NOT_DOMAIN },
	};
	struct conf *c;

	(void)state;
	check_verdicts(ROWS(rows));
	c = parse(H "route \"*\" { to = B.test }\nroute .a.test { to = \"[::1]:2525\" tls = dane }\n"
		    "route a.test { to = 192.0.2.1 names = { x.test } tls = verify }\n"
		    "route u.test { to = u.test user = me password_file = \"/p\" }\n"
		    "route v.test { to = u.test user = me password_file = \"/p\" tls = encrypt }\n");
	assert_int_equal(c->routes.n, 5);
	check_str(c->routes.v[0].match, "*");
	check_str(c->routes.v[0].to.name, "b.test");
	assert_int_equal(c->routes.v[0].to.port, 25);
	assert_int_equal(c->routes.v[0].tls, DEMAND_POLICY);
	check_str(c->routes.v[1].match, ".a.test");
	check_str(c->routes.v[1].to.name, "::1");
	assert_int_equal(c->routes.v[1].to.port, 2525);
	assert_int_equal(c->routes.v[1].tls, DEMAND_DANE);
	check_str(c->routes.v[2].to.name, "192.0.2.1");
	check_str(c->routes.v[2].names.v[0], "x.test");
	assert_int_equal(c->routes.v[3].tls, DEMAND_VERIFY);
	assert_int_equal(c->routes.v[4].tls, DEMAND_ENCRYPT);
	conf_unref(c);
}

static void
contradictions(void **state)
{
	static const struct verdict rows[] = {
		{ H "tls { certificate = \"/c\" }", "f:2: certificate without its key, add key = \"…\"\n" },
		{ H "tls { server_name a.test { key = \"/k\" } }",
		    "f:2: key without its certificate, add certificate = \"…\"\n" },
		{ H "tls {\nserver_name a.test { } }",
		    "f:3: server_name \"a.test\" names no files, add certificate and key or delete it\n" },
		{ H "tls { server_name \"*\" { certificate = \"/c\" key = \"/k\" } }",
		    "f:2: server_name \"*\": the title must be a domain, or *.domain for any one label in its "
		    "place\n" },
		{ H "listen { imap = { \"*:993\" } }", "f:2: imap at *:993 and imaps at *:993 are the same place, give "
						       "one of them another port or address\n" },
		{ H "listen { smtp = { \"127.0.0.1:25\", \"0.0.0.0:25\" } }",
		    "f:2: smtp at 127.0.0.1:25 and smtp at 0.0.0.0:25 are the same place, give one of them another "
		    "port or "
		    "address\n" },
		{ H "listen { smtp = { \"127.0.0.1:25\", \"[::]:25\", \"127.0.0.2:25\" } }", "" },
		{ H "route a.test { user = me to = b.test }",
		    "f:2: user without a password, add password_file = \"…\"\n" },
		{ H "route a.test { password_file = \"/p\" }",
		    "f:2: password_file without its user, add user = \"…\"\n" },
		{ H "route a.test { password_file = \"/p\" user = me }",
		    "f:2: user without the host it is known at, add to = \"host:port\"\n" },
		{ H "route a.test { password_file = \"/p\" user = me\nto = b.test\ntls = may }",
		    "f:4: a password never goes out without TLS, write tls = verify or encrypt, or delete user\n" },
		{ H "route a.test { names = { b.test } }",
		    "f:2: names are compared with tls = verify only, write that too\n" },
		{ H "dns { trust_anchor = \"\" }\nroute a.test { tls = dane }",
		    "f:3: tls = dane needs DNSSEC and dns.trust_anchor is empty, give it a file\n" },
		{ H "domains = { a.test }\nroute a.test { tls = may }",
		    "f:2: a.test is in domains and has a route, but its mail stays here: delete one\n" },
		{ H "limits { connections = 10 }",
		    "f:2: connections_per_source (50) is above connections (10), change one\n" },
		{ H "limits { quota = 1M }",
		    "f:2: quota is below message_size: such a message fits nowhere, change one\n" },
		{ H "imap { message_limit = 999 }", "f:2: message_limit (999) is below 1000, make it more or 0\n" },
		{ H "imap { save_limit = 1 }", "f:2: save_limit (1) is below 1000, make it more or 0\n" },
		{ H "imap { message_limit = 1000\nsave_limit = 1000 }",
		    "f:3: message_limit counts for COPY and APPEND, too: leave one of the two\n" },
	};

	(void)state;
	check_verdicts(ROWS(rows));
}

static void
defaults_make_a_server(void **state)
{
	struct conf *c = parse("hostname = mx.example.test\ndomains = { example.test }\n");

	(void)state;
	check_str(c->state, "/var/lib/postern");
	check_str(c->postmaster, "");
	for (unsigned s = 0; s < SERVICE_COUNT; s++)
		assert_int_equal(c->listen[s].n, 1);
	assert_int_equal(c->relay_from.n, 0);
	assert_int_equal(c->limits.message_size, 50 << 20);
	assert_int_equal(c->limits.recipients, 1000);
	assert_true(c->auth.scram && c->smtp.hide_client);
	assert_int_equal(c->auth.tag, '+');
	assert_int_equal(c->auth.hash_memory, 19 << 20);
	assert_int_equal(c->imap.separator, '/');
	assert_int_equal(c->store.processes, 0); /* conf_load makes it a number of the machine */
	assert_int_equal(c->log.level, LEVEL_INFO);
	assert_int_equal(conf_item_line(c, "", "domains", 0), 2);
	assert_int_equal(conf_item_line(c, "", "state", 0), 0);
	assert_string_equal(conf_file(c), "f");
	conf_unref(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains),
		cmocka_unit_test(addresses),
		cmocka_unit_test(networks),
		cmocka_unit_test(places),
		cmocka_unit_test(paths),
		cmocka_unit_test(amounts),
		cmocka_unit_test(sizes_of_commands),
		cmocka_unit_test(choices),
		cmocka_unit_test(routes),
		cmocka_unit_test(contradictions),
		cmocka_unit_test(defaults_make_a_server),
	};

	return cmocka_run_group_tests_name("conf_values", tests, NULL, NULL);
}
