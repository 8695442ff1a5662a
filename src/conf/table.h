/* table.h - the rows that configuration is made of: types, keys and sections.
 *
 * One row per key. Reading, checking, writing a role's part, comparing, `config doc`, `config show` and
 * postern.conf(5) walk these tables; a new key is a field in conf.h and a row in table.c. */
#ifndef POSTERN_CONF_TABLE_H
#define POSTERN_CONF_TABLE_H

#include <postern/conf/conf.h>
#include <postern/core/arena.h>

/* Why a value is refused: what and remedy. */
struct conf_why {
	char text[256];
	size_t item; /* of a list, which one */
};
/* Fills w->text; false. */
bool conf_refuse(struct conf_why *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of a strange word so much as a message should show. */
static inline struct str
conf_head(struct str word)
{
	return str_sub(word, 0, 60);
}
/* The domain in A-labels and lower case; false with the reason for anything else. */
bool conf_domain_take(struct arena *a, struct str word, struct str *out, struct conf_why *w);

struct conf_key;

struct conf_type {
	const char *name;   /* "size" */
	const char *syntax; /* for people: what may be written */
	size_t size;        /* of one value */
	bool list;          /* the field is { v, n } of such values */
	bool bare;          /* written without quotes */
	bool blank;         /* "" is a value: not set */
	/* One word of the file into the zeroed *out; never an empty one, except for type_letter. */
	bool (*parse)(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w);
	/* The normalised word, without quotes. */
	void (*write)(const struct conf_key *k, const void *value, struct buf *out);
};

extern const struct conf_type type_domain, type_domains, type_address, type_match, type_server_name;
extern const struct conf_type type_listen, type_servers, type_sources, type_networks, type_host;
extern const struct conf_type type_path, type_string, type_choice, type_letter;
extern const struct conf_type type_bool, type_number, type_size, type_time;

struct conf_key {
	const char *section;
	const char *name;
	const struct conf_type *type;
	const char *preset; /* the default as in a file; words of a list are separated by a space; "": not set */
	uint64_t low, high; /* numbers, bytes, milliseconds; for paths and strings high is the greatest length */
	const char *const *choices; /* NULL-terminated; the value is the index (choice) or the letter */
	unsigned roles;
	bool restart;
	bool must;                  /* "" is refused */
	size_t at;                  /* offset in struct conf, or in the element of a titled section */
	const char *rfc;            /* or NULL */
	const char *help;
};

struct conf_section {
	const char *name;             /* "": the top of the file */
	const char *parent;           /* the section it stands in */
	const struct conf_type *title; /* of a section that may be given many times, with a title each; else NULL */
	size_t size;                  /* titled: of one element; its title is its first field */
	size_t at;                    /* titled: offset of { v, n } in struct conf */
	const char *help;
};

extern const struct conf_key conf_keys[];
extern const size_t conf_nkeys;
extern const struct conf_section conf_sections[];
extern const size_t conf_nsections;

/* NULL when there is none. */
const struct conf_key *conf_key_find(const char *section, const char *name);
const struct conf_section *conf_section_find(const char *name);
/* "limits.message_size", "hostname". */
void conf_key_write(const struct conf_key *k, struct buf *out);

/* Every list field has this shape. */
struct conf_list {
	const void *v;
	size_t n;
};

/* Sets the key's field in base (a struct conf, or a titled element) from the words of the file. */
bool conf_value_set(struct arena *a, const struct conf_key *k, const struct str *words, size_t n, void *base,
    struct conf_why *w);
/* The same from the row's default. */
bool conf_value_preset(struct arena *a, const struct conf_key *k, void *base, struct conf_why *w);
/* As a file has it: quoted, lists in braces. */
void conf_value_write(const struct conf_key *k, const void *base, struct buf *out);
/* True if the key has a range of numbers: low and high as the file would have them. */
bool conf_range_write(const struct conf_key *k, struct buf *low, struct buf *high);

#endif
