/* probe_sts.h - the MTA-STS policy of a domain, fetched now (RFC 8461 3.3). */
#ifndef POSTERN_CLI_PROBE_STS_H
#define POSTERN_CLI_PROBE_STS_H

#include <postern/core/arena.h>
#include <postern/dns/resolver.h>
#include <postern/fetch/fetch.h>
#include <postern/tls/sts.h>

enum { PROBE_STS_MS = 10 * 1000 };

struct probe_sts {
	struct arena arena;
	struct str host; /* "mta-sts.example.org" */
	struct fetch *fetch;
	struct fetch_get *get;
	struct addr addrs[FETCH_ADDRESSES_MAX];
	unsigned naddrs;
	unsigned open; /* questions */
	bool has_policy;
	struct sts_policy policy;
	char words[ERR_LOG_MAX]; /* why there is none */
	void (*done)(void *ctx);
	void *ctx;
};

/* Asks; done is called once, never from inside unless the module for HTTPS is missing: false then, with words. */
bool sts_ask(struct probe_sts *s, struct loop *l, struct dns *dns, struct str ca_file, struct str domain,
    void (*done)(void *ctx), void *ctx);
/* After dns_close. Also for one that was never asked (zeroed). */
void sts_fini(struct probe_sts *s);

#endif
