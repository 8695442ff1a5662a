/* records.h - the DNS records that a site should publish, as one list: `dns records' and `init' print it, `dns check'
 * compares it with what is published. */
#ifndef POSTERN_CLI_RECORDS_H
#define POSTERN_CLI_RECORDS_H

#include <openssl/x509.h>

#include <postern/core/arena.h>
#include <postern/core/err.h>
#include <postern/dns/answer.h>
#include <postern/ipc/ipc.h>

#include "command.h"

enum record_kind {
	RECORD_MX,
	RECORD_SPF,
	RECORD_DMARC,
	RECORD_TLSRPT,
	RECORD_STS,
	RECORD_SERVICE, /* where mail programs find a service: RFC 6186 3, RFC 8314 5.1 */
	RECORD_ADDRESS, /* of the host; one for each address of this machine that others can reach */
	RECORD_HELO, /* SPF of the host's own name (RFC 7208 2.3) */
	RECORD_TLSA,
	RECORD_KINDS,
};

struct record {
	enum record_kind kind;
	enum dns_type type;
	bool optional; /* needs more than the record itself: printed as a comment */
	struct str owner; /* the domain, or the host */
	struct str name;
	struct str data; /* as a zone file has it */
	uint16_t port; /* SERVICE */
};

struct records {
	struct arena arena;
	struct record *v;
	size_t n;
	X509 *certificate; /* of the host; NULL: words tell why */
	STACK_OF(X509) * chain; /* what follows it */
	char words[ERR_LOG_MAX];
};

/* For these domains and the host of conf, which must outlive it. */
void records_make(const struct conf *conf, const struct strs *domains, struct records *r);
void records_fini(struct records *r);

/* The domains of the configuration, with those of `domain add' where the directory can be asked. Memory from a. */
struct strs records_domains(const struct conf *conf, struct arena *a);

/* "name.  IN TYPE data" and a newline. */
void records_write_line(const struct record *record, struct buf *out);

/* Prints the records of these domains. */
int records_print(const struct conf *conf, const struct strs *domains);
int do_dns_records(struct cli *c);

#endif
