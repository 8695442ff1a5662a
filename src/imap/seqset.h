/* seqset.h - sequence-set as the client writes it (RFC 9051 9); view.h applies it to the messages that are there. */
#ifndef IMAP_SEQSET_H
#define IMAP_SEQSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lex.h"

struct seq_range {
	uint32_t lo; /* 0: "*" */
	uint32_t hi; /* in any order */
};

struct seq_set {
	struct seq_range *r;
	size_t n;
	bool saved; /* "$" is part of it (RFC 5182) */
};

/* sequence-set at the cursor; its length is bounded by the command line. */
struct seq_set lex_seq_set(struct lex *l);
/* Could a set begin here? Search keys that are sets have no name. */
bool lex_at_seq_set(const struct lex *l);

#endif
