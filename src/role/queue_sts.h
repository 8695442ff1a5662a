/* queue_sts.h - how the queue learns of a domain's MTA-STS policy: the TXT record by dns, the policy file by fetch. */
#ifndef ROLE_QUEUE_STS_H
#define ROLE_QUEUE_STS_H

#include <postern/ipc/ipc.h>
#include <postern/queue/queue.h>

struct queue_sts_query {
	struct ipc_chan *dns;
	struct ipc_chan *fetch;
	struct str domain;
	struct str known_id; /* "": any is news */
	bool refresh;        /* fetched even if the id is the known one */
};

/* done is called once, never from inside; what it is given is valid in it only. Of NONE the words tell what is wrong with a
 * record that does not count. */
void queue_sts_look(const struct queue_sts_query *q, void (*done)(void *ctx, const struct queue_sts *s), void *ctx);

#endif
