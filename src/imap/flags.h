/* flags.h - flag lists in commands: STORE, APPEND (RFC 9051 9, flag-list). */
#ifndef IMAP_FLAGS_H
#define IMAP_FLAGS_H

#include <stddef.h>
#include <stdint.h>

#include "lex.h"

enum {
	FLAGS_MAX = 100, /* flags in one list; a mailbox holds fewer keywords anyway */
};

struct flag_args {
	uint32_t flags; /* enum store_flag */
	struct str *keywords;
	size_t n;
};

/* "(" [flag *(SP flag)] ")" */
void lex_flag_list(struct lex *l, struct flag_args *a);
/* flag-list / flag *(SP flag) */
void lex_store_flags(struct lex *l, struct flag_args *a);

#endif
