/* site.c - a store in a temporary directory. */
#include "site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

static void
quiet(void *ctx, struct str line)
{
	struct site *t = ctx;

	snprintf(t->logged, sizeof t->logged, "%.*s", STR_ARG(line));
	if (str_search(line, STR("event=panic")) < line.n)
		print_error("%.*s", STR_ARG(line));
}

void
site_open(struct site *t)
{
	struct err e;

	t->config.loop = t->loop;
	t->config.root = t->root;
	t->config.host = "mx.example.test";
	t->store = store_open(&t->config, &e);
	assert_non_null(t->store);
}

void
site_init(struct site *t, const char *base, unsigned threads)
{
	*t = (struct site){ .config = { .threads = threads, .free_min = 1 } };
	snprintf(t->root, sizeof t->root, "%s/postern-store-XXXXXX", base);
	assert_non_null(mkdtemp(t->root));
	t->loop = loop_new();
	log_to(quiet, t);
	site_open(t);
	assert_true(site_user(t, USER));
}

void
site_close(struct site *t)
{
	if (t->u != NULL)
		store_user_unref(t->u);
	t->u = NULL;
	store_close(t->store);
	t->store = NULL;
}

void
site_reopen(struct site *t)
{
	site_close(t);
	site_open(t);
	assert_true(site_user(t, USER));
}

void
site_fini(struct site *t)
{
	char command[300];

	site_close(t);
	loop_free(t->loop);
	uidset_fini(&t->uids);
	uidset_fini(&t->source);
	uidset_fini(&t->failed);
	snprintf(command, sizeof command, "rm -rf '%s'", t->root);
	assert_int_equal(system(command), 0);
	log_to(NULL, NULL);
}

struct site *
site_new(const char *base, unsigned threads)
{
	struct site *t = NEW(struct site);

	site_init(t, base, threads);
	return t;
}

void
site_free(struct site *t)
{
	site_fini(t);
	free(t);
}

int
site_setup(void **state)
{
	*state = site_new(SITE_SHM, 0);
	return 0;
}

int
site_teardown(void **state)
{
	site_free(*state);
	return 0;
}

static void
on_user(void *ctx, struct store_user *u, const struct err *e)
{
	struct site *t = ctx;

	t->u = u;
	if (u == NULL)
		t->err = *e;
	t->answered = true;
}

void
site_wait(struct site *t)
{
	while (!t->answered)
		loop_once(t->loop);
}

bool
site_user(struct site *t, const char *address)
{
	t->answered = false;
	store_user_open(t->store, str_of(address), on_user, t);
	site_wait(t);
	return t->u != NULL;
}

static void
on_done(void *ctx, const struct store_result *r)
{
	struct site *t = ctx;

	t->code = r->code;
	t->mailbox = r->mailbox;
	t->uidvalidity = r->uidvalidity;
	t->modseq = r->modseq;
	uidset_copy(&t->uids, r->uids);
	uidset_copy(&t->source, r->source);
	uidset_copy(&t->failed, r->failed);
	t->answered = true;
}

struct store_done
site_done(struct site *t)
{
	t->answered = false;
	return (struct store_done){ .fn = on_done, .ctx = t };
}

struct store_done
site_done_as(struct site *t, const char *who)
{
	t->answered = false;
	return (struct store_done){ on_done, t, str_of(who) };
}

static void
on_delivered(void *ctx, const struct store_outcome *outcomes, size_t n)
{
	struct site *t = ctx;

	t->noutcomes = n;
	for (size_t i = 0; i < n && i < 16; i++)
		t->states[i] = outcomes[i].state;
	if (n > 0)
		t->outcome = outcomes[0].err;
	t->answered = true;
}

static int
body_fd(const char *body)
{
	int fd = memfd_create("body", MFD_CLOEXEC);

	assert_true(fd != -1 && io_write_all(fd, str_of(body)));
	return fd;
}

void
site_deliver(struct site *t, struct id id, const char *user, const char *body)
{
	struct store_target target = { .user = str_of(user), .mailbox = STR(""), .head = STR("Return-Path: <>\r\n") };
	struct store_delivery d = { .id = id, .fd = body_fd(body), .parts = { { 0, strlen(body) } }, .targets = &target,
		.ntargets = 1 };

	t->answered = false;
	store_deliver(t->store, &d, STORE_DELIVER_WHOLE, (struct store_delivered){ on_delivered, t });
	site_wait(t);
}

uint32_t
site_append(struct site *t, uint32_t mailbox, const char *body, uint32_t flags, const char *keyword)
{
	struct store_stage *g = store_stage_new(t->u);
	struct str word = str_of(keyword);
	struct store_new m = { .stage = g, .flags = flags, .keywords = &word, .nkeywords = keyword != NULL,
		.internal_date = 1000000000 };
	struct err e;

	assert_true(store_stage_write(g, str_of(body), &e));
	store_append(t->u, mailbox, &m, 1, 0, site_done(t));
	site_wait(t);
	return uidset_first(&t->uids);
}

static struct store_view *
view(struct site *t)
{
	struct err e;
	struct store_view *v = store_view_open(t->u, &e);

	assert_non_null(v);
	return v;
}

uint32_t
site_find(struct site *t, const char *name)
{
	struct store_view *v = view(t);
	uint32_t n = store_find(v, str_of(name));

	store_view_close(v);
	return n;
}

struct store_mailbox
site_mailbox(struct site *t, uint32_t mailbox)
{
	struct store_view *v = view(t);
	struct store_mailbox m;

	assert_true(store_mailbox(v, mailbox, &m));
	store_view_close(v);
	return m;
}

bool
site_message(struct site *t, uint32_t mailbox, uint32_t uid, struct store_message *m)
{
	struct store_view *v = view(t);
	bool found = store_message(v, mailbox, uid, m);

	store_view_close(v);
	return found;
}

char *
site_text(struct site *t, uint32_t mailbox, uint32_t uid)
{
	struct store_view *v = view(t);
	struct store_file f;
	struct err e;
	struct buf b;
	char *text = NULL;

	buf_init(&b, 1 << 20);
	if (store_message_open(v, mailbox, uid, &f, &e)) {
		assert_true(io_read_fd(f.fd, &b));
		close(f.fd);
		text = strdup(buf_cstr(&b));
	}
	buf_fini(&b);
	store_view_close(v);
	return text;
}

void
site_refresh(struct site *t, uint32_t mailbox)
{
	store_refresh(t->u, mailbox, site_done(t));
	site_wait(t);
	assert_int_equal(t->code, STORE_OK);
}

struct uidset
site_set(const char *text)
{
	struct uidset s;

	uidset_init(&s);
	assert_true(uidset_parse(&s, str_of(text), 1000));
	return s;
}

void
site_flags(struct site *t, uint32_t mailbox, const char *set, enum store_flags_mode mode, uint32_t flags, const char *keyword)
{
	struct uidset uids = site_set(set);
	struct str word = str_of(keyword);
	struct store_flags f = { .mailbox = mailbox, .uids = &uids, .mode = mode, .flags = flags, .keywords = &word,
		.nkeywords = keyword != NULL };

	store_flags(t->u, &f, site_done(t));
	site_wait(t);
	uidset_fini(&uids);
}

const char *
site_uids(struct site *t, uint32_t mailbox)
{
	static char text[1000];
	struct store_view *v = view(t);
	struct store_message m;
	struct store_scan scan;
	struct uidset all;
	struct buf b;

	uidset_init(&all);
	buf_init(&b, sizeof text - 1);
	store_scan_open(&scan, v, mailbox, 1);
	while (store_scan_next(&scan, &m))
		uidset_add(&all, m.uid, m.uid);
	store_scan_close(&scan);
	store_view_close(v);
	uidset_write(&all, &b);
	snprintf(text, sizeof text, "%s", buf_cstr(&b));
	buf_fini(&b);
	uidset_fini(&all);
	return text;
}

void
site_on_report(void *ctx, const struct store_report *r)
{
	struct site *t = ctx;

	t->report = *r;
	snprintf(t->report_text, sizeof t->report_text, "%.*s", STR_ARG(r->text));
	t->answered = true;
}

void
site_check(struct site *t)
{
	t->answered = false;
	store_check(t->store, STR(USER), (struct store_reported){ site_on_report, t });
	site_wait(t);
	if (t->report.problems > 0)
		print_message("%s", t->report_text);
	assert_int_equal(t->report.err.class, ERR_NONE);
	assert_int_equal(t->report.problems, 0);
}

const char *
site_path(struct site *t, const char *below)
{
	static char path[600];

	snprintf(path, sizeof path, "%s/example.test/bob/%s", t->root, below);
	return path;
}

int
site_count(struct site *t, const char *below)
{
	DIR *d = opendir(site_path(t, below));
	int n = 0;

	if (d == NULL)
		return -1;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

void
site_put_file(struct site *t, const char *below, const char *text)
{
	int fd = open(site_path(t, below), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd != -1);
	assert_true(io_write_all(fd, str_of(text)));
	close(fd);
}
