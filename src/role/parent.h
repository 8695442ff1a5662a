/* parent.h - the process that starts the others, hands each what it needs, and starts again what dies. It reads no byte from the
 * network and parses no mail. */
#ifndef ROLE_PARENT_H
#define ROLE_PARENT_H

#include <sys/types.h>

#include <postern/core/clock.h>
#include <postern/core/err.h>
#include <postern/core/loop.h>
#include <postern/tls/ticket.h>

#include <postern/role/control.h>
#include "hung.h"
#include "table.h"

enum {
	PROCS_MAX = 64,
	SOCKETS_MAX = 64,
	RESTART_FIRST_MS = 100,     /* after a death soon after the start; doubled each time */
	RESTART_LAST_MS = 10000,
	RESTART_CALM_MS = 10000,    /* who lived that long is started again at once */
	DRAIN_SECONDS = 10,         /* for each step of stopping */
	WATCH_MS = 30000,           /* between looks at the certificate files */
	PASSWORD_FILE_MAX = 4096,   /* of a route's password file */
	JOIN_MS = 500,              /* between two new channels that one process asks for */
};

/* One process of a role, alive or about to be started again. */
struct proc {
	struct server *server;
	const struct role_row *row;
	unsigned index;
	pid_t pid; /* 0: not running */
	struct ipc_chan *chan;
	bool ready;
	bool was_ready; /* at least once */
	uint32_t generation;
	struct mono started;
	struct mono joined; /* when it last got a channel for one that ended */
	struct hung hung;
	int64_t backoff_ms;
	struct loop_timer restart;
	int control_fd; /* its control socket, kept across restarts; -1 */
};

/* A listening socket, handed to every process of its role. */
struct listen_socket {
	enum role role;
	const char *service;
	struct str address; /* as configured; memory of the server's */
	int fd;
};

struct server {
	struct loop *loop;
	const char *conf_path;
	const struct conf *conf;
	int exe_fd;  /* our own program, so that a restart runs the same version */
	int lock_fd; /* one server per state directory */
	int stderr_fd; /* the server's own standard error, while ours is the pipe of the log; -1 */
	int log_fd;    /* the pipe's read end; -1 */
	struct proc procs[PROCS_MAX];
	unsigned nprocs;
	struct listen_socket sockets[SOCKETS_MAX];
	unsigned nsockets;
	struct tls_ticket_ring tickets[SERVICE_COUNT];
	struct loop_timer rotate;
	struct loop_timer watch;
	struct loop_timer look; /* at who does not answer */
	uint64_t key_files; /* fingerprint of the certificate files' times and sizes */
	struct mono started;
	bool announced; /* all roles were ready */
	char skipped[256]; /* sandbox layers that the last role to say so had to do without */
	bool draining;
	int drain_step;
	struct loop_timer drain_limit;
	struct ipc_question *stop_asked; /* `postern stop` waits for the end */
	int status;
};

/* state.c: the directories under conf->state with their owners, and the lock. */
bool state_prepare(struct server *s, struct err *e);
/* A path under the state directory; static memory, overwritten by the next call. */
const char *state_path(const struct conf *conf, const char *name);

/* sockets.c: opens what the configuration's listen section names, and control sockets. */
bool sockets_open(struct server *s, struct err *e);
int sockets_control(const struct server *s, const char *name, struct err *e);

/* spawn.c: forks and executes one role; its channel is attached. False: the machine cannot. */
bool spawn(struct proc *p, struct err *e);

/* logpipe.c: makes the pipe of the log our standard error; hands the role log its ends; writes out what is left at the end. */
bool logpipe_open(struct server *s, struct err *e);
void logpipe_hand(struct proc *p);
void logpipe_close(struct server *s);

/* hand.c: what a fresh process gets, and what changes while it runs. */
void hand_everything(struct proc *p);
void hand_conf(struct proc *p, bool reload);
bool hand_keypairs(struct proc *p, bool reload, struct err *e);
void hand_tickets(struct proc *p);
/* A channel between the two ended though both live on: a new one, if they are of roles that talk. */
void hand_channel_again(struct proc *p, struct proc *peer, bool sign);
uint64_t keypairs_fingerprint(const struct conf *conf);

/* passwords.c: the passwords of routes, to a relay process. */
void hand_passwords(struct proc *p);

/* drain.c: ends all, in steps; a process has ended: on to the next step when it was the last of its own; who does not end; the end. */
void parent_drain(struct server *s);
void parent_drain_on(struct server *s);
void parent_drain_by_force(void *server);
void parent_end(struct server *s, int status);
/* reload.c: false with what is wrong in e; the old configuration stays. */
bool parent_reload(struct server *s, struct err *e);
void parent_watch(void *server);
/* hung.c: at each process, and again after a while. */
void parent_look(void *server);
/* status.c: status, reload, stop. */
extern const struct control_verb parent_verbs[];

/* notify.c: tells systemd, when there is one (sd_notify(3)). */
void notify_systemd(const char *state);

#endif
