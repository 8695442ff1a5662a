/* headlines.h - the header fields that clients ask for, as they stand in the message: what BODY[HEADER.FIELDS (…)] is answered from
 * without opening the file.
 *
 * A field of the list that is not there is known to be absent, unless it was left out because it is too large. */
#ifndef IMAP_HEADLINES_H
#define IMAP_HEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

enum {
	HEADLINES_MAX = 64,                 /* names: each has a bit */
	HEADLINES_NAME_MAX = 8 * 1024,      /* octets of all fields of one name; more are left out */
	HEADLINES_ALL_MAX = 32 * 1024,      /* of all together: the first names of the list have precedence */
	HEADLINES_HEADER_MAX = 1024 * 1024, /* octets of a header that are looked at, as by every HEADER.FIELDS */
};

/* Views into a row. */
struct headlines {
	uint64_t left_out; /* names that are not answered for, by bit */
	struct str items;  /* the fields */
};

/* The bits of the names. False: one of them is not in the list. */
bool headlines_bits(const struct str *names, size_t n, uint64_t *bits);
/* Adds what is kept of the header. */
void headlines_write(struct buf *out, struct str header);
/* False when the bytes are no such record. */
bool headlines_read(struct str record, struct headlines *h);
/* Adds the fields with these bits in their order and the empty line, if the header has one; none of the bits is left out. */
void headlines_select(struct buf *out, const struct headlines *h, uint64_t bits);

#endif
