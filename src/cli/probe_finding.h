/* probe_finding.h - between the files of the judgement: how a finding is added, and the checks that are not in
 * probe_judge.c. */
#ifndef POSTERN_CLI_PROBE_FINDING_H
#define POSTERN_CLI_PROBE_FINDING_H

#include "probe_judge.h"

void finding_add(struct judgement *j, const char *check, enum finding_level level, enum grade cap, const char *format,
    ...) __attribute__((format(printf, 5, 6)));

/* In a function with j and check. */
#define GOOD(...) finding_add(j, check, FINDING_GOOD, GRADE_A_PLUS, __VA_ARGS__)
#define NOTICE(cap, ...) finding_add(j, check, FINDING_NOTICE, cap, __VA_ARGS__)
#define WARN(cap, ...) finding_add(j, check, FINDING_WARN, cap, __VA_ARGS__)
#define BAD(cap, ...) finding_add(j, check, FINDING_BAD, cap, __VA_ARGS__)

/* probe_judge_tls.c */
void check_versions(const struct port_facts *f, const char *check, struct judgement *j);
void check_ciphers(const struct port_facts *f, const char *check, struct judgement *j);
void check_order(const struct port_facts *f, const char *check, struct judgement *j);
void check_groups(const struct port_facts *f, const char *check, struct judgement *j);
void check_renegotiation(const struct port_facts *f, const char *check, struct judgement *j);
void check_compression(const struct port_facts *f, const char *check, struct judgement *j);
void check_tickets(const struct port_facts *f, const char *check, struct judgement *j);

/* probe_judge_trust.c */
void check_certificate(const struct port_facts *f, const char *check, struct judgement *j);
void check_dane(const struct port_facts *f, const char *check, struct judgement *j);
void check_sts(const struct port_facts *f, const char *check, struct judgement *j);
void check_protection(const struct port_facts *f, const char *check, struct judgement *j);

#endif
