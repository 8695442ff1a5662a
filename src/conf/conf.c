/* conf.c - from what a file says to a snapshot: values by the table, defaults, then the contradictions. */
#include <postern/conf/conf.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/map.h>
#include <postern/core/mem.h>

#include "own.h"
#include "read.h"

const struct conf_origin *
conf_origin_find(const struct conf *c, const struct conf_key *k, size_t element)
{
	for (size_t i = 0; i < c->own->norigins; i++)
		if (c->own->origins[i].key == k && c->own->origins[i].element == element)
			return &c->own->origins[i];
	return NULL;
}

unsigned
conf_line(const struct conf *c, const char *section, const char *name, size_t element)
{
	const struct conf_origin *origin = conf_origin_find(c, conf_key_find(section, name), element);

	return origin != NULL ? origin->line : 0;
}

unsigned
conf_title_line(const struct conf *c, const struct conf_section *s, size_t i)
{
	for (size_t at = 0; at < c->own->norigins; at++) {
		const struct conf_origin *origin = &c->own->origins[at];

		if (origin->section == s && origin->key == NULL && origin->element == i)
			return origin->line;
	}
	return 0;
}

unsigned
conf_item_line(const struct conf *c, const char *section, const char *name, size_t item)
{
	const struct conf_origin *origin = conf_origin_find(c, conf_key_find(section, name), 0);

	return origin == NULL ? 0 : item < origin->n ? origin->items[item] : origin->line;
}

const char *
conf_file(const struct conf *c)
{
	return c->own->file;
}

const struct conf_list *
conf_elements(const struct conf *c, const struct conf_section *s)
{
	return (const struct conf_list *)((const char *)c + s->at);
}

const void *
conf_element(const struct conf *c, const struct conf_section *s, size_t i)
{
	return (const char *)conf_elements(c, s)->v + i * s->size;
}

const char *
conf_service_name(enum conf_service service)
{
	static const char *const names[SERVICE_COUNT] = { "smtp", "submission", "submissions", "imap", "imaps" };

	return names[service];
}

static void
origin_add(struct conf *c, struct conf_origin origin)
{
	struct conf_own *own = c->own;

	own->origins = mem_resize(own->origins, (own->norigins + 1) * sizeof(own->origins[0]));
	own->origins[own->norigins++] = origin;
}

static void
entry_origin_add(struct conf *c, const struct conf_entry *entry, size_t element)
{
	unsigned *lines = arena_array(&c->own->arena, entry->n, sizeof(lines[0]));

	if (entry->n > 0)
		memcpy(lines, entry->lines, entry->n * sizeof(lines[0]));
	origin_add(c, (struct conf_origin){
			  .section = conf_section_find(entry->key->section),
			  .key = entry->key,
			  .element = element,
			  .line = entry->line,
			  .items = lines,
			  .n = entry->n,
		      });
}

static void
preset(struct conf *c, const struct conf_key *k, void *base)
{
	struct conf_why why;

	if (*k->preset == '\0' && k->type != &type_letter)
		return; /* zero is "not set" */
	if (!conf_value_preset(&c->own->arena, k, base, &why))
		log_panic("default of %s.%s: %s", k->section, k->name, why.text);
}

/* One key of one block, or its default when there is no block or it does not have the key. */
static void
fill_key(struct conf *c, const struct conf_block *b, const struct conf_key *k, void *base, size_t element,
    struct conf_errors *e)
{
	const struct conf_entry *entry = b != NULL ? conf_block_find(b, k) : NULL;
	struct conf_why why;

	preset(c, k, base);
	if (entry == NULL)
		return;
	entry_origin_add(c, entry, element);
	if (!conf_value_set(&c->own->arena, k, entry->words, entry->n, base, &why))
		conf_errors_add(
		    e, why.item < entry->n ? entry->lines[why.item] : entry->line, "%s: %s", k->name, why.text);
}

static void
fill_keys(struct conf *c, const struct conf_section *s, const struct conf_block *b, void *base, size_t element,
    struct conf_errors *e)
{
	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].section, s->name) == 0)
			fill_key(c, b, &conf_keys[i], base, element, e);
}

static void
fill_title(struct conf *c, const struct conf_section *s, const struct conf_block *b, struct str *title,
    struct map *seen, struct conf_errors *e)
{
	struct conf_why why;
	const struct conf_block *old;

	if (b->title.n == 0 || !s->title->parse(&c->own->arena, NULL, b->title, title, &why)) {
		conf_errors_add(e, b->line, "%s \"%.*s\": the title must be %s", s->name, STR_ARG(conf_head(b->title)),
		    s->title->syntax);
		return;
	}
	old = map_put(seen, *title, (void *)(uintptr_t)b);
	if (old != NULL)
		conf_errors_add(e, b->line, "%s \"%.*s\" was already given in line %u, put their keys together",
		    s->name, STR_ARG(conf_head(*title)), old->line);
}

static size_t
count_blocks(const struct conf_blocks *b, const struct conf_section *s)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += b->v[i].section == s;
	return n;
}

static void
fill_titled(struct conf *c, const struct conf_section *s, const struct conf_blocks *b, struct conf_errors *e)
{
	struct conf_list *list = (struct conf_list *)((char *)c + s->at);
	char *elements = arena_array(&c->own->arena, count_blocks(b, s), s->size);
	struct map seen;

	map_init(&seen);
	for (size_t i = 0; i < b->n; i++) {
		char *element = elements + list->n * s->size;

		if (b->v[i].section != s)
			continue;
		origin_add(c, (struct conf_origin){ .section = s, .element = list->n, .line = b->v[i].line });
		fill_title(c, s, &b->v[i], (struct str *)element, &seen, e);
		fill_keys(c, s, &b->v[i], element, list->n++, e);
	}
	list->v = elements;
	map_fini(&seen);
}

static const struct conf_block *
block_find(const struct conf_blocks *b, const struct conf_section *s)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].section == s)
			return &b->v[i];
	return NULL;
}

static void
fill(struct conf *c, const struct conf_blocks *b, struct conf_errors *e)
{
	for (size_t i = 0; i < conf_nsections; i++) {
		const struct conf_section *s = &conf_sections[i];

		if (s->title != NULL)
			fill_titled(c, s, b, e);
		else
			fill_keys(c, s, block_find(b, s), c, 0, e);
	}
}

/* hostname: the machine's name will do if it is a full one; no resolver is asked. */
static void
default_hostname(struct conf *c, struct conf_errors *e)
{
	char name[HOST_NAME_MAX + 1] = "";
	struct conf_why why;

	if (c->hostname.n > 0 || conf_line(c, "", "hostname", 0) > 0)
		return;
	gethostname(name, sizeof(name) - 1);
	c->own->machine_name = true;
	if (strchr(name, '.') == NULL || !conf_domain_take(&c->own->arena, str_of(name), &c->hostname, &why))
		conf_errors_add(e, 0,
		    "hostname is not set and the machine's name (%s) is not a full one, add a line like "
		    "hostname = \"mx.example.org\"",
		    name);
}

/* A password must not go to whoever answers (route.tls). */
static void
default_demands(struct conf *c)
{
	for (size_t i = 0; i < c->routes.n; i++) {
		struct conf_route *route = (struct conf_route *)(uintptr_t)&c->routes.v[i];

		if (route->user.n > 0 && conf_line(c, "route", "tls", i) == 0)
			route->tls = DEMAND_VERIFY;
	}
}

/* store.processes = 0: half of the processors. Fewer processes make larger groups for each sync (docs/bench.md). Decided where the
 * file is read: a role gets the number, and may not ask how many processors there are. */
static void
default_processes(struct conf *c)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (c->store.processes == 0)
		c->store.processes = c->imap.shared ? 1 : n >= 64 ? 32 : n >= 4 ? (unsigned)n / 2 : 1;
}

static struct conf *
conf_new(const char *file)
{
	struct conf *c = NEW(struct conf);

	c->own = NEW(struct conf_own);
	c->own->references = 1;
	c->own->file = mem_cstr(str_of(file));
	arena_init(&c->own->arena);
	return c;
}

/* What is missing or does not go together can be told only of a file that was read to its end. */
static void
finish(struct conf *c, struct conf_errors *e)
{
	default_hostname(c, e);
	default_demands(c);
	conf_check(c, e);
}

struct conf *
conf_parse(struct str text, const char *file, struct conf_errors *e)
{
	struct conf *c = conf_new(file);
	struct conf_blocks blocks;
	bool whole;

	free(e->file);
	e->file = mem_cstr(str_of(file));
	conf_blocks_init(&blocks);
	whole = conf_read(text, &blocks, e);
	fill(c, &blocks, e);
	conf_blocks_fini(&blocks);
	if (whole)
		finish(c, e);
	conf_errors_sort(e);
	if (e->n == 0)
		return c;
	conf_unref(c);
	return NULL;
}

struct conf *
conf_load(const char *path, struct conf_errors *e)
{
	struct conf *c = NULL;
	struct buf text;

	buf_init(&text, CONF_FILE_MAX);
	if (io_read_file(AT_FDCWD, path, &text))
		c = conf_parse(buf_str(&text), path, e);
	else {
		free(e->file);
		e->file = mem_cstr(str_of(path));
		conf_errors_add(e, 0, "%s, name another file with -c or make this one", strerror(errno));
	}
	buf_fini(&text);
	if (c != NULL)
		default_processes(c);
	return c;
}

const struct conf *
conf_ref(const struct conf *c)
{
	c->own->references++;
	return c;
}

void
conf_unref(const struct conf *c)
{
	if (c == NULL || --c->own->references > 0)
		return;
	arena_fini(&c->own->arena);
	free(c->own->origins);
	free(c->own->file);
	free(c->own);
	free((struct conf *)(uintptr_t)c);
}
