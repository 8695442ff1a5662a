/* clock.h - two kinds of time that do not mix.
 *
 * mono: nanoseconds of CLOCK_MONOTONIC, for deadlines, never shown, never stored.
 * wall: microseconds since the epoch, for headers, names and records, never for waiting.
 * Tests set a fake; sessions see only what these functions return. */
#ifndef POSTERN_CORE_CLOCK_H
#define POSTERN_CORE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mono {
	int64_t ns;
};
struct wall {
	int64_t us;
};

struct mono mono_now(void);
struct wall wall_now(void);

static inline struct mono
mono_add_ms(struct mono t, int64_t ms)
{
	return (struct mono){ t.ns + ms * 1000000 };
}

/* a - b in milliseconds, rounded up, so that a deadline in the future is never 0 away. */
static inline int64_t
mono_ms_between(struct mono a, struct mono b)
{
	int64_t ns = a.ns - b.ns;
	return ns > 0 ? (ns + 999999) / 1000000 : ns / 1000000;
}

static inline bool
mono_before(struct mono a, struct mono b)
{
	return a.ns < b.ns;
}

static inline int64_t
wall_seconds(struct wall t)
{
	return t.us >= 0 ? t.us / 1000000 : (t.us - 999999) / 1000000;
}

static inline struct wall
wall_from_seconds(int64_t s)
{
	return (struct wall){ s * 1000000 };
}

enum { WALL_RFC3339_SIZE = 40 };
/* "2026-05-01T12:00:00.123+02:00" in local time, NUL-terminated; returns its length. */
size_t wall_rfc3339(struct wall t, char out[static WALL_RFC3339_SIZE]);

/* From now on both clocks stand still where the test puts them; clock_fake_step moves both. */
void clock_fake(struct mono m, struct wall w);
void clock_fake_step(int64_t ms);
/* Back to real time. */
void clock_real(void);

#endif
