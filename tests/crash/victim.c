/* victim.c - the process that is killed: works on a user's mailboxes and says in a file what it asks for and what was
 * acknowledged. One line is one write, so the file is true up to the last instant.
 *
 *   intent            acknowledgement
 *   d TOKEN           D TOKEN                       delivery to INBOX
 *                     u BOX UID TOKEN               seen there
 *   a BOX TOKEN FLAGS A BOX TOKEN FLAGS UID
 *   f BOX SET MODE FLAGS KEYWORD   F …              mode + or -
 *   c BOX SET TO      C BOX SOURCE TO UIDS
 *   m BOX SET TO      M BOX SOURCE TO UIDS
 *   e BOX SET         E BOX UIDS
 *   n BOX NAME        N BOX NAME                    rename
 *   s BOX VALUE       S …                           an annotation is set */
#include "victim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/loop.h>
#include <postern/core/mem.h>
#include <postern/store/deliver.h>
#include <postern/store/metadata.h>
#include <postern/store/request.h>
#include <postern/store/user.h>

enum { DELIVERIES = 3, BOXES = 3 };

struct victim {
	struct loop *loop;
	struct store *s;
	struct store_user *u;
	int out;
	uint32_t token;
	unsigned pending;
	char line[4096];   /* of the request under way, as far as the answer is known before */
	uint32_t tokens[DELIVERIES];
	struct slot {
		struct victim *l;
		uint32_t token;
	} slots[DELIVERIES];
	uint32_t boxes[BOXES + 1];
	char ids[BOXES + 1][ID_TEXT_SIZE];
	size_t nboxes;
	unsigned renames;
	uint32_t seen;     /* in INBOX, which is boxes[0] */
};

static void step(void *ctx);

static void
say(struct victim *l, const char *format, ...)
{
	char line[8192];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (write(l->out, line, (size_t)n) != n)
		_exit(3);
}

static void
finished(struct victim *l)
{
	if (--l->pending == 0)
		loop_defer(l->loop, step, l);
}

static unsigned
roll(unsigned n)
{
	return (unsigned)rand() % n;
}

/* -- deliveries -- */

static void
on_delivered(void *ctx, const struct store_outcome *outcomes, size_t n)
{
	struct slot *slot = ctx;

	if (n == 1 && outcomes[0].state == STORE_STORED)
		say(slot->l, "D %u\n", slot->token);
	finished(slot->l);
}

static void
deliver(struct victim *l, struct slot *slot)
{
	struct store_target target = { .user = STR(VICTIM_USER), .head = STR("Return-Path: <>\r\n") };
	struct store_delivery d = { .id = id_new(), .targets = &target, .ntargets = 1 };
	char body[100];

	*slot = (struct slot){ l, ++l->token };
	snprintf(body, sizeof body, "Token: %u\r\n\r\nbody of %u\r\n", slot->token, slot->token);
	d.fd = memfd_create("m", MFD_CLOEXEC);
	d.parts[0].n = strlen(body);
	if (write(d.fd, body, strlen(body)) == -1)
		_exit(3);
	say(l, "d %u\n", slot->token);
	l->pending++;
	store_deliver(l->s, &d, STORE_DELIVER_WHOLE, (struct store_delivered){ on_delivered, slot });
}

/* -- requests -- */

static void
set_text(const struct uidset *set, char out[static 2000])
{
	struct buf b;

	buf_init(&b, 1999);
	uidset_write(set, &b);
	snprintf(out, 2000, "%s", b.n > 0 ? buf_cstr(&b) : "-");
	buf_fini(&b);
}

static void
on_done(void *ctx, const struct store_result *r)
{
	struct victim *l = ctx;
	char uids[2000], source[2000];
	char kind = l->line[0];

	set_text(r->uids, uids);
	set_text(r->source, source);
	if (r->code == STORE_OK && (kind == 'F' || kind == 'N' || kind == 'S'))
		say(l, "%s\n", l->line);
	else if (r->code == STORE_OK && kind == 'C')
		say(l, "C %s %s\n", source, uids);
	else if (r->code == STORE_OK && kind == 'M')
		say(l, "M %s %s\n", source, uids);
	else if (r->code == STORE_OK)
		say(l, "%s %s\n", l->line, uids);
	else
		say(l, "x\n");
	finished(l);
}

static struct store_done
done(struct victim *l)
{
	l->pending++;
	return (struct store_done){ .fn = on_done, .ctx = l };
}

static void
append(struct victim *l, size_t box)
{
	struct store_stage *g = store_stage_new(l->u);
	uint32_t flags = roll(32);
	struct store_new m = { .stage = g, .flags = flags, .internal_date = STORE_DATE_NOW };
	char body[100];
	struct err e;

	snprintf(body, sizeof body, "Token: %u\r\n\r\nappended\r\n", ++l->token);
	if (!store_stage_write(g, str_of(body), &e))
		_exit(3);
	say(l, "a %s %u %u\n", l->ids[box], l->token, flags);
	snprintf(l->line, sizeof l->line, "A %s %u %u", l->ids[box], l->token, flags);
	store_append(l->u, l->boxes[box], &m, 1, 0, done(l));
}

static uint32_t
token_of(struct store_view *v, uint32_t box, uint32_t uid)
{
	struct store_file f;
	struct err e;
	char text[32] = "";
	ssize_t n;
	const char *at;

	if (!store_message_open(v, box, uid, &f, &e))
		_exit(4);
	n = pread(f.fd, text, sizeof text - 1, 17); /* behind the Return-Path of a delivery */
	at = n > 0 ? strstr(text, "Token: ") : NULL;
	close(f.fd);
	return at != NULL ? (uint32_t)strtoul(at + 7, NULL, 10) : 0;
}

/* A client has seen what came: from now on it may act on it. */
static void
note_seen(struct victim *l, struct store_view *v, uint32_t uid)
{
	uint32_t token;

	if (uid <= l->seen)
		return;
	l->seen = uid;
	token = token_of(v, l->boxes[0], uid);
	if (token != 0)
		say(l, "u %s %u %u\n", l->ids[0], uid, token);
}

/* Some of the UIDs that are there now. */
static void
some_uids(struct victim *l, size_t box, struct uidset *set)
{
	struct err e;
	struct store_view *v = store_view_open(l->u, &e);
	struct store_message m;
	struct store_scan scan;
	unsigned one_in = 1 + roll(6);

	if (v == NULL)
		_exit(3);
	store_scan_open(&scan, v, l->boxes[box], 1);
	while (store_scan_next(&scan, &m) && set->n < 100) {
		if (box == 0)
			note_seen(l, v, m.uid);
		if (roll(one_in) == 0)
			uidset_add(set, m.uid, m.uid);
	}
	store_scan_close(&scan);
	store_view_close(v);
}

static void
flags(struct victim *l, size_t box, const struct uidset *set, const char *text)
{
	struct str word = STR("$Crash");
	bool keyword = roll(3) == 0, add = roll(3) > 0;
	struct store_flags f = { .mailbox = l->boxes[box], .uids = set, .flags = roll(32), .keywords = &word,
		.nkeywords = keyword, .mode = add ? STORE_FLAGS_ADD : STORE_FLAGS_REMOVE };

	say(l, "f %s %s %c %u %d\n", l->ids[box], text, add ? '+' : '-', f.flags, keyword);
	snprintf(l->line, sizeof l->line, "F");
	store_flags(l->u, &f, done(l));
}

static void
expunge(struct victim *l, size_t box, const struct uidset *set, const char *text)
{
	say(l, "e %s %s\n", l->ids[box], text);
	snprintf(l->line, sizeof l->line, "E");
	store_expunge(l->u, l->boxes[box], set, done(l));
}

static void
transfer(struct victim *l, size_t box, const struct uidset *set, const char *text, bool move)
{
	size_t to = roll((unsigned)l->nboxes);

	say(l, "%c %s %s %s\n", move ? 'm' : 'c', l->ids[box], text, l->ids[to]);
	snprintf(l->line, sizeof l->line, move ? "M" : "C");
	if (move)
		store_move(l->u, l->boxes[box], set, l->boxes[to], done(l));
	else
		store_copy(l->u, l->boxes[box], set, l->boxes[to], 0, done(l));
}

static void
rename_box(struct victim *l, size_t box)
{
	struct err e;
	struct store_view *v = store_view_open(l->u, &e);
	struct arena a;
	char from[100], to[100];

	if (v == NULL)
		_exit(3);
	arena_init(&a);
	snprintf(from, sizeof from, "%.*s", STR_ARG(store_mailbox_name(v, l->boxes[box], &a)));
	arena_fini(&a);
	store_view_close(v);
	snprintf(to, sizeof to, "r%u.%u", roll(1000000), ++l->renames);
	say(l, "n %s %s\n", l->ids[box], to);
	snprintf(l->line, sizeof l->line, "N");
	store_rename(l->u, str_of(from), str_of(to), done(l));
}

static void
annotate(struct victim *l, size_t box)
{
	unsigned value = 1 + roll(1000000);
	char text[16];
	struct store_annotation a = { STR_INIT(VICTIM_ENTRY), { 0 }, true };

	snprintf(text, sizeof text, "%u", value);
	a.value = str_of(text);
	say(l, "s %s %u\n", l->ids[box], value);
	snprintf(l->line, sizeof l->line, "S");
	store_set_metadata(l->u, l->boxes[box], &a, 1, NULL, done(l));
}

static void
one_request(struct victim *l)
{
	size_t box = roll((unsigned)l->nboxes);
	unsigned what = roll(11);
	struct uidset set;
	char text[2000];

	uidset_init(&set);
	some_uids(l, box, &set);
	set_text(&set, text);
	if (what == 9 && box > 0)
		rename_box(l, box);
	else if (what == 10)
		annotate(l, box);
	else if (what < 3 || uidset_empty(&set))
		append(l, box);
	else if (what < 5)
		flags(l, box, &set, text);
	else if (what < 6)
		expunge(l, box, &set, text);
	else
		transfer(l, box, &set, text, what < 8);
	uidset_fini(&set);
}

static void
step(void *ctx)
{
	struct victim *l = ctx;
	unsigned n = roll(DELIVERIES + 1);

	l->pending = 1; /* ours, so that nothing ends before all is asked */
	for (unsigned i = 0; i < n; i++)
		deliver(l, &l->slots[i]);
	if (roll(4) == 0)
		store_grams_follow(l->u, l->boxes[roll((unsigned)l->nboxes)]);
	one_request(l);
	finished(l);
}

/* -- the search index -- */

bool
victim_grams(void *ctx, int fd, uint64_t size, bool lf, struct str cache, struct gram_set *out)
{
	struct buf text;
	bool ok;

	(void)ctx;
	(void)size;
	(void)lf;
	(void)cache;
	buf_init(&text, 1 << 16);
	ok = io_read_fd(fd, &text);
	gram_set_text(out);
	gram_set_feed(out, buf_str(&text));
	buf_fini(&text);
	return ok;
}

/* -- beginning -- */

static void
add_box(struct victim *l, struct store_view *v, uint32_t number)
{
	struct store_mailbox m;

	if (number == 0 || l->nboxes == BOXES + 1 || !store_mailbox(v, number, &m))
		return;
	l->boxes[l->nboxes] = number;
	if (l->nboxes == 0)
		l->seen = m.uidnext - 1;
	id_text(m.id, l->ids[l->nboxes++]);
}

static void
on_user(void *ctx, struct store_user *u, const struct err *e)
{
	struct victim *l = ctx;
	struct err why;
	struct store_view *v;
	struct store_entry *entries;
	struct arena a;
	size_t n;

	if (u == NULL) {
		fprintf(stderr, "victim: %s\n", e->log);
		_exit(3);
	}
	l->u = u;
	v = store_view_open(u, &why);
	if (v == NULL)
		_exit(3);
	arena_init(&a);
	n = store_list(v, &a, &entries);
	for (size_t i = 0; i < n; i++)
		add_box(l, v, entries[i].mailbox);
	arena_fini(&a);
	store_view_close(v);
	step(l);
}

void
victim_run(const char *root, const char *log, unsigned seed, uint32_t token)
{
	struct victim *l = NEW(struct victim);
	struct store_config c = { .loop = loop_new(), .root = root, .host = "crash", .threads = 2, .free_min = 1,
		.make_grams = victim_grams, .search_wait = VICTIM_WAIT };
	struct err e;

	srand(seed);
	l->loop = c.loop;
	l->token = token;
	l->out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	l->s = store_open(&c, &e);
	if (l->out == -1 || l->s == NULL)
		_exit(3);
	store_user_open(l->s, STR(VICTIM_USER), on_user, l);
	loop_run(c.loop);
}
