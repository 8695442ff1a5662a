/* doc.c - every key with meaning, type and default: the words of `config doc` and of postern.conf(5). */
#include "doc.h"

#include <stdlib.h>

#include "json.h"

enum { LINE_WIDTH = 100 };

void
conf_doc_default(const struct conf_key *k, struct buf *out)
{
	struct str rest = str_of(k->preset);
	struct str word;
	size_t n = 0;

	if (!k->type->list) {
		if (k->type->bare)
			buf_add(out, rest);
		else
			buf_add_quoted(out, rest);
		return;
	}
	while (str_cut(&rest, ' ', &word)) {
		buf_add_cstr(out, n++ == 0 ? "{ " : ", ");
		buf_add_quoted(out, word);
	}
	buf_add_cstr(out, n > 0 ? " }" : "{}");
}

static void
add_range(const struct conf_key *k, struct buf *out)
{
	struct buf low, high;

	buf_init(&low, 32);
	buf_init(&high, 32);
	if (conf_range_write(k, &low, &high))
		buf_addf(out, " from %s to %s", buf_cstr(&low), buf_cstr(&high));
	buf_fini(&low);
	buf_fini(&high);
}

void
conf_doc_kind(const struct conf_key *k, struct buf *out)
{
	if (k->choices == NULL) {
		buf_add_cstr(out, k->type->name);
		add_range(k, out);
		return;
	}
	for (size_t i = 0; k->choices[i] != NULL; i++) {
		buf_add_cstr(out, i == 0 ? "" : k->choices[i + 1] != NULL ? ", " : " or ");
		buf_addf(out, k->type->bare ? "%s" : "\"%s\"", k->choices[i]);
	}
}

/* Words in lines of LINE_WIDTH, each with the margin in front. */
static void
wrap(struct str text, const char *margin, struct buf *out)
{
	struct str word;
	size_t column = 0;

	while (str_cut(&text, ' ', &word)) {
		bool fits = column > 0 && column + 1 + word.n <= LINE_WIDTH;

		if (!fits)
			buf_addf(out, "%s%s", column > 0 ? "\n" : "", margin);
		else
			buf_add_char(out, ' ');
		buf_add(out, word);
		column = fits ? column + 1 + word.n : strlen(margin) + word.n;
	}
	buf_add_char(out, '\n');
}

static void
doc_key(const struct conf_key *k, struct buf *out)
{
	buf_add_cstr(out, "  ");
	conf_key_write(k, out);
	buf_add_cstr(out, " = ");
	conf_doc_default(k, out);
	buf_add_cstr(out, "\n      ");
	conf_doc_kind(k, out);
	if (k->rfc != NULL)
		buf_addf(out, "; RFC %s", k->rfc);
	if (k->restart)
		buf_add_cstr(out, "; a change needs a restart");
	buf_add_char(out, '\n');
	wrap(str_of(k->help), "      ", out);
}

static void
doc_section(const struct conf_section *s, struct buf *out)
{
	if (*s->name != '\0')
		buf_addf(out, "\n%s%s {}\n", s->name, s->title != NULL ? " \"…\"" : "");
	wrap(str_of(s->help), "  ", out);
	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].section, s->name) == 0)
			doc_key(&conf_keys[i], out);
}

static json_t *
range_json(const struct conf_key *k)
{
	struct buf low, high;
	json_t *range = json_null();

	buf_init(&low, 32);
	buf_init(&high, 32);
	if (conf_range_write(k, &low, &high))
		range = json_pack("[o, o]", json_text(buf_str(&low)), json_text(buf_str(&high)));
	buf_fini(&low);
	buf_fini(&high);
	return range;
}

static json_t *
choices_json(const struct conf_key *k)
{
	json_t *all = k->choices != NULL ? json_array() : json_null();

	for (size_t i = 0; k->choices != NULL && k->choices[i] != NULL; i++)
		json_array_append_new(all, json_text(str_of(k->choices[i])));
	return all;
}

static json_t *
key_json(const struct conf_key *k)
{
	struct buf preset;
	json_t *key;

	buf_init(&preset, SIZE_MAX);
	conf_doc_default(k, &preset);
	key = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:s?, s:s}", "section", k->section, "name", k->name,
	    "type", k->type->name, "syntax", k->type->syntax, "default", buf_cstr(&preset), "range", range_json(k),
	    "choices", choices_json(k), "restart", (int)k->restart, "rfc", k->rfc, "help", k->help);
	buf_fini(&preset);
	return key;
}

static json_t *
doc_json(void)
{
	json_t *all = json_array();

	for (size_t i = 0; i < conf_nkeys; i++)
		json_array_append_new(all, key_json(&conf_keys[i]));
	return all;
}

void
conf_doc(enum conf_style style, struct buf *out)
{
	if (style == CONF_JSON) {
		json_write(doc_json(), out);
		return;
	}
	for (size_t i = 0; i < conf_nsections; i++)
		doc_section(&conf_sections[i], out);
}
