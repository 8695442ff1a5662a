/* guests.c - tests of mailboxes that others use: each guest's \Seen, the table of shares, copies between accounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/arena.h>
#include <postern/core/io.h>
#include <postern/core/mem.h>
#include <postern/store/rights.h>

#include "site.h"

#define GUEST "guest@example.test"
#define OTHER "other@example.test"

static int
setup(void **state)
{
	struct site *t;

	site_setup(state);
	t = *state;
	t->config.shares = true;
	site_reopen(t);
	return 0;
}

#define WITH_SHARES(f) cmocka_unit_test_setup_teardown(f, setup, site_teardown)

static void
give(struct site *t, uint32_t mailbox, const char *who, const char *letters)
{
	struct store_ace ace = { .identifier = str_of(who) };

	assert_true(store_rights_parse(str_of(letters), &ace.rights));
	store_set_rights(t->u, mailbox, &ace, STORE_RIGHTS_REPLACE, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
}

/* --- \Seen --- */

static void
mark(struct site *t, uint32_t mailbox, const char *who, const char *uids, enum store_flags_mode mode, uint32_t flags)
{
	struct uidset set = site_set(uids);
	struct store_flags f = { .mailbox = mailbox, .uids = &set, .mode = mode, .flags = flags };

	store_flags(t->u, &f, site_done_as(t, who));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	uidset_fini(&set);
}

/* Flags of the messages 1 to n as somebody sees them, S and F or -, and how many he has not seen. */
static void
expect(struct site *t, uint32_t mailbox, const char *who, const char *want, uint32_t unseen)
{
	struct err e;
	struct store_view *v = store_view_open_as(t->u, str_of(who), &e);
	struct store_mailbox header;
	struct store_message m;
	char is[64] = "";

	assert_non_null(v);
	assert_true(store_mailbox(v, mailbox, &header));
	for (uint32_t uid = 1; uid <= strlen(want) && uid < sizeof is; uid++)
		is[uid - 1] = !store_message(v, mailbox, uid, &m) ? '.' : m.flags & STORE_SEEN ? 'S' : m.flags & STORE_FLAGGED ? 'F' : '-';
	assert_string_equal(is, want);
	assert_int_equal(header.unseen, unseen);
	store_view_close(v);
}

static void
each_has_seen_his_own(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	uint64_t before;

	give(t, inbox, GUEST, "lrs");
	give(t, inbox, OTHER, "lrsw");
	for (unsigned i = 0; i < 5; i++)
		site_append(t, inbox, "m\r\n", i == 0 ? STORE_SEEN : 0, NULL);
	mark(t, inbox, GUEST, "2:4", STORE_FLAGS_ADD, STORE_SEEN);
	expect(t, inbox, USER, "S----", 4);
	expect(t, inbox, GUEST, "-SSS-", 2);
	expect(t, inbox, OTHER, "-----", 5);
	before = site_mailbox(t, inbox).highestmodseq;
	mark(t, inbox, GUEST, "2:4", STORE_FLAGS_ADD, STORE_SEEN); /* they have it */
	assert_int_equal(site_mailbox(t, inbox).highestmodseq, before);
	mark(t, inbox, OTHER, "1", STORE_FLAGS_REPLACE, STORE_FLAGGED);
	assert_int_equal(site_mailbox(t, inbox).highestmodseq, before + 1);
	expect(t, inbox, USER, "S----", 4);
	mark(t, inbox, GUEST, "3", STORE_FLAGS_REMOVE, STORE_SEEN);
	assert_int_equal(site_mailbox(t, inbox).highestmodseq, before + 2);
	expect(t, inbox, GUEST, "FS-S-", 3);
	site_reopen(t);
	expect(t, inbox, GUEST, "FS-S-", 3);
	/* what goes takes everybody's marks along */
	mark(t, inbox, OTHER, "2:5", STORE_FLAGS_ADD, STORE_SEEN);
	site_flags(t, inbox, "2,5", STORE_FLAGS_ADD, STORE_DELETED, NULL);
	store_expunge(t->u, inbox, NULL, site_done(t));
	site_wait(t);
	expect(t, inbox, GUEST, "F.-S.", 2);
	expect(t, inbox, OTHER, "F.SS.", 1);
	expect(t, inbox, USER, "S.--.", 2);
}

/* The index is made anew: UIDs stay, the mailbox has another number. */
static void
a_rebuild_keeps_them(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");

	give(t, inbox, GUEST, "lrs");
	for (unsigned i = 0; i < 3; i++)
		site_append(t, inbox, "m\r\n", 0, NULL);
	mark(t, inbox, GUEST, "1,3", STORE_FLAGS_ADD, STORE_SEEN);
	store_settle(t->store);
	store_rebuild(t->store, STR(USER), (struct store_reported){ site_on_report, t });
	store_settle(t->store);
	expect(t, site_find(t, "INBOX"), GUEST, "S-S", 1);
	expect(t, site_find(t, "INBOX"), USER, "---", 3);
	/* a lost one has nothing to tell of guests */
	site_close(t);
	assert_int_equal(unlink(site_path(t, "index.mdb")), 0);
	site_open(t);
	assert_true(site_user(t, USER));
	expect(t, site_find(t, "INBOX"), GUEST, "---", 3);
}

/* Beyond one row of bits. */
static void
marks_of_high_uids(void **state)
{
	enum { MANY = 5000 };
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct store_new *m = mem_array(MANY, sizeof *m);
	struct store_mailbox header;
	struct store_view *v;
	struct err e;

	give(t, inbox, GUEST, "lrsi");
	for (size_t i = 0; i < MANY; i++) {
		m[i] = (struct store_new){ .stage = store_stage_new(t->u), .flags = STORE_SEEN, .internal_date = 1 };
		assert_true(store_stage_write(m[i].stage, STR("m\r\n"), &e));
	}
	store_append(t->u, inbox, m, MANY, 0, site_done_as(t, GUEST));
	site_wait(t);
	free(m);
	assert_int_equal(t->code, STORE_OK);
	mark(t, inbox, GUEST, "4090:4100", STORE_FLAGS_REMOVE, STORE_SEEN);
	v = store_view_open_as(t->u, STR(GUEST), &e);
	assert_true(store_mailbox(v, inbox, &header));
	assert_int_equal(header.unseen, 11);
	assert_int_equal(store_first_unseen(v, inbox), 4090);
	store_view_close(v);
	assert_int_equal(site_mailbox(t, inbox).unseen, MANY);
}

/* --- who shares what --- */

static void
expect_owners(struct site *t, const char *who, size_t n)
{
	struct str *owners;
	struct arena a;

	arena_init(&a);
	assert_int_equal(store_owners(t->store, str_of(who), &a, &owners), n);
	assert_int_equal(store_is_shared(t->store, STR(USER), str_of(who)), n > 0);
	if (n > 0)
		assert_true(str_eq(owners[0], STR(USER)));
	arena_fini(&a);
}

static void
shares_are_known(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");

	expect_owners(t, GUEST, 0);
	give(t, inbox, GUEST, "lr");
	give(t, inbox, OTHER, "");
	give(t, inbox, "-" OTHER, "lr");
	expect_owners(t, GUEST, 1);
	expect_owners(t, OTHER, 0);
	expect_owners(t, USER, 0);
	give(t, inbox, "anyone", "l");
	expect_owners(t, OTHER, 1);
	give(t, inbox, "anyone", "");
	expect_owners(t, OTHER, 0);
	expect_owners(t, GUEST, 1);
	site_close(t); /* nobody is loaded in the next life, and all is known */
	site_open(t);
	expect_owners(t, GUEST, 1);
	assert_true(site_user(t, USER));
	give(t, inbox, GUEST, "");
	expect_owners(t, GUEST, 0);
}

/* What is taken away from bob is not given to somebody whose name begins with "-". */
static void
minus_is_no_name(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct store_view *v;
	struct err e;

	give(t, inbox, "anyone", "l");
	give(t, inbox, "-" GUEST, "lr");
	v = store_view_open(t->u, &e);
	assert_non_null(v);
	assert_int_equal(store_rights(v, inbox, STR(GUEST)), 0);
	assert_int_equal(store_rights(v, inbox, STR("-" GUEST)), STORE_RIGHT_LOOKUP);
	store_view_close(v);
}

/* What somebody who keeps no table has given, half a line, and a table that is lost. */
static void
shares_are_put_right(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	char path[300];
	int fd;

	give(t, inbox, GUEST, "lr");
	site_close(t);
	snprintf(path, sizeof path, "%s/postern-shares", t->root);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd != -1 && io_write_all(fd, STR("+" OTHER " nobody@example.test\n+" OTHER " bo")));
	close(fd);
	site_open(t);
	expect_owners(t, GUEST, 1);
	assert_true(store_is_shared(t->store, STR("nobody@example.test"), STR(OTHER)));
	assert_false(store_is_shared(t->store, STR("bo"), STR(OTHER)));
	site_close(t);
	assert_int_equal(unlink(path), 0);
	site_open(t);
	expect_owners(t, GUEST, 0);
	assert_true(site_user(t, USER)); /* his account says so */
	expect_owners(t, GUEST, 1);
}

/* A life that takes and gives does not fill the disk. */
static void
the_table_stays_small(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	char path[300];
	struct stat st;

	for (unsigned i = 0; i < 1500; i++)
		give(t, inbox, GUEST, i % 2 == 0 ? "lr" : "");
	snprintf(path, sizeof path, "%s/postern-shares", t->root);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 60000);
	expect_owners(t, GUEST, 0);
}

static void
on_found(void *ctx, struct store_user *u, const struct err *e)
{
	(void)e;
	*(struct store_user **)ctx = u;
}

static void
nothing_is_made_for_strangers(void **state)
{
	struct site *t = *state;
	struct store_user *u = t->u;
	char path[300];

	store_user_find(t->store, STR("nobody@example.test"), on_found, &u);
	store_settle(t->store);
	assert_null(u);
	store_user_find(t->store, STR("../bob@example.test"), on_found, &u);
	store_settle(t->store);
	assert_null(u);
	snprintf(path, sizeof path, "%s/example.test/nobody", t->root);
	assert_int_equal(access(path, F_OK), -1);
	store_user_find(t->store, STR(USER), on_found, &u);
	store_settle(t->store);
	assert_ptr_equal(u, t->u);
	store_user_unref(u);
}

/* --- copies between accounts --- */

static struct store_user *
open_other(struct site *t)
{
	struct store_user *u = NULL;

	store_user_open(t->store, STR(OTHER), on_found, &u);
	store_settle(t->store);
	assert_non_null(u);
	return u;
}

static uint32_t
inbox_of(struct store_user *u)
{
	struct err e;
	struct store_view *v = store_view_open(u, &e);
	uint32_t inbox = store_find(v, STR("INBOX"));

	store_view_close(v);
	return inbox;
}

static void
copies_are_files_of_their_own(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX"), to;
	struct store_user *other = open_other(t), *mine = t->u;
	struct uidset all = site_set("1:9");
	struct store_message m;
	char *text;

	to = inbox_of(other);
	give(t, inbox, OTHER, "lr");
	site_append(t, inbox, "Subject: one\r\n\r\nbody\r\n", STORE_FLAGGED, "word");
	site_append(t, inbox, "Subject: two\n\nbody\n", STORE_SEEN, NULL);
	store_carry(t->u, inbox, &all, other, to, 1, site_done_as(t, OTHER));
	site_wait(t);
	assert_int_equal(t->code, STORE_OVERQUOTA);
	store_carry(t->u, inbox, &all, other, to, 0, site_done_as(t, OTHER));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	assert_int_equal(uidset_count(&t->uids), 2);
	/* the source goes, the copies stay */
	store_remove(t->u, inbox, &all, site_done(t));
	site_wait(t);
	store_settle(t->store);
	assert_string_equal(site_uids(t, inbox), "");
	t->u = other;
	text = site_text(t, to, 1);
	assert_string_equal(text, "Subject: one\r\n\r\nbody\r\n");
	free(text);
	text = site_text(t, to, 2);
	assert_string_equal(text, "Subject: two\n\nbody\n");
	free(text);
	assert_true(site_message(t, to, 1, &m) && m.flags == STORE_FLAGGED && m.keywords == 1 && m.internal_date == 1000000000);
	assert_true(site_message(t, to, 2, &m) && m.flags == 0 && m.lf); /* he has not seen it */
	t->u = mine;
	store_user_unref(other);
	uidset_fini(&all);
}

static void
too_many_are_refused(void **state)
{
	struct site *t = *state;
	struct store_user *other = open_other(t);
	struct uidset all = site_set("1:5001");

	store_carry(t->u, site_find(t, "INBOX"), &all, other, inbox_of(other), 0, site_done_as(t, USER));
	site_wait(t);
	assert_int_equal(t->code, STORE_LIMIT);
	store_user_unref(other);
	uidset_fini(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SHARES(each_has_seen_his_own),
		WITH_SHARES(a_rebuild_keeps_them),
		WITH_SHARES(marks_of_high_uids),
		WITH_SHARES(shares_are_known),
		WITH_SHARES(minus_is_no_name),
		WITH_SHARES(shares_are_put_right),
		WITH_SHARES(the_table_stays_small),
		WITH_SHARES(nothing_is_made_for_strangers),
		WITH_SHARES(copies_are_files_of_their_own),
		WITH_SHARES(too_many_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
