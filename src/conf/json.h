/* json.h - keys and values for jansson. */
#ifndef POSTERN_CONF_JSON_H
#define POSTERN_CONF_JSON_H

#include <jansson.h>

#include "table.h"

json_t *json_text(struct str s);
/* A list as an array; numbers, yes and no in their own types; everything else as the file has it. */
json_t *json_value(const struct conf_key *k, const void *base);
/* Adds root, indented, with a newline, and lets go of it. */
void json_write(json_t *root, struct buf *out);

#endif
