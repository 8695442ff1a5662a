/* inside.h - what a test hands to the code that runs inside a role, and what that code found: one page that both map. */
#ifndef INSIDE_H
#define INSIDE_H

#include <stdint.h>

enum {
	INSIDE_ATTEMPTS_MAX = 128,
	INSIDE_NAME_SIZE = 40,
	INSIDE_PATH_SIZE = 256,
	INSIDE_NEVER = -1000, /* not tried yet */
	INSIDE_TRYING = -1001, /* begun and not come back: the kernel ended the process */
	INSIDE_ABSENT = -1002, /* there is nothing to try it on */
};

/* Results: 0 the act succeeded, below 0 -errno or one of the above. Python reads it as it stands (test_inside.py). */
struct inside {
	uint32_t next;  /* the first attempt of the next life */
	uint32_t count;
	int32_t other;  /* a process of the same user */
	int32_t parent;
	uint32_t port;  /* somebody listens there, on the loopback */
	uint32_t armed; /* begin with the next connection or message */
	char mail[INSIDE_PATH_SIZE];
	char key[INSIDE_PATH_SIZE];
	char verifier[INSIDE_PATH_SIZE];
	char spool[INSIDE_PATH_SIZE];
	char trace[INSIDE_PATH_SIZE];
	char names[INSIDE_ATTEMPTS_MAX][INSIDE_NAME_SIZE];
	int32_t results[INSIDE_ATTEMPTS_MAX];
};

struct attempt {
	const char *name;
	int (*act)(const struct inside *in); /* 0, -errno or INSIDE_ABSENT */
};

extern const struct attempt inside_files[];
extern const struct attempt inside_acts[];
extern const struct attempt inside_network[];

/* 0 or -errno of what a system call returned. */
int inside_outcome(long r);

#endif
