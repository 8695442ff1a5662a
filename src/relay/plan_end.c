/* plan_end.c - the end of a planning: which addresses of which hosts are tried, and the answer when there are none. */
#include "planning.h"

/* Why a host is not connected to. The worst one of all hosts is the answer for the mail: what may be different
 * tomorrow before what will not. */
enum reason { USABLE, NO_ADDRESS, ADDRESS_REFUSED, NOT_AS_REQUIRED, AGAINST_POLICY, NO_ANSWER, REASONS };

static const struct {
	enum queue_verdict verdict;
	const char *status; /* RFC 3463 3.5, 3.8; RFC 8689 4.2.1 */
} verdicts[REASONS] = {
	[USABLE] = { QUEUE_DONE, "" },
	[NO_ADDRESS] = { QUEUE_PERM, "5.4.4" },
	[ADDRESS_REFUSED] = { QUEUE_PERM, "5.4.4" },
	[NOT_AS_REQUIRED] = { QUEUE_PERM, "5.7.10" },
	[AGAINST_POLICY] = { QUEUE_TEMP, "4.7.5" },
	[NO_ANSWER] = { QUEUE_TEMP, "4.4.3" },
};

static bool
is_unanswered(enum tls_dns s)
{
	return s == TLS_DNS_BOGUS || s == TLS_DNS_FAILED;
}

static bool
lacks_answer(const struct plan_host *h)
{
	return is_unanswered(h->query.address) || is_unanswered(h->query.mx) ||
	       is_unanswered(h->query.tlsa[0].status) || is_unanswered(h->query.tlsa[1].status);
}

static enum reason
reason_of(const struct plan_host *h)
{
	if (h->decision.connect)
		return plan_has_address(h) ? USABLE : ADDRESS_REFUSED;
	if (h->decision.requiretls)
		return NOT_AS_REQUIRED;
	if (lacks_answer(h))
		return NO_ANSWER;
	if (plan_has_address(h))
		return AGAINST_POLICY;
	return h->refused != NULL ? ADDRESS_REFUSED : NO_ADDRESS;
}

static const char *
words_of(struct relay_planning *p, const struct plan_host *h, enum reason why)
{
	if (h->words != NULL)
		return h->words;
	if (why == ADDRESS_REFUSED && h->refused != NULL)
		return h->refused;
	if (why == ADDRESS_REFUSED || why == NO_ADDRESS)
		return "it has no address";
	if (why == NO_ANSWER && h->dns_words.n > 0)
		return plan_words(p, "%s: %.*s", h->decision.why, STR_ARG(h->dns_words));
	return plan_words(p, "%s", h->decision.why);
}

/* The addresses of one host in the order of trying: the families in turn, IPv6 first (RFC 8305 4). */
struct list {
	struct addr addrs[PLAN_FAMILIES * PLAN_OF_FAMILY_MAX];
	unsigned n, taken;
};

static bool
is_listed(const struct list *lists, unsigned n, const struct addr *a)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < lists[i].n; j++)
			if (addr_eq(&lists[i].addrs[j], a))
				return true;
	return false;
}

/* lists[at] from the host; what an earlier list or this one has is left out. */
static void
fill(struct list *lists, unsigned at, const struct plan_host *h)
{
	struct list *l = &lists[at];

	for (unsigned i = 0; i < PLAN_OF_FAMILY_MAX; i++)
		for (unsigned f = 0; f < PLAN_FAMILIES; f++)
			if (i < h->found[f].naddrs && !is_listed(lists, at + 1, &h->found[f].addrs[i]))
				l->addrs[l->n++] = h->found[f].addrs[i];
}

/* Two of each host, as both families may be needed to reach it, until there are enough: one host with many addresses
 * does not keep the others from being tried. */
static void
share(struct list *lists, unsigned n)
{
	unsigned left = RELAY_ADDRESSES_MAX, before;

	do {
		before = left;
		for (unsigned i = 0; i < n; i++)
			for (unsigned k = 0; k < 2 && left > 0 && lists[i].taken < lists[i].n; k++, left--)
				lists[i].taken++;
	} while (left > 0 && left < before);
}

static void
add_host(struct relay_planning *p, const struct plan_host *h, const struct list *l, enum reason why)
{
	struct relay_host *hosts = (struct relay_host *)(uintptr_t)p->plan.hosts;
	struct relay_host *out = &hosts[p->plan.nhosts++];

	*out = (struct relay_host){ .name = h->name, .decision = h->decision, .words = "", .ttl = h->ttl };
	memcpy(out->addrs, l->addrs, l->taken * sizeof *l->addrs);
	out->naddrs = l->taken;
	if (why == USABLE)
		return;
	out->words = words_of(p, h, why);
	if (h->decision.connect)
		out->decision.next = TLS_NEXT_HOST;
	out->decision.connect = false;
}

/* Hosts that there is no room for are not told of: nothing is wrong with them. */
static void
add_hosts(struct relay_planning *p, const enum reason *reasons)
{
	static const struct list none;
	struct list *lists = arena_array(&p->arena, p->nhosts, sizeof *lists);

	for (unsigned i = 0; i < p->nhosts; i++)
		if (reasons[i] == USABLE)
			fill(lists, i, &p->hosts[i]);
	share(lists, p->nhosts);
	p->plan.hosts = arena_array(&p->arena, p->nhosts, sizeof *p->plan.hosts);
	for (unsigned i = 0; i < p->nhosts; i++)
		if (reasons[i] != USABLE || lists[i].taken > 0)
			add_host(p, &p->hosts[i], reasons[i] == USABLE ? &lists[i] : &none, reasons[i]);
}

/* A typing error in the configuration is mended, not bounced. A domain without any address does not take mail at all. */
static void
refuse(struct relay_planning *p, const struct plan_host *h, enum reason why)
{
	const char *words = words_of(p, h, why);

	if (p->route.named && (why == NO_ADDRESS || why == ADDRESS_REFUSED))
		plan_refuse(p, QUEUE_TEMP, "4.4.4", "%.*s, where a route leads: %s", STR_ARG(p->route.name), words);
	else if (p->hop == TLS_HOP_DOMAIN && why == NO_ADDRESS)
		plan_refuse(
		    p, QUEUE_PERM, "5.1.2", "the domain %.*s has neither MX nor address records", STR_ARG(h->name));
	else if (p->hop == TLS_HOP_LITERAL)
		plan_refuse(p, verdicts[why].verdict, verdicts[why].status, "%s", words);
	else
		plan_refuse(p, verdicts[why].verdict, verdicts[why].status, "no host of %.*s can be used: %.*s: %s",
		    STR_ARG(p->route.name), STR_ARG(h->name), words);
}

static void
give_verdict(struct relay_planning *p, const enum reason *reasons)
{
	unsigned worst = 0;

	for (unsigned i = 0; i < p->nhosts; i++) {
		if (reasons[i] == USABLE)
			return;
		if (reasons[i] > reasons[worst])
			worst = i;
	}
	refuse(p, &p->hosts[worst], reasons[worst]);
}

void
plan_finish(struct relay_planning *p)
{
	enum reason reasons[RELAY_HOSTS_MAX] = { 0 };

	for (unsigned i = 0; i < p->nhosts; i++)
		reasons[i] = reason_of(&p->hosts[i]);
	if (p->plan.verdict == QUEUE_DONE)
		give_verdict(p, reasons);
	add_hosts(p, reasons);
	plan_end(p);
}
