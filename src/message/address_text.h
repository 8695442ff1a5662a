/* address_text.h - what the grammar (address.c) and the canonical forms (address_canon.c) share. */
#ifndef POSTERN_MESSAGE_ADDRESS_TEXT_H
#define POSTERN_MESSAGE_ADDRESS_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include <postern/core/str.h>

enum { ADDRESS_LITERAL_SIZE = 64 };

/* RFC 5322 3.2.3, the ASCII part. */
bool address_is_atext(char c);
/* literal with its brackets → the same as inet_ntop writes it, NUL-terminated. */
bool address_canon_literal(struct str literal, char out[static ADDRESS_LITERAL_SIZE]);

#endif
