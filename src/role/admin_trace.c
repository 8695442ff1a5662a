/* admin_trace.c - `postern trace': lines of the record, a page at a time. A page is a bounded piece of reading too: between two the
 * role log writes what has come. What the lines mean is the command's affair (cli/trace.c). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/role/verbs.h>

#include "parent.h"
#include "trace.h"

enum { WORDS_MAX = 4000, PAGE_BYTES = 30000 }; /* a line takes at most some thousands more */

struct page {
	json_t *lines;
	size_t size;
};

static const char *
level_name(enum log_level level)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };

	return names[level];
}

static json_t *
line_json(const struct logline *l)
{
	json_t *o = json_object();

	json_object_set_new(o, "time", control_text(l->head.time));
	json_object_set_new(o, "level", json_string(level_name(l->head.level)));
	json_object_set_new(o, "role", control_text(l->head.role));
	json_object_set_new(o, "event", control_text(l->head.event));
	for (unsigned i = 0; i < l->n; i++)
		json_object_setn_new(o, l->field[i].key.p, l->field[i].key.n, control_text(l->field[i].value));
	return o;
}

static bool
add_line(void *ctx, const struct logline *l)
{
	struct page *p = ctx;
	json_t *line = line_json(l);
	size_t size = json_dumpb(line, NULL, 0, JSON_COMPACT) + 1;

	if (json_array_size(p->lines) > 0 && p->size + size > PAGE_BYTES) {
		json_decref(line);
		return false;
	}
	p->size += size;
	json_array_append_new(p->lines, line);
	return true;
}

static bool
place_parse(struct str text, struct trace_place *at)
{
	size_t colon = str_find(text, ':');
	struct trace_file file;

	*at = (struct trace_place){ 0 };
	if (text.n == 0)
		return true;
	if (colon >= sizeof at->name || !str_u64(str_sub(text, colon + 1, text.n), INT64_MAX, &at->offset))
		return false;
	memcpy(at->name, text.p, colon);
	return trace_name_parse(at->name, &file);
}

/* "all", or the name of one. 0: no such kind. */
static unsigned
kinds_parse(struct str word)
{
	unsigned kinds = 0;

	for (unsigned k = 0; k < TRACE_KINDS; k++)
		if (str_eq(word, STR("all")) || str_eq(word, str_of(trace_kind_name((enum trace_kind)k))))
			kinds |= 1u << k;
	return kinds;
}

static bool
run_trace(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	const struct trace_source *source = ctx;
	struct page p = { 0 };
	struct trace_query q = { .words = ask->args.v + 2, .nwords = ask->args.n - 2, .found = add_line, .ctx = &p };
	struct trace_place at;
	uint64_t since;

	q.kinds = kinds_parse(ask->args.v[0]);
	if (q.kinds == 0 || !str_u64(ask->args.v[1], INT32_MAX, &since))
		return control_fail(out, ask->arena, ADMIN_USAGE, "trace all|mail|refused SECONDS WORD…");
	if (!place_parse(ask->after, &at))
		return control_fail(out, ask->arena, ADMIN_USAGE, "no such page");
	q.since = wall_from_seconds((int64_t)since);
	if (source->catch_up != NULL && ask->after.n == 0)
		source->catch_up(source->ctx);
	p.lines = json_array();
	if (trace_search(source->dir, &q, &at))
		out->more = arena_strf(ask->arena, "%s:%llu", at.name, (unsigned long long)at.offset);
	out->json = p.lines;
	return true;
}

const struct control_verb trace_verbs[] = {
	{ "trace", NULL, 3, WORDS_MAX, run_trace },
	{ 0 },
};

void
trace_run_alone(
    const struct conf *conf, const struct strs *words, struct str after, struct arena *a, struct control_answer *out)
{
	const char *path = state_path(conf, "trace");
	struct trace_source source = { .dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

	if (source.dir != -1)
		control_run(NULL, trace_verbs, &source, words, after, a, out);
	else
		control_fail(out, a, ADMIN_FAILED, "%s: %s", path, strerror(errno));
	io_close(&source.dir);
}
