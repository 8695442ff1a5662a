/* stage.c - collecting the bytes of an APPEND: in memory while they are few, else in a file without a name. */
#include "stage.h"

#include <errno.h>
#include <stdlib.h>

#include <postern/core/mem.h>

#include "path.h"

enum { STAGE_MEMORY = 256 << 10 };

struct store_stage *
store_stage_new(struct store_user *u)
{
	struct store_stage *g = NEW(struct store_stage);

	store_user_ref(u);
	g->u = u;
	buf_init(&g->bytes, STAGE_MEMORY);
	blob_init(&g->blob);
	g->tmp = -1;
	return g;
}

void
store_stage_free(struct store_stage *g)
{
	if (g == NULL)
		return;
	blob_close(&g->blob);
	io_close(&g->tmp);
	buf_fini(&g->bytes);
	store_user_unref(g->u);
	free(g);
}

uint64_t
store_stage_size(const struct store_stage *g)
{
	return g->size;
}

bool
stage_to_file(struct store_stage *g)
{
	if (g->blob.fd == -1) {
		g->tmp = path_open_dir(g->u->maildir, "tmp");
		if (g->tmp == -1 || !blob_open(g->u->store, &g->blob, g->tmp))
			return false;
	}
	if (!io_write_all(g->blob.fd, buf_str(&g->bytes)))
		return false;
	buf_fini(&g->bytes);
	return true;
}

static void
count_bare(struct store_stage *g, struct str s)
{
	const char *p = s.p, *end = s.p + s.n;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		g->bare += (p == s.p ? g->last : p[-1]) != '\r';
		p++;
	}
	g->last = s.n > 0 ? end[-1] : g->last;
}

bool
store_stage_write(struct store_stage *g, struct str bytes, struct err *e)
{
	count_bare(g, bytes);
	g->size += bytes.n;
	if (g->blob.fd == -1 && g->bytes.n + bytes.n <= STAGE_MEMORY) {
		buf_add(&g->bytes, bytes);
		return true;
	}
	if ((g->blob.fd != -1 || stage_to_file(g)) && io_write_all(g->blob.fd, bytes))
		return true;
	return err_temp(e, SAY_DISK, "%s: append: %s", g->u->dir, strerror(errno));
}
