/* parent.c - `postern serve`: starting and restarting.
 *
 * Start: directories, sockets, one process after the other. Run: a process that ends is started again, at once if it had lived
 * for a while, else after a growing pause, and its neighbours get new channels. Stop: drain.c. */
#include "parent.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/role/serve.h>
#include <postern/role/state.h>

static void start_proc(void *ctx);

static void
announce_if_ready(struct server *s)
{
	struct log_line l;

	for (unsigned i = 0; i < s->nprocs; i++)
		if (!s->procs[i].ready)
			return;
	if (s->announced)
		return;
	s->announced = true;
	log_begin(&l, LEVEL_INFO, "ready");
	log_cstr(&l, "version", POSTERN_VERSION);
	log_str(&l, "hostname", s->conf->hostname);
	log_num(&l, "processes", s->nprocs);
	log_end(&l);
	notify_systemd("READY=1");
}

/* The roles mostly lack the same: said when it is another lack than the last. */
static void
note_skipped(struct server *s, struct str skipped)
{
	if (skipped.n == 0 || str_eq(skipped, str_of(s->skipped)))
		return;
	snprintf(s->skipped, sizeof s->skipped, "%.*s", STR_ARG(skipped));
	log_say(LEVEL_WARN, "sandbox", "gone without: %s", s->skipped);
}

static void
on_ready(void *ctx, struct ipc_chan *from, const struct ready_ask *said)
{
	struct proc *p = ctx;

	(void)from;
	note_skipped(p->server, said->skipped);
	p->ready = true;
	p->was_ready = true;
	announce_if_ready(p->server);
}

static struct proc *
find_proc(struct server *s, unsigned role, unsigned index)
{
	for (unsigned i = 0; i < s->nprocs; i++)
		if (s->procs[i].row->role == role && s->procs[i].index == index)
			return &s->procs[i];
	return NULL;
}

/* If the other one is away, its next life brings the channel. Who asks too often is not heard: he may be taken over. */
static void
on_lost(void *ctx, struct ipc_chan *from, const struct lost_ask *said)
{
	struct proc *p = ctx;
	struct proc *peer = find_proc(p->server, said->role, said->index);

	(void)from;
	if (peer == NULL || peer->pid == 0 || mono_ms_between(mono_now(), p->joined) < JOIN_MS)
		return;
	p->joined = mono_now();
	log_say(LEVEL_WARN, "channel", "%s %u and %s %u get a new one", role_name(p->row->role), p->index,
	    role_name(said->role), said->index);
	hand_channel_again(p, peer, said->use != 0);
}

static const struct ipc_handlers parent_handlers = { .ready = on_ready, .lost = on_lost };

/* The first start either works or says why; later the server stays up and tries again. */
static void
give_up(struct server *s)
{
	log_say(LEVEL_ERROR, "stop", "a role could not start; the lines above say why");
	for (unsigned i = 0; i < s->nprocs; i++)
		if (s->procs[i].pid != 0)
			kill(s->procs[i].pid, SIGKILL);
	parent_end(s, 1);
}

static void
plan_restart(struct proc *p)
{
	int64_t lived = mono_ms_between(mono_now(), p->started);

	if (lived >= RESTART_CALM_MS)
		p->backoff_ms = 0;
	loop_timer_start(&p->restart, p->backoff_ms);
	p->backoff_ms = p->backoff_ms == 0 ? RESTART_FIRST_MS : p->backoff_ms * 2;
	if (p->backoff_ms > RESTART_LAST_MS)
		p->backoff_ms = RESTART_LAST_MS;
}

static void
start_proc(void *ctx)
{
	struct proc *p = ctx;
	struct err e;

	if (p->server->draining)
		return;
	if (!spawn(p, &e)) {
		log_say(LEVEL_ERROR, "start", "%s %u: %s", role_name(p->row->role), p->index, e.log);
		plan_restart(p);
		return;
	}
	hand_everything(p);
	p->generation++;
}

static struct proc *
proc_of(struct server *s, pid_t pid)
{
	for (unsigned i = 0; i < s->nprocs; i++)
		if (s->procs[i].pid == pid)
			return &s->procs[i];
	return NULL;
}

static void
log_exit(const struct proc *p, pid_t pid, int status)
{
	struct log_line l;
	bool expected = p->server->draining && WIFEXITED(status) && WEXITSTATUS(status) == 0;

	log_begin(&l, expected ? LEVEL_INFO : LEVEL_ERROR, "exit");
	log_cstr(&l, "of", role_name(p->row->role));
	log_num(&l, "index", p->index);
	log_num(&l, "pid", pid);
	if (WIFSIGNALED(status))
		log_fmt(&l, "why", "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_fmt(&l, "why", "ended with status %d", WEXITSTATUS(status));
	log_end(&l);
}

static void
on_exit_of(struct server *s, pid_t pid, int status)
{
	struct proc *p = proc_of(s, pid);

	if (p == NULL)
		return; /* as process 1 of a container we also bury others */
	p->pid = 0;
	ipc_chan_detach(p->chan);
	log_exit(p, pid, status);
	if (s->draining) {
		parent_drain_on(s);
	} else if (!p->was_ready && !s->announced) {
		give_up(s);
	} else {
		p->ready = false;
		plan_restart(p);
	}
}

static void
on_child_signal(void *ctx, int signo)
{
	pid_t pid;
	int status;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_exit_of(ctx, pid, status);
}

static void
on_stop_signal(void *ctx, int signo)
{
	struct server *s = ctx;

	(void)signo;
	if (s->draining)
		parent_drain_by_force(s); /* asked twice: now */
	else
		parent_drain(s);
}

static void
on_reload_signal(void *ctx, int signo)
{
	struct err e;

	(void)signo;
	if (!parent_reload(ctx, &e))
		log_say(LEVEL_ERROR, "reload", "the old configuration stays: %s", e.log);
}

/* --- starting --- */

static void
rotate_tickets(void *ctx)
{
	struct server *s = ctx;

	for (int i = 0; i < SERVICE_COUNT; i++)
		tls_ticket_rotate(&s->tickets[i]);
	for (unsigned i = 0; i < s->nprocs; i++)
		hand_tickets(&s->procs[i]);
	loop_timer_start(&s->rotate, TLS_TICKET_ROTATE_MS);
}

static bool
add_proc(struct server *s, const struct role_row *row, unsigned index, struct err *e)
{
	char name[32];
	struct proc *p;

	if (s->nprocs == PROCS_MAX)
		return err_perm(e, "", "more than %d processes", PROCS_MAX);
	p = &s->procs[s->nprocs++];
	*p = (struct proc){ .server = s, .row = row, .index = index, .control_fd = -1 };
	p->chan = ipc_chan_new(s->loop, ROLE_PARENT, row->role, &parent_handlers, p);
	loop_timer_init(&p->restart, s->loop, start_proc, p);
	if (row->ops->verbs == NULL)
		return true;
	snprintf(name, sizeof name, row->several ? "%s.%u" : "%s", role_name(row->role), index);
	p->control_fd = sockets_control(s, name, e);
	return p->control_fd != -1;
}

static bool
add_procs(struct server *s, struct err *e)
{
	for (const struct role_row *row = role_row_next(NULL); row != NULL; row = role_row_next(row))
		for (unsigned i = 0; i < row->count(s->conf); i++)
			if (!add_proc(s, row, i, e))
				return false;
	return true;
}

static bool
set_up(struct server *s, struct err *e)
{
	int fd;

	if (geteuid() == 0) /* an ordinary user's parent stays his own to look at */
		sandbox_leave_no_core();
	s->exe_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (s->exe_fd == -1)
		return err_perm(e, "", "cannot open /proc/self/exe: %s", strerror(errno));
	if (!state_prepare(s, e) || !state_make_certificate(s->conf, e) || !sockets_open(s, e) || !add_procs(s, e))
		return false;
	fd = sockets_control(s, "parent", e);
	if (fd == -1)
		return false;
	control_open(s->loop, ROLE_PARENT, fd, getuid(), parent_verbs, s);
	for (int i = 0; i < SERVICE_COUNT; i++)
		tls_ticket_init(&s->tickets[i]);
	s->key_files = keypairs_fingerprint(s->conf);
	return true;
}

static void
watch_signals(struct server *s)
{
	signal(SIGPIPE, SIG_IGN);
	loop_signal(s->loop, SIGCHLD, on_child_signal, s);
	loop_signal(s->loop, SIGTERM, on_stop_signal, s);
	loop_signal(s->loop, SIGINT, on_stop_signal, s);
	loop_signal(s->loop, SIGHUP, on_reload_signal, s);
	loop_timer_init(&s->rotate, s->loop, rotate_tickets, s);
	loop_timer_start(&s->rotate, TLS_TICKET_ROTATE_MS);
	loop_timer_init(&s->watch, s->loop, parent_watch, s);
	loop_timer_start(&s->watch, WATCH_MS);
	loop_timer_init(&s->look, s->loop, parent_look, s);
	parent_look(s);
	loop_timer_init(&s->drain_limit, s->loop, parent_drain_by_force, s);
}

static void
raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int
run(struct server *s)
{
	struct err e;

	raise_descriptor_limit();
	umask(022);
	if (!set_up(s, &e)) {
		log_say(LEVEL_ERROR, "fatal", "%s", e.log);
		return 1;
	}
	if (geteuid() != 0)
		log_say(LEVEL_WARN, "sandbox", "not started as root: all roles share one user, and no root is closed");
	if (!logpipe_open(s, &e)) {
		log_say(LEVEL_ERROR, "fatal", "%s", e.log);
		return 1;
	}
	watch_signals(s);
	for (unsigned i = 0; i < s->nprocs; i++)
		start_proc(&s->procs[i]);
	loop_run(s->loop);
	log_say(LEVEL_INFO, "stop", "ended");
	logpipe_close(s);
	conf_unref(s->conf);
	return s->status;
}

int
role_serve(const char *conf_path)
{
	static struct server s; /* for the life of the process */
	struct conf_errors errors;
	struct buf text;

	if (sodium_init() == -1)
		return 1;
	log_setup(STDERR_FILENO, "parent", LOG_TEXT, LEVEL_INFO);
	conf_errors_init(&errors);
	s = (struct server){ .conf_path = conf_path,
		.lock_fd = -1,
		.exe_fd = -1,
		.stderr_fd = -1,
		.log_fd = -1,
		.started = mono_now() };
	s.conf = conf_load(conf_path, &errors);
	if (s.conf == NULL) {
		buf_init(&text, 1 << 20);
		conf_errors_write(&errors, &text);
		fputs(buf_cstr(&text), stderr);
		buf_fini(&text);
		conf_errors_fini(&errors);
		return 1;
	}
	conf_errors_fini(&errors);
	log_setup(STDERR_FILENO, "parent", s.conf->log.format, s.conf->log.level);
	s.loop = loop_new();
	return run(&s);
}
