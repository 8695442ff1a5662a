/* tell.h - the queue's log lines: one per outcome of a recipient. */
#ifndef POSTERN_QUEUE_TELL_H
#define POSTERN_QUEUE_TELL_H

#include "row.h"

struct tell {
	struct id qid;
	struct str sid; /* "" after a restart */
	struct str from, to, orig_to;
	struct wall received;
	struct str status, text;
	/* on another host */
	bool remote;
	struct wall began; /* when the message left the queue for this try */
	struct queue_last_host last;
	uint32_t connect_ms, transfer_ms;
};

/* event: "deliver", "defer", "bounce", "hold", "delete" */
void tell_outcome(const char *event, const struct tell *t);

#endif
