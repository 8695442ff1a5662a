/* group.c - the two works of deliveries, in sync threads: writing, and making durable and visible.
 *
 * Durability order: all data of the group, then the names, then the directories; then, and only then, the answer. */
#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/mem.h>

#include "path.h"

enum { PIECE = 64 << 10 };

static void
refuse(struct target *t, const char *what)
{
	int kept = errno;

	t->state = TARGET_REFUSED;
	err_temp(&t->err, kept == ENOSPC || kept == EDQUOT ? SAY_DISK : SAY_LATER, "%s/%s: %s: %s", t->u->dir, t->dir,
	    what, strerror(kept));
	blob_close(&t->blob);
}

static int
open_sub(const struct target *t, const char *sub)
{
	char path[300];

	snprintf(path, sizeof path, "%s%s%s", t->dir, t->dir[0] != '\0' ? "/" : "", sub);
	return path_open_dir(t->u->maildir, path);
}

/* Small messages are one read and one write. */
static bool
write_bytes(const struct delivery *d, const struct target *t)
{
	struct buf piece;
	bool ok = true;

	buf_init(&piece, t->head.n + PIECE);
	buf_add(&piece, buf_str(&t->head));
	for (size_t i = 0; i < 2; i++) {
		uint64_t at = d->parts[i].at, left = d->parts[i].n;

		while (ok && left > 0) {
			size_t n = left < PIECE ? (size_t)left : PIECE;

			if (piece.n + n > PIECE) {
				ok = io_write_all(t->blob.fd, buf_str(&piece));
				buf_clear(&piece);
			}
			ok = ok && io_pread_all(d->fd, buf_room(&piece, n), n, (off_t)at);
			piece.n += ok ? n : 0;
			at += n;
			left -= n;
		}
	}
	ok = ok && io_write_all(t->blob.fd, buf_str(&piece));
	buf_fini(&piece);
	return ok;
}

static void
write_target(struct delivery *d, struct target *t)
{
	t->dirs.fresh = open_sub(t, "new");
	t->dirs.tmp = open_sub(t, "tmp");
	if (t->dirs.fresh == -1 || t->dirs.tmp == -1)
		refuse(t, "open");
	else if (!blob_has_room(d->s, t->dirs.tmp, t->size))
		refuse(t, "room");
	else if (!blob_open(d->s, &t->blob, t->dirs.tmp))
		refuse(t, "create");
	else if (!write_bytes(d, t))
		refuse(t, "write");
}

void
group_write(struct job *j)
{
	struct group_work *w = (struct group_work *)j;

	for (struct delivery *d = w->list; d != NULL; d = d->next)
		for (size_t i = 0; i < d->n; i++)
			if (d->targets[i].state == TARGET_READY)
				write_target(d, &d->targets[i]);
}

/* An error is final for all that was synced together. */
static void
refuse_unsynced(struct group_work *w)
{
	for (struct delivery *d = w->list; d != NULL; d = d->next)
		for (size_t i = 0; i < d->n && !d->synced; i++)
			if (d->targets[i].state == TARGET_READY)
				refuse(&d->targets[i], "sync");
}

static void
sync_data(struct group_work *w)
{
	struct sync_set set;
	bool ok;

	sync_begin(&set, w->s->syncer);
	for (struct delivery *d = w->list; d != NULL; d = d->next) {
		if (d->synced)
			continue;
		if (d->set.failures < set.failures) /* what failed while it was written counts */
			set.failures = d->set.failures;
		for (size_t i = 0; i < d->n; i++)
			if (d->targets[i].state == TARGET_READY)
				sync_add(&set, d->targets[i].blob.fd);
	}
	ok = set.n == 0 || sync_run(&set);
	if (!ok)
		refuse_unsynced(w);
	for (struct delivery *d = w->list; d != NULL; d = d->next)
		d->synced = true;
	sync_fini(&set);
}

static bool
is_to_publish(const struct delivery *d, const struct target *t)
{
	return d->publish && t->state == TARGET_READY && t->name[0] != '\0';
}

/* All or none of a delivery. */
static bool
link_delivery(struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++) {
		struct target *t = &d->targets[i];

		if (is_to_publish(d, t) && !blob_link(d->s, &t->blob, t->dirs.fresh, t->name)) {
			refuse(t, "link");
			return false;
		}
	}
	return true;
}

static void
unlink_delivery(struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++) {
		struct target *t = &d->targets[i];

		if (t->name[0] != '\0' && t->state != TARGET_KNOWN && t->dirs.fresh != -1)
			unlinkat(t->dirs.fresh, t->name, 0);
		if (t->state == TARGET_READY)
			refuse(t, "names");
	}
}

/* Each directory once; deliveries of a user stand together often enough that the last one is asked first. */
static bool
sync_names(struct group_work *w)
{
	struct map dirs;
	struct sync_set set;
	bool ok;

	map_init(&dirs);
	sync_begin(&set, w->s->syncer);
	for (struct delivery *d = w->list; d != NULL; d = d->next)
		for (size_t i = 0; i < d->n; i++) {
			struct target *t = &d->targets[i];
			char key[600];
			int n;

			if (!is_to_publish(d, t))
				continue;
			n = snprintf(key, sizeof key, "%s/%s", t->u->dir, t->dir);
			if (map_put(&dirs, str_from(key, (size_t)n < sizeof key ? (size_t)n : sizeof key - 1), t) ==
			    NULL)
				sync_add(&set, t->dirs.fresh);
		}
	ok = set.n == 0 || sync_run(&set);
	sync_fini(&set);
	map_fini(&dirs);
	return ok;
}

static void
publish(struct group_work *w)
{
	bool ok;

	for (struct delivery *d = w->list; d != NULL; d = d->next)
		if (d->publish && !link_delivery(d))
			unlink_delivery(d);
	ok = sync_names(w);
	for (struct delivery *d = w->list; d != NULL; d = d->next) {
		if (d->publish && !ok)
			unlink_delivery(d);
		for (size_t i = 0; i < d->n; i++)
			if (is_to_publish(d, &d->targets[i])) {
				d->targets[i].state = TARGET_PUBLISHED;
				blob_close(&d->targets[i].blob);
			}
	}
}

static bool
all_ready(const struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->targets[i].state == TARGET_REFUSED)
			return false;
	return true;
}

void
group_sync(struct job *j)
{
	struct group_work *w = (struct group_work *)j;

	for (struct delivery *d = w->list; d != NULL; d = d->next)
		d->was_prepared = d->synced;
	sync_data(w);
	/* a delivery that was not prepared before is published whole or stays prepared */
	for (struct delivery *d = w->list; d != NULL; d = d->next)
		if (!d->was_prepared && !all_ready(d))
			d->publish = false;
	publish(w);
}

void
group_whole(struct job *j)
{
	group_write(j);
	group_sync(j);
}
