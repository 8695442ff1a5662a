/* init.h - from nothing to a working site, and the DNS records that belong to it. */
#ifndef POSTERN_CLI_INIT_H
#define POSTERN_CLI_INIT_H

#include <postern/core/buf.h>

#include "command.h"

int init_run(struct cli *c);
int dns_records(struct cli *c);

/* Adds the records to publish, in the form of a zone file. */
void records_write(const struct conf *conf, struct buf *out);

#endif
