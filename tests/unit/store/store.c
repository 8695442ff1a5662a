/* store.c - tests of the store as its users see it: deliveries, requests, other programs, rebuilding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/mem.h>

#include "site.h"

/* With the syncs of a real disk. */
static int
setup(void **state)
{
	*state = site_new("/tmp", 0);
	return 0;
}

static int
setup_threads(void **state)
{
	*state = site_new("/tmp", 3);
	return 0;
}

#define ON_DISK(f) cmocka_unit_test_setup_teardown(f, setup, site_teardown)
#define WITH_THREADS(f) cmocka_unit_test_setup_teardown(f, setup_threads, site_teardown)

static void
delivery_becomes_message(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "inbox");
	struct id id = id_new();
	struct store_message m;
	char *text;

	assert_int_not_equal(inbox, 0);
	site_deliver(t, id, USER, "Subject: a\r\n\r\nbody\r\n");
	assert_int_equal(t->states[0], STORE_STORED);
	assert_int_equal(site_count(t, "Maildir/new"), 1);
	assert_int_equal(store_user_bytes(t->u), 37);
	site_refresh(t, inbox);
	assert_string_equal(site_uids(t, inbox), "1");
	assert_int_equal(site_count(t, "Maildir/new"), 0);
	assert_int_equal(site_count(t, "Maildir/cur"), 1);
	text = site_text(t, inbox, 1);
	assert_string_equal(text, "Return-Path: <>\r\nSubject: a\r\n\r\nbody\r\n");
	free(text);
	assert_true(site_message(t, inbox, 1, &m));
	assert_int_equal(m.size, 37);
	assert_false(m.lf);
	/* the same id again: answered, not stored; also after a restart */
	site_deliver(t, id, USER, "Subject: a\r\n\r\nbody\r\n");
	assert_int_equal(t->states[0], STORE_STORED);
	site_reopen(t);
	site_deliver(t, id, USER, "Subject: a\r\n\r\nbody\r\n");
	site_refresh(t, inbox);
	assert_string_equal(site_uids(t, inbox), "1");
	assert_int_equal(store_user_bytes(t->u), 37);
	site_check(t);
}

static void
delivery_survives_before_ingest(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct id id = id_new();

	site_deliver(t, id, USER, "x\r\n");
	site_deliver(t, id_new(), USER, "y\r\n");
	site_reopen(t); /* nothing was ingested */
	assert_string_equal(site_uids(t, inbox), "1:2");
	site_deliver(t, id, USER, "x\r\n");
	site_refresh(t, inbox);
	assert_string_equal(site_uids(t, inbox), "1:2");
	site_check(t);
}

struct seen_outcomes {
	enum store_delivered_state states[4];
	size_t n;
	bool called;
};

static void
on_outcomes(void *ctx, const struct store_outcome *outcomes, size_t n)
{
	struct seen_outcomes *o = ctx;

	o->n = n;
	o->called = true;
	for (size_t i = 0; i < n && i < 4; i++)
		o->states[i] = outcomes[i].state;
}

static struct store_delivery
delivery_of(struct id id, const struct store_target *targets, size_t n)
{
	int fd = memfd_create("m", MFD_CLOEXEC);

	assert_int_equal(write(fd, "....body\r\nprefix\r\n", 18), 18);
	return (struct store_delivery){ .id = id, .fd = fd, .parts = { { 10, 8 }, { 4, 6 } }, .targets = targets, .ntargets = n };
}

static void
prepare_publish_drop(void **state)
{
	struct site *t = *state;
	struct store_target two[2] = { { .user = STR(USER), .head = STR("A: b\r\n") },
		{ .user = STR("carol@example.test"), .head = STR("A: c\r\n") } };
	struct store_target one = two[0];
	struct store_delivery d;
	struct seen_outcomes o = { .called = false };
	struct store_delivered done = { on_outcomes, &o };
	struct id id = id_new();
	uint32_t inbox = site_find(t, "INBOX");
	char *text;

	d = delivery_of(id, two, 2);
	store_deliver(t->store, &d, STORE_DELIVER_PREPARE, done);
	store_settle(t->store);
	assert_true(o.called && o.n == 2 && o.states[0] == STORE_PREPARED && o.states[1] == STORE_PREPARED);
	assert_int_equal(site_count(t, "Maildir/new"), 0);
	o.called = false;
	store_publish(t->store, id, done);
	store_settle(t->store);
	assert_true(o.called && o.n == 2 && o.states[0] == STORE_STORED && o.states[1] == STORE_STORED);
	text = site_text(t, inbox, 1);
	assert_string_equal(text, "A: b\r\nprefix\r\nbody\r\n");
	free(text);
	/* dropped: nothing anywhere, and publishing answers for nobody */
	id = id_new();
	d = delivery_of(id, &one, 1);
	store_deliver(t->store, &d, STORE_DELIVER_PREPARE, done);
	store_settle(t->store);
	store_drop(t->store, id);
	store_publish(t->store, id, done);
	store_settle(t->store);
	assert_int_equal(o.n, 0);
	assert_int_equal(site_count(t, "Maildir/new"), 0);
	assert_int_equal(site_count(t, "Maildir/tmp"), 0);
	assert_string_equal(site_uids(t, inbox), "1");
	/* one of two is refused: the other is prepared, and published when asked */
	id = id_new();
	two[1].limit = 1;
	d = delivery_of(id, two, 2);
	store_deliver(t->store, &d, STORE_DELIVER_WHOLE, done);
	store_settle(t->store);
	assert_true(o.n == 2 && o.states[0] == STORE_PREPARED && o.states[1] == STORE_REFUSED);
	store_publish(t->store, id, done);
	store_settle(t->store);
	assert_true(o.n == 2 && o.states[0] == STORE_STORED && o.states[1] == STORE_REFUSED);
	assert_string_equal(site_uids(t, inbox), "1:2");
	site_check(t);
}

static void
append_and_flags(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct store_message m;
	uint64_t before;
	char *text;

	assert_int_equal(site_append(t, inbox, "a\r\nb\r\n", STORE_SEEN, "$Junk"), 1);
	assert_int_equal(site_append(t, inbox, "lf\nonly\n", 0, NULL), 2);
	assert_true(site_message(t, inbox, 1, &m));
	assert_int_equal(m.flags, STORE_SEEN);
	assert_int_equal(m.keywords, 1);
	assert_int_equal(m.internal_date, 1000000000);
	assert_true(site_message(t, inbox, 2, &m));
	assert_true(m.lf);
	assert_int_equal(m.size, 10);
	text = site_text(t, inbox, 2);
	assert_string_equal(text, "lf\nonly\n");
	free(text);
	before = site_mailbox(t, inbox).highestmodseq;
	site_flags(t, inbox, "1:9", STORE_FLAGS_ADD, STORE_FLAGGED, "$Later");
	assert_int_equal(uidset_count(&t->uids), 2);
	assert_true(t->modseq > before);
	assert_int_equal(site_mailbox(t, inbox).highestmodseq, t->modseq);
	site_flags(t, inbox, "1:9", STORE_FLAGS_ADD, STORE_FLAGGED, "$LATER");
	assert_true(uidset_empty(&t->uids) && t->modseq == 0);
	site_flags(t, inbox, "2", STORE_FLAGS_REPLACE, STORE_DELETED, NULL);
	assert_int_equal(site_mailbox(t, inbox).unseen, 1);
	assert_int_equal(site_mailbox(t, inbox).deleted, 1);
	assert_int_equal(site_mailbox(t, inbox).deleted_bytes, 10);
	/* names follow */
	store_settle(t->store);
	site_reopen(t);
	assert_true(site_message(t, inbox, 1, &m));
	assert_int_equal(m.flags, STORE_SEEN | STORE_FLAGGED);
	assert_int_equal(m.keywords, 3);
	site_check(t);
}

static void
flags_unchangedsince(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct uidset set = site_set("1:3");
	struct store_flags f = { .mailbox = inbox, .uids = &set, .mode = STORE_FLAGS_ADD, .flags = STORE_SEEN,
		.conditional = true };

	for (int i = 0; i < 3; i++)
		site_append(t, inbox, "m\r\n", 0, NULL);
	f.unchangedsince = site_mailbox(t, inbox).highestmodseq;
	site_flags(t, inbox, "2", STORE_FLAGS_ADD, STORE_FLAGGED, NULL);
	store_flags(t->u, &f, site_done(t));
	site_wait(t);
	assert_int_equal(uidset_count(&t->uids), 2);
	assert_int_equal(uidset_count(&t->failed), 1);
	assert_true(uidset_has(&t->failed, 2));
	uidset_fini(&set);
	site_flags(t, 99, "1", STORE_FLAGS_ADD, STORE_SEEN, NULL);
	assert_int_equal(t->code, STORE_NONEXISTENT);
}

static void
keywords_have_a_limit(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	char name[20];

	site_append(t, inbox, "m\r\n", 0, NULL);
	for (int i = 0; i < STORE_KEYWORDS_MAX; i++) {
		snprintf(name, sizeof name, "word%d", i);
		site_flags(t, inbox, "1", STORE_FLAGS_ADD, 0, name);
		assert_int_equal(t->code, STORE_OK);
	}
	site_flags(t, inbox, "1", STORE_FLAGS_ADD, 0, "onemore");
	assert_int_equal(t->code, STORE_LIMIT);
	site_flags(t, inbox, "1", STORE_FLAGS_REMOVE, 0, "onemore");
	assert_int_equal(t->code, STORE_OK);
	site_flags(t, inbox, "1", STORE_FLAGS_ADD, 0, "not an atom");
	assert_int_equal(t->code, STORE_LIMIT);
	store_settle(t->store);
	site_check(t);
}

static void
copy_move_expunge(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX"), box;
	struct uidset set = site_set("1:2"), all = site_set("1:100");
	struct store_message m;
	struct id one, two;
	struct store_view *v;
	struct err e;
	char *text;

	for (int i = 0; i < 3; i++)
		site_append(t, inbox, "body\r\n", STORE_SEEN, i == 1 ? "blue" : "red");
	store_create(t->u, STR("Work"), STORE_USE_NONE, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	box = t->mailbox;
	assert_int_equal(site_find(t, "Work"), box);
	store_copy(t->u, inbox, &set, box, 0, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	assert_int_equal(uidset_count(&t->uids), 2);
	assert_true(site_message(t, box, 2, &m));
	assert_int_equal(m.flags, STORE_SEEN);
	text = site_text(t, box, 2);
	assert_string_equal(text, "body\r\n");
	free(text);
	v = store_view_open(t->u, &e);
	assert_true(store_email_id(v, inbox, 1, &one) && store_email_id(v, box, 1, &two));
	assert_true(id_eq(one, two));
	store_view_close(v);
	store_move(t->u, inbox, &all, box, site_done(t));
	site_wait(t);
	assert_int_equal(uidset_count(&t->source), 3);
	assert_string_equal(site_uids(t, inbox), "");
	assert_string_equal(site_uids(t, box), "1:5");
	store_settle(t->store);
	assert_int_equal(site_count(t, "Maildir/cur"), 0);
	assert_int_equal(site_count(t, "Maildir/.Work/cur"), 5);
	assert_int_equal(site_count(t, "Maildir/.Work/tmp"), 0);
	site_flags(t, box, "2:4", STORE_FLAGS_ADD, STORE_DELETED, NULL);
	store_expunge(t->u, box, &set, site_done(t));
	site_wait(t);
	assert_int_equal(uidset_count(&t->uids), 1);
	store_expunge(t->u, box, NULL, site_done(t));
	site_wait(t);
	assert_string_equal(site_uids(t, box), "1,5");
	store_settle(t->store);
	assert_int_equal(site_count(t, "Maildir/.Work/cur"), 2);
	/* moved within one mailbox: new UIDs, nothing lost */
	store_move(t->u, box, &all, box, site_done(t));
	site_wait(t);
	assert_string_equal(site_uids(t, box), "6:7");
	site_reopen(t);
	assert_string_equal(site_uids(t, box), "6:7");
	site_check(t);
	uidset_fini(&set);
	uidset_fini(&all);
}

static void
quota_counts(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct uidset set = site_set("1");

	site_append(t, inbox, "0123456789", 0, NULL);
	assert_int_equal(store_user_bytes(t->u), 10);
	store_copy(t->u, inbox, &set, inbox, 19, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OVERQUOTA);
	store_copy(t->u, inbox, &set, inbox, 20, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	assert_int_equal(store_user_bytes(t->u), 20);
	assert_int_equal(site_count(t, "Maildir/tmp"), 0);
	site_flags(t, inbox, "1", STORE_FLAGS_ADD, STORE_DELETED, NULL);
	store_expunge(t->u, inbox, NULL, site_done(t));
	site_wait(t);
	assert_int_equal(store_user_bytes(t->u), 10);
	uidset_fini(&set);
	site_check(t);
}

static void
replace(struct site *t, uint32_t to, const char *body, uint32_t from, uint32_t uid, uint64_t limit)
{
	struct store_new m = { .stage = store_stage_new(t->u), .internal_date = 1000000000 };
	struct err e;

	assert_true(store_stage_write(m.stage, str_of(body), &e));
	store_replace(t->u, to, &m, from, uid, limit, site_done(t));
	site_wait(t);
}

/* RFC 8508: one commit; only what is more counts; nothing happens when the message is gone. */
static void
replace_is_one_change(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	uint32_t other;

	store_create(t->u, STR("other"), STORE_USE_NONE, site_done(t));
	site_wait(t);
	other = t->mailbox;
	site_append(t, inbox, "0123456789", 0, NULL);
	replace(t, inbox, "a longer one", inbox, 1, 12);
	assert_int_equal(t->code, STORE_OK);
	assert_string_equal(site_uids(t, inbox), "2");
	assert_int_equal(uidset_first(&t->source), 1);
	assert_int_equal(t->modseq, site_mailbox(t, inbox).highestmodseq);
	assert_int_equal(store_user_bytes(t->u), 12);
	replace(t, other, "elsewhere", inbox, 2, 0);
	assert_string_equal(site_uids(t, inbox), "");
	assert_string_equal(site_uids(t, other), "1");
	assert_int_equal(t->mailbox, other);
	assert_int_equal(t->modseq, site_mailbox(t, inbox).highestmodseq);
	replace(t, inbox, "too late", inbox, 2, 0);
	assert_int_equal(t->code, STORE_GONE);
	replace(t, other, "too large", other, 1, 8);
	assert_int_equal(t->code, STORE_OVERQUOTA);
	site_reopen(t);
	assert_string_equal(site_uids(t, inbox), "");
	assert_string_equal(site_uids(t, other), "1");
	assert_int_equal(site_count(t, "Maildir/tmp"), 0);
	site_check(t);
}

static void
expect_list(struct site *t, const char *expected)
{
	struct err e;
	struct store_view *v = store_view_open(t->u, &e);
	struct store_entry *entries;
	struct arena a;
	struct buf b;
	size_t n;

	arena_init(&a);
	buf_init(&b, 1000);
	n = store_list(v, &a, &entries);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%.*s%s%s%s ", STR_ARG(entries[i].name), entries[i].mailbox == 0 ? "!" : "",
		    entries[i].children ? "+" : "", entries[i].subscribed ? "*" : "");
	assert_string_equal(buf_cstr(&b), expected);
	buf_fini(&b);
	arena_fini(&a);
	store_view_close(v);
}

static enum store_code
create(struct site *t, const char *name)
{
	store_create(t->u, str_of(name), STORE_USE_NONE, site_done(t));
	site_wait(t);
	return t->code;
}

static enum store_code
delete(struct site *t, const char *name)
{
	store_delete(t->u, str_of(name), site_done(t));
	site_wait(t);
	return t->code;
}

static enum store_code
rename_to(struct site *t, const char *from, const char *to)
{
	store_rename(t->u, str_of(from), str_of(to), site_done(t));
	site_wait(t);
	return t->code;
}

static void
mailbox_names(void **state)
{
	struct site *t = *state;
	uint32_t b, first;

	assert_int_equal(create(t, "a/b/c.d"), STORE_OK);
	assert_int_equal(create(t, "a b"), STORE_OK);
	assert_int_equal(create(t, "inbox/Entw\xc3\xbcrfe"), STORE_OK);
	assert_int_equal(create(t, "A/b"), STORE_OK);
	assert_int_equal(create(t, "a/b"), STORE_EXISTS);
	assert_int_equal(create(t, "INBOX"), STORE_EXISTS);
	assert_int_equal(create(t, "a//b"), STORE_CANNOT);
	assert_int_equal(create(t, "/a"), STORE_CANNOT);
	assert_int_equal(create(t, "bad\xff"), STORE_CANNOT);
	assert_int_equal(create(t, "new\nline"), STORE_CANNOT);
	expect_list(t, "INBOX+ A+ A/b INBOX/Entw\xc3\xbcrfe a+ a b a/b+ a/b/c.d ");
	assert_int_equal(site_count(t, "Maildir/.a.b.c\\2ed/cur"), 0);
	assert_int_equal(site_count(t, "Maildir/.INBOX.Entw&APw-rfe/cur"), 0);
	b = site_find(t, "a/b");
	site_append(t, b, "in b\r\n", 0, NULL);
	assert_int_equal(rename_to(t, "a", "z/y"), STORE_OK);
	expect_list(t, "INBOX+ A+ A/b INBOX/Entw\xc3\xbcrfe a b z+ z/y+ z/y/b+ z/y/b/c.d ");
	assert_int_equal(site_find(t, "z/y/b"), b);
	assert_string_equal(site_uids(t, b), "1");
	assert_int_equal(site_count(t, "Maildir/.z.y.b/cur"), 1);
	assert_int_equal(site_count(t, "Maildir/.a.b"), -1);
	assert_int_equal(rename_to(t, "z/y", "z/y/x"), STORE_CANNOT);
	assert_int_equal(rename_to(t, "z/y", "A"), STORE_EXISTS);
	assert_int_equal(rename_to(t, "nothing", "else"), STORE_NONEXISTENT);
	/* a parent that goes leaves its children, and its name stands for them */
	first = site_mailbox(t, site_find(t, "z/y")).uidvalidity;
	assert_int_equal(delete(t, "z/y"), STORE_OK);
	assert_int_equal(delete(t, "z/y"), STORE_NONEXISTENT);
	expect_list(t, "INBOX+ A+ A/b INBOX/Entw\xc3\xbcrfe a b z+ z/y!+ z/y/b+ z/y/b/c.d ");
	assert_int_equal(create(t, "z/y"), STORE_OK);
	assert_true(site_mailbox(t, site_find(t, "z/y")).uidvalidity > first);
	assert_int_equal(delete(t, "INBOX"), STORE_CANNOT);
	store_settle(t->store);
	site_reopen(t);
	expect_list(t, "INBOX+ A+ A/b INBOX/Entw\xc3\xbcrfe a b z+ z/y+ z/y/b+ z/y/b/c.d ");
	site_check(t);
}

static void
inbox_renamed(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");

	create(t, "INBOX/child");
	site_append(t, inbox, "1\r\n", 0, "k");
	site_append(t, inbox, "2\r\n", STORE_SEEN, NULL);
	assert_int_equal(rename_to(t, "INBOX", "old/2026"), STORE_OK);
	expect_list(t, "INBOX+ INBOX/child old+ old/2026 ");
	assert_string_equal(site_uids(t, inbox), "");
	assert_string_equal(site_uids(t, site_find(t, "old/2026")), "1:2");
	store_settle(t->store);
	site_check(t);
}

static void
subscriptions_and_defaults(void **state)
{
	struct site *t = *state;
	struct err e;
	struct store_view *v;
	struct store_mailbox m;

	store_make_defaults(t->u, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	/* the directories made on the way are not taken for somebody else's */
	assert_string_equal(t->logged, "");
	expect_list(t, "INBOX* Archive* Drafts* Junk* Sent* Trash* ");
	v = store_view_open(t->u, &e);
	assert_true(store_mailbox(v, store_find(v, STR("Sent")), &m));
	assert_int_equal(m.use, STORE_USE_SENT);
	store_view_close(v);
	assert_int_equal(delete(t, "Archive"), STORE_OK);
	store_make_defaults(t->u, site_done(t)); /* once in a user's life */
	site_wait(t);
	store_subscribe(t->u, STR("Sent"), false, site_done(t));
	site_wait(t);
	store_subscribe(t->u, STR("not/there"), true, site_done(t));
	site_wait(t);
	expect_list(t, "INBOX* Archive!* Drafts* Junk* Sent Trash* not/there!* ");
	store_settle(t->store);
	/* without the index, what belongs to a mailbox is still known */
	site_close(t);
	assert_int_equal(unlink(site_path(t, "index.mdb")), 0);
	site_open(t);
	assert_true(site_user(t, USER));
	expect_list(t, "INBOX* Drafts* Junk* Sent Trash* ");
	v = store_view_open(t->u, &e);
	assert_true(store_mailbox(v, store_find(v, STR("Trash")), &m));
	assert_int_equal(m.use, STORE_USE_TRASH);
	store_view_close(v);
	site_check(t);
}

static void
index_dropped(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX"), work;
	struct store_mailbox before, after;
	struct store_message m;
	struct store_view *v;
	struct str names[STORE_KEYWORDS_MAX];
	struct err e;

	create(t, "Work");
	work = site_find(t, "Work");
	for (int i = 0; i < 4; i++)
		site_append(t, work, "w\r\n", i == 2 ? STORE_ANSWERED : 0, i == 2 ? "label" : NULL);
	site_flags(t, work, "4", STORE_FLAGS_ADD, STORE_DELETED, NULL);
	store_expunge(t->u, work, NULL, site_done(t));
	site_wait(t);
	site_deliver(t, id_new(), USER, "in new\r\n");
	store_settle(t->store);
	before = site_mailbox(t, work);
	site_close(t);
	assert_int_equal(unlink(site_path(t, "index.mdb")), 0);
	site_open(t);
	assert_true(site_user(t, USER));
	work = site_find(t, "Work");
	after = site_mailbox(t, work);
	assert_true(id_eq(before.id, after.id));
	assert_int_equal(before.uidvalidity, after.uidvalidity);
	assert_true(after.uidnext >= before.uidnext);
	assert_true(after.highestmodseq > before.highestmodseq);
	assert_string_equal(site_uids(t, work), "1:3");
	assert_true(site_message(t, work, 3, &m));
	assert_int_equal(m.flags, STORE_ANSWERED);
	assert_int_equal(m.keywords, 1);
	assert_int_equal(m.internal_date, 1000000000);
	v = store_view_open(t->u, &e);
	assert_int_equal(store_keywords(v, work, names), 1);
	assert_true(str_eq(names[0], STR("label")));
	store_view_close(v);
	inbox = site_find(t, "INBOX");
	assert_string_equal(site_uids(t, inbox), "1");
	/* a UID that was expunged is never given again */
	assert_true(site_append(t, work, "w\r\n", 0, NULL) > 4);
	store_settle(t->store);
	site_check(t);
}

static void
age(struct site *t, const char *below)
{
	struct timespec times[2] = { { .tv_sec = 1600000000 }, { .tv_sec = 1600000000 } };

	assert_int_equal(utimensat(AT_FDCWD, site_path(t, below), times, 0), 0);
}

static void
other_programs(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct store_message m;
	char command[900];
	char *text;

	site_append(t, inbox, "ours\r\n", 0, NULL);
	site_append(t, inbox, "ours too\r\n", STORE_FLAGGED, NULL);
	store_settle(t->store);
	site_put_file(t, "Maildir/new/1700000000.M1P2.other", "From: x\n\nlf\n");
	site_put_file(t, "Maildir/cur/1700000001.M1P2.other:2,RS", "From: y\r\n\r\ncrlf\r\n");
	snprintf(command, sizeof command, "cd %s && f=$(ls | grep U=1:) && mv \"$f\" \"${f}S\"", site_path(t, "Maildir/cur"));
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "cd %s && rm *U=2:*", site_path(t, "Maildir/cur"));
	assert_int_equal(system(command), 0);
	site_refresh(t, inbox);
	assert_string_equal(site_uids(t, inbox), "1,3:4");
	assert_true(site_message(t, inbox, 1, &m));
	assert_int_equal(m.flags, STORE_SEEN);
	assert_true(site_message(t, inbox, 3, &m));
	assert_true(m.lf);
	assert_int_equal(m.size, 15);
	assert_true(site_message(t, inbox, 4, &m));
	assert_false(m.lf);
	assert_int_equal(m.flags, STORE_ANSWERED | STORE_SEEN);
	text = site_text(t, inbox, 3);
	assert_string_equal(text, "From: x\n\nlf\n");
	free(text);
	store_settle(t->store);
	assert_int_equal(site_count(t, "Maildir/new"), 0);
	assert_int_equal(store_user_bytes(t->u), 6 + 15 + 17);
	/* a directory nobody told us of */
	assert_int_equal(mkdir(site_path(t, "Maildir/.Made"), 0700), 0);
	assert_int_equal(mkdir(site_path(t, "Maildir/.Made/cur"), 0700), 0);
	assert_int_equal(mkdir(site_path(t, "Maildir/.Made/new"), 0700), 0);
	assert_int_equal(mkdir(site_path(t, "Maildir/.Made/tmp"), 0700), 0);
	site_put_file(t, "Maildir/.Made/new/17.a.b", "z\r\n");
	site_refresh(t, 0);
	assert_string_equal(site_uids(t, site_find(t, "Made")), "1");
	snprintf(command, sizeof command, "rm -r %s", site_path(t, "Maildir/.Made"));
	assert_int_equal(system(command), 0);
	site_refresh(t, 0);
	assert_int_equal(site_find(t, "Made"), 0);
	site_check(t);
	age(t, "Maildir/cur");
	site_refresh(t, inbox);
	site_check(t);
}

static void
three_way_merge(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct store_message m;
	char command[900];

	site_append(t, inbox, "m\r\n", STORE_SEEN | STORE_FLAGGED, NULL);
	store_settle(t->store);
	/* they take F away and add R; we add T before we have looked */
	snprintf(command, sizeof command, "cd %s && f=$(ls) && mv \"$f\" \"${f%%:*}:2,PRS\"", site_path(t, "Maildir/cur"));
	assert_int_equal(system(command), 0);
	site_flags(t, inbox, "1", STORE_FLAGS_ADD, STORE_DELETED, NULL);
	site_refresh(t, inbox);
	assert_true(site_message(t, inbox, 1, &m));
	assert_int_equal(m.flags, STORE_SEEN | STORE_ANSWERED | STORE_DELETED);
	store_settle(t->store);
	snprintf(command, sizeof command, "ls %s | grep -q ':2,PRST$'", site_path(t, "Maildir/cur"));
	assert_int_equal(system(command), 0); /* and a letter we do not know stays */
	site_check(t);
}

static void
dovecot_adopted(void **state)
{
	struct site *t = *state;
	uint32_t inbox, folder;
	struct store_message m;
	struct store_view *v;
	struct str names[STORE_KEYWORDS_MAX];
	struct err e;
	char command[900];

	site_close(t);
	snprintf(command, sizeof command, "rm -rf %s", site_path(t, ""));
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "mkdir -p %s/Maildir && cd %s/Maildir && mkdir cur new tmp .Old .Old/cur .Old/new .Old/tmp",
	    site_path(t, ""), site_path(t, ""));
	assert_int_equal(system(command), 0);
	site_put_file(t, "Maildir/dovecot-uidlist", "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n"
	    "25006 :1276528487.M364837P9451.kurkku,S=13,W=16:2,\n25017 W17 :1276533073.M242911P3632.kurkku:2,F\n");
	site_put_file(t, "Maildir/dovecot-keywords", "0 $Label1\n1 NonJunk\n");
	site_put_file(t, "Maildir/subscriptions", "V\t2\n\nINBOX\nOld\n");
	site_put_file(t, "Maildir/cur/1276528487.M364837P9451.kurkku,S=13,W=16:2,Sb", "From: x\n\nhi\n\n");
	site_put_file(t, "Maildir/cur/1276533073.M242911P3632.kurkku:2,Fa", "From: y\r\n\r\nhi\r\n\r\n");
	site_put_file(t, "Maildir/new/1276533999.M1P2.kurkku", "new one\r\n");
	site_put_file(t, "Maildir/.Old/cur/1.a.b:2,", "old\n");
	site_open(t);
	assert_true(site_user(t, USER));
	inbox = site_find(t, "INBOX");
	assert_string_equal(site_uids(t, inbox), "25006,25017,25022");
	assert_int_equal(site_mailbox(t, inbox).uidvalidity, 1275660208);
	assert_int_equal(site_mailbox(t, inbox).uidnext, 25023);
	assert_true(site_message(t, inbox, 25006, &m));
	assert_true(m.lf);
	assert_int_equal(m.size, 16);
	assert_int_equal(m.flags, STORE_SEEN);
	assert_int_equal(m.keywords, 2);
	assert_true(site_message(t, inbox, 25017, &m));
	assert_false(m.lf);
	assert_int_equal(m.keywords, 1);
	v = store_view_open(t->u, &e);
	assert_int_equal(store_keywords(v, inbox, names), 2);
	assert_true(str_eq(names[0], STR("$Label1")) && str_eq(names[1], STR("NonJunk")));
	store_view_close(v);
	folder = site_find(t, "Old");
	assert_string_equal(site_uids(t, folder), "1");
	expect_list(t, "INBOX* Old* ");
	store_settle(t->store);
	site_check(t);
}

/* Attacks I07: there is no UID behind the last one, so that all are numbered anew under another UIDVALIDITY. */
static void
i07_uids_at_their_end(void **state)
{
	struct site *t = *state;
	char command[900];
	uint32_t inbox;

	site_close(t);
	snprintf(command, sizeof command, "rm -rf %s; mkdir -p %s/Maildir/cur %s/Maildir/new %s/Maildir/tmp", site_path(t, ""),
	    site_path(t, ""), site_path(t, ""), site_path(t, ""));
	assert_int_equal(system(command), 0);
	site_put_file(t, "Maildir/dovecot-uidlist", "3 V1275660208 N4294967295 G3085f01b7f11094c501100008c4a11c1\n"
	    "7 :1.a.b:2,\n4294967294 :2.a.b:2,\n");
	site_put_file(t, "Maildir/cur/1.a.b:2,", "one\r\n");
	site_put_file(t, "Maildir/cur/2.a.b:2,", "two\r\n");
	site_open(t);
	assert_true(site_user(t, USER));
	inbox = site_find(t, "INBOX");
	assert_string_equal(site_uids(t, inbox), "1:2");
	assert_int_not_equal(site_mailbox(t, inbox).uidvalidity, 1275660208);
	for (int i = 0; i < 3; i++)
		site_append(t, inbox, "m\r\n", 0, NULL);
	site_deliver(t, id_new(), USER, "delivered\r\n");
	site_refresh(t, inbox);
	assert_string_equal(site_uids(t, inbox), "1:6");
	assert_int_equal(site_mailbox(t, inbox).uidnext, 7);
	store_settle(t->store);
	site_check(t);
}

static void
changes_since(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct store_changes c = { 0 };
	struct store_view *v;
	struct err e;
	uint64_t m0, m1;

	for (int i = 0; i < 5; i++)
		site_append(t, inbox, "m\r\n", 0, NULL);
	m0 = site_mailbox(t, inbox).highestmodseq;
	site_flags(t, inbox, "2,4", STORE_FLAGS_ADD, STORE_DELETED, NULL);
	m1 = site_mailbox(t, inbox).highestmodseq;
	store_expunge(t->u, inbox, NULL, site_done(t));
	site_wait(t);
	site_flags(t, inbox, "5", STORE_FLAGS_ADD, STORE_SEEN, NULL);
	v = store_view_open(t->u, &e);
	assert_true(store_changes(v, inbox, m0, &c));
	assert_int_equal(uidset_count(&c.gone), 2);
	assert_int_equal(uidset_count(&c.changed), 1);
	assert_true(uidset_has(&c.gone, 2) && uidset_has(&c.gone, 4) && uidset_has(&c.changed, 5));
	assert_true(store_changes(v, inbox, m1, &c));
	assert_int_equal(uidset_count(&c.gone), 2);
	assert_true(store_changes(v, inbox, c.highestmodseq, &c));
	assert_true(uidset_empty(&c.gone) && uidset_empty(&c.changed));
	assert_true(store_changes(v, inbox, 0, &c));
	assert_int_equal(uidset_count(&c.changed), 3);
	store_view_close(v);
	uidset_fini(&c.changed);
	uidset_fini(&c.gone);
}

static void
on_event(void *ctx, const struct store_event *event)
{
	*(unsigned *)ctx |= event->kinds;
}

static void
watchers_are_told(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	unsigned kinds = 0, all = 0;
	struct store_watch *w = store_watch_start(t->u, inbox, on_event, &kinds);
	struct store_watch *wall = store_watch_start(t->u, 0, on_event, &all);

	site_deliver(t, id_new(), USER, "m\r\n");
	store_settle(t->store);
	assert_int_equal(kinds, STORE_EVENT_NEW);
	site_flags(t, inbox, "1", STORE_FLAGS_ADD, STORE_DELETED, NULL);
	store_settle(t->store);
	assert_int_equal(kinds, STORE_EVENT_NEW | STORE_EVENT_FLAGS);
	store_watch_stop(w);
	store_expunge(t->u, inbox, NULL, site_done(t));
	site_wait(t);
	create(t, "x");
	rename_to(t, "x", "y");
	delete(t, "y");
	store_settle(t->store);
	assert_int_equal(kinds, STORE_EVENT_NEW | STORE_EVENT_FLAGS);
	assert_int_equal(all, STORE_EVENT_NEW | STORE_EVENT_FLAGS | STORE_EVENT_GONE | STORE_EVENT_CREATED |
	    STORE_EVENT_RENAMED | STORE_EVENT_DELETED);
	store_watch_stop(wall);
}

static bool
make_cache(void *ctx, int fd, uint64_t size, bool lf, struct store_made *out)
{
	(void)ctx;
	(void)fd;
	buf_addf(&out->row, "%u%s", (unsigned)size, lf ? "lf" : "");
	buf_addf(&out->keys, "k%u", (unsigned)size);
	return true;
}

/* Forwards, backwards, and where nothing is. */
static void
check_walk(struct store_view *v, uint32_t inbox)
{
	static const struct {
		uint32_t uid;
		const char *keys;
	} steps[] = { { 1, "k4" }, { 2, "k20" }, { 3, NULL }, { 1, "k4" }, { 77, NULL }, { 2, "k20" } };
	struct store_rows_walk walk;
	struct str row;

	store_rows_open(&walk, v, inbox, STORE_KEYS);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		assert_int_equal(store_rows_find(&walk, steps[i].uid, &row), steps[i].keys != NULL);
		if (steps[i].keys != NULL)
			assert_true(str_eq(row, str_of(steps[i].keys)));
	}
	store_rows_close(&walk);
	store_rows_open(&walk, v, inbox + 1, STORE_CACHE_ROWS);
	assert_false(store_rows_find(&walk, 1, &row));
	store_rows_close(&walk);
}

static void
cache_rows(void **state)
{
	struct site *t = *state;
	uint32_t inbox;
	struct store_view *v;
	struct str row;
	struct err e;

	site_close(t);
	t->config.make_cache = make_cache;
	site_open(t);
	assert_true(site_user(t, USER));
	inbox = site_find(t, "INBOX");
	site_append(t, inbox, "abc\n", 0, NULL);
	site_deliver(t, id_new(), USER, "m\r\n");
	store_settle(t->store);
	v = store_view_open(t->u, &e);
	assert_true(store_cache(v, inbox, 1, &row));
	assert_true(str_eq(row, STR("4lf")));
	assert_true(store_cache(v, inbox, 2, &row));
	assert_true(str_eq(row, STR("20")));
	check_walk(v, inbox);
	store_view_close(v);
	store_cache_put(t->u, inbox, 1, STR("better"), STR("keys"));
	store_cache_put(t->u, inbox, 77, STR("nobody's"), STR("n"));
	store_settle(t->store);
	v = store_view_open(t->u, &e);
	assert_true(store_cache(v, inbox, 1, &row));
	assert_true(str_eq(row, STR("better")));
	assert_false(store_cache(v, inbox, 77, &row));
	store_view_close(v);
}

static void
map_grows(void **state)
{
	struct site *t = *state;
	uint32_t inbox;
	char *big = mem_new(200001);

	memset(big, 'x', 200000);
	site_close(t);
	assert_int_equal(unlink(site_path(t, "index.mdb")), 0);
	t->config.map_size = 256 << 10;
	site_open(t);
	assert_true(site_user(t, USER));
	inbox = site_find(t, "INBOX");
	site_append(t, inbox, "m\r\n", 0, NULL);
	for (int i = 0; i < 10; i++) {
		store_cache_put(t->u, inbox, 10001, str_of(big), STR("k"));
		site_append(t, inbox, "m\r\n", 0, NULL);
		assert_int_equal(t->code, STORE_OK);
	}
	assert_string_equal(site_uids(t, inbox), "10001:10011");
	store_settle(t->store);
	site_check(t);
	free(big);
}

static void
rebuild_healthy_and_damaged(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	struct store_message m;
	unsigned kinds = 0;
	struct store_watch *w = store_watch_start(t->u, inbox, on_event, &kinds);

	for (int i = 0; i < 3; i++)
		site_append(t, inbox, "m\r\n", i == 1 ? STORE_SEEN : 0, i == 1 ? "kw" : NULL);
	site_flags(t, inbox, "3", STORE_FLAGS_ADD, STORE_ANSWERED, NULL); /* not in the name yet */
	t->answered = false;
	store_rebuild(t->store, STR(USER), (struct store_reported){ NULL, NULL });
	store_settle(t->store);
	assert_true((kinds & STORE_EVENT_DELETED) != 0);
	store_watch_stop(w);
	inbox = site_find(t, "INBOX");
	assert_string_equal(site_uids(t, inbox), "1:3");
	assert_true(site_message(t, inbox, 3, &m));
	assert_int_equal(m.flags, STORE_ANSWERED);
	site_check(t);
	site_close(t);
	/* cut short: refused at once, and made anew when asked */
	assert_int_equal(truncate(site_path(t, "index.mdb"), 12288), 0);
	site_open(t);
	assert_false(site_user(t, USER));
	site_deliver(t, id_new(), USER, "m\r\n");
	assert_int_equal(t->states[0], STORE_REFUSED);
	assert_int_equal(t->outcome.class, ERR_TEMP);
	store_rebuild(t->store, STR(USER), (struct store_reported){ NULL, NULL });
	store_settle(t->store);
	assert_true(site_user(t, USER));
	inbox = site_find(t, "INBOX");
	assert_string_equal(site_uids(t, inbox), "1:3");
	assert_true(site_message(t, inbox, 2, &m));
	assert_int_equal(m.flags, STORE_SEEN);
	assert_int_equal(m.keywords, 1);
	site_check(t);
}

static void
users_are_apart(void **state)
{
	struct site *t = *state;
	struct store_user *bob = t->u;
	struct site other = *t;

	assert_false(site_user(t, "no-domain"));
	assert_int_equal(t->err.class, ERR_PERM);
	assert_true(site_user(t, "..@example.test")); /* a strange name is a name, not a path */
	store_user_unref(t->u);
	t->u = bob;
	/* the lock */
	other.loop = loop_new();
	other.u = NULL;
	site_open(&other);
	assert_false(site_user(&other, USER));
	assert_int_equal(other.err.class, ERR_TEMP);
	store_close(other.store);
	loop_free(other.loop);
}

static void
symlinks_lead_nowhere(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");

	assert_int_equal(symlink("/etc/passwd", site_path(t, "Maildir/new/1.a.b")), 0);
	assert_int_equal(mkfifo(site_path(t, "Maildir/new/2.a.b"), 0600), 0);
	site_refresh(t, inbox);
	assert_string_equal(site_uids(t, inbox), "");
	assert_int_equal(symlink("/tmp", site_path(t, "Maildir/.Evil")), 0);
	site_refresh(t, 0);
	assert_int_equal(site_find(t, "Evil"), 0);
}

static void
no_room(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");

	site_append(t, inbox, "m\r\n", STORE_DELETED, NULL);
	store_settle(t->store);
	site_close(t);
	t->config.free_min = UINT64_MAX / 2;
	site_open(t);
	assert_true(site_user(t, USER));
	site_deliver(t, id_new(), USER, "m\r\n");
	assert_int_equal(t->states[0], STORE_REFUSED);
	assert_int_equal(t->outcome.class, ERR_TEMP);
	site_append(t, inbox, "m\r\n", 0, NULL);
	assert_int_equal(t->code, STORE_UNAVAILABLE);
	store_expunge(t->u, inbox, NULL, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
	assert_string_equal(site_uids(t, inbox), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(delivery_becomes_message),
		WITH_THREADS(delivery_becomes_message),
		ON_DISK(delivery_survives_before_ingest),
		ON_DISK(prepare_publish_drop),
		WITH_THREADS(prepare_publish_drop),
		ON_DISK(append_and_flags),
		ON_DISK(flags_unchangedsince),
		ON_DISK(keywords_have_a_limit),
		ON_DISK(copy_move_expunge),
		WITH_THREADS(copy_move_expunge),
		ON_DISK(quota_counts),
		ON_DISK(replace_is_one_change),
		WITH_THREADS(replace_is_one_change),
		ON_DISK(mailbox_names),
		ON_DISK(inbox_renamed),
		ON_DISK(subscriptions_and_defaults),
		ON_DISK(index_dropped),
		ON_DISK(other_programs),
		ON_DISK(three_way_merge),
		ON_DISK(dovecot_adopted),
		ON_DISK(i07_uids_at_their_end),
		ON_DISK(changes_since),
		ON_DISK(watchers_are_told),
		ON_DISK(cache_rows),
		ON_DISK(map_grows),
		ON_DISK(rebuild_healthy_and_damaged),
		ON_DISK(users_are_apart),
		ON_DISK(symlinks_lead_nowhere),
		ON_DISK(no_room),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
