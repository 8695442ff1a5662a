/* plan_address.c - the addresses that mail is never sent to, whatever DNS says (attacks.md H01: an MX record that points
 * inwards makes a mail server knock at doors of its own network). */
#include <postern/relay/plan.h>

#define V4(a, b, c, bits)                                                                                              \
	{                                                                                                              \
		{ [10] = 0xff, [11] = 0xff, a, b, c }, 96 + (bits)                                                     \
	}
#define V6(bits, ...)                                                                                                  \
	{                                                                                                              \
		{ __VA_ARGS__ }, bits                                                                                  \
	}

static const struct {
	struct addr_net net;
	const char *why;
} refused[] = {
	{ V4(0, 0, 0, 8), "not an address of a host" }, /* RFC 1122 3.2.1.3 */
	{ V4(10, 0, 0, 8), "a private address" }, /* RFC 1918 */
	{ V4(100, 64, 0, 10), "a shared address" }, /* RFC 6598 */
	{ V4(127, 0, 0, 8), "a loopback address" },
	{ V4(169, 254, 0, 16), "a link-local address" }, /* RFC 3927 */
	{ V4(172, 16, 0, 12), "a private address" },
	{ V4(192, 0, 0, 24), "a reserved address" }, /* RFC 6890 2.2.2 */
	{ V4(192, 168, 0, 16), "a private address" },
	{ V4(224, 0, 0, 4), "a multicast address" },
	{ V4(240, 0, 0, 4), "a reserved or broadcast address" }, /* RFC 1112 4, RFC 919 7 */
	{ V6(127, 0), "a loopback address" }, /* ::1, and :: which means the same to connect() */
	{ V6(96, 0), "a reserved address" }, /* RFC 4291 2.5.5.1 */
	{ V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01), "a private address" }, /* RFC 8215 */
	{ V6(64, 0x01), "a reserved address" }, /* RFC 6666 */
	{ V6(7, 0xfc), "a private address" }, /* RFC 4193 */
	{ V6(10, 0xfe, 0x80), "a link-local address" },
	{ V6(10, 0xfe, 0xc0), "a private address" }, /* RFC 3879 */
	{ V6(8, 0xff), "a multicast address" },
};

/* Networks whose addresses carry one of IPv4, from that byte on. */
static const struct {
	struct addr_net net;
	unsigned at;
} carriers[] = {
	{ V6(96, 0x00, 0x64, 0xff, 0x9b), 12 }, /* NAT64, RFC 6052 2.1 */
	{ V6(16, 0x20, 0x02), 2 }, /* 6to4, RFC 3056 2 */
};

static bool
is_refused(const struct addr *a, const char **why)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		if (!addr_in(a, &refused[i].net))
			continue;
		*why = refused[i].why;
		return true;
	}
	return false;
}

static bool
is_carrier_refused(const struct addr *a, const char **why)
{
	struct addr inner = { .ip = { [10] = 0xff, [11] = 0xff } };

	for (size_t i = 0; i < sizeof carriers / sizeof *carriers; i++) {
		if (!addr_in(a, &carriers[i].net))
			continue;
		memcpy(inner.ip + 12, a->ip + carriers[i].at, 4);
		return is_refused(&inner, why);
	}
	return false;
}

bool
relay_address_ok(const struct addr *a, const char **why)
{
	*why = "";
	return !is_refused(a, why) && !is_carrier_refused(a, why);
}
