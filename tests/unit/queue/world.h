/* world.h - a world for the queue's tests: stores and auth in memory that fail as a script says, a clock that stands
 * still, and a check of the promise: each recipient of an accepted message has it in exactly one place. */
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

size_t world_copies(const struct world *w, const char *user, const char *detail);
const struct copy *world_copy(const struct world *w, const char *user);
uint64_t world_rows(struct world *w);
/* The row of a recipient: its state and reason, false when there is none. */
bool world_row(struct world *w, const char *address, struct queue_recipient_info *out, char reason[static 256]);

#endif
