/* copy.h - messages on their way from one mailbox to another; private to src/store. */
#ifndef POSTERN_STORE_COPY_H
#define POSTERN_STORE_COPY_H

#include "guest.h"
#include "work.h"

struct copied {
	uint32_t uid;  /* in the source */
	bool linked;   /* tmp/<base> of the target is there */
	bool taken;    /* and the index says so */
	char base[FNAME_BASE_SIZE];
};

struct copy {
	struct store_request *r;
	uint32_t from;
	struct uidset set;
	char from_dir[256];
	char to_dir[256];
	uint64_t limit;
	bool move;
	bool limited;      /* flags that the user may not set in the target are left out (RFC 4314 4) */
	uint32_t flags;    /* those he may */
	int64_t clock;
	struct guest seen, shown; /* a guest's, in the source and in the target */
	struct copied *p;
	size_t n, cap;
};
void copy_fini(struct copy *c);
/* Links every message that exists into tmp/ of to_dir. False with errno. */
bool copy_prepare(struct work *w, struct copy *c);
/* Rows and file actions. Fills uids, source, modseq of the request. */
void copy_take(struct txn *t, struct copy *c, struct open_mbox *from, struct open_mbox *to);
/* Removes the links that were not taken. */
void copy_clean(struct work *w, struct copy *c);

/* A file's bytes under another name, durable, with this date if there is one: where no link can be. False with errno. */
bool copy_bytes(struct work *w, const struct mdir *from, const char *name, int tmp, const char *to, const int64_t *date);
/* The bits that the source's keywords have in the target; what finds no room there is left out. */
void copy_map_keywords(const struct mbox *from, struct open_mbox *to, uint64_t bits[static STORE_KEYWORDS_MAX]);
uint64_t copy_mapped(uint64_t keywords, const uint64_t bits[static STORE_KEYWORDS_MAX]);

bool email_id_of(struct snap *s, uint32_t mailbox, uint32_t uid, struct id *id);

#endif
