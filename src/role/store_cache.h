/* store_cache.h - what the index keeps of each message for IMAP: envelope and structure, made once at ingest. */
#ifndef ROLE_STORE_CACHE_H
#define ROLE_STORE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/buf.h>

/* For store_config.make_cache: reads the message and adds its record (imapdata.h). Any thread. */
bool store_make_cache(void *ctx, int fd, uint64_t size, bool lf, struct buf *out);

#endif
