/* log.c - the log role: reads the pipe that is everybody's standard error and writes the server's own, unchanged and in order.
 *
 * It reads in large pieces and rests a moment between two, so that a busy server's lines cost few calls. Lines that tell of messages
 * also go into the record that `postern trace' reads (trace.h). It hears the others' last words: it ends when the pipe has no writer
 * left, not with the parent. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/logline.h>
#include <postern/core/mem.h>

#include <postern/role/verbs.h>

#include "env.h"
#include "log_out.h"
#include "roles.h"
#include "trace.h"

enum {
	PIECE_BYTES = LOG_OUT_ONCE,
	PIECES_MAX = 8,           /* more than a full pipe */
	REST_MS = 10,             /* between two reads: lines gather */
	END_MS = 2000,            /* for standard error to take what is left */
	TRIM_MS = 60 * 60 * 1000, /* between looks at what is too old, when no line brings one */
};

struct log_role {
	struct env *env;
	int lines_fd; /* the pipe */
	struct log_out out;
	char *piece;
	size_t kept; /* at the beginning of piece: a line whose end has not come */
	struct trace_store trace;
	struct trace_source source; /* of the answers */
	struct loop_io io;
	struct loop_timer rest;
	struct loop_timer limit;
	struct loop_timer trim;

	uint64_t lines;
	uint64_t bytes;
	uint64_t lost; /* by writers, as they told */
};

static struct log_role *
role_of(struct env *env)
{
	return env->role;
}

/* --- lines --- */

/* Who writes here may be taken over: nothing that bends a terminal goes out, in place. */
static void
scrub(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)p[i] < 0x20 && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f)
			p[i] = '?';
}

/* "event=lost lines=N": a writer found the pipe full. */
static void
count_lost(struct log_role *r, struct str line)
{
	struct logline *parsed;
	struct arena a;
	uint64_t n;

	arena_init(&a);
	parsed = ARENA_NEW(&a, struct logline);
	if (logline_parse(line, &a, parsed) && str_u64(logline_get(parsed, "lines"), UINT32_MAX, &n))
		r->lost += n;
	arena_fini(&a);
}

/* Is the line for standard error? All roles write from info on: what the log leaves out may still be of use. */
static bool
take_line(struct log_role *r, struct str line)
{
	struct logline_head head;
	enum trace_kind kind;

	r->lines++;
	if (!logline_head_parse(line, &head))
		return true; /* a sanitizer's or a library's word */
	if (trace_wants(line, &head, &kind))
		trace_add(&r->trace, kind, line);
	if (str_eq(head.event, STR("lost")))
		count_lost(r, line);
	return head.level >= r->env->conf->log.level;
}

/* Lines that follow each other go out together. */
static void
take_lines(struct log_role *r, struct str text)
{
	struct str rest = text;
	struct str line;

	for (; rest.n > 0; rest = str_sub(rest, line.n, rest.n)) {
		line = str_sub(rest, 0, str_find(rest, '\n') + 1);
		if (take_line(r, line))
			continue;
		log_out_add(&r->out, str_from(text.p, (size_t)(line.p - text.p)));
		text = str_sub(rest, line.n, rest.n);
	}
	log_out_add(&r->out, text);
}

/* What came, behind what was kept; with the end of the last line, unless that one is too long for any of ours. */
static void
take_piece(struct log_role *r, size_t n)
{
	size_t whole;

	r->bytes += n;
	scrub(r->piece + r->kept, n);
	n += r->kept;
	whole = str_rfind(str_from(r->piece, n), '\n') + 1;
	if (whole > n)
		whole = n > LOG_LINE_MAX ? n : 0;
	take_lines(r, str_from(r->piece, whole));
	trace_flush(&r->trace);
	r->kept = n - whole;
	memmove(r->piece, r->piece + whole, r->kept);
}

/* Nothing follows yet: not one of our lines, those come whole. */
static void
take_kept(struct log_role *r)
{
	log_out_add(&r->out, str_from(r->piece, r->kept));
	r->kept = 0;
}

/* --- the pipe --- */

_Noreturn static void
end(struct log_role *r)
{
	take_kept(r);
	log_out_end(&r->out, END_MS);
	env_end(r->env);
}

/* How many bytes came; -1: none now. */
static ssize_t
read_piece(struct log_role *r)
{
	ssize_t n = read(r->lines_fd, r->piece + r->kept, PIECE_BYTES - r->kept);

	if (n > 0)
		take_piece(r, (size_t)n);
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		log_fatal("the pipe of the log: %s", strerror(errno));
	return n;
}

static void
on_lines(void *ctx, int ready)
{
	struct log_role *r = ctx;
	ssize_t n = read_piece(r);

	(void)ready;
	if (n == 0)
		end(r);
	if (n == -1)
		take_kept(r);
	loop_io_watch(&r->io, n == -1 ? LOOP_READ : 0);
	if (n > 0)
		loop_timer_start(&r->rest, REST_MS);
}

static void
on_rested(void *ctx)
{
	on_lines(ctx, LOOP_READ);
}

/* What stands in the pipe now; not what writers add for ever. */
static void
read_all(void *ctx)
{
	for (int i = 0; i < PIECES_MAX && read_piece(ctx) > 0; i++)
		continue;
}

static void
on_limit(void *ctx)
{
	struct log_role *r = ctx;

	read_all(r);
	end(r);
}

/* --- the role --- */

static void
take_descriptor(struct env *env, struct str service, struct str address, int fd)
{
	struct log_role *r = role_of(env);
	(void)address;
	if (r == NULL)
		r = env->role = NEW(struct log_role);
	if (str_eq(service, STR("lines"))) {
		r->lines_fd = fd;
		return;
	}
	/* our own lines take no detour, and the pipe has no writer left when the others are gone */
	log_out_take(&r->out, fd);
}

static void
on_trim(void *ctx)
{
	struct log_role *r = ctx;

	trace_trim(&r->trace);
	loop_timer_start(&r->trim, TRIM_MS);
}

static void
start(struct env *env)
{
	struct log_role *r = role_of(env);
	struct err e;

	r->env = env;
	r->piece = mem_new(PIECE_BYTES);
	loop_timer_init(&r->rest, env->loop, on_rested, r);
	log_out_start(&r->out, env->loop);
	loop_timer_init(&r->limit, env->loop, on_limit, r);
	loop_timer_init(&r->trim, env->loop, on_trim, r);
	loop_timer_start(&r->trim, TRIM_MS);
	if (!trace_open(&r->trace, env->root, &e))
		log_fatal("%s", e.log);
	trace_limit(&r->trace, env->conf->trace.days, env->conf->trace.size);
	r->source = (struct trace_source){ .dir = r->trace.dir, .catch_up = read_all, .ctx = r };
	loop_io_init(&r->io, env->loop, r->lines_fd, on_lines, r);
	loop_io_watch(&r->io, LOOP_READ);
}

static void
reload(struct env *env, const struct conf *was)
{
	(void)was;
	trace_limit(&role_of(env)->trace, env->conf->trace.days, env->conf->trace.size);
}

static void *
admin(struct env *env)
{
	return &role_of(env)->source;
}

/* The parent still has something to say; it writes that out itself. */
static void
drain(struct env *env, unsigned seconds)
{
	(void)seconds;
	on_limit(role_of(env));
}

/* Roles that die with the parent close the pipe; a process that does not must not keep us. */
static void
parent_gone(struct env *env)
{
	struct log_role *r = role_of(env);

	if (r == NULL || r->piece == NULL)
		env_end(env);
	loop_timer_start(&r->limit, END_MS);
}

static void
counters(struct env *env, struct counters_out *out)
{
	struct log_role *r = role_of(env);

	counter_add(out, "lines", r->lines);
	counter_add(out, "bytes", r->bytes);
	counter_add(out, "lost", r->lost);
	counter_add(out, "dropped", r->out.dropped);
	counter_add(out, "unwritten", r->out.unwritten.n);
	counter_add(out, "trace_lines", r->trace.lines);
	counter_add(out, "trace_failed", r->trace.failed);
}

const struct role_ops log_ops = {
	.verbs = trace_verbs,
	.admin = admin,
	.listen = take_descriptor,
	.start = start,
	.reload = reload,
	.drain = drain,
	.parent_gone = parent_gone,
	.counters = counters,
};
