/* path.h - files beneath the store's root: no symbolic link is followed, nothing leads outside. */
#ifndef POSTERN_STORE_PATH_H
#define POSTERN_STORE_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <postern/core/str.h>

/* openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, O_CLOEXEC added; -1 with errno. */
int path_open(int dirfd, const char *path, int flags, mode_t mode);
int path_open_dir(int dirfd, const char *path);
/* A regular file for reading; anything else is EINVAL. */
int path_open_file(int dirfd, const char *path, uint64_t *size);
/* Makes the directories of the path that are missing, each with its parent durable. */
bool path_make(int dirfd, const char *path);
/* rename that never replaces; falls back to link and unlink where the file system cannot. */
bool path_rename_new(int from_dir, const char *from, int to_dir, const char *to);
/* Puts bytes into the file durably: a new file takes the place of the old one at once. */
bool path_replace(int dirfd, const char *name, struct str bytes);
/* Nanoseconds since the epoch of the last change of an open directory; 0 when it cannot be told. */
int64_t path_mtime(int fd);
/* Calls fn for each entry but "." and ".."; false with errno. fn returns false to end the walk early (which is not an
 * error). */
bool path_list(int dirfd, bool (*fn)(void *ctx, const char *name), void *ctx);
/* Removes a directory with everything in it (one level of directories deep below cur, new, tmp); what is not there is
 * gone already. */
bool path_remove_tree(int dirfd, const char *name, unsigned depth);

#endif
