/* grams.c - the search index against looking into every message: it never rules out what is there, and once it is whole
 * it rules out all that lacks a gram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/mem.h>

#include "../../../src/store/gram.h"
#include "site.h"

enum { TEXT = 60, WAIT = 40, STEPS = 250, AT_ONCE = 30, NEEDLES = 4 };

static unsigned
roll(unsigned n)
{
	return (unsigned)rand() % n;
}

/* The whole file is one text; the letters are upper case already. */
static bool
make_grams(void *ctx, int fd, uint64_t size, bool lf, struct str cache, struct gram_set *out)
{
	struct buf text;
	bool ok;

	(void)ctx;
	(void)size;
	(void)lf;
	(void)cache;
	buf_init(&text, 1 << 20);
	ok = io_read_fd(fd, &text);
	gram_set_text(out);
	gram_set_feed(out, buf_str(&text));
	buf_fini(&text);
	return ok;
}

static struct site *
begin(unsigned wait)
{
	struct site *t = site_new(SITE_SHM, 0);

	t->config.make_grams = make_grams;
	t->config.search_wait = wait;
	site_reopen(t);
	return t;
}

static const char *
random_text(void)
{
	static char text[TEXT + 3];
	unsigned n = roll(TEXT);

	for (unsigned i = 0; i < n; i++)
		text[i] = "AABBBCDE"[roll(8)];
	strcpy(text + n, "\r\n");
	return text;
}

static void
random_needle(char *needle, struct store_needle *n)
{
	unsigned size = roll(7);

	for (unsigned i = 0; i < size; i++)
		needle[i] = "AABBBCDE"[roll(8)];
	needle[size] = '\0';
	store_needle_init(n, str_of(needle));
}

static bool
has_all_grams(const char *text, const char *needle)
{
	for (size_t i = 0; i + 3 <= strlen(needle); i++) {
		char gram[4] = { needle[i], needle[i + 1], needle[i + 2], '\0' };

		if (strstr(text, gram) == NULL)
			return false;
	}
	return true;
}

static bool
find(struct site *t, uint32_t mailbox, uint32_t uid, const struct store_needle *n, struct store_may *may)
{
	struct err e;
	struct store_view *v = store_view_open(t->u, &e);
	bool found;

	assert_non_null(v);
	found = store_grams_find(v, mailbox, uid, n, NEEDLES, may);
	store_view_close(v);
	return found;
}

static struct uidset
uids_of(struct site *t, uint32_t mailbox)
{
	struct err e;
	struct store_view *v = store_view_open(t->u, &e);
	struct store_message m;
	struct store_scan scan;
	struct uidset uids;

	assert_non_null(v);
	uidset_init(&uids);
	store_scan_open(&scan, v, mailbox, 1);
	while (store_scan_next(&scan, &m))
		uidset_add(&uids, m.uid, m.uid);
	store_scan_close(&scan);
	store_view_close(v);
	return uids;
}

/* Of every message of the mailbox; whole: nothing is to be done any more. */
static void
compare(struct site *t, uint32_t mailbox, bool whole)
{
	char needles[NEEDLES][10];
	struct store_needle n[NEEDLES];
	struct store_may may[NEEDLES];
	uint32_t block = UINT32_MAX;
	struct uidset uids = uids_of(t, mailbox);
	bool known = false;

	for (unsigned k = 0; k < NEEDLES; k++)
		random_needle(needles[k], &n[k]);
	for (uint32_t uid = uidset_first(&uids); uid != 0; uid = uidset_next(&uids, uid + 1)) {
		char *text = site_text(t, mailbox, uid);

		if (uid / STORE_GRAM_BLOCK != block)
			known = find(t, mailbox, uid, n, may);
		block = uid / STORE_GRAM_BLOCK;
		assert_true(known || !whole);
		for (unsigned k = 0; k < NEEDLES && known; k++) {
			if (strstr(text, needles[k]) != NULL)
				assert_true(store_may_hold(&may[k], uid));
			if (whole)
				assert_int_equal(store_may_hold(&may[k], uid), has_all_grams(text, needles[k]));
		}
		free(text);
	}
	uidset_fini(&uids);
}

static void
append_some(struct site *t, uint32_t mailbox)
{
	for (unsigned n = roll(AT_ONCE); n > 0; n--)
		site_append(t, mailbox, random_text(), roll(4) == 0 ? STORE_DELETED : 0, NULL);
}

static void
transfer(struct site *t, uint32_t from, uint32_t to, bool move)
{
	struct uidset all = uids_of(t, from);

	if (uidset_count(&all) < 1500) {
		if (move)
			store_move(t->u, from, &all, to, site_done(t));
		else
			store_copy(t->u, from, &all, to, 0, site_done(t));
		site_wait(t);
	}
	uidset_fini(&all);
}

static uint32_t
made_anew(struct site *t, const char *name)
{
	store_delete(t->u, str_of(name), site_done(t));
	site_wait(t);
	store_create(t->u, str_of(name), STORE_USE_NONE, site_done(t));
	site_wait(t);
	return site_find(t, name);
}

static void
expunge(struct site *t, uint32_t mailbox)
{
	store_expunge(t->u, mailbox, NULL, site_done(t));
	site_wait(t);
}

struct boxes {
	uint32_t inbox, other;
};

static void
do_something(struct site *t, struct boxes *b)
{
	uint32_t box = roll(2) == 0 ? b->inbox : b->other;
	unsigned what = roll(40);

	if (what < 20)
		append_some(t, box);
	else if (what < 25)
		transfer(t, box, box == b->inbox ? b->other : b->inbox, roll(3) == 0);
	else if (what < 30)
		expunge(t, box);
	else if (what < 33)
		site_deliver(t, id_new(), USER, random_text());
	else if (what < 36)
		store_grams_follow(t->u, box);
	else if (what < 37)
		store_grams_refresh(t->u, box);
	else if (what < 38)
		site_reopen(t);
	else if (what < 39)
		b->other = made_anew(t, "Other");
	else
		store_settle(t->store);
}

static void
against_brute_force(unsigned seed)
{
	struct site *t = begin(WAIT);
	struct boxes b;

	srand(seed);
	b = (struct boxes){ site_find(t, "INBOX"), made_anew(t, "Other") };
	store_grams_follow(t->u, b.inbox);
	for (int step = 0; step < STEPS; step++) {
		do_something(t, &b);
		if (roll(10) == 0)
			compare(t, roll(2) == 0 ? b.inbox : b.other, false);
	}
	store_settle(t->store);
	site_refresh(t, b.inbox);
	site_reopen(t); /* what waited for company is looked for anew */
	store_grams_follow(t->u, b.inbox);
	store_grams_follow(t->u, b.other);
	store_settle(t->store);
	for (int i = 0; i < 20; i++) {
		compare(t, b.inbox, true);
		compare(t, b.other, true);
	}
	site_check(t);
	site_free(t);
}

static void
random_lives(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 3; seed++)
		against_brute_force(seed);
}

/* --- many grams: lists are written in more than one slice --- */

static void
put_text(char *text, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		text[i] = (char)('A' + roll(58));
	text[n] = '\0';
}

static bool
holds(struct site *t, uint32_t mailbox, uint32_t uid, const char *needle)
{
	struct store_needle n[NEEDLES];
	struct store_may may[NEEDLES];

	for (int k = 0; k < NEEDLES; k++)
		store_needle_init(&n[k], str_of(needle));
	assert_true(find(t, mailbox, uid, n, may));
	return store_may_hold(&may[0], uid);
}

/* Parts of the text are found in the message it is of, and hardly in another. */
static void
find_parts(struct site *t, uint32_t inbox, uint32_t uid, const char *text, uint32_t other)
{
	char part[9] = "";
	unsigned elsewhere = 0;

	for (unsigned i = 0; i < 20; i++) {
		memcpy(part, text + roll((unsigned)strlen(text) - 8), 8);
		assert_true(holds(t, inbox, uid, part));
		elsewhere += holds(t, inbox, other, part);
	}
	assert_true(elsewhere < 3);
}

enum { MANY = 300, LONG = 1500 };

static void
slices(void **state)
{
	struct site *t = begin(130);
	char(*texts)[LONG + 1] = mem_array(MANY, sizeof *texts);
	uint32_t inbox;

	(void)state;
	inbox = site_find(t, "INBOX");
	for (unsigned i = 0; i < MANY; i++) {
		put_text(texts[i], LONG);
		site_append(t, inbox, texts[i], 0, NULL);
		if (i == 0 || i == 140) {
			store_grams_follow(t->u, inbox);
			store_settle(t->store);
		}
	}
	site_reopen(t);
	store_grams_follow(t->u, inbox);
	store_settle(t->store);
	for (uint32_t uid = 1; uid <= MANY; uid += 7)
		find_parts(t, inbox, uid, texts[uid - 1], uid % MANY + 1);
	site_check(t);
	free(texts);
	site_free(t);
}

/* --- what may go wrong --- */

static void
fill(struct site *t, uint32_t inbox, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		site_append(t, inbox, "AAABBB WORD\r\n", 0, NULL);
	store_grams_follow(t->u, inbox);
	store_settle(t->store);
}

static void
open_file(struct site *t, struct gram_env *f)
{
	assert_int_equal(gram_file_open(f, site_path(t, GRAM_FILE), 1 << 26, false), 0);
}

/* Puts nonsense into every row of a table. */
static void
spoil(struct site *t, enum gram_table table)
{
	struct gram_env f;
	struct gram_txn x;
	struct key keys[20];
	MDB_val key, value;
	MDB_cursor *c;
	size_t n = 0;

	open_file(t, &f);
	assert_true(gram_txn_begin(&x, &f, true));
	c = gram_cursor(&x, table);
	while (gram_step(&x, c, &key, &value, MDB_NEXT) && n < 20) {
		keys[n].n = key.mv_size;
		memcpy(keys[n++].b, key.mv_data, key.mv_size);
	}
	mdb_cursor_close(c);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++)
		gram_put(&x, table, keys[i], STR("\xff\xff\xff\xff\xff"));
	assert_true(gram_txn_commit(&x));
	gram_file_close(&f);
}

static void
check_is(struct site *t, const char *words)
{
	store_check(t->store, STR(USER), (struct store_reported){ site_on_report, t });
	store_settle(t->store);
	assert_int_equal(t->report.problems, words != NULL);
	if (words != NULL)
		assert_non_null(strstr(t->report_text, words));
}

/* Who meets the damage first, a search or the work on it, drops the file; it is made anew, and right. */
static void
damaged_table(enum gram_table table)
{
	struct store_needle n[NEEDLES] = { 0 };
	struct store_may may[NEEDLES];
	struct site *t = begin(4);
	uint32_t inbox;

	inbox = site_find(t, "INBOX");
	fill(t, inbox, 6); /* they go into the lists … */
	fill(t, inbox, 2); /* … and these wait */
	check_is(t, NULL);
	site_close(t);
	spoil(t, table);
	site_open(t);
	assert_true(site_user(t, USER));
	check_is(t, "search index: ");
	for (unsigned k = 0; k < NEEDLES; k++)
		store_needle_init(&n[k], STR("WORD"));
	for (int i = 0; i < 3; i++) {
		find(t, inbox, 2, n, may);
		fill(t, inbox, 1);
	}
	check_is(t, NULL);
	assert_true(holds(t, inbox, 2, "WORD"));
	assert_false(holds(t, inbox, 2, "WORK"));
	site_free(t);
}

static void
damaged_rows(void **state)
{
	(void)state;
	damaged_table(G_LIST);
	damaged_table(G_SET);
	damaged_table(G_BLOCK);
}

static void
damaged_files(void **state)
{
	struct site *t = begin(4);
	uint32_t inbox;

	(void)state;
	inbox = site_find(t, "INBOX");
	fill(t, inbox, 9);
	site_close(t);
	assert_int_equal(truncate(site_path(t, GRAM_FILE), 8192), 0);
	site_open(t);
	assert_true(site_user(t, USER));
	fill(t, inbox, 1);
	assert_true(holds(t, inbox, 2, "WORD"));
	assert_false(holds(t, inbox, 2, "WORK"));
	site_close(t);
	assert_int_equal(truncate(site_path(t, GRAM_FILE), 100), 0);
	site_open(t);
	assert_true(site_user(t, USER));
	fill(t, inbox, 1);
	assert_false(holds(t, inbox, 10, "WORK"));
	site_check(t);
	site_free(t);
}

/* The index has no room: what it knows it still tells, of the rest it rules out nothing, and mail comes in. */
static void
no_room(void **state)
{
	struct site *t = begin(10);
	char text[LONG + 1];
	uint32_t inbox;

	(void)state;
	site_close(t);
	t->config.search_max = 256 << 10;
	site_open(t);
	assert_true(site_user(t, USER));
	inbox = site_find(t, "INBOX");
	for (unsigned i = 0; i < 200; i++) {
		put_text(text, LONG);
		site_append(t, inbox, text, 0, NULL);
		assert_int_equal(t->code, STORE_OK);
	}
	store_grams_follow(t->u, inbox);
	store_settle(t->store);
	assert_non_null(strstr(t->logged, "the search index stops"));
	assert_true(holds(t, inbox, 200, "NOTTHERE"));
	site_append(t, inbox, "more\r\n", 0, NULL);
	assert_int_equal(t->code, STORE_OK);
	site_check(t);
	site_free(t);
}

/* The store is made anew with other numbers for its mailboxes: nothing of the old index is believed. */
static void
rebuilt(void **state)
{
	struct site *t = begin(4);
	uint32_t inbox;

	(void)state;
	inbox = site_find(t, "INBOX");
	fill(t, inbox, 9);
	assert_int_equal(access(site_path(t, GRAM_FILE), F_OK), 0);
	store_rebuild(t->store, STR(USER), (struct store_reported){ NULL, NULL });
	store_settle(t->store);
	assert_int_not_equal(access(site_path(t, GRAM_FILE), F_OK), 0);
	inbox = site_find(t, "INBOX");
	fill(t, inbox, 1);
	assert_true(holds(t, inbox, 1, "WORD"));
	assert_false(holds(t, inbox, 1, "WORK"));
	site_free(t);
}

/* Nothing is kept of who never searches. */
static void
unasked(void **state)
{
	struct site *t = begin(4);
	uint32_t inbox;
	struct store_needle n[NEEDLES] = { 0 };
	struct store_may may[NEEDLES];

	(void)state;
	inbox = site_find(t, "INBOX");
	store_grams_refresh(t->u, inbox);
	site_append(t, inbox, "m\r\n", 0, NULL);
	store_settle(t->store);
	assert_false(find(t, inbox, 1, n, may));
	assert_int_not_equal(access(site_path(t, GRAM_FILE), F_OK), 0);
	site_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_lives),
		cmocka_unit_test(slices),
		cmocka_unit_test(damaged_rows),
		cmocka_unit_test(damaged_files),
		cmocka_unit_test(no_room),
		cmocka_unit_test(rebuilt),
		cmocka_unit_test(unasked),
	};

	return cmocka_run_group_tests_name("store_grams", tests, NULL, NULL);
}
