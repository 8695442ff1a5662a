/* show.c - what is in force and where each value comes from. The text is itself a configuration. */
#include <jansson.h>
#include <stdlib.h>

#include <postern/core/log.h>

#include "json.h"
#include "own.h"

static json_t *
origin_json(const struct conf *c, const struct conf_key *k, size_t element)
{
	struct buf text;
	json_t *origin;

	buf_init(&text, SIZE_MAX);
	conf_origin_write(c, k, element, &text);
	origin = json_text(buf_str(&text));
	buf_fini(&text);
	return origin;
}

/* { "hostname": { "value": …, "from": "file:line" }, … } */
static json_t *
keys_json(const struct conf *c, const char *section, const void *base, size_t element)
{
	json_t *keys = json_object();

	for (size_t i = 0; i < conf_nkeys; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (strcmp(k->section, section) == 0)
			json_object_set_new(keys, k->name,
			    json_pack("{s:o, s:o}", "value", json_value(k, base), "from", origin_json(c, k, element)));
	}
	return keys;
}

static json_t *
titled_json(const struct conf *c, const struct conf_section *s)
{
	json_t *all = json_object();

	for (size_t i = 0; i < conf_elements(c, s)->n; i++) {
		const void *element = conf_element(c, s, i);

		json_object_set_new(all, ((const struct str *)element)->p, keys_json(c, s->name, element, i));
	}
	return all;
}

static json_t *
show_json(const struct conf *c)
{
	json_t *root = keys_json(c, "", c, 0);

	for (size_t i = 1; i < conf_nsections; i++) {
		const struct conf_section *s = &conf_sections[i];
		json_t *parent = *s->parent == '\0' ? root : json_object_get(root, s->parent);

		json_object_set_new(
		    parent, s->name, s->title != NULL ? titled_json(c, s) : keys_json(c, s->name, c, 0));
	}
	return root;
}

void
conf_show(const struct conf *c, enum conf_style style, struct buf *out)
{
	if (style == CONF_JSON)
		json_write(show_json(c), out);
	else
		conf_write_origins(c, out);
}
