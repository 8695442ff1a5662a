/* frame.c - one message on the wire. */
#include "frame.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/mem.h>

/* One buffer for the process: only the loop thread (or a command) receives, one message at a time. */
static _Alignas(8) char received[IPC_MESSAGE_MAX + 1];

void
frame_close_fds(struct frame *f)
{
	for (unsigned i = 0; i < f->nfds; i++)
		close(f->fds[i]);
	f->nfds = 0;
}

void
frame_forget(const struct frame *f)
{
	mem_wipe(received, sizeof f->head + f->body.n);
}

static bool
take_fds(struct msghdr *m, struct frame *f)
{
	f->nfds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (f->nfds < IPC_FDS_MAX)
				f->fds[f->nfds++] = fd;
			else
				close(fd);
		}
	}
	return (m->msg_flags & MSG_CTRUNC) == 0;
}

static enum frame_result
bad(struct frame *f, const char **why, const char *what)
{
	frame_close_fds(f);
	*why = what;
	return FRAME_BAD;
}

enum frame_result
frame_receive(int fd, struct frame *f, const char **why)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
	struct iovec piece = { received, sizeof received };
	struct msghdr m = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
	};
	bool whole;
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return FRAME_NONE;
	if (n == -1)
		return FRAME_END;
	whole = take_fds(&m, f);
	if (n == 0) { /* the end, or an empty message, which may carry descriptors all the same */
		frame_close_fds(f);
		return FRAME_END;
	}
	if (!whole)
		return bad(f, why, "too many descriptors");
	if ((size_t)n > IPC_MESSAGE_MAX || (m.msg_flags & MSG_TRUNC) != 0)
		return bad(f, why, "message too long");
	if ((size_t)n < sizeof f->head)
		return bad(f, why, "message without a head");
	memcpy(&f->head, received, sizeof f->head);
	f->body = str_from(received + sizeof f->head, (size_t)n - sizeof f->head);
	if (f->head.version != IPC_VERSION)
		return bad(f, why, "message of another version");
	return FRAME_OK;
}

bool
frame_send(int fd, struct str bytes, const int *fds, unsigned nfds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))] = { 0 };
	char *base = (char *)(uintptr_t)bytes.p; /* iovec has no const */
	struct iovec piece = { base, bytes.n };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };
	ssize_t n;

	if (nfds > 0) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	return n != -1;
}

bool
frame_write(struct buf *out, enum frame_kind kind, enum ipc_type type, uint32_t call, const void *value,
    int fds[IPC_FDS_MAX], unsigned *nfds)
{
	struct frame_head head = { IPC_VERSION, (uint8_t)kind, (uint16_t)type, call };

	buf_add(out, str_from(&head, sizeof head));
	return ipc_pack(type, kind == FRAME_ANSWER, value, out, fds, nfds);
}
