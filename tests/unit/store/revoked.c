/* revoked.c - tests of rights that are taken away while a guest's request is on its way: behind the change, nothing of his is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/mem.h>
#include <postern/store/metadata.h>
#include <postern/store/rights.h>

#include "site.h"

#define GUEST "guest@example.test"
#define ALL "lrswipkxtea"

struct rig {
	struct site site;
	struct store_user *guest;
	uint32_t box, other; /* the owner's */
	uint32_t own;        /* the guest's INBOX */
};

static void
make(struct site *t, const char *name)
{
	store_create(t->u, str_of(name), STORE_USE_NONE, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
}

static void
on_guest(void *ctx, struct store_user *u, const struct err *e)
{
	(void)e;
	*(struct store_user **)ctx = u;
}

/* As the guest, in an account of his own. */
static void
open_guest(struct rig *k)
{
	struct store_user *owner = k->site.u;

	store_user_open(k->site.store, STR(GUEST), on_guest, &k->guest);
	store_settle(k->site.store);
	assert_non_null(k->guest);
	k->site.u = k->guest;
	k->own = site_find(&k->site, "INBOX");
	site_append(&k->site, k->own, "own\r\n", 0, NULL);
	k->site.u = owner;
}

static int
setup(void **state)
{
	struct rig *k = NEW(struct rig);
	struct site *t = &k->site;

	site_init(t, "/dev/shm", 0);
	site_close(t);
	t->config.shares = true;
	site_open(t);
	assert_true(site_user(t, USER));
	make(t, "box");
	make(t, "other");
	k->box = site_find(t, "box");
	k->other = site_find(t, "other");
	site_append(t, k->box, "one\r\n", STORE_DELETED, NULL);
	site_append(t, k->box, "two\r\n", 0, NULL);
	open_guest(k);
	*state = k;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *k = *state;

	store_user_unref(k->guest);
	site_fini(&k->site);
	free(k);
	return 0;
}

static void
give(struct rig *k, uint32_t mailbox, const char *letters)
{
	struct store_ace ace = { .identifier = STR(GUEST) };

	assert_true(store_rights_parse(str_of(letters), &ace.rights));
	store_set_rights(k->site.u, mailbox, &ace, STORE_RIGHTS_REPLACE, site_done(&k->site));
}

/* --- what a guest asks for --- */

static struct store_new
staged(struct rig *k)
{
	struct store_new m = { .stage = store_stage_new(k->site.u), .internal_date = 1 };
	struct err e;

	assert_true(store_stage_write(m.stage, STR("new\r\n"), &e));
	return m;
}

static void
ask_append(struct rig *k, struct store_done done)
{
	struct store_new m = staged(k);

	store_append(k->site.u, k->box, &m, 1, 0, done);
}

static void
ask_replace(struct rig *k, struct store_done done)
{
	struct store_new m = staged(k);

	store_replace(k->site.u, k->other, &m, k->box, 1, 0, done);
}

static void
mark(struct rig *k, uint32_t flags, struct store_done done)
{
	struct uidset all = site_set("1:2");

	store_flags(k->site.u, &(struct store_flags){ .mailbox = k->box, .uids = &all, .flags = flags }, done);
	uidset_fini(&all);
}

static void
ask_flag(struct rig *k, struct store_done done)
{
	mark(k, STORE_FLAGGED, done);
}

static void
ask_seen(struct rig *k, struct store_done done)
{
	mark(k, STORE_SEEN, done);
}

static void
ask_copy(struct rig *k, struct store_done done)
{
	struct uidset all = site_set("1:2");

	store_copy(k->site.u, k->box, &all, k->other, 0, done);
	uidset_fini(&all);
}

static void
ask_move(struct rig *k, struct store_done done)
{
	struct uidset all = site_set("1:2");

	store_move(k->site.u, k->box, &all, k->other, done);
	uidset_fini(&all);
}

static void
ask_carry(struct rig *k, struct store_done done)
{
	struct uidset all = site_set("1");

	store_carry(k->guest, k->own, &all, k->site.u, k->box, 0, done);
	uidset_fini(&all);
}

static void
ask_remove(struct rig *k, struct store_done done)
{
	struct uidset all = site_set("1:2");

	store_remove(k->site.u, k->box, &all, done);
	uidset_fini(&all);
}

static void
ask_expunge(struct rig *k, struct store_done done)
{
	store_expunge(k->site.u, k->box, NULL, done);
}

static void
ask_create(struct rig *k, struct store_done done)
{
	store_create(k->site.u, STR("box/below"), STORE_USE_NONE, done);
}

static void
ask_rename(struct rig *k, struct store_done done)
{
	store_rename(k->site.u, STR("box"), STR("other/level/box"), done);
}

static void
ask_delete(struct rig *k, struct store_done done)
{
	store_delete(k->site.u, STR("box"), done);
}

static void
ask_rights(struct rig *k, struct store_done done)
{
	struct store_ace ace = { STR("anyone"), STORE_RIGHTS_ALL };

	store_set_rights(k->site.u, k->box, &ace, STORE_RIGHTS_ADD, done);
}

static void
ask_annotate(struct rig *k, struct store_done done)
{
	struct store_annotation a = { STR("/shared/comment"), STR("mine"), true };

	store_set_metadata(k->site.u, k->box, &a, 1, NULL, done);
}

static const struct {
	const char *what;
	void (*ask)(struct rig *k, struct store_done done);
	const char *without; /* rights that are left when those it needs are gone */
} rows[] = {
	{ "append", ask_append, "lrswpkxtea" },
	{ "replace, target", ask_replace, "lrswpkxtea" },
	{ "replace, source", ask_replace, "lrswipkxta" },
	{ "flags", ask_flag, "lrsipkxtea" },
	{ "seen", ask_seen, "lrwipkxtea" },
	{ "copy, target", ask_copy, "lrswpkxtea" },
	{ "copy, source", ask_copy, "lswipkxtea" },
	{ "move, target", ask_move, "lrswpkxtea" },
	{ "move, source", ask_move, "lrswipkxea" },
	{ "carry", ask_carry, "lrswpkxtea" },
	{ "remove", ask_remove, "lrswipkxea" },
	{ "expunge", ask_expunge, "lrswipkxta" },
	{ "create", ask_create, "lrswipxtea" },
	{ "rename", ask_rename, "lrswipktea" },
	{ "rename, parent", ask_rename, "lrswipxtea" },
	{ "delete", ask_delete, "lrswipktea" },
	{ "rights", ask_rights, "lrswipkxte" },
	{ "annotation", ask_annotate, "lkxtea" },
};
enum { ROWS = sizeof rows / sizeof *rows };

/* --- what is there --- */

static void
draw_box(struct rig *k, struct store_view *v, const struct store_entry *e, struct arena *a, struct buf *to)
{
	struct store_mailbox m;
	struct store_ace *all;
	struct str value;

	if (!store_mailbox(v, e->mailbox, &m))
		return;
	buf_addf(to, "%.*s messages=%u unseen=%u uidnext=%u modseq=%llu rights=%zu", STR_ARG(e->name), m.messages, m.unseen, m.uidnext,
	    (unsigned long long)m.highestmodseq, store_acl(v, e->mailbox, a, &all));
	if (store_metadata(v, e->mailbox, STR("/shared/comment"), &value))
		buf_addf(to, " comment=%.*s", STR_ARG(value));
	buf_addf(to, " %s\n", site_uids(&k->site, e->mailbox));
}

/* The owner's mailboxes, those included that another program would find, as the guest sees them. */
static char *
picture(struct rig *k)
{
	struct store_entry *entries;
	struct store_view *v;
	struct arena a;
	struct buf b;
	struct err e;
	char *text;

	site_refresh(&k->site, 0);
	arena_init(&a);
	buf_init(&b, SIZE_MAX);
	v = store_view_open_as(k->site.u, STR(GUEST), &e);
	for (size_t i = 0, n = store_list(v, &a, &entries); i < n; i++)
		draw_box(k, v, &entries[i], &a, &b);
	store_view_close(v);
	text = mem_cstr(buf_str(&b));
	buf_fini(&b);
	arena_fini(&a);
	return text;
}

static bool
ask(struct rig *k, size_t row)
{
	rows[row].ask(k, site_done_as(&k->site, GUEST));
	site_wait(&k->site);
	store_settle(k->site.store);
	return k->site.code == STORE_OK;
}

/* Rights are changed and at once, not waiting for that, something is asked for; in a batch of its own or in one with the change. */
static void
try(size_t row, const char *left, bool together)
{
	struct rig *k;
	char *before, *after;

	setup((void **)&k);
	give(k, k->box, ALL);
	give(k, k->other, ALL);
	site_wait(&k->site);
	store_settle(k->site.store);
	before = picture(k);
	if (together)
		store_subscribe(k->site.u, STR("INBOX"), true, (struct store_done){ 0 });
	give(k, k->box, left);
	give(k, k->other, left);
	if (ask(k, row))
		fail_msg("%s was done with %s", rows[row].what, left);
	assert_true(k->site.code == (left[0] == 'l' ? STORE_NOPERM : STORE_NONEXISTENT) || k->site.code == STORE_NOPERM);
	give(k, k->box, ALL); /* so that the lists are as before */
	give(k, k->other, ALL);
	site_wait(&k->site);
	after = picture(k);
	if (strcmp(before, after) != 0)
		fail_msg("%s with %s left something:\n%sand before:\n%s", rows[row].what, left, after, before);
	site_check(&k->site);
	free(before);
	free(after);
	teardown((void **)&k);
}

static void
nothing_is_done_without_the_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		try(i, rows[i].without, false);
		try(i, rows[i].without, true);
	}
}

static void
nothing_is_done_without_any_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		try(i, "", false);
		try(i, "", true);
	}
}

/* So that a refusal above has no other reason. */
static void
all_is_done_with_the_rights(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct rig *k;
		char *before, *after;

		setup((void **)&k);
		give(k, k->box, ALL);
		give(k, k->other, ALL);
		site_wait(&k->site);
		before = picture(k);
		if (!ask(k, i))
			fail_msg("%s was refused: %d", rows[i].what, (int)k->site.code);
		after = picture(k);
		assert_string_not_equal(before, after);
		free(before);
		free(after);
		teardown((void **)&k);
	}
}

/* Flags that the rights do not cover are left out, also of those that are gone by now (RFC 4314 4). */
static void
flags_are_those_of_the_commit(void **state)
{
	struct rig *k = *state;
	struct store_new m = staged(k);
	struct store_message got;
	struct str word = STR("word");

	give(k, k->box, ALL);
	give(k, k->box, "lri");
	m.flags = STORE_SEEN | STORE_FLAGGED | STORE_DELETED;
	m.keywords = &word;
	m.nkeywords = 1;
	store_append(k->site.u, k->box, &m, 1, 0, site_done_as(&k->site, GUEST));
	site_wait(&k->site);
	assert_int_equal(k->site.code, STORE_OK);
	assert_true(site_message(&k->site, k->box, 3, &got) && got.flags == 0 && got.keywords == 0);
}

/* What is read is read from one snapshot, taken when it is asked for. */
static void
nothing_is_taken_from_what_may_not_be_read(void **state)
{
	static const char *const left[] = { "", "r", "lswi" };
	struct rig *k = *state;
	struct uidset all = site_set("1:2");

	for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
		give(k, k->box, left[i]);
		site_wait(&k->site);
		store_carry(k->site.u, k->box, &all, k->guest, k->own, 0, site_done_as(&k->site, GUEST));
		site_wait(&k->site);
		assert_int_equal(k->site.code, STORE_NOPERM);
	}
	give(k, k->box, "lr");
	site_wait(&k->site);
	store_carry(k->site.u, k->box, &all, k->guest, k->own, 0, site_done_as(&k->site, GUEST));
	site_wait(&k->site);
	assert_int_equal(k->site.code, STORE_OK);
	assert_int_equal(uidset_count(&k->site.uids), 2);
	uidset_fini(&all);
}

/* What is below a mailbox may not be the guest's to rename, also where it has come to be there just now. */
static void
a_guest_renames_a_mailbox_alone(void **state)
{
	struct rig *k = *state;

	give(k, k->box, ALL);
	give(k, k->other, ALL);
	store_create(k->site.u, STR("box/below"), STORE_USE_NONE, (struct store_done){ 0 });
	store_rename(k->site.u, STR("box"), STR("other/box"), site_done_as(&k->site, GUEST));
	site_wait(&k->site);
	assert_int_not_equal(k->site.code, STORE_OK);
	store_rename(k->site.u, STR("INBOX"), STR("other/box"), site_done_as(&k->site, GUEST));
	site_wait(&k->site);
	assert_int_equal(k->site.code, STORE_CANNOT);
	assert_true(site_find(&k->site, "box/below") != 0);
	assert_int_equal(site_find(&k->site, "other/box"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_done_without_the_right),
		cmocka_unit_test(nothing_is_done_without_any_right),
		cmocka_unit_test(all_is_done_with_the_rights),
		cmocka_unit_test_setup_teardown(flags_are_those_of_the_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_taken_from_what_may_not_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_guest_renames_a_mailbox_alone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
