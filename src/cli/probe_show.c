/* probe_show.c - what a probe found, as JSON and for people. */
#include "probe.h"

static const struct cli_column finding_columns[] = {
	{ "level", "WORTH", AS_TEXT },
	{ "check", "ABOUT", AS_TEXT },
	{ "words", "FINDING", AS_TEXT },
	{ .key = NULL },
};

/* --- JSON --- */

static json_t *
findings_json(const struct judgement *j)
{
	json_t *all = json_array();

	for (size_t i = 0; i < j->n; i++) {
		const struct finding *f = &j->v[i];

		json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s}", "level", finding_level_name(f->level),
					       "check", f->check, "words", f->words, "best_grade", grade_name(f->cap)));
	}
	return all;
}

static json_t *
suites_json(const struct tls_trial *t)
{
	static const char *const worths[TLS_WORTHS] = { "good", "old", "weak", "anonymous", "broken" };
	json_t *all = json_array();

	for (size_t i = 0; i < t->nchosen; i++) {
		const struct tls_suite *s = tls_suite_find(t->chosen[i]);

		json_array_append_new(
		    all, json_pack("{s:s, s:s}", "name", s->name, "worth", worths[tls_suite_worth(s)]));
	}
	return all;
}

static json_t *
versions_json(const struct port_facts *f)
{
	static const char *const orders[] = { "unknown", "server", "client" };
	json_t *all = json_array();

	for (int v = 0; v < PORT_VERSIONS; v++) {
		const struct tls_trial *t = &f->versions[v];

		json_array_append_new(all,
		    json_pack("{s:s, s:b, s:b, s:s, s:o}", "version", tls_version_name(t->version), "spoken",
			t->nchosen > 0, "complete", t->complete, "order", orders[t->order], "ciphers", suites_json(t)));
	}
	return all;
}

static json_t *
groups_json(const struct tls_trial *t)
{
	json_t *all = json_array();

	for (size_t i = 0; i < t->nchosen; i++)
		json_array_append_new(all, json_string(tls_group_name(t->chosen[i])));
	return all;
}

static const char *
answer_name(enum answer a)
{
	static const char *const names[] = { "unknown", "no", "yes" };

	return names[a];
}

static unsigned
shortest_field(const struct port_facts *f)
{
	unsigned bits = 0;

	for (int v = 0; v < PORT_VERSIONS; v++)
		if (f->versions[v].dh_bits > 0 && (bits == 0 || f->versions[v].dh_bits < bits))
			bits = f->versions[v].dh_bits;
	return bits;
}

static json_t *
certificate_json(const struct port_facts *f)
{
	const struct probe_cert *c = &f->cert;

	return json_pack("{s:b, s:s, s:b, s:b, s:b, s:I, s:O}", "known_ca", c->there && c->trust == NULL, "why_not",
	    c->trust != NULL ? c->trust : "", "name_matches", c->name_ok, "expired", c->expired, "not_yet_valid",
	    c->early, "days_left", (json_int_t)c->days_left, "chain", c->chain);
}

/* What is known once TLS stood. */
static void
add_tls(json_t *port, const struct port_facts *f)
{
	json_t *tls = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:i, s:s}", "version",
	    f->tls.version, "cipher", f->tls.cipher, "group", f->tls.group, "auth_before_tls", f->clear.auth,
	    "auth_inside_tls", f->inside.auth, "injection", answer_name(f->injected), "renegotiation",
	    answer_name(f->renegotiates), "tickets", (int)f->tickets, "ticket_seconds", (int)f->ticket_lifetime,
	    "early_data", f->early_data, "dh_bits", (int)shortest_field(f), "dane_matches", answer_name(f->delivered));

	json_object_set_new(tls, "versions", versions_json(f));
	json_object_set_new(tls, "groups", groups_json(&f->groups));
	json_object_set_new(tls, "certificate", certificate_json(f));
	json_object_set_new(port, "tls", tls);
}

json_t *
probe_port_json(const struct port_facts *f, const struct judgement *j)
{
	static const char *const reached[] = { "no", "no tls", "no tls", "tls" };
	char at[ADDR_TEXT_SIZE];
	json_t *port;

	addr_text_ip(&f->at, at);
	port =
	    json_pack("{s:i, s:s, s:s, s:b, s:s, s:s, s:s, s:b, s:o}", "port", (int)f->port, "address", at, "protocol",
		f->protocol == TALK_SMTP ? "smtp" : "imap", "implicit", f->implicit, "reached", reached[f->reached],
		"why", f->words, "grade", grade_name(j->grade), "complete", f->in_time, "findings", findings_json(j));
	if (f->reached == PORT_TLS)
		add_tls(port, f);
	return port;
}

/* --- for people --- */

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static void
write_head(const char *host, const json_t *port, struct buf *out)
{
	const json_t *tls = json_object_get(port, "tls");
	bool implicit = json_is_true(json_object_get(port, "implicit"));

	buf_addf(out, "%s [%s] port %lld, %s %s: grade %s\n", host, text_of(port, "address"),
	    (long long)json_integer_value(json_object_get(port, "port")),
	    strcmp(text_of(port, "protocol"), "smtp") == 0 ? "SMTP" : "IMAP", implicit ? "inside TLS" : "with STARTTLS",
	    text_of(port, "grade"));
	if (tls != NULL)
		buf_addf(out, "%s %s %s\n", text_of(tls, "version"), text_of(tls, "cipher"), text_of(tls, "group"));
}

static void
write_port(const char *host, const json_t *port, struct buf *out)
{
	if (strcmp(text_of(port, "reached"), "no") == 0) {
		buf_addf(out, "%s port %lld: not reached: %s\n\n", host,
		    (long long)json_integer_value(json_object_get(port, "port")), text_of(port, "why"));
		return;
	}
	write_head(host, port, out);
	cli_columns_write(json_object_get(port, "findings"), finding_columns, out);
	buf_add_char(out, '\n');
}

static void
write_host(const json_t *host, struct buf *out)
{
	const json_t *ports = json_object_get(host, "ports");
	const json_t *port;
	size_t i;

	if (json_array_size(ports) == 0)
		buf_addf(
		    out, "%s: no address, DNS says: %s\n\n", text_of(host, "name"), text_of(host, "address_status"));
	json_array_foreach(ports, i, port) write_port(text_of(host, "name"), port, out);
}

void
probe_write(const json_t *root, struct buf *out)
{
	const json_t *hosts = json_object_get(root, "hosts");
	long long mx = (long long)json_integer_value(json_object_get(root, "mx_count"));
	const json_t *host;
	size_t i;

	json_array_foreach(hosts, i, host) write_host(host, out);
	if (strcmp(text_of(root, "ca_file"), "ok") != 0)
		buf_addf(out, "Nobody is known to vouch for certificates: %s\n", text_of(root, "ca_file"));
	if (json_is_true(json_object_get(root, "null_mx")))
		buf_addf(out, "%s takes no mail: its MX is null (RFC 7505)\n", text_of(root, "target"));
	if (mx > NAMES_HOSTS_MAX)
		buf_addf(out, "The %u most wanted of %lld MX hosts were looked at.\n", NAMES_HOSTS_MAX, mx);
	buf_addf(out, "Grade of %s: %s\n", text_of(root, "target"), text_of(root, "grade"));
}
