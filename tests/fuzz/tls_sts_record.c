/* tls_sts_record.c - a stranger's TXT record at _mta-sts. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <postern/tls/sts.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str text = str_from(p, n);
	struct str id, chosen;
	struct err e;

	if (tls_sts_parse_record(text, &id, &e) && (id.n == 0 || id.n > STS_ID_MAX || id.p < text.p))
		abort();
	if (tls_sts_choose_record(&text, 1, &chosen, &e) && !str_eq(id, chosen))
		abort();
	return 0;
}
