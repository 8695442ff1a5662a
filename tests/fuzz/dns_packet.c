/* dns_packet.c - a DNS packet of a stranger's: the first byte chooses the type, the rest is the packet, read as the
 * answer to whatever it asks. What is accepted keeps its limits and survives the way between processes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "packet.h"

static void
check(enum dns_type type, const struct dns_answer *a, struct arena *arena)
{
	struct lookup_answer message;
	struct dns_answer back;
	struct buf was, is, packed;

	MUST(a->nrecords <= DNS_RECORDS_MAX && a->naliases <= DNS_ALIASES_MAX && a->ttl <= DNS_TTL_MAX);
	MUST((a->status == DNS_INSECURE) == (a->nrecords > 0));
	buf_init(&was, SIZE_MAX);
	buf_init(&is, SIZE_MAX);
	buf_init(&packed, IPC_MESSAGE_MAX);
	dns_answer_pack(a, type, arena, &message);
	MUST(ipc_pack(IPC_LOOKUP, true, &message, &packed, (int[IPC_FDS_MAX]){ 0 }, &(unsigned){ 0 }) && !packed.over);
	dns_answer_unpack(&message, type, arena, &back);
	MUST(back.status == a->status && back.nrecords == a->nrecords && back.naliases == a->naliases);
	for (uint32_t i = 0; i < a->nrecords; i++) {
		dns_record_write(type, &a->records[i], &was);
		dns_record_write(type, &back.records[i], &is);
	}
	MUST(str_eq(buf_str(&was), buf_str(&is)));
	buf_fini(&was);
	buf_fini(&is);
	buf_fini(&packed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const enum dns_type types[] = { DNS_A, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA };
	struct dns_answer answer;
	struct arena a;
	const char *why = NULL;
	enum dns_type type;

	if (n == 0)
		return 0;
	type = types[p[0] % (sizeof types / sizeof *types)];
	arena_init(&a);
	if (dns_packet_parse(str_from(p + 1, n - 1), type, STR("a.test"), &a, &answer, &why))
		check(type, &answer, &a);
	else
		MUST(why != NULL && answer.status == DNS_FAILED && answer.nrecords == 0);
	arena_fini(&a);
	return 0;
}
