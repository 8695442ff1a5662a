/* read.h - a file as what it says, before anybody asks what it means: blocks of keys with words and lines. */
#ifndef POSTERN_CONF_READ_H
#define POSTERN_CONF_READ_H

#include "table.h"

/* key = word, or key = { word, … }. */
struct conf_entry {
	const struct conf_key *key;
	unsigned line;
	struct str *words;
	unsigned *lines; /* of each word */
	size_t n;
};

/* One section as it stands in the file; the first block is the top. */
struct conf_block {
	const struct conf_section *section;
	struct str title;
	unsigned line;
	const void *cfg; /* the reader's own */
	struct conf_entry *entries;
	size_t n;
};

struct conf_blocks {
	struct conf_block *v;
	size_t n;
	struct arena arena; /* words and titles */
};

/* Puts what the file says into b, as far as it could be read, and what is wrong with its form, with unknown and with
 * repeated keys into e. False if the file was not read to its end. libconfuse keeps its state in globals: one call at a
 * time. */
bool conf_read(struct str text, struct conf_blocks *b, struct conf_errors *e);
void conf_blocks_init(struct conf_blocks *b);
void conf_blocks_fini(struct conf_blocks *b);

/* NULL when the block does not have the key. */
const struct conf_entry *conf_block_find(const struct conf_block *b, const struct conf_key *k);

/* Makes of a file one that libconfuse reads as written: same lines, no comments, no ${}, nothing that it would skip in
 * silence. What cannot be mended goes to e, and an empty string to its place. False if nothing can be made of it. */
bool conf_mend(struct str text, struct buf *out, struct conf_errors *e);
/* Stands in place of the words of an empty list; no file can contain it. */
#define CONF_EMPTY_LIST "\001"
/* The key added behind the last line. Found anywhere but at the top, it tells of a section without its end. */
#define CONF_SENTINEL "\002end"

bool conf_errors_has(const struct conf_errors *e, unsigned line);
/* Adds "what, remedy" for a line, unless it has an error already: the second is mostly a consequence of the first. */
void conf_errors_add(struct conf_errors *e, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts them into the order of lines. */
void conf_errors_sort(struct conf_errors *e);

/* The known word most like this one, or NULL when none is near. */
const char *conf_guess(const char *word, const char *(*known)(void *ctx, size_t at), void *ctx);

#endif
