/* net_addr.c - addresses, networks and first bytes as strangers and configurations write them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/err.h>
#include <postern/net/addr.h>
#include <postern/net/sniff.h>

#include "fuzz.h"

/* What was parsed prints as text that parses to the same. */
static void
round_trip(const struct addr *a)
{
	char text[ADDR_TEXT_SIZE];
	struct addr again;
	size_t n = addr_text(a, text);

	if (!addr_parse(str_from(text, n), &again) || !addr_eq(a, &again))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str s = str_from(p, n);
	char text[ADDR_TEXT_SIZE];
	struct addr_bind b;
	struct addr_net net, again;
	struct addr a;
	struct err e;

	if (addr_parse_bind(s, &b, &e) && !b.any)
		round_trip(&b.at);
	if (addr_parse_ip(s, &a))
		round_trip(&a);
	if (addr_parse_net(s, &net, &e)) {
		size_t k = addr_text_net(&net, text);

		if (!addr_parse_net(str_from(text, k), &again, &e) || memcmp(&net, &again, sizeof net) != 0)
			abort();
	}
	for (size_t i = 0; i <= n && i < 32; i++)
		sniff_first(str_sub(s, 0, i));
	return 0;
}
