/* chan.h - the inside of a channel, shared by its sending and its receiving half. */
#ifndef IPC_CHAN_H
#define IPC_CHAN_H

#include <sys/queue.h>

#include "frame.h"
#include "layout.h"

struct ipc_call {
	TAILQ_ENTRY(ipc_call) link; /* in lost, once nobody will answer */
	enum ipc_type type;
	uint32_t id;
	void (*on)(void); /* NULL: cancelled */
	void *ctx;
};
TAILQ_HEAD(call_list, ipc_call);

struct ipc_question {
	LIST_ENTRY(ipc_question) link;
	struct ipc_chan *chan; /* NULL: the channel is gone */
	uint32_t epoch;
	uint32_t call;
	enum ipc_type type;
};

/* A message that waits for a full channel, with its own copies of the descriptors. */
struct waiting {
	STAILQ_ENTRY(waiting) link;
	int fds[IPC_FDS_MAX];
	unsigned nfds;
	size_t n;
	char bytes[];
};

struct ipc_chan {
	struct loop *loop;
	enum role me;
	enum role peer;
	const struct ipc_handlers *handlers;
	void *ctx;
	void (*on_gone)(void *ctx, struct ipc_chan *c);
	void *gone_ctx;
	unsigned index;
	uid_t uid;

	int fd;
	uint32_t epoch; /* counts attachments, so that an answer to a former peer goes nowhere */
	struct loop_io io;
	bool broken; /* sending failed; the settling timer detaches */

	struct ipc_call **calls; /* open questions of ours; id = round << 16 | slot */
	uint32_t ncalls;
	uint32_t next_slot;
	uint32_t round;
	struct call_list lost; /* to be answered NULL from the loop */
	struct loop_timer settle;

	LIST_HEAD(, ipc_question) questions;
	unsigned nquestions;

	STAILQ_HEAD(, waiting) outbox;
	size_t outbox_bytes;
};

/* Receiving half: what is readable now. */
void chan_read(struct ipc_chan *c);
/* Takes the call with this id off the table; NULL when there is none of that type. */
struct ipc_call *chan_take_call(struct ipc_chan *c, uint32_t id, enum ipc_type type);

/* Marks the channel as ended, from anywhere; the loop does the rest. why (may be NULL) is logged. */
void chan_break(struct ipc_chan *c, const char *why);

#endif
