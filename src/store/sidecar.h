/* sidecar.h - the file `postern-mailbox` beside each cur/: what must outlive the index.
 *
 * A few lines of text: id, UIDVALIDITY, the UID ceiling (no UID at or above it was ever given out), special use,
 * subscription, and which letter in the file names stands for which keyword. */
#ifndef POSTERN_STORE_SIDECAR_H
#define POSTERN_STORE_SIDECAR_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/io.h>
#include <postern/store/read.h>

#define SIDECAR_NAME "postern-mailbox"

struct sidecar {
	struct id id;
	uint32_t uidvalidity;
	uint32_t ceiling;
	enum store_use use;
	bool subscribed;
	size_t nkeywords;
	char keywords[STORE_KEYWORDS_MAX][STORE_KEYWORD_SIZE + 1];
};

void sidecar_write(const struct sidecar *s, struct buf *out);
/* False when the text is damaged anywhere: then nothing of it can be trusted. */
bool sidecar_parse(struct sidecar *s, struct str text);
/* True for what can be the name of a keyword: an IMAP atom of bounded length without "\". */
bool sidecar_keyword_ok(struct str name);

#endif
