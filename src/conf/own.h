/* own.h - what a snapshot holds beside its values: references, memory, and where each value was written. */
#ifndef POSTERN_CONF_OWN_H
#define POSTERN_CONF_OWN_H

#include "table.h"

/* A key that the file sets, or (key NULL) a titled section that it has. */
struct conf_origin {
	const struct conf_section *section;
	const struct conf_key *key;
	size_t element; /* of a titled section, else 0 */
	unsigned line;
	const unsigned *items; /* lines of a list's entries */
	size_t n;
};

struct conf_own {
	unsigned references;
	struct arena arena;
	char *file;
	struct conf_origin *origins;
	size_t norigins;
	bool machine_name; /* hostname is the machine's */
};

/* NULL: the default is in force. */
const struct conf_origin *conf_origin_find(const struct conf *c, const struct conf_key *k, size_t element);
/* The line of a key that is named in code; 0 when the file does not have it. */
unsigned conf_line(const struct conf *c, const char *section, const char *name, size_t element);
/* The line where element i of a titled section starts. */
unsigned conf_title_line(const struct conf *c, const struct conf_section *s, size_t i);

/* Where element i of a titled section is; and the list of them. */
const struct conf_list *conf_elements(const struct conf *c, const struct conf_section *s);
const void *conf_element(const struct conf *c, const struct conf_section *s, size_t i);

/* "file:line", "default" or "the machine's name". */
void conf_origin_write(const struct conf *c, const struct conf_key *k, size_t element, struct buf *out);
/* Everything, as a file has it, each line with its origin as a comment. */
void conf_write_origins(const struct conf *c, struct buf *out);

/* Reports what the values contradict each other in. */
void conf_check(const struct conf *c, struct conf_errors *e);

#endif
