/* log.c - composing and writing log lines. */
#include <postern/core/log.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/core/utf8.h>

static struct {
	int fd;
	const char *role;
	enum log_format format;
	enum log_level lowest;
	void (*fn)(void *ctx, struct str line);
	void *ctx;
	atomic_uint lost;  /* lines that nobody took, until that is told */
	atomic_bool stuck; /* waited in vain: not again before a line goes */
} log_out = { .fd = 2, .role = "postern", .lowest = LEVEL_INFO };

static const char *const level_name[] = { "debug", "info", "warn", "error" };

/* Bytes kept free for the closing of a cut value and the end of the line. */
enum { TAIL = 8 };

void
log_setup(int fd, const char *role, enum log_format format, enum log_level lowest)
{
	log_out.fd = fd;
	log_out.role = role;
	log_out.format = format;
	log_out.lowest = lowest;
	tzset(); /* reads the time zone now: later there may be no files */
}

void
log_to(void (*fn)(void *ctx, struct str line), void *ctx)
{
	log_out.fn = fn;
	log_out.ctx = ctx;
}

static bool
put(struct log_line *l, struct str s)
{
	if (l->n + s.n > LOG_LINE_MAX - TAIL)
		return false;
	memcpy(l->p + l->n, s.p, s.n);
	l->n += s.n;
	return true;
}

/* What goes out raw: printable text of any script, except what our quoting needs. */
static bool
is_raw(uint32_t code)
{
	if (code < 0x20 || code == '"' || code == '\\' || (code >= 0x7f && code < 0xa0))
		return false;
	/* line and paragraph separators, and marks that reorder what a terminal shows */
	return !(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069) &&
	    code != 0x200e && code != 0x200f && code != 0xfeff;
}

static struct str
escape(uint32_t code, bool valid, char out[static 8])
{
	int n;

	if (valid && (code == '"' || code == '\\'))
		n = snprintf(out, 8, "\\%c", (char)code);
	else if (log_out.format == LOG_JSON || code > 0xff)
		n = snprintf(out, 8, "\\u%04x", (unsigned)code & 0xffff);
	else
		n = snprintf(out, 8, "\\x%02x", (unsigned)code);
	return str_from(out, (size_t)n);
}

static void
put_escaped(struct log_line *l, struct str s)
{
	while (s.n > 0) {
		uint32_t code;
		size_t used;
		bool valid = utf8_next(s, &code, &used);
		char text[8];
		struct str piece = str_sub(s, 0, used);

		if (!valid)
			code = (unsigned char)*s.p;
		if (!valid || !is_raw(code))
			piece = escape(code, valid, text);
		if (!put(l, piece)) {
			l->n += 3;
			memcpy(l->p + l->n - 3, "...", 3);
			return;
		}
		s = str_sub(s, used, s.n);
	}
}

static bool
needs_quotes(struct str s)
{
	if (s.n == 0)
		return true;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_print(s.p[i]) || s.p[i] == ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\')
			return true;
	return false;
}

static void
put_value(struct log_line *l, struct str s)
{
	bool quoted = log_out.format == LOG_JSON || needs_quotes(s);

	if (quoted)
		put(l, STR("\""));
	put_escaped(l, s);
	if (quoted) {
		l->p[l->n] = '"'; /* TAIL keeps room for it */
		l->n++;
	}
}

static bool
put_key(struct log_line *l, const char *key)
{
	/* a field that cannot even begin is left out whole */
	if (l->n + strlen(key) + 16 > LOG_LINE_MAX - TAIL)
		return false;
	if (log_out.format == LOG_JSON) {
		put(l, STR(",\""));
		put(l, str_of(key));
		put(l, STR("\":"));
	} else {
		put(l, STR(" "));
		put(l, str_of(key));
		put(l, STR("="));
	}
	return true;
}

void
log_begin(struct log_line *l, enum log_level level, const char *event)
{
	char now[WALL_RFC3339_SIZE];
	struct str time;

	l->level = level;
	l->n = 0;
	l->off = level < log_out.lowest;
	if (l->off)
		return;
	time = str_from(now, wall_rfc3339(wall_now(), now));
	if (log_out.format == LOG_JSON) {
		put(l, STR("{\"time\":\""));
		put(l, time);
		put(l, STR("\""));
		log_cstr(l, "level", level_name[level]);
		log_cstr(l, "role", log_out.role);
	} else {
		put(l, time);
		put(l, STR(" "));
		put(l, str_of(level_name[level]));
		put(l, STR(" "));
		put(l, str_of(log_out.role));
	}
	log_cstr(l, "event", event);
}

void
log_str(struct log_line *l, const char *key, struct str value)
{
	if (!l->off && put_key(l, key))
		put_value(l, value);
}

void
log_cstr(struct log_line *l, const char *key, const char *value)
{
	log_str(l, key, str_of(value));
}

void
log_num(struct log_line *l, const char *key, int64_t value)
{
	char digits[24];
	int n = snprintf(digits, sizeof digits, "%" PRId64, value);

	if (!l->off && put_key(l, key))
		put(l, str_from(digits, (size_t)n));
}

static void __attribute__((format(printf, 3, 0)))
put_formatted(struct log_line *l, const char *key, const char *format, va_list args)
{
	char text[LOG_LINE_MAX];
	int n = vsnprintf(text, sizeof text, format, args);

	if (n < 0)
		return;
	log_str(l, key, str_from(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

void
log_fmt(struct log_line *l, const char *key, const char *format, ...)
{
	va_list args;

	if (l->off)
		return;
	va_start(args, format);
	put_formatted(l, key, format, args);
	va_end(args);
}

static void
close_line(struct log_line *l)
{
	if (log_out.format == LOG_JSON)
		l->p[l->n++] = '}';
	l->p[l->n++] = '\n';
}

/* One write, so that lines of several processes do not mix. A full pipe is waited for once, not at every line: whoever reads it
 * may be busy, or gone. */
static bool
write_line(const struct log_line *l)
{
	struct pollfd room = { .fd = log_out.fd, .events = POLLOUT };
	bool went = write(log_out.fd, l->p, l->n) != -1;

	if (!went && errno == EAGAIN && !log_out.stuck)
		went = poll(&room, 1, LOG_WAIT_MS) == 1 && write(log_out.fd, l->p, l->n) != -1;
	log_out.stuck = !went;
	return went;
}

static void
tell_lost(void)
{
	unsigned n = atomic_exchange(&log_out.lost, 0);
	struct log_line l;

	if (n == 0)
		return;
	log_begin(&l, LEVEL_ERROR, "lost");
	log_num(&l, "lines", n);
	log_cstr(&l, "why", "nobody read the log");
	close_line(&l);
	if (!write_line(&l))
		log_out.lost += n;
}

void
log_end(struct log_line *l)
{
	if (l->off)
		return;
	close_line(l);
	if (log_out.fn != NULL)
		log_out.fn(log_out.ctx, str_from(l->p, l->n));
	else if (write_line(l))
		tell_lost();
	else
		log_out.lost++;
}

static void __attribute__((format(printf, 3, 0)))
say(enum log_level level, const char *event, const char *format, va_list args)
{
	struct log_line l;

	log_begin(&l, level, event);
	if (!l.off)
		put_formatted(&l, "why", format, args);
	log_end(&l);
}

void
log_say(enum log_level level, const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(level, event, format, args);
	va_end(args);
}

void
log_fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(LEVEL_ERROR, "fatal", format, args);
	va_end(args);
	_exit(1);
}

void
log_panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(LEVEL_ERROR, "panic", format, args);
	va_end(args);
	abort();
}
