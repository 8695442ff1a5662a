/* value.c - words of the file into fields, fields into words: what all types share.
 *
 * A type (type_*.c) knows one word; lists, defaults, "not set" and quoting are here. */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>

#include <postern/core/map.h>

bool
conf_refuse(struct conf_why *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(w->text, sizeof(w->text), format, args);
	va_end(args);
	return false;
}

static bool
item_set(struct arena *a, const struct conf_key *k, struct str word, void *item, struct map *seen, struct conf_why *w)
{
	struct buf text;
	bool fresh;

	if (word.n == 0)
		return conf_refuse(w, "an entry of the list is empty, delete it");
	if (!k->type->parse(a, k, word, item, w))
		return false;
	buf_init(&text, CONF_FILE_MAX);
	k->type->write(k, item, &text);
	fresh = map_put(seen, buf_str(&text), item) == NULL;
	buf_fini(&text);
	return fresh || conf_refuse(w, "the list has \"%.*s\" twice, delete one", STR_ARG(word));
}

static bool
list_set(struct arena *a, const struct conf_key *k, const struct str *words, size_t n, void *base, struct conf_why *w)
{
	struct conf_list *list = (struct conf_list *)((char *)base + k->at);
	char *items = n > 0 ? arena_array(a, n, k->type->size) : NULL;
	struct map seen;
	bool ok = true;

	map_init(&seen);
	for (w->item = 0; ok && w->item < n; w->item += ok)
		ok = item_set(a, k, words[w->item], items + w->item * k->type->size, &seen, w);
	map_fini(&seen);
	*list = (struct conf_list){ items, ok ? n : 0 };
	return ok;
}

static bool
blank_set(struct arena *a, const struct conf_key *k, void *field, struct conf_why *w)
{
	if (!k->type->blank || k->must)
		return conf_refuse(w, "a value is wanted: %s", k->type->syntax);
	memset(field, 0, k->type->size);
	return k->type != &type_letter || k->type->parse(a, k, STR(""), field, w);
}

bool
conf_value_set(struct arena *a, const struct conf_key *k, const struct str *words, size_t n, void *base,
    struct conf_why *w)
{
	w->item = 0;
	if (k->type->list)
		return list_set(a, k, words, n, base, w);
	if (n != 1)
		return conf_refuse(w, "one value is wanted, not a list of %zu, write %s = …", n, k->name);
	if (words[0].n == 0)
		return blank_set(a, k, (char *)base + k->at, w);
	return k->type->parse(a, k, words[0], (char *)base + k->at, w);
}

bool
conf_value_preset(struct arena *a, const struct conf_key *k, void *base, struct conf_why *w)
{
	struct str rest = str_of(k->preset);
	struct str words[8];
	size_t n = 0;

	if (!k->type->list)
		return conf_value_set(a, k, &rest, 1, base, w);
	while (n < sizeof(words) / sizeof(words[0]) && str_cut(&rest, ' ', &words[n]))
		n++;
	return conf_value_set(a, k, words, n, base, w);
}

static void
word_write(const struct conf_key *k, const void *value, struct buf *out)
{
	struct buf word;

	buf_init(&word, CONF_FILE_MAX);
	k->type->write(k, value, &word);
	if (k->type->bare)
		buf_add(out, buf_str(&word));
	else
		buf_add_quoted(out, buf_str(&word));
	buf_fini(&word);
}

void
conf_value_write(const struct conf_key *k, const void *base, struct buf *out)
{
	const char *field = (const char *)base + k->at;
	const struct conf_list *list = (const struct conf_list *)field;

	if (!k->type->list) {
		word_write(k, field, out);
		return;
	}
	if (list->n == 0) {
		buf_add_cstr(out, "{}");
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		buf_add_cstr(out, i == 0 ? "{ " : ", ");
		word_write(k, (const char *)list->v + i * k->type->size, out);
	}
	buf_add_cstr(out, " }");
}

static void
bound_write(const struct conf_key *k, uint64_t bound, struct buf *out)
{
	unsigned narrow = (unsigned)bound;

	if (k->type->size == sizeof(narrow))
		k->type->write(k, &narrow, out);
	else
		k->type->write(k, &bound, out);
}

bool
conf_range_write(const struct conf_key *k, struct buf *low, struct buf *high)
{
	if (k->type != &type_number && k->type != &type_size && k->type != &type_time)
		return false;
	bound_write(k, k->low, low);
	bound_write(k, k->high, high);
	return true;
}
