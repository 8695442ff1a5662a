/* letter.h - one message that a command reads: its structure, its bytes.
 *
 * The structure comes from the store's cache; when the cache has none it is made here from the file, in steps, and
 * offered to the store. Bytes are read by pread and are those IMAP shows (CRLF line ends). */
#ifndef IMAP_LETTER_H
#define IMAP_LETTER_H

#include <postern/core/arena.h>
#include <postern/message/crlf.h>
#include <postern/message/mime.h>
#include <postern/store/read.h>

#include "cacherow.h"
#include "sess.h"

struct letter {
	struct arena arena;      /* of the structure; kept from message to message */
	const struct mime *tree; /* NULL: not known (yet) */
	struct cacherow row;     /* what the cache keeps, … */
	bool has_row;            /* … or would, of a message that was parsed */
	struct store_user *user;
	uint32_t mailbox;
	uint32_t uid;
	int fd;                  /* -1: not open */
	struct store_file file;
	uint64_t size;           /* octets as IMAP shows them */
	struct crlf_reader reader;
	struct mime_parser *parser;
	uint64_t fed;            /* file bytes the parser has seen */
};

void letter_init(struct letter *t);
void letter_fini(struct letter *t);
/* Forgets the message. */
void letter_close(struct letter *t);

/* Begins with a message of this mailbox of a user. */
void letter_begin(struct letter *t, struct store_user *user, uint32_t mailbox, const struct store_message *m);
/* Copies the cache row, unless there is one already; false when it cannot be used. */
bool letter_take_row(struct letter *t, struct str row);
/* The structure out of the row. */
bool letter_take_tree(struct letter *t);
/* Whether the row answers for header fields with these bits (headlines.h). */
bool letter_keeps(const struct letter *t, uint64_t lines);
/* Both, if the cache has them. */
bool letter_cached(struct letter *t, struct store_view *v);
/* Opens the file, unless it is open. False: it cannot be read, the reason is logged. */
bool letter_open(struct letter *t, struct imap_session *s, struct store_view *v);
/* One step of making the structure from the open file: MORE until tree is set; WAIT never. A file that
 * cannot be read to its end: DONE without a tree. */
enum step letter_parse(struct letter *t, struct imap_session *s);
/* False when the open file is known to be too short for the octets [at, at + n): somebody cut it. */
bool letter_holds(const struct letter *t, uint64_t at, uint64_t n);
/* Adds the octets [at, at + n) of the open file; false unless all of them are there. */
bool letter_read(struct letter *t, uint64_t at, size_t n, struct buf *out);

#endif
