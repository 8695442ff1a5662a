/* plan_hosts.c - tests of which hosts and addresses a destination has: MX records and none, ourselves among them, what
 * mail is not sent to, limits, answers that do not come, and the end at every point. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
	const char *name;
	const char *rows[10];
	const char *want;
	struct world_mail mail;
	const char *words; /* part of the answer's text, or of a host's words */
};

#define PRIVATE .mail.conf = "route d.test { private = yes }\n"
#define LISTEN(where) .mail.conf = "listen { smtp = \"" where "\" }\n"

/* RFC 5321 5.1, RFC 7505 */
static const struct row hosts[] = {
	{ "order",
	    { "d.test MX insecure 20:b.test 10:a.test 30:c.test", "a.test A insecure 192.0.2.1",
		"b.test A insecure 192.0.2.2", "c.test A insecure 192.0.2.3" },
	    .want = "DONE; a.test may 192.0.2.1; b.test may 192.0.2.2; c.test may 192.0.2.3" },
	{ "no such domain", { NULL }, .want = "PERM 5.1.2", .words = "the domain d.test does not exist" },
	{ "null MX", { "d.test MX secure 0:.", "d.test A secure 192.0.2.1" }, .want = "PERM 5.1.10",
	    .words = "null MX" },
	{ "null MX beside others", { "d.test MX secure 0:. 10:a.test", "a.test A insecure 192.0.2.1" },
	    .want = "DONE; a.test may 192.0.2.1" },
	{ "no MX", { "d.test A insecure 192.0.2.1" }, .want = "DONE; d.test may 192.0.2.1" },
	{ "no MX, IPv6 only", { "d.test AAAA insecure 2001:db8::1" }, .want = "DONE; d.test may 2001:db8::1" },
	{ "no MX, no address", { "d.test TXT secure" }, .want = "PERM 5.1.2; d.test -",
	    .words = "neither MX nor address" },
	{ "no MX, no answer", { "d.test A failed" }, .want = "TEMP 4.4.3; d.test -" },
	{ "the same host twice",
	    { "d.test MX insecure 10:a.test 20:a.test 30:b.test", "a.test A insecure 192.0.2.1",
		"b.test A insecure 192.0.2.2" },
	    .want = "DONE; a.test may 192.0.2.1; b.test may 192.0.2.2" },
	{ "one of two has no address", { "d.test MX insecure 10:gone.test 20:a.test", "a.test A insecure 192.0.2.1" },
	    .want = "DONE; gone.test -; a.test may 192.0.2.1", .words = "has no address" },
	{ "none has an address", { "d.test MX insecure 10:gone.test 20:a.test" },
	    .want = "PERM 5.4.4; gone.test -; a.test -", .words = "no host of d.test can be used" },
	{ "one has no answer, one no address", { "d.test MX insecure 10:gone.test 20:a.test", "a.test A failed" },
	    .want = "TEMP 4.4.3; gone.test -; a.test -",
	    .words = "a.test: the host has no address that can be had: as the test" },
	{ "alias of a host", { "d.test MX insecure 10:a.test", "a.test A insecure >b.test 192.0.2.1" },
	    .want = "DONE; a.test may 192.0.2.1" },
	{ "alias that loops", { "d.test MX insecure 10:a.test", "a.test A failed", "a.test AAAA failed" },
	    .want = "TEMP 4.4.3; a.test -" },
	{ "an address as MX", { "d.test MX insecure 10:192.0.2.1 20:a.test", "a.test A insecure 192.0.2.2" },
	    .want = "DONE; 192.0.2.1 -; a.test may 192.0.2.2", .words = "an address instead of a name" },
	{ "no name as MX", { "d.test MX insecure 10:a\\032b.test" }, .want = "PERM 5.4.4; a\\032b.test -",
	    .words = "no host name" },
	{ "families in turn", { "d.test A insecure 192.0.2.1", "d.test AAAA insecure 2001:db8::1" },
	    .want = "DONE; d.test may 2001:db8::1 192.0.2.1" },
	{ "an address twice",
	    { "d.test MX insecure 10:a.test 20:b.test", "a.test A insecure 192.0.2.1 192.0.2.1",
		"b.test A insecure 192.0.2.1" },
	    .want = "DONE; a.test may 192.0.2.1" },
	{ "a literal", { NULL }, .want = "DONE; ? may 192.0.2.9", .mail.destination = "[192.0.2.9]" },
	{ "a literal of IPv6", { NULL }, .want = "DONE; ? may 2001:db8::9", .mail.destination = "[IPv6:2001:db8::9]" },
	{ "a detour", { "h.test A insecure 192.0.2.1" }, .want = "DONE; h.test may 192.0.2.1:2525",
	    .mail.destination = "=h.test:2525" },
	{ "a route to no host", { NULL }, .want = "TEMP 4.4.4; h.test -", .mail.conf = "route d.test { to = h.test }\n",
	    .words = "h.test, where a route leads" },
	{ "a route to what nobody knows", { "h.test A failed" }, .want = "TEMP 4.4.3; h.test -",
	    .mail.conf = "route d.test { to = h.test }\n" },
};

/* RFC 5321 5.1: "it MUST NOT try hosts with equal or higher preference" */
static const struct row own[] = {
	{ "our name", { "d.test MX insecure 10:mx.example.test" }, .want = "PERM 5.4.6", .words = "would come back" },
	{ "our name in the middle",
	    { "d.test MX insecure 10:a.test 20:b.test 20:mx.example.test 20:c.test 30:e.test",
		"a.test A insecure 192.0.2.1" },
	    .want = "DONE; a.test may 192.0.2.1" },
	{ "our name beside others", { "d.test MX insecure 10:a.test 10:mx.example.test 20:b.test" },
	    .want = "PERM 5.4.6" },
	{ "our name in capitals", { "d.test MX insecure 10:MX.Example.test" }, .want = "PERM 5.4.6" },
	{ "our name at the end of an alias",
	    { "d.test MX insecure 10:a.test 20:b.test", "a.test A insecure >mx.example.test 192.0.2.1" },
	    .want = "PERM 5.4.6" },
	{ "our name as the domain", { "mx.example.test A insecure 192.0.2.1" }, .want = "PERM 5.4.6",
	    .mail.destination = "mx.example.test" },
	{ "where we listen",
	    { "d.test MX insecure 10:a.test 20:b.test", "a.test A insecure 192.0.2.1", "b.test A insecure 192.0.2.9" },
	    .want = "DONE; a.test may 192.0.2.1", LISTEN("192.0.2.9:25") },
	{ "where we listen, first",
	    { "d.test MX insecure 10:a.test 20:b.test", "a.test A insecure 192.0.2.1", "b.test A insecure 192.0.2.9" },
	    .want = "PERM 5.4.6", LISTEN("192.0.2.1:25"),
	    .words = "a.test is one of its names or has one of its addresses" },
	{ "where we listen, one address of two",
	    { "d.test MX insecure 10:a.test", "a.test A insecure 192.0.2.1 192.0.2.9" }, .want = "PERM 5.4.6",
	    LISTEN("192.0.2.9:25") },
	{ "where we listen, beside others",
	    { "d.test MX insecure 10:a.test 10:b.test 20:c.test", "a.test A insecure 192.0.2.1",
		"b.test A insecure 192.0.2.9" },
	    .want = "PERM 5.4.6", LISTEN("192.0.2.9:25") },
	{ "where we listen, another port", { "d.test A insecure 192.0.2.9" }, .want = "DONE; d.test may 192.0.2.9",
	    LISTEN("192.0.2.9:2525") },
	{ "everywhere", { "d.test A insecure 192.0.2.77" }, .want = "PERM 5.4.6" },
	{ "everywhere of one family", { "d.test AAAA insecure 2001:db8::77" }, .want = "PERM 5.4.6",
	    LISTEN("[::]:25") },
	{ "everywhere, another port", { "d.test A insecure 192.0.2.77" }, .want = "DONE; d.test may 192.0.2.77",
	    LISTEN("*:2525") },
	{ "a literal", { NULL }, .want = "PERM 5.4.6", .mail.destination = "[192.0.2.77]" },
	{ "loopback", { "d.test MX insecure 10:a.test", "a.test A insecure 127.0.0.1" }, .want = "PERM 5.4.6" },
	{ "loopback of IPv6", { "d.test MX insecure 10:a.test", "a.test AAAA insecure ::1" }, .want = "PERM 5.4.6" },
	{ "unspecified", { "d.test MX insecure 10:a.test", "a.test A insecure 0.0.0.0" }, .want = "PERM 5.4.6" },
	{ "unspecified of IPv6", { "d.test MX insecure 10:a.test", "a.test AAAA insecure ::" }, .want = "PERM 5.4.6" },
	{ "loopback, worse",
	    { "d.test MX insecure 10:a.test 20:b.test", "a.test A insecure 192.0.2.1", "b.test A insecure 127.0.0.1" },
	    .want = "DONE; a.test may 192.0.2.1" },
	{ "loopback, as a literal", { NULL }, .want = "PERM 5.4.6", .mail.destination = "[127.0.0.1]" },
	{ "loopback, allowed", { "d.test A insecure 127.0.0.1" }, .want = "DONE; d.test may 127.0.0.1",
	    .mail.conf = "route d.test { private = yes }\nlisten { smtp = \"127.0.0.2:25\" }\n" },
	{ "a route to ourselves", { "mx.example.test A insecure 192.0.2.77" }, .want = "TEMP 4.4.6",
	    .mail.conf = "route d.test { to = mx.example.test }\n" },
	{ "a route to a neighbour of ours, by an alias", { "h.test A insecure >mx.example.test 192.0.2.77" },
	    .want = "DONE; h.test may 192.0.2.77:24", .mail.conf = "route d.test { to = \"h.test:24\" }\n" },
	{ "a route to a neighbour of ours", { "mx.example.test A insecure 192.0.2.77" },
	    .want = "DONE; mx.example.test may 192.0.2.77:24",
	    .mail.conf = "route d.test { to = \"mx.example.test:24\" }\n" },
};

static const struct row inward[] = {
	{ "private", { "d.test MX insecure 10:a.test", "a.test A insecure 10.0.0.1" }, .want = "PERM 5.4.4; a.test -",
	    .words = "10.0.0.1 is a private address" },
	{ "private, embedded", { "d.test MX insecure 10:a.test", "a.test AAAA insecure 64:ff9b::a00:1" },
	    .want = "PERM 5.4.4; a.test -", .words = "64:ff9b::a00:1 is a private address" },
	{ "private, another is not", { "d.test A insecure 10.0.0.1 192.0.2.1 169.254.169.254" },
	    .want = "DONE; d.test may 192.0.2.1" },
	{ "private, another host is not",
	    { "d.test MX insecure 10:a.test 20:b.test", "a.test A insecure 10.0.0.1", "b.test A insecure 192.0.2.1" },
	    .want = "DONE; a.test -; b.test may 192.0.2.1" },
	{ "private, nobody answers for IPv6", { "d.test A insecure 10.0.0.1", "d.test AAAA failed" },
	    .want = "TEMP 4.4.3; d.test -" },
	{ "private IPv6, insecure, beside secure IPv4",
	    { "d.test AAAA insecure fd00::1", "d.test A secure 192.0.2.1", "_25._tcp.d.test TLSA secure 311" },
	    .want = "DONE; d.test dane 1 192.0.2.1" },
	{ "private, allowed", { "d.test A insecure 10.0.0.1", "d.test AAAA insecure fd00::1" },
	    .want = "DONE; d.test may fd00::1 10.0.0.1", PRIVATE },
	{ "private, secure: TLSA is not asked for", { "d.test A secure 10.0.0.1", "_25._tcp.d.test TLSA silent" },
	    .want = "PERM 5.4.4; d.test -" },
	{ "a literal", { NULL }, .want = "PERM 5.4.4; ? -", .mail.destination = "[10.0.0.1]", .words = "private" },
	{ "a fixed host", { "h.test A insecure 10.0.0.1" }, .want = "DONE; h.test may 10.0.0.1",
	    .mail.conf = "route d.test { to = h.test }\n" },
	{ "a fixed address", { NULL }, .want = "DONE; ? may 127.0.0.1:24",
	    .mail.conf = "route d.test { to = \"127.0.0.1:24\" protocol = lmtp }\n" },
	{ "a detour", { NULL }, .want = "DONE; ? may [::1]:24", .mail.destination = "=[::1]:24" },
};

/* 192.0.2.77 and 2001:db8::77 */
static bool
is_local(void *ctx, const struct addr *a)
{
	(void)ctx;
	return a->ip[15] == (addr_is_v4(a) ? 77 : 0x77);
}

static bool
has_words(const struct relay_plan *p, const char *words)
{
	for (unsigned i = 0; i < p->nhosts; i++)
		if (strstr(p->hosts[i].words, words) != NULL)
			return true;
	return strstr(p->text, words) != NULL;
}

static void
check_row(const struct row *r, enum names_order order, unsigned seed)
{
	struct world w;

	world_init(&w, r->rows, &r->mail);
	w.ops.is_local = is_local;
	w.names.random = seed;
	world_ask(&w, &r->mail);
	world_run(&w, order);
	if (strcmp(buf_cstr(&w.plan), r->want) != 0)
		fail_msg("%s: %s\nwanted: %s\n%s", r->name, buf_cstr(&w.plan), r->want, w.last->text);
	if (r->words != NULL && !has_words(w.last, r->words))
		fail_msg("%s: %s", r->name, w.last->text);
	world_fini(&w);
}

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_row(&rows[i], NAMES_FIRST, 0);
		check_row(&rows[i], NAMES_LAST, 0);
		for (unsigned seed = 0; seed < 10; seed++)
			check_row(&rows[i], NAMES_RANDOM, seed);
	}
}

#define ROWS(name)                                                                                                     \
	static void test_##name(void **state)                                                                          \
	{                                                                                                              \
		(void)state;                                                                                           \
		check_rows(name, sizeof name / sizeof *name);                                                          \
	}
ROWS(hosts)
ROWS(own)
ROWS(inward)

static const struct world_mail plain = { 0 };

static void
run(struct world *w, const char *const *rows)
{
	world_init(w, rows, &plain);
	world_ask(w, &plain);
	world_run(w, NAMES_RANDOM);
}

/* Hosts of one preference are tried in any order, better ones always first. */
static void
ties(void **state)
{
	static const char *const rows[] = { "d.test MX insecure 20:c.test 10:a.test 10:b.test",
		"a.test A insecure 192.0.2.1", "b.test A insecure 192.0.2.2", "c.test A insecure 192.0.2.3", NULL };
	unsigned first[2] = { 0 };
	struct world w;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		run(&w, rows);
		assert_int_equal(w.last->nhosts, 3);
		assert_true(str_eq(w.last->hosts[2].name, STR("c.test")));
		first[str_eq(w.last->hosts[0].name, STR("a.test"))]++;
		world_fini(&w);
	}
	assert_in_range(first[0], 50, 150);
}

/* One host with many addresses: any five, and not the same ones each time. */
static void
many_addresses(void **state)
{
	static const char *const rows[] = {
		"d.test A insecure 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6 192.0.2.7", NULL
	};
	unsigned seen[8] = { 0 };
	struct world w;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		run(&w, rows);
		assert_int_equal(w.last->hosts[0].naddrs, RELAY_ADDRESSES_MAX);
		for (unsigned k = 0; k < RELAY_ADDRESSES_MAX; k++)
			seen[w.last->hosts[0].addrs[k].ip[15]]++;
		world_fini(&w);
	}
	for (unsigned k = 1; k <= 7; k++)
		assert_in_range(seen[k], 30, 99);
}

/* Two addresses of each host come before a third one of the first. */
static void
shared_out(void **state)
{
	static const struct {
		const char *rows[4];
		unsigned naddrs[3];
	} cases[] = {
		{ { "a.test A insecure 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6",
		      "b.test A insecure 192.0.2.11" },
		    { 4, 1 } },
		{ { "a.test A insecure 192.0.2.1 192.0.2.2 192.0.2.3",
		      "b.test A insecure 192.0.2.11 192.0.2.12 192.0.2.13", "c.test A insecure 192.0.2.21 192.0.2.22" },
		    { 2, 2, 1 } },
		{ { "a.test A insecure 192.0.2.1", "b.test A insecure 192.0.2.11 192.0.2.12 192.0.2.13 192.0.2.14" },
		    { 1, 4 } },
		{ { "a.test A insecure 192.0.2.1", "b.test A insecure 192.0.2.11", "c.test A insecure 192.0.2.21" },
		    { 1, 1, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *rows[6] = { "d.test MX insecure 10:a.test 20:b.test 30:c.test", cases[i].rows[0],
			cases[i].rows[1], cases[i].rows[2], NULL };
		struct world w;

		run(&w, rows);
		for (unsigned k = 0; k < 3 && cases[i].naddrs[k] > 0; k++)
			assert_int_equal(w.last->hosts[k].naddrs, cases[i].naddrs[k]);
		world_fini(&w);
	}
}

/* As many MX records as an answer holds, each host with as many addresses: 20 hosts are looked at, 5 addresses tried. */
static void
crowd(void **state)
{
	static char text[RELAY_HOSTS_MAX + 6][8000];
	const char *rows[RELAY_HOSTS_MAX + 7] = { NULL };
	struct world w;
	int n;

	(void)state;
	n = snprintf(text[0], sizeof text[0], "d.test MX secure");
	for (unsigned i = 0; i < DNS_RECORDS_MAX; i++)
		n += snprintf(text[0] + n, sizeof text[0] - (size_t)n, " %u:h%u.test", i, i);
	for (unsigned i = 0; i < RELAY_HOSTS_MAX + 5; i++) {
		n = snprintf(text[i + 1], sizeof text[0], "h%u.test A secure", i);
		for (unsigned k = 0; k < DNS_RECORDS_MAX; k++)
			n += snprintf(text[i + 1] + n, sizeof text[0] - (size_t)n, " 198.51.%u.%u", i, k);
	}
	for (unsigned i = 0; i < RELAY_HOSTS_MAX + 6; i++)
		rows[i] = text[i];
	run(&w, rows);
	assert_int_equal(w.last->nhosts, 3);
	assert_int_equal(w.names.n, 1 + RELAY_HOSTS_MAX * 3);
	assert_int_equal(names_asked(&w.names, DNS_A, "h19.test"), 1);
	assert_int_equal(names_asked(&w.names, DNS_A, "h20.test"), 0);
	world_fini(&w);
}

/* Our name stands where nobody looks any more: what is no better goes all the same. */
static void
own_name_behind_the_limit(void **state)
{
	static char text[8000];
	const char *rows[] = { text, NULL };
	struct world w;
	int n;

	(void)state;
	n = snprintf(text, sizeof text, "d.test MX insecure");
	for (unsigned i = 0; i < 100; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, " 10:h%u.test", i);
	snprintf(text + n, sizeof text - (size_t)n, " 10:mx.example.test");
	for (unsigned i = 0; i < 20; i++) {
		run(&w, rows);
		assert_string_equal(buf_cstr(&w.plan), "PERM 5.4.6");
		world_fini(&w);
	}
}

/* What does not come in time counts as no answer: other hosts are tried, or the mail waits. */
static void
deadline(void **state)
{
	static const struct {
		const char *rows[6], *want;
	} cases[] = {
		{ { "d.test MX silent" }, "TEMP 4.4.3; ? -" },
		{ { "d.test MX insecure 10:a.test 20:b.test", "a.test A silent", "b.test A insecure 192.0.2.2" },
		    "DONE; a.test -; b.test may 192.0.2.2" },
		{ { "d.test MX insecure 10:a.test", "a.test A silent", "a.test AAAA insecure 2001:db8::1" },
		    "DONE; a.test may 2001:db8::1" },
		{ { "d.test MX secure 10:a.test", "a.test A secure 192.0.2.1", "_25._tcp.a.test TLSA silent" },
		    "TEMP 4.4.3; a.test - dnssec-invalid" },
		{ { "d.test MX secure 10:a.test 20:b.test", "a.test A secure 192.0.2.1", "b.test A silent" },
		    "TEMP 4.4.3; a.test - dnssec-invalid; b.test -" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world_mail mail = { .within_ms = 20 };
		struct world w;

		world_init(&w, cases[i].rows, &mail);
		world_ask(&w, &mail);
		world_run(&w, NAMES_FIRST);
		assert_string_equal(buf_cstr(&w.plan), cases[i].want);
		assert_true(has_words(w.last, "no answer in time") || w.last->verdict == QUEUE_DONE);
		world_fini(&w);
	}
}

static const char *const deep[] = { "d.test MX secure 10:a.test 20:b.test", "a.test A secure >c.test 192.0.2.1",
	"b.test AAAA secure 2001:db8::1", "_25._tcp.c.test TLSA secure 311", "_25._tcp.b.test TLSA secure 211", NULL };

/* The shortest of all answers about it, those that deny among them. */
static void
time_to_live(void **state)
{
	static const char *const rows[][6] = {
		{ "d.test MX secure =50 10:a.test", "a.test A secure =60 192.0.2.1",
		    "_25._tcp.a.test TLSA secure =70 311" },
		{ "d.test MX secure =60 10:a.test", "a.test A secure =50 192.0.2.1",
		    "_25._tcp.a.test TLSA secure =70 311" },
		{ "d.test MX secure =60 10:a.test", "a.test AAAA nodata =50", "a.test A secure =60 192.0.2.1",
		    "_25._tcp.a.test TLSA secure =60 311" },
		{ "d.test MX secure =70 10:a.test", "a.test A secure =60 192.0.2.1",
		    "_25._tcp.a.test TLSA secure =50 311" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;

		run(&w, rows[i]);
		assert_int_equal(w.last->hosts[0].ttl, 50);
		world_fini(&w);
	}
}

/* The caller's texts may go once it has asked. */
static void
texts_of_the_caller(void **state)
{
	static const char *const rows[] = { "d.test MX insecure 10:a.test", "a.test A insecure 192.0.2.1", NULL };
	char *domain = strdup("d.test"), *name = strdup("n.test"),
	     *sts = strdup("version: STSv1\nmode: none\nmax_age: 1\n");
	struct str *names = malloc(sizeof *names);
	struct world w;

	(void)state;
	*names = str_of(name);
	world_init(&w, rows, &plain);
	world_ask_route(&w, &(struct relay_plan_query){ .conf = w.conf,
				.sts = str_of(sts),
				.route = { .name = str_of(domain),
				    .port = 25,
				    .has_rule = true,
				    .tls = DEMAND_VERIFY,
				    .names = { names, 1 } } });
	free(domain);
	free(name);
	free(sts);
	free(names);
	loop_once(w.loop);
	world_run(&w, NAMES_FIRST);
	assert_string_equal(buf_cstr(&w.plan), "DONE; a.test verify 192.0.2.1");
	assert_true(str_eq(w.last->hosts[0].decision.names[0], STR("n.test")));
	world_fini(&w);
}

/* Freed after any number of answers: nothing is left open, nobody is told. */
static void
ended_at_every_point(void **state)
{
	unsigned answers = 0, steps;

	(void)state;
	do {
		struct world w;

		world_init(&w, deep, &plain);
		w.names.random = answers;
		world_ask(&w, &plain);
		for (steps = 0; steps < answers; steps++)
			if (!names_answer(&w.names, NAMES_RANDOM))
				break;
		assert_int_equal(w.done, w.names.open == 0 && w.names.n > 1);
		world_fini(&w);
		answers++;
	} while (steps + 1 == answers);
	assert_int_equal(answers, 10); /* MX, two addresses of two hosts, three TLSA, the end, one more */
}

/* Before the loop ran. */
static void
ended_before_it_began(void **state)
{
	struct relay_plan_query q = { 0 };
	struct world w;

	(void)state;
	world_init(&w, deep, &plain);
	q.conf = w.conf;
	assert_true(relay_route_of(w.conf, STR("d.test"), &q.route));
	w.planning = relay_plan_ask(&w.ops, &w.names, w.loop, &q, NULL, NULL);
	world_fini(&w);
	assert_int_equal(w.names.n, 0);
}

static void
free_in_done(void *ctx, const struct relay_plan *p)
{
	struct world *w = ctx;

	assert_int_equal(p->verdict, QUEUE_DONE);
	relay_plan_free(w->planning);
	w->planning = NULL;
}

static void
ended_when_told(void **state)
{
	struct relay_plan_query q = { 0 };
	struct world w;

	(void)state;
	world_init(&w, deep, &plain);
	q.conf = w.conf;
	assert_true(relay_route_of(w.conf, STR("d.test"), &q.route));
	w.planning = relay_plan_ask(&w.ops, &w.names, w.loop, &q, free_in_done, &w);
	loop_once(w.loop);
	while (names_answer(&w.names, NAMES_LAST))
		;
	assert_null(w.planning);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_inward),
		cmocka_unit_test(ties),
		cmocka_unit_test(many_addresses),
		cmocka_unit_test(shared_out),
		cmocka_unit_test(crowd),
		cmocka_unit_test(own_name_behind_the_limit),
		cmocka_unit_test(deadline),
		cmocka_unit_test(time_to_live),
		cmocka_unit_test(texts_of_the_caller),
		cmocka_unit_test(ended_at_every_point),
		cmocka_unit_test(ended_before_it_began),
		cmocka_unit_test(ended_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
