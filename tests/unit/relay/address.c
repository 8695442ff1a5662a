/* address.c - tests of which addresses mail is never sent to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/relay/plan.h>

struct row {
	const char *text;
	const char *why; /* "": mail may be sent there */
};

/* Around both ends of each network. */
static const struct row rows[] = {
	{ "0.0.0.0", "not an address of a host" },
	{ "0.255.255.255", "not an address of a host" },
	{ "1.0.0.0", "" },
	{ "9.255.255.255", "" },
	{ "10.0.0.0", "a private address" },
	{ "10.255.255.255", "a private address" },
	{ "11.0.0.0", "" },
	{ "100.63.255.255", "" },
	{ "100.64.0.0", "a shared address" },
	{ "100.127.255.255", "a shared address" },
	{ "100.128.0.0", "" },
	{ "126.255.255.255", "" },
	{ "127.0.0.0", "a loopback address" },
	{ "127.255.255.255", "a loopback address" },
	{ "128.0.0.0", "" },
	{ "169.253.255.255", "" },
	{ "169.254.169.254", "a link-local address" },
	{ "169.255.0.0", "" },
	{ "172.15.255.255", "" },
	{ "172.16.0.0", "a private address" },
	{ "172.31.255.255", "a private address" },
	{ "172.32.0.0", "" },
	{ "191.255.255.255", "" },
	{ "192.0.0.170", "a reserved address" },
	{ "192.0.1.0", "" },
	{ "192.0.2.1", "" },
	{ "192.167.255.255", "" },
	{ "192.168.0.0", "a private address" },
	{ "192.168.255.255", "a private address" },
	{ "192.169.0.0", "" },
	{ "198.51.100.1", "" },
	{ "223.255.255.255", "" },
	{ "224.0.0.0", "a multicast address" },
	{ "239.255.255.255", "a multicast address" },
	{ "240.0.0.0", "a reserved or broadcast address" },
	{ "255.255.255.255", "a reserved or broadcast address" },
	{ "::", "a loopback address" },
	{ "::1", "a loopback address" },
	{ "::2", "a reserved address" },
	{ "::127.0.0.1", "a reserved address" },
	{ "::192.0.2.1", "a reserved address" },
	{ "::ffff:127.0.0.1", "a loopback address" },
	{ "::ffff:192.0.2.1", "" },
	{ "64:ff9b::127.0.0.1", "a loopback address" },
	{ "64:ff9b::10.1.2.3", "a private address" },
	{ "64:ff9b::192.0.2.1", "" },
	{ "64:ff9b:1::192.0.2.1", "a private address" },
	{ "64:ff9b:2::1", "" },
	{ "100::", "a reserved address" },
	{ "100:0:0:1::", "" },
	{ "2001:db8::1", "" },
	{ "2002:7f00:1::1", "a loopback address" },
	{ "2002:c0a8:1::1", "a private address" },
	{ "2002:c000:201::1", "" },
	{ "2a00::1", "" },
	{ "fbff:ffff::", "" },
	{ "fc00::", "a private address" },
	{ "fdff::1", "a private address" },
	{ "fe00::", "" },
	{ "fe80::1", "a link-local address" },
	{ "fe80::1%2", "a link-local address" },
	{ "febf::1", "a link-local address" },
	{ "fec0::1", "a private address" },
	{ "feff::1", "a private address" },
	{ "ff00::", "a multicast address" },
	{ "ff02::1", "a multicast address" },
};

static void
refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct addr a;
		const char *why;

		assert_true(addr_parse_ip(str_of(rows[i].text), &a));
		if (relay_address_ok(&a, &why) != (rows[i].why[0] == '\0'))
			fail_msg("%s: %s", rows[i].text, why);
		assert_string_equal(why, rows[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
