/* err.c - filling in errors. */
#include <postern/core/err.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 4, 0)))
fill(struct err *e, enum err_class class, const char *say, const char *format, va_list args)
{
	int kept = errno;

	e->class = class;
	e->say = say;
	vsnprintf(e->log, sizeof e->log, format, args);
	errno = kept;
}

bool
err_temp(struct err *e, const char *say, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(e, ERR_TEMP, say, format, args);
	va_end(args);
	return false;
}

bool
err_perm(struct err *e, const char *say, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(e, ERR_PERM, say, format, args);
	va_end(args);
	return false;
}

bool
err_at(struct err *e, const char *format, ...)
{
	char inner[ERR_LOG_MAX];
	va_list args;
	int n;

	memcpy(inner, e->log, sizeof inner);
	va_start(args, format);
	n = vsnprintf(e->log, sizeof e->log, format, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof e->log)
		snprintf(e->log + n, sizeof e->log - (size_t)n, ": %s", inner);
	return false;
}
