/* engine.h - libunbound, set up for us. */
#ifndef DNS_ENGINE_H
#define DNS_ENGINE_H

#include <unbound.h>

#include <postern/dns/resolver.h>

/* A context on the loop with every option set and every file read; NULL with words in e. */
struct ub_ctx *engine_open(struct loop *l, const struct dns_options *o, struct err *e);

#endif
