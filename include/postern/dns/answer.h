/* answer.h - what DNS says about a name: typed records with a security status, never wire format.
 *
 * The status decides: SECURE and INSECURE carry records, NXDOMAIN and NODATA are answers, too; BOGUS and FAILED are no
 * answers and for mail always temporary. Names are lower-case text without the dot at the end, "." is the root; a byte
 * that no host name has is written \DDD (RFC 1035 5.1), so that such a name is never mistaken for another. */
#ifndef POSTERN_DNS_ANSWER_H
#define POSTERN_DNS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/str.h>
#include <postern/ipc/ipc.h>

/* The numbers of RFC 1035 3.2.2, RFC 3596 2.1, RFC 2782, RFC 6698 7.1. */
enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_TLSA = 52
};

enum dns_status {
	DNS_FAILED, /* nobody answered, or with nothing of use: why says it */
	DNS_BOGUS, /* answered, but DNSSEC proves it wrong: why says it */
	DNS_SECURE, /* records, all the way proved by DNSSEC */
	DNS_INSECURE, /* records from where nothing is signed */
	DNS_NXDOMAIN, /* the name does not exist; secure: proved */
	DNS_NODATA, /* the name has no such record; secure: proved */
	DNS_STATUSES
};

enum {
	DNS_RECORDS_MAX = 256, /* of the type, in one answer */
	DNS_BYTES_MAX = 40 * 1024, /* of these records together: an answer fits one message between processes */
	DNS_ALIASES_MAX = 10, /* CNAMEs in a row */
	DNS_RRS_MAX = 1000, /* records of any type in the answer section */
	DNS_TTL_MAX = 86400, /* seconds */
	DNS_NAME_MAX = 253, /* of a question; RFC 1035 3.1 less the lengths at both ends */
	DNS_NAME_TEXT_MAX = 1020, /* of an answer: every byte as \DDD */
};

/* RFC 6698 2.1. */
struct dns_tlsa {
	uint8_t usage;
	uint8_t selector;
	uint8_t matching;
	struct str data; /* bytes */
};

/* One record; the question's type tells which members count. */
struct dns_record {
	uint16_t preference; /* MX; SRV: its priority */
	uint16_t weight, port; /* SRV */
	struct str name; /* MX: the host, "." is the null MX of RFC 7505; CNAME, PTR, SRV: the target */
	uint8_t ip[16]; /* AAAA, and A as ::ffff:a.b.c.d: see net/addr.h */
	struct dns_tlsa tlsa;
	struct str text; /* TXT: its strings joined without anything between (RFC 7208 3.3); any bytes */
};

struct dns_answer {
	enum dns_status status;
	bool secure; /* all of it is proved: records, aliases, denial */
	uint32_t ttl; /* seconds that all of it holds; 0 for BOGUS and FAILED */
	struct str canonical; /* the name behind all aliases; the asked one when there are none */
	const struct str *alias; /* the aliases on the way, the asked name first */
	uint32_t naliases;
	/* So many of them, from the first on, are proved; all of them when the answer is secure. RFC 7672 2.2.2
	 * asks for the first where the name at the end is insecure. */
	uint32_t naliases_secure;
	struct str why; /* BOGUS, FAILED: for the log and the operator */
	const struct dns_record *records;
	uint32_t nrecords; /* 0 unless SECURE or INSECURE */
};

/* "mx" in any case; false: none that is asked here. */
bool dns_type_parse(struct str text, enum dns_type *type);
/* "MX"; "?" for what is no type. */
const char *dns_type_name(unsigned type);
bool dns_type_valid(unsigned type);
/* "secure"; "?" for what is no status. */
const char *dns_status_name(unsigned status);

/* A name that may be asked for: A-labels, letters, digits, "-" and "_", a dot at the end allowed, or "." itself. */
bool dns_name_valid(struct str name);

/* Adds a record as a zone file has it, in one line: "10 mx.example.test", "3 1 1 0a1b…"; odd bytes as \DDD. */
void dns_record_write(enum dns_type type, const struct dns_record *r, struct buf *out);

/* answer as the fields of an IPC message, memory from a; and back, where NULL (the other process is gone) and what
 * does not fit its type come out FAILED. What comes back points into said and a. */
void dns_answer_pack(const struct dns_answer *answer, enum dns_type type, struct arena *a, struct lookup_answer *out);
void dns_answer_unpack(const struct lookup_answer *said, enum dns_type type, struct arena *a, struct dns_answer *out);

#endif
