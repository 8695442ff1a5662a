/* hung.h - when is a process that does not answer given up? Parent (hung.c) and unit test. */
#ifndef ROLE_HUNG_H
#define ROLE_HUNG_H

#include <stdbool.h>
#include <stdint.h>

enum {
	HUNG_LOOKS = 4,           /* in the time that a process may do nothing */
	HUNG_BUSY_FACTOR = 10,    /* who uses the processor may take so many times as long */
	HUNG_LOOK_MIN_MS = 500,
	HUNG_OFF_MS = 30000,      /* between looks at a configuration that wants none */
};

/* What is known of a process. Looks are counted, not time: a machine that was stopped as a whole has missed nothing. */
struct hung {
	bool asked;         /* a question is open */
	unsigned idle;      /* looks without an answer in which it did nothing */
	unsigned busy;      /* looks without an answer in which it computed */
	uint64_t used;      /* processor time at the last look */
};

/* One look; used: its processor time so far. True: it is to be killed. */
bool hung_look(struct hung *h, uint64_t used);
/* It answered, or is a new one. */
void hung_answered(struct hung *h);

#endif
