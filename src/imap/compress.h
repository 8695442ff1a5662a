/* compress.h - DEFLATE between session and connection (RFC 4978), made with zlib.
 *
 * Only what comes out of it counts for the session's limits, and it comes out in small pieces: a stream of zeros is a line
 * that is too long like any other (RFC 4978 6; attacks that inflate). */
#ifndef IMAP_COMPRESS_H
#define IMAP_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

enum {
	COMPRESS_INPUT_MAX = 64 * 1024, /* octets of the client that wait to be inflated */
	COMPRESS_PIECE = 16 * 1024,     /* octets inflated at a time */
};

struct compress;

struct compress *compress_new(void);
void compress_free(struct compress *z);

/* Adds the plain octets to out, compressed and flushed: the client can read all of them. */
void compress_deflate(struct compress *z, struct str plain, struct buf *out);

/* The same for the last octets: the stream ends behind them (RFC 8437 4.1). */
void compress_deflate_last(struct compress *z, struct str plain, struct buf *out);

/* Takes octets of the client, as many as have room; returns how many. */
size_t compress_take(struct compress *z, struct str bytes);
/* The octets that are inflated and not used yet; inflates more when there are none. Empty: nothing is there. False in *ok:
 * the stream is broken or ended. */
struct str compress_plain(struct compress *z, bool *ok);
/* So many of them have been used. */
void compress_use(struct compress *z, size_t n);
/* True when compress_plain() may give something. */
bool compress_has_input(const struct compress *z);

/* The other side has ended its stream. */
bool compress_ended(const struct compress *z);
/* The client's stream ends behind what has been used (RFC 8437 4.1): looks for the end, which zlib's flush or its last block
 * marks. FOUND: *rest is what came behind it, plain. WAIT: the end has not come. BROKEN: more was compressed. */
enum compress_end { COMPRESS_WAIT, COMPRESS_FOUND, COMPRESS_BROKEN };
enum compress_end compress_find_end(struct compress *z, struct str *rest);

#endif
