/* probe_judge.h - what the facts of a port are worth: findings in words, each with the best grade that it still
 * allows. The rules are told in docs/tls.md. Pure. */
#ifndef POSTERN_CLI_PROBE_JUDGE_H
#define POSTERN_CLI_PROBE_JUDGE_H

#include "probe_port.h"

enum { FINDINGS_MAX = 48, FINDING_WORDS_SIZE = 320 };

enum finding_level { FINDING_GOOD, FINDING_NOTICE, FINDING_WARN, FINDING_BAD };

/* From the best to the worst. */
enum grade { GRADE_A_PLUS, GRADE_A, GRADE_B, GRADE_C, GRADE_D, GRADE_F, GRADE_NONE };

struct finding {
	enum finding_level level;
	const char *check; /* "certificate": what was looked at */
	enum grade cap;
	char words[FINDING_WORDS_SIZE];
};

struct judgement {
	struct finding v[FINDINGS_MAX];
	size_t n;
	enum grade grade; /* NONE: the port was not reached */
};

void judge(const struct port_facts *f, struct judgement *j);

/* "A+". */
const char *grade_name(enum grade g);
/* "good", "notice", "warn", "bad". */
const char *finding_level_name(enum finding_level l);

#endif
