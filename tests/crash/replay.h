/* replay.h - what acknowledgements promise, and whether the disk keeps it. */
#ifndef TESTS_CRASH_REPLAY_H
#define TESTS_CRASH_REPLAY_H

#include "model.h"

enum { REPLAY_TOKENS = 4096 };

struct tokens {
	uint32_t p[REPLAY_TOKENS];
	size_t n;
};

/* A message that must have come into a box, its UID not known. */
struct extra {
	char id[ID_TEXT_SIZE];
	struct entry e;
};

/* The request under way when the process was killed: done whole or not at all. */
struct request {
	char kind; /* 0: none */
	char id[ID_TEXT_SIZE], to[ID_TEXT_SIZE];
	struct uidset set;
	char sign;
	unsigned flags;
	unsigned keyword;
	uint32_t token;
	char name[MODEL_NAME];
};

struct replay {
	struct model m;           /* what is certain */
	struct tokens delivered;  /* acknowledged, UID not known */
	struct tokens maybe;      /* asked for, not acknowledged */
	struct request r;
	uint32_t last_token;
};

/* Reads the log of a process that was killed. The model is as it was when it began. False (said on stderr): the log
 * itself makes no sense. */
bool replay_read(struct replay *r, const char *log);
/* True when what was found is what was promised; else says on stderr what is wrong. */
bool replay_matches(struct replay *r, struct model *found);
void replay_fini(struct replay *r);

#endif
