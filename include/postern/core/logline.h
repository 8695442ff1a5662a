/* logline.h - reading what log.h wrote, in either format: for who passes lines on, keeps them or explains them.
 *
 * Lines may come from a process that was taken over, or from a file that a power cut tore: anything may stand in them. */
#ifndef POSTERN_CORE_LOGLINE_H
#define POSTERN_CORE_LOGLINE_H

#include <stdbool.h>

#include <postern/core/arena.h>
#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/core/str.h>

enum { LOGLINE_FIELDS_MAX = 48 };

/* What every line begins with, as it stands there. */
struct logline_head {
	struct str time;
	enum log_level level;
	struct str role;
	struct str event;
};

struct logline_field {
	struct str key;
	struct str value;
};

struct logline {
	struct logline_head head;
	struct logline_field field[LOGLINE_FIELDS_MAX];
	unsigned n;
};

/* The head alone, for who has many lines to look at. False: this is no line of the log. */
bool logline_head_parse(struct str line, struct logline_head *h);

/* The whole line, without or with its newline. Values lose their quotes and the backslashes before `"` and `\`; what was escaped
 * because it could harm a terminal stays escaped. They point into the line or into a. Fields beyond the limit are left out. */
bool logline_parse(struct str line, struct arena *a, struct logline *out);

/* What its time says; false when it is none. */
bool logline_time(struct str time, struct wall *t);

/* The value of a field; .p is NULL when there is none. */
struct str logline_get(const struct logline *l, const char *key);

#endif
