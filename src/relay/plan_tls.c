/* plan_tls.c - what is demanded of each host: its TLSA records are asked for where the policy wants them, and the policy
 * decides (RFC 7672 2.2, tls/policy.h). */
#include "planning.h"

#include <stdio.h>

/* How two answers about one name count together. An unsigned name that answers for one family is gone to although
 * nobody answers for the other; where signatures promise something, a missing answer is an answer missing. */
static enum tls_dns
worse(enum tls_dns a, enum tls_dns b)
{
	static const int badness[TLS_DNS_STATES] = {
		[TLS_DNS_NXDOMAIN] = 1,
		[TLS_DNS_NODATA] = 2,
		[TLS_DNS_SECURE] = 3,
		[TLS_DNS_FAILED] = 4,
		[TLS_DNS_INSECURE] = 5,
		[TLS_DNS_BOGUS] = 6,
	};

	return badness[a] > badness[b] ? a : b;
}

static bool
has_records(const struct plan_found *f)
{
	return f->status == TLS_DNS_SECURE || f->status == TLS_DNS_INSECURE;
}

static void
disregard(struct plan_found *f)
{
	f->status = TLS_DNS_NODATA;
	f->naddrs = 0;
}

/* Addresses that mail is not sent to are as good as none. The alias of a host may have been changed between two
 * questions: then only one answer counts. */
static void
settle(struct plan_host *h)
{
	struct plan_found *v6 = &h->found[PLAN_V6], *v4 = &h->found[PLAN_V4];

	if (has_records(v6) && v6->naddrs == 0)
		disregard(v6);
	if (has_records(v4) && v4->naddrs == 0)
		disregard(v4);
	if (has_records(v6) && has_records(v4) && !str_eq(v6->canonical, v4->canonical))
		disregard(v4);
}

static void
tell_of_host(struct plan_host *h)
{
	struct tls_query *q = &h->query;
	const struct plan_found *f = &h->found[has_records(&h->found[PLAN_V6]) ? PLAN_V6 : PLAN_V4];

	q->host = h->name;
	q->address = worse(h->found[PLAN_V6].status, h->found[PLAN_V4].status);
	if (!has_records(f) || f->canonical.n == 0)
		return;
	q->host_expanded = f->canonical;
	q->alias = f->alias_secure ? TLS_DNS_SECURE : TLS_DNS_INSECURE;
}

static void
tell_of_rule(const struct relay_planning *p, struct tls_query *q)
{
	static const enum tls_level levels[] = {
		[DEMAND_POLICY] = TLS_LEVEL_MAY,
		[DEMAND_NONE] = TLS_LEVEL_NONE,
		[DEMAND_MAY] = TLS_LEVEL_MAY,
		[DEMAND_ENCRYPT] = TLS_LEVEL_ENCRYPT,
		[DEMAND_VERIFY] = TLS_LEVEL_VERIFY,
		[DEMAND_DANE] = TLS_LEVEL_DANE,
	};

	q->has_rule = p->route.has_rule;
	q->rule = levels[p->route.tls];
	q->rule_names = p->route.names.v;
	q->n_rule_names = p->route.names.n;
}

void
plan_prepare(const struct relay_planning *p, struct plan_host *h)
{
	h->query = (struct tls_query){
		.hop = p->hop,
		.domain = p->hop == TLS_HOP_LITERAL ? STR("") : p->route.name,
		.domain_expanded = p->domain_expanded,
		.mx = p->mx,
		.sts = p->sts,
		.message = p->message,
		.plain_after = p->conf->relay.plain_after,
		.handshakes_failed = p->handshakes_failed,
	};
	tell_of_host(h);
	tell_of_rule(p, &h->query);
}

/* TLS from the first byte: there is no going on without. */
static void
raise_for_smtps(struct tls_decision *d)
{
	size_t n = strlen(d->why);

	d->level = TLS_LEVEL_ENCRYPT;
	d->on[TLS_FAILURE_NOT_OFFERED] = d->on[TLS_FAILURE_HANDSHAKE] = TLS_NEXT_HOST;
	snprintf(d->why + n, sizeof d->why - n, "; smtps is never plain");
}

void
plan_decide(const struct relay_planning *p, struct plan_host *h)
{
	tls_policy_decide(&h->query, &h->decision);
	if (p->route.protocol == PROTOCOL_SMTPS && h->decision.connect && h->decision.level < TLS_LEVEL_ENCRYPT)
		raise_for_smtps(&h->decision);
}

static void
take_tlsa(struct relay_planning *p, struct tlsa_answer *out, const struct dns_answer *a)
{
	struct tlsa *records = arena_array(&p->arena, TLSA_RECORDS_MAX, sizeof *records);

	for (; out->n < a->nrecords && out->n < TLSA_RECORDS_MAX; out->n++) {
		const struct dns_tlsa *t = &a->records[out->n].tlsa;

		records[out->n] = (struct tlsa){ t->usage, t->selector, t->matching, arena_str(&p->arena, t->data) };
	}
	out->records = records;
}

struct base {
	struct plan_host *host;
	struct tlsa_answer *answer;
};

static void
on_tlsa(struct relay_planning *p, void *about, const struct dns_answer *a)
{
	struct base *b = about;

	b->answer->status = relay_plan_status(a);
	plan_note(p, b->host, a);
	take_tlsa(p, b->answer, a);
}

/* RFC 6698 3. A name that would be too long does not exist. */
static void
ask_tlsa(struct relay_planning *p, struct plan_host *h, struct str base, struct tlsa_answer *answer)
{
	struct base *b = ARENA_NEW(&p->arena, struct base);
	struct str name = arena_strf(&p->arena, "_%u._tcp.%.*s", p->route.port, STR_ARG(base));

	*b = (struct base){ h, answer };
	if (name.n > DNS_NAME_MAX)
		answer->status = TLS_DNS_NXDOMAIN;
	else
		plan_ask(p, DNS_TLSA, name, on_tlsa, b);
}

static void
after_tlsa(struct relay_planning *p)
{
	for (unsigned i = 0; i < p->nhosts; i++)
		plan_decide(p, &p->hosts[i]);
	plan_finish(p);
}

void
plan_demands(struct relay_planning *p)
{
	for (unsigned i = 0; i < p->nhosts; i++) {
		struct plan_host *h = &p->hosts[i];
		struct str bases[TLS_BASES_MAX];
		size_t n;

		settle(h);
		plan_prepare(p, h);
		n = tls_policy_bases(&h->query, bases);
		for (size_t j = 0; j < n; j++)
			ask_tlsa(p, h, bases[j], &h->query.tlsa[j]);
	}
	plan_then(p, after_tlsa);
}
