/* dns_answer.c - what a dns process that was taken over answers to the others. The first byte chooses the type; the rest is a message
 * between processes. Whatever it says, who asked gets an answer that holds together. */
#include <postern/dns/answer.h>
#include <postern/tls/dane.h>

#include "fuzz.h"

static void
check(enum dns_type type, const struct dns_answer *a)
{
	bool found = a->status == DNS_SECURE || a->status == DNS_INSECURE;
	struct buf text;

	MUST(a->status < DNS_STATUSES && found == (a->nrecords > 0) && a->nrecords <= DNS_RECORDS_MAX);
	MUST(a->status != DNS_SECURE || a->secure);
	MUST(a->naliases_secure <= a->naliases);
	buf_init(&text, SIZE_MAX);
	for (uint32_t i = 0; i < a->nrecords; i++)
		dns_record_write(type, &a->records[i], &text);
	buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const enum dns_type types[] = { DNS_A, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA };
	struct lookup_answer said;
	struct dns_answer answer;
	struct arena a;
	const char *why;
	enum dns_type type;

	if (n == 0 || n > IPC_MESSAGE_MAX)
		return 0;
	type = types[p[0] % (sizeof types / sizeof *types)];
	arena_init(&a);
	if (ipc_unpack(IPC_LOOKUP, true, str_from(p + 1, n - 1), NULL, 0, &a, &said, &why)) {
		dns_answer_unpack(&said, type, &a, &answer);
		check(type, &answer);
	}
	arena_fini(&a);
	return 0;
}
