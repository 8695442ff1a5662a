/* records.c - what a site should publish, as a table: a row for each record of a domain or of the host. */
#include "records.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <postern/core/base64.h>
#include <postern/net/addr.h>
#include <postern/relay/plan.h>

#include "ask.h"

enum { NAME_COLUMN = 40, TYPE_COLUMN = 5, RECORDS_OF_DOMAIN = 12, ADDRESSES_MAX = 64, CHAIN_MAX = 10 };

/* --- the certificate --- */

static void
read_chain(FILE *f, struct records *r)
{
	X509 *x;

	r->chain = sk_X509_new_null();
	while (sk_X509_num(r->chain) < CHAIN_MAX && (x = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
		sk_X509_push(r->chain, x);
	r->certificate = sk_X509_num(r->chain) > 0 ? sk_X509_value(r->chain, 0) : NULL;
}

static void
load_certificate(const struct conf *conf, struct records *r)
{
	char path[4096];
	FILE *f;

	if (conf->tls.certificate.n > 0)
		snprintf(path, sizeof(path), "%s", conf->tls.certificate.p);
	else
		snprintf(path, sizeof(path), "%s/keys/self-signed.pem", conf->state.p);
	f = fopen(path, "re");
	if (f != NULL) {
		read_chain(f, r);
		fclose(f);
	}
	if (r->certificate == NULL)
		snprintf(r->words, sizeof(r->words), "%.300s: %s", path,
		    f == NULL ? strerror(errno) : "no certificate in it");
}

/* --- rows --- */

static struct record *
add(struct records *r, enum record_kind kind, enum dns_type type, struct str owner, const char *prefix, struct str data)
{
	struct record *record = &r->v[r->n++];

	*record = (struct record){ .kind = kind, .type = type, .owner = owner, .data = data };
	record->name = arena_strf(&r->arena, "%s%.*s", prefix, STR_ARG(owner));
	return record;
}

static uint16_t
port_of(const struct conf_addr *a)
{
	return ntohs(a->sa.ss_family == AF_INET ? ((const struct sockaddr_in *)&a->sa)->sin_port
						: ((const struct sockaddr_in6 *)&a->sa)->sin6_port);
}

static void
add_services(const struct conf *conf, struct str domain, struct records *r)
{
	static const struct {
		enum conf_service service;
		const char *prefix;
	} rows[] = {
		{ SERVICE_SUBMISSIONS, "_submissions._tcp." },
		{ SERVICE_SUBMISSION, "_submission._tcp." },
		{ SERVICE_IMAPS, "_imaps._tcp." },
		{ SERVICE_IMAP, "_imap._tcp." },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct conf_addrs *at = &conf->listen[rows[i].service];
		uint16_t port = at->n > 0 ? port_of(&at->v[0]) : 0;

		if (port != 0)
			add(r, RECORD_SERVICE, DNS_SRV, domain, rows[i].prefix,
			    arena_strf(&r->arena, "0 1 %u %s.", port, conf->hostname.p))
			    ->port = port;
	}
}

/* %D: the domain, %H: the host; as zone files have them. */
static const struct domain_row {
	enum record_kind kind;
	enum dns_type type;
	const char *prefix;
	const char *data;
	bool optional;
} domain_rows[] = {
	{ RECORD_MX, DNS_MX, "", "10 %H.", false },
	{ RECORD_SPF, DNS_TXT, "", "\"v=spf1 mx -all\"", false },
	{ RECORD_DMARC, DNS_TXT, "_dmarc.", "\"v=DMARC1; p=none; rua=mailto:postmaster@%D\"", false },
	{ RECORD_TLSRPT, DNS_TXT, "_smtp._tls.", "\"v=TLSRPTv1; rua=mailto:postmaster@%D\"", false },
	{ RECORD_STS, DNS_TXT, "_mta-sts.", "\"v=STSv1; id=1\"", true },
};

static struct str
fill(const char *data, struct str domain, struct str host, struct arena *a)
{
	struct buf out;
	struct str filled;

	buf_init(&out, SIZE_MAX);
	for (; *data != '\0'; data++) {
		if (data[0] != '%')
			buf_add_char(&out, data[0]);
		else
			buf_add(&out, *++data == 'D' ? domain : host);
	}
	filled = arena_str(a, buf_str(&out));
	buf_fini(&out);
	return filled;
}

static void
add_domain(const struct conf *conf, struct str domain, struct records *r)
{
	for (size_t i = 0; i < sizeof(domain_rows) / sizeof(domain_rows[0]); i++) {
		const struct domain_row *row = &domain_rows[i];

		add(r, row->kind, row->type, domain, row->prefix, fill(row->data, domain, conf->hostname, &r->arena))
		    ->optional = row->optional;
	}
	add_services(conf, domain, r);
}

/* Addresses that others can reach; what is private is left to the operator. */
static void
add_addresses(const struct conf *conf, struct records *r)
{
	struct ifaddrs *all = NULL;
	size_t most = r->n + ADDRESSES_MAX;

	if (getifaddrs(&all) == -1)
		return;
	for (const struct ifaddrs *i = all; i != NULL && r->n < most; i = i->ifa_next) {
		char text[ADDR_TEXT_SIZE];
		const char *why;
		struct addr a;

		if (i->ifa_addr == NULL || !addr_from_sockaddr(i->ifa_addr, sizeof(struct sockaddr_storage), &a) ||
		    !relay_address_ok(&a, &why))
			continue;
		addr_text_ip(&a, text);
		add(r, RECORD_ADDRESS, addr_is_v4(&a) ? DNS_A : DNS_AAAA, conf->hostname, "",
		    arena_str(&r->arena, str_of(text)));
	}
	freeifaddrs(all);
}

/* RFC 7672 3.1.1: DANE-EE, the hash of the public key; a certificate renewed with the same key leaves it right. */
static void
add_tlsa(const struct conf *conf, struct records *r)
{
	unsigned char *key = NULL;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	struct buf hex;
	int n;

	if (r->certificate == NULL)
		return;
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(r->certificate), &key);
	if (n > 0 && EVP_Digest(key, (size_t)n, hash, &size, EVP_sha256(), NULL) == 1) {
		buf_init(&hex, SIZE_MAX);
		hex_add(&hex, str_from(hash, size));
		add(r, RECORD_TLSA, DNS_TLSA, conf->hostname, "_25._tcp.",
		    arena_strf(&r->arena, "3 1 1 %s", buf_cstr(&hex)));
		buf_fini(&hex);
	}
	OPENSSL_free(key);
}

void
records_make(const struct conf *conf, const struct strs *domains, struct records *r)
{
	*r = (struct records){ .n = 0 };
	arena_init(&r->arena);
	r->v = arena_array(&r->arena, domains->n * RECORDS_OF_DOMAIN + ADDRESSES_MAX + 2, sizeof(r->v[0]));
	load_certificate(conf, r);
	for (size_t i = 0; i < domains->n; i++)
		add_domain(conf, domains->v[i], r);
	add_addresses(conf, r);
	add(r, RECORD_HELO, DNS_TXT, conf->hostname, "", STR("\"v=spf1 a -all\""));
	add_tlsa(conf, r);
}

void
records_fini(struct records *r)
{
	sk_X509_pop_free(r->chain, X509_free);
	arena_fini(&r->arena);
}

/* --- domains --- */

static bool
has(const struct strs *all, struct str domain)
{
	for (uint32_t i = 0; i < all->n; i++)
		if (str_eq(all->v[i], domain))
			return true;
	return false;
}

struct strs
records_domains(const struct conf *conf, struct arena *a)
{
	struct str words[] = { STR("domain"), STR("list") };
	json_t *list = NULL;
	struct str *v;
	struct strs all;
	json_t *row;
	size_t i;

	/* before the first start there is no directory, and nothing in it */
	if (access(arena_strf(a, "%s/auth", conf->state.p).p, F_OK) == 0)
		cli_ask(conf, &cli_auth, &(struct strs){ words, 2 }, &list);
	v = arena_array(a, conf->domains.n + json_array_size(list), sizeof(v[0]));
	all = (struct strs){ v, 0 };
	for (i = 0; i < conf->domains.n; i++)
		v[all.n++] = conf->domains.v[i];
	json_array_foreach(list, i, row)
	{
		const json_t *name = json_object_get(row, "domain");
		struct str domain = str_from(json_string_value(name), json_string_length(name));

		if (domain.n > 0 && !has(&all, domain))
			v[all.n++] = arena_str(a, domain);
	}
	json_decref(list);
	return all;
}

/* --- as a zone file --- */

void
records_write_line(const struct record *record, struct buf *out)
{
	size_t start = out->n;

	buf_add(out, record->name);
	buf_add_cstr(out, ". ");
	while (out->n - start < NAME_COLUMN)
		buf_add_char(out, ' ');
	buf_addf(out, "IN %-*s", TYPE_COLUMN, dns_type_name(record->type));
	buf_add(out, record->data);
	buf_add_char(out, '\n');
}

/* All of them, with comments, as a piece of a zone file. */
static void
write_all(const struct records *r, const struct conf *conf, struct buf *out)
{
	bool has_address = false;

	for (size_t i = 0; i < r->n; i++) {
		const struct record *record = &r->v[i];

		if (i > 0 && !str_eq(record->owner, r->v[i - 1].owner))
			buf_add_char(out, '\n');
		if (record->optional)
			buf_add_cstr(out, "; ");
		records_write_line(record, out);
		has_address |= record->kind == RECORD_ADDRESS;
	}
	if (!has_address)
		buf_addf(
		    out, "; add A and AAAA for %s: this machine has no public address of its own\n", conf->hostname.p);
	buf_addf(out,
	    "; TLSA counts only in a zone with DNSSEC; the PTR of each address must be %s; _mta-sts wants a policy "
	    "file\n"
	    "; beside it. `postern dns check' tells what is published and what is missing.\n",
	    conf->hostname.p);
}

int
records_print(const struct conf *conf, const struct strs *domains)
{
	struct records r;
	struct buf out;
	int status;

	records_make(conf, domains, &r);
	buf_init(&out, SIZE_MAX);
	write_all(&r, conf, &out);
	status = cli_print(&out);
	buf_fini(&out);
	records_fini(&r);
	return status;
}

int
do_dns_records(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	struct arena a;
	struct strs domains;
	int status;

	if (conf == NULL)
		return CLI_FAILED;
	arena_init(&a);
	domains = records_domains(conf, &a);
	status = records_print(conf, &domains);
	arena_fini(&a);
	conf_unref(conf);
	return status;
}
