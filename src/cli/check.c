/* check.c - `postern dns check': asks for everything that should be published, and for what belongs to it, then judges.
 *
 * The resolver is this process's own: what was just published is seen although the server may still have the old answer,
 * and no server need run. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern/core/mem.h>

#include "check_text.h"

enum { CHECK_ASK_MS = 15 * 1000 };

struct asker {
	struct loop *loop;
	struct dns *dns;
	struct str ca_file;
	struct check *c;
};

/* --- asking --- */

static void
ask_records(const struct asker *k)
{
	struct check *c = k->c;
	struct check_question *v = arena_array(&c->arena, c->wanted.n + 2, sizeof *v);
	size_t n = 2;

	v[0] = (struct check_question){ .type = DNS_A, .name = c->hostname };
	v[1] = (struct check_question){ .type = DNS_AAAA, .name = c->hostname };
	for (size_t i = 0; i < c->wanted.n; i++)
		if (c->wanted.v[i].kind != RECORD_ADDRESS)
			v[n++] = (struct check_question){ .type = c->wanted.v[i].type, .name = c->wanted.v[i].name };
	check_ask(k->loop, k->dns, v, n, &c->arena);
	c->a = v[0];
	c->aaaa = v[1];
	n = 2;
	for (size_t i = 0; i < c->wanted.n; i++) {
		c->v[i].want = &c->wanted.v[i];
		if (c->wanted.v[i].kind != RECORD_ADDRESS)
			c->v[i].said = v[n++];
	}
}

/* RFC 1035 3.5, RFC 3596 2.5. */
static struct str
reverse_name(const struct addr *at, struct arena *a)
{
	struct str name = STR("");

	if (addr_is_v4(at))
		return arena_strf(a, "%u.%u.%u.%u.in-addr.arpa", at->ip[15], at->ip[14], at->ip[13], at->ip[12]);
	for (size_t i = 0; i < sizeof at->ip; i++)
		name = arena_strf(a, "%x.%x.%.*s", at->ip[i] & 15, at->ip[i] >> 4, STR_ARG(name));
	return arena_strf(a, "%.*sip6.arpa", STR_ARG(name));
}

static bool
is_here(const struct check *c, const struct addr *at)
{
	for (size_t i = 0; i < c->wanted.n; i++) {
		struct addr own;

		if (c->wanted.v[i].kind == RECORD_ADDRESS && addr_parse_ip(c->wanted.v[i].data, &own) &&
		    addr_eq_ip(&own, at))
			return true;
	}
	return false;
}

static void
add_addresses(struct check *c, const struct dns_answer *a)
{
	for (uint32_t i = 0; i < a->nrecords && c->naddrs < CHECK_ADDRESSES_MAX; i++) {
		struct check_address *at = &c->addrs[c->naddrs++];

		memcpy(at->addr.ip, a->records[i].ip, sizeof at->addr.ip);
		at->here = is_here(c, &at->addr);
		at->ptr = (struct check_question){ .type = DNS_PTR, .name = reverse_name(&at->addr, &c->arena) };
	}
}

static void
ask_addresses(const struct asker *k)
{
	struct check *c = k->c;
	struct check_question ptr[CHECK_ADDRESSES_MAX];

	for (size_t i = 0; i < c->wanted.n; i++)
		c->knows_here |= c->wanted.v[i].kind == RECORD_ADDRESS;
	add_addresses(c, &c->a.answer);
	add_addresses(c, &c->aaaa.answer);
	for (size_t i = 0; i < c->naddrs; i++)
		ptr[i] = c->addrs[i].ptr;
	check_ask(k->loop, k->dns, ptr, c->naddrs, &c->arena);
	for (size_t i = 0; i < c->naddrs; i++)
		c->addrs[i].ptr = ptr[i];
}

/* The tree walk, where a domain has no record of its own. */
static void
ask_parents(const struct asker *k, struct check_record *r)
{
	struct str at = dmarc_parent(r->want->owner, true);

	while (at.n > 0 && r->nparents < CHECK_PARENTS_MAX) {
		r->parents[r->nparents++] = (struct check_question){ .type = DNS_TXT,
			.name = arena_strf(&k->c->arena, "_dmarc.%.*s", STR_ARG(at)) };
		at = dmarc_parent(at, false);
	}
	check_ask(k->loop, k->dns, r->parents, r->nparents, &k->c->arena);
}

static void
on_policy(void *ctx)
{
	loop_stop(ctx);
}

static void
ask_policy(const struct asker *k, struct check_record *r)
{
	r->sts = ARENA_NEW(&k->c->arena, struct probe_sts);
	if (sts_ask(r->sts, k->loop, k->dns, k->ca_file, r->want->owner, on_policy, k->loop))
		loop_run(k->loop);
}

static bool
has_text(const struct check_record *r, struct str version)
{
	for (uint32_t i = 0; i < r->said.answer.nrecords; i++)
		if (str_starts(r->said.answer.records[i].text, version))
			return true;
	return false;
}

static void
ask_more(const struct asker *k)
{
	for (size_t i = 0; i < k->c->wanted.n; i++) {
		struct check_record *r = &k->c->v[i];

		if (r->want->kind == RECORD_DMARC && !has_text(r, STR("v=DMARC1")))
			ask_parents(k, r);
		else if (r->want->kind == RECORD_STS && has_text(r, STR("v=STSv1")))
			ask_policy(k, r);
	}
}

static void
ask_all(const struct asker *k)
{
	ask_records(k);
	ask_addresses(k);
	ask_more(k);
}

/* --- telling --- */

static const struct cli_column finding_columns[] = {
	{ "level", "WORTH", AS_TEXT },
	{ "about", "ABOUT", AS_TEXT },
	{ "name", "NAME", AS_TEXT },
	{ "words", "FINDING", AS_TEXT },
	{ .key = NULL },
};

static void
write_lines(const json_t *findings, struct buf *out)
{
	const json_t *finding;
	bool any = false;
	size_t i;

	json_array_foreach(findings, i, finding)
	{
		const char *line = json_string_value(json_object_get(finding, "publish"));

		if (*line == '\0')
			continue;
		buf_addf(out, "%s%s\n", any ? "" : "\nTo publish, in place of what is there:\n\n", line);
		any = true;
	}
}

static int
print(const struct cli *c, const struct check *k)
{
	struct buf out;
	int status;

	if (cli_json(c))
		return cli_print_json(json_incref(k->findings));
	buf_init(&out, SIZE_MAX);
	cli_columns_write(k->findings, finding_columns, &out);
	write_lines(k->findings, &out);
	status = cli_print(&out);
	buf_fini(&out);
	return status;
}

static int
conclude(const struct cli *c, const struct check *k)
{
	int status = print(c, k);

	if (status != CLI_DONE || k->bad == 0)
		return status;
	return cli_say(CLI_FAILED, "%u of these findings are bad", k->bad);
}

static struct strs
chosen_domains(const struct cli *c, const struct conf *conf, struct arena *a)
{
	struct str *v = arena_array(a, c->nargs, sizeof *v);

	if (c->nargs == 0)
		return records_domains(conf, a);
	for (unsigned i = 0; i < c->nargs; i++)
		v[i] = str_of(c->args[i]);
	return (struct strs){ v, c->nargs };
}

static bool
are_names(const struct strs *domains)
{
	for (uint32_t i = 0; i < domains->n; i++)
		if (!dns_name_valid(domains->v[i]))
			return false;
	return true;
}

static void
check_fini(struct check *k)
{
	for (size_t i = 0; i < k->wanted.n; i++)
		if (k->v[i].sts != NULL)
			sts_fini(k->v[i].sts);
	json_decref(k->findings);
	records_fini(&k->wanted);
	arena_fini(&k->arena);
}

static int
run(const struct cli *c, const struct conf *conf, const struct strs *domains, struct loop *loop)
{
	struct check k = { .hostname = conf->hostname, .findings = json_array() };
	struct err e;
	struct dns *dns = names_resolver(conf, loop, CHECK_ASK_MS, &e);
	int status;

	if (dns == NULL) {
		json_decref(k.findings);
		return cli_say(CLI_FAILED, "%s", e.log);
	}
	arena_init(&k.arena);
	records_make(conf, domains, &k.wanted);
	k.v = arena_array(&k.arena, k.wanted.n, sizeof k.v[0]);
	ask_all(&(struct asker){ loop, dns, conf->relay.ca_file, &k });
	dns_close(dns);
	check_judge(&k);
	status = conclude(c, &k);
	check_fini(&k);
	return status;
}

int
do_dns_check(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	struct strs domains;
	struct loop *loop;
	struct arena a;
	int status;

	if (conf == NULL)
		return CLI_FAILED;
	arena_init(&a);
	loop = loop_new();
	domains = chosen_domains(c, conf, &a);
	status = are_names(&domains) ? run(c, conf, &domains, loop)
				     : cli_say(CLI_USAGE, "not a domain; name domains as A-labels, or none for all");
	loop_free(loop);
	arena_fini(&a);
	conf_unref(conf);
	return status;
}
