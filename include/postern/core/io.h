/* io.h - descriptors and random names: the few calls that everybody would otherwise write again. */
#ifndef POSTERN_CORE_IO_H
#define POSTERN_CORE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

/* Write all or fail with errno; EINTR is retried, short writes are continued. */
bool io_write_all(int fd, struct str s);
bool io_pwrite_all(int fd, struct str s, off_t at);
/* One pread(), EINTR retried: how many bytes, 0 at the end, -1 with errno. */
ssize_t io_pread(int fd, void *p, size_t n, off_t at);
/* Reads exactly n bytes at offset; false with errno (0 when the file ends early). */
bool io_pread_all(int fd, void *p, size_t n, off_t at);
/* Adds the whole file, from offset 0, up to the ceiling of b; false with errno (EFBIG when over). */
bool io_read_file(int dirfd, const char *path, struct buf *b);
bool io_read_fd(int fd, struct buf *b);
/* A descriptor of /proc/self/fd, through which a file without a name gets one (linkat) after the root was closed; -1 with errno. No
 * ".." leads out of it, unless we may not mount (a container that keeps CAP_SYS_ADMIN from us): then it is the plain directory. */
int io_open_fds(void);
/* Closes *fd unless it is -1, and sets it to -1. */
void io_close(int *fd);
/* False with errno. */
bool io_nonblock(int fd);

/* A 16-byte identifier, unique for ever: 6 bytes of wall-clock ms (so that they sort by time), 10 random. */
struct id {
	uint8_t b[16];
};
struct id id_new(void);
bool id_eq(struct id a, struct id b);
enum { ID_TEXT_SIZE = 27 };
/* 26 characters, 0-9 and a-v (RFC 4648 base32hex, lower case), sortable, NUL-terminated. */
void id_text(struct id id, char out[static ID_TEXT_SIZE]);
bool id_parse(struct str text, struct id *id);

#endif
