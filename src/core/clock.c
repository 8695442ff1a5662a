/* clock.c - real time, or the test's. */
#include <postern/core/clock.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct {
	bool on;
	struct mono mono;
	struct wall wall;
} fake;

struct mono
mono_now(void)
{
	struct timespec t;

	if (fake.on)
		return fake.mono;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct mono){ (int64_t)t.tv_sec * 1000000000 + t.tv_nsec };
}

struct wall
wall_now(void)
{
	struct timespec t;

	if (fake.on)
		return fake.wall;
	clock_gettime(CLOCK_REALTIME, &t);
	return (struct wall){ (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 };
}

size_t
wall_rfc3339(struct wall t, char out[static WALL_RFC3339_SIZE])
{
	time_t s = (time_t)wall_seconds(t);
	int ms = (int)((t.us - wall_seconds(t) * 1000000) / 1000);
	struct tm tm = { 0 };
	long off;
	int n;

	localtime_r(&s, &tm);
	off = tm.tm_gmtoff / 60;
	n = snprintf(out, WALL_RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02d:%02d",
	    (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ms,
	    off < 0 ? '-' : '+', (int)(labs(off) / 60) % 100, (int)(labs(off) % 60));
	return n > 0 ? (size_t)n : 0;
}

void
clock_fake(struct mono m, struct wall w)
{
	fake.on = true;
	fake.mono = m;
	fake.wall = w;
}

void
clock_fake_step(int64_t ms)
{
	fake.mono.ns += ms * 1000000;
	fake.wall.us += ms * 1000;
}

void
clock_real(void)
{
	fake.on = false;
}
