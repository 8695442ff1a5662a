/* check_finding.h - between the files that judge: how a finding is added, and what is in check_host.c. */
#ifndef POSTERN_CLI_CHECK_FINDING_H
#define POSTERN_CLI_CHECK_FINDING_H

#include "check.h"

/* line: what to publish, or NULL. */
void check_add(struct check *c, enum finding_level level, const char *about, struct str name, const struct record *line,
    const char *format, ...) __attribute__((format(printf, 6, 7)));
/* "TLS reports". Static. */
const char *check_about(enum record_kind kind);

/* Of a record's own name. */
#define GOOD(r, ...) check_add(c, FINDING_GOOD, check_about((r)->want->kind), (r)->want->name, NULL, __VA_ARGS__)
#define NOTICE(r, line, ...)                                                                                           \
	check_add(c, FINDING_NOTICE, check_about((r)->want->kind), (r)->want->name, line, __VA_ARGS__)
#define WARN(r, line, ...) check_add(c, FINDING_WARN, check_about((r)->want->kind), (r)->want->name, line, __VA_ARGS__)
#define BAD(r, line, ...) check_add(c, FINDING_BAD, check_about((r)->want->kind), (r)->want->name, line, __VA_ARGS__)

/* Neither bogus nor failed. */
bool check_is_answered(const struct dns_answer *a);
/* Why it is no answer, in words. Static. */
const char *check_no_answer(const struct dns_answer *a);

/* check_host.c */
void check_signature(struct check *c, struct str name, const struct dns_answer *a);
void check_host(struct check *c);
void check_missing_address(struct check *c, const struct check_record *r);
void check_tlsa(struct check *c, const struct check_record *r);

#endif
