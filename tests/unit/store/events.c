/* events.c - what a watcher hears: names before and after, whose request it was, how much one commit did; and the line of one
 * name as NOTIFY tells it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include <postern/core/buf.h>
#include <postern/store/read.h>

#include "site.h"

struct heard {
	struct site *t;
	struct buf text;
};

/* "kinds name<old own +n;" for each event. */
static void
on_event(void *ctx, const struct store_event *event)
{
	struct heard *h = ctx;

	buf_addf(&h->text, "%u ", event->kinds);
	buf_add(&h->text, event->name);
	if (event->old_name.n > 0) {
		buf_add_char(&h->text, '<');
		buf_add(&h->text, event->old_name);
	}
	buf_addf(&h->text, "%s +%u;", event->by == h->t ? " own" : "",
	    event->kinds & (STORE_EVENT_NEW | STORE_EVENT_FLAGS) ? (unsigned)(event->modseq - event->before) : 0);
}

static void
expect(struct heard *h, const char *what)
{
	store_settle(h->t->store);
	assert_string_equal(buf_cstr(&h->text), what);
	buf_clear(&h->text);
}

static void
names_are_told(void **state)
{
	struct site *t = *state;
	struct heard h = { .t = t };
	struct store_watch *w;
	uint32_t inbox = site_find(t, "INBOX");

	buf_init(&h.text, 4096);
	w = store_watch_start(t->u, 0, on_event, &h);
	store_create(t->u, STR("a/b"), STORE_USE_NONE, site_done(t));
	site_wait(t);
	expect(&h, "8 a/b own +0;8 a own +0;");
	store_rename(t->u, STR("a"), STR("c"), site_done(t));
	site_wait(t);
	expect(&h, "32  own +0;32 c<a own +0;"); /* a/b went with its parent */
	store_subscribe(t->u, STR("c"), true, site_done(t));
	site_wait(t);
	expect(&h, "64 c own +0;");
	store_subscribe(t->u, STR("c"), true, site_done(t));
	site_wait(t);
	expect(&h, "");
	store_subscribe(t->u, STR("nothing"), true, site_done(t));
	site_wait(t);
	expect(&h, "64 nothing own +0;");
	store_delete(t->u, STR("c/b"), site_done(t));
	site_wait(t);
	expect(&h, "16 c/b own +0;");
	site_append(t, inbox, "m\r\n", 0, NULL);
	expect(&h, "1  +1;");
	site_flags(t, inbox, "1", STORE_FLAGS_ADD, STORE_SEEN, NULL);
	expect(&h, "2  +1;");
	store_watch_stop(w);
	buf_fini(&h.text);
}

static struct store_entry
look_up(struct site *t, const char *name)
{
	struct err e;
	struct store_view *v = store_view_open(t->u, &e);
	struct store_entry entry;

	assert_non_null(v);
	store_look_up(v, str_of(name), &entry);
	assert_false(store_view_failed(v));
	store_view_close(v);
	return entry;
}

static void
one_name(void **state)
{
	struct site *t = *state;

	store_create(t->u, STR("a/b"), STORE_USE_JUNK, site_done(t));
	site_wait(t);
	store_create(t->u, STR("a b"), STORE_USE_NONE, site_done(t));
	site_wait(t);
	store_subscribe(t->u, STR("a b/none"), true, site_done(t));
	site_wait(t);
	assert_true(look_up(t, "a").children);
	assert_int_equal(look_up(t, "a").mailbox, site_find(t, "a"));
	assert_int_equal(look_up(t, "a/b").use, STORE_USE_JUNK);
	assert_false(look_up(t, "a/b").children);
	assert_false(look_up(t, "a b").children); /* below it is a subscription only */
	assert_true(look_up(t, "a b/none").subscribed);
	assert_int_equal(look_up(t, "a b/none").mailbox, 0);
	assert_int_equal(look_up(t, "no").mailbox, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SITE(names_are_told),
		WITH_SITE(one_name),
	};

	return cmocka_run_group_tests_name("store_events", tests, NULL, NULL);
}
