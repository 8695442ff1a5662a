/* columns.h - JSON for people: aligned columns and fields. */
#ifndef POSTERN_CLI_COLUMNS_H
#define POSTERN_CLI_COLUMNS_H

#include <jansson.h>

#include <postern/core/buf.h>

struct cli_column {
	const char *key;
	const char *title;
	enum {
		AS_TEXT,
		AS_PATH,  /* an address, "<>" for the null sender */
		AS_NUMBER,
		AS_SIZE,  /* bytes */
		AS_QUOTA, /* bytes; 0: none, null: default */
		AS_TIME,  /* seconds since the epoch; 0 or null: nothing */
		AS_SPAN,  /* milliseconds */
		AS_YES,   /* "yes" or nothing */
		AS_LIST,  /* of texts */
	} as;
};

/* How many places a text takes on a terminal. */
size_t cli_width(struct str text);

/* A table with titles, without the columns that are empty in every row; columns ends with a row without key. */
void cli_columns_write(const json_t *rows, const struct cli_column *columns, struct buf *out);
/* "title  value" lines of one object; what is not there, empty, null or not "yes" is left out. */
void cli_fields_write(const json_t *object, const struct cli_column *columns, struct buf *out);
/* One value. Control characters become "?": names and reasons come from strangers and go to a terminal. */
void cli_value_write(const json_t *value, const struct cli_column *column, struct buf *out);
/* The same for a text; with lines, newlines stay. */
enum cli_lines { ONE_LINE, MANY_LINES };
void cli_text_write(struct str text, enum cli_lines lines, struct buf *out);

#endif
