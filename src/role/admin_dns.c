/* admin_dns.c - `postern dns lookup': what the dns role sees, with its security status.
 *
 * lookup → {name, type, status, secure, ttl, canonical, aliases: [names], aliases_secure, records: [texts], why} */
#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/dns/resolver.h>
#include <postern/role/verbs.h>

struct asked {
	struct ipc_question *question;
	enum dns_type type;
	char *name;
};

static json_t *
records(enum dns_type type, const struct dns_answer *a)
{
	json_t *list = json_array();
	struct buf b;

	buf_init(&b, SIZE_MAX);
	for (uint32_t i = 0; i < a->nrecords; i++) {
		buf_clear(&b);
		dns_record_write(type, &a->records[i], &b);
		json_array_append_new(list, control_text(buf_str(&b)));
	}
	buf_fini(&b);
	return list;
}

static json_t *
aliases(const struct dns_answer *a)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < a->naliases; i++)
		json_array_append_new(list, control_text(a->alias[i]));
	return list;
}

static void
on_answer(void *ctx, const struct dns_answer *a)
{
	struct asked *q = ctx;
	struct control_answer out = { .status = ADMIN_DONE };

	out.json = json_pack("{s:s, s:s, s:s, s:b, s:I, s:o, s:o, s:I, s:o, s:o}", "name", q->name, "type",
	    dns_type_name(q->type), "status", dns_status_name(a->status), "secure", a->secure, "ttl",
	    (json_int_t)a->ttl, "canonical", control_text(a->canonical), "aliases", aliases(a), "aliases_secure",
	    (json_int_t)a->naliases_secure, "records", records(q->type, a), "why", control_text(a->why));
	if (a->status == DNS_BOGUS || a->status == DNS_FAILED) {
		out.status = ADMIN_LATER;
		out.why = a->why;
	}
	control_reply(q->question, &out);
	free(q->name);
	free(q);
}

static bool
run_lookup(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct dns_admin *d = ctx;
	struct str name = ask->args.v[1];
	struct asked *q;
	enum dns_type type;

	if (!dns_type_parse(ask->args.v[0], &type))
		return control_fail(
		    out, ask->arena, ADMIN_USAGE, "the type is one of MX, A, AAAA, TLSA, TXT, PTR, CNAME, SRV");
	if (!dns_name_valid(name))
		return control_fail(out, ask->arena, ADMIN_USAGE,
		    "this is no name for DNS: letters, digits, - and _ in labels of at most 63; others as A-labels "
		    "(xn--…)");
	if (d->dns == NULL)
		return control_fail(out, ask->arena, ADMIN_LATER, "no names can be looked up: %s", d->broken);
	q = NEW(struct asked);
	*q = (struct asked){ ask->question, type, mem_cstr(name) };
	dns_ask(d->dns, type, name, on_answer, q);
	return false;
}

const struct control_verb dns_verbs[] = {
	{ "dns", "lookup", 2, 2, run_lookup },
	{ 0 },
};
