/* crash.c - a process works on a user's mailboxes and is killed at any instant, again and again; after each kill the
 * store is opened and compared with what had been acknowledged. Now and then the index is removed as well.
 *
 *   crash_store [SECONDS [SEED]]      exit status 0: everything acknowledged was there, whole, once */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/loop.h>
#include <postern/core/mem.h>
#include <postern/store/admin.h>
#include <postern/store/metadata.h>
#include <postern/store/request.h>
#include <postern/store/user.h>

#include "victim.h"
#include "replay.h"

enum { DROP_EVERY = 4, LIFE_MS = 120 };

struct run {
	char root[64];
	char log[128];
	struct loop *loop;
	struct store *s;
	struct store_user *u;
	bool answered;
	uint64_t problems;
	struct replay replay;
	unsigned rounds, drops;
};

static void
on_user(void *ctx, struct store_user *u, const struct err *e)
{
	struct run *r = ctx;

	if (u == NULL)
		fprintf(stderr, "open: %s\n", e->log);
	r->u = u;
	r->answered = true;
}

static void
on_done(void *ctx, const struct store_result *result)
{
	(void)result;
	((struct run *)ctx)->answered = true;
}

static void
on_report(void *ctx, const struct store_report *report)
{
	struct run *r = ctx;

	r->problems = report->problems + (report->err.class != ERR_NONE);
	if (r->problems > 0)
		fprintf(stderr, "check: %s%.*s\n", report->err.log, STR_ARG(report->text));
	r->answered = true;
}

static void
wait_for(struct run *r)
{
	while (!r->answered)
		loop_once(r->loop);
	r->answered = false;
}

static bool
open_store(struct run *r)
{
	struct store_config c = { .root = r->root, .host = "crash", .free_min = 1, .make_grams = victim_grams,
		.search_wait = VICTIM_WAIT };
	struct err e;

	r->loop = c.loop = loop_new();
	r->s = store_open(&c, &e);
	store_user_open(r->s, STR(VICTIM_USER), on_user, r);
	wait_for(r);
	return r->u != NULL;
}

static void
close_store(struct run *r)
{
	if (r->u != NULL)
		store_user_unref(r->u);
	store_close(r->s);
	loop_free(r->loop);
}

/* -- what is there -- */

static bool
token_of(struct store_view *v, uint32_t box, uint32_t uid, uint32_t *token)
{
	struct store_file f;
	struct err e;
	char text[200] = "", want[200];
	const char *at;
	ssize_t n;

	if (!store_message_open(v, box, uid, &f, &e)) {
		fprintf(stderr, "uid %u: %s\n", uid, e.log);
		return false;
	}
	n = pread(f.fd, text, sizeof text - 1, 0);
	close(f.fd);
	at = strstr(text, "Token: ");
	*token = at != NULL ? (uint32_t)strtoul(at + 7, NULL, 10) : 0;
	snprintf(want, sizeof want, "Return-Path: <>\r\nToken: %u\r\n\r\nbody of %u\r\n", *token, *token);
	if (n > 0 && strcmp(text, want) != 0)
		snprintf(want, sizeof want, "Token: %u\r\n\r\nappended\r\n", *token);
	if (n > 0 && strcmp(text, want) == 0)
		return true;
	fprintf(stderr, "uid %u: not whole: %s\n", uid, text);
	return false;
}

/* Nothing that a message holds is ruled out by the search index, whatever it was at when it was killed. */
static bool
is_findable(struct store_view *v, uint32_t box, const struct entry *e)
{
	struct store_needle needle;
	struct store_may may;
	char token[32];

	snprintf(token, sizeof token, "Token: %u\r\n", e->token);
	store_needle_init(&needle, str_of(token));
	if (!store_grams_find(v, box, e->uid, &needle, 1, &may) || store_may_hold(&may, e->uid))
		return true;
	fprintf(stderr, "uid %u: ruled out by the search index\n", e->uid);
	return false;
}

static bool
read_box(struct store_view *v, const struct store_mailbox *m, struct box *b)
{
	struct str names[STORE_KEYWORDS_MAX];
	size_t n = store_keywords(v, m->number, names);
	struct store_message message;
	struct store_scan scan;
	struct str note;
	uint64_t value = 0;
	bool ok = true;

	if (store_metadata(v, m->number, STR(VICTIM_ENTRY), &note))
		ok = str_u64(note, UINT32_MAX, &value);
	b->note = (unsigned)value;
	b->uidvalidity = m->uidvalidity;
	b->uidnext = m->uidnext;
	b->modseq = m->highestmodseq;
	store_scan_open(&scan, v, m->number, 1);
	while (ok && store_scan_next(&scan, &message)) {
		struct entry e = { .uid = message.uid, .flags = message.flags };

		for (size_t i = 0; i < n; i++)
			e.keyword |= (message.keywords >> i & 1) != 0 && str_eq(names[i], STR("$Crash"));
		ok = token_of(v, m->number, message.uid, &e.token) && is_findable(v, m->number, &e);
		box_add(b, e);
	}
	store_scan_close(&scan);
	return ok;
}

static bool
read_all(struct run *r, struct model *found)
{
	struct err e;
	struct store_view *v = store_view_open(r->u, &e);
	struct store_entry *entries;
	struct store_mailbox m;
	struct arena a;
	bool ok = v != NULL;
	size_t n;

	if (!ok)
		return false;
	arena_init(&a);
	n = store_list(v, &a, &entries);
	for (size_t i = 0; ok && i < n; i++) {
		char id[ID_TEXT_SIZE];
		struct box *b;

		if (!store_mailbox(v, entries[i].mailbox, &m))
			continue;
		id_text(m.id, id);
		b = model_box_add(found, id);
		snprintf(b->name, sizeof b->name, "%.*s", STR_ARG(entries[i].name));
		ok = read_box(v, &m, b);
	}
	arena_fini(&a);
	store_view_close(v);
	return ok;
}

/* What was found is what the next process begins with. */
static void
adopt(struct run *r, struct model *found)
{
	for (size_t i = 0; i < found->n; i++) {
		struct box *is = &found->boxes[i], *was = model_box(&r->replay.m, is->id);

		if (was != NULL) {
			is->history = was->history;
			is->history_n = was->history_n;
			was->history = NULL;
			was->history_n = 0;
		}
		for (size_t k = 0; k < is->n; k++)
			box_remember(is, is->entries[k].uid, is->entries[k].token);
	}
	model_fini(&r->replay.m);
	r->replay.m = *found;
	model_init(found);
}

static bool
check_now(struct run *r)
{
	struct model found;
	bool ok;

	model_init(&found);
	ok = read_all(r, &found) && replay_matches(&r->replay, &found);
	if (ok)
		adopt(r, &found);
	model_fini(&found);
	return ok;
}

static bool
self_check(struct run *r)
{
	store_settle(r->s);
	store_check(r->s, STR(VICTIM_USER), (struct store_reported){ on_report, r });
	wait_for(r);
	return r->problems == 0;
}

/* -- the rounds -- */

static bool
make_boxes(struct run *r)
{
	struct model found;
	bool ok = open_store(r);
	char name[8];

	for (int i = 1; ok && i <= 3; i++) {
		snprintf(name, sizeof name, "b%d", i);
		store_create(r->u, str_of(name), STORE_USE_NONE, (struct store_done){ .fn = on_done, .ctx = r });
		wait_for(r);
	}
	model_init(&found);
	ok = ok && read_all(r, &found);
	adopt(r, &found);
	close_store(r);
	return ok;
}

static void
sleep_ms(unsigned ms)
{
	struct timespec t = { ms / 1000, (ms % 1000) * 1000000L };

	nanosleep(&t, NULL);
}

/* False when the process ended by itself, which it never does. */
static bool
live_and_die(struct run *r, unsigned seed)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		victim_run(r->root, r->log, seed, r->replay.last_token + 1);
		_exit(2);
	}
	sleep_ms((unsigned)rand() % LIFE_MS);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		fprintf(stderr, "the load ended by itself, status %d\n", status);
		return false;
	}
	return true;
}

static bool
drop_index(struct run *r)
{
	char path[200];

	snprintf(path, sizeof path, "%s/example.test/kim/index.mdb", r->root);
	r->drops++;
	r->replay.r.kind = 0;
	r->replay.delivered.n = r->replay.maybe.n = 0;
	return unlink(path) == 0;
}

static bool
one_round(struct run *r)
{
	bool ok;

	unlink(r->log);
	r->rounds++;
	if (!live_and_die(r, (unsigned)rand()) || !replay_read(&r->replay, r->log))
		return false;
	ok = open_store(r) && check_now(r) && self_check(r);
	close_store(r);
	if (!ok || r->rounds % DROP_EVERY != 0)
		return ok;
	ok = drop_index(r) && open_store(r) && check_now(r) && self_check(r);
	close_store(r);
	return ok;
}

int
main(int argc, char **argv)
{
	unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
	unsigned seed = argc > 2 ? (unsigned)atoi(argv[2]) : (unsigned)time(NULL);
	const char *base = getenv("TMPDIR");
	struct run *r = NEW(struct run);
	char command[200];
	time_t end = time(NULL) + (time_t)seconds;
	bool ok;

	log_setup(2, "crash", LOG_TEXT, LEVEL_ERROR);
	srand(seed);
	snprintf(r->root, sizeof r->root, "%.30s/postern-crash-XXXXXX", base != NULL ? base : "/tmp");
	if (mkdtemp(r->root) == NULL)
		return 1;
	snprintf(r->log, sizeof r->log, "%s.log", r->root);
	ok = make_boxes(r);
	while (ok && time(NULL) < end)
		ok = one_round(r);
	printf("seed %u: %u kills, %u indexes dropped, %u messages asked for: %s\n", seed, r->rounds, r->drops,
	    r->replay.last_token, ok ? "ok" : "FAILED");
	replay_fini(&r->replay);
	unlink(r->log);
	snprintf(command, sizeof command, "rm -rf '%s'", r->root);
	if (ok && system(command) != 0)
		ok = false;
	free(r);
	return ok ? 0 : 1;
}
