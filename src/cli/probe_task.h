/* probe_task.h - between probe_port.c, which runs the questions to a port, and probe_task.c, which knows them. */
#ifndef POSTERN_CLI_PROBE_TASK_H
#define POSTERN_CLI_PROBE_TASK_H

#include "probe_port.h"

enum task {
	TASK_LOOK,
	TASK_DELIVER,
	TASK_INJECT,
	TASK_VERSIONS, /* one for each */
	TASK_RENEGOTIATE = TASK_VERSIONS + PORT_VERSIONS,
	TASK_GROUPS,
	TASKS,
};

struct task_state {
	enum { WAITS, RUNS, OVER } state;
	struct probe_port *port;
	unsigned lost;
	struct mono rests; /* until then: its connection was lost */
	struct shot *shot;
	struct tls_peek_offer offer;
};

struct probe_port {
	const struct port_world *world;
	const struct names_host *host;
	bool guess;
	unsigned address; /* which of the host's */
	struct task_state tasks[TASKS];
	struct port_facts facts;
	unsigned most; /* connections at once */
	struct loop_timer turn;
	void (*done)(void *ctx);
	void *ctx;
};

enum next { AGAIN, ENOUGH };

struct task_row {
	/* True: now. False: later; or never, once nothing runs any more. */
	bool (*ready)(const struct probe_port *p);
	bool (*aim)(struct probe_port *p, struct task_state *t, struct shot_aim *a); /* false: nothing to ask */
	enum next (*take)(struct probe_port *p, struct task_state *t, struct shot *s);
};

extern const struct task_row task_rows[TASKS];

/* Of a task that eliminates; NULL for the others. */
struct tls_trial *task_trial(struct task_state *t);

#endif
