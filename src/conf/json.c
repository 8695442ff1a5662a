/* json.c - keys and values for jansson. */
#include "json.h"

#include <stdlib.h>

json_t *
json_text(struct str s)
{
	return json_stringn_nocheck(s.n > 0 ? s.p : "", s.n);
}

static json_t *
word_json(const struct conf_key *k, const void *value)
{
	struct buf word;
	json_t *json;

	if (k->type == &type_bool)
		return json_boolean(*(const bool *)value);
	if (k->type == &type_number)
		return json_integer(*(const unsigned *)value);
	buf_init(&word, SIZE_MAX);
	k->type->write(k, value, &word);
	json = json_text(buf_str(&word));
	buf_fini(&word);
	return json;
}

json_t *
json_value(const struct conf_key *k, const void *base)
{
	const char *field = (const char *)base + k->at;
	const struct conf_list *list = (const struct conf_list *)field;
	json_t *all;

	if (!k->type->list)
		return word_json(k, field);
	all = json_array();
	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(all, word_json(k, (const char *)list->v + i * k->type->size));
	return all;
}

void
json_write(json_t *root, struct buf *out)
{
	char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	buf_add_cstr(out, text);
	buf_add_char(out, '\n');
	free(text);
	json_decref(root);
}
