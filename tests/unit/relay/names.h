/* names.h - a DNS of text rows for tests of the relay, with its answers in any order.
 *
 * A row: "NAME TYPE STATUS [=TTL] [>TARGET[!]] RECORD…". TARGET: where the aliases of the name lead; "!": the first of them is
 * proved although the answer is not. Records: "10:mx.d.test", "192.0.2.1", "311" (a TLSA record whose data has the right
 * length), "311x" (whose data has not). A status "silent" is never answered. A name without a row does not exist, one
 * with rows of other types only has no such record, both proved. */
#ifndef TESTS_RELAY_NAMES_H
#define TESTS_RELAY_NAMES_H

#include <postern/relay/relay.h>

enum { NAMES_ASKED_MAX = 256 };

enum names_order { NAMES_FIRST, NAMES_LAST, NAMES_RANDOM };

struct names_question {
	bool open;
	enum dns_type type;
	char name[DNS_NAME_MAX + 1];
	void (*on)(void *arg, const struct dns_answer *a);
	void *arg;
};

struct names {
	const char *const *rows; /* NULL at the end */
	struct names_question asked[NAMES_ASKED_MAX];
	unsigned n, open;
	unsigned random; /* state of NAMES_RANDOM */
};

extern const struct relay_ops names_ops; /* ctx: struct names */

/* Answers one open question; false: there is none but silent ones. */
bool names_answer(struct names *n, enum names_order order);
/* How often it was asked. */
unsigned names_asked(const struct names *n, enum dns_type type, const char *name);
/* A record list of a row as an answer's; memory from a. Fuzzing and tests that make answers of their own use it. */
void names_read(const char *row, enum dns_type type, struct arena *a, struct dns_answer *out);

#endif
