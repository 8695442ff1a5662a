/* cur.h - a cursor for parsers that read like the grammar.
 *
 * The cursor walks over complete bytes (framing is done before). The first failure sticks: every later
 * call takes nothing and returns its empty value, so a parser is written straight down and asks
 * once at the end. Letters in literals match without regard to ASCII case, as in ABNF. */
#ifndef POSTERN_CORE_CUR_H
#define POSTERN_CORE_CUR_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/str.h>

struct cur {
	const char *p;
	const char *end;
	const char *why; /* NULL while all is well, else what was expected (static text) */
};

static inline struct cur
cur_init(struct str s)
{
	return (struct cur){ s.p, s.n > 0 ? s.p + s.n : s.p, NULL }; /* NULL + 0 is undefined */
}

static inline bool
cur_ok(const struct cur *c)
{
	return c->why == NULL;
}

/* Records the first failure; false, so that `return cur_fail(c, "…")` reads well. */
bool cur_fail(struct cur *c, const char *why);

/* The next byte as unsigned char, or -1 at the end or after a failure. Takes nothing. */
int cur_peek(const struct cur *c);
/* Bytes left, 0 after a failure. */
size_t cur_left(const struct cur *c);
struct str cur_rest(const struct cur *c);
/* True at the end without failure; anything left is not a failure yet. */
bool cur_at_end(const struct cur *c);

/* Takes the literal if it comes next. */
bool cur_take(struct cur *c, const char *literal);
bool cur_take_char(struct cur *c, char byte);
/* Takes the literal or fails. */
bool cur_want(struct cur *c, const char *literal);
/* Takes bytes while is() holds; may be empty. */
struct str cur_while(struct cur *c, bool (*is)(char));
/* The same, at least one byte and at most max, else fails with why. */
struct str cur_want_while(struct cur *c, bool (*is)(char), size_t max, const char *why);
/* Takes exactly n bytes or fails. */
struct str cur_bytes(struct cur *c, size_t n);
/* Decimal number, 1*DIGIT, at most max, else fails. */
uint64_t cur_number(struct cur *c, uint64_t max);
/* True if all was taken without failure; anything left is a failure. */
bool cur_end(struct cur *c);

#endif
