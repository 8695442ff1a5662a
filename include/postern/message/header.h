/* header.h - a header block in memory, field by field: RFC 5322 2.2, tolerant.
 *
 * A line ends with CRLF or LF; a lone CR, NUL and 8-bit bytes are data. A field goes on over lines that begin with
 * space or tab. A line that is neither a continuation nor has a colon after a field name is a field without name: it is
 * kept in its place, but nothing finds it. The block ends with the first empty line, or with the bytes. Walking is
 * linear in the bytes, whatever they are. */
#ifndef POSTERN_MESSAGE_HEADER_H
#define POSTERN_MESSAGE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/str.h>

struct header_field {
	struct str name;  /* without blanks before the colon; empty: not a field */
	struct str value; /* raw: after the colon, without the last line end; folds and leading space included */
	struct str whole; /* the field with all its line ends: what to cut out to remove it */
	size_t at;        /* offset of whole in the block */
};

struct header_walk {
	struct str block;
	size_t at;
};

/* The length of the header block at the start of bytes, its empty line included; bytes.n when there is none. */
size_t header_size(struct str bytes);
/* The same without the empty line: the fields only, where another field can be added. */
size_t header_fields_size(struct str bytes);

static inline struct header_walk
header_begin(struct str block)
{
	return (struct header_walk){ block, 0 };
}

/* The next field; false at the empty line or at the end. */
bool header_next(struct header_walk *w, struct header_field *f);
/* The first field of that name (ASCII case does not matter). */
bool header_find(struct str block, struct str name, struct header_field *f);
/* How many fields have that name. */
size_t header_count(struct str block, struct str name);

/* Adds the value without the line ends of its folds (RFC 5322 2.2.3) and without blanks at both ends. Lone CR and NUL
 * stay: whoever writes the value somewhere cares for that place's grammar. */
void header_unfold(struct buf *out, struct str value);
/* The same in an arena. */
struct str header_unfold_in(struct arena *a, struct str value);

enum header_filter {
	HEADER_ONLY,   /* RFC 9051 6.4.5.1 HEADER.FIELDS */
	HEADER_EXCEPT, /* HEADER.FIELDS.NOT */
};
/* Adds the fields of the block whose names are (not) among names, as they are, and its empty line if it has one. */
void header_select(struct buf *out, struct str block, enum header_filter how, const struct str *names, size_t n);

#endif
