/* world.h - a world for the queue's tests: stores, auth, other hosts and MTA-STS in memory that fail as a script says, a clock that
 * stands still, and a check of the promise: each recipient of an accepted message has it in exactly one place. */
#ifndef POSTERN_TESTS_QUEUE_WORLD_H
#define POSTERN_TESTS_QUEUE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/queue/admin.h>
#include <postern/queue/queue.h>

enum { COPIES_MAX = 600, HANDLED_MAX = 256 };

/* What a store does with the next question. */
enum act {
	ACT_OK,
	ACT_TEMP,
	ACT_PERM,
	ACT_GONE_BEFORE, /* dies before anything happened */
	ACT_GONE_AFTER,  /* dies when all is done, before it answers */
	ACT_STATES,
};

/* What the hosts of a destination do with a job. */
enum remote {
	REMOTE_LATER, /* 451 for each: the default */
	REMOTE_TAKE,
	REMOTE_REFUSE, /* 550 for each */
	REMOTE_DEAD,   /* no host is reached */
	REMOTE_NO_DOMAIN,
	REMOTE_CROWDED,
	REMOTE_GONE, /* the relay process dies before */
	REMOTE_HANGS, /* answered by world_release */
	REMOTE_MIXED, /* the first address is taken, the second refused, the third later, … */
};

/* A recipient that another host took. */
struct sent {
	struct id qid;
	char destination[64], address[128];
	char sts[64]; /* the beginning of the policy that the job carried */
};

struct held_job {
	struct queue_ask *ask;
	struct id qid;
	struct mono since;
	char destination[64];
	char addresses[QUEUE_JOB_MAX][128];
	size_t n;
};

/* One copy in a store: visible, or prepared. */
struct copy {
	struct id id;
	unsigned store;
	bool visible;
	char user[64], detail[64], orig_to[128], sender[64];
	char *message; /* prefix and body */
	size_t size;
};

struct world {
	char dir[64];
	struct loop *loop;
	struct queue_options options;
	struct queue *q;
	struct copy copies[COPIES_MAX];
	size_t ncopies;
	/* A script: asked for each target of a DELIVER, and with target NULL for each batch and settle. NULL: all is
	 * well. */
	enum act (*act)(struct world *w, const char *question, struct str user);
	void *script;
	/* Asked for each job; NULL: LATER. */
	enum remote (*remote)(struct world *w, const struct queue_job *job);
	/* Other routes than each domain for itself. */
	void (*route)(struct world *w, struct str domain, struct queue_destination *out);
	/* Asked for each look at MTA-STS; NULL: no domain has a record. Answers the question. */
	void (*sts)(struct world *w, struct str domain, struct str known_id, bool refresh, struct queue_ask *ask);
	struct queue_hop hop; /* of the hosts' answers */
	bool dsn_passed;
	unsigned jobs, looks; /* for relay processes, for policies */
	struct sent *sent;
	size_t nsent;
	struct held_job *held;
	size_t nheld, held_rows;
	char log[1 << 16];   /* the last lines */
	size_t log_n;
	unsigned asked;   /* questions so far */
	bool dead;        /* the queue has crashed: nothing is answered any more */
	bool down;        /* stores and auth do not answer: gone */
	struct queue_ask *held_asks[HANDLED_MAX]; /* of a dead queue: never answered */
	struct queue_answer last; /* of the submission below */
	bool answered;
	bool guard_fired;
	struct loop_timer guard;
};

void world_init(struct world *w);
void world_fini(struct world *w);
void world_open(struct world *w);
/* As a crash: what stores had prepared for the dead queue is dropped. */
void world_crash(struct world *w);

/* A message of `size` body bytes from sender to the targets: "user@example.test", "user+detail@example.test" are
 * local, the rest is remote; "!user" has NOTIFY=NEVER, "+user" SUCCESS. Each is a recipient of its own. NULL ends
 * the list. */
int world_message(const struct world *w, const char *sender, const char *const *to, size_t size, struct id *qid);
/* Submits and runs until the answer is there; w->last. */
void world_submit(struct world *w, int fd);
/* Runs the loop until nothing is under way. */
void world_idle(struct world *w);
/* Steps the clock until nothing is due any more, at most that many hours. */
void world_settle(struct world *w, int hours);

/* Hosts that hang answer now: the first job held, as the script would have said. */
void world_release(struct world *w, enum remote how);
/* How often the recipient was taken by another host; of that destination, of all of them. */
size_t world_sent(const struct world *w, const char *address);
size_t world_sent_to(const struct world *w, const char *destination);
/* Whether the log has a line with all of these words, NULL at the end. */
bool world_logged(const struct world *w, const char *const *words);

size_t world_copies(const struct world *w, const char *user, const char *detail);
const struct copy *world_copy(const struct world *w, const char *user);
uint64_t world_rows(struct world *w);
/* The row of a recipient: its state and reason, false when there is none. */
bool world_row(struct world *w, const char *address, struct queue_recipient_info *out, char reason[static 256]);

#endif
