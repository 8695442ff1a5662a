/* err.h - an error that knows its class, the peer's words and ours.
 *
 * Functions that can fail for reasons of the world take a struct err, fill it on failure and return
 * false, so that `return err_temp(e, SAY_LATER, "rename %s: %s", name, strerror(errno))` is the
 * whole error path. `say` may be shown to strangers, `log` never leaves the box. */
#ifndef POSTERN_CORE_ERR_H
#define POSTERN_CORE_ERR_H

#include <stdbool.h>

enum err_class {
	ERR_NONE,
	ERR_TEMP, /* the same request may succeed later */
	ERR_PERM, /* it will not */
};

enum { ERR_LOG_MAX = 512 };

struct err {
	enum err_class class;
	const char *say;       /* for the peer: static text, no names, no paths */
	char log[ERR_LOG_MAX]; /* for the log: what exactly happened */
};

#define SAY_LATER "temporary failure, please try again later"
#define SAY_DISK "insufficient system storage"

/* Both fill *e and return false. `say` must be static text. errno is left alone. */
bool err_temp(struct err *e, const char *say, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool err_perm(struct err *e, const char *say, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Puts "format: " before the log words; false. */
bool err_at(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline void
err_clear(struct err *e)
{
	*e = (struct err){ .class = ERR_NONE, .say = "" };
}

#endif
