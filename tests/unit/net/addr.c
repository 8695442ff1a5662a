/* addr.c - tests of addresses, networks and first bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include <postern/net/addr.h>
#include <postern/net/sniff.h>

static const char *
text(const struct addr *a)
{
	static char out[ADDR_TEXT_SIZE];

	addr_text(a, out);
	return out;
}

static void
parsing(void **state)
{
	static const char *const good[][2] = {
		{ "192.0.2.1:25", "192.0.2.1:25" },
		{ "[2001:db8::1]:465", "[2001:db8::1]:465" },
		{ "[2001:0DB8:0:0::0001]:465", "[2001:db8::1]:465" },
		{ "[::ffff:192.0.2.1]:25", "192.0.2.1:25" },
		{ "[::]:0", "[::]:0" },
		{ "[fe80::1%2]:65535", "[fe80::1%2]:65535" },
	};
	static const char *const bad[] = {
		"",
		":",
		"25",
		"192.0.2.1",
		"192.0.2.1:",
		"192.0.2.1:65536",
		"192.0.2.1:-1",
		"192.0.2.1:+1",
		"192.0.2.1: 1",
		"192.0.2:25",
		"192.0.2.01:25",
		"0x7f.1:25",
		"localhost:25",
		"2001:db8::1:25",
		"[2001:db8::1]",
		"[192.0.2.1]:25",
		"[]:25",
		"[2001:db8::1:25",
		"2001:db8::1]:25",
		"[fe80::1%eth0]:1",
		"[fe80::1%0]:1",
		"[fe80::1%]:1",
		"[1:2:3:4:5:6:7:8:9]:1",
		"*:25",
		"[::1]]:25",
		"[00000000000000000000000000000000000000000000000000000000000000000000000000000000000000]:1",
	};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(addr_parse(str_of(good[i][0]), &a));
		assert_string_equal(text(&a), good[i][1]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(addr_parse(str_of(bad[i]), &a));
	assert_false(addr_parse(STR("192.0.2.1\0:25"), &a));
	assert_true(addr_parse_ip(STR("IPv6:2001:db8::1"), &a));
	assert_false(addr_parse_ip(STR("192.0.2.1:25"), &a));
}

static void
every_truncation_of_an_address_is_refused(void **state)
{
	static const struct str whole = STR_INIT("[2001:db8:1:2:3:4:5:6]:6");
	struct addr a;

	(void)state;
	assert_true(addr_parse(whole, &a));
	for (size_t n = 0; n < whole.n; n++)
		assert_false(addr_parse(str_sub(whole, 0, n), &a));
}

static void
binding(void **state)
{
	struct addr_bind b;
	struct err e;

	(void)state;
	assert_true(addr_parse_bind(STR("*:25"), &b, &e));
	assert_true(b.any);
	assert_int_equal(b.at.port, 25);
	assert_true(addr_parse_bind(STR("[::]:25"), &b, &e));
	assert_false(b.any);
	assert_false(addr_parse_bind(STR("*"), &b, &e));
	assert_non_null(strstr(e.log, "*:25"));
	assert_false(addr_parse_bind(STR("**:25"), &b, &e));
	assert_false(addr_parse_bind(STR("*:"), &b, &e));
}

static bool
in(const char *ip, const char *network)
{
	struct addr a;
	struct addr_net net;
	struct err e;

	assert_true(addr_parse_ip(str_of(ip), &a));
	assert_true(addr_parse_net(str_of(network), &net, &e));
	return addr_in(&a, &net);
}

static void
networks(void **state)
{
	static const char *const bad[] = { "", "/", "192.0.2.0/33", "192.0.2.0/", "2001:db8::/129", "192.0.2.1/24",
		"2001:db8::1/64", "x/8", "192.0.2.0/8x", "fe80::%1/64", "192.0.2.0/+8", "::ffff:0:0/95" };
	struct addr_net net;
	char out[ADDR_TEXT_SIZE];
	struct err e;

	(void)state;
	assert_true(in("192.0.2.77", "192.0.2.0/24"));
	assert_false(in("192.0.3.77", "192.0.2.0/24"));
	assert_true(in("192.0.2.129", "192.0.2.128/25"));
	assert_false(in("192.0.2.127", "192.0.2.128/25"));
	assert_true(in("::ffff:192.0.2.77", "192.0.2.0/24"));
	assert_true(in("192.0.2.1", "0.0.0.0/0"));
	assert_false(in("2001:db8::1", "0.0.0.0/0"));
	assert_true(in("192.0.2.1", "192.0.2.1"));
	assert_false(in("192.0.2.2", "192.0.2.1"));
	assert_true(in("2001:db8::5", "2001:db8::/32"));
	assert_false(in("2001:db9::5", "2001:db8::/32"));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(addr_parse_net(str_of(bad[i]), &net, &e));
	assert_true(addr_parse_net(STR("192.0.2.0/24"), &net, &e));
	addr_text_net(&net, out);
	assert_string_equal(out, "192.0.2.0/24");
	assert_true(addr_parse_net(STR("2001:db8::/32"), &net, &e));
	addr_text_net(&net, out);
	assert_string_equal(out, "2001:db8::/32");
}

static void
kernel_form(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(7) };
	struct sockaddr_storage ss;
	struct addr a, b;
	socklen_t n;

	(void)state;
	inet_pton(AF_INET6, "::ffff:192.0.2.9", &in6.sin6_addr);
	assert_true(addr_from_sockaddr((struct sockaddr *)&in6, sizeof in6, &a));
	assert_string_equal(text(&a), "192.0.2.9:7");
	n = addr_to_sockaddr(&a, &ss);
	assert_int_equal(ss.ss_family, AF_INET);
	assert_true(addr_from_sockaddr((struct sockaddr *)&ss, n, &b));
	assert_true(addr_eq(&a, &b));
	assert_false(addr_from_sockaddr((struct sockaddr *)&ss, n - 1, &b));
	assert_true(addr_parse_ip(STR("127.9.9.9"), &a) && addr_is_loopback(&a));
	assert_true(addr_parse_ip(STR("::1"), &a) && addr_is_loopback(&a));
	assert_true(addr_parse_ip(STR("::2"), &a) && !addr_is_loopback(&a));
}

static bool
same_source(const char *a, const char *b)
{
	struct addr x, y;
	struct addr_source sx, sy;

	assert_true(addr_parse_ip(str_of(a), &x) && addr_parse_ip(str_of(b), &y));
	sx = addr_source_of(&x);
	sy = addr_source_of(&y);
	return memcmp(&sx, &sy, sizeof sx) == 0;
}

static void
sources(void **state)
{
	(void)state;
	assert_true(same_source("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
	assert_false(same_source("2001:db8:0:1::1", "2001:db8:0:2::1"));
	assert_false(same_source("192.0.2.1", "192.0.2.2"));
	assert_true(same_source("192.0.2.1", "::ffff:192.0.2.1"));
}

static void
first_bytes(void **state)
{
	(void)state;
	assert_int_equal(sniff_first(STR("")), SNIFF_MORE);
	assert_int_equal(sniff_first(STR("\x16")), SNIFF_MORE);
	assert_int_equal(sniff_first(STR("\x16\x03")), SNIFF_MORE);
	assert_int_equal(sniff_first(STR("\x16\x03\x01")), SNIFF_TLS);
	assert_int_equal(sniff_first(STR("\x16\x03\x01\x02\x00\x01")), SNIFF_TLS);
	assert_int_equal(sniff_first(STR("\x16\x04")), SNIFF_OTHER);
	assert_int_equal(sniff_first(STR("G")), SNIFF_MORE);
	assert_int_equal(sniff_first(STR("GET / HTTP/1.1\r\n")), SNIFF_HTTP);
	assert_int_equal(sniff_first(STR("OPTIONS *")), SNIFF_HTTP);
	assert_int_equal(sniff_first(STR("PRI * HTTP/2.0")), SNIFF_HTTP);
	assert_int_equal(sniff_first(STR("EHLO x")), SNIFF_OTHER);
	assert_int_equal(sniff_first(STR("a1 LOGIN")), SNIFF_OTHER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsing),
		cmocka_unit_test(every_truncation_of_an_address_is_refused),
		cmocka_unit_test(binding),
		cmocka_unit_test(networks),
		cmocka_unit_test(kernel_form),
		cmocka_unit_test(sources),
		cmocka_unit_test(first_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
