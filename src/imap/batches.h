/* batches.h - which batches of UIDs a session was told of the selected mailbox (RFC 10022 3.1.1). */
#ifndef IMAP_BATCHES_H
#define IMAP_BATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/store/uidset.h>

enum {
	BATCH_MIN = 500,              /* messages in a batch (RFC 10022 3.1.3.2) */
	BATCHES_SPAN_MAX = 100000,    /* messages in a range of batches (RFC 10022 3.1.5) */
};

struct batches {
	uint64_t arrived;     /* messages told as new, since SELECT … */
	uint64_t gone;        /* … and as expunged */
	uint32_t size;        /* of the batches in told, 0: none */
	struct uidset told;   /* their numbers … */
	uint64_t arrived_then; /* … and what the counts were */
	uint64_t gone_then;
};

#endif
