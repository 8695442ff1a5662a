/* files.c - the files that a configuration names: are they there. */
#include <errno.h>
#include <unistd.h>

#include <postern/core/mem.h>

#include "own.h"
#include "read.h"

/* The path that an origin's key has, or "". */
static struct str
path_of(const struct conf *c, const struct conf_origin *o)
{
	const char *base = o->section->title != NULL ? conf_element(c, o->section, o->element) : (const char *)c;

	if (o->key == NULL || o->key->type != &type_path || o->key == conf_key_find("", "state"))
		return STR("");
	return *(const struct str *)(const void *)(base + o->key->at);
}

void
conf_check_files(const struct conf *c, struct conf_errors *e)
{
	if (e->file == NULL)
		e->file = mem_cstr(str_of(c->own->file));
	for (size_t i = 0; i < c->own->norigins; i++) {
		const struct conf_origin *o = &c->own->origins[i];
		struct str path = path_of(c, o);

		if (path.n > 0 && access(path.p, R_OK) == -1)
			conf_errors_add(e, o->line, "%s: %s: %s, name a file that can be read", o->key->name, path.p,
			    strerror(errno));
	}
	conf_errors_sort(e);
}
