/* route.c - tests of routes: which destination a domain has, and what a destination means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <postern/relay/route.h>

#define HEAD "hostname = mx.example.test\ndomains = { example.test }\n"

static const char table[] = HEAD "route a.test { to = \"host.test:2525\" tls = encrypt }\n"
				 "route .a.test { to = \"[2001:db8::1]:24\" protocol = lmtp }\n"
				 "route deep.b.a.test { tls = dane private = yes }\n"
				 "route verify.test { tls = verify names = { n1.test, n2.test } }\n"
				 "route empty.test { }\n"
				 "route login.test { to = \"smart.test:587\" user = me password_file = \"/p\" }\n";

static const char smart[] = HEAD "route \"*\" { to = \"192.0.2.1:465\" protocol = smtps }\n"
				 "route direct.test { }\n";

static const char demanding[] = HEAD "route \"*\" { tls = encrypt private = yes }\n";

static struct conf *
parse(const char *text)
{
	struct conf_errors e;
	struct conf *c;

	conf_errors_init(&e);
	c = conf_parse(str_of(text), "f", &e);
	if (c == NULL)
		fail_msg("%s", e.v[0].text);
	conf_errors_fini(&e);
	return c;
}

static void
destinations(void **state)
{
	static const struct {
		const char *conf, *domain, *name;
		bool sts;
	} rows[] = {
		{ table, "other.test", "other.test", true },
		{ table, "a.test", "a.test", false },
		{ table, "b.a.test", ".a.test", false },
		{ table, "c.b.a.test", ".a.test", false },
		{ table, "deep.b.a.test", "deep.b.a.test", true },
		{ table, "x.deep.b.a.test", ".a.test", false },
		{ table, "xa.test", "xa.test", true },
		{ table, "verify.test", "verify.test", true },
		{ table, "[192.0.2.9]", "[192.0.2.9]", false },
		{ table, "[IPv6:2001:db8::9]", "[IPv6:2001:db8::9]", false },
		{ table, "test", "test", true },
		{ smart, "other.test", "*", false },
		{ smart, "direct.test", "direct.test", true },
		{ smart, "[192.0.2.9]", "*", false },
		{ demanding, "other.test", "other.test", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct conf *c = parse(rows[i].conf);
		struct queue_destination d;

		relay_route_destination(c, str_of(rows[i].domain), &d);
		if (strcmp(d.name, rows[i].name) != 0 || d.sts != rows[i].sts)
			fail_msg("%s: %s %d", rows[i].domain, d.name, d.sts);
		conf_unref(c);
	}
}

struct meaning {
	const char *conf, *destination;
	bool none;
	enum relay_finding finding;
	const char *name;
	uint16_t port;
	enum conf_protocol protocol;
	int rule_plus; /* enum conf_demand + 1; 0: no rule */
	size_t names;
	bool named, private_allowed, login;
};

#define RULE(r) .rule_plus = DEMAND_##r + 1
#define NONE .none = true

static const struct meaning meanings[] = {
	{ table, "other.test", .finding = RELAY_BY_MX, .name = "other.test", .port = 25 },
	{ table, "a.test", .finding = RELAY_BY_HOST, .name = "host.test", .port = 2525, RULE(ENCRYPT), .named = true,
	    .private_allowed = true },
	{ table, ".a.test", .finding = RELAY_BY_ADDRESS, .name = "2001:db8::1", .port = 24, .protocol = PROTOCOL_LMTP,
	    .named = true, .private_allowed = true },
	{ table, "deep.b.a.test", .finding = RELAY_BY_MX, .name = "deep.b.a.test", .port = 25, RULE(DANE),
	    .private_allowed = true },
	{ table, "verify.test", .finding = RELAY_BY_MX, .name = "verify.test", .port = 25, RULE(VERIFY), .names = 2 },
	{ table, "empty.test", .finding = RELAY_BY_MX, .name = "empty.test", .port = 25 },
	{ table, "login.test", .finding = RELAY_BY_HOST, .name = "smart.test", .port = 587, RULE(VERIFY), .named = true,
	    .private_allowed = true, .login = true },
	{ table, "[192.0.2.9]", .finding = RELAY_BY_ADDRESS, .name = "192.0.2.9", .port = 25 },
	{ table, "[IPv6:2001:db8::9]", .finding = RELAY_BY_ADDRESS, .name = "2001:db8::9", .port = 25 },
	{ table, "=h.test:26", .finding = RELAY_BY_HOST, .name = "h.test", .port = 26, .named = true,
	    .private_allowed = true },
	{ table, "=[2001:db8::5]:25", .finding = RELAY_BY_ADDRESS, .name = "2001:db8::5", .port = 25, .named = true,
	    .private_allowed = true },
	{ table, "=127.0.0.1:25", .finding = RELAY_BY_ADDRESS, .name = "127.0.0.1", .port = 25, .named = true,
	    .private_allowed = true },
	{ table, "=smart.test:587", .finding = RELAY_BY_HOST, .name = "smart.test", .port = 587, RULE(VERIFY),
	    .named = true, .private_allowed = true, .login = true },
	{ table, "=smart.test:25", .finding = RELAY_BY_HOST, .name = "smart.test", .port = 25, .named = true,
	    .private_allowed = true },
	{ smart, "*", .finding = RELAY_BY_ADDRESS, .name = "192.0.2.1", .port = 465, .protocol = PROTOCOL_SMTPS,
	    .named = true, .private_allowed = true },
	{ smart, "direct.test", .finding = RELAY_BY_MX, .name = "direct.test", .port = 25 },
	{ demanding, "other.test", .finding = RELAY_BY_MX, .name = "other.test", .port = 25, RULE(ENCRYPT),
	    .private_allowed = true },
	{ demanding, "[192.0.2.9]", .finding = RELAY_BY_ADDRESS, .name = "192.0.2.9", .port = 25, RULE(ENCRYPT),
	    .private_allowed = true },
	/* routes that came or went */
	{ table, "b.a.test", NONE },
	{ table, ".gone.test", NONE },
	{ table, "*", NONE },
	{ demanding, "*", NONE },
	{ smart, "other.test", NONE },
	{ smart, "[192.0.2.9]", NONE },
	/* what is no destination */
	{ table, "", NONE },
	{ table, ".", NONE },
	{ table, "=", NONE },
	{ table, "=h.test", NONE },
	{ table, "=h.test:", NONE },
	{ table, "=h.test:0", NONE },
	{ table, "=h.test:65536", NONE },
	{ table, "=:25", NONE },
	{ table, "=.:25", NONE },
	{ table, "=[h.test]:25", NONE },
	{ table, "=2001:db8::5:25", NONE },
	{ table, "a b.test", NONE },
	{ table, "[h.test]", NONE },
	{ table, "[]", NONE },
};

static void
check_meaning(const struct meaning *m, const struct relay_route *r)
{
	assert_int_equal(r->finding, m->finding);
	if (!str_eq(r->name, str_of(m->name)))
		fail_msg("%s: %.*s", m->destination, STR_ARG(r->name));
	assert_int_equal(r->port, m->port);
	assert_int_equal(r->protocol, m->protocol);
	assert_int_equal(r->has_rule ? (int)r->tls + 1 : 0, m->rule_plus);
	assert_int_equal(r->names.n, m->names);
	assert_int_equal(r->private_allowed, m->private_allowed);
	assert_int_equal(r->named, m->named);
	assert_int_equal(r->login != NULL, m->login);
}

static void
what_they_mean(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
		const struct meaning *m = &meanings[i];
		struct conf *c = parse(m->conf);
		struct relay_route r;

		if (relay_route_of(c, str_of(m->destination), &r) == m->none)
			fail_msg("%s", m->destination);
		if (!m->none)
			check_meaning(m, &r);
		conf_unref(c);
	}
}

/* Every destination that a domain is given has a meaning. */
static void
both_agree(void **state)
{
	static const char *const domains[] = { "a.test", "x.a.test", "deep.b.a.test", "other.test", "[192.0.2.1]" };
	static const char *const texts[] = { table, smart, demanding };

	(void)state;
	for (size_t i = 0; i < 15; i++) {
		struct conf *c = parse(texts[i % 3]);
		struct queue_destination d;
		struct relay_route r;

		relay_route_destination(c, str_of(domains[i / 3]), &d);
		assert_true(relay_route_of(c, str_of(d.name), &r));
		assert_int_equal(d.sts, r.finding == RELAY_BY_MX);
		conf_unref(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destinations),
		cmocka_unit_test(what_they_mean),
		cmocka_unit_test(both_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
