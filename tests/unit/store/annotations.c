/* annotations.c - tests of metadata and rights: limits, life with the mailbox, lost and older indexes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <postern/core/mem.h>
#include <postern/store/metadata.h>
#include <postern/store/rights.h>

#include "../../../src/store/annotation.h"
#include "site.h"

static enum store_code
set(struct site *t, uint32_t mailbox, const char *entry, struct str value)
{
	struct store_annotation a = { str_of(entry), value, value.p != NULL };

	store_set_metadata(t->u, mailbox, &a, 1, NULL, site_done(t));
	site_wait(t);
	return t->code;
}

static bool
has(struct site *t, uint32_t mailbox, const char *entry, const char *want)
{
	struct err e;
	struct store_view *v = store_view_open(t->u, &e);
	struct str value;
	bool ok = store_metadata(v, mailbox, str_of(entry), &value) && str_eq(value, str_of(want));

	store_view_close(v);
	return ok;
}

static uint32_t
create(struct site *t, const char *name)
{
	store_create(t->u, str_of(name), STORE_USE_NONE, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	return t->mailbox;
}

static void
entries_have_names(void **state)
{
	static const char *const good[] = { "/private/a", "/shared/comment", "/private/a b/c", "/shared/vendor/x/y",
		"/private/vendor/x/y/z", "/private/vendors" };
	static const char *const bad[] = { "", "/", "/private", "/private/", "/shared//a", "/private/a/", "/private/A", "/privat/a",
		"private/a", "/private/a*", "/private/%", "/shared/\x01", "/shared/\xc3\xa4", "/private/vendor/x", "/private\x7f/a" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(store_entry_ok(str_of(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(store_entry_ok(str_of(bad[i])));
}

enum { MANY = 80 };

static enum store_code
set_many(struct site *t, uint32_t mailbox, struct str value)
{
	struct store_annotation all[MANY];
	char names[MANY][16];

	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof names[i], "/private/%03zu", i);
		all[i] = (struct store_annotation){ str_of(names[i]), value, true };
	}
	store_set_metadata(t->u, mailbox, all, MANY, NULL, site_done(t));
	site_wait(t);
	return t->code;
}

static void
user_has_a_share(void **state)
{
	struct site *t = *state;
	char *value = mem_new(STORE_VALUE_MAX + 1), name[64];
	uint32_t boxes[8];
	unsigned n = 0;

	for (size_t i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "m%zu", i);
		boxes[i] = create(t, name);
	}
	memset(value, 'x', STORE_VALUE_MAX + 1);
	assert_int_equal(set(t, boxes[0], "/private/a", str_from(value, STORE_VALUE_MAX + 1)), STORE_CANNOT);
	while (set_many(t, boxes[n % 8], str_from(value, STORE_VALUE_MAX)) == STORE_OK)
		n++;
	assert_int_equal(t->code, STORE_LIMIT);
	assert_int_equal(n, STORE_METADATA_MAX / (MANY * (STORE_VALUE_MAX + 12)));
	/* less is always allowed, and what goes makes room */
	assert_int_equal(set(t, boxes[0], "/private/000", STR("x")), STORE_OK);
	store_delete(t->u, STR("m1"), site_done(t));
	site_wait(t);
	assert_int_equal(set(t, boxes[2], "/private/a", str_from(value, STORE_VALUE_MAX)), STORE_OK);
	free(value);
}

static void
lost_index(void **state)
{
	struct site *t = *state;
	uint32_t box = create(t, "a/b"), inbox = site_find(t, "INBOX");

	assert_int_equal(set(t, box, "/private/comment", str_from("v\0\r\n", 4)), STORE_OK);
	assert_int_equal(set(t, inbox, "/shared/comment", STR("in")), STORE_OK);
	assert_int_equal(set(t, 0, "/private/x", STR("server")), STORE_OK);
	assert_int_equal(set(t, box, "/private/gone", STR("gone")), STORE_OK);
	assert_int_equal(set(t, box, "/private/gone", (struct str){ 0 }), STORE_OK);
	store_settle(t->store);
	site_close(t);
	assert_int_equal(unlink(site_path(t, "index.mdb")), 0);
	site_open(t);
	assert_true(site_user(t, USER));
	box = site_find(t, "a/b");
	assert_true(has(t, site_find(t, "INBOX"), "/shared/comment", "in"));
	assert_true(has(t, 0, "/private/x", "server"));
	assert_false(has(t, box, "/private/gone", "gone"));
	assert_int_equal(set(t, box, "/private/comment", (struct str){ 0 }), STORE_OK);
	store_settle(t->store);
	assert_int_equal(access(site_path(t, "Maildir/.a.b/postern-annotations"), F_OK), -1);
}

/* An index from before there were annotations. */
static void
older_index(void **state)
{
	struct site *t = *state;
	struct index ix;
	struct err e;
	MDB_txn *txn;

	site_close(t);
	assert_true(index_open(&ix, site_path(t, "index.mdb"), 1 << 26, false, &e));
	assert_int_equal(mdb_txn_begin(ix.env, NULL, 0, &txn), 0);
	for (size_t i = T_ADDED; i < TABLES; i++)
		assert_int_equal(mdb_drop(txn, ix.table[i], 1), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	index_close(&ix);
	site_open(t);
	assert_true(site_user(t, USER));
	assert_int_equal(set(t, 0, "/private/x", STR("y")), STORE_OK);
	assert_true(has(t, 0, "/private/x", "y"));
}

static enum store_use
use_of(struct site *t, const char *name)
{
	return site_mailbox(t, site_find(t, name)).use;
}

/* RFC 6154 5.4: who gets a use takes it from who had it; both know it when the index is lost. */
static void
use_moves(void **state)
{
	struct site *t = *state;
	const enum store_use drafts = STORE_USE_DRAFTS, none = STORE_USE_NONE;
	uint32_t one = create(t, "one"), two = create(t, "two");

	store_set_metadata(t->u, one, NULL, 0, &drafts, site_done(t));
	site_wait(t);
	assert_int_equal(use_of(t, "one"), STORE_USE_DRAFTS);
	store_set_metadata(t->u, two, NULL, 0, &drafts, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	store_settle(t->store);
	site_check(t);
	site_close(t);
	assert_int_equal(unlink(site_path(t, "index.mdb")), 0);
	site_open(t);
	assert_true(site_user(t, USER));
	assert_int_equal(use_of(t, "one"), STORE_USE_NONE);
	assert_int_equal(use_of(t, "two"), STORE_USE_DRAFTS);
	store_set_metadata(t->u, site_find(t, "two"), NULL, 0, &none, site_done(t));
	site_wait(t);
	assert_int_equal(use_of(t, "two"), STORE_USE_NONE);
	store_set_metadata(t->u, 0, NULL, 0, &drafts, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_CANNOT);
}

struct heard {
	unsigned events;
	char names[100];
	size_t n;
	const void *by;
};

static void
on_event(void *ctx, const struct store_event *event)
{
	struct heard *h = ctx;

	if (!(event->kinds & STORE_EVENT_METADATA))
		return;
	h->events++;
	h->n = event->entries.n;
	h->by = event->by;
	memcpy(h->names, event->entries.p, event->entries.n);
}

static void
watchers_hear(void **state)
{
	struct site *t = *state;
	struct store_annotation a[] = { { STR_INIT("/private/a"), STR_INIT("1"), true }, { STR_INIT("/private/b"), { 0 }, false } };
	struct heard h = { 0 };
	struct store_watch *watch = store_watch_start(t->u, 0, on_event, &h);
	struct store_done done = site_done(t);

	store_set_metadata(t->u, site_find(t, "INBOX"), a, 2, NULL, done);
	site_wait(t);
	store_settle(t->store);
	assert_int_equal(h.events, 1);
	assert_ptr_equal(h.by, done.ctx);
	assert_int_equal(h.n, 22);
	assert_memory_equal(h.names, "/private/a\0/private/b", 22);
	assert_int_equal(set(t, 99, "/private/a", STR("x")), STORE_NONEXISTENT);
	store_settle(t->store);
	assert_int_equal(h.events, 1);
	store_watch_stop(watch);
}

/* Every byte for itself, and the letters of RFC 4314 2.1. */
static void
rights_are_letters(void **state)
{
	unsigned rights;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (unsigned c = 0; c < 256; c++) {
		char letter = (char)c;

		assert_int_equal(store_rights_parse(str_from(&letter, 1), &rights), c != 0 && strchr("lrswipkxteacd", (int)c) != NULL);
	}
	assert_true(store_rights_parse(STR(""), &rights) && rights == 0);
	assert_true(store_rights_parse(STR("lrswida"), &rights));
	store_rights_write(&b, rights);
	assert_string_equal(buf_cstr(&b), "lrswitead");
	buf_clear(&b);
	assert_true(store_rights_parse(STR("lrswikda"), &rights));
	store_rights_write(&b, rights);
	assert_string_equal(buf_cstr(&b), "lrswikteacd");
	buf_clear(&b);
	store_rights_write(&b, STORE_RIGHTS_ALL);
	assert_string_equal(buf_cstr(&b), "lrswipkxteacd");
	for (unsigned all = 0; all <= STORE_RIGHTS_ALL; all++) {
		buf_clear(&b);
		store_rights_write_members(&b, all);
		assert_true(store_rights_parse(buf_str(&b), &rights) && rights == all);
	}
	assert_false(store_rights_parse(STR("lrQs"), &rights) || store_rights_parse(STR("lrqs"), &rights));
	buf_fini(&b);
}

static void
identifiers(void **state)
{
	static const char *const good[] = { "anyone", "-anyone", "a@b", "-a@b", "\xc3\xa4@b" };
	static const char *const bad[] = { "", "-", "a", "@b", "a@", "-@b", "a@b\n", "a b@c", "a@b\x7f", "--anyone" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(store_identifier_ok(str_of(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(store_identifier_ok(str_of(bad[i])));
}

/* Cut anywhere the file is damaged: nothing of it is taken. */
static void
file_is_whole_or_nothing(void **state)
{
	static const char text[] = "postern-annotations 1\nentry L3ByaXZhdGUvYQ== eA==\nentry L3ByaXZhdGUvYg== \n"
				   "rights YW55b25l bHI=\nend\n";
	static const char *const bad[] = { "entry L3ByaXZhdGU= eA==\n", "rights YW55b25l UQ==\n", "rights YQ== bHI=\n",
		"entry L3ByaXZhdGUvYQ==\n", "other L3ByaXZhdGUvYQ== eA==\n", "end\nend\n", "\n",
		"entry L3ByaXZhdGUvYQ== eA==\n\n" };
	struct buf b;

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++)
		assert_int_equal(annotations_parse(str_from(text, n), NULL, NULL), n == sizeof text - 2);
	assert_true(annotations_parse(str_from(text, sizeof text - 1), NULL, NULL));
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_clear(&b);
		buf_addf(&b, "postern-annotations 1\n%send\n", bad[i]);
		assert_false(annotations_parse(buf_str(&b), NULL, NULL));
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_have_names),
		cmocka_unit_test(rights_are_letters),
		cmocka_unit_test(identifiers),
		cmocka_unit_test(file_is_whole_or_nothing),
		WITH_SITE(user_has_a_share),
		WITH_SITE(lost_index),
		WITH_SITE(use_moves),
		WITH_SITE(older_index),
		WITH_SITE(watchers_hear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
