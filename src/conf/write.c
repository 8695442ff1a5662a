/* write.c - snapshots as text: the part of a role, all with origins, and what two of them differ in. */
#include "own.h"

/* What is being written. */
struct writer {
	const struct conf *c;
	unsigned roles;
	bool origins; /* each line tells where its value comes from */
	struct buf *out;
};

enum { ORIGIN_COLUMN = 56 };

static void
indent(unsigned depth, struct buf *out)
{
	for (unsigned i = 0; i < depth; i++)
		buf_add_char(out, '\t');
}

void
conf_origin_write(const struct conf *c, const struct conf_key *k, size_t element, struct buf *out)
{
	const struct conf_origin *origin = conf_origin_find(c, k, element);

	if (origin != NULL)
		buf_addf(out, "%s:%u", c->own->file, origin->line);
	else if (k == conf_key_find("", "hostname"))
		buf_add_cstr(out, "the machine's name");
	else
		buf_add_cstr(out, "default");
}

static void
write_key(struct writer *w, const struct conf_key *k, const void *base, size_t element, unsigned depth)
{
	size_t start = w->out->n;

	indent(depth, w->out);
	buf_addf(w->out, "%s = ", k->name);
	conf_value_write(k, base, w->out);
	if (w->origins) {
		do
			buf_add_char(w->out, ' ');
		while (w->out->n - start < ORIGIN_COLUMN - 7 * depth);
		buf_add_cstr(w->out, "# ");
		conf_origin_write(w->c, k, element, w->out);
	}
	buf_add_char(w->out, '\n');
}

static void
write_keys(struct writer *w, const char *section, const void *base, size_t element, unsigned depth)
{
	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].section, section) == 0 && (conf_keys[i].roles & w->roles) != 0)
			write_key(w, &conf_keys[i], base, element, depth);
}

static bool
section_has(const char *section, unsigned roles)
{
	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].section, section) == 0 && (conf_keys[i].roles & roles) != 0)
			return true;
	return false;
}

static void
write_titled(struct writer *w, const struct conf_section *s, unsigned depth)
{
	for (size_t i = 0; i < conf_elements(w->c, s)->n; i++) {
		const void *element = conf_element(w->c, s, i);

		indent(depth, w->out);
		buf_addf(w->out, "%s ", s->name);
		buf_add_quoted(w->out, *(const struct str *)element);
		buf_add_cstr(w->out, " {\n");
		write_keys(w, s->name, element, i, depth + 1);
		indent(depth, w->out);
		buf_add_cstr(w->out, "}\n");
	}
}

static void
write_section(struct writer *w, const struct conf_section *s)
{
	if (!section_has(s->name, w->roles))
		return;
	if (s->title != NULL) {
		write_titled(w, s, 0);
		return;
	}
	buf_addf(w->out, "%s {\n", s->name);
	write_keys(w, s->name, w->c, 0, 1);
	for (size_t i = 0; i < conf_nsections; i++)
		if (strcmp(conf_sections[i].parent, s->name) == 0 && section_has(conf_sections[i].name, w->roles))
			write_titled(w, &conf_sections[i], 1);
	buf_add_cstr(w->out, "}\n");
}

static void
write_all(struct writer *w)
{
	write_keys(w, "", w->c, 0, 0);
	for (size_t i = 1; i < conf_nsections; i++)
		if (*conf_sections[i].parent == '\0')
			write_section(w, &conf_sections[i]);
}

void
conf_write_part(const struct conf *c, unsigned roles, struct buf *out)
{
	struct writer w = { .c = c, .roles = roles, .out = out };

	write_all(&w);
}

void
conf_write_origins(const struct conf *c, struct buf *out)
{
	struct writer w = { .c = c, .roles = CONF_ALL, .origins = true, .out = out };

	write_all(&w);
}

static bool
same_text(struct buf *a, struct buf *b)
{
	bool same = str_eq(buf_str(a), buf_str(b));

	buf_fini(a);
	buf_fini(b);
	return same;
}

static bool
same_value(const struct conf_key *k, const struct conf *before, const struct conf *after)
{
	struct buf a, b;

	buf_init(&a, SIZE_MAX);
	buf_init(&b, SIZE_MAX);
	conf_value_write(k, before, &a);
	conf_value_write(k, after, &b);
	return same_text(&a, &b);
}

static bool
same_elements(const struct conf_section *s, const struct conf *before, const struct conf *after)
{
	struct buf a, b;

	buf_init(&a, SIZE_MAX);
	buf_init(&b, SIZE_MAX);
	write_titled(&(struct writer){ .c = before, .roles = CONF_ALL, .out = &a }, s, 0);
	write_titled(&(struct writer){ .c = after, .roles = CONF_ALL, .out = &b }, s, 0);
	return same_text(&a, &b);
}

static void
change_add(struct conf_changes *out, const struct conf_key *k, unsigned line)
{
	struct conf_change *change = &out->v[out->n++];
	struct buf name;

	buf_init(&name, sizeof(change->key) - 1);
	conf_key_write(k, &name);
	memcpy(change->key, buf_cstr(&name), name.n + 1);
	buf_fini(&name);
	change->line = line;
	change->restart = k->restart;
	change->roles = k->roles;
}

/* A titled section counts as one key: what differs in it is told by its name alone. */
static void
diff_elements(
    const struct conf_section *s, const struct conf *before, const struct conf *after, struct conf_changes *out)
{
	struct conf_key whole = { .section = s->parent, .name = s->name };

	if (same_elements(s, before, after))
		return;
	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].section, s->name) == 0) {
			whole.roles |= conf_keys[i].roles;
			whole.restart = whole.restart || conf_keys[i].restart;
		}
	change_add(out, &whole, 0);
}

static void
diff_section(
    const struct conf_section *s, const struct conf *before, const struct conf *after, struct conf_changes *out)
{
	if (s->title != NULL) {
		diff_elements(s, before, after, out);
		return;
	}
	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].section, s->name) == 0 && !same_value(&conf_keys[i], before, after))
			change_add(out, &conf_keys[i], conf_line(after, s->name, conf_keys[i].name, 0));
}

void
conf_diff(const struct conf *before, const struct conf *after, struct conf_changes *out)
{
	out->n = 0;
	for (size_t i = 0; i < conf_nsections; i++)
		diff_section(&conf_sections[i], before, after, out);
}
