/* todo.h - one slice of the file actions that are still to do; private to src/store. */
#ifndef POSTERN_STORE_TODO_H
#define POSTERN_STORE_TODO_H

#include "work.h"

enum {
	SLICE_DIRS = 16,
	SLICE_ROWS = 64,
};

struct new_name {
	uint32_t mailbox;
	uint32_t uid;
	char *name;
};

struct slice {
	struct work *w;
	struct snap s;
	struct mdir dirs[SLICE_DIRS];
	bool dirty[SLICE_DIRS];
	struct map files[SLICE_DIRS]; /* base name → struct located, listed when first needed */
	size_t ndirs;
	bool quick;                   /* before the answer: only what others could miss */
	bool maildir_dirty;
	struct todo rows[SLICE_ROWS]; /* uids: what this slice does of the action */
	bool whole[SLICE_ROWS];       /* nothing of it stays */
	size_t nrows;
	struct new_name *names;
	size_t nnames, cap_names;
	unsigned budget;
};

/* Links and renames. */
bool todo_first_phase(struct slice *sl, const struct todo *t);
/* Unlinks, when what the first phase made is durable. */
bool todo_second_phase(struct slice *sl, const struct todo *t);
bool todo_sync_dirs(struct slice *sl);
void todo_forget_files(struct map *files);

#endif
