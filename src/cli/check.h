/* check.h - `postern dns check': what is published against what should be (records.h). */
#ifndef POSTERN_CLI_CHECK_H
#define POSTERN_CLI_CHECK_H

#include "check_ask.h"
#include "probe_judge.h"
#include "probe_sts.h"
#include "records.h"

enum { CHECK_PARENTS_MAX = 8, CHECK_ADDRESSES_MAX = 64 };

/* A record, and what DNS says in its place. */
struct check_record {
	const struct record *want;
	struct check_question said;
	struct check_question parents[CHECK_PARENTS_MAX]; /* DMARC: the names above, as the tree walk goes */
	size_t nparents;
	struct probe_sts *sts; /* MTA-STS: the policy, where there is a record */
};

struct check_address {
	struct addr addr;
	bool here; /* an interface of this machine has it */
	struct check_question ptr;
};

/* Everything that was found out; judged without asking further. */
struct check {
	struct str hostname;
	struct records wanted;
	struct check_record *v; /* as many as wanted.n, but for ADDRESS without an answer */
	struct check_question a, aaaa; /* of the host */
	struct check_address addrs[CHECK_ADDRESSES_MAX];
	size_t naddrs;
	bool knows_here; /* this machine has addresses that others can reach */
	struct arena arena;
	json_t *findings;
	unsigned bad;
};

/* Fills c->findings: objects with level, about, name, words and publish, a line for the zone file or "". */
void check_judge(struct check *c);

int do_dns_check(struct cli *c);

#endif
