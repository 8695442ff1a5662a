/* fname.h - names of message files.
 *
 *   <base>[,<field>…][:2,<letters>]      base: up to the first comma or colon; fields: S=bytes, W=bytes with CRLF, U=uid
 *
 * Our own base names are `<seconds, 10 digits>.M<microseconds, 6 digits>I<26 characters of an id>.<host>`: they sort
 * by time and carry the delivery id. Letters are flags (DFRST; others are kept) and keywords (a-z, 0-9: the mailbox
 * says which). */
#ifndef POSTERN_STORE_FNAME_H
#define POSTERN_STORE_FNAME_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/io.h>
#include <postern/core/str.h>

enum { FNAME_MAX = 255, FNAME_SIZE = FNAME_MAX + 1 };

struct fname {
	struct str base;
	struct str fields; /* from the first comma to the colon, "" when none */
	struct str letters;
	bool has_size;
	uint64_t size;
	bool has_wire_size;
	uint64_t wire_size;
	uint32_t uid;      /* 0: none */
	bool ours;
	int64_t clock;     /* ours: microseconds since the epoch */
};

/* False for what cannot be a message: empty, too long, hidden, with a slash or control byte. Views into name. */
bool fname_parse(struct str name, struct fname *f);
/* The delivery id of a name of ours; false when it has none. Not part of parsing: it costs more than all the rest. */
bool fname_id(const struct fname *f, struct id *id);
/* Only whether fname_parse would take it. */
bool fname_ok(struct str name);
/* Letters in both directions; *extra (may be NULL) gets letters that mean nothing to us, at most extra_size - 1. */
void fname_read_letters(struct str letters, uint32_t *flags, uint64_t *keywords, char *extra, size_t extra_size);
char fname_keyword_letter(unsigned bit);

/* A base of our own; of a longer host only the first bytes are used. */
enum { FNAME_BASE_SIZE = 10 + 2 + 6 + 1 + 26 + 1 + 60 + 1 };
void fname_base(char out[static FNAME_BASE_SIZE], int64_t clock, struct id id, const char *host);
/* The name in new/ of a delivery. */
void fname_fresh(char out[static FNAME_SIZE], int64_t clock, struct id id, const char *host, uint64_t size);
/* The name in cur/: base and fields of f with S= and U= set, and the letters. False when it would be too long. */
bool fname_write(char out[static FNAME_SIZE], const struct fname *f, uint64_t size, uint32_t uid, uint32_t flags,
    uint64_t keywords, struct str extra);

#endif
