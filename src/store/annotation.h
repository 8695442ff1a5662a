/* annotation.h - rows of metadata and rights, and the file `postern-annotations` that keeps them beside a mailbox (for
 * mailbox 0: beside the index) in case the index is lost; private to src/store.
 *
 * The index is right; the file follows after each commit (TODO_ANNOTATIONS) and is read when a directory is adopted. */
#ifndef POSTERN_STORE_ANNOTATION_H
#define POSTERN_STORE_ANNOTATION_H

#include "work.h"

#define ANNOTATIONS_NAME "postern-annotations"

enum {
	ANNOTATIONS_FILE_MAX = 4 << 20, /* more than all entries and rights of a mailbox in base64 */
	ANNOTATION_NAME_SIZE = 300,     /* bytes of an entry's or identifier's name */
};

/* The row of a name in T_METADATA or T_RIGHTS, in the snapshot's memory. */
bool annotation_get(struct snap *s, enum table t, uint32_t mailbox, struct str name, struct str *value);
void annotation_put(struct txn *t, enum table table, uint32_t mailbox, struct str name, struct str value);
void annotation_del(struct txn *t, enum table table, uint32_t mailbox, struct str name);
/* Calls fn for each row of the mailbox in order of names; fn must not write. */
void annotation_each(struct snap *s, enum table t, uint32_t mailbox,
    void (*fn)(void *ctx, struct str name, struct str value), void *ctx);
size_t annotation_count(struct snap *s, enum table t, uint32_t mailbox);
/* What META_METADATA should be. */
uint64_t annotation_bytes(struct snap *s);
/* All rows of one mailbox go, or come to another one besides. */
void annotation_drop(struct txn *t, enum table table, uint32_t mailbox);
void annotation_copy(struct txn *t, enum table table, uint32_t from, uint32_t to);

/* --- the file --- */

/* Reads it, calling fn with the table for each row (fn may be NULL). False when it is damaged anywhere. */
bool annotations_parse(struct str text, void (*fn)(void *ctx, enum table t, struct str name, struct str value), void *ctx);
/* Puts what the file says into the index. */
void annotations_take(struct txn *t, uint32_t mailbox, struct str text);
/* Writes the file durably, or removes it. False with errno. */
bool annotations_save(struct snap *s, int dirfd, uint32_t mailbox);
/* The file says what the index says. */
bool annotations_fit(struct snap *s, int dirfd, uint32_t mailbox);
/* The file's text; empty when there is none or it is damaged. */
void annotations_load(int dirfd, struct buf *text);

#endif
