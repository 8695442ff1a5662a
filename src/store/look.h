/* look.h - a directory compared with the index: what is new, gone or renamed; private to src/store.
 *
 * The one recovery rule: of a base name the index knows, the index is right; an unknown one in new/ or cur/ is new
 * mail; a known one without a file has vanished. File actions still to do are finished before a directory is read. */
#ifndef POSTERN_STORE_LOOK_H
#define POSTERN_STORE_LOOK_H

#include <postern/core/arena.h>

#include "fname.h"
#include "sidecar.h"
#include "work.h"

/* A file in cur/ or new/. */
struct found {
	struct str name; /* in the look's arena */
	struct fname f;
	bool fresh;      /* in new/ */
	bool known;      /* the index has its base name */
	uint32_t uid;    /* given by an earlier life of the mailbox, or in this transaction */
	struct row_message row; /* size, line ends, dates; flags when `salvaged` */
	uint64_t file_size;
	bool salvaged;   /* the row comes from the old index */
	bool lost;       /* cannot be read, or will arrive by itself: left alone */
};

/* A message the index knows whose file has another name, or is still in new/. */
struct renamed {
	uint32_t uid;
	struct found *file;
};

struct look {
	struct look *next;
	uint32_t mailbox;
	char dir[256];
	char name[STORE_NAME_SIZE + 1];
	bool adopt;    /* a directory the index does not know */
	bool again;    /* something could not be read: the next look has to look again */
	bool arriving; /* new/ holds deliveries that are on their way to the index by themselves */
	bool vanished; /* a mailbox whose directory is gone */
	size_t nforeign; /* files that others wrote, met so far */
	bool has_sidecar;
	struct sidecar side;
	struct str annotations; /* adopt: text of the file beside it, or empty */
	uint32_t uidnext; /* adopt: no UID below it is free; 0: not known */
	uint64_t modseq;  /* adopt: where MODSEQ goes on; 0: from the start */
	struct arena arena;
	struct found *found;
	size_t n, cap;
	struct uidset gone;
	struct renamed *renamed;
	size_t nrenamed, cap_renamed;
	int64_t cur_mtime, new_mtime, at;
};

struct look *look_new(struct work *w);
/* Removes the newest look of the work. */
void look_drop(struct work *w);
/* Lists both directories into found, sorted by base name. */
bool look_list(struct work *w, struct look *l, struct mdir *d);
/* Size, line ends and date of an unknown file. */
void look_inspect(struct work *w, struct look *l, struct mdir *d, struct found *f);
/* Makes durable what others wrote, after the last look_inspect: the names, and the files if they were many. */
bool look_sync(struct work *w, struct look *l, struct mdir *d);
struct found *look_find(struct look *l, struct str base);
/* Matches found against the rows of the mailbox. */
bool compare_index(struct work *w, struct look *l, struct mdir *d);
/* Nothing differs. */
bool compare_same(const struct look *l);
/* Gives a UID and rows to each file that is not known, in order of their names. */
void compare_add_found(struct txn *t, struct look *l, struct open_mbox *o);

/* adopt.c: reads what postern, Dovecot or Courier left in the directory. */
bool adopt_prepare(struct work *w, struct look *l, struct mdir *d);
void adopt_apply(struct txn *t, struct look *l);
/* Looks for directories of the Maildir that are no mailboxes yet, and for mailboxes without one. */
bool adopt_find(struct work *w);

/* What was seen of the directory; not to be trusted when something could not be read. */
void look_remember(struct work *w, const struct look *l);

#endif
