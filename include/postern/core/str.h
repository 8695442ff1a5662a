/* str.h - a view of bytes that somebody else owns.
 *
 * A str is never NUL-terminated by promise and may hold NUL bytes. It is passed by
 * value, lives no longer than what it points into, and is never freed. */
#ifndef POSTERN_CORE_STR_H
#define POSTERN_CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

/* A literal as a str; only string literals compile. */
#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })
/* The same for static initialisers. */
#define STR_INIT(lit) { "" lit, sizeof(lit) - 1 }
/* A str as the two arguments of "%.*s"; only for bytes known to be short and without NUL. */
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str
str_of(const char *cstring)
{
	return (struct str){ cstring, cstring != NULL ? strlen(cstring) : 0 };
}

static inline struct str
str_from(const void *p, size_t n)
{
	return (struct str){ p, n };
}

/* s[from, to), both clamped to the length. */
struct str str_sub(struct str s, size_t from, size_t to);

bool str_eq(struct str a, struct str b);
/* Equal when ASCII letters are folded; other bytes are compared as they are. */
bool str_eq_nocase(struct str a, struct str b);
/* Bytewise order as memcmp, the shorter first. */
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_ends_nocase(struct str s, struct str suffix);

/* Offset of the first (last) byte c, or s.n. */
size_t str_find(struct str s, char c);
size_t str_rfind(struct str s, char c);
/* Offset of the first occurrence of needle, or s.n. */
size_t str_search(struct str s, struct str needle);
bool str_has(struct str s, char c);

/* Without spaces, tabs, CR and LF at either end. */
struct str str_trim(struct str s);

/* Takes the bytes before the first sep off *rest into *head (all of them when there is none).
 * False when *rest was used up before the call: `while (str_cut(&rest, ',', &item))`.
 * A str that ends in sep yields no empty last item. */
bool str_cut(struct str *rest, char sep, struct str *head);

/* Strict decimal: one or more digits and nothing else, value <= max. */
bool str_u64(struct str s, uint64_t max, uint64_t *value);

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool
ascii_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* Printable ASCII, space included. */
static inline bool
ascii_is_print(char c)
{
	return c >= 0x20 && c < 0x7f;
}

#endif
