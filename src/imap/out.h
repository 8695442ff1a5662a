/* out.h - writing responses: strings, names, flags, dates (RFC 9051 7, 9).
 *
 * What a client gets is always a sentence of the grammar, whatever a mailbox holds. */
#ifndef IMAP_OUT_H
#define IMAP_OUT_H

#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/io.h>
#include <postern/core/str.h>
#include <postern/store/read.h>

/* quoted, UTF-8 allowed; never holds CR, LF or NUL. */
void out_quoted(struct buf *out, struct str s);
/* astring: bare where it can be, else quoted. */
void out_astring(struct buf *out, struct str s);

struct flag_name {
	uint32_t flag; /* enum store_flag */
	struct str name;
};
enum { FLAG_NAMES = 5 };
extern const struct flag_name flag_names[FLAG_NAMES];

/* "(\Seen $Junk)"; keywords by bit. recent: \Recent belongs to it (RFC 3501 2.3.2). */
void out_flags(struct buf *out, uint32_t flags, uint64_t keyword_bits, const struct str *keywords, bool recent);
/* "(M…)": an objectid of RFC 8474 7; the letter keeps kinds apart and makes it no number. */
enum object_kind { OBJECT_MAILBOX = 'F', OBJECT_EMAIL = 'M', OBJECT_THREAD = 'T' };
void out_object_id(struct buf *out, enum object_kind kind, struct id id);
/* "17-Jul-1996 02:44:25 +0000" in quotes. */
void out_internal_date(struct buf *out, int64_t seconds);

#endif
