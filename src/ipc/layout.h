/* layout.h - what the rows of calls.def say about each message, for packing and dispatch. */
#ifndef IPC_LAYOUT_H
#define IPC_LAYOUT_H

#include <postern/ipc/ipc.h>

enum ipc_field_type { FIELD_END, FIELD_u8, FIELD_u16, FIELD_u32, FIELD_u64, FIELD_i64, FIELD_str, FIELD_strs, FIELD_id, FIELD_fd };

struct ipc_field {
	enum ipc_field_type type;
	size_t at; /* offset in the struct */
	const char *name;
};

struct ipc_layout {
	const char *name;
	uint32_t from; /* bits 1 << ROLE_… */
	uint32_t to;
	size_t ask_size;
	size_t answer_size; /* 0: a CAST */
	const struct ipc_field *ask;
	const struct ipc_field *answer;
	bool (*served)(const struct ipc_handlers *h);
	void (*handle)(const struct ipc_handlers *h, void *ctx, struct ipc_chan *c, struct ipc_question *q, const void *ask);
	void (*deliver)(void (*on)(void), void *ctx, const void *answer); /* NULL: a CAST */
};

const struct ipc_layout *ipc_layout(unsigned type); /* NULL: no such type */

/* The generic halves of ask_…, answer_… and say_… (chan.c). */
struct ipc_call *ipc_ask(struct ipc_chan *c, enum ipc_type type, const void *ask, void (*on)(void), void *ctx);
void ipc_answer(struct ipc_question *q, enum ipc_type type, const void *answer);
void ipc_say(struct ipc_chan *c, enum ipc_type type, const void *said);

#endif
