/* use.h - the words of special uses in our own files. */
#ifndef POSTERN_STORE_USE_H
#define POSTERN_STORE_USE_H

#include <postern/store/read.h>

/* "sent"; "" for none. */
const char *use_word(enum store_use use);
/* False for what is the word of no use. */
bool use_parse(struct str word, enum store_use *use);

#endif
