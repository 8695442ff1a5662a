/* model.h - what a user's mailboxes must hold, known only from acknowledgements and from what was found before. */
#ifndef TESTS_CRASH_MODEL_H
#define TESTS_CRASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/io.h>
#include <postern/store/uidset.h>

enum { MODEL_BOXES = 32, MODEL_NAME = 64 };

struct entry {
	uint32_t uid;
	uint32_t token;
	uint32_t flags;
	bool keyword;
};

struct box {
	char id[ID_TEXT_SIZE];
	char name[MODEL_NAME];
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t modseq;
	unsigned note; /* value of its annotation, 0: none */
	struct entry *entries; /* ascending UIDs */
	size_t n, cap;
	uint32_t *history;     /* token by UID, for ever: a UID never means another message */
	size_t history_n;
};

struct model {
	struct box boxes[MODEL_BOXES];
	size_t n;
};

void model_init(struct model *m);
void model_fini(struct model *m);
void model_copy(struct model *to, const struct model *from);
struct box *model_box(struct model *m, const char *id);
struct box *model_box_add(struct model *m, const char *id);
struct entry *box_find(struct box *b, uint32_t uid);
void box_add(struct box *b, struct entry e);
void box_remove(struct box *b, uint32_t uid);
void box_remember(struct box *b, uint32_t uid, uint32_t token);

#endif
