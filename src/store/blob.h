/* blob.h - a message file on its way: without a name where the file system can do that, else under one in tmp/. */
#ifndef POSTERN_STORE_BLOB_H
#define POSTERN_STORE_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/io.h>
#include <postern/core/str.h>

struct store;

struct blob {
	int fd;   /* -1: nothing */
	int tmp;  /* the tmp/ directory of `name`; -1: it has none */
	char name[64];
};

/* How a file without a name gets one: found out once, when the store opens. */
enum blob_way {
	BLOB_PROC,  /* linkat through a descriptor of /proc/self/fd that was opened before the root was closed */
	BLOB_EMPTY, /* linkat with AT_EMPTY_PATH */
	BLOB_NAMED, /* not at all: a name in tmp/, then rename */
};
void blob_prepare(void);
void blob_probe(struct store *s);

void blob_init(struct blob *b);
/* tmp: the directory, which must stay open until the blob is linked or dropped. False with errno. */
bool blob_open(const struct store *s, struct blob *b, int tmp);
/* Gives it its name, never replacing anything. False with errno. */
bool blob_link(const struct store *s, struct blob *b, int dirfd, const char *name);
/* Closes it; without blob_link it is gone. */
void blob_close(struct blob *b);
bool blob_set_date(const struct blob *b, int64_t seconds);
/* The disk of this directory has room for n bytes and what must stay free. */
bool blob_has_room(const struct store *s, int dirfd, uint64_t n);

#endif
