/* store.c - the store of a process: opening, closing, the clock of names, once a second. */
#include <postern/store/store.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "group.h"
#include "shares.h"
#include "state.h"
#include "work.h"

enum {
	TICK_MS = 1000,
	IDLE_MS = 10000,
	ENV_MAX = 1000,
	SYNCFS_FROM = 4,
	SEARCH_WAIT = 512,
	PATIENT_THREADS = 2, /* those that compute leave the loop its share of few processors */
	READER_CHECK_TICKS = 60,
};
#define MAP_SIZE (UINT64_C(16) << 30)
#define FREE_MIN (UINT64_C(64) << 20)

void
store_prepare(void)
{
	blob_prepare();
	syncer_prepare();
}

static void
fill_defaults(struct store_config *c)
{
	if (c->map_size == 0)
		c->map_size = MAP_SIZE;
	if (c->search_max == 0)
		c->search_max = MAP_SIZE;
	if (c->search_wait == 0)
		c->search_wait = SEARCH_WAIT;
	if (c->env_max == 0)
		c->env_max = ENV_MAX;
	if (c->idle_ms == 0)
		c->idle_ms = IDLE_MS;
	if (c->free_min == 0)
		c->free_min = FREE_MIN;
	if (c->syncfs_from == 0)
		c->syncfs_from = SYNCFS_FROM;
}

static void
check_readers(struct store_user *u)
{
	int dead;

	if (u->index_is_open && u->store->ticks % READER_CHECK_TICKS == 0)
		mdb_reader_check(u->ix.env, &dead);
}

static void
on_tick(void *ctx)
{
	struct store *s = ctx;
	size_t at = 0;
	struct str key;
	void *u;

	s->ticks++;
	while (map_next(&s->users, &at, &key, &u)) {
		check_readers(u);
		user_tick(u);
	}
	loop_timer_start(&s->tick, TICK_MS);
}

struct store *
store_open(const struct store_config *config, struct err *e)
{
	struct store *s;
	int root = open(config->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root == -1) {
		err_temp(e, SAY_LATER, "%s: %s", config->root, strerror(errno));
		return NULL;
	}
	s = NEW(struct store);
	s->config = *config;
	fill_defaults(&s->config);
	s->root = root;
	s->syncer = syncer_new(root, s->config.syncfs_from, s->config.threads > 0);
	blob_probe(s);
	s->shares = s->config.shares ? shares_open(root) : NULL;
	s->exec = exec_new(config->loop, config->threads, PATIENT_THREADS);
	map_init(&s->users);
	s->clock = wall_now().us;
	s->group = group_new();
	loop_timer_init(&s->tick, config->loop, on_tick, s);
	loop_timer_start(&s->tick, TICK_MS);
	return s;
}

int64_t
store_clock_next(struct store *s)
{
	int64_t now = wall_now().us;

	s->clock = now > s->clock ? now : s->clock + 1;
	return s->clock;
}

static bool
user_busy(const struct store_user *u)
{
	if (u->running != NULL || u->waits != NULL)
		return true;
	if (u->state != USER_READY || u->held)
		return u->first_request != NULL;
	return u->first_request != NULL || u->first_arrival != NULL || u->wants != NULL || u->todo_left ||
	    grams_due(u);
}

bool
store_busy(const struct store *s)
{
	size_t at = 0;
	struct str key;
	void *u;

	if (exec_pending(s->exec) > 0 || group_busy(s->group))
		return true;
	while (map_next(&s->users, &at, &key, &u))
		if (user_busy(u))
			return true;
	return false;
}

void
store_settle(struct store *s)
{
	size_t at = 0;
	struct str key;
	void *u;

	s->settling = true;
	while (map_next(&s->users, &at, &key, &u))
		work_kick(u);
	while (store_busy(s))
		loop_once(s->config.loop);
	s->settling = false;
	loop_turn(s->config.loop); /* callbacks that were put off */
}

void
store_close(struct store *s)
{
	size_t at = 0;
	struct str key;
	void *u;

	s->closing = true;
	while (exec_pending(s->exec) > 0)
		loop_once(s->config.loop);
	loop_turn(s->config.loop);
	exec_free(s->exec);
	group_free(s->group);
	while (map_next(&s->users, &at, &key, &u))
		user_drop_requests(u); /* some hold another user */
	at = 0;
	while (map_next(&s->users, &at, &key, &u)) {
		watch_drop_all(u);
		user_free(u);
	}
	map_fini(&s->users);
	loop_timer_fini(&s->tick);
	syncer_free(s->syncer);
	shares_free(s->shares);
	io_close(&s->root);
	free(s);
}
