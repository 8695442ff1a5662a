/* plan_host.c - the addresses of each host, and which hosts are ourselves: those go, and all that are no better
 * (RFC 5321 5.1). */
#include "planning.h"

static bool
is_unspecified(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip + (addr_is_v4(a) ? 12 : 0), zero, addr_is_v4(a) ? 4 : 16) == 0;
}

static bool
listens_at(const struct relay_planning *p, const struct conf_addr *at, const struct addr *a)
{
	struct addr place;

	if (!addr_from_sockaddr((const struct sockaddr *)&at->sa, sizeof at->sa, &place) || place.port != a->port)
		return false;
	if (is_unspecified(&place))
		return p->ops->is_local != NULL && p->ops->is_local(p->ops_ctx, a);
	return addr_eq_ip(&place, a);
}

/* Whether mail that is sent there comes back to us. */
static bool
is_own(const struct relay_planning *p, const struct addr *a)
{
	const struct conf_addrs *places = &p->conf->listen[SERVICE_SMTP];

	if (!p->route.private_allowed && (addr_is_loopback(a) || is_unspecified(a)))
		return true;
	for (size_t i = 0; i < places->n; i++)
		if (listens_at(p, &places->v[i], a))
			return true;
	return false;
}

static void
refuse_address(struct relay_planning *p, struct plan_host *h, const struct addr *a, const char *why)
{
	char text[ADDR_TEXT_SIZE];

	addr_text_ip(a, text);
	h->refused = plan_words(p, "%s is %s", text, why);
}

void
plan_take_address(struct relay_planning *p, struct plan_found *f, const struct addr *a)
{
	struct addr at = *a;
	const char *why;

	at.port = p->route.port;
	if (is_own(p, &at)) {
		f->host->own = true;
		refuse_address(p, f->host, &at, "an address of this server");
	} else if (!p->route.private_allowed && !relay_address_ok(&at, &why)) {
		refuse_address(p, f->host, &at, why);
	} else if (f->naddrs < PLAN_OF_FAMILY_MAX) {
		f->addrs[f->naddrs++] = at;
	}
}

static void
shuffle(const struct dns_record *order[], uint32_t n)
{
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = plan_random(i);
		const struct dns_record *last = order[i - 1];

		order[i - 1] = order[j];
		order[j] = last;
	}
}

/* All are looked at, also behind those that are kept: one of our own may be among them. */
static void
take_records(struct relay_planning *p, struct plan_found *f, const struct dns_answer *a)
{
	const struct dns_record *order[DNS_RECORDS_MAX] = { NULL };
	uint32_t n = a->nrecords < DNS_RECORDS_MAX ? a->nrecords : DNS_RECORDS_MAX;

	for (uint32_t i = 0; i < n; i++)
		order[i] = &a->records[i];
	shuffle(order, n);
	for (uint32_t i = 0; i < n; i++) {
		struct addr at = { 0 };

		memcpy(at.ip, order[i]->ip, sizeof at.ip);
		plan_take_address(p, f, &at);
	}
}

static void
take_alias(struct relay_planning *p, struct plan_found *f, const struct dns_answer *a)
{
	f->canonical = arena_str(&p->arena, a->canonical);
	f->alias_secure = a->naliases_secure > 0;
	if (p->hop != TLS_HOP_FIXED && str_eq_nocase(f->canonical, p->conf->hostname)) {
		f->host->own = true;
		f->host->refused = "its name leads to this server";
	}
}

static void
on_addresses(struct relay_planning *p, void *about, const struct dns_answer *a)
{
	struct plan_found *f = about;

	f->status = relay_plan_status(a);
	plan_note(p, f->host, a);
	if (a->naliases > 0)
		take_alias(p, f, a);
	take_records(p, f, a);
}

void
plan_loop(struct relay_planning *p, struct str host)
{
	/* an operator who names this server himself has the time to mend it */
	plan_refuse(p, p->route.named ? QUEUE_TEMP : QUEUE_PERM, p->route.named ? "4.4.6" : "5.4.6",
	    "mail for %.*s would come back to this server: %.*s is one of its names or has one of its addresses",
	    STR_ARG(p->route.name), STR_ARG(host));
}

static const struct plan_host *
best_own(const struct relay_planning *p)
{
	for (unsigned i = 0; i < p->nhosts; i++)
		if (p->hosts[i].own)
			return &p->hosts[i];
	return NULL;
}

/* The hosts are in the order of preference. */
static void
drop_own(struct relay_planning *p)
{
	const struct plan_host *own = best_own(p);
	unsigned n = 0;

	if (own == NULL)
		return;
	while (p->hosts[n].preference < own->preference)
		n++;
	if (n == 0)
		plan_loop(p, own->name.n > 0 ? own->name : p->route.name);
	p->nhosts = n;
}

static void
after_addresses(struct relay_planning *p)
{
	drop_own(p);
	if (p->plan.verdict == QUEUE_DONE)
		plan_demands(p);
	else
		plan_finish(p);
}

void
plan_addresses(struct relay_planning *p)
{
	static const enum dns_type types[PLAN_FAMILIES] = { [PLAN_V6] = DNS_AAAA, [PLAN_V4] = DNS_A };

	for (unsigned i = 0; i < p->nhosts && p->hop != TLS_HOP_LITERAL; i++)
		for (unsigned f = 0; f < PLAN_FAMILIES && p->hosts[i].words == NULL; f++)
			plan_ask(p, types[f], p->hosts[i].name, on_addresses, &p->hosts[i].found[f]);
	plan_then(p, after_addresses);
}
