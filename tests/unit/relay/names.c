/* names.c - a DNS of text rows. */
#include "names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/net/addr.h>

enum { TTL = 300, SILENT = DNS_STATUSES };

static struct str
word(struct str *rest)
{
	struct str w = { 0 };

	while (w.n == 0 && rest->n > 0)
		str_cut(rest, ' ', &w);
	return w;
}

static unsigned
status_of(struct str w)
{
	for (unsigned s = 0; s < DNS_STATUSES; s++)
		if (str_eq(w, str_of(dns_status_name(s))))
			return s;
	assert_true(str_eq(w, STR("silent")));
	return SILENT;
}

static void
read_tlsa(struct str w, struct arena *a, struct dns_tlsa *t)
{
	static const size_t lengths[10] = { 64, 32, 64, 1, 1, 1, 1, 1, 1, 1 };

	*t = (struct dns_tlsa){
		.usage = (uint8_t)(w.p[0] - '0'), (uint8_t)(w.p[1] - '0'), (uint8_t)(w.p[2] - '0'), { 0 }
	};
	t->data = str_from(arena_alloc(a, 64), w.n > 3 ? 5 : lengths[t->matching]);
}

static void
read_record(struct str w, enum dns_type type, struct arena *a, struct dns_record *r)
{
	struct str number = w;
	uint64_t value = 0;
	struct addr ip;

	if (type == DNS_MX) {
		assert_true(str_cut(&w, ':', &number) && str_u64(number, UINT16_MAX, &value));
		r->preference = (uint16_t)value;
		r->name = w;
	} else if (type == DNS_TLSA) {
		read_tlsa(w, a, &r->tlsa);
	} else {
		assert_true(addr_parse_ip(w, &ip));
		memcpy(r->ip, ip.ip, sizeof r->ip);
	}
}

static void
read_alias(struct str w, struct str asked, struct arena *a, struct dns_answer *out)
{
	struct str *alias = arena_array(a, 1, sizeof *alias);
	bool proved = str_ends(w, STR("!"));

	*alias = asked;
	out->alias = alias;
	out->naliases = 1;
	out->naliases_secure = proved || out->secure;
	out->canonical = str_sub(w, 1, w.n - proved);
}

static void
read_ttl(struct str w, struct dns_answer *out)
{
	uint64_t ttl;

	assert_true(str_u64(str_sub(w, 1, w.n), DNS_TTL_MAX, &ttl));
	out->ttl = (uint32_t)ttl;
}

void
names_read(const char *row, enum dns_type type, struct arena *a, struct dns_answer *out)
{
	struct str rest = str_of(row), name = word(&rest), w;
	struct dns_record *records = arena_array(a, DNS_RECORDS_MAX, sizeof *records);

	word(&rest);
	*out =
	    (struct dns_answer){ .status = status_of(word(&rest)), .canonical = name, .records = records, .ttl = TTL };
	out->secure = out->status == DNS_SECURE || out->status == DNS_NXDOMAIN || out->status == DNS_NODATA;
	if (out->status == DNS_BOGUS || out->status == DNS_FAILED) {
		out->ttl = 0;
		out->why = STR("as the test wants");
	}
	while ((w = word(&rest)).n > 0) {
		if (w.p[0] == '>')
			read_alias(w, name, a, out);
		else if (w.p[0] == '=')
			read_ttl(w, out);
		else
			read_record(w, type, a, &records[out->nrecords++]);
	}
}

static const char *
find(const struct names *n, enum dns_type type, const char *name, bool *exists)
{
	for (const char *const *row = n->rows; *row != NULL; row++) {
		struct str rest = str_of(*row);
		enum dns_type t;

		if (!str_eq(word(&rest), str_of(name)))
			continue;
		*exists = true;
		assert_true(dns_type_parse(word(&rest), &t));
		if (t == type)
			return *row;
	}
	return NULL;
}

static const char *
row_of(const struct names *n, const struct names_question *q, char *made, size_t size)
{
	bool exists = false;
	const char *row = find(n, q->type, q->name, &exists);

	snprintf(made, size, "%s %s %s", q->name, dns_type_name(q->type), exists ? "nodata" : "nxdomain");
	return row != NULL ? row : made;
}

static bool
is_silent(const struct names *n, const struct names_question *q)
{
	char made[DNS_NAME_MAX + 40];

	return strstr(row_of(n, q, made, sizeof made), " silent") != NULL;
}

static void *
lookup(void *ctx, enum dns_type type, struct str name, void (*on)(void *arg, const struct dns_answer *a), void *arg)
{
	struct names *n = ctx;
	struct names_question *q = &n->asked[n->n++];

	assert_true(n->n < NAMES_ASKED_MAX && name.n < sizeof q->name && dns_name_valid(name));
	*q = (struct names_question){ .open = true, .type = type, .on = on, .arg = arg };
	memcpy(q->name, name.p, name.n);
	n->open++;
	return q;
}

static void
cancel(void *ctx, void *asked)
{
	struct names *n = ctx;
	struct names_question *q = asked;

	assert_true(q->open);
	q->open = false;
	n->open--;
}

const struct relay_ops names_ops = { .lookup = lookup, .cancel = cancel };

static struct names_question *
choose(struct names *n, enum names_order order)
{
	struct names_question *ready[NAMES_ASKED_MAX];
	unsigned k = 0;

	for (unsigned i = 0; i < n->n; i++)
		if (n->asked[i].open && !is_silent(n, &n->asked[i]))
			ready[k++] = &n->asked[i];
	if (k == 0)
		return NULL;
	n->random = n->random * 1103515245 + 12345;
	return ready[order == NAMES_FIRST ? 0 : order == NAMES_LAST ? k - 1 : (n->random >> 16) % k];
}

bool
names_answer(struct names *n, enum names_order order)
{
	struct names_question *q = choose(n, order);
	char made[DNS_NAME_MAX + 40], *row;
	struct dns_answer answer;
	struct arena a;

	if (q == NULL)
		return false;
	cancel(n, q);
	arena_init(&a);
	/* a copy that goes when the answer has been heard: a view that was kept shows under ASAN */
	row = strdup(row_of(n, q, made, sizeof made));
	names_read(row, q->type, &a, &answer);
	q->on(q->arg, &answer);
	arena_fini(&a);
	free(row);
	return true;
}

unsigned
names_asked(const struct names *n, enum dns_type type, const char *name)
{
	unsigned times = 0;

	for (unsigned i = 0; i < n->n; i++)
		times += n->asked[i].type == type && strcmp(n->asked[i].name, name) == 0;
	return times;
}
