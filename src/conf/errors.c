/* errors.c - the list of what is wrong with a file. */
#include "read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/mem.h>

enum { ERRORS_MAX = 100, ERROR_TEXT_MAX = 1024 };

void
conf_errors_init(struct conf_errors *e)
{
	*e = (struct conf_errors){ 0 };
}

void
conf_errors_fini(struct conf_errors *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i].text);
	free(e->v);
	free(e->file);
	conf_errors_init(e);
}

bool
conf_errors_has(const struct conf_errors *e, unsigned line)
{
	for (size_t i = 0; line > 0 && i < e->n; i++)
		if (e->v[i].line == line)
			return true;
	return false;
}

void
conf_errors_add(struct conf_errors *e, unsigned line, const char *format, ...)
{
	struct buf text;
	va_list args;

	if (e->n == ERRORS_MAX || conf_errors_has(e, line))
		return;
	buf_init(&text, ERROR_TEXT_MAX);
	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	e->v = mem_resize(e->v, (e->n + 1) * sizeof(e->v[0]));
	e->v[e->n++] = (struct conf_error){ line, mem_cstr(buf_str(&text)) };
	buf_fini(&text);
}

void
conf_errors_sort(struct conf_errors *e)
{
	for (size_t i = 1; i < e->n; i++) /* stable, and the list is short */
		for (size_t j = i; j > 0 && e->v[j].line < e->v[j - 1].line; j--) {
			struct conf_error swap = e->v[j];

			e->v[j] = e->v[j - 1];
			e->v[j - 1] = swap;
		}
}

void
conf_errors_write(const struct conf_errors *e, struct buf *out)
{
	for (size_t i = 0; i < e->n; i++) {
		buf_add_cstr(out, e->file != NULL ? e->file : "configuration");
		if (e->v[i].line > 0)
			buf_addf(out, ":%u", e->v[i].line);
		buf_addf(out, ": %s\n", e->v[i].text);
	}
}
