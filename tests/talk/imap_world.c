/* imap_world.c - driving fronts and sessions by hand, as the imap and store roles do. */
#include "imap_peer.h"

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/loop.h>
#include <postern/core/mem.h>
#include <postern/imap/cache.h>
#include <postern/message/charset.h>
#include <postern/store/deliver.h>
#include <postern/store/store.h>
#include <postern/store/user.h>

#include "compress.h"
#include "boxmem.h"
#include "sortmem.h"
#include "recent.h"

static const struct str mechs[] = { STR_INIT("PLAIN") };

/* --- auth: everybody's password is "secret" --- */

static void
on_plain(struct imap_conn *c, struct str message)
{
	struct str identity;
	struct str user;

	c->asked = true;
	c->answer = (struct imap_auth_answer){ .verdict = IMAP_AUTH_FAILED };
	if (!str_cut(&message, '\0', &identity) || !str_cut(&message, '\0', &user)) {
		c->answer.verdict = IMAP_AUTH_BAD;
		return;
	}
	buf_clear(&c->answer_user);
	buf_add(&c->answer_user, user);
	if (!str_has(user, '@'))
		buf_add_cstr(&c->answer_user, "@example.test");
	c->answer.user = buf_str(&c->answer_user);
	c->answer.ticket = STR("ticket");
	if (identity.n > 0 && !str_eq(identity, user))
		c->answer.verdict = IMAP_AUTH_FORBIDDEN;
	else if (str_eq(message, STR("secret")))
		c->answer.verdict = IMAP_AUTH_OK;
	else if (str_eq(message, STR("later")))
		c->answer.verdict = IMAP_AUTH_UNAVAILABLE;
}

static void
front_auth_start(void *ctx, struct str mech, const struct str *initial)
{
	struct imap_conn *c = ctx;

	(void)mech;
	c->world->questions++;
	if (initial != NULL) {
		on_plain(c, *initial);
		return;
	}
	c->asked = true;
	c->answer = (struct imap_auth_answer){ .verdict = IMAP_AUTH_CHALLENGE };
}

static void
front_auth_step(void *ctx, struct str response)
{
	on_plain(ctx, response);
}

static void
front_auth_cancel(void *ctx)
{
	((struct imap_conn *)ctx)->asked = false;
}

/* --- a connection --- */

static void
hear(struct imap_conn *c, struct str bytes)
{
	buf_add(&c->said, bytes);
	if (!grammar_feed(&c->grammar, bytes))
		log_panic("%s", buf_cstr(&c->grammar.why));
}

/* The server has ended its stream (RFC 8437 4.1): what follows is plain, and so is the client. */
static void
hear_plain_again(struct imap_conn *c, struct str bytes)
{
	struct str rest = { 0 };

	if (compress_find_end(c->deflate, &rest) != COMPRESS_FOUND)
		log_panic("octets of the server behind its last block");
	hear(c, rest);
	hear(c, bytes);
	compress_free(c->deflate);
	c->deflate = NULL;
}

static void
hear_compressed(struct imap_conn *c, struct str bytes)
{
	bool ok = true;

	while (ok && !compress_ended(c->deflate) && (bytes.n > 0 || compress_has_input(c->deflate))) {
		struct str plain;

		bytes = str_sub(bytes, compress_take(c->deflate, bytes), bytes.n);
		plain = compress_plain(c->deflate, &ok);
		hear(c, plain);
		compress_use(c->deflate, plain.n);
	}
	if (!ok)
		log_panic("the server's compressed stream is broken");
	if (compress_ended(c->deflate))
		hear_plain_again(c, bytes);
}

static void
conn_write(void *ctx, struct str bytes)
{
	struct imap_conn *c = ctx;

	c->pending += bytes.n;
	if (c->pending > c->pending_max)
		c->pending_max = c->pending;
	if (c->deflate != NULL)
		hear_compressed(c, bytes);
	else
		hear(c, bytes);
}

static void
conn_close(void *ctx)
{
	((struct imap_conn *)ctx)->closed = true;
}

static void
front_starttls(void *ctx)
{
	struct imap_conn *c = ctx;

	c->handshake = true;
}

static void
front_handover(void *ctx, const struct imap_login *login)
{
	struct imap_conn *c = ctx;

	c->opening = true;
	buf_clear(&c->tag);
	buf_add(&c->tag, login->tag);
}

static const struct imap_front_ops front_ops = { conn_write, conn_close, front_starttls, front_auth_start, front_auth_step,
	front_auth_cancel, front_handover };

static size_t
session_pending(void *ctx)
{
	const struct imap_conn *c = ctx;

	clock_fake_step(c->world->tick_ms);
	return c->pending;
}

static void
session_again(void *ctx)
{
	((struct imap_conn *)ctx)->again = true;
}

/* Where time passes by looking at it, the moment is always there. */
static void
session_later(void *ctx, int64_t ms)
{
	struct imap_conn *c = ctx;

	(void)ms;
	c->later = c->world->tick_ms > 0;
}

/* What was pipelined behind UNAUTHENTICATE is the front's. */
static void
session_release(void *ctx, struct str rest)
{
	struct imap_conn *c = ctx;

	c->released = true;
	buf_add(&c->rest, rest);
}

static void
session_open_owner(void *ctx, struct str address)
{
	struct imap_conn *c = ctx;

	c->wants_owner = true;
	buf_clear(&c->owner);
	buf_add(&c->owner, address);
}

static const struct imap_session_ops session_ops = { .write = conn_write, .pending = session_pending, .again = session_again,
	.later = session_later, .close = conn_close, .open_owner = session_open_owner, .release = session_release };

static void
on_user(void *ctx, struct store_user *u, const struct err *e)
{
	struct imap_conn *c = ctx;
	struct imap_session_setup setup = {
		.user = u,
		.store = c->world->shared ? c->world->store : NULL,
		.shared_owner = buf_str(&c->world->shared_owner),
		.sid = STR("sid0123456789"),
		.client = STR("192.0.2.7"),
		.tag = buf_str(&c->tag),
		.message_max = c->world->message_max,
		.quota = c->world->quota,
		.compress = c->world->compress,
		.accept_8bit = !c->world->refuse_8bit,
		.unauthenticate = true,
		.comment = buf_str(&c->world->comment),
		.message_limit = c->world->message_limit,
		.save_limit = c->world->save_limit,
	};

	if (u == NULL)
		log_panic("store_user_open: %s", e->log);
	c->session = imap_session_new(&setup, &session_ops, c);
	store_user_unref(u);
}

static void
open_user(struct imap_conn *c)
{
	c->opening = false;
	imap_front_free(c->front);
	c->front = NULL;
	store_user_open(c->world->store, buf_str(&c->answer_user), on_user, c);
}

/* --- going on --- */

static bool
drive_front(struct imap_conn *c)
{
	size_t n;

	if (c->asked) {
		struct imap_auth_answer a = c->answer;

		c->asked = false;
		imap_front_answer(c->front, &a);
		return true;
	}
	if (c->opening) {
		open_user(c);
		return true;
	}
	if (c->handshake) {
		buf_clear(&c->inbox);
		return false;
	}
	n = c->inbox.n > 0 ? imap_front_input(c->front, buf_str(&c->inbox)) : 0;
	buf_drop(&c->inbox, n);
	return n > 0;
}

static void
open_front(struct imap_conn *c, bool tls, bool again)
{
	const struct imap_front_setup setup = {
		.hostname = STR("mx.example.test"),
		.sid = STR("sid0123456789"),
		.client = STR("192.0.2.7"),
		.mechs = mechs,
		.nmechs = 1,
		.tls = tls,
		.starttls = !tls,
		.again = again,
	};

	grammar_fini(&c->grammar);
	grammar_init(&c->grammar);
	c->front = imap_front_new(&setup, &front_ops, c);
}

/* The session is over; what it did not take stands behind what it gives back. */
static void
return_to_front(struct imap_conn *c)
{
	c->released = false;
	imap_session_free(c->session);
	c->session = NULL;
	buf_add(&c->rest, buf_str(&c->inbox));
	buf_clear(&c->inbox);
	buf_add(&c->inbox, buf_str(&c->rest));
	buf_clear(&c->rest);
	open_front(c, true, true);
}

static void
give_owner(struct imap_conn *c, struct store_user *u)
{
	imap_session_owner(c->session, u, c->world->quota);
	if (u != NULL)
		store_user_unref(u);
}

static void
on_owner(void *ctx, struct store_user *u, const struct err *e)
{
	struct imap_conn *c = ctx;
	struct world *w = c->world;

	(void)e;
	if (w->owner_when == OWNER_COMES) {
		give_owner(c, u);
		return;
	}
	w->owner_for = c;
	w->owner = u;
}

/* The store begins some work: whose account came is told while it runs. */
static void
on_work(void *ctx, const char *user, const char *mailbox, const char *base)
{
	struct world *w = ctx;

	(void)mailbox;
	(void)base;
	if (user == NULL || w->owner_when != OWNER_MEETS_WORK || w->owner_for == NULL)
		return;
	w->owner_when = OWNER_COMES;
	give_owner(w->owner_for, w->owner);
}

/* What auth and store say of another user. */
static void
open_owner(struct imap_conn *c)
{
	c->wants_owner = false;
	c->world->opened++;
	if (str_eq(buf_str(&c->owner), buf_str(&c->world->locked)))
		imap_session_owner(c->session, NULL, 0);
	else
		store_user_find(c->world->store, buf_str(&c->owner), on_owner, c);
}

static bool
drive_session(struct imap_conn *c)
{
	size_t before = c->said.n;
	bool ran = c->again;
	size_t n = 0;

	if (c->wants_owner) {
		open_owner(c);
		return true;
	}

	c->again = false;
	if (!c->stalled)
		c->pending = 0;
	if (ran)
		imap_session_run(c->session);
	if (!c->stalled && !c->released)
		imap_session_drained(c->session);
	if (!c->closed && !c->released && c->inbox.n > 0 && imap_session_wants(c->session)) {
		n = imap_session_input(c->session, buf_str(&c->inbox));
		buf_drop(&c->inbox, n);
	}
	if (c->later) {
		c->later = false;
		imap_session_run(c->session);
	}
	return ran || n > 0 || c->said.n != before;
}

static bool
drive_one(struct imap_conn *c)
{
	if (c->closed)
		return false;
	if (c->released) {
		return_to_front(c);
		return true;
	}
	if (c->front != NULL)
		return drive_front(c);
	return c->session != NULL && drive_session(c);
}

void
world_drive(struct world *w)
{
	bool moved = true;

	while (moved) {
		moved = false;
		for (unsigned i = 1; i <= WORLD_CONNS; i++)
			moved |= drive_one(&w->conns[i]);
		moved |= store_busy(w->store);
		store_settle(w->store);
		loop_turn(w->loop);
	}
}

void
world_connect(struct world *w, unsigned conn)
{
	struct imap_conn *c = &w->conns[conn];

	c->open = true;
	c->closed = false;
	c->pending_max = 0;
	open_front(c, w->imaps, false);
	world_drive(w);
}

void
world_feed(struct world *w, unsigned conn, struct str bytes)
{
	if (!w->conns[conn].open)
		return;
	if (w->conns[conn].deflate != NULL)
		compress_deflate(w->conns[conn].deflate, bytes, &w->conns[conn].inbox);
	else
		buf_add(&w->conns[conn].inbox, bytes);
	world_drive(w);
}

bool
world_login(struct world *w, unsigned conn, struct str user)
{
	struct imap_conn *c = &w->conns[conn];
	bool imaps = w->imaps;
	struct buf line;

	w->imaps = true;
	world_connect(w, conn);
	w->imaps = imaps;
	buf_init(&line, SIZE_MAX);
	buf_addf(&line, "login LOGIN %.*s secret\r\n", STR_ARG(user));
	world_feed(w, conn, buf_str(&line));
	buf_fini(&line);
	buf_clear(&c->said);
	return c->session != NULL;
}

void
world_read(struct world *w, unsigned conn)
{
	w->conns[conn].pending = 0;
	world_drive(w);
}

/* --- deliveries --- */

static void
on_delivered(void *ctx, const struct store_outcome *outcomes, size_t n)
{
	*(bool *)ctx = n == 1 && outcomes[0].state == STORE_STORED;
}

bool
world_drop(struct world *w, struct str name, struct str message)
{
	char path[256];
	int fd;
	bool ok;

	snprintf(path, sizeof(path), "%s/example.test/alice/Maildir/new/%.*s", w->root, STR_ARG(name));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ok = fd != -1 && io_write_all(fd, message);
	io_close(&fd);
	world_drive(w);
	return ok;
}

bool
world_cut(struct world *w, struct str uid, int64_t bytes)
{
	char pattern[256];
	glob_t found;
	bool ok;

	snprintf(pattern, sizeof(pattern), "%s/example.test/alice/Maildir/cur/*,U=%.*s:2,*", w->root, STR_ARG(uid));
	ok = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1
		&& (bytes < 0 ? unlink(found.gl_pathv[0]) : truncate(found.gl_pathv[0], bytes)) == 0;
	globfree(&found);
	return ok;
}

bool
world_deliver(struct world *w, struct str user, struct str mailbox, struct str message)
{
	struct store_target target = { .user = user, .mailbox = mailbox, .head = STR("") };
	struct store_delivery d = { .id = id_new(), .targets = &target, .ntargets = 1 };
	bool stored = false;

	d.fd = memfd_create("delivery", MFD_CLOEXEC);
	if (d.fd == -1 || !io_write_all(d.fd, message))
		return false;
	d.parts[1] = (struct store_part){ 0, message.n };
	store_deliver(w->store, &d, STORE_DELIVER_WHOLE, (struct store_delivered){ on_delivered, &stored });
	world_drive(w);
	return stored;
}

/* --- life --- */

static void
on_log(void *ctx, struct str line)
{
	buf_add(&((struct world *)ctx)->log, line);
	if (str_search(line, STR("event=panic")) < line.n)
		io_write_all(2, line);
}

static void
open_store(struct world *w)
{
	struct err e;
	struct store_config config = { .loop = w->loop, .root = w->root, .host = "test", .threads = w->threads,
		.map_size = 64 << 20, .make_cache = imap_make_cache, .free_min = 1, .shares = true, .note = on_work, .ctx = w,
		.make_grams = w->no_index ? NULL : imap_make_grams, .search_max = 64 << 20, .search_wait = 3 };

	w->store = store_open(&config, &e);
	if (w->store == NULL)
		log_panic("store_open: %s", e.log);
}

void
world_init(struct world *w)
{
	const char *tmp = getenv("TMPDIR");

	clock_fake((struct mono){ 1000 * INT64_C(1000000000) }, wall_from_seconds(1777636800));
	w->loop = loop_new();
	snprintf(w->root, sizeof(w->root), "%s/imap-XXXXXX", tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
	if (mkdtemp(w->root) == NULL)
		log_panic("mkdtemp");
	buf_init(&w->log, SIZE_MAX);
	buf_init(&w->comment, SIZE_MAX);
	buf_init(&w->shared_owner, SIZE_MAX);
	buf_init(&w->locked, SIZE_MAX);
	log_to(on_log, w);
	open_store(w);
	for (unsigned i = 1; i <= WORLD_CONNS; i++) {
		struct imap_conn *c = &w->conns[i];

		c->world = w;
		buf_init(&c->said, SIZE_MAX);
		buf_init(&c->inbox, SIZE_MAX);
		buf_init(&c->answer_user, SIZE_MAX);
		buf_init(&c->tag, SIZE_MAX);
		buf_init(&c->rest, SIZE_MAX);
		buf_init(&c->owner, SIZE_MAX);
		grammar_init(&c->grammar);
	}
}

void
world_drop_index(struct world *w)
{
	store_close(w->store);
	w->no_index = true;
	open_store(w);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void
conn_fini(struct imap_conn *c)
{
	imap_front_free(c->front);
	imap_session_free(c->session);
	buf_fini(&c->said);
	buf_fini(&c->inbox);
	buf_fini(&c->answer_user);
	buf_fini(&c->tag);
	buf_fini(&c->rest);
	buf_fini(&c->owner);
	compress_free(c->deflate);
	grammar_fini(&c->grammar);
}

void
world_fini(struct world *w)
{
	for (unsigned i = 1; i <= WORLD_CONNS; i++)
		conn_fini(&w->conns[i]);
	store_close(w->store);
	loop_free(w->loop);
	nftw(w->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	log_to(NULL, NULL);
	buf_fini(&w->log);
	buf_fini(&w->comment);
	buf_fini(&w->shared_owner);
	buf_fini(&w->locked);
	recent_forget();
	boxmem_forget();
	sortmem_forget();
	clock_real();
}
