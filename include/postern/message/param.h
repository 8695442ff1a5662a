/* param.h - "value; name=value …" fields: RFC 2045 5.1, RFC 2183, RFC 2231.
 *
 * Content-Type and Content-Disposition with their parameters, tolerant. Continuations are put together (RFC 9051
 * 7.5.2): name*0, name*1 → "name". If the value carries a charset or percent-encoding (name*, name*0*) it becomes one
 * parameter "name*" whose value is again RFC 2231 text in UTF-8: utf-8'language'%C3%A4…, so that a client reads it
 * like the unbroken parameter; param_decode() gives the plain text. Of two parameters of one name the first counts. */
#ifndef POSTERN_MESSAGE_PARAM_H
#define POSTERN_MESSAGE_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/str.h>

enum {
	PARAM_MAX = 64,          /* parameters per field, sections of continuations counted */
	PARAM_SECTION_MAX = 999, /* highest number of a continuation */
};

struct param {
	struct param *next;
	struct str name; /* lower case; ends with "*" for RFC 2231 text */
	struct str value;
};

/* Content-Type: type and subtype in lower case. False (nothing set) when there is no "type/subtype". */
bool param_parse_type(struct arena *a, struct str value, struct str *type, struct str *subtype,
    const struct param **params);
/* Content-Disposition: one token in lower case. False (nothing set) when there is none. */
bool param_parse_token(struct arena *a, struct str value, struct str *token, const struct param **params);

/* The parameter of that name (lower case), "name*" too; NULL when there is none. */
const struct param *param_find(const struct param *list, struct str name);
/* Adds the value as UTF-8 text: RFC 2231 decoded, encoded words that some mailers put there as well. */
void param_decode(struct buf *out, const struct param *p);

#endif
