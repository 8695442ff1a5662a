/* limits.c - tests of the store at its edges: ceilings, trimmed history, damage, many users, idle ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <postern/core/mem.h>

#include "../../../src/store/fname.h"
#include "../../../src/store/state.h"
#include "site.h"

static void
append_many(struct site *t, uint32_t mailbox, size_t n)
{
	struct store_new *m = mem_array(n, sizeof *m);
	struct err e;

	for (size_t i = 0; i < n; i++) {
		m[i] = (struct store_new){ .stage = store_stage_new(t->u), .internal_date = STORE_DATE_NOW };
		assert_true(store_stage_write(m[i].stage, STR("m\r\n"), &e));
	}
	store_append(t->u, mailbox, m, n, 0, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	free(m);
}

static void
ceiling_is_raised(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");

	for (int i = 0; i < 21; i++)
		append_many(t, inbox, 500);
	assert_int_equal(site_mailbox(t, inbox).uidnext, 10501);
	store_settle(t->store);
	site_check(t); /* the sidecar's ceiling is not below UIDNEXT */
	site_close(t);
	assert_int_equal(unlink(site_path(t, "index.mdb")), 0);
	site_open(t);
	assert_true(site_user(t, USER));
	inbox = site_find(t, "INBOX");
	assert_string_equal(site_uids(t, inbox), "1:10500");
	assert_true(site_append(t, inbox, "m\r\n", 0, NULL) > 10500);
}

static void
history_is_trimmed(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct store_changes c = { 0 };
	struct store_view *v;
	struct err e;
	uint64_t old;

	append_many(t, inbox, 5);
	old = site_mailbox(t, inbox).highestmodseq;
	site_flags(t, inbox, "2", STORE_FLAGS_ADD, STORE_DELETED, NULL);
	store_expunge(t->u, inbox, NULL, site_done(t));
	site_wait(t);
	for (int i = 0; i < 4200; i++)
		site_flags(t, inbox, "3", i % 2 == 0 ? STORE_FLAGS_ADD : STORE_FLAGS_REMOVE, STORE_SEEN, NULL);
	v = store_view_open(t->u, &e);
	assert_true(store_changes(v, inbox, old, &c));
	/* older than what is kept: told all the same */
	assert_true(uidset_has(&c.gone, 2) && uidset_has(&c.changed, 3));
	assert_false(uidset_has(&c.changed, 1) || uidset_has(&c.gone, 1));
	store_view_close(v);
	uidset_fini(&c.changed);
	uidset_fini(&c.gone);
	site_check(t);
}

/* A row that is too short. */
static void
damage_row(struct site *t, enum table table, struct key key)
{
	struct index ix;
	struct snap s;
	struct err e;

	site_close(t);
	assert_true(index_open(&ix, site_path(t, "index.mdb"), 1 << 26, false, &e));
	s = (struct snap){ .ix = &ix };
	assert_int_equal(mdb_txn_begin(ix.env, NULL, 0, &s.mdb), 0);
	assert_true(snap_put(&s, table, key_val(&key), str_val(STR("\x01\x02\x03"))));
	assert_int_equal(mdb_txn_commit(s.mdb), 0);
	index_close(&ix);
	site_open(t);
}

static void
damaged_row_stops_the_user(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct store_message m;
	struct store_view *v;
	struct err e;

	append_many(t, inbox, 3);
	store_settle(t->store);
	damage_row(t, T_MESSAGE, key_message(inbox, 2));
	assert_true(site_user(t, USER));
	v = store_view_open(t->u, &e);
	assert_false(store_message(v, inbox, 2, &m));
	assert_true(store_view_failed(v));
	store_view_close(v);
	assert_true(store_user_broken(t->u));
	assert_null(store_view_open(t->u, &e));
	site_flags(t, inbox, "1", STORE_FLAGS_ADD, STORE_SEEN, NULL);
	assert_int_equal(t->code, STORE_UNAVAILABLE);
	/* remembered over a restart, ended by a rebuild */
	site_close(t);
	site_open(t);
	assert_false(site_user(t, USER));
	store_rebuild(t->store, STR(USER), (struct store_reported){ NULL, NULL });
	store_settle(t->store);
	assert_true(site_user(t, USER));
	assert_string_equal(site_uids(t, site_find(t, "INBOX")), "1:3");
	site_check(t);
}

static void
damaged_mailbox_row(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");

	append_many(t, inbox, 2);
	store_settle(t->store);
	damage_row(t, T_MAILBOX, key_mailbox(inbox));
	assert_false(site_user(t, USER));
	store_rebuild(t->store, STR(USER), (struct store_reported){ NULL, NULL });
	store_settle(t->store);
	assert_true(site_user(t, USER));
	assert_string_equal(site_uids(t, site_find(t, "INBOX")), "1:2");
}

static void
more_users_than_indexes(void **state)
{
	struct site *t = *state;
	char user[40];

	site_close(t);
	t->config.env_max = 2;
	site_open(t);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 6; i++) {
			snprintf(user, sizeof user, "u%d@example.test", i);
			site_deliver(t, id_new(), user, "m\r\n");
			assert_int_equal(t->states[0], STORE_STORED);
			store_settle(t->store);
			assert_true(t->store->open_indexes <= 3);
		}
	for (int i = 0; i < 6; i++) {
		snprintf(user, sizeof user, "u%d@example.test", i);
		assert_true(site_user(t, user));
		site_refresh(t, site_find(t, "INBOX"));
		assert_string_equal(site_uids(t, site_find(t, "INBOX")), "1:3");
		store_user_unref(t->u);
		t->u = NULL;
	}
}

static void
on_event(void *ctx, const struct store_event *event)
{
	*(unsigned *)ctx |= event->kinds;
}

static void
idle_user_is_closed(void **state)
{
	struct site *t = *state;
	uint32_t inbox;
	unsigned kinds = 0;
	struct store_watch *w;

	site_close(t);
	t->config.idle_ms = 1;
	site_open(t);
	assert_true(site_user(t, USER));
	inbox = site_find(t, "INBOX");
	w = store_watch_start(t->u, inbox, on_event, &kinds);
	append_many(t, inbox, 1);
	store_settle(t->store);
	while (t->u->index_is_open)
		loop_once(t->loop);
	/* his index is closed, his watch is not */
	site_deliver(t, id_new(), USER, "m\r\n");
	store_settle(t->store);
	assert_true((kinds & STORE_EVENT_NEW) != 0);
	assert_string_equal(site_uids(t, inbox), "1:2");
	store_watch_stop(w);
	store_user_unref(t->u);
	t->u = NULL;
	while (map_get(&t->store->users, STR(USER)) != NULL)
		loop_once(t->loop);
	assert_true(site_user(t, USER));
}

static void
index_is_compacted(void **state)
{
	struct site *t = *state;
	uint32_t inbox;
	struct stat before, after;
	char *big = mem_new(100001);

	memset(big, 'x', 100000);
	site_close(t);
	t->config.idle_ms = 1;
	site_open(t);
	assert_true(site_user(t, USER));
	inbox = site_find(t, "INBOX");
	append_many(t, inbox, 100);
	for (uint32_t uid = 1; uid <= 100; uid++)
		store_cache_put(t->u, inbox, uid, str_of(big), STR("k"));
	store_settle(t->store);
	site_flags(t, inbox, "2:100", STORE_FLAGS_ADD, STORE_DELETED, NULL);
	store_expunge(t->u, inbox, NULL, site_done(t));
	site_wait(t);
	store_settle(t->store);
	assert_int_equal(stat(site_path(t, "index.mdb"), &before), 0);
	while (t->u->index_is_open)
		loop_once(t->loop);
	assert_int_equal(stat(site_path(t, "index.mdb"), &after), 0);
	assert_true(after.st_size < before.st_size / 2);
	assert_string_equal(site_uids(t, inbox), "1");
	assert_int_equal(site_append(t, inbox, "m\r\n", 0, NULL), 101);
	site_reopen(t);
	assert_string_equal(site_uids(t, inbox), "1,101");
	store_settle(t->store);
	site_check(t);
	free(big);
}

static void
files_with_names_in_tmp(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	char *big = mem_new(400001);
	char *text;

	/* a file system without nameless files */
	t->store->blob_way = BLOB_NAMED;
	memset(big, 'x', 400000);
	site_deliver(t, id_new(), USER, "m\r\n");
	assert_int_equal(t->states[0], STORE_STORED);
	site_refresh(t, inbox);
	assert_int_equal(site_append(t, inbox, "small\r\n", 0, NULL), 2);
	assert_int_equal(site_append(t, inbox, big, 0, NULL), 3);
	text = site_text(t, inbox, 3);
	assert_string_equal(text, big);
	free(text);
	free(big);
	store_settle(t->store);
	assert_int_equal(site_count(t, "Maildir/tmp"), 0);
	assert_int_equal(site_count(t, "Maildir/cur"), 3);
	site_check(t);
}

/* The clock was set ahead while it was under way: what it is known by is too old to be kept, and is needed once more. */
static void
delivery_of_long_ago(void **state)
{
	struct site *t = *state;
	struct id id = id_new();

	memset(&id, 0, 6); /* the time */
	site_deliver(t, id, USER, "m\r\n");
	assert_int_equal(t->states[0], STORE_STORED);
	site_refresh(t, site_find(t, "INBOX"));
	store_settle(t->store);
	assert_int_equal(site_count(t, "Maildir/new"), 0);
	assert_int_equal(site_count(t, "Maildir/cur"), 1);
	site_check(t);
}

static void
file_renamed_by_others_is_found(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	char command[900];
	char *text;

	site_append(t, inbox, "m\r\n", 0, NULL);
	store_settle(t->store);
	snprintf(command, sizeof command, "cd %s && f=$(ls) && mv \"$f\" \"${f}F\"", site_path(t, "Maildir/cur"));
	assert_int_equal(system(command), 0);
	text = site_text(t, inbox, 1);
	assert_string_equal(text, "m\r\n");
	free(text);
}

/* Expunged in more mailboxes at a time than a slice of file actions has directories: no file stays, and none comes back. */
static void
actions_in_many_mailboxes(void **state)
{
	enum { MAILBOXES = 40 };
	struct site *t = *state;
	uint32_t boxes[MAILBOXES];
	char name[16], dir[32];

	for (int i = 0; i < MAILBOXES; i++) {
		snprintf(name, sizeof name, "M%d", i);
		store_create(t->u, str_of(name), STORE_USE_NONE, site_done(t));
		site_wait(t);
		boxes[i] = t->mailbox;
		site_append(t, boxes[i], "m\r\n", STORE_DELETED, NULL);
	}
	store_settle(t->store);
	for (int i = 0; i < MAILBOXES; i++) /* one commit for all of them */
		store_expunge(t->u, boxes[i], NULL, (struct store_done){ 0 });
	store_settle(t->store);
	for (int i = 0; i < MAILBOXES; i++) {
		snprintf(dir, sizeof dir, "Maildir/.M%d/cur", i);
		assert_int_equal(site_count(t, dir), 0);
	}
	site_reopen(t);
	for (int i = 0; i < MAILBOXES; i++) {
		snprintf(name, sizeof name, "M%d", i);
		assert_int_equal(site_mailbox(t, site_find(t, name)).messages, 0);
	}
	site_check(t);
}

/* Copied and renamed in one commit, more than is done before the answer: the files find the directory's new name. */
static void
copy_into_a_mailbox_that_is_renamed(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX"), box;
	struct uidset all = { 0 };

	append_many(t, inbox, 400);
	store_create(t->u, STR("A"), STORE_USE_NONE, site_done(t));
	site_wait(t);
	box = t->mailbox;
	uidset_add(&all, 1, 400);
	store_subscribe(t->u, STR("A"), true, (struct store_done){ 0 }); /* under way while the others come */
	store_copy(t->u, inbox, &all, box, 0, (struct store_done){ 0 });
	store_rename(t->u, STR("A"), STR("B"), site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	store_settle(t->store);
	assert_int_equal(site_count(t, "Maildir/.B/cur"), 400);
	site_reopen(t);
	assert_int_equal(site_mailbox(t, site_find(t, "B")).messages, 400);
	site_check(t);
	uidset_fini(&all);
}

/* A machine without a battery comes back from a power cut with an earlier time than its files have. */
static void
clock_that_fell_hides_nothing(void **state)
{
	struct site *t = *state;
	struct id id = id_new();
	char path[700], name[128];
	struct timeval now;

	gettimeofday(&now, NULL);
	site_close(t);
	fname_base(name, (now.tv_sec + 86400) * INT64_C(1000000), id, "mx.example.test");
	snprintf(path, sizeof path, "Maildir/new/%s,S=3", name);
	site_put_file(t, path, "m\r\n"); /* delivered in the life before, a day ahead of the clock */
	site_open(t);
	assert_true(site_user(t, USER));
	site_refresh(t, site_find(t, "INBOX"));
	assert_int_equal(site_mailbox(t, site_find(t, "INBOX")).messages, 1);
	site_deliver(t, id, USER, "m\r\n"); /* whose answer was lost */
	assert_int_equal(t->states[0], STORE_STORED);
	site_refresh(t, site_find(t, "INBOX"));
	assert_int_equal(site_mailbox(t, site_find(t, "INBOX")).messages, 1);
	site_deliver(t, id_new(), USER, "new\r\n");
	site_refresh(t, site_find(t, "INBOX"));
	assert_int_equal(site_mailbox(t, site_find(t, "INBOX")).messages, 2);
	store_settle(t->store);
	site_check(t);
}

static void
on_outcome(void *ctx, const struct store_outcome *outcomes, size_t n)
{
	struct site *t = ctx;

	t->answered = true;
	t->states[0] = n == 1 ? outcomes[0].state : STORE_STORED;
}

/* The mailbox ends between the two halves of a delivery: its file ends with it, so it must not count as stored. */
static void
delivery_to_a_mailbox_that_is_deleted(void **state)
{
	struct site *t = *state;
	struct store_target target = { .user = STR(USER), .mailbox = STR("A"), .head = STR("") };
	struct store_delivery d = { .id = id_new(), .parts = { { 0, 3 } }, .targets = &target, .ntargets = 1 };
	struct store_delivered done = { on_outcome, t };

	store_create(t->u, STR("A"), STORE_USE_NONE, site_done(t));
	site_wait(t);
	for (int round = 0; round < 2; round++) { /* prepared for A, then, as a queue does, once more */
		d.fd = memfd_create("body", MFD_CLOEXEC);
		assert_true(io_write_all(d.fd, STR("m\r\n")));
		t->answered = false;
		store_deliver(t->store, &d, STORE_DELIVER_PREPARE, done);
		site_wait(t);
		assert_int_equal(t->states[0], STORE_PREPARED);
		store_delete(t->u, STR("A"), site_done(t));
		site_wait(t);
		t->answered = false;
		store_publish(t->store, d.id, done);
		site_wait(t);
		assert_int_equal(t->states[0], round == 0 ? STORE_REFUSED : STORE_STORED);
	}
	site_refresh(t, site_find(t, "INBOX"));
	assert_int_equal(site_mailbox(t, site_find(t, "INBOX")).messages, 1);
	store_settle(t->store);
	site_check(t);
}

/* A parent that the same commit deletes first was there when directories were made: it gets none, so it is not made. */
static void
create_below_a_mailbox_that_is_deleted(void **state)
{
	struct site *t = *state;

	store_create(t->u, STR("A"), STORE_USE_NONE, site_done(t));
	site_wait(t);
	store_settle(t->store);
	store_subscribe(t->u, STR("A"), true, (struct store_done){ 0 }); /* under way while the others come */
	store_delete(t->u, STR("A"), (struct store_done){ 0 });
	store_create(t->u, STR("A/x"), STORE_USE_NONE, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_UNAVAILABLE);
	assert_int_equal(site_find(t, "A"), 0);
	store_create(t->u, STR("A"), STORE_USE_NONE, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	site_append(t, site_find(t, "A"), "m\r\n", 0, NULL);
	store_settle(t->store);
	site_reopen(t);
	assert_int_equal(site_mailbox(t, site_find(t, "A")).messages, 1);
	site_check(t);
}

/* Stands before the library's: a disk that cannot read. */
static bool disk_fails;

ssize_t pread64(int fd, void *out, size_t n, off64_t at);
ssize_t
pread64(int fd, void *out, size_t n, off64_t at)
{
	errno = EIO;
	return disk_fails ? -1 : (ssize_t)syscall(SYS_pread64, fd, out, n, at);
}

/* What could not be read once is looked at again: the directory's time says nothing about that. */
static void
message_that_could_not_be_read(void **state)
{
	struct site *t = *state;
	struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	uint32_t inbox = site_find(t, "INBOX");

	site_put_file(t, "Maildir/new/1000000000.foreign", "Subject: a\n\nb\n");
	assert_int_equal(utimensat(AT_FDCWD, site_path(t, "Maildir/new"), old, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, site_path(t, "Maildir/cur"), old, 0), 0);
	disk_fails = true;
	store_refresh(t->u, inbox, site_done(t));
	site_wait(t);
	disk_fails = false;
	assert_int_equal(t->code, STORE_OK);
	assert_int_equal(site_mailbox(t, inbox).messages, 0);
	site_refresh(t, inbox);
	assert_int_equal(site_mailbox(t, inbox).messages, 1);
}

static int syncs;
static bool sync_fails;

int syncfs(int fd);
int
syncfs(int fd)
{
	syncs++;
	errno = EIO;
	return sync_fails ? -1 : (int)syscall(SYS_syncfs, fd);
}

/* Files that others wrote are made durable before the index has them: all at once when they are many. */
static void
many_foreign_files(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	char name[64];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "Maildir/new/1000000000.%d.foreign", i);
		site_put_file(t, name, "Subject: a\n\nb\n");
	}
	syncs = 0;
	sync_fails = true;
	store_refresh(t->u, inbox, site_done(t));
	site_wait(t);
	sync_fails = false;
	assert_int_equal(syncs, 1);
	assert_int_not_equal(t->code, STORE_OK);
	assert_int_equal(site_mailbox(t, inbox).messages, 0);
	site_refresh(t, inbox);
	assert_int_equal(syncs, 2);
	assert_int_equal(site_mailbox(t, inbox).messages, 100);
	site_check(t);
}

/* Another program left directories of its own in a mailbox: they end with it, and nobody is locked out by them. */
static void
directories_in_a_deleted_mailbox(void **state)
{
	struct site *t = *state;
	char command[900];

	store_create(t->u, STR("A"), STORE_USE_NONE, site_done(t));
	site_wait(t);
	snprintf(command, sizeof command, "cd %s && mkdir -p cur/a/b/c && touch cur/a/b/c/d", site_path(t, "Maildir/.A"));
	assert_int_equal(system(command), 0);
	store_delete(t->u, STR("A"), site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	store_settle(t->store);
	assert_int_equal(access(site_path(t, "Maildir/.A"), F_OK), -1);
	site_reopen(t);
	assert_int_equal(site_find(t, "A"), 0);
}

/* A file in new/ whose group is still being synced is not "seen": were it so, a crash after the answer would hide it. */
static void
file_on_its_way_is_not_seen(void **state)
{
	struct site *t = *state;
	struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	char path[700], name[128];
	struct timeval now;

	gettimeofday(&now, NULL);
	fname_base(name, (now.tv_sec + 10) * INT64_C(1000000), id_new(), "mx.example.test"); /* later than the user's loading */
	snprintf(path, sizeof path, "Maildir/new/%s,S=3", name);
	site_put_file(t, path, "m\r\n");
	assert_int_equal(utimensat(AT_FDCWD, site_path(t, "Maildir/new"), old, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, site_path(t, "Maildir/cur"), old, 0), 0);
	site_refresh(t, site_find(t, "INBOX"));
	assert_int_equal(site_mailbox(t, site_find(t, "INBOX")).messages, 0);
	site_refresh(t, site_find(t, "INBOX"));
	store_subscribe(t->u, STR("INBOX"), true, site_done(t)); /* a commit that writes what was seen */
	site_wait(t);
	site_reopen(t);
	assert_int_equal(site_mailbox(t, site_find(t, "INBOX")).messages, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SITE(ceiling_is_raised),
		WITH_SITE(actions_in_many_mailboxes),
		WITH_SITE(file_on_its_way_is_not_seen),
		WITH_SITE(directories_in_a_deleted_mailbox),
		WITH_SITE(message_that_could_not_be_read),
		WITH_SITE(delivery_to_a_mailbox_that_is_deleted),
		WITH_SITE(create_below_a_mailbox_that_is_deleted),
		WITH_SITE(clock_that_fell_hides_nothing),
		WITH_SITE(copy_into_a_mailbox_that_is_renamed),
		WITH_SITE(history_is_trimmed),
		WITH_SITE(damaged_row_stops_the_user),
		WITH_SITE(damaged_mailbox_row),
		WITH_SITE(more_users_than_indexes),
		WITH_SITE(idle_user_is_closed),
		WITH_SITE(index_is_compacted),
		WITH_SITE(files_with_names_in_tmp),
		WITH_SITE(delivery_of_long_ago),
		WITH_SITE(file_renamed_by_others_is_found),
		WITH_SITE(many_foreign_files),
	};

	return cmocka_run_group_tests_name("store_limits", tests, NULL, NULL);
}
