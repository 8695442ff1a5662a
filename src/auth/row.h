/* row.h - the bytes of the directory's rows; private to src/auth.
 *
 * Each row begins with the number of its layout. Integers are big-endian, strings have 16 bits of length. What is read
 * is checked against every limit: a damaged row fails, it does not become another user's. */
#ifndef POSTERN_AUTH_ROW_H
#define POSTERN_AUTH_ROW_H

#include <stdbool.h>

#include <postern/auth/directory.h>
#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/str.h>

enum { ROW_MAX = 256 * 1024 };

void row_write_user(struct buf *out, const struct user *u);
void row_write_alias(struct buf *out, const struct alias *al);
void row_write_domain(struct buf *out, const struct domain *d);

/* Fill everything but the name (and leave it alone). Strings are copied to the arena. */
bool row_parse_user(struct str row, struct user *u);
bool row_parse_alias(struct str row, struct arena *a, struct alias *al);
bool row_parse_domain(struct str row, struct domain *d);

#endif
