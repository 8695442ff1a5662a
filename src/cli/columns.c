/* columns.c - JSON for people: aligned columns and fields. */
#include "columns.h"

#include <stdlib.h>
#include <time.h>

#include <postern/core/mem.h>
#include <postern/core/utf8.h>

enum { GAP = 2, COLUMNS_MAX = 12 };

static bool
is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069); /* C0, C1, and what turns the direction of writing */
}

void
cli_text_write(struct str text, enum cli_lines lines, struct buf *out)
{
	while (text.n > 0) {
		uint32_t code;
		size_t used;
		bool valid = utf8_next(text, &code, &used);
		bool kept = valid && (!is_control(code) || (lines == MANY_LINES && (code == '\n' || code == '\t')));

		if (kept)
			buf_add(out, str_sub(text, 0, used));
		else if (!valid || code != '\r' || lines == ONE_LINE)
			buf_add_char(out, '?');
		text = str_sub(text, used, text.n);
	}
}

static void
size_write(json_int_t bytes, struct buf *out)
{
	static const char units[] = "KMGT";
	double n = (double)bytes;
	size_t unit = 0;

	if (bytes < 1024) {
		buf_addf(out, "%lld", (long long)bytes);
		return;
	}
	for (n /= 1024; n >= 1024 && unit + 2 < sizeof(units); unit++)
		n /= 1024;
	buf_addf(out, n < 10 && n * 10 != (double)(long long)n * 10 ? "%.1f%c" : "%.0f%c", n, units[unit]);
}

static void
time_write(json_int_t seconds, struct buf *out)
{
	time_t at = (time_t)seconds;
	char text[32];
	struct tm tm;

	if (localtime_r(&at, &tm) != NULL && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) > 0)
		buf_add_cstr(out, text);
}

static void
span_write(json_int_t ms, struct buf *out)
{
	long long s = (long long)ms / 1000;

	if (s < 60)
		buf_addf(out, "%llds", s);
	else if (s < 3600)
		buf_addf(out, "%lldm%llds", s / 60, s % 60);
	else if (s < 86400)
		buf_addf(out, "%lldh%lldm", s / 3600, s / 60 % 60);
	else
		buf_addf(out, "%lldd%lldh", s / 86400, s / 3600 % 24);
}

static void
list_write(const json_t *list, struct buf *out)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item) {
		if (i > 0)
			buf_add_cstr(out, ", ");
		cli_text_write(str_from(json_string_value(item), json_string_length(item)), ONE_LINE, out);
	}
}

static void
number_write(json_int_t n, const struct cli_column *column, struct buf *out)
{
	if (column->as == AS_QUOTA && n == 0)
		buf_add_cstr(out, "none");
	else if (column->as == AS_SIZE || column->as == AS_QUOTA)
		size_write(n, out);
	else if (column->as == AS_SPAN)
		span_write(n, out);
	else if (column->as != AS_TIME)
		buf_addf(out, "%lld", (long long)n);
	else if (n != 0)
		time_write(n, out);
}

static void
string_write(const json_t *text, const struct cli_column *column, struct buf *out)
{
	buf_add_cstr(out, column->as == AS_PATH ? "<" : "");
	cli_text_write(str_from(json_string_value(text), json_string_length(text)), ONE_LINE, out);
	buf_add_cstr(out, column->as == AS_PATH ? ">" : "");
}

void
cli_value_write(const json_t *value, const struct cli_column *column, struct buf *out)
{
	if (json_is_string(value))
		string_write(value, column, out);
	else if (json_is_integer(value))
		number_write(json_integer_value(value), column, out);
	else if (json_is_array(value))
		list_write(value, out);
	else if (json_is_true(value))
		buf_add_cstr(out, "yes");
	else if (json_is_false(value) && column->as != AS_YES)
		buf_add_cstr(out, "no");
	else if (column->as == AS_QUOTA)
		buf_add_cstr(out, "default");
}

/* One place per character is near enough for names of mail. */
size_t
cli_width(struct str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
	return n;
}

static bool
is_right(const struct cli_column *column)
{
	return column->as == AS_NUMBER || column->as == AS_SIZE || column->as == AS_QUOTA;
}

static size_t
count_columns(const struct cli_column *columns)
{
	size_t n = 0;

	while (columns[n].key != NULL)
		n++;
	return n;
}

/* A cell with the blanks that bring it to its width, and those between columns in front of it. */
static void
cell_write(struct str cell, size_t wide, bool right, bool first, struct buf *out)
{
	size_t pad = wide - cli_width(cell);

	for (size_t i = 0; !first && i < GAP; i++)
		buf_add_char(out, ' ');
	for (size_t i = 0; right && i < pad; i++)
		buf_add_char(out, ' ');
	buf_add(out, cell);
	for (size_t i = 0; !right && i < pad; i++)
		buf_add_char(out, ' ');
}

static void
line_end(struct buf *out)
{
	while (out->n > 0 && out->p[out->n - 1] == ' ')
		buf_cut(out, out->n - 1);
	buf_add_char(out, '\n');
}

/* The cells of a table, row by row; the titles are the first row. */
struct cells {
	size_t n; /* columns */
	size_t lines;
	struct buf *v;
	size_t wide[COLUMNS_MAX]; /* 0: nothing in it */
};

static void
cells_init(struct cells *c, const json_t *rows, const struct cli_column *columns)
{
	*c = (struct cells){ .n = count_columns(columns), .lines = json_array_size(rows) + 1 };
	c->v = mem_array(c->lines * c->n, sizeof(c->v[0]));
	for (size_t i = 0; i < c->lines * c->n; i++) {
		const struct cli_column *column = &columns[i % c->n];
		size_t wide;

		buf_init(&c->v[i], SIZE_MAX);
		if (i < c->n)
			buf_add_cstr(&c->v[i], column->title);
		else
			cli_value_write(
			    json_object_get(json_array_get(rows, i / c->n - 1), column->key), column, &c->v[i]);
		wide = i < c->n ? 0 : cli_width(buf_str(&c->v[i]));
		c->wide[i % c->n] = wide > c->wide[i % c->n] ? wide : c->wide[i % c->n];
	}
	for (size_t i = 0; i < c->n; i++) /* a column with something in it is as wide as its title, too */
		if (c->wide[i] > 0 && c->wide[i] < cli_width(buf_str(&c->v[i])))
			c->wide[i] = cli_width(buf_str(&c->v[i]));
}

static void
cells_fini(struct cells *c)
{
	for (size_t i = 0; i < c->lines * c->n; i++)
		buf_fini(&c->v[i]);
	free(c->v);
}

void
cli_columns_write(const json_t *rows, const struct cli_column *columns, struct buf *out)
{
	struct cells c;

	cells_init(&c, rows, columns);
	for (size_t line = 0; line < c.lines; line++) {
		bool first = true;

		for (size_t i = 0; i < c.n; i++) {
			if (c.wide[i] == 0)
				continue;
			cell_write(buf_str(&c.v[line * c.n + i]), c.wide[i], is_right(&columns[i]), first, out);
			first = false;
		}
		line_end(out);
	}
	cells_fini(&c);
}

static bool
is_shown(const json_t *object, const struct cli_column *column)
{
	const json_t *value = json_object_get(object, column->key);

	if (column->as == AS_YES)
		return json_is_true(value);
	if (json_is_string(value) && column->as != AS_PATH)
		return json_string_length(value) > 0;
	return value != NULL && (!json_is_null(value) || column->as == AS_QUOTA);
}

void
cli_fields_write(const json_t *object, const struct cli_column *columns, struct buf *out)
{
	size_t wide = 0;

	for (size_t i = 0; columns[i].key != NULL; i++)
		if (is_shown(object, &columns[i]) && cli_width(str_of(columns[i].title)) > wide)
			wide = cli_width(str_of(columns[i].title));
	for (size_t i = 0; columns[i].key != NULL; i++) {
		if (!is_shown(object, &columns[i]))
			continue;
		cell_write(str_of(columns[i].title), wide + GAP, false, true, out);
		cli_value_write(json_object_get(object, columns[i].key), &columns[i], out);
		line_end(out);
	}
}
