/* random.c - operations at random against a model in memory, the store opened anew now and then; and a client that
 * keeps up only by store_changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/mem.h>
#include <postern/store/metadata.h>
#include <postern/store/rights.h>

#include "site.h"

enum { BOXES = 4, MESSAGES = 4000, STEPS = 1500, NOTES = 5 };

#define GUEST "guest@example.test"

struct message {
	uint32_t uid;
	uint32_t flags;
	bool keyword;
	uint64_t size;
};

struct box {
	bool exists;
	uint32_t number;
	char name[32];
	uint32_t uidnext;
	uint64_t modseq;
	unsigned notes[NOTES]; /* values of annotations; 0: none */
	unsigned rights;       /* of a guest */
	struct message m[MESSAGES];
	size_t n;
	/* the client that is told only what changed */
	uint64_t client_modseq;
	struct message client[MESSAGES];
	size_t nclient;
};

struct world {
	struct site site;
	struct box boxes[BOXES];
	unsigned names;
};

static unsigned
roll(unsigned n)
{
	return (unsigned)rand() % n;
}

static struct store_view *
view(struct world *w)
{
	struct err e;
	struct store_view *v = store_view_open(w->site.u, &e);

	assert_non_null(v);
	return v;
}

static struct message
message_of(const struct store_message *m)
{
	return (struct message){ m->uid, m->flags, m->keywords != 0, m->size };
}

static void
add(struct box *b, struct message m)
{
	assert_true(b->n < MESSAGES && m.uid >= b->uidnext);
	b->m[b->n++] = m;
	b->uidnext = m.uid + 1;
}

static void
drop(struct box *b, size_t at)
{
	memmove(&b->m[at], &b->m[at + 1], (b->n - at - 1) * sizeof b->m[0]);
	b->n--;
}

/* Some UIDs of the box, and some that are not there. */
static void
some(const struct box *b, struct uidset *set)
{
	unsigned one_in = 1 + roll(4);

	uidset_init(set);
	for (size_t i = 0; i < b->n; i++)
		if (roll(one_in) == 0)
			uidset_add(set, b->m[i].uid, b->m[i].uid);
	if (roll(4) == 0)
		uidset_add(set, b->uidnext + 5, b->uidnext + 9);
}

static void
do_append(struct world *w, struct box *b)
{
	uint32_t flags = roll(32);
	bool keyword = roll(2) == 0;
	uint32_t uid;

	if (b->n > 300)
		return;
	uid = site_append(&w->site, b->number, "body\r\n", flags, keyword ? "word" : NULL);
	assert_int_equal(w->site.code, STORE_OK);
	add(b, (struct message){ uid, flags, keyword, 6 });
}

static void
do_deliver(struct world *w)
{
	struct box *inbox = &w->boxes[0];

	site_deliver(&w->site, id_new(), USER, "delivered\r\n");
	site_refresh(&w->site, inbox->number);
	add(inbox, (struct message){ site_mailbox(&w->site, inbox->number).uidnext - 1, 0, false, 28 });
}

static void
do_flags(struct world *w, struct box *b)
{
	enum store_flags_mode mode = (enum store_flags_mode)roll(3);
	uint32_t flags = roll(32);
	bool keyword = roll(2) == 0;
	struct str word = STR("word");
	struct uidset set;
	struct store_flags f;

	some(b, &set);
	f = (struct store_flags){ .mailbox = b->number, .uids = &set, .mode = mode, .flags = flags, .keywords = &word,
		.nkeywords = keyword };
	store_flags(w->site.u, &f, site_done(&w->site));
	site_wait(&w->site);
	for (size_t i = 0; i < b->n; i++) {
		struct message *m = &b->m[i], before = *m;

		if (!uidset_has(&set, m->uid))
			continue;
		m->flags = mode == STORE_FLAGS_ADD ? m->flags | flags : mode == STORE_FLAGS_REMOVE ? m->flags & ~flags : flags;
		m->keyword = mode == STORE_FLAGS_REPLACE ? keyword : keyword ? mode == STORE_FLAGS_ADD : m->keyword;
		assert_int_equal(uidset_has(&w->site.uids, m->uid), before.flags != m->flags || before.keyword != m->keyword);
	}
	uidset_fini(&set);
}

static void
do_expunge(struct world *w, struct box *b)
{
	struct uidset set;
	bool all = roll(3) == 0;

	some(b, &set);
	store_expunge(w->site.u, b->number, all ? NULL : &set, site_done(&w->site));
	site_wait(&w->site);
	for (size_t i = b->n; i-- > 0;)
		if ((b->m[i].flags & STORE_DELETED) != 0 && (all || uidset_has(&set, b->m[i].uid)))
			drop(b, i);
	uidset_fini(&set);
}

static void
do_transfer(struct world *w, struct box *from, struct box *to, bool move)
{
	struct uidset set;
	struct message taken[400];
	size_t n = 0;
	uint32_t uid;

	some(from, &set);
	if (to->n > 300 || from->n > 390) {
		uidset_fini(&set);
		return;
	}
	if (move)
		store_move(w->site.u, from->number, &set, to->number, site_done(&w->site));
	else
		store_copy(w->site.u, from->number, &set, to->number, 0, site_done(&w->site));
	site_wait(&w->site);
	assert_int_equal(w->site.code, STORE_OK);
	for (size_t i = 0; i < from->n; i++)
		if (uidset_has(&set, from->m[i].uid))
			taken[n++] = from->m[i];
	for (size_t i = from->n; move && i-- > 0;)
		if (uidset_has(&set, from->m[i].uid))
			drop(from, i);
	assert_int_equal(uidset_count(&w->site.uids), n);
	uid = uidset_next(&w->site.uids, 1);
	for (size_t i = 0; i < n; i++, uid = uidset_next(&w->site.uids, uid + 1)) {
		assert_true(uidset_has(&w->site.source, taken[i].uid));
		taken[i].uid = uid;
		add(to, taken[i]);
	}
	uidset_fini(&set);
}

static struct str
note_name(char name[static 32], size_t i)
{
	snprintf(name, 32, "/private/n%zu", i);
	return str_of(name);
}

/* Two of them at once, perhaps the same one twice: the last counts. */
static void
do_notes(struct world *w, struct box *b)
{
	struct store_annotation all[2];
	char names[2][32], values[2][16];

	for (size_t i = 0; i < 2; i++) {
		size_t note = roll(NOTES);

		b->notes[note] = roll(5);
		snprintf(values[i], sizeof values[i], "%u", b->notes[note]);
		all[i] = (struct store_annotation){ note_name(names[i], note), str_of(values[i]), b->notes[note] != 0 };
	}
	store_set_metadata(w->site.u, b->number, all, 2, NULL, site_done(&w->site));
	site_wait(&w->site);
	assert_int_equal(w->site.code, STORE_OK);
}

static void
do_rights(struct world *w, struct box *b)
{
	struct store_ace ace = { STR_INIT(GUEST), roll(STORE_RIGHTS_ALL + 1) };
	enum store_rights_mode mode = (enum store_rights_mode)roll(4);

	store_set_rights(w->site.u, b->number, &ace, mode, site_done(&w->site));
	site_wait(&w->site);
	assert_int_equal(w->site.code, STORE_OK);
	b->rights = mode == STORE_RIGHTS_REPLACE ? ace.rights : mode == STORE_RIGHTS_ADD ? b->rights | ace.rights :
	    mode == STORE_RIGHTS_REMOVE ? b->rights & ~ace.rights : 0;
}

static void
compare_annotations(struct world *w, const struct box *b)
{
	struct store_view *v = view(w);
	char name[32], value[16];
	struct str is;

	for (size_t i = 0; i < NOTES; i++) {
		assert_int_equal(store_metadata(v, b->number, note_name(name, i), &is), b->notes[i] != 0);
		snprintf(value, sizeof value, "%u", b->notes[i]);
		assert_true(b->notes[i] == 0 || str_eq(is, str_of(value)));
	}
	assert_int_equal(store_rights(v, b->number, STR(GUEST)), b->rights);
	store_view_close(v);
}

static void
do_names(struct world *w, struct box *b)
{
	struct site *t = &w->site;
	char name[32];

	if (b == &w->boxes[0])
		return;
	if (!b->exists) {
		snprintf(b->name, sizeof b->name, "box%u/x", w->names++);
		store_create(t->u, str_of(b->name), STORE_USE_NONE, site_done(t));
		site_wait(t);
		assert_int_equal(t->code, STORE_OK);
		b->exists = true;
		b->number = t->mailbox;
		b->n = b->nclient = 0;
		b->rights = 0;
		memset(b->notes, 0, sizeof b->notes);
		b->uidnext = 1;
		b->modseq = b->client_modseq = 0;
	} else if (roll(3) == 0) {
		store_delete(t->u, str_of(b->name), site_done(t));
		site_wait(t);
		assert_int_equal(t->code, STORE_OK);
		b->exists = false;
	} else {
		snprintf(name, sizeof name, "box%u", w->names++);
		store_rename(t->u, str_of(b->name), str_of(name), site_done(t));
		site_wait(t);
		assert_int_equal(t->code, STORE_OK);
		memcpy(b->name, name, sizeof name);
	}
}

static void
compare_box(struct world *w, struct box *b)
{
	struct store_view *v = view(w);
	struct store_mailbox m;
	struct store_message message;
	struct store_scan scan;
	uint32_t unseen = 0, deleted = 0;
	uint64_t bytes = 0;
	size_t i = 0;

	assert_int_equal(store_find(v, str_of(b->name)), b->number);
	assert_true(store_mailbox(v, b->number, &m));
	store_scan_open(&scan, v, b->number, 1);
	for (; store_scan_next(&scan, &message); i++) {
		struct message is = message_of(&message);

		assert_true(i < b->n);
		assert_int_equal(is.uid, b->m[i].uid);
		assert_int_equal(is.flags, b->m[i].flags);
		assert_int_equal(is.keyword, b->m[i].keyword);
		assert_int_equal(is.size, b->m[i].size);
		assert_true(message.modseq <= m.highestmodseq);
		unseen += (is.flags & STORE_SEEN) == 0;
		deleted += (is.flags & STORE_DELETED) != 0;
		bytes += is.size;
	}
	store_scan_close(&scan);
	store_view_close(v);
	assert_int_equal(i, b->n);
	assert_int_equal(m.messages, b->n);
	assert_int_equal(m.unseen, unseen);
	assert_int_equal(m.deleted, deleted);
	assert_int_equal(m.bytes, bytes);
	assert_true(m.uidnext >= b->uidnext && m.highestmodseq >= b->modseq);
	b->modseq = m.highestmodseq;
}

static void
client_take(struct box *b, struct message m)
{
	size_t i = 0;

	while (i < b->nclient && b->client[i].uid < m.uid)
		i++;
	if (i == b->nclient || b->client[i].uid != m.uid) {
		memmove(&b->client[i + 1], &b->client[i], (b->nclient - i) * sizeof b->client[0]);
		b->nclient++;
	}
	b->client[i] = m;
}

/* RFC 7162 3.2: from any old state, with nothing but the changes, to the state of now. */
static void
client_catches_up(struct world *w, struct box *b)
{
	struct store_view *v = view(w);
	struct store_changes c = { 0 };
	struct store_message m;
	size_t kept = 0;

	assert_true(store_changes(v, b->number, b->client_modseq, &c));
	for (size_t i = 0; i < b->nclient; i++)
		if (!uidset_has(&c.gone, b->client[i].uid))
			b->client[kept++] = b->client[i];
	b->nclient = kept;
	for (uint32_t uid = uidset_next(&c.changed, 1); uid != 0; uid = uidset_next(&c.changed, uid + 1))
		if (store_message(v, b->number, uid, &m) && m.modseq > b->client_modseq)
			client_take(b, message_of(&m));
	b->client_modseq = c.highestmodseq;
	uidset_fini(&c.changed);
	uidset_fini(&c.gone);
	store_view_close(v);
	assert_int_equal(b->nclient, b->n);
	for (size_t i = 0; i < b->n; i++) {
		assert_int_equal(b->client[i].uid, b->m[i].uid);
		assert_int_equal(b->client[i].flags, b->m[i].flags);
	}
}

static void
do_something(struct world *w)
{
	struct box *b = &w->boxes[roll(BOXES)], *to = &w->boxes[roll(BOXES)];
	unsigned what = roll(22);

	if (!b->exists || what == 0)
		do_names(w, b);
	else if (what < 6)
		do_append(w, b);
	else if (what < 8)
		do_deliver(w);
	else if (what < 12)
		do_flags(w, b);
	else if (what < 14)
		do_expunge(w, b);
	else if (what < 18 && to->exists)
		do_transfer(w, b, to, what < 16);
	else if (what == 20)
		do_notes(w, b);
	else if (what == 21)
		do_rights(w, b);
	else if (what == 18)
		store_settle(w->site.store);
	else if (roll(8) == 0)
		site_reopen(&w->site);
}

static void
against_model(unsigned seed)
{
	struct world *w = NEW(struct world);

	srand(seed);
	site_init(&w->site, SITE_SHM, 0);
	w->boxes[0] = (struct box){ .exists = true, .number = site_find(&w->site, "INBOX"), .name = "INBOX", .uidnext = 1 };
	for (int step = 0; step < STEPS; step++) {
		struct box *b = &w->boxes[roll(BOXES)];

		do_something(w);
		if (b->exists && roll(4) == 0)
			compare_box(w, b);
		if (b->exists && roll(4) == 0)
			compare_annotations(w, b);
		if (b->exists && roll(6) == 0)
			client_catches_up(w, b);
	}
	for (size_t i = 0; i < BOXES; i++)
		if (w->boxes[i].exists)
			compare_box(w, &w->boxes[i]);
	store_settle(w->site.store);
	site_check(&w->site);
	site_fini(&w->site);
	free(w);
}

static void
random_operations(void **state)
{
	(void)state;
	against_model(1);
	against_model(2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_operations) };

	return cmocka_run_group_tests_name("store_random", tests, NULL, NULL);
}
