/* secret.h - passwords from the terminal, without echo, or from standard input.
 *
 * Never from arguments: those are seen by all. */
#ifndef POSTERN_CLI_SECRET_H
#define POSTERN_CLI_SECRET_H

#include <postern/core/buf.h>

#include "command.h"

enum secret_asking { SECRET_ONCE, SECRET_TWICE /* a new one: typed again to be sure */ };

/* Adds the password (one line) to out, which the caller wipes. CLI_DONE, or another status with its words said. */
int secret_read(const struct cli *c, enum secret_asking asking, struct buf *out);

#endif
