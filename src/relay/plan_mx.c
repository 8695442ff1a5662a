/* plan_mx.c - the hosts of a destination: MX records in their order, or the domain itself, or what the operator named
 * (RFC 5321 5.1, RFC 7505). */
#include "planning.h"

#include <stdlib.h>

struct choice {
	uint16_t preference;
	unsigned chance; /* the order of equal ones */
	struct str name; /* points into the answer */
};

static struct plan_host *
add_host(struct relay_planning *p, struct str name, uint16_t preference)
{
	struct plan_host *h = &p->hosts[p->nhosts++];

	h->name = arena_str(&p->arena, name);
	h->preference = preference;
	h->ttl = p->ttl;
	for (unsigned f = 0; f < PLAN_FAMILIES; f++)
		h->found[f].host = h;
	return h;
}

static bool
is_root(struct str name)
{
	return str_eq(name, STR("."));
}

static int
compare(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->chance < y->chance ? -1 : x->chance > y->chance;
}

/* The records but "." in the order of trying. */
static unsigned
sort(const struct dns_answer *a, struct choice choices[static DNS_RECORDS_MAX])
{
	unsigned n = 0;

	for (uint32_t i = 0; i < a->nrecords && n < DNS_RECORDS_MAX; i++)
		if (!is_root(a->records[i].name))
			choices[n++] =
			    (struct choice){ a->records[i].preference, plan_random(UINT32_MAX), a->records[i].name };
	qsort(choices, n, sizeof *choices, compare);
	return n;
}

static bool
is_known(const struct relay_planning *p, struct str name)
{
	for (unsigned i = 0; i < p->nhosts; i++)
		if (str_eq_nocase(p->hosts[i].name, name))
			return true;
	return false;
}

static const char *
wrong_name(struct str name)
{
	struct addr a;

	if (addr_parse_ip(name, &a))
		return "its MX record holds an address instead of a name";
	return dns_name_valid(name) ? NULL : "its MX record holds what is no host name";
}

/* Ourselves, and what is no better, is not tried: the mail would come back (RFC 5321 5.1). The records are sorted. */
static unsigned
before_us(const struct relay_planning *p, const struct choice *choices, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!str_eq_nocase(choices[i].name, p->conf->hostname))
			continue;
		while (i > 0 && choices[i - 1].preference == choices[i].preference)
			i--;
		return i;
	}
	return n;
}

static void
take_mx(struct relay_planning *p, const struct dns_answer *a)
{
	struct choice choices[DNS_RECORDS_MAX] = { 0 };
	unsigned n = sort(a, choices), before = before_us(p, choices, n);

	if (n == 0)
		plan_refuse(
		    p, QUEUE_PERM, "5.1.10", "%.*s takes no mail: it has a null MX record", STR_ARG(p->route.name));
	else if (before == 0)
		plan_loop(p, p->conf->hostname);
	for (unsigned i = 0; i < before && p->nhosts < RELAY_HOSTS_MAX; i++)
		if (!is_known(p, choices[i].name))
			add_host(p, choices[i].name, choices[i].preference)->words = wrong_name(choices[i].name);
}

/* No MX: the domain is its own host. */
static void
take_domain(struct relay_planning *p)
{
	p->hop = TLS_HOP_DOMAIN;
	if (str_eq_nocase(p->route.name, p->conf->hostname))
		plan_loop(p, p->conf->hostname);
	else
		add_host(p, p->route.name, 0);
}

/* A host without a name stands for those that nobody knows: TLS reporting counts what the policy says of it. */
static void
refuse_unknown(struct relay_planning *p, const struct dns_answer *a)
{
	struct plan_host *h = add_host(p, STR(""), 0);

	h->words = plan_words(p, "the MX records of %.*s %s: %.*s", STR_ARG(p->route.name),
	    p->mx == TLS_DNS_BOGUS ? "are bogus" : "cannot be had", STR_ARG(a->why));
	h->ttl = 0;
	plan_refuse(p, QUEUE_TEMP, "4.4.3", "%s", h->words);
	plan_prepare(p, h);
	plan_decide(p, h);
}

static void
on_mx(struct relay_planning *p, void *about, const struct dns_answer *a)
{
	(void)about;
	p->mx = relay_plan_status(a);
	p->ttl = a->ttl;
	if (p->mx == TLS_DNS_SECURE && a->naliases > 0)
		p->domain_expanded = arena_str(&p->arena, a->canonical);
	if (p->mx == TLS_DNS_SECURE || p->mx == TLS_DNS_INSECURE)
		take_mx(p, a);
	else if (p->mx == TLS_DNS_NODATA)
		take_domain(p);
	else if (p->mx == TLS_DNS_NXDOMAIN)
		plan_refuse(p, QUEUE_PERM, "5.1.2", "the domain %.*s does not exist", STR_ARG(p->route.name));
	else
		refuse_unknown(p, a);
}

static void
after_mx(struct relay_planning *p)
{
	if (p->plan.verdict == QUEUE_DONE)
		plan_addresses(p);
	else
		plan_finish(p);
}

static void
start_literal(struct relay_planning *p)
{
	struct plan_host *h = add_host(p, STR(""), 0);
	struct addr a;

	p->hop = TLS_HOP_LITERAL;
	if (addr_parse_ip(p->route.name, &a))
		plan_take_address(p, &h->found[addr_is_v4(&a) ? PLAN_V4 : PLAN_V6], &a);
	plan_addresses(p);
}

void
plan_start(struct relay_planning *p)
{
	p->ttl = DNS_TTL_MAX;
	if (p->route.finding == RELAY_BY_ADDRESS) {
		start_literal(p);
	} else if (p->route.finding == RELAY_BY_HOST) {
		p->hop = TLS_HOP_FIXED;
		add_host(p, p->route.name, 0);
		plan_addresses(p);
	} else {
		p->hop = TLS_HOP_MX;
		plan_ask(p, DNS_MX, p->route.name, on_mx, NULL);
		plan_then(p, after_mx);
	}
}
