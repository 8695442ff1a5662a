/* record.h - what queue.mdb keeps of a destination, and of its MTA-STS policy, as values and as bytes.
 *
 * The record outlives the mail: back-off, the last TLS, and what TLS reporting counts (RFC 8460 4), today's and the last day's,
 * for whoever sends the reports. What a peer says is cut to fixed sizes and counted in a bounded table: a record has a size. */
#ifndef POSTERN_QUEUE_RECORD_H
#define POSTERN_QUEUE_RECORD_H

#include <postern/core/buf.h>
#include <postern/queue/queue.h>

#include "row.h"

enum {
	RECORD_VERSION = 1,
	RECORD_DAYS = 2,
	RECORD_FAILURES_MAX = 8, /* kinds of failure of a day that are told apart; the rest is only counted */
	RECORD_REASON_SIZE = 96,
	RECORD_MAX = 24 << 10,
};

/* One line of failure-details (RFC 8460 4.4). */
struct record_failure {
	enum tlsrpt_policy policy;
	enum tlsrpt_result result;
	uint64_t sessions;
	char host[ROW_HOST_MAX + 1]; /* receiving-mx-hostname */
	char ip[ROW_IP_MAX + 1];     /* receiving-ip, with its port */
	char reason[RECORD_REASON_SIZE]; /* failure-reason-code, or "" */
};

/* A UTC day (RFC 8460 4.1). */
struct record_day {
	uint32_t day; /* since 1970-01-01 */
	struct tlsrpt_counts counts[TLSRPT_POLICIES];
	struct record_failure failures[RECORD_FAILURES_MAX];
	size_t nfailures;
};

struct record {
	struct wall used; /* the last time that mail went there: old records go (tend.h) */
	/* back-off */
	uint32_t unreached;     /* tries in a row that found no host */
	struct wall rest_until; /* 0: it does not rest */
	char status[QUEUE_STATUS_SIZE], text[QUEUE_TEXT_SIZE]; /* of the last try that found none; "" after one that did */
	/* TLS */
	uint32_t handshakes_failed; /* in a row */
	struct wall tls_at;         /* when the following was; 0: never */
	char host[ROW_HOST_MAX + 1], ip[ROW_IP_MAX + 1], why[TLS_WHY_SIZE];
	enum tls_level wanted, got;
	bool plain;
	struct wall plain_at; /* the last fallback to plain text; 0: never */
	/* MTA-STS: when it is looked for again, and how the last search failed, "" when it did not */
	struct wall sts_check;
	char sts_words[QUEUE_TEXT_SIZE];
	struct record_day days[RECORD_DAYS]; /* today first; days[1] is the last day before it with anything to tell */
};

void record_write(struct buf *out, const struct record *r);
/* False when the bytes are no such record. */
bool record_parse(struct str bytes, struct record *r);

/* Text of a peer into an array: cut, without what may not stand in a row. */
void record_text(char *out, size_t size, struct str s);
/* What a host was like: the last TLS, handshakes, what TLS reporting counts. */
void record_hop(struct record *r, const struct queue_hop *hop, struct wall now);
/* Counts a session, or a failure before any (host and ip ""). */
void record_count(struct record *r, enum tlsrpt_policy policy, enum tlsrpt_result result, const struct queue_hop *hop,
    struct wall now);

/* A policy of the table sts. */
struct record_sts {
	struct wall fetched; /* or confirmed */
	struct str id;
	struct str policy; /* as tls_sts_write_policy makes it */
};

void record_write_sts(struct buf *out, const struct record_sts *s);
/* Texts point into bytes. */
bool record_parse_sts(struct str bytes, struct record_sts *s);

#endif
