/* sync.h - making a group of files durable: file by file, or the whole file system at once.
 *
 * syncfs waits for everybody's data: only for larger groups, only on file systems where it is known to do what it
 * promises, and only while little foreign data is dirty. It reports an error once per open descriptor, to whoever
 * asks first: so there is one descriptor, and a group whose writing began before a failure that another one was told
 * of has failed, too. An error is final: nothing is ever synced again to see. */
#ifndef POSTERN_STORE_SYNC_H
#define POSTERN_STORE_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct syncer;

/* Opens /proc/meminfo for the life of the process. */
void syncer_prepare(void);
/* from: number of files from which on syncfs is used; threads: helpers may be started. */
struct syncer *syncer_new(int root, unsigned from, bool threads);
void syncer_free(struct syncer *y);

struct sync_set {
	struct syncer *syncer;
	uint64_t failures; /* of syncfs when the writing began */
	int *fds;
	size_t n, cap;
};
/* Before the first byte of any of the files is written. */
void sync_begin(struct sync_set *s, struct syncer *y);
void sync_add(struct sync_set *s, int fd);
/* All that was added (files or directories) is durable; false with errno. Any thread. */
bool sync_run(struct sync_set *s);
void sync_fini(struct sync_set *s);

#endif
