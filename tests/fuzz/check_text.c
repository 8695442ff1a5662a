/* check_text.c - TXT records of any domain, judged by `postern dns check': SPF, DMARC, TLS reporting. */
#include "check_text.h"
#include "fuzz.h"

static void
check_walk(struct str domain)
{
	size_t steps = 0;

	for (struct str at = dmarc_parent(domain, true); at.n > 0; at = dmarc_parent(at, false)) {
		MUST(at.n < domain.n && str_ends(domain, at));
		MUST(++steps <= 7);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct addr addrs[2] = { { .ip = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 7 } },
		{ .ip = { 0x20, 1, [15] = 7 } } };
	struct spf_place place = { STR("d.test"), STR("mx.d.test"), true, addrs, 2 };
	struct str text = str_from(p, n);
	struct str record;
	struct dmarc_verdict d;
	struct spf_verdict v;

	check_spf(text, &place, &v);
	MUST(v.all <= SPF_PASS);
	if (v.all == SPF_PASS && v.broken == NULL)
		MUST(v.allows);
	check_dmarc(text, &d);
	MUST(d.p <= DMARC_UNKNOWN && d.sp <= DMARC_UNKNOWN && d.np <= DMARC_UNKNOWN && !(d.psd_y && d.psd_n));
	check_tlsrpt(text);
	if (check_text_choose(&text, 1, STR("v=spf1"), false, &record) == 1)
		MUST(str_starts(record, STR("v=spf1")));
	check_walk(text);
	return 0;
}
