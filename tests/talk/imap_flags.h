/* imap_flags.h - flags as random clients keep them, so that two of them can compare what they were told. */
#ifndef POSTERN_TESTS_IMAP_FLAGS_H
#define POSTERN_TESTS_IMAP_FLAGS_H

#include <stddef.h>

#include <postern/core/str.h>

/* The words between the parentheses of FLAGS, sorted; \Recent is left out: it differs from session to session. The process ends when
 * they do not fit. */
void flags_sort(struct str list, char *to, size_t size);

#endif
