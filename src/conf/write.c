/* write.c - snapshots as text: the part of a role, and what two of them differ in. */
#include "own.h"

static void
indent(unsigned depth, struct buf *out)
{
	for (unsigned i = 0; i < depth; i++)
		buf_add_char(out, '\t');
}

static void
write_keys(const char *section, const void *base, unsigned roles, unsigned depth, struct buf *out)
{
	for (size_t i = 0; i < conf_nkeys; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (strcmp(k->section, section) != 0 || (k->roles & roles) == 0)
			continue;
		indent(depth, out);
		buf_addf(out, "%s = ", k->name);
		conf_value_write(k, base, out);
		buf_add_char(out, '\n');
	}
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
write_titled(const struct conf *c, const struct conf_section *s, unsigned roles, unsigned depth, struct buf *out)
{
	for (size_t i = 0; i < conf_elements(c, s)->n; i++) {
		const void *element = conf_element(c, s, i);

		indent(depth, out);
		buf_addf(out, "%s ", s->name);
		conf_quote(*(const struct str *)element, out);
		buf_add_cstr(out, " {\n");
		write_keys(s->name, element, roles, depth + 1, out);
		indent(depth, out);
		buf_add_cstr(out, "}\n");
	}
}

static void
write_section(const struct conf *c, const struct conf_section *s, unsigned roles, struct buf *out)
{
	if (!section_has(s->name, roles))
		return;
	if (s->title != NULL) {
		write_titled(c, s, roles, 0, out);
		return;
	}
	buf_addf(out, "%s {\n", s->name);
	write_keys(s->name, c, roles, 1, out);
	for (size_t i = 0; i < conf_nsections; i++)
		if (strcmp(conf_sections[i].parent, s->name) == 0 && section_has(conf_sections[i].name, roles))
			write_titled(c, &conf_sections[i], roles, 1, out);
	buf_add_cstr(out, "}\n");
}

void
conf_write_part(const struct conf *c, unsigned roles, struct buf *out)
{
	write_keys("", c, roles, 0, out);
	for (size_t i = 1; i < conf_nsections; i++)
		if (*conf_sections[i].parent == '\0')
			write_section(c, &conf_sections[i], roles, out);
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
	write_titled(before, s, CONF_ALL, 0, &a);
	write_titled(after, s, CONF_ALL, 0, &b);
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
diff_elements(const struct conf_section *s, const struct conf *before, const struct conf *after, struct conf_changes *out)
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
diff_section(const struct conf_section *s, const struct conf *before, const struct conf *after, struct conf_changes *out)
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
