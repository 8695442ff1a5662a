/* check_host.c - addresses, names of addresses, signatures and TLSA of the host. */
#include "check_finding.h"

#include <postern/relay/plan.h>

void
check_signature(struct check *c, struct str name, const struct dns_answer *a)
{
	if (a->secure)
		check_add(c, FINDING_GOOD, "DNSSEC", name, NULL, "the zone is signed, and the signatures are right");
	else
		check_add(c, FINDING_NOTICE, "DNSSEC", name, NULL,
		    "the zone is not signed: others cannot know that these records are yours, and there is no DANE");
}

/* --- the host --- */

static void
judge_ptr(struct check *c, const struct check_address *at)
{
	const struct dns_answer *a = &at->ptr.answer;
	struct record line = { .type = DNS_PTR, .name = at->ptr.name };
	char ip[ADDR_TEXT_SIZE];

	addr_text_ip(&at->addr, ip);
	line.data = arena_strf(&c->arena, "%.*s.", STR_ARG(c->hostname));
	for (uint32_t i = 0; i < a->nrecords; i++)
		if (str_eq_nocase(a->records[i].name, c->hostname)) {
			check_add(c, FINDING_GOOD, "PTR", str_of(ip), NULL, "leads back to %.*s", STR_ARG(c->hostname));
			return;
		}
	if (a->nrecords > 0)
		check_add(c, FINDING_WARN, "PTR", str_of(ip), &line,
		    "leads to %.*s: many servers mistrust such a sender", STR_ARG(a->records[0].name));
	else if (check_is_answered(a))
		check_add(c, FINDING_BAD, "PTR", str_of(ip), &line,
		    "there is no PTR record: many servers refuse such a sender");
	else
		check_add(c, FINDING_WARN, "PTR", str_of(ip), &line, "%s: %.*s", check_no_answer(a), STR_ARG(a->why));
}

static void
judge_address(struct check *c, const struct check_address *at)
{
	const char *why;
	char ip[ADDR_TEXT_SIZE];

	addr_text_ip(&at->addr, ip);
	if (!relay_address_ok(&at->addr, &why)) {
		check_add(c, FINDING_BAD, "address", c->hostname, NULL, "%s is %s: others cannot reach it", ip, why);
		return;
	}
	if (at->here)
		check_add(c, FINDING_GOOD, "address", c->hostname, NULL, "%s is an address of this machine", ip);
	else if (c->knows_here)
		check_add(c, FINDING_NOTICE, "address", c->hostname, NULL,
		    "%s is no address of this machine: right if mail there is passed on to it", ip);
	judge_ptr(c, at);
}

static bool
is_published(const struct check *c, const struct record *r)
{
	struct addr a;

	if (!addr_parse_ip(r->data, &a))
		return true;
	for (size_t i = 0; i < c->naddrs; i++)
		if (addr_eq_ip(&c->addrs[i].addr, &a))
			return true;
	return false;
}

void
check_missing_address(struct check *c, const struct check_record *r)
{
	if (!is_published(c, r->want))
		NOTICE(r, c->naddrs > 0 ? r->want : NULL,
		    "%.*s of this machine is not published; mail may leave from it", STR_ARG(r->want->data));
}

static void
judge_no_address(struct check *c)
{
	const struct dns_answer *a = check_is_answered(&c->a.answer) ? &c->aaaa.answer : &c->a.answer;
	const struct record *first = NULL;

	for (size_t i = 0; i < c->wanted.n && first == NULL; i++)
		first = c->wanted.v[i].kind == RECORD_ADDRESS ? &c->wanted.v[i] : NULL;
	if (!check_is_answered(a))
		check_add(
		    c, FINDING_BAD, "address", c->hostname, NULL, "%s: %.*s", check_no_answer(a), STR_ARG(a->why));
	else
		check_add(c, FINDING_BAD, "address", c->hostname, first,
		    "the host has no address: nobody can reach it%s",
		    first == NULL ? "; publish A and AAAA with what leads to this machine" : "");
}

void
check_host(struct check *c)
{
	const struct dns_answer *a = c->a.answer.nrecords > 0 ? &c->a.answer : &c->aaaa.answer;

	if (c->naddrs == 0) {
		judge_no_address(c);
		return;
	}
	if (a->naliases > 0)
		check_add(c, FINDING_BAD, "address", c->hostname, NULL,
		    "the name is an alias of %.*s, which a host in MX records must not be (RFC 2181 10.3)",
		    STR_ARG(a->canonical));
	for (size_t i = 0; i < c->naddrs; i++)
		judge_address(c, &c->addrs[i]);
	if (!c->knows_here)
		check_add(c, FINDING_NOTICE, "address", c->hostname, NULL,
		    "this machine has no public address of its own; whether these lead to it cannot be seen from here");
	check_signature(c, c->hostname, a);
}

/* --- TLSA --- */

static bool
fits(const struct check *c, const struct tlsa *t)
{
	return cert_chain_fits(c->wanted.chain, t);
}

struct tally {
	size_t fitting, other, unusable;
	const char *why;
};

static struct tally
count_tlsa(const struct check *c, const struct dns_answer *a)
{
	struct tally n = { .why = "" };

	for (uint32_t i = 0; i < a->nrecords; i++) {
		const struct dns_tlsa *d = &a->records[i].tlsa;
		struct tlsa t = { d->usage, d->selector, d->matching, d->data };
		const char *why = tls_dane_unusable(&t);

		n.why = why != NULL ? why : n.why;
		n.unusable += why != NULL;
		n.fitting += why == NULL && fits(c, &t);
		n.other += why == NULL && !fits(c, &t);
	}
	return n;
}

static void
judge_tlsa_records(struct check *c, const struct check_record *r)
{
	struct tally n = count_tlsa(c, &r->said.answer);

	if (n.fitting > 0)
		GOOD(r, "fits the certificate");
	else if (n.other > 0)
		BAD(r, r->want, "fits another certificate: servers that obey DANE do not deliver");
	if (n.unusable > 0)
		WARN(r, n.fitting == 0 ? r->want : NULL, "%zu of the records cannot be used: %s", n.unusable, n.why);
	if (n.fitting > 0 && n.other > 0)
		NOTICE(r, NULL, "%zu of the records are for another certificate: right before and after a change",
		    n.other);
}

void
check_tlsa(struct check *c, const struct check_record *r)
{
	const struct dns_answer *host = c->a.answer.nrecords > 0 ? &c->a.answer : &c->aaaa.answer;
	const struct dns_answer *a = &r->said.answer;

	if (a->nrecords > 0 && !a->secure)
		NOTICE(r, NULL, "there are records, and nobody looks at them: the zone is not signed");
	else if (a->nrecords > 0)
		judge_tlsa_records(c, r);
	else if (host->secure)
		NOTICE(r, r->want, "there is no record: it would make others insist on TLS with this certificate");
	else
		NOTICE(r, NULL, "there is no record, and the zone must be signed before it counts");
}
