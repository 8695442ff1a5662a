/* ipc.c - any bytes as any message: what unpacks packs to the same bytes again. */
#include <stdlib.h>

#include <postern/core/buf.h>
#include <postern/ipc/ipc.h>

#include "fuzz.h"

static void
round_trip(enum ipc_type type, bool answer, struct str bytes)
{
	static const int fds[IPC_FDS_MAX] = { 100, 101, 102, 103 };
	_Alignas(16) char value[1024];
	int out_fds[IPC_FDS_MAX];
	unsigned nfds;
	const char *why;
	struct arena a;
	struct buf out;

	arena_init(&a);
	buf_init(&out, IPC_MESSAGE_MAX);
	for (unsigned give = 0; give <= IPC_FDS_MAX; give++) {
		if (!ipc_unpack(type, answer, bytes, fds, give, &a, value, &why))
			continue;
		if (!ipc_pack(type, answer, value, &out, out_fds, &nfds) || nfds != give || !str_eq(buf_str(&out), bytes))
			abort();
		break;
	}
	buf_fini(&out);
	arena_fini(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	unsigned type;
	bool answer;

	if (n < 2 || n > IPC_MESSAGE_MAX)
		return 0;
	type = p[0] % IPC_TYPES;
	answer = p[1] % 2 == 1 && ipc_size(type, true) > 0;
	round_trip(type, answer, str_from(p + 2, n - 2));
	return 0;
}
