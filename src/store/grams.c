/* grams.c - the search index in the loop: its file, which mailboxes are to be looked at, and when. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "work.h"

enum {
	FRESH_MAX = 64,   /* commits that wait for each other's company … */
	FRESH_TICKS = 5,  /* … so many seconds */
	STOPPED_MS = 600 * 1000,
};

bool
store_grams_on(const struct store_user *u)
{
	return u->store->config.make_grams != NULL;
}

/* --- the file --- */

bool
gram_path(const struct store_user *u, char path[static PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/%s/" GRAM_FILE, u->store->config.root, u->dir);

	return n > 0 && n < PATH_MAX;
}

static void
stop(struct store_user *u, int rc)
{
	if (!u->grams.stopped)
		log_say(LEVEL_WARN, "store", "user %s: the search index stops: %s", u->address, mdb_strerror(rc));
	u->grams.stopped = true;
	u->grams.stopped_at = mono_now();
}

static void
start_anew(struct store_user *u)
{
	for (struct gram_box *b = u->grams.boxes; b != NULL; b = b->next) {
		b->task = (struct gram_task){ .mailbox = b->task.mailbox };
		b->due = true;
		b->whole = false;
	}
}

/* Closes and removes the file: it is made anew when it is asked for. */
static void
drop(struct store_user *u)
{
	grams_close(u);
	unlinkat(u->fd, GRAM_FILE, 0);
	unlinkat(u->fd, GRAM_FILE "-lock", 0);
}

/* A damaged file is made anew; after a failed write LMDB wants to be opened anew. */
void
grams_failed(struct store_user *u, int rc)
{
	if (index_is_damage(rc) && rc != EIO && rc != EACCES) {
		log_say(LEVEL_WARN, "store", "user %s: the search index is damaged and made anew: %s", u->address,
		    mdb_strerror(rc));
		u->grams.damaged = true;
		if (u->running == NULL)
			grams_mend(u);
		return;
	}
	stop(u, rc);
}

void
grams_mend(struct store_user *u)
{
	if (!u->grams.damaged)
		return;
	u->grams.damaged = false;
	drop(u);
	start_anew(u);
}

void
grams_close(struct store_user *u)
{
	gram_file_close(&u->grams.file);
}

struct gram_env *
grams_file(struct store_user *u)
{
	char path[PATH_MAX];
	int rc;

	if (!store_grams_on(u) || u->grams.damaged)
		return NULL;
	if (u->grams.file.env != NULL)
		return &u->grams.file;
	if (u->running != NULL || u->grams.absent || !gram_path(u, path))
		return NULL;
	rc = gram_file_open(&u->grams.file, path, u->store->config.search_max, false);
	u->grams.absent = rc == ENOENT;
	if (rc != 0 && rc != ENOENT)
		grams_failed(u, rc);
	return u->grams.file.env != NULL ? &u->grams.file : NULL;
}

uint64_t
grams_size(const struct store_user *u)
{
	struct stat st;

	return fstatat(u->fd, GRAM_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

/* --- mailboxes --- */

static struct gram_box *
find_box(struct store_user *u, uint32_t mailbox)
{
	struct gram_box *b = u->grams.boxes;

	while (b != NULL && b->task.mailbox != mailbox)
		b = b->next;
	return b;
}

static void
drop_box(struct store_user *u, struct gram_box *box)
{
	struct gram_box **at = &u->grams.boxes;

	while (*at != box)
		at = &(*at)->next;
	*at = box->next;
	free(box);
}

/* Looks again from the beginning, or when what is under way is done. */
static void
ask_for(struct gram_box *b)
{
	b->again = b->due;
	b->due = true;
	b->fresh = b->ticks = 0;
}

static void
follow(struct store_user *u, uint32_t mailbox, bool refresh)
{
	struct gram_box *b = find_box(u, mailbox);

	if (!store_grams_on(u))
		return;
	if (b != NULL && b->whole && b->fresh == 0 && !b->due)
		return;
	if (b == NULL) {
		b = NEW(struct gram_box);
		b->task = (struct gram_task){ .mailbox = mailbox, .refresh = refresh };
		b->next = u->grams.boxes;
		u->grams.boxes = b;
	}
	b->task.refresh &= refresh;
	ask_for(b);
	work_kick(u);
}

void
store_grams_follow(struct store_user *u, uint32_t mailbox)
{
	follow(u, mailbox, false);
}

/* Where there is no file nothing is in the index, and no thread has to be woken to find that out. */
void
store_grams_refresh(struct store_user *u, uint32_t mailbox)
{
	if (find_box(u, mailbox) != NULL || (grams_file(u) == NULL && u->grams.absent))
		return;
	follow(u, mailbox, true);
}

/* Messages came or went. */
void
grams_note(struct store_user *u, const struct store_event *event)
{
	struct gram_box *b = find_box(u, event->mailbox);

	if (b == NULL || (event->kinds & (STORE_EVENT_NEW | STORE_EVENT_GONE | STORE_EVENT_DELETED)) == 0)
		return;
	b->fresh++;
	if (b->fresh >= FRESH_MAX || (event->kinds & STORE_EVENT_DELETED) != 0)
		ask_for(b);
}

void
grams_tick(struct store_user *u)
{
	bool kick = false;

	if (u->grams.stopped && mono_ms_between(mono_now(), u->grams.stopped_at) >= STOPPED_MS) {
		u->grams.stopped = false;
		kick = true;
	}
	for (struct gram_box *b = u->grams.boxes; b != NULL; b = b->next) {
		b->ticks += b->fresh > 0;
		if (b->ticks < FRESH_TICKS)
			continue;
		ask_for(b);
		kick = true;
	}
	if (kick)
		work_kick(u);
}

void
grams_free(struct store_user *u)
{
	grams_close(u);
	while (u->grams.boxes != NULL)
		drop_box(u, u->grams.boxes);
	u->grams = (struct grams){ 0 };
}

/* --- works --- */

static struct gram_box *
next_box(const struct store_user *u)
{
	struct gram_box *b = u->grams.stopped ? NULL : u->grams.boxes;

	while (b != NULL && !b->due)
		b = b->next;
	return b;
}

bool
grams_due(const struct store_user *u)
{
	return next_box(u) != NULL;
}

struct gram_work *
grams_next(struct store_user *u)
{
	struct gram_box *b = next_box(u);
	struct gram_work *w;

	if (b == NULL)
		return NULL;
	w = NEW(struct gram_work);
	w->task = b->task;
	return w;
}

static void
take_task(struct store_user *u, struct gram_box *b, const struct gram_task *task)
{
	bool refresh = b->task.refresh;

	b->task = *task;
	b->task.refresh = refresh;
	if (!task->done)
		return;
	b->task = (struct gram_task){ .mailbox = task->mailbox, .refresh = refresh };
	b->due = b->again;
	b->again = false;
	b->whole = !task->absent;
	if (task->absent && !b->due)
		drop_box(u, b);
}

void
grams_done(struct store_user *u, const struct gram_work *w)
{
	struct gram_box *b = find_box(u, w->task.mailbox);

	if (w->made.env != NULL) {
		u->grams.file = w->made;
		u->grams.absent = false;
	}
	if (w->rc != 0)
		grams_failed(u, w->rc);
	else if (b != NULL)
		take_task(u, b, &w->task);
}
