/* user.c - users in memory: opened by the first who asks, closed when nobody holds them and nothing is left to do. */
#include <postern/store/user.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "name.h"
#include "path.h"
#include "work.h"

static void
on_timer(void *ctx)
{
	struct store_user *u = ctx;

	u->timer_on = false;
	u->held = false;
	u->due = true;
	work_kick(u);
}

static struct store_user *
user_new(struct store *s, struct str address, const char *dir)
{
	struct store_user *u = NEW(struct store_user);
	struct buf path;

	u->store = s;
	u->address = mem_cstr(address);
	u->dir = mem_cstr(str_of(dir));
	buf_init(&path, PATH_MAX);
	buf_addf(&path, "%s/%s/index.mdb", s->config.root, dir);
	u->path = mem_cstr(buf_str(&path));
	buf_fini(&path);
	u->fd = u->maildir = -1;
	u->last_request = &u->first_request;
	u->last_arrival = &u->first_arrival;
	map_init(&u->arrivals);
	u->floor = INT64_MAX;
	u->used = mono_now();
	err_clear(&u->why);
	loop_timer_init(&u->timer, s->config.loop, on_timer, u);
	map_put(&s->users, address, u);
	return u;
}

void
user_drop_requests(struct store_user *u)
{
	while (u->first_request != NULL) {
		struct store_request *r = u->first_request;

		u->first_request = r->next;
		request_free(r);
	}
	u->last_request = &u->first_request;
}

static void
free_lists(struct store_user *u)
{
	while (u->first_arrival != NULL) {
		struct arrival *a = u->first_arrival;

		u->first_arrival = a->next;
		free(a);
	}
	map_fini(&u->arrivals);
	while (u->wants != NULL) {
		struct cache_want *want = u->wants;

		u->wants = want->next;
		uidset_fini(&want->uids);
		free(want);
	}
	user_drop_requests(u);
	while (u->waits != NULL) {
		struct user_wait *wait = u->waits;

		u->waits = wait->next;
		free(wait);
	}
}

void
user_close_index(struct store_user *u)
{
	if (!u->index_is_open)
		return;
	if (u->reader != NULL)
		mdb_txn_abort(u->reader);
	u->reader = NULL;
	index_close(&u->ix);
	grams_close(u);
	u->index_is_open = false;
	u->store->open_indexes--;
}

void
user_free(struct store_user *u)
{
	map_del(&u->store->users, str_of(u->address));
	user_close_index(u);
	grams_free(u);
	free_lists(u);
	loop_timer_fini(&u->timer);
	io_close(&u->maildir);
	io_close(&u->fd); /* and with it the lock */
	free(u->seen.p);
	free(u->address);
	free(u->dir);
	free(u->path);
	free(u);
}

struct store_user *
user_find(struct store *s, struct str address)
{
	return map_get(&s->users, address);
}

static bool
is_idle(const struct store_user *u)
{
	return u->running == NULL && u->first_request == NULL && u->first_arrival == NULL && u->wants == NULL &&
	    !u->todo_left && !u->reader_taken && u->deliveries == 0 && !grams_due(u);
}

static bool
all_saved(const struct store_user *u)
{
	for (size_t i = 0; i < u->seen.n; i++)
		if (!u->seen.p[i].saved)
			return false;
	return true;
}

/* One that has not been used longest makes room for another. */
static void
close_oldest(struct store *s)
{
	struct store_user *oldest = NULL;
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&s->users, &at, &key, &value)) {
		struct store_user *u = value;

		if (u->index_is_open && u->state == USER_READY && is_idle(u) &&
		    (oldest == NULL || mono_before(u->used, oldest->used)))
			oldest = u;
	}
	if (oldest != NULL)
		user_close_index(oldest);
}

static void
count_open(struct store_user *u)
{
	u->store->open_indexes++;
	if (u->store->open_indexes > u->store->config.env_max)
		close_oldest(u->store);
}

struct index *
user_index(struct store_user *u, struct err *e)
{
	if (u->state != USER_READY) {
		*e = u->why;
		if (e->class == ERR_NONE)
			err_temp(e, SAY_LATER, "%s: not ready", u->dir);
		return NULL;
	}
	u->used = mono_now();
	if (u->index_is_open)
		return &u->ix;
	if (!index_open(&u->ix, u->path, u->store->config.map_size, false, e)) {
		if (e->class == ERR_PERM)
			user_break(u, e);
		else
			u->why = *e;
		return NULL;
	}
	u->index_is_open = true;
	count_open(u);
	return &u->ix;
}

void
user_break(struct store_user *u, const struct err *why)
{
	struct buf text;

	if (u->state == USER_BROKEN)
		return;
	log_say(LEVEL_ERROR, "store", "user %s: the index is damaged, `postern store rebuild` makes it anew: %s",
	    u->address, why->log);
	u->state = USER_BROKEN;
	err_temp(&u->why, SAY_LATER, "%s: the index is damaged: %s", u->dir, why->log);
	buf_init(&text, ERR_LOG_MAX + 2);
	buf_addf(&text, "%s\n", why->log);
	if (u->fd != -1 && !path_replace(u->fd, BROKEN_NAME, buf_str(&text)))
		log_say(LEVEL_ERROR, "store", "user %s: %s: %s", u->address, BROKEN_NAME, strerror(errno));
	buf_fini(&text);
}

/* -- opening -- */

static void
answer(void *ctx)
{
	struct store_user *u = ctx;

	/* a callback may have him loaded again: who asks from then on waits for that */
	while (u->waits != NULL && u->state != USER_LOADING) {
		struct user_wait *wait = u->waits;
		bool ok = u->state == USER_READY;

		u->waits = wait->next;
		if (ok && !u->store->closing)
			u->refs++;
		if (!u->store->closing)
			wait->done(wait->ctx, ok ? u : NULL, ok ? NULL : &u->why);
		free(wait);
	}
	store_user_unref(u);
}

static void
answer_later(struct store_user *u)
{
	u->refs++;
	loop_defer(u->store->config.loop, answer, u);
}

void
user_loaded(struct store_user *u, const struct err *e)
{
	u->rebuild = false;
	/* what was in new/ until now has been looked at, whatever the clock said when it was written */
	if (e->class == ERR_NONE && u->floor == INT64_MAX)
		u->floor = u->store->clock;
	if (u->index_is_open)
		count_open(u);
	if (e->class == ERR_PERM)
		user_break(u, e);
	else if (e->class == ERR_TEMP)
		log_say(LEVEL_WARN, "store", "user %s: %s", u->address, e->log);
	if (u->state == USER_LOADING) {
		u->state = e->class == ERR_NONE ? USER_READY : USER_BROKEN;
		u->why = *e;
	}
	answer_later(u);
}

static void
add_wait(struct store_user *u, void (*done)(void *ctx, struct store_user *u, const struct err *e), void *ctx)
{
	struct user_wait *wait = NEW(struct user_wait), **at = &u->waits;

	wait->done = done;
	wait->ctx = ctx;
	while (*at != NULL)
		at = &(*at)->next;
	*at = wait;
}

struct bad_address {
	void (*done)(void *ctx, struct store_user *u, const struct err *e);
	void *ctx;
};

static void
answer_bad(void *ctx)
{
	struct bad_address *b = ctx;
	struct err e;

	err_perm(&e, "no such user", "store: not the address of a user");
	b->done(b->ctx, NULL, &e);
	free(b);
}

static void
refuse_address(struct store *s, void (*done)(void *ctx, struct store_user *u, const struct err *e), void *ctx)
{
	struct bad_address *b = NEW(struct bad_address);

	*b = (struct bad_address){ done, ctx };
	loop_defer(s->config.loop, answer_bad, b);
}

static struct store_user *
load_user(struct store *s, struct str address)
{
	struct buf dir;
	struct store_user *u = NULL;

	buf_init(&dir, 1024);
	if (name_user_dir(&dir, address)) {
		u = user_new(s, address, buf_cstr(&dir));
		work_load(u);
	}
	buf_fini(&dir);
	return u;
}

bool
user_reload(struct store_user *u, void (*done)(void *ctx, struct store_user *u, const struct err *e), void *ctx)
{
	if (u->state != USER_BROKEN || u->running != NULL || u->reader_taken)
		return false;
	user_close_index(u);
	u->state = USER_LOADING;
	u->rebuild = true;
	err_clear(&u->why);
	add_wait(u, done, ctx);
	work_load(u);
	return true;
}

void
store_user_open(struct store *s, struct str address, void (*done)(void *ctx, struct store_user *u, const struct err *e),
    void *ctx)
{
	struct store_user *u = user_find(s, address);

	if (u == NULL)
		u = load_user(s, address);
	if (u == NULL) {
		refuse_address(s, done, ctx);
		return;
	}
	add_wait(u, done, ctx);
	if (u->state != USER_LOADING)
		answer_later(u);
}

/* Nothing is made for somebody who has nothing here. */
static bool
has_mail(struct store *s, struct str address)
{
	struct buf dir;
	struct stat st;
	bool ok;

	buf_init(&dir, 1024);
	ok = name_user_dir(&dir, address) && fstatat(s->root, buf_cstr(&dir), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
	buf_fini(&dir);
	return ok;
}

void
store_user_find(struct store *s, struct str address, void (*done)(void *ctx, struct store_user *u, const struct err *e), void *ctx)
{
	if (user_find(s, address) != NULL || has_mail(s, address))
		store_user_open(s, address, done, ctx);
	else
		refuse_address(s, done, ctx);
}

void
store_user_ref(struct store_user *u)
{
	u->refs++;
}

/* One that could not be loaded leaves at once, so that the next who asks tries again; others stay a while. */
void
store_user_unref(struct store_user *u)
{
	ASSERT(u->refs > 0);
	u->refs--;
	user_leave_if_done(u);
}

void
user_leave_if_done(struct store_user *u)
{
	if (u->refs > 0 || u->running != NULL || u->deliveries > 0 || u->waits != NULL || u->watches != NULL)
		return;
	if (u->state == USER_BROKEN && u->first_request == NULL && !u->store->closing)
		user_free(u);
}

void
user_tick(struct store_user *u)
{
	if (u->state != USER_READY)
		return;
	watch_poll(u);
	grams_tick(u);
	if (!is_idle(u) || mono_ms_between(mono_now(), u->used) < u->store->config.idle_ms)
		return;
	if (u->index_is_open && !all_saved(u)) {
		work_save(u); /* the next tick closes */
		return;
	}
	user_close_index(u);
	if (u->refs == 0 && u->watches == NULL && u->waits == NULL)
		user_free(u);
}

struct str
store_user_address(const struct store_user *u)
{
	return str_of(u->address);
}

bool
store_user_broken(const struct store_user *u)
{
	return u->state == USER_BROKEN;
}

uint64_t
store_user_bytes(const struct store_user *u)
{
	return u->bytes + u->waiting_bytes;
}
