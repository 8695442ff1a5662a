/* idle.c - open connections that wait for the next message. */
#include "idle.h"

#include <stdlib.h>

#include <postern/core/mem.h>

void
idle_init(struct relay *r)
{
	map_init(&r->idle);
	TAILQ_INIT(&r->resting);
}

static void
take_out(struct relay *r, struct link *l)
{
	struct str key = str_of(l->about.key);
	struct link_queue *same = map_get(&r->idle, key);

	TAILQ_REMOVE(&r->resting, l, resting);
	TAILQ_REMOVE(same, l, same_key);
	r->counts.idle--;
	if (TAILQ_EMPTY(same))
		free(map_del(&r->idle, key));
}

void
idle_fini(struct relay *r)
{
	struct link *l;

	while ((l = TAILQ_FIRST(&r->resting)) != NULL)
		take_out(r, l);
	map_fini(&r->idle);
}

/* The host went first, or the rest was long enough. */
static void
on_over(void *ctx, const struct smtp_out_end *end)
{
	struct link *l = ctx;

	(void)end;
	take_out(l->relay, l);
}

static const struct link_ops idle_ops = { .over = on_over };

static bool
is_fresh(const struct relay *r, const struct link *l)
{
	return l->about.key != NULL && l->conf == r->conf && mono_before(mono_now(), l->about.expires);
}

void
idle_put(struct relay *r, struct link *l)
{
	struct str key;
	struct link_queue *same;

	if (r->draining || !is_fresh(r, l)) {
		link_quit(l);
		return;
	}
	key = str_of(l->about.key);
	same = map_get(&r->idle, key);
	if (same == NULL) {
		same = NEW(struct link_queue);
		TAILQ_INIT(same);
		map_put(&r->idle, key, same);
	}
	TAILQ_INSERT_HEAD(same, l, same_key);
	TAILQ_INSERT_TAIL(&r->resting, l, resting);
	r->counts.idle++;
	link_use(l, &idle_ops, l);
	link_rest(l, RELAY_IDLE_MS);
	if (!TAILQ_EMPTY(&r->waiting))
		relay_turn_soon(r);
}

static void
drop(struct relay *r, struct link *l)
{
	take_out(r, l);
	link_quit(l);
}

struct link *
idle_take(struct relay *r, struct str key, const struct conf *conf)
{
	struct link_queue *same = map_get(&r->idle, key);
	struct link *l = same != NULL ? TAILQ_FIRST(same) : NULL;

	if (l == NULL || conf != r->conf)
		return NULL;
	if (!is_fresh(r, l)) {
		drop(r, l);
		return idle_take(r, key, conf);
	}
	take_out(r, l);
	return l;
}

bool
idle_drop_one(struct relay *r)
{
	if (TAILQ_EMPTY(&r->resting))
		return false;
	drop(r, TAILQ_FIRST(&r->resting));
	return true;
}

void
idle_drop_all(struct relay *r)
{
	while (idle_drop_one(r))
		;
}
