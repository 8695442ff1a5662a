/* records.c - the DNS records that a site should publish, as a zone file has them. */
#include "init.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

#include <postern/core/base64.h>

enum { NAME_COLUMN = 40 };

/* "name.  IN type value" */
static void __attribute__((format(printf, 4, 5)))
add_record(struct buf *out, const char *prefix, struct str name, const char *format, ...)
{
	size_t start = out->n;
	va_list args;

	buf_addf(out, "%s%.*s. ", prefix, STR_ARG(name));
	while (out->n - start < NAME_COLUMN)
		buf_add_char(out, ' ');
	buf_add_cstr(out, "IN ");
	va_start(args, format);
	buf_addv(out, format, args);
	va_end(args);
	buf_add_char(out, '\n');
}

static uint16_t
port_of(const struct conf_addr *a)
{
	return ntohs(a->sa.ss_family == AF_INET ? ((const struct sockaddr_in *)&a->sa)->sin_port
						: ((const struct sockaddr_in6 *)&a->sa)->sin6_port);
}

/* Where mail programs find the services: RFC 6186 3, RFC 8314 5.1. */
static void
add_services(const struct conf *conf, struct str domain, struct buf *out)
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

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (conf->listen[rows[i].service].n > 0)
			add_record(out, rows[i].prefix, domain, "SRV  0 1 %u %s.",
			    port_of(&conf->listen[rows[i].service].v[0]), conf->hostname.p);
}

static void
add_domain(const struct conf *conf, struct str domain, struct buf *out)
{
	add_record(out, "", domain, "MX   10 %s.", conf->hostname.p);
	add_record(out, "", domain, "TXT  \"v=spf1 mx -all\"");
	add_record(out, "_dmarc.", domain, "TXT  \"v=DMARC1; p=none; rua=mailto:postmaster@%s\"", domain.p);
	add_services(conf, domain, out);
	buf_add_char(out, '\n');
}

/* Addresses that others can reach; what is private is left to the operator. */
static bool
is_public(const struct sockaddr *sa)
{
	const uint8_t *v4 = (const uint8_t *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

	if (sa->sa_family == AF_INET)
		return v4[0] != 127 && v4[0] != 10 && !(v4[0] == 192 && v4[1] == 168) &&
		       !(v4[0] == 172 && (v4[1] & 0xf0) == 16) && !(v4[0] == 169 && v4[1] == 254) &&
		       !(v4[0] == 100 && (v4[1] & 0xc0) == 64);
	return (v6->s6_addr[0] & 0xe0) == 0x20; /* 2000::/3 */
}

static unsigned
add_addresses(const struct conf *conf, struct buf *out)
{
	struct ifaddrs *all = NULL;
	unsigned n = 0;

	if (getifaddrs(&all) == -1)
		return 0;
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		char text[INET6_ADDRSTRLEN];
		bool v4 = i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET;

		if (i->ifa_addr == NULL || (!v4 && i->ifa_addr->sa_family != AF_INET6) || !is_public(i->ifa_addr))
			continue;
		if (v4)
			inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, text,
			    sizeof(text));
		else
			inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, text,
			    sizeof(text));
		add_record(out, "", conf->hostname, "%-4s %s", v4 ? "A" : "AAAA", text);
		n++;
	}
	freeifaddrs(all);
	return n;
}

static X509 *
load_certificate(const struct conf *conf)
{
	char path[4096];
	X509 *certificate;
	FILE *f;

	if (conf->tls.certificate.n > 0)
		snprintf(path, sizeof(path), "%s", conf->tls.certificate.p);
	else
		snprintf(path, sizeof(path), "%s/keys/self-signed.pem", conf->state.p);
	f = fopen(path, "re");
	if (f == NULL)
		return NULL;
	certificate = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	return certificate;
}

/* RFC 7672 3.1.1: DANE-EE, the hash of the public key; a certificate renewed with the same key leaves it right. */
static void
add_tlsa(const struct conf *conf, struct buf *out)
{
	X509 *certificate = load_certificate(conf);
	unsigned char *key = NULL;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	struct buf hex;
	int n;

	if (certificate == NULL)
		return;
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
	if (n > 0 && EVP_Digest(key, (size_t)n, hash, &size, EVP_sha256(), NULL) == 1) {
		buf_init(&hex, SIZE_MAX);
		hex_add(&hex, str_from(hash, size));
		add_record(out, "_25._tcp.", conf->hostname, "TLSA 3 1 1 %s", buf_cstr(&hex));
		buf_fini(&hex);
	}
	OPENSSL_free(key);
	X509_free(certificate);
}

void
records_write(const struct conf *conf, struct buf *out)
{
	for (size_t i = 0; i < conf->domains.n; i++)
		add_domain(conf, conf->domains.v[i], out);
	if (add_addresses(conf, out) == 0)
		buf_addf(
		    out, "; add A and AAAA for %s: this machine has no public address of its own\n", conf->hostname.p);
	add_record(out, "", conf->hostname, "TXT  \"v=spf1 a -all\"");
	add_tlsa(conf, out);
	buf_addf(
	    out, "; TLSA counts only in a zone with DNSSEC; the PTR of each address must be %s.\n", conf->hostname.p);
}
