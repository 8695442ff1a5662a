/* fetch.c - the host of the module with libcurl: finds and loads it, lends it the loop, lets gets wait for their turn.
 *
 * Gets stand in one list in the order of asking; those without a transfer wait. All that calls back does so from the loop. */
#include <postern/fetch/fetch.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "module.h"
#include "own.h"

enum { PATH_SIZE = 4200 };

struct fetch {
	struct loop *loop;
	void *library; /* never unloaded: it has memory and exit handlers of its own */
	const struct fetch_module *module;
	void *curl; /* the module's own */
	struct loop_timer curl_timer;
	struct loop_timer turn; /* starts what waits, ends what has waited too long */
	struct fetch_get *first;
	struct fetch_get **end;
	unsigned running;
};

struct fetch_get {
	struct fetch *fetch;
	struct fetch_get *next;
	struct fetch_get **back; /* what points here */
	struct fetch_transfer *transfer; /* NULL: waits */
	char *url;
	char *host;
	char *resolve;
	struct mono until;
	struct buf body; /* its ceiling is the request's */
	void (*on)(void *ctx, const struct fetch_result *r);
	void *ctx;
};

struct watch {
	struct fetch *fetch;
	struct loop_io io;
};

/* --- gets --- */

static void
append(struct fetch *f, struct fetch_get *g)
{
	g->back = f->end;
	*f->end = g;
	f->end = &g->next;
}

static void
take_out(struct fetch_get *g)
{
	struct fetch *f = g->fetch;

	*g->back = g->next;
	if (g->next != NULL)
		g->next->back = g->back;
	else
		f->end = g->back;
	if (g->transfer != NULL)
		f->running--;
	loop_timer_start(&f->turn, 0);
}

static void
free_get(struct fetch_get *g)
{
	buf_fini(&g->body);
	free(g->url);
	free(g->host);
	free(g->resolve);
	free(g);
}

/* What libcurl says may quote what a server said. */
static struct str
printable(struct str words, char out[static FETCH_WORDS_SIZE])
{
	size_t n = words.n < FETCH_WORDS_SIZE - 1 ? words.n : FETCH_WORDS_SIZE - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = ascii_is_print(words.p[i]) ? words.p[i] : '?';
	return str_from(out, n);
}

static void
finish(struct fetch_get *g, const struct fetch_result *said)
{
	char words[FETCH_WORDS_SIZE];
	struct fetch_result r = *said;

	take_out(g);
	if (r.problem == FETCH_OK)
		r.body = buf_str(&g->body);
	r.words = printable(r.problem != FETCH_OK ? r.words : STR(""), words);
	g->on(g->ctx, &r);
	free_get(g);
}

static void
start(struct fetch_get *g)
{
	struct fetch *f = g->fetch;
	int64_t ms = mono_ms_between(g->until, mono_now());

	/* 0 is without end */
	g->transfer = f->module->get(f->curl,
	    &(struct fetch_wanted){ .url = g->url,
		.host = g->host,
		.resolve = g->resolve,
		.max = g->body.max,
		.ms = ms > 0 ? (long)ms : 1 },
	    g);
	if (g->transfer == NULL)
		log_fatal("HTTPS: a transfer cannot begin: out of memory");
	f->running++;
}

static bool
has_waited(const struct fetch_get *g)
{
	return g->transfer == NULL && mono_ms_between(g->until, mono_now()) <= 0;
}

static struct fetch_get *
find(const struct fetch *f, bool (*is)(const struct fetch_get *g))
{
	struct fetch_get *g = f->first;

	while (g != NULL && !is(g))
		g = g->next;
	return g;
}

static bool
waits(const struct fetch_get *g)
{
	return g->transfer == NULL;
}

static void
on_turn(void *ctx)
{
	struct fetch *f = ctx;
	struct fetch_get *g;

	while ((g = find(f, has_waited)) != NULL)
		finish(g, &(struct fetch_result){
			      .problem = FETCH_UNREACHABLE, .words = STR("no turn came: too much is being fetched") });
	while (f->running < FETCH_AT_ONCE_MAX && (g = find(f, waits)) != NULL)
		start(g);
	if ((g = find(f, waits)) != NULL)
		loop_timer_start(&f->turn, mono_ms_between(g->until, mono_now()));
}

/* "https://host:port/path", and "host:port:address,address" for CURLOPT_RESOLVE. */
static void
write_texts(struct fetch_get *g, const struct fetch_request *q)
{
	char ip[ADDR_TEXT_SIZE];
	struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_addf(&b, "https://%.*s:%u%.*s", STR_ARG(q->host), q->port, STR_ARG(q->path));
	g->url = mem_cstr(buf_str(&b));
	buf_clear(&b);
	buf_addf(&b, "%.*s:%u", STR_ARG(q->host), q->port);
	for (unsigned i = 0; i < q->naddrs; i++) {
		addr_text_ip(&q->addrs[i], ip);
		buf_addf(&b, "%c%s", i == 0 ? ':' : ',', ip);
	}
	g->resolve = mem_cstr(buf_str(&b));
	buf_fini(&b);
	g->host = mem_cstr(q->host);
}

struct fetch_get *
fetch_get(
    struct fetch *f, const struct fetch_request *q, void (*on)(void *ctx, const struct fetch_result *r), void *ctx)
{
	struct fetch_get *g = NEW(struct fetch_get);

	ASSERT(q->naddrs > 0 && q->naddrs <= FETCH_ADDRESSES_MAX);
	*g = (struct fetch_get){ .fetch = f, .on = on, .ctx = ctx, .until = mono_add_ms(mono_now(), q->ms) };
	buf_init(&g->body, q->max);
	write_texts(g, q);
	append(f, g);
	loop_timer_start(&f->turn, 0);
	return g;
}

void
fetch_cancel(struct fetch_get *g)
{
	if (g == NULL)
		return;
	if (g->transfer != NULL)
		g->fetch->module->cancel(g->transfer);
	take_out(g);
	free_get(g);
}

/* --- what the module asks --- */

static void
on_ready(void *ctx, int ready)
{
	struct watch *w = ctx; /* may be gone in between */

	w->fetch->module->ready(w->fetch->curl, w->io.fd, ready);
}

static struct watch *
watch_new(struct fetch *f, int fd)
{
	struct watch *w = NEW(struct watch);

	w->fetch = f;
	loop_io_init(&w->io, f->loop, fd, on_ready, w);
	return w;
}

static void *
host_watch(void *ctx, void *watch, int fd, int what)
{
	struct watch *w = watch;

	if (what == 0) {
		if (w != NULL)
			loop_io_fini(&w->io);
		free(w);
		return NULL;
	}
	if (w == NULL)
		w = watch_new(ctx, fd);
	loop_io_watch(&w->io, what);
	return w;
}

static void
host_timer(void *ctx, long ms)
{
	struct fetch *f = ctx;

	if (ms < 0)
		loop_timer_stop(&f->curl_timer);
	else
		loop_timer_start(&f->curl_timer, ms);
}

static void
on_curl_timer(void *ctx)
{
	struct fetch *f = ctx;

	f->module->timeout(f->curl);
}

static bool
host_body(void *get, struct str piece)
{
	struct fetch_get *g = get;

	buf_add(&g->body, piece);
	return !g->body.over;
}

static void
host_done(void *get, const struct fetch_result *r)
{
	finish(get, r);
}

static const struct fetch_host host = {
	.watch = host_watch, .timer = host_timer, .body = host_body, .done = host_done
};

/* --- the module --- */

static bool
load(struct fetch *f, const char *path, struct err *e)
{
	f->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (f->library == NULL)
		return err_perm(e, "", "%s", dlerror());
	f->module = dlsym(f->library, FETCH_MODULE_SYMBOL);
	return (f->module != NULL && f->module->version == FETCH_MODULE_VERSION) ||
	    err_perm(e, "", "%s is not the one that belongs to this postern", path);
}

static bool
open_module(struct fetch *f, const char *path, struct str ca_file, struct err *e)
{
	char why[FETCH_WORDS_SIZE];
	char *bundle = mem_cstr(ca_file);
	struct buf ca;

	buf_init(&ca, FETCH_CA_MAX);
	if (!io_read_file(AT_FDCWD, bundle, &ca))
		err_perm(e, "", "CA bundle %s: %s", bundle, strerror(errno));
	else if (load(f, path, e) && (f->curl = f->module->open(&host, f, buf_str(&ca), why)) == NULL)
		err_perm(e, "", "CA bundle %s: %s", bundle, why);
	buf_fini(&ca);
	free(bundle);
	return f->curl != NULL;
}

struct fetch *
fetch_open_module(struct loop *loop, const char *path, struct str ca_file, struct err *e)
{
	struct fetch *f = NEW(struct fetch);

	f->loop = loop;
	f->end = &f->first;
	loop_timer_init(&f->curl_timer, loop, on_curl_timer, f);
	loop_timer_init(&f->turn, loop, on_turn, f);
	if (open_module(f, path, ca_file, e))
		return f;
	fetch_close(f);
	return NULL;
}

/* The directory of the running program, with a slash at the end; false when /proc is not there. */
static bool
find_own_directory(char out[static PATH_SIZE])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_SIZE - sizeof FETCH_MODULE_FILE);

	if (n <= 0)
		return false;
	out[str_rfind(str_from(out, (size_t)n), '/') + 1] = '\0';
	return true;
}

struct fetch *
fetch_open(struct loop *loop, struct str ca_file, struct err *e)
{
	static const char installed[] = POSTERN_MODULES "/" FETCH_MODULE_FILE;
	char beside[PATH_SIZE];

	if (find_own_directory(beside) && access(strcat(beside, FETCH_MODULE_FILE), F_OK) == 0)
		return fetch_open_module(loop, beside, ca_file, e);
	if (access(installed, F_OK) == 0)
		return fetch_open_module(loop, installed, ca_file, e);
	err_perm(e, "", "%s is not installed", installed);
	return NULL;
}

void
fetch_close(struct fetch *f)
{
	while (f->first != NULL)
		fetch_cancel(f->first);
	if (f->curl != NULL)
		f->module->close(f->curl);
	loop_timer_fini(&f->turn);
	loop_timer_fini(&f->curl_timer);
	free(f);
}
