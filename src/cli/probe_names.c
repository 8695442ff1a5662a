/* probe_names.c - the questions of a probe to DNS, in three rounds: MX and MTA-STS; addresses of each host; TLSA. */
#include "probe_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <postern/core/mem.h>
#include <postern/message/address.h>
#include <postern/relay/plan.h>

struct question {
	struct names *names;
	struct names_host *host; /* NULL: of the target */
	unsigned base; /* TLSA: of which name */
	void (*take)(struct question *q, const struct dns_answer *a);
};

/* --- the target --- */

static bool
split_port(struct str text, struct str *host, uint16_t *port)
{
	size_t colon = str_rfind(text, ':');
	uint64_t n;

	*host = text;
	*port = 0;
	if (colon == text.n || str_find(text, ':') != colon) /* none, or an IPv6 address */
		return true;
	*host = str_sub(text, 0, colon);
	if (!str_u64(str_sub(text, colon + 1, text.n), UINT16_MAX, &n) || n == 0)
		return false;
	*port = (uint16_t)n;
	return true;
}

bool
names_target(struct arena *a, const char *text, struct probe_target *t)
{
	struct str all = str_of(text);

	*t = (struct probe_target){ .port = 0 };
	if (addr_parse(all, &t->address) && t->address.port > 0) {
		t->is_address = true;
		t->port = t->address.port;
		t->host = str_sub(all, 0, str_rfind(all, ':'));
		if (str_starts(t->host, STR("[")))
			t->host = str_sub(t->host, 1, t->host.n - 1);
		return true;
	}
	if (!split_port(all, &t->host, &t->port))
		return false;
	t->is_address = addr_parse_ip(t->host, &t->address);
	return t->is_address || (address_canon_domain(a, t->host, &t->host) && dns_name_valid(t->host));
}

/* --- the resolver --- */

struct dns *
names_resolver(const struct conf *conf, struct loop *l, int64_t ms, struct err *e)
{
	const char *forward[DNS_FORWARDERS_MAX + 1] = { NULL };
	struct dns_options o = {
		.anchor = conf->dns.trust_anchor.n > 0 ? conf->dns.trust_anchor.p : NULL,
		.root_hints = conf->dns.root_hints.n > 0 ? conf->dns.root_hints.p : NULL,
		.forward = forward,
		.ask_ms = ms,
	};
	struct arena a;
	struct dns *d;

	if (o.anchor != NULL && access(o.anchor, R_OK) == -1) {
		err_perm(e, "", "trust anchor %s: %s; install dns-root-data or set dns.trust_anchor", o.anchor,
		    strerror(errno));
		return NULL;
	}
	arena_init(&a);
	for (size_t i = 0; i < conf->dns.forward.n && i < DNS_FORWARDERS_MAX; i++)
		forward[i] = dns_forwarder(&conf->dns.forward.v[i], &a);
	d = dns_open(l, &o, e);
	arena_fini(&a);
	return d;
}

/* --- rounds --- */

static void
on_turn(void *ctx)
{
	struct names *n = ctx;

	n->next(n);
}

/* The next round begins when nothing is open, and never from inside of who asks. */
static void
go_on(struct names *n, void (*next)(struct names *n))
{
	n->next = next;
	if (n->open == 0)
		loop_timer_start(&n->turn, 0);
}

static void
on_answer(void *ctx, const struct dns_answer *a)
{
	struct question *q = ctx;
	struct names *n = q->names;

	q->take(q, a);
	free(q);
	if (--n->open == 0)
		loop_timer_start(&n->turn, 0);
}

static void
ask(struct names *n, struct names_host *host, unsigned base, enum dns_type type, struct str name,
    void (*take)(struct question *q, const struct dns_answer *a))
{
	struct question *q = NEW(struct question);

	*q = (struct question){ n, host, base, take };
	n->open++;
	dns_ask(n->dns, type, name, on_answer, q);
}

/* --- TLSA --- */

static void
finish(struct names *n)
{
	for (unsigned i = 0; i < n->nhosts; i++)
		tls_policy_decide(&n->hosts[i].query, &n->hosts[i].decision);
	n->done(n->ctx);
}

static void
take_tlsa(struct question *q, const struct dns_answer *a)
{
	struct tlsa *v = q->host->tlsa[q->base];
	size_t n = 0;

	for (uint32_t i = 0; i < a->nrecords && n < TLSA_RECORDS_MAX; i++) {
		const struct dns_tlsa *t = &a->records[i].tlsa;

		v[n++] = (struct tlsa){ t->usage, t->selector, t->matching, arena_str(&q->names->arena, t->data) };
	}
	q->host->query.tlsa[q->base] = (struct tlsa_answer){ relay_plan_status(a), v, n };
}

static void
ask_tlsa(struct names *n)
{
	struct str bases[TLS_BASES_MAX];

	for (unsigned i = 0; i < n->nhosts; i++) {
		size_t count = n->hosts[i].name[0] != '\0' ? tls_policy_bases(&n->hosts[i].query, bases) : 0;

		for (unsigned j = 0; j < count; j++)
			ask(n, &n->hosts[i], j, DNS_TLSA,
			    arena_strf(&n->arena, "_%u._tcp.%.*s", n->tlsa_port, STR_ARG(bases[j])), take_tlsa);
	}
	go_on(n, finish);
}

/* --- addresses --- */

/* The worse of two, where there are records at all (policy.h). */
static enum tls_dns
join(enum tls_dns a, enum tls_dns b)
{
	static const enum tls_dns worst[] = { TLS_DNS_BOGUS, TLS_DNS_FAILED, TLS_DNS_INSECURE, TLS_DNS_SECURE,
		TLS_DNS_NODATA, TLS_DNS_NXDOMAIN };

	for (size_t i = 0; i < sizeof worst / sizeof worst[0]; i++)
		if (a == worst[i] || b == worst[i])
			return worst[i];
	return TLS_DNS_UNASKED;
}

static void
take_alias(struct question *q, const struct dns_answer *a)
{
	struct tls_query *t = &q->host->query;

	if (a->naliases == 0 || a->nrecords == 0)
		return;
	t->host_expanded = arena_str(&q->names->arena, a->canonical);
	t->alias = a->naliases_secure > 0 ? TLS_DNS_SECURE : TLS_DNS_INSECURE;
}

static void
take_addresses(struct question *q, const struct dns_answer *a)
{
	struct names_host *h = q->host;

	h->query.address = join(h->query.address, relay_plan_status(a));
	take_alias(q, a);
	for (uint32_t i = 0; i < a->nrecords && h->naddrs < NAMES_ADDRESSES_MAX; i++)
		memcpy(h->addrs[h->naddrs++].ip, a->records[i].ip, sizeof h->addrs[0].ip);
}

static void
ask_addresses(struct names *n)
{
	for (unsigned i = 0; i < n->nhosts; i++) {
		struct names_host *h = &n->hosts[i];

		if (h->name[0] == '\0')
			continue;
		ask(n, h, 0, DNS_A, h->query.host, take_addresses);
		ask(n, h, 0, DNS_AAAA, h->query.host, take_addresses);
	}
	go_on(n, ask_tlsa);
}

/* --- hosts --- */

static void
add_host(struct names *n, struct str name, enum tls_hop hop)
{
	struct names_host *h;

	if (n->nhosts == NAMES_HOSTS_MAX)
		return;
	h = &n->hosts[n->nhosts++];
	h->name = arena_cstr(&n->arena, name);
	h->query = (struct tls_query){
		.hop = hop, .domain = n->target.host, .host = str_of(h->name), .mx = n->mx, .plain_after = 1
	};
}

static void
add_address(struct names *n)
{
	add_host(n, STR(""), TLS_HOP_LITERAL);
	n->hosts[0].addrs[0] = n->target.address;
	n->hosts[0].naddrs = 1;
}

static int
by_preference(const void *a, const void *b)
{
	const struct dns_record *x = a, *y = b;

	return x->preference != y->preference ? (x->preference > y->preference) - (x->preference < y->preference)
					      : str_cmp(x->name, y->name);
}

static void
add_mx_hosts(struct names *n)
{
	qsort(n->mxs, n->nmx, sizeof n->mxs[0], by_preference);
	for (unsigned i = 0; i < n->nmx; i++)
		add_host(n, n->mxs[i].name, TLS_HOP_MX);
}

static void
choose_hosts(struct names *n)
{
	if (n->words[0] != '\0') {
		n->done(n->ctx);
		return;
	}
	n->null_mx = n->nmx == 1 && str_eq(n->mxs[0].name, STR("."));
	n->by_mx = n->nmx > 0 && !n->null_mx;
	if (n->by_mx)
		add_mx_hosts(n);
	else if (n->mx == TLS_DNS_NXDOMAIN)
		snprintf(n->words, sizeof n->words, "there is no such name as %.*s", STR_ARG(n->target.host));
	else
		add_host(n, n->target.host, n->target.port != 0 ? TLS_HOP_FIXED : TLS_HOP_DOMAIN);
	ask_addresses(n);
}

static void
take_mx(struct question *q, const struct dns_answer *a)
{
	struct names *n = q->names;

	n->mx = relay_plan_status(a);
	n->mxs = arena_array(&n->arena, NAMES_MX_MAX, sizeof n->mxs[0]);
	for (uint32_t i = 0; i < a->nrecords && n->nmx < NAMES_MX_MAX; i++) {
		n->mxs[n->nmx].preference = a->records[i].preference;
		n->mxs[n->nmx++].name = arena_str(&n->arena, a->records[i].name);
	}
	if (a->status == DNS_BOGUS || a->status == DNS_FAILED)
		snprintf(n->words, sizeof n->words, "MX records of %.*s: %s: %.*s", STR_ARG(n->target.host),
		    dns_status_name(a->status), STR_ARG(a->why));
}

/* --- MTA-STS: RFC 8461 3.1 --- */

static void
take_sts(struct question *q, const struct dns_answer *a)
{
	struct names *n = q->names;
	struct str texts[DNS_RECORDS_MAX];
	struct str id;
	struct err e = { .log = "" };
	size_t versions = 0;

	for (uint32_t i = 0; i < a->nrecords; i++) {
		texts[i] = a->records[i].text;
		versions += str_starts(texts[i], STR("v=STSv1"));
	}
	n->sts = NAMES_STS_NONE;
	if (a->status == DNS_BOGUS || a->status == DNS_FAILED) {
		n->sts = NAMES_STS_BROKEN;
		snprintf(n->sts_words, sizeof n->sts_words, "%s: %.*s", dns_status_name(a->status), STR_ARG(a->why));
	} else if (versions > 0 && tls_sts_choose_record(texts, a->nrecords, &id, &e)) {
		n->sts = NAMES_STS_RECORD;
		n->sts_id = arena_cstr(&n->arena, id);
	} else if (versions > 0) {
		n->sts = NAMES_STS_BROKEN;
		snprintf(n->sts_words, sizeof n->sts_words, "%s", e.log);
	}
}

static void
ask_mx(struct names *n)
{
	ask(n, NULL, 0, DNS_MX, n->target.host, take_mx);
	ask(n, NULL, 0, DNS_TXT, arena_strf(&n->arena, "_mta-sts.%.*s", STR_ARG(n->target.host)), take_sts);
	go_on(n, choose_hosts);
}

void
names_ask(
    struct names *n, struct loop *l, struct dns *dns, const struct probe_target *t, void (*done)(void *ctx), void *ctx)
{
	*n = (struct names){ .loop = l, .dns = dns, .target = *t, .done = done, .ctx = ctx };
	arena_init(&n->arena);
	n->tlsa_port = t->port != 0 ? t->port : 25;
	loop_timer_init(&n->turn, l, on_turn, n);
	if (t->is_address)
		add_address(n);
	if (!t->is_address && t->port == 0)
		ask_mx(n);
	else if (t->is_address)
		go_on(n, finish);
	else
		go_on(n, choose_hosts);
}

void
names_fini(struct names *n)
{
	loop_timer_fini(&n->turn);
	arena_fini(&n->arena);
}
