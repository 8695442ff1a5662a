/* probe.c - `postern tls probe': names first, then every port of every host at once, judged when all is in or time is
 * up. It needs no server: the resolver is this process's own, so the verdict is that of whoever sits where the command
 * runs, and a server that is down can be looked at, too. */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "probe_sts.h"

enum { PROBE_MS = 28 * 1000, NAMES_MS = 8 * 1000, PORTS_MAX = 5 };

static const uint16_t usual_ports[PORTS_MAX] = { 25, 587, 465, 143, 993 };

struct probe {
	struct loop *loop;
	struct dns *dns;
	struct arena arena;
	struct probe_target target;
	struct names names;
	struct probe_sts sts;
	bool sts_asked;
	struct str ca_file;
	struct port_world world;
	char ca_words[ERR_LOG_MAX]; /* why no CA is known; "" */
	struct probe_port *ports[NAMES_HOSTS_MAX][PORTS_MAX];
	unsigned open;
	struct loop_timer limit;
};

/* --- the course of it --- */

static void
on_limit(void *ctx)
{
	struct probe *p = ctx;

	loop_stop(p->loop);
}

static void
on_done(void *ctx)
{
	struct probe *p = ctx;

	if (--p->open == 0)
		loop_stop(p->loop);
}

static void
start_ports(struct probe *p, unsigned host)
{
	unsigned n = p->target.port != 0 ? 1 : PORTS_MAX;

	if (p->names.hosts[host].naddrs == 0)
		return;
	p->open += n;
	for (unsigned i = 0; i < n; i++)
		p->ports[host][i] = port_start(&p->world, &p->names.hosts[host],
		    p->target.port != 0 ? p->target.port : usual_ports[i], on_done, p);
}

static void
on_names(void *ctx)
{
	struct probe *p = ctx;

	p->open = 1;
	for (unsigned i = 0; i < p->names.nhosts; i++)
		start_ports(p, i);
	if (p->names.sts == NAMES_STS_RECORD) {
		p->sts_asked = sts_ask(&p->sts, p->loop, p->dns, p->ca_file, p->target.host, on_done, p);
		p->open += p->sts_asked;
	}
	on_done(p);
}

static bool
open_world(struct probe *p, const struct conf *conf, struct err *e)
{
	struct err ca;

	p->loop = loop_new();
	p->dns = names_resolver(conf, p->loop, NAMES_MS, e);
	if (p->dns == NULL)
		return false;
	p->ca_file = conf->relay.ca_file;
	p->world = (struct port_world){ .loop = p->loop,
		.hostname = conf->hostname,
		.any = cert_ctx(TLS1_3_VERSION),
		.old = cert_ctx(TLS1_2_VERSION),
		.store = cert_store(p->ca_file.p, &ca),
		.tls = tls_client_new() };
	if (p->world.store == NULL)
		snprintf(p->ca_words, sizeof p->ca_words, "%s", ca.log);
	return true;
}

static void
close_world(struct probe *p)
{
	for (unsigned i = 0; i < NAMES_HOSTS_MAX; i++)
		for (unsigned j = 0; j < PORTS_MAX; j++)
			if (p->ports[i][j] != NULL)
				port_free(p->ports[i][j]);
	dns_close(p->dns);
	if (p->sts.done != NULL)
		sts_fini(&p->sts);
	names_fini(&p->names);
	loop_timer_fini(&p->limit);
	tls_client_free(p->world.tls);
	X509_STORE_free(p->world.store);
	SSL_CTX_free(p->world.any);
	SSL_CTX_free(p->world.old);
}

static void
run(struct probe *p)
{
	loop_timer_init(&p->limit, p->loop, on_limit, p);
	loop_timer_start(&p->limit, PROBE_MS);
	names_ask(&p->names, p->loop, p->dns, &p->target, on_names, p);
	loop_run(p->loop);
	for (unsigned i = 0; i < NAMES_HOSTS_MAX; i++)
		for (unsigned j = 0; j < PORTS_MAX; j++)
			if (p->ports[i][j] != NULL)
				port_stop(p->ports[i][j]);
}

/* --- the answer --- */

static const char *
dns_words(enum tls_dns s)
{
	static const char *const words[TLS_DNS_STATES] = { "unasked", "secure", "insecure", "nxdomain", "nodata",
		"bogus", "failed" };

	return words[s];
}

static void
add_sts_facts(struct probe *p, const struct names_host *h, struct port_facts *f)
{
	f->sts = p->names.sts;
	f->sts_words = p->names.sts == NAMES_STS_RECORD ? p->sts.words : p->names.sts_words;
	if (f->sts == NAMES_STS_RECORD && !p->sts.has_policy && p->sts.words[0] == '\0')
		f->sts_words = "the policy could not be fetched in time";
	f->policy = p->sts.has_policy ? &p->sts.policy : NULL;
	f->sts_listed = p->sts.has_policy && tls_sts_allows(&p->sts.policy, str_of(h->name));
}

static json_t *
ports_json(struct probe *p, unsigned host, enum grade *worst)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < PORTS_MAX && p->ports[host][i] != NULL; i++) {
		struct port_facts *f = port_facts(p->ports[host][i]);
		struct judgement j;

		add_sts_facts(p, &p->names.hosts[host], f);
		judge(f, &j);
		if (j.grade != GRADE_NONE && (*worst == GRADE_NONE || j.grade > *worst))
			*worst = j.grade;
		json_array_append_new(all, probe_port_json(f, &j));
	}
	return all;
}

static json_t *
tlsa_json(const struct names_host *h)
{
	json_t *all = json_array();
	char words[TLSA_WORDS_SIZE];

	for (unsigned b = 0; b < TLS_BASES_MAX; b++)
		for (size_t i = 0; i < h->query.tlsa[b].n; i++)
			json_array_append_new(all, json_string(tls_dane_words(&h->query.tlsa[b].records[i], words)));
	return all;
}

static json_t *
host_json(struct probe *p, unsigned host, enum grade *worst)
{
	const struct names_host *h = &p->names.hosts[host];
	json_t *addresses = json_array();
	char text[ADDR_TEXT_SIZE];

	for (unsigned i = 0; i < h->naddrs; i++) {
		addr_text_ip(&h->addrs[i], text);
		json_array_append_new(addresses, json_string(text));
	}
	return json_pack("{s:s, s:o, s:s, s:{s:s, s:s, s:o}, s:o}", "name", h->name[0] != '\0' ? h->name : text,
	    "addresses", addresses, "address_status", dns_words(h->query.address), "dane", "demand",
	    h->decision.connect ? tls_level_name(h->decision.level) : "none", "why", h->decision.why, "tlsa",
	    tlsa_json(h), "ports", ports_json(p, host, worst));
}

static json_t *
sts_json(const struct probe *p)
{
	static const char *const states[] = { "unasked", "none", "broken", "record" };
	const struct sts_policy *policy = &p->sts.policy;
	json_t *mx = json_array();

	for (size_t i = 0; i < policy->n_mx && p->sts.has_policy; i++)
		json_array_append_new(mx, json_stringn(policy->mx[i].p, policy->mx[i].n));
	return json_pack("{s:s, s:s, s:s, s:i, s:o}", "status", states[p->names.sts], "id",
	    p->names.sts_id != NULL ? p->names.sts_id : "", "mode",
	    p->sts.has_policy ? tls_sts_mode_name(policy->mode) : "", "max_age",
	    p->sts.has_policy ? (int)policy->max_age_s : 0, "mx", mx);
}

static json_t *
answer_json(struct probe *p)
{
	enum grade grade = GRADE_NONE;
	json_t *hosts = json_array();

	for (unsigned i = 0; i < p->names.nhosts; i++)
		json_array_append_new(hosts, host_json(p, i, &grade));
	return json_pack("{s:o, s:s, s:b, s:s, s:b, s:i, s:o, s:s, s:o}", "target",
	    json_stringn(p->target.host.p, p->target.host.n), "grade", grade_name(grade), "by_mx", p->names.by_mx,
	    "mx_status", dns_words(p->names.mx), "null_mx", p->names.null_mx, "mx_count", (int)p->names.nmx, "mta_sts",
	    sts_json(p), "ca_file", p->ca_words[0] != '\0' ? p->ca_words : "ok", "hosts", hosts);
}

static int
print(const struct cli *c, json_t *root)
{
	struct buf out;
	int status;

	if (cli_json(c))
		return cli_print_json(root);
	buf_init(&out, SIZE_MAX);
	probe_write(root, &out);
	status = cli_print(&out);
	buf_fini(&out);
	json_decref(root);
	return status;
}

static bool
is_assessed(const json_t *root)
{
	return strcmp(json_string_value(json_object_get(root, "grade")), grade_name(GRADE_NONE)) != 0;
}

/* The words of the first port that did not answer. */
static const char *
why_not(const struct probe *p)
{
	const struct probe_port *first = p->ports[0][0];

	if (p->names.words[0] != '\0')
		return p->names.words;
	if (p->names.nhosts == 0)
		return "its name could not be looked up in time";
	return first != NULL ? port_facts(p->ports[0][0])->words : "it has no address";
}

static int
conclude(const struct cli *c, struct probe *p)
{
	json_t *root = answer_json(p);
	bool gone = p->names.mx == TLS_DNS_NXDOMAIN;
	int status;

	if (is_assessed(root))
		return print(c, root);
	status = cli_say(gone ? CLI_FAILED : CLI_LATER, "%s cannot be assessed: %s", c->args[0], why_not(p));
	if (cli_json(c))
		cli_print_json(root);
	else
		json_decref(root);
	return status;
}

int
do_tls_probe(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	struct probe p = { .open = 0 };
	struct err e;
	int status;

	if (conf == NULL)
		return CLI_FAILED;
	arena_init(&p.arena);
	if (!names_target(&p.arena, c->args[0], &p.target))
		status = cli_say(CLI_USAGE, "%s: not a host name or address, with or without a port", c->args[0]);
	else if (!open_world(&p, conf, &e))
		status = cli_say(CLI_FAILED, "%s", e.log);
	else {
		run(&p);
		status = conclude(c, &p);
		close_world(&p);
	}
	if (p.loop != NULL)
		loop_free(p.loop);
	arena_fini(&p.arena);
	conf_unref(conf);
	return status;
}
