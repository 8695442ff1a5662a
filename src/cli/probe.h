/* probe.h - `postern tls probe': a mail server's TLS as others see it. */
#ifndef POSTERN_CLI_PROBE_H
#define POSTERN_CLI_PROBE_H

#include "command.h"
#include "probe_judge.h"

int do_tls_probe(struct cli *c);

/* A port's facts and what they are worth, for --json and for people. */
json_t *probe_port_json(const struct port_facts *f, const struct judgement *j);
/* The whole answer as text. */
void probe_write(const json_t *root, struct buf *out);

#endif
