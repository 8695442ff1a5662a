/* stage.h - the inside of a message that a session appends; private to src/store. */
#ifndef POSTERN_STORE_STAGE_H
#define POSTERN_STORE_STAGE_H

#include "blob.h"
#include "state.h"

struct store_stage {
	struct store_user *u;
	struct buf bytes; /* while it is small */
	struct blob blob;
	int tmp;          /* the directory of the blob */
	uint64_t size;
	uint64_t bare;    /* LF that no CR precedes: such a message is served with CRLF */
	char last;
};

/* Everything is in the file; false with errno. */
bool stage_to_file(struct store_stage *g);

#endif
