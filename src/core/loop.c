/* loop.c - libevent behind a small face. */
#include <postern/core/loop.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

struct task {
	void (*fn)(void *ctx);
	void *ctx;
	struct task *next;
};

struct signal_watch {
	struct event *ev;
	void (*fn)(void *ctx, int signo);
	void *ctx;
	struct signal_watch *next;
};

struct loop {
	struct event_base *base;
	struct loop_timer deferred_timer;
	struct task *deferred;
	struct task **deferred_tail;
	struct signal_watch *signals;

	int wake_fd;
	struct loop_io wake;
	pthread_mutex_t posted_lock;
	struct task *posted;
	struct task **posted_tail;
};

static struct task *
task_new(void (*fn)(void *ctx), void *ctx)
{
	struct task *t = NEW(struct task);

	t->fn = fn;
	t->ctx = ctx;
	return t;
}

static void
run_tasks(struct task *t)
{
	while (t != NULL) {
		struct task *next = t->next;

		t->fn(t->ctx);
		free(t);
		t = next;
	}
}

static void
run_deferred(void *ctx)
{
	struct loop *l = ctx;
	struct task *t = l->deferred;

	l->deferred = NULL;
	l->deferred_tail = &l->deferred;
	run_tasks(t);
}

static void
run_posted(void *ctx, int ready)
{
	struct loop *l = ctx;
	struct task *t;
	uint64_t count;

	(void)ready;
	if (read(l->wake_fd, &count, sizeof count) == -1)
		return;
	pthread_mutex_lock(&l->posted_lock);
	t = l->posted;
	l->posted = NULL;
	l->posted_tail = &l->posted;
	pthread_mutex_unlock(&l->posted_lock);
	run_tasks(t);
}

/* libevent's own words, which it would write to standard error. */
static void
on_words(int severity, const char *words)
{
	log_say(severity < EVENT_LOG_WARN ? LEVEL_INFO : LEVEL_ERROR, "loop", "%s", words);
}

/* It cannot go on, has said why, and would end the process with no more than that. */
_Noreturn static void
on_fatal(int status)
{
	(void)status;
	log_panic("event loop: cannot go on");
}

struct loop *
loop_new(void)
{
	struct loop *l = NEW(struct loop);
	struct event_config *config = event_config_new();

	event_set_log_callback(on_words);
	event_set_fatal_callback(on_fatal);
	if (config == NULL)
		log_fatal("event loop: out of memory");
	/* the loop reads no environment and keeps time without a system call for each event */
	event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV | EVENT_BASE_FLAG_NOLOCK);
	l->base = event_base_new_with_config(config);
	event_config_free(config);
	if (l->base == NULL)
		log_fatal("event loop: cannot start");
	l->deferred_tail = &l->deferred;
	l->posted_tail = &l->posted;
	pthread_mutex_init(&l->posted_lock, NULL);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd == -1)
		log_fatal("event loop: eventfd: %m");
	loop_timer_init(&l->deferred_timer, l, run_deferred, l);
	loop_io_init(&l->wake, l, l->wake_fd, run_posted, l);
	loop_io_watch(&l->wake, LOOP_READ);
	return l;
}

static void
drop_tasks(struct task *t)
{
	while (t != NULL) {
		struct task *next = t->next;

		free(t);
		t = next;
	}
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	while (l->signals != NULL) {
		struct signal_watch *w = l->signals;

		l->signals = w->next;
		event_free(w->ev);
		free(w);
	}
	drop_tasks(l->deferred);
	drop_tasks(l->posted);
	loop_timer_fini(&l->deferred_timer);
	loop_io_fini(&l->wake);
	close(l->wake_fd);
	pthread_mutex_destroy(&l->posted_lock);
	event_base_free(l->base);
	free(l);
}

void
loop_run(struct loop *l)
{
	event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void
loop_turn(struct loop *l)
{
	event_base_loop(l->base, EVLOOP_NONBLOCK);
}

void
loop_once(struct loop *l)
{
	event_base_loop(l->base, EVLOOP_ONCE);
}

void
loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->ctx);
}

void
loop_timer_init(struct loop_timer *t, struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	t->fn = fn;
	t->ctx = ctx;
	t->ev = event_new(l->base, -1, 0, on_timer, t);
	if (t->ev == NULL)
		log_fatal("timer: out of memory");
}

void
loop_timer_start(struct loop_timer *t, int64_t ms)
{
	struct timeval after = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

	if (event_add(t->ev, &after) == -1)
		log_fatal("timer: %m"); /* what it was for would never happen */
}

void
loop_timer_stop(struct loop_timer *t)
{
	if (t->ev != NULL)
		event_del(t->ev);
}

void
loop_timer_fini(struct loop_timer *t)
{
	if (t->ev != NULL)
		event_free(t->ev);
	t->ev = NULL;
}

static void
on_io(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;

	(void)fd;
	io->fn(io->ctx, (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0));
}

void
loop_io_init(struct loop_io *io, struct loop *l, int fd, void (*fn)(void *ctx, int ready), void *ctx)
{
	*io = (struct loop_io){ .loop = l, .fd = fd, .fn = fn, .ctx = ctx };
}

void
loop_io_watch(struct loop_io *io, int what)
{
	short events = EV_PERSIST;

	if (what & LOOP_READ)
		events |= EV_READ;
	if (what & LOOP_WRITE)
		events |= EV_WRITE;
	if (io->ev == NULL && what == 0)
		return;
	if (io->ev == NULL)
		io->ev = event_new(io->loop->base, io->fd, events, on_io, io);
	if (io->ev == NULL)
		log_fatal("descriptor watch: out of memory");
	if (event_get_events(io->ev) != events) {
		event_del(io->ev);
		event_assign(io->ev, io->loop->base, io->fd, events, on_io, io);
	}
	if (what == 0)
		event_del(io->ev);
	else if (event_add(io->ev, NULL) == -1 && errno != EPERM) /* a plain file is always ready, and not watched */
		log_fatal("descriptor watch: %m");
}

void
loop_io_fini(struct loop_io *io)
{
	if (io->ev != NULL)
		event_free(io->ev);
	io->ev = NULL;
}

static void
on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct signal_watch *w = arg;

	(void)what;
	w->fn(w->ctx, (int)signo);
}

void
loop_signal(struct loop *l, int signo, void (*fn)(void *ctx, int signo), void *ctx)
{
	struct signal_watch *w = NEW(struct signal_watch);

	w->fn = fn;
	w->ctx = ctx;
	w->ev = evsignal_new(l->base, signo, on_signal, w);
	if (w->ev == NULL || event_add(w->ev, NULL) == -1)
		log_fatal("signal %d: cannot watch", signo);
	w->next = l->signals;
	l->signals = w;
}

void
loop_defer(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	struct task *t = task_new(fn, ctx);

	if (l->deferred == NULL)
		event_active(l->deferred_timer.ev, EV_TIMEOUT, 0);
	*l->deferred_tail = t;
	l->deferred_tail = &t->next;
}

void
loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	struct task *t = task_new(fn, ctx);
	uint64_t one = 1;

	pthread_mutex_lock(&l->posted_lock);
	*l->posted_tail = t;
	l->posted_tail = &t->next;
	pthread_mutex_unlock(&l->posted_lock);
	if (write(l->wake_fd, &one, sizeof one) == -1)
		log_panic("event loop: wake: %m");
}
