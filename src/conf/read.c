/* read.c - libconfuse as a reader of structure: which key, which words, which line, in which section.
 *
 * All options are lists of strings to libconfuse; what the words mean is for the types of the table, so that one bad
 * value does not end the reading. Keys that the table does not know are reported and read over (CFGF_KEYSTRVAL). Lines
 * come from the callback that libconfuse makes for each word; a hidden option with a default, which it reads at the
 * moment a section opens, tells where that is. */
#include "read.h"

#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/mem.h>

#define OPENING "\002open"

/* libconfuse has no place for a context in its callbacks, and its own lexer is global. */
static struct reader {
	struct conf_blocks *b;
	struct conf_errors *e;
	unsigned lines; /* of the file, without what conf_mend adds */
	bool ended;     /* the sentinel was seen where it belongs */
} *reader;

static struct conf_block *
block_of(const cfg_t *cfg)
{
	for (size_t i = reader->b->n; i-- > 0;)
		if (reader->b->v[i].cfg == cfg)
			return &reader->b->v[i];
	return NULL;
}

static void
block_open(const cfg_t *cfg)
{
	struct conf_blocks *b = reader->b;
	const struct conf_section *section = conf_section_find(cfg->title == NULL && b->n == 0 ? "" : cfg->name);

	for (size_t i = 0; section->title == NULL && i < b->n; i++)
		if (b->v[i].section == section)
			conf_errors_add(reader->e, (unsigned)cfg->line,
			    "section %s was already given in line %u, put their keys together", cfg->name,
			    b->v[i].line);
	b->v = mem_resize(b->v, (b->n + 1) * sizeof(b->v[0]));
	b->v[b->n++] = (struct conf_block){
		.section = section,
		.title = arena_str(&b->arena, str_of(cfg->title)),
		.line = (unsigned)cfg->line,
		.cfg = cfg,
	};
}

static struct conf_entry *
entry_of(struct conf_block *b, const struct conf_key *k)
{
	for (size_t i = b->n; i-- > 0;)
		if (b->entries[i].key == k)
			return &b->entries[i];
	return NULL;
}

static struct conf_entry *
entry_new(struct conf_block *b, const struct conf_key *k, unsigned line)
{
	const struct conf_entry *old = entry_of(b, k);

	if (old != NULL)
		conf_errors_add(reader->e, line, "%s was already set in line %u, delete one", k->name, old->line);
	b->entries = mem_resize(b->entries, (b->n + 1) * sizeof(b->entries[0]));
	b->entries[b->n] = (struct conf_entry){ .key = k, .line = line };
	return &b->entries[b->n++];
}

static void
entry_add(struct conf_entry *entry, const char *word, unsigned line)
{
	entry->words = mem_resize(entry->words, (entry->n + 1) * sizeof(entry->words[0]));
	entry->lines = mem_resize(entry->lines, (entry->n + 1) * sizeof(entry->lines[0]));
	entry->words[entry->n] = arena_str(&reader->b->arena, str_of(word));
	entry->lines[entry->n++] = line;
}

static void
refuse_end(void)
{
	conf_errors_add(reader->e, reader->lines, "the file ends in the middle of a list or value, complete it");
}

/* The first word of an assignment finds nvalues at 1: libconfuse has dropped those of an earlier one. */
static int
on_word(cfg_t *cfg, cfg_opt_t *opt, const char *word, void *result)
{
	struct conf_block *b = block_of(cfg);
	const struct conf_key *k = conf_key_find(b->section->name, opt->name);
	struct conf_entry *entry;

	*(const char **)result = word;
	if (strcmp(word, CONF_SENTINEL) == 0) {
		refuse_end();
		return -1;
	}
	if (k == NULL) { /* a path like "tls|key" leads libconfuse here */
		conf_errors_add(
		    reader->e, (unsigned)cfg->line, "a key must stand in its section, put %s there", opt->name);
		return 0;
	}
	entry = opt->nvalues == 1 ? entry_new(b, k, (unsigned)cfg->line) : entry_of(b, k);
	if (strcmp(word, CONF_EMPTY_LIST) != 0)
		entry_add(entry, word, (unsigned)cfg->line);
	return 0;
}

static int
on_opening(cfg_t *cfg, cfg_opt_t *opt, const char *word, void *result)
{
	(void)opt;
	*(const char **)result = word;
	block_open(cfg);
	return 0;
}

static int
on_sentinel(cfg_t *cfg, cfg_opt_t *opt, const char *word, void *result)
{
	(void)cfg;
	(void)opt;
	*(const char **)result = word;
	reader->ended = true;
	return 0;
}

/* Names that would be right inside a section: its keys, then the sections it may hold. */
static const char *
known_here(void *ctx, size_t at)
{
	const char *section = ctx;

	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].section, section) == 0 && at-- == 0)
			return conf_keys[i].name;
	for (size_t i = 1; i < conf_nsections; i++)
		if (strcmp(conf_sections[i].parent, section) == 0 && at-- == 0)
			return conf_sections[i].name;
	return NULL;
}

static const struct conf_key *
key_elsewhere(const char *name)
{
	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].name, name) == 0)
			return &conf_keys[i];
	return NULL;
}

static void
refuse_unknown(const struct conf_block *b, unsigned line, const char *name)
{
	char section[32];
	const struct conf_key *elsewhere = key_elsewhere(name);
	const char *guess;

	snprintf(section, sizeof(section), "%s", b->section->name);
	guess = conf_guess(name, known_here, section);
	if (guess != NULL)
		conf_errors_add(reader->e, line, "\"%s\" is not known, did you mean \"%s\"?", name, guess);
	else if (elsewhere != NULL && *elsewhere->section != '\0')
		conf_errors_add(reader->e, line, "\"%s\" is not known here, it belongs into section %s", name,
		    elsewhere->section);
	else if (elsewhere != NULL)
		conf_errors_add(reader->e, line, "\"%s\" is not known here, it belongs to the top of the file", name);
	else
		conf_errors_add(reader->e, line, "\"%s\" is not known, see `postern config doc'", name);
}

static void
on_unknown(const cfg_t *cfg, const char *name)
{
	const struct conf_block *b = block_of(cfg);

	if (strcmp(name, CONF_SENTINEL) == 0)
		conf_errors_add(reader->e, b->line, "section %s starts here and has no end, add }", b->section->name);
	else
		refuse_unknown(b, (unsigned)cfg->line, name);
}

static void __attribute__((format(printf, 2, 0)))
on_error(cfg_t *cfg, const char *format, va_list args)
{
	struct buf text;

	if (strncmp(format, "no such option", strlen("no such option")) == 0) {
		on_unknown(cfg, va_arg(args, const char *));
		return;
	}
	if ((unsigned)cfg->line > reader->lines) {
		refuse_end();
		return;
	}
	buf_init(&text, 512);
	buf_addv(&text, format, args);
	conf_errors_add(reader->e, (unsigned)cfg->line, "%s, look for a missing =, quote, comma or brace up to here",
	    buf_cstr(&text));
	buf_fini(&text);
}

static cfg_opt_t *options(struct arena *a, const char *section);

static void
option_section(struct arena *a, const struct conf_section *s, cfg_opt_t *o)
{
	o->name = s->name;
	o->type = CFGT_SEC;
	o->flags = CFGF_MULTI | (s->title != NULL ? CFGF_TITLE : 0);
	o->subopts = options(a, s->name);
}

static void
option_word(const char *name, cfg_callback_t fn, cfg_opt_t *o)
{
	o->name = name;
	o->type = CFGT_STR;
	o->flags = CFGF_LIST | CFGF_NODEFAULT;
	o->parsecb = fn;
}

/* What libconfuse may find in a section. It makes its own copy. */
static cfg_opt_t *
options(struct arena *a, const char *section)
{
	cfg_opt_t *all = arena_array(a, conf_nkeys + conf_nsections + 3, sizeof(*all));
	cfg_opt_t *o = all;

	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].section, section) == 0)
			option_word(conf_keys[i].name, on_word, o++);
	for (size_t i = 1; i < conf_nsections; i++)
		if (strcmp(conf_sections[i].parent, section) == 0)
			option_section(a, &conf_sections[i], o++);
	option_word(*section == '\0' ? CONF_SENTINEL : OPENING, *section == '\0' ? on_sentinel : on_opening, o);
	if (*section != '\0') {
		o->flags = CFGF_LIST;
		o->def.parsed = arena_cstr(a, STR("open"));
	}
	return all;
}

static unsigned
count_lines(struct str s)
{
	unsigned n = 1;

	for (size_t i = 0; i + 1 < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

static bool
read_mended(struct buf *text, struct reader *r)
{
	cfg_t *cfg = cfg_init(options(&r->b->arena, ""), CFGF_KEYSTRVAL);

	reader = r;
	cfg_set_error_function(cfg, on_error);
	cfg->line = 1;
	block_open(cfg);
	cfg_parse_buf(cfg, buf_cstr(text));
	cfg_free(cfg);
	reader = NULL;
	if (!r->ended && r->e->n == 0)
		conf_errors_add(r->e, r->lines, "the file could not be read to its end");
	return r->ended;
}

bool
conf_read(struct str text, struct conf_blocks *b, struct conf_errors *e)
{
	struct reader r = { .b = b, .e = e, .lines = count_lines(text) };
	struct buf mended;
	bool whole;

	if (text.n > CONF_FILE_MAX) {
		conf_errors_add(e, 0, "the file is larger than %d bytes, delete what it does not need", CONF_FILE_MAX);
		return false;
	}
	buf_init(&mended, SIZE_MAX);
	whole = conf_mend(text, &mended, e) && read_mended(&mended, &r);
	buf_fini(&mended);
	return whole;
}

void
conf_blocks_init(struct conf_blocks *b)
{
	*b = (struct conf_blocks){ 0 };
	arena_init(&b->arena);
}

void
conf_blocks_fini(struct conf_blocks *b)
{
	for (size_t i = 0; i < b->n; i++) {
		for (size_t j = 0; j < b->v[i].n; j++) {
			free(b->v[i].entries[j].words);
			free(b->v[i].entries[j].lines);
		}
		free(b->v[i].entries);
	}
	free(b->v);
	arena_fini(&b->arena);
}

const struct conf_entry *
conf_block_find(const struct conf_block *b, const struct conf_key *k)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->entries[i].key == k)
			return &b->entries[i];
	return NULL;
}
