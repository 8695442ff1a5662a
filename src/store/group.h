/* group.h - deliveries on their way; private to src/store.
 *
 *   opening → writing → syncing → (prepared →) publishing → told
 *
 * Two works run at a time: one writes what has arrived, one makes durable and names what is written. While a group is
 * being made durable the next collects; groups finish in order. */
#ifndef POSTERN_STORE_GROUP_H
#define POSTERN_STORE_GROUP_H

#include <postern/store/deliver.h>

#include "state.h"
#include "sync.h"

enum target_state {
	TARGET_OPENING,
	TARGET_READY,     /* to be written, or written */
	TARGET_PUBLISHED, /* durable under its name by this delivery */
	TARGET_KNOWN,     /* an earlier delivery of this id did it */
	TARGET_REFUSED,
};

struct target {
	struct delivery *d;
	enum target_state state;
	struct err err;
	struct store_user *u; /* held; NULL while opening and when that failed */
	char *user;
	char *mailbox;
	struct buf head;
	uint64_t limit;
	uint32_t number;      /* of the mailbox */
	char dir[256];
	struct mdir_fds {
		int fresh, tmp;
	} dirs;
	struct blob blob;
	uint64_t size;
	char name[FNAME_SIZE]; /* in new/ */
};

enum delivery_state { DELIVERY_OPENING, DELIVERY_WRITING, DELIVERY_WRITTEN, DELIVERY_SYNCING, DELIVERY_PREPARED };

struct delivery {
	struct delivery *next;
	struct store *s;
	enum delivery_state state;
	struct id id;
	int fd;
	struct store_part parts[2];
	struct target *targets;
	size_t n;
	size_t opening;
	bool publish;      /* gets its names in the next group */
	bool synced;       /* its data is durable */
	bool was_prepared; /* before this group: its publishing was asked for */
	struct sync_set set; /* begun before its first byte was written */
	struct store_delivered done;
};

struct group_work {
	struct job job;
	struct store *s;
	struct delivery *list;
};

struct group {
	struct map by_id;           /* every delivery that is not told yet */
	struct delivery *arrived, **last_arrived;
	struct delivery *written, **last_written;
	bool writing, syncing;
};

/* deliver_open.c: the user is open. */
enum target_state deliver_check_target(struct target *t);
struct str delivery_key(const struct id *id);

void group_write(struct job *j);
void group_sync(struct job *j);
/* Both, one after the other. */
void group_whole(struct job *j);

struct group *group_new(void);
void group_free(struct group *g);
bool group_busy(const struct group *g);

#endif
