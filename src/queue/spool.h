/* spool.h - content of large messages: one file per message, named by its qid, in <queue>/spool. */
#ifndef POSTERN_QUEUE_SPOOL_H
#define POSTERN_QUEUE_SPOOL_H

#include <sys/types.h>

#include <postern/core/err.h>
#include <postern/core/io.h>

struct spool {
	int dir;
	int proc_fd; /* the caller's */
	dev_t dev;
};

/* Opens (makes) the directory path below dirfd. */
bool spool_open(struct spool *s, int dirfd, const char *path, int proc_fd, struct err *e);
void spool_close(struct spool *s);

/* A new file without a name; -1 with e. */
int spool_new(struct spool *s, struct err *e);
/* True for such a file that has not been put yet: nobody else can have one. */
bool spool_is_new(const struct spool *s, int fd);

/* Starts writing fd's bytes to the disk: called for all files of a group before the first is put, it makes their
 * syncs one. */
void spool_push(int fd);
/* Makes the content durable under the name of qid, by a link when fd is a new spool file, else by a copy. The name
 * is durable after spool_sync. False when the name exists or for lack of space; then nothing of it remains. */
bool spool_put(struct spool *s, struct id qid, int fd, struct err *e);
bool spool_sync(struct spool *s, struct err *e);
/* For reading; -1 with errno. */
int spool_get(struct spool *s, struct id qid);
void spool_remove(struct spool *s, struct id qid);

/* Removes files older than age_s seconds that keep does not know, and what writing left behind. Returns their
 * number. */
unsigned spool_sweep(struct spool *s, int64_t age_s, bool (*keep)(void *ctx, struct id qid), void *ctx);
/* Bytes free for us on the file system. */
uint64_t spool_free_bytes(const struct spool *s);

#endif
