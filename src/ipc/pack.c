/* pack.c - values to bytes and back, by the field tables. Numbers travel in host order: both ends are one program.
 *
 * Unpacking is where a taken-over process attacks its neighbours: every length is checked against what is left, counts against
 * their limits, and nothing may remain. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <postern/core/buf.h>

#include "layout.h"

static const size_t number_size[] = { [FIELD_u8] = 1,
	[FIELD_u16] = 2,
	[FIELD_u32] = 4,
	[FIELD_u64] = 8,
	[FIELD_i64] = 8,
	[FIELD_id] = sizeof(struct id) };

static void
pack_str(struct buf *out, struct str s)
{
	uint32_t n = (uint32_t)s.n;

	if (s.n > IPC_MESSAGE_MAX) {
		out->over = true;
		return;
	}
	buf_add(out, str_from(&n, sizeof n));
	buf_add(out, s);
}

static bool
pack_field(const struct ipc_field *f, const char *at, struct buf *out, int *fds, unsigned *nfds)
{
	const struct strs *list;
	int fd;

	switch (f->type) {
	case FIELD_str:
		pack_str(out, *(const struct str *)(const void *)at);
		return true;
	case FIELD_strs:
		list = (const void *)at;
		if (list->n > IPC_STRS_MAX)
			return false;
		buf_add(out, str_from(&list->n, sizeof list->n));
		for (uint32_t i = 0; i < list->n; i++)
			pack_str(out, list->v[i]);
		return true;
	case FIELD_fd:
		fd = *(const int *)(const void *)at;
		buf_add_char(out, fd != -1);
		if (fd != -1 && *nfds == IPC_FDS_MAX)
			return false;
		if (fd != -1)
			fds[(*nfds)++] = fd;
		return true;
	default:
		buf_add(out, str_from(at, number_size[f->type]));
		return true;
	}
}

bool
ipc_pack(enum ipc_type type, bool answer, const void *value, struct buf *out, int fds[IPC_FDS_MAX], unsigned *nfds)
{
	const struct ipc_layout *l = ipc_layout(type);

	*nfds = 0;
	for (const struct ipc_field *f = answer ? l->answer : l->ask; f->type != FIELD_END; f++)
		if (!pack_field(f, (const char *)value + f->at, out, fds, nfds))
			return false;
	return !out->over;
}

struct unpack {
	struct str left;
	const int *fds;
	unsigned nfds;
	struct arena *a;
	const char *why;
};

static bool
take(struct unpack *u, void *to, size_t n)
{
	if (u->left.n < n) {
		u->why = "message ends early";
		return false;
	}
	memcpy(to, u->left.p, n);
	u->left = str_sub(u->left, n, u->left.n);
	return true;
}

static bool
take_str(struct unpack *u, struct str *s)
{
	uint32_t n;

	if (!take(u, &n, sizeof n))
		return false;
	if (n > u->left.n) {
		u->why = "string longer than its message";
		return false;
	}
	*s = str_sub(u->left, 0, n);
	u->left = str_sub(u->left, n, u->left.n);
	return true;
}

static bool
take_strs(struct unpack *u, struct strs *list)
{
	struct str *v;
	uint32_t n;

	if (!take(u, &n, sizeof n))
		return false;
	if (n > IPC_STRS_MAX || n > u->left.n / sizeof n) {
		u->why = "list longer than its message";
		return false;
	}
	v = arena_array(u->a, n, sizeof *v);
	for (uint32_t i = 0; i < n; i++)
		if (!take_str(u, &v[i]))
			return false;
	*list = (struct strs){ v, n };
	return true;
}

static bool
take_fd(struct unpack *u, int *fd)
{
	uint8_t there;

	*fd = -1;
	if (!take(u, &there, sizeof there))
		return false;
	if (there > 1 || there > u->nfds) {
		u->why = "descriptor missing";
		return false;
	}
	if (there == 1) {
		*fd = *u->fds++;
		u->nfds--;
	}
	return true;
}

static bool
unpack_field(struct unpack *u, const struct ipc_field *f, char *at)
{
	switch (f->type) {
	case FIELD_str:
		return take_str(u, (struct str *)(void *)at);
	case FIELD_strs:
		return take_strs(u, (struct strs *)(void *)at);
	case FIELD_fd:
		return take_fd(u, (int *)(void *)at);
	default:
		return take(u, at, number_size[f->type]);
	}
}

bool
ipc_unpack(enum ipc_type type, bool answer, struct str bytes, const int *fds, unsigned nfds, struct arena *a,
    void *value, const char **why)
{
	const struct ipc_layout *l = ipc_layout(type);
	struct unpack u = { .left = bytes, .fds = fds, .nfds = nfds, .a = a };

	memset(value, 0, answer ? l->answer_size : l->ask_size);
	for (const struct ipc_field *f = answer ? l->answer : l->ask; f->type != FIELD_END; f++)
		if (!unpack_field(&u, f, (char *)value + f->at))
			break;
	if (u.why == NULL && u.left.n > 0)
		u.why = "bytes after the last field";
	if (u.why == NULL && u.nfds > 0)
		u.why = "more descriptors than fields";
	*why = u.why;
	return u.why == NULL;
}
