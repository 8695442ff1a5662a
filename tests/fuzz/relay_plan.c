/* relay_plan.c - fuzz: the plan of a destination whose DNS says anything, in any order.
 *
 * The first bytes choose route, message and policy; each later step answers an open question with records made of the
 * bytes that follow, or lets the deadline pass. Whatever came, the plan keeps its promises. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <postern/core/arena.h>
#include <postern/relay/plan.h>

#include "fuzz.h"

enum { OPEN_MAX = 256, RECORDS_MAX = 40 };

struct question {
	bool open;
	enum dns_type type;
	char name[DNS_NAME_MAX + 1];
	void (*on)(void *arg, const struct dns_answer *a);
	void *arg;
};

static struct world {
	const uint8_t *p;
	size_t n;
	struct question asked[OPEN_MAX];
	unsigned nasked;
	bool private_allowed, unreliable, late, done;
} w;

static uint8_t
byte(void)
{
	if (w.n == 0)
		return 0;
	w.n--;
	return *w.p++;
}

static void *
lookup(void *ctx, enum dns_type type, struct str name, void (*on)(void *arg, const struct dns_answer *a), void *arg)
{
	struct question *q = &w.asked[w.nasked++];

	(void)ctx;
	/* an alias may lead to what cannot be asked for: the resolver answers FAILED */
	MUST(w.nasked < OPEN_MAX && !w.done && name.n <= DNS_NAME_MAX);
	MUST(type == DNS_TLSA || dns_name_valid(name));
	*q = (struct question){ .open = true, .type = type, .on = on, .arg = arg };
	memcpy(q->name, name.p, name.n);
	return q;
}

static void
cancel(void *ctx, void *asked)
{
	struct question *q = asked;

	(void)ctx;
	MUST(q->open);
	q->open = false;
}

static bool
is_local(void *ctx, const struct addr *a)
{
	(void)ctx;
	return a->ip[15] == 7;
}

static const struct relay_ops ops = { .lookup = lookup, .cancel = cancel, .is_local = is_local };

/* A few names, so that they meet; one is ours, some are none. */
static struct str
name(void)
{
	static const char *const names[] = { "a.test", "b.test", "c.test", "d.test", "mx.example.test", ".",
		"192.0.2.1", "a\\000b.test", "A.TEST", "x.a.test" };
	static char made[16];
	uint8_t b = byte();

	if (b < sizeof names / sizeof *names)
		return str_of(names[b]);
	snprintf(made, sizeof made, "h%u.test", b);
	return str_of(made);
}

static void
make_ip(enum dns_type type, uint8_t ip[static 16])
{
	static const uint8_t heads[][2] = { { 192, 0 }, { 198, 51 }, { 127, 0 }, { 10, 0 }, { 0, 0 }, { 172, 16 },
		{ 224, 0 } };
	static const uint8_t heads6[][2] = { { 0x20, 0x01 }, { 0xfe, 0x80 }, { 0xfc, 0 }, { 0, 0 }, { 0, 0x64 },
		{ 0x20, 0x02 } };
	uint8_t kind = byte();

	memset(ip, 0, 16);
	if (type == DNS_A) {
		memset(ip + 10, 0xff, 2);
		memcpy(ip + 12, heads[kind % 7], 2);
		ip[14] = byte() % 4;
	} else {
		memcpy(ip, heads6[kind % 6], 2);
		ip[2] = byte();
	}
	ip[15] = byte() % 16;
}

static void
make_tlsa(struct arena *a, struct dns_tlsa *t)
{
	static const size_t lengths[] = { 1, 32, 64, 33 };

	*t = (struct dns_tlsa){ .usage = byte() % 5, .selector = byte() % 3, .matching = byte() % 4 };
	t->data = str_from(arena_alloc(a, 64), lengths[byte() % 4]);
}

static void
make_record(enum dns_type type, struct arena *a, struct dns_record *r)
{
	if (type == DNS_MX) {
		r->preference = byte() % 8;
		r->name = arena_str(a, name());
	} else if (type == DNS_TLSA) {
		make_tlsa(a, &r->tlsa);
	} else {
		make_ip(type, r->ip);
	}
}

static void
make_alias(struct arena *a, struct str asked, struct dns_answer *out)
{
	struct str *alias = arena_array(a, 1, sizeof *alias);

	*alias = asked;
	out->alias = alias;
	out->naliases = 1;
	out->naliases_secure = out->secure || byte() % 2 == 0;
	out->canonical = arena_str(a, name());
}

static void
make_answer(const struct question *q, struct arena *a, struct dns_answer *out)
{
	struct dns_record *records = arena_array(a, RECORDS_MAX, sizeof *records);

	*out = (struct dns_answer){ .status = dns_name_valid(str_of(q->name)) ? byte() % DNS_STATUSES : DNS_FAILED,
		.canonical = str_of(q->name),
		.records = records };
	out->secure = out->status == DNS_SECURE || (out->status >= DNS_NXDOMAIN && byte() % 2 == 0);
	if (out->status == DNS_BOGUS || out->status == DNS_FAILED) {
		w.unreliable = true;
		out->why = STR("why\n\x80");
		return;
	}
	out->ttl = byte() * 300u;
	if (byte() % 4 == 0)
		make_alias(a, str_of(q->name), out);
	if (out->status == DNS_SECURE || out->status == DNS_INSECURE)
		out->nrecords = 1 + byte() % (RECORDS_MAX - 1);
	for (uint32_t i = 0; i < out->nrecords; i++)
		make_record(q->type, a, &records[i]);
}

static struct question *
choose(void)
{
	struct question *ready[OPEN_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < w.nasked; i++)
		if (w.asked[i].open)
			ready[n++] = &w.asked[i];
	return n > 0 ? ready[byte() % n] : NULL;
}

static bool
answer(void)
{
	struct question *q = choose();
	struct dns_answer a;
	struct arena arena;

	if (q == NULL)
		return false;
	q->open = false;
	arena_init(&arena);
	make_answer(q, &arena, &a);
	q->on(q->arg, &a);
	arena_fini(&arena);
	return true;
}

static void
check_words(const char *text)
{
	for (; *text != '\0'; text++)
		MUST(ascii_is_print(*text));
}

static void
check_host(const struct relay_host *h)
{
	const char *why;

	MUST(h->decision.connect == (h->naddrs > 0));
	MUST(h->decision.connect == (h->words[0] == '\0'));
	check_words(h->words);
	MUST(h->decision.why[0] != '\0' && h->ttl <= DNS_TTL_MAX);
	MUST(!h->decision.connect || h->decision.level < TLS_LEVELS);
	for (size_t i = 0; i < h->decision.n_tlsa; i++)
		MUST(h->decision.tlsa[i].data.n > 0 && tls_dane_unusable(&h->decision.tlsa[i]) == NULL);
	for (unsigned i = 0; i < h->naddrs; i++) {
		MUST(w.private_allowed || relay_address_ok(&h->addrs[i], &why));
		MUST(h->addrs[i].port != 25 || !is_local(NULL, &h->addrs[i]));
	}
}

static unsigned
times(const struct relay_plan *p, const struct addr *a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->nhosts; i++)
		for (unsigned k = 0; k < p->hosts[i].naddrs; k++)
			n += addr_eq(&p->hosts[i].addrs[k], a);
	return n;
}

static void
on_plan(void *ctx, const struct relay_plan *p)
{
	unsigned usable = 0, addresses = 0;

	(void)ctx;
	MUST(!w.done);
	w.done = true;
	MUST(p->nhosts <= RELAY_HOSTS_MAX);
	for (unsigned i = 0; i < p->nhosts; i++) {
		check_host(&p->hosts[i]);
		usable += p->hosts[i].decision.connect;
		addresses += p->hosts[i].naddrs;
		for (unsigned k = 0; k < p->hosts[i].naddrs; k++)
			MUST(times(p, &p->hosts[i].addrs[k]) == 1);
	}
	check_words(p->text);
	MUST(addresses <= RELAY_ADDRESSES_MAX && (p->verdict == QUEUE_DONE) == (usable > 0));
	MUST((p->verdict == QUEUE_DONE) == (p->text[0] == '\0') && (p->status[0] != '\0') == (usable == 0));
	MUST(p->verdict != QUEUE_PERM || p->status[0] == '5');
	MUST(p->verdict != QUEUE_TEMP || p->status[0] == '4');
	/* no domain is called missing for an answer that was none */
	MUST(!w.unreliable || (strcmp(p->status, "5.1.2") != 0 && strcmp(p->status, "5.1.10") != 0));
}

static struct conf *
read_conf(void)
{
	static const char text[] =
	    "hostname = mx.example.test\ndomains = { example.test }\n"
	    "route p.test { private = yes }\nroute e.test { tls = encrypt }\nroute v.test { tls = verify names = { "
	    "n.test } }\n"
	    "route n.test { tls = dane }\nroute f.test { to = a.test }\nroute l.test { to = \"a.test:24\" protocol = "
	    "lmtp }\n"
	    "route s.test { to = \"a.test:465\" protocol = smtps }\nroute i.test { to = 192.0.2.7 }\n";
	struct conf_errors e;
	struct conf *c;

	conf_errors_init(&e);
	c = conf_parse(str_of(text), "f", &e);
	MUST(c != NULL);
	conf_errors_fini(&e);
	return c;
}

static struct relay_planning *
ask(struct loop *loop, const struct conf *conf)
{
	static const char *const destinations[] = { "d.test", "p.test", "e.test", "v.test", "n.test", "f.test",
		"l.test", "s.test", "i.test", "[10.0.0.1]", "[192.0.2.9]", "=a.test:26" };
	static const char *const policies[] = { "", "version: STSv1\nmode: enforce\nmx: *.test\nmax_age: 1\n",
		"version: STSv1\nmode: testing\nmx: a.test\nmax_age: 1\n", "version: STSv1\nmode: none\nmax_age: 1\n",
		"broken" };
	struct relay_plan_query q = { .conf = conf };

	MUST(relay_route_of(conf, str_of(destinations[byte() % 12]), &q.route));
	q.sts = str_of(policies[byte() % 5]);
	q.message = byte() % 3;
	q.handshakes_failed = byte() % 4;
	w.late = byte() % 8 == 7;
	q.within_ms = w.late ? 1 : 0;
	w.private_allowed = q.route.private_allowed;
	return relay_plan_ask(&ops, NULL, loop, &q, on_plan, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct loop *loop;
	static struct conf *conf;
	struct relay_planning *planning;

	if (loop == NULL) {
		loop = loop_new();
		conf = read_conf();
	}
	w = (struct world){ .p = p, .n = n };
	planning = ask(loop, conf);
	loop_once(loop);
	while (w.n > 0 && !w.done && answer())
		if (w.late && !w.done && byte() % 4 == 3)
			loop_once(loop); /* the deadline */
	if (byte() % 4 != 3)
		while (!w.done && answer())
			;
	relay_plan_free(planning);
	for (unsigned i = 0; i < w.nasked; i++)
		MUST(!w.asked[i].open);
	return 0;
}
