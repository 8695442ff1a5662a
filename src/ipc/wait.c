/* wait.c - the blocking question, for signatures and for the command line. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/clock.h>

#include "frame.h"
#include "layout.h"

static bool
wait_for(int fd, short what, struct mono deadline)
{
	struct pollfd p = { .fd = fd, .events = what };
	int64_t left;

	do {
		left = mono_ms_between(deadline, mono_now());
		if (left <= 0)
			return false;
		p.revents = 0;
	} while (poll(&p, 1, (int)left) == -1 && errno == EINTR);
	return p.revents != 0;
}

/* Every question has its own number, so that an answer that came too late is not taken for the next one's. */
static uint32_t asked;

static bool
send_question(int fd, enum ipc_type type, const void *ask, struct mono deadline)
{
	struct buf out;
	int fds[IPC_FDS_MAX];
	unsigned nfds;
	bool sent = false;

	buf_init(&out, IPC_MESSAGE_MAX);
	errno = EMSGSIZE;
	if (frame_write(&out, FRAME_ASK, type, ++asked, ask, fds, &nfds))
		while (!(sent = frame_send(fd, buf_str(&out), fds, nfds)) && errno == EAGAIN)
			if (!wait_for(fd, POLLOUT, deadline))
				break;
	buf_wipe(&out);
	return sent;
}

/* The next answer that is ours; others are of questions that we gave up. */
static bool
receive_answer(int fd, enum ipc_type type, struct frame *f, struct mono deadline, const char **why)
{
	for (;;) {
		enum frame_result r;

		*why = "no answer in time";
		if (!wait_for(fd, POLLIN, deadline))
			return false;
		r = frame_receive(fd, f, why);
		if (r == FRAME_END)
			*why = "it ended before it answered";
		if (r == FRAME_END || r == FRAME_BAD)
			return false;
		if (r == FRAME_OK && f->head.kind == FRAME_ANSWER && f->head.type == type && f->head.call == asked)
			return true;
		if (r == FRAME_OK)
			frame_close_fds(f);
	}
}

bool
ipc_wait(int fd, enum role me, enum role peer, enum ipc_type type, const void *ask, void *answer, struct arena *a,
    int64_t ms, const char **why)
{
	struct mono deadline = mono_add_ms(mono_now(), ms);
	struct frame f;

	*why = "it does not take the question";
	if (!ipc_allowed(type, me, peer) || !send_question(fd, type, ask, deadline) ||
	    !receive_answer(fd, type, &f, deadline, why))
		return false;
	f.body = arena_str(a, f.body); /* what the answer points into must outlive the next message */
	if (ipc_unpack(type, true, f.body, f.fds, f.nfds, a, answer, why))
		return true;
	frame_close_fds(&f);
	return false;
}
