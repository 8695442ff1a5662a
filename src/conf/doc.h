/* doc.h - pieces of the documentation of a key that text and manual share. */
#ifndef POSTERN_CONF_DOC_H
#define POSTERN_CONF_DOC_H

#include "table.h"

/* The default as a file would have it. */
void conf_doc_default(const struct conf_key *k, struct buf *out);
/* "number from 1 to 64", "text or json", "path". */
void conf_doc_kind(const struct conf_key *k, struct buf *out);

#endif
