/* cache.h - what the IMAP side wants the store to keep for each message. */
#ifndef POSTERN_IMAP_CACHE_H
#define POSTERN_IMAP_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/store/store.h>

/* store_config.make_cache: preview, header lines, envelope, structure and keys of the message in fd. A pure function of the
 * file, for any thread; ctx is not used. False when the file cannot be read. */
bool imap_make_cache(void *ctx, int fd, uint64_t size, bool lf, struct store_made *out);

/* store_config.make_grams: of all that SEARCH looks into (postern/store/grams.h). */
bool imap_make_grams(void *ctx, int fd, uint64_t size, bool lf, struct str cache, struct gram_set *out);

#endif
