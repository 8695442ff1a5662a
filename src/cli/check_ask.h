/* check_ask.h - many questions to DNS at once, answered when the call returns: for commands. */
#ifndef POSTERN_CLI_CHECK_ASK_H
#define POSTERN_CLI_CHECK_ASK_H

#include <postern/core/arena.h>
#include <postern/core/loop.h>
#include <postern/dns/resolver.h>

struct check_question {
	enum dns_type type;
	struct str name;
	struct dns_answer answer; /* memory from the arena */
};

/* Asks them all and runs the loop until the last is answered. */
void check_ask(struct loop *l, struct dns *dns, struct check_question *v, size_t n, struct arena *a);

#endif
