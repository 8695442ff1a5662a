/* id.h - the ID command's argument and answer (RFC 2971), the same before and after login. */
#ifndef IMAP_ID_H
#define IMAP_ID_H

#include "lex.h"

enum {
	ID_PAIRS_MAX = 30,   /* RFC 2971 3.3 */
	ID_FIELD_MAX = 30,   /* bytes of a field name */
	ID_VALUE_MAX = 1024, /* bytes of a value */
};

/* SP id-params-list; the values are checked and forgotten: who the client says it is changes nothing. */
bool lex_id_params(struct lex *l);
void id_write(struct buf *out);

#endif
