/* log.h - one line per outcome, one write per line.
 *
 *   2026-05-01T12:00:00.123+02:00 info smtp event=accept sid=… qid=… from=<a@b> …
 *
 * Values are escaped so that no byte from outside can end a line, start a field or reach a
 * terminal raw; a line is at most LOG_LINE_MAX bytes (a longer value is cut and marked). Passwords and
 * message content are never given to this module. Field names are part of the contract with
 * log tools (docs/log.md). */
#ifndef POSTERN_CORE_LOG_H
#define POSTERN_CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/str.h>

enum log_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

enum {
	LOG_LINE_MAX = 4096, /* what a pipe takes whole or not at all */
	LOG_WAIT_MS = 200,   /* for room in a full pipe, once; then lines are lost until one goes again, and event=lost tells how many */
};

struct log_line {
	enum log_level level;
	bool off; /* below the level in force: everything is ignored */
	size_t n;
	char p[LOG_LINE_MAX];
};

/* role is kept, not copied. Lines go to fd (2 before the first call). */
void log_setup(int fd, const char *role, enum log_format format, enum log_level lowest);
/* Instead of a descriptor: fn gets each finished line with its newline. NULL ends it. For tests and the log channel. */
void log_to(void (*fn)(void *ctx, struct str line), void *ctx);

void log_begin(struct log_line *l, enum log_level level, const char *event);
void log_str(struct log_line *l, const char *key, struct str value);
void log_cstr(struct log_line *l, const char *key, const char *value);
void log_num(struct log_line *l, const char *key, int64_t value);
void log_fmt(struct log_line *l, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
void log_end(struct log_line *l);

/* The short way: event=… why="…". */
void log_say(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Says why with event=fatal and ends the process with status 1: the world is not as it must be. */
_Noreturn void log_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says where with event=panic and aborts: our bug. */
_Noreturn void log_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define ASSERT(cond)                                                           \
	do {                                                                   \
		if (!(cond))                                                   \
			log_panic("%s:%d: %s", __FILE__, __LINE__, #cond);     \
	} while (0)

#endif
