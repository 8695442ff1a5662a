/* watch.c - who wants to know what happens to a mailbox. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <postern/core/mem.h>

#include "path.h"
#include "view.h"
#include "work.h"

enum { POLL_TICKS = 5 }; /* seconds between looks at a watched directory */

struct store_watch {
	struct store_watch *next;
	struct store_user *u;
	uint32_t mailbox;
	void (*fn)(void *ctx, const struct store_event *event);
	void *ctx;
	char *dir;  /* of the mailbox; NULL: not polled */
	bool ended; /* freed by whoever walks the list */
};

/* The directory is looked at without the index, which is closed while nothing happens. */
static void
read_dir(struct store_watch *watch)
{
	struct err e;
	struct store_view *v = watch->mailbox != 0 ? store_view_open(watch->u, &e) : NULL;

	free(watch->dir);
	watch->dir = NULL;
	if (v == NULL)
		return;
	watch->dir = view_dir(v, watch->mailbox);
	store_view_close(v);
}

struct store_watch *
store_watch_start(
    struct store_user *u, uint32_t mailbox, void (*fn)(void *ctx, const struct store_event *event), void *ctx)
{
	struct store_watch *watch = NEW(struct store_watch);

	*watch = (struct store_watch){ .next = u->watches, .u = u, .mailbox = mailbox, .fn = fn, .ctx = ctx };
	u->watches = watch;
	store_user_ref(u);
	read_dir(watch);
	work_kick(u); /* what waits for company has it now */
	return watch;
}

static void
sweep(struct store_user *u)
{
	struct store_watch **at = &u->watches;

	while (*at != NULL) {
		struct store_watch *watch = *at;

		if (!watch->ended) {
			at = &watch->next;
			continue;
		}
		*at = watch->next;
		free(watch->dir);
		free(watch);
	}
}

void
store_watch_stop(struct store_watch *w)
{
	struct store_user *u = w->u;

	w->ended = true;
	if (!u->telling)
		sweep(u);
	store_user_unref(u);
}

void
watch_tell(struct store_user *u, const struct store_event *event)
{
	u->telling = true;
	for (struct store_watch *watch = u->watches; watch != NULL; watch = watch->next) {
		if (watch->ended || (watch->mailbox != 0 && watch->mailbox != event->mailbox))
			continue;
		if ((event->kinds & STORE_EVENT_RENAMED) != 0)
			read_dir(watch);
		watch->fn(watch->ctx, event);
	}
	u->telling = false;
	sweep(u);
}

void
watch_drop_all(struct store_user *u)
{
	for (struct store_watch *watch = u->watches; watch != NULL; watch = watch->next)
		watch->ended = true;
	sweep(u);
}

void
watch_tell_all_gone(struct store_user *u)
{
	struct uidset numbers;

	uidset_init(&numbers);
	for (const struct store_watch *watch = u->watches; watch != NULL; watch = watch->next)
		uidset_add(&numbers, watch->mailbox, watch->mailbox);
	for (uint32_t n = uidset_next(&numbers, 1); n != 0; n = uidset_next(&numbers, n + 1))
		watch_tell(u, &(struct store_event){ .mailbox = n, .kinds = STORE_EVENT_DELETED });
	uidset_fini(&numbers);
}

bool
watch_any(const struct store_user *u)
{
	return u->watches != NULL;
}

static int64_t
mtime_of(const struct store_user *u, const char *dir, const char *sub)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof path, "%s%s%s", dir, dir[0] != '\0' ? "/" : "", sub);
	if (fstatat(u->maildir, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

static bool
has_changed(struct store_user *u, const struct store_watch *watch)
{
	const struct seen *seen = seen_get(&u->seen, watch->mailbox);

	return !mtime_trusted(seen->cur_mtime, seen->at, mtime_of(u, watch->dir, "cur"), seen->ours) ||
	    !mtime_trusted(seen->new_mtime, seen->at, mtime_of(u, watch->dir, "new"), false);
}

void
watch_poll(struct store_user *u)
{
	if (u->watches == NULL || u->store->ticks % POLL_TICKS != 0)
		return;
	/* `seen` is the running work's; a refresh starts one */
	for (const struct store_watch *watch = u->watches; watch != NULL && u->running == NULL; watch = watch->next)
		if (watch->dir != NULL && has_changed(u, watch))
			store_refresh(u, watch->mailbox, (struct store_done){ 0 });
}
