/* child.c - the life of every role: take what the parent hands over, close the doors behind, work, drain.
 *
 * The parent sends CONF, PEER, LISTEN (and to keys the key pairs), then START. Everything before START is kept; at START the role
 * opens its files, gives up its rights (sandbox.c) and begins. When the parent is gone, so is the role. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <sodium.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/role/serve.h>

#include <postern/role/control.h>
#include <postern/tls/memory.h>
#include "env.h"
#include "sandbox.h"

enum {
	PARENT_FD = 3,
	LOST_MS = 1000, /* how long a new channel may take before the parent is told */
};

/* The first snapshot or a new one, from text that the parent has checked. */
static const struct conf *
read_conf(int fd)
{
	struct conf_errors errors;
	struct conf *conf;
	struct buf text;

	buf_init(&text, CONF_FILE_MAX);
	conf_errors_init(&errors);
	if (!io_read_fd(fd, &text))
		log_fatal("configuration from the parent: %s", strerror(errno));
	conf = conf_parse(buf_str(&text), "from the parent", &errors);
	if (conf == NULL)
		log_fatal("configuration from the parent: line %u: %s", errors.v[0].line, errors.v[0].text);
	conf_errors_fini(&errors);
	buf_fini(&text);
	return conf;
}

static void
on_conf(void *ctx, struct ipc_chan *from, const struct conf_ask *said)
{
	struct env *env = ctx;
	const struct conf *was = env->conf;

	(void)from;
	env->conf = read_conf(said->text);
	close(said->text);
	log_setup(
	    STDERR_FILENO, role_name(env->row->role), env->conf->log.format, role_log_level(env->row->role, env->conf));
	if (env->started && env->row->ops->reload != NULL)
		env->row->ops->reload(env, was);
	conf_unref(was);
}

/* A place for a channel whose other end is that role. */
static struct ipc_chan *
new_chan(struct env *env, enum role peer)
{
	return ipc_chan_new(env->loop, env->row->role, peer, &env->handlers, env);
}

static void
tell_role(struct env *env, unsigned role, unsigned index, bool there)
{
	if (env->started && env->row->ops->peer != NULL)
		env->row->ops->peer(env, (enum role)role, index, there);
}

/* A process that died is started again, and its new channel comes by itself. Between two that live on, a channel ends too: when one
 * had no descriptor left for what came, or took the other for broken. The parent knows which of the two it was. */
static void
tell_lost(void *ctx)
{
	struct env *env = ctx;
	bool any = false;

	for (unsigned role = 0; role < ROLE_COUNT; role++)
		for (unsigned i = 0; i < env->npeers[role]; i++) {
			if (env->peers[role][i] == NULL || ipc_chan_attached(env->peers[role][i]))
				continue;
			any = true;
			say_lost(env->parent, &(struct lost_ask){ .role = (uint8_t)role, .index = (uint8_t)i });
		}
	if (env->sign_lost)
		say_lost(env->parent, &(struct lost_ask){ .role = ROLE_KEYS, .use = 1 });
	any |= env->sign_lost;
	if (any)
		loop_timer_start(&env->lost, LOST_MS);
}

void
env_check_sign(struct env *env)
{
	struct pollfd end = { .fd = env->sign_fd };

	if (env->sign_fd == -1 || poll(&end, 1, 0) < 1 || (end.revents & (POLLHUP | POLLERR)) == 0)
		return;
	io_close(&env->sign_fd);
	env->sign_lost = true;
	loop_timer_start(&env->lost, LOST_MS);
}

static void
on_peer_gone(void *ctx, struct ipc_chan *c)
{
	struct env *env = ctx;

	loop_timer_start(&env->lost, LOST_MS);
	tell_role(env, ipc_chan_peer(c), ipc_chan_index(c), false);
}

struct ipc_chan *
env_peer(struct env *env, enum role role, unsigned index)
{
	struct ipc_chan **place = &env->peers[role][index];

	ASSERT(index < PEERS_MAX);
	if (*place == NULL) {
		*place = new_chan(env, role);
		ipc_chan_set_index(*place, index);
		ipc_chan_on_gone(*place, on_peer_gone, env);
	}
	return *place;
}

static void
on_signer_gone(void *ctx, struct ipc_chan *c)
{
	(void)ctx;
	ipc_chan_free_later(c); /* the next process brings its own */
}

/* A second channel of the same pair, for blocking questions: keys answers it like any other. */
static void
take_sign_channel(struct env *env, const struct peer_ask *said)
{
	if (env->row->role == ROLE_KEYS) {
		struct ipc_chan *c = new_chan(env, (enum role)said->role);

		ipc_chan_set_index(c, said->index);
		ipc_chan_on_gone(c, on_signer_gone, NULL);
		ipc_chan_attach(c, said->channel);
		return;
	}
	io_close(&env->sign_fd);
	env->sign_fd = said->channel;
	env->sign_lost = false;
}

static void
on_peer(void *ctx, struct ipc_chan *from, const struct peer_ask *said)
{
	struct env *env = ctx;

	(void)from;
	if (said->channel == -1 || said->role >= ROLE_COUNT || said->index >= PEERS_MAX)
		log_fatal("parent sent a peer that cannot be");
	if (said->use != 0) {
		take_sign_channel(env, said);
		return;
	}
	if (env->peers[said->role][said->index] != NULL && ipc_chan_attached(env->peers[said->role][said->index]))
		tell_role(env, said->role, said->index, false); /* its end has not been noticed yet */
	ipc_chan_attach(env_peer(env, (enum role)said->role, said->index), said->channel);
	if (env->npeers[said->role] <= said->index)
		env->npeers[said->role] = said->index + 1u;
	tell_role(env, said->role, said->index, true);
}

static void
on_listen(void *ctx, struct ipc_chan *from, const struct listen_ask *said)
{
	struct env *env = ctx;

	(void)from;
	if (str_eq(said->service, STR("control")) && env->row->ops->verbs != NULL)
		env->control_fd = said->socket;
	else if (env->row->ops->listen != NULL)
		env->row->ops->listen(env, said->service, said->address, said->socket);
	else
		log_fatal("parent sent a socket that nobody wants here");
}

static void
on_start(void *ctx, struct ipc_chan *from, const struct start_ask *said)
{
	struct env *env = ctx;

	(void)from;
	ASSERT(env->conf != NULL);
	env->generation = said->generation;
	if (env->row->ops->open != NULL)
		env->row->ops->open(env);
	sandbox_enter(env);
	env->started = true;
	if (env->row->ops->start != NULL)
		env->row->ops->start(env);
	if (env->control_fd != -1)
		control_open(env->loop, env->row->role, env->control_fd, ipc_chan_uid(env->parent),
		    env->row->ops->verbs, env->row->ops->admin(env));
	say_ready(env->parent, &(struct ready_ask){ .skipped = str_of(env->skipped) });
}

_Noreturn void
env_end(struct env *env)
{
	(void)env;
	/* no clean-up that could hang or fail: what matters is on disk already */
	_exit(0);
}

static void
on_drain(void *ctx, struct ipc_chan *from, const struct drain_ask *said)
{
	struct env *env = ctx;

	(void)from;
	if (env->draining)
		return;
	env->draining = true;
	if (env->row->ops->drain == NULL)
		env_end(env);
	env->row->ops->drain(env, said->seconds);
}

void
counter_add(struct counters_out *out, const char *name, uint64_t value)
{
	ASSERT(out->n < sizeof out->names / sizeof *out->names);
	out->names[out->n] = str_of(name);
	out->values[out->n++] = arena_strf(out->arena, "%llu", (unsigned long long)value);
}

static void
on_counters(void *ctx, struct ipc_question *q, const struct counters_ask *ask)
{
	struct env *env = ctx;
	struct arena a;
	struct counters_out out = { .arena = &a };

	(void)ask;
	arena_init(&a);
	if (env->row->ops->counters != NULL)
		env->row->ops->counters(env, &out);
	answer_counters(q, &(struct counters_answer){ .names = { out.names, out.n }, .values = { out.values, out.n } });
	arena_fini(&a);
}

static void
on_parent_gone(void *ctx, struct ipc_chan *c)
{
	struct env *env = ctx;

	(void)c;
	if (env->row->ops->parent_gone == NULL)
		_exit(0);
	env->row->ops->parent_gone(env);
}

/* The operator's terminal is not the role's: without one it cannot type into it (TIOCSTI), nor read what is typed there. */
static void
leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1 || dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1)
		log_fatal("/dev/null: %s", strerror(errno));
	if (null > STDERR_FILENO)
		close(null);
	setsid(); /* fails only for one who leads a session already */
}

static void
ignore_signals(void)
{
	/* the parent decides about ending; a terminal's Ctrl-C reaches the whole group */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static void
set_up_env(struct env *env, const struct role_row *row, unsigned index)
{
	*env = (struct env){ .row = row, .index = index, .sign_fd = -1, .control_fd = -1 };
	env->loop = loop_new();
	loop_timer_init(&env->lost, env->loop, tell_lost, env);
	if (row->ops->handlers != NULL)
		env->handlers = *row->ops->handlers;
	env->handlers.conf = on_conf;
	env->handlers.peer = on_peer;
	env->handlers.listen = on_listen;
	env->handlers.start = on_start;
	env->handlers.drain = on_drain;
	env->handlers.counters = on_counters;
	if (row->ops->make != NULL)
		env->role = row->ops->make(env);
	env->parent = new_chan(env, ROLE_PARENT);
	ipc_chan_on_gone(env->parent, on_parent_gone, env);
	ipc_chan_attach(env->parent, PARENT_FD);
}

int
role_child(int argc, char **argv)
{
	static struct env env; /* for the life of the process */
	uint64_t index;
	enum role role;

	if (argc != 4 || !role_from_name(str_of(argv[2]), &role) || role_row(role) == NULL ||
	    !str_u64(str_of(argv[3]), PEERS_MAX - 1, &index) || !tls_wipe_what_is_freed() || sodium_init() == -1) {
		log_say(LEVEL_ERROR, "fatal", "--role is for the server's own use");
		return 2;
	}
	log_setup(STDERR_FILENO, role_name(role), LOG_TEXT, LEVEL_INFO);
	close_range(PARENT_FD + 1, ~0U, 0);
	leave_terminal();
	if (role_row(role)->ops->parent_gone == NULL)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	ignore_signals();
	set_up_env(&env, role_row(role), (unsigned)index);
	loop_run(env.loop);
	if (env.row->ops->end != NULL)
		env.row->ops->end(&env);
	env_end(&env);
}
