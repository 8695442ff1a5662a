/* frame.h - one message on the wire: eight bytes of head, the packed fields, descriptors beside them. */
#ifndef IPC_FRAME_H
#define IPC_FRAME_H

#include <postern/ipc/ipc.h>

enum frame_kind { FRAME_ASK = 1, FRAME_ANSWER, FRAME_SAY };

struct frame_head {
	uint8_t version;
	uint8_t kind;
	uint16_t type;
	uint32_t call;
};

/* A received message: bytes and descriptors are the receiver's until the next frame_receive. */
struct frame {
	struct frame_head head;
	struct str body;
	int fds[IPC_FDS_MAX];
	unsigned nfds;
};

enum frame_result { FRAME_OK, FRAME_NONE, FRAME_END, FRAME_BAD };

/* Reads one message. NONE: nothing there now. END: the peer closed. BAD: *why says what is wrong with it; no descriptor leaks. */
enum frame_result frame_receive(int fd, struct frame *f, const char **why);
void frame_close_fds(struct frame *f);
/* Overwrites its bytes, which may have been somebody's password. */
void frame_forget(const struct frame *f);

/* Sends head and body as one message; false with errno (EAGAIN: the peer must read first). */
bool frame_send(int fd, struct str bytes, const int *fds, unsigned nfds);

struct buf;
/* Composes head and packed fields into out; false when they do not fit. */
bool frame_write(struct buf *out, enum frame_kind kind, enum ipc_type type, uint32_t call, const void *value,
    int fds[IPC_FDS_MAX], unsigned *nfds);

#endif
