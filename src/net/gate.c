/* gate.c - who is connected and how fast they come.
 *
 * One record per source that has a connection open or came within the last minute. The rate is the generic cell
 * rate algorithm: `due` is the time at which the source has paid for all its connections so far; it may lie up to a
 * minute ahead. A source without open connections whose `due` has passed is as good as unknown and is forgotten. */
#include "gate.h"

#include <stdlib.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/core/map.h>
#include <postern/core/mem.h>

enum { MINUTE_MS = 60000 };

struct source {
	uint32_t open;
	struct mono due;
};

struct listen_gate {
	struct listen_limits limits;
	struct addr_net *nets;
	size_t nnets;
	uint32_t open;
	struct map sources;
};

struct listen_gate *
listen_gate_new(const struct listen_limits *limits, const struct addr_net *nets, size_t n)
{
	struct listen_gate *g = NEW(struct listen_gate);

	g->limits = *limits;
	g->nets = mem_array(n, sizeof *nets);
	if (n > 0)
		memcpy(g->nets, nets, n * sizeof *nets);
	g->nnets = n;
	map_init(&g->sources);
	return g;
}

void
listen_gate_free(struct listen_gate *g)
{
	size_t at = 0;
	struct str key;
	void *source;

	while (map_next(&g->sources, &at, &key, &source))
		free(source);
	map_fini(&g->sources);
	free(g->nets);
	free(g);
}

void
listen_gate_limit(struct listen_gate *g, const struct listen_limits *limits)
{
	g->limits = *limits;
}

uint32_t
listen_gate_open(const struct listen_gate *g)
{
	return g->open;
}

/* Without `hard` forgets whoever has nothing open and nothing to pay for; with it, whoever has nothing open. */
static void
forget_sources(struct listen_gate *g, bool hard)
{
	struct mono now = mono_now();
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&g->sources, &at, &key, &value)) {
		struct source *s = value;

		if (s->open == 0 && (hard || mono_before(s->due, now)))
			free(map_del(&g->sources, key));
	}
}

static struct source *
source_of(struct listen_gate *g, struct str key)
{
	struct source *s = map_get(&g->sources, key);

	if (s != NULL)
		return s;
	if (g->sources.n >= LISTEN_SOURCES_MAX)
		forget_sources(g, false);
	if (g->sources.n >= LISTEN_SOURCES_MAX)
		forget_sources(g, true);
	s = NEW(struct source);
	s->due = mono_now();
	map_put(&g->sources, key, s);
	return s;
}

static bool
comes_too_fast(struct source *s, uint32_t per_minute)
{
	struct mono now = mono_now();
	int64_t cost_ns;

	if (per_minute == 0)
		return false;
	cost_ns = MINUTE_MS * INT64_C(1000000) / per_minute;
	if (mono_before(s->due, now))
		s->due = now;
	if (s->due.ns + cost_ns > mono_add_ms(now, MINUTE_MS).ns)
		return true;
	s->due.ns += cost_ns;
	return false;
}

const char *
gate_enter(struct listen_gate *g, const struct addr *peer)
{
	struct addr_source id = addr_source_of(peer);
	struct source *s;

	if (g->limits.total > 0 && g->open >= g->limits.total)
		return "too many connections";
	s = source_of(g, str_from(id.b, sizeof id.b));
	if (!addr_in_any(peer, g->nets, g->nnets)) {
		if (g->limits.per_source > 0 && s->open >= g->limits.per_source)
			return "too many connections from this source";
		if (comes_too_fast(s, g->limits.per_source_minute))
			return "too many new connections from this source";
	}
	s->open++;
	g->open++;
	return NULL;
}

void
listen_gate_left(struct listen_gate *g, const struct addr *peer)
{
	struct addr_source id = addr_source_of(peer);
	struct source *s = map_get(&g->sources, str_from(id.b, sizeof id.b));

	ASSERT(s != NULL && s->open > 0 && g->open > 0);
	s->open--;
	g->open--;
	if (s->open == 0 && mono_before(s->due, mono_now()))
		free(map_del(&g->sources, str_from(id.b, sizeof id.b)));
}
