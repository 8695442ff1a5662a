/* world.h - a planning in a world of text: a DNS of rows (names.h), a configuration, and the plan as one line. */
#ifndef TESTS_RELAY_WORLD_H
#define TESTS_RELAY_WORLD_H

#include "names.h"

#include <postern/core/buf.h>
#include <postern/relay/plan.h>

#define HEAD "hostname = mx.example.test\ndomains = { example.test }\n"

struct world {
	struct loop *loop;
	struct conf *conf;
	struct names names;
	struct relay_ops ops;
	struct relay_planning *planning;
	struct buf plan; /* as a line: empty until it is there */
	unsigned done; /* how often */
	const struct relay_plan *last;
};

struct world_mail {
	const char *destination; /* NULL: "d.test" */
	const char *conf; /* lines behind HEAD; NULL: none */
	const char *sts; /* policy; NULL: none */
	enum tls_message message;
	int64_t within_ms;
};

void world_init(struct world *w, const char *const *rows, const struct world_mail *mail);
void world_fini(struct world *w);
/* Asks, and runs the loop until the first questions are there. */
void world_ask(struct world *w, const struct world_mail *mail);
/* Only asks. */
void world_ask_route(struct world *w, const struct relay_plan_query *q);
/* Answers all, in the order given, until the plan is there. */
void world_run(struct world *w, enum names_order order);

/* "DONE; mx.d.test dane 2 192.0.2.1 2001:db8::1; mx2.d.test -", "TEMP 4.4.3; mx.d.test - dnssec-invalid": verdict, then each
 * host with its demand, how many TLSA records count, its addresses (with a port that is not 25); "-": not to be
 * connected to, and what TLS reporting counts. */
void world_write(const struct relay_plan *p, struct buf *out);

#endif
