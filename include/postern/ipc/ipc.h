/* ipc.h - questions, answers and statements between postern's processes.
 *
 * To its users a process boundary is an asynchronous function call with exactly one answer:
 *
 *   struct resolve_ask q = { .address = rcpt };
 *   s->asked = ask_resolve(auth, &q, on_resolved, s);      ... later: on_resolved(s, answer)
 *
 * The answer is NULL when the other process is gone. The callback never runs inside ask_…. A session that ends calls
 * ipc_cancel. What arrives (strs included) is valid during the callback only; descriptors that arrive belong to the callback.
 *
 * Channels are SOCK_SEQPACKET pairs made by the parent, or accepted control sockets. A message that is oversized, ill-typed, not
 * allowed for this pair of roles or out of order ends the channel: the peer is broken or taken over. A full channel makes
 * messages wait here, none is dropped. */
#ifndef POSTERN_IPC_IPC_H
#define POSTERN_IPC_IPC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <postern/core/arena.h>
#include <postern/core/io.h>
#include <postern/core/loop.h>
#include <postern/core/str.h>

enum {
	IPC_VERSION = 5,
	IPC_MESSAGE_MAX = 64 * 1024, /* one message, header included */
	IPC_FDS_MAX = 4,             /* descriptors in one message */
	IPC_STRS_MAX = 4096,         /* items in one strs field */
	IPC_BACKLOG_MAX = 16 << 20,  /* bytes that wait for a full channel before it counts as stuck */
	IPC_ASKED_MAX = 20000,       /* open questions of one peer */
};

/* One row per kind of process: enum, name. */
#define ROLES(ROLE)                                                                                                    \
	ROLE(PARENT, "parent")                                                                                         \
	ROLE(KEYS, "keys")                                                                                             \
	ROLE(AUTH, "auth")                                                                                             \
	ROLE(SMTP, "smtp")                                                                                             \
	ROLE(IMAP, "imap")                                                                                             \
	ROLE(QUEUE, "queue")                                                                                           \
	ROLE(STORE, "store")                                                                                           \
	ROLE(DNS, "dns")                                                                                               \
	ROLE(RELAY, "relay")                                                                                           \
	ROLE(FETCH, "fetch")                                                                                           \
	ROLE(LOG, "log")                                                                                               \
	ROLE(CLI, "cli")

enum role {
#define ROLE(upper, name) ROLE_##upper,
	ROLES(ROLE)
#undef ROLE
	    ROLE_COUNT
};

/* "smtp"; "?" for what is no role. */
const char *role_name(unsigned role);
/* False when no role has that name. */
bool role_from_name(struct str name, enum role *role);

/* A list of strings; when received, the array lives as long as the message. */
struct strs {
	const struct str *v;
	uint32_t n;
};

/* The structs: struct NAME_ask for every row, struct NAME_answer for every CALL. */
#define IPC_TYPE_u8 uint8_t
#define IPC_TYPE_u16 uint16_t
#define IPC_TYPE_u32 uint32_t
#define IPC_TYPE_u64 uint64_t
#define IPC_TYPE_i64 int64_t
#define IPC_TYPE_str struct str
#define IPC_TYPE_strs struct strs
#define IPC_TYPE_id struct id
#define IPC_TYPE_fd int /* -1: none */

#define F(type, field) IPC_TYPE_##type field;
#define ASK(...) __VA_ARGS__
#define ANSWER(...) __VA_ARGS__
#define CALL(upper, name, from, to, ask, answer)                                                                       \
	struct name##_ask {                                                                                            \
		ask                                                                                                    \
	};                                                                                                             \
	struct name##_answer {                                                                                         \
		answer                                                                                                 \
	};
#define CAST(upper, name, from, to, ask)                                                                               \
	struct name##_ask {                                                                                            \
		ask                                                                                                    \
	};
#include <postern/ipc/calls.def>
#undef CALL
#undef CAST
#undef F
#undef ASK
#undef ANSWER

enum ipc_type {
#define CALL(upper, name, from, to, ask, answer) IPC_##upper,
#define CAST(upper, name, from, to, ask) IPC_##upper,
#include <postern/ipc/calls.def>
#undef CALL
#undef CAST
	IPC_TYPES
};

struct ipc_chan;
struct ipc_call;     /* a question of ours, until answered or cancelled */
struct ipc_question; /* a question to us, until answered */

/* What a role serves: one member per row; NULL means that the message ends the channel. */
struct ipc_handlers {
#define CALL(upper, name, from, to, ask, answer)                                                                       \
	void (*name)(void *ctx, struct ipc_question *q, const struct name##_ask *ask_);
#define CAST(upper, name, from, to, ask) void (*name)(void *ctx, struct ipc_chan *from_, const struct name##_ask *said);
#include <postern/ipc/calls.def>
#undef CALL
#undef CAST
};

/* ask_NAME: the call may be forgotten (NULL result is never returned; keep it only to cancel). Descriptors in the question are
 * duplicated or sent; they stay the caller's. On a channel with nobody at the other end the answer is NULL, soon.
 * answer_NAME: exactly once per question. Descriptors in the answer stay the caller's. Answering a peer that is gone is fine.
 * say_NAME: a statement; silently nothing when nobody is there. */
#define CALL(upper, name, from, to, ask, answer)                                                                       \
	struct ipc_call *ask_##name(struct ipc_chan *c, const struct name##_ask *question,                             \
	    void (*on)(void *ctx, const struct name##_answer *answer_), void *ctx);                                    \
	void answer_##name(struct ipc_question *q, const struct name##_answer *answer_);
#define CAST(upper, name, from, to, ask) void say_##name(struct ipc_chan *c, const struct name##_ask *said);
#include <postern/ipc/calls.def>
#undef CALL
#undef CAST

/* A place for a peer: open or not yet, again after the peer was restarted. handlers and ctx are kept, not copied. on_gone
 * (may be NULL) is called from the loop when an attached peer goes; all open questions have been answered NULL then. */
struct ipc_chan *ipc_chan_new(struct loop *l, enum role me, enum role peer, const struct ipc_handlers *handlers, void *ctx);
void ipc_chan_on_gone(struct ipc_chan *c, void (*on_gone)(void *ctx, struct ipc_chan *c), void *ctx);
/* Takes the descriptor; whoever was there before is detached first. */
void ipc_chan_attach(struct ipc_chan *c, int fd);
/* Ends the connection (open questions are answered NULL from the loop), keeps the place. */
void ipc_chan_detach(struct ipc_chan *c);
/* Ends all: cancels what we asked, frees. Not from inside one of its own callbacks; see ipc_chan_free_later. */
void ipc_chan_free(struct ipc_chan *c);
void ipc_chan_free_later(struct ipc_chan *c);
bool ipc_chan_attached(const struct ipc_chan *c);
/* True while messages wait because the peer does not read. */
bool ipc_chan_full(const struct ipc_chan *c);
/* A number of the owner's, e.g. the index of the peer among its kind; 0 at first. */
void ipc_chan_set_index(struct ipc_chan *c, unsigned index);
unsigned ipc_chan_index(const struct ipc_chan *c);
enum role ipc_chan_peer(const struct ipc_chan *c);
/* SO_PEERCRED of an attached control socket; (uid_t)-1 when there is none. */
uid_t ipc_chan_uid(const struct ipc_chan *c);

/* The answer will not be wanted: the callback is never called. NULL is allowed. */
void ipc_cancel(struct ipc_call *call);

/* The channel the question came by. */
struct ipc_chan *ipc_question_from(const struct ipc_question *q);

/* A blocking question on a channel that nothing else uses (signatures, the command line): *answer's bytes live in a. False with
 * *why when nobody answers within ms milliseconds or the answer is unusable; a late answer is passed over by the next question. */
bool ipc_wait(int fd, enum role me, enum role peer, enum ipc_type type, const void *ask, void *answer, struct arena *a,
    int64_t ms, const char **why);

/* Packing and unpacking alone, for tests and fuzzing. Packs the fields of struct NAME_ask (or NAME_answer) of the type; false when
 * it does not fit. Unpack fills *value, its strs from a, and takes over fds; false with *why leaves the fds to the caller. */
struct buf;
bool ipc_pack(enum ipc_type type, bool answer, const void *value, struct buf *out, int fds[IPC_FDS_MAX], unsigned *nfds);
bool ipc_unpack(enum ipc_type type, bool answer, struct str bytes, const int *fds, unsigned nfds, struct arena *a, void *value,
    const char **why);
/* The size of the struct that ipc_unpack fills; 0 for the answer of a CAST. */
size_t ipc_size(enum ipc_type type, bool answer);
const char *ipc_name(unsigned type);
/* May role from send this message (or ask this question) to role to? */
bool ipc_allowed(enum ipc_type type, enum role from, enum role to);

#endif
