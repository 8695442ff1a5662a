/* tls_sts_policy.c - a stranger's policy file: what parses is whole, and a pattern without "*" allows itself. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <postern/tls/sts.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct sts_policy policy;
	struct err e;

	tls_sts_is_text(str_from(p, n));
	if (!tls_sts_parse_policy(str_from(p, n), &policy, &e))
		return 0;
	if (policy.max_age_s > STS_AGE_MAX_S || (policy.mode != STS_NONE && policy.n_mx == 0))
		abort();
	for (size_t i = 0; i < policy.n_mx; i++)
		if (policy.mx[i].p[0] != '*' && !tls_sts_allows(&policy, policy.mx[i]))
			abort();
	return 0;
}
