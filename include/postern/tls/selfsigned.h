/* selfsigned.h - a certificate for a server that has none yet, so that everything runs. */
#ifndef POSTERN_TLS_SELFSIGNED_H
#define POSTERN_TLS_SELFSIGNED_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/core/err.h>
#include <postern/core/str.h>

enum { SELFSIGNED_YEARS = 10 };

/* A new P-256 key and a certificate of its own for the host name (and localhost, for tests on the box), valid from
 * an hour ago for SELFSIGNED_YEARS. Both as PEM; key holds a secret: buf_wipe. */
bool selfsigned_make(struct str hostname, struct buf *certificate, struct buf *key, struct err *e);

#endif
