/* imap_words.c - the words of IMAP transcripts:
 *
 *   imaps                      connections begin inside TLS
 *   login [CONN [USER]]        a connection that has logged in, with nothing said
 *   deliver TEXT               a message to alice's INBOX, escapes as in C=
 *   deliver_to MAILBOX TEXT    … to another of her mailboxes
 *   drop TEXT                  another program puts a file into new/ of alice's INBOX
 *   lose UID · cut UID BYTES   another program removes the file of a message of alice's INBOX, or cuts it
 *   size BYTES                 largest message of APPEND
 *   quota BYTES                what a user may have
 *   shared [ADDRESS]           mailboxes of others are offered, those of ADDRESS below Shared/
 *   lock ADDRESS               this account is closed
 *   expect opened N            so many accounts of others were asked for
 *   compress                   COMPRESS is offered
 *   refuse_8bit                8-bit header fields come only from clients that enabled UTF8=ACCEPT
 *   comment TEXT               what the operator says of the server
 *   no_index                   texts are not indexed
 *   limit N · save_limit N     messages of one command · of COPY and APPEND
 *   deflate [CONN]             the client compresses and inflates from here on
 *   tick MS                    a session finds it so much later at each step; 0: the clock stands still again
 *   leave HOW TEXT             "u UNAUTHENTICATE" in the compressed stream, which ends so: flush, finish, both; then TEXT, plain,
 *                              in the same write; slow-…: octet by octet
 *   stall CONN · read CONN     the client stops reading · reads all and goes on
 *   timeout CONN               the role's idle time is over · busy CONN: it is, but a command is under way
 *   expect asked N             so many questions to auth
 *   expect log PATTERN         a line of the log matches
 *   expect no log PATTERN
 *   expect unread N            never more than so many bytes were written ahead of the client */
#include "imap_peer.h"

#include <stdio.h>

#include "compress.h"

/* From talk_text.c. */
bool talk_expand(struct buf *out, struct str text);
bool talk_match(struct str pattern, struct str text);

static enum talk_word
word_imaps(struct world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	w->imaps = true;
	return TALK_DONE;
}

static unsigned
conn_of(struct str s)
{
	return s.n == 1 && s.p[0] >= '1' && s.p[0] <= '9' ? (unsigned)(s.p[0] - '0') : 1;
}

static enum talk_word
word_login(struct world *w, struct str rest, struct buf *why)
{
	struct str conn = STR("1");
	struct str user = STR("alice");

	str_cut(&rest, ' ', &conn);
	if (rest.n > 0)
		user = rest;
	if (world_login(w, conn_of(conn), user))
		return TALK_DONE;
	buf_add_cstr(why, "login failed");
	return TALK_FAILED;
}

static enum talk_word
deliver(struct world *w, struct str mailbox, struct str text, struct buf *why)
{
	struct buf message;
	bool ok;

	buf_init(&message, SIZE_MAX);
	ok = talk_expand(&message, text)
		&& world_deliver(w, STR("alice@example.test"), mailbox, buf_str(&message));
	buf_fini(&message);
	if (!ok)
		buf_add_cstr(why, "delivery failed");
	return ok ? TALK_DONE : TALK_FAILED;
}

static enum talk_word
word_deliver(struct world *w, struct str rest, struct buf *why)
{
	return deliver(w, STR(""), rest, why);
}

static enum talk_word
word_deliver_to(struct world *w, struct str rest, struct buf *why)
{
	struct str mailbox = { 0 };

	str_cut(&rest, ' ', &mailbox);
	return deliver(w, mailbox, rest, why);
}

static enum talk_word
word_drop(struct world *w, struct str rest, struct buf *why)
{
	struct buf message;
	char name[40];
	bool ok;

	snprintf(name, sizeof(name), "1777636801.M%uP1.other", ++w->dropped);
	buf_init(&message, SIZE_MAX);
	ok = talk_expand(&message, rest) && world_drop(w, str_of(name), buf_str(&message));
	buf_fini(&message);
	if (!ok)
		buf_add_cstr(why, "no file in new/");
	return ok ? TALK_DONE : TALK_FAILED;
}

static enum talk_word
word_lose(struct world *w, struct str rest, struct buf *why)
{
	if (world_cut(w, rest, -1))
		return TALK_DONE;
	buf_add_cstr(why, "no such file in cur/");
	return TALK_FAILED;
}

static enum talk_word
word_cut(struct world *w, struct str rest, struct buf *why)
{
	struct str uid = { 0 };
	uint64_t bytes = 0;

	str_cut(&rest, ' ', &uid);
	if (str_u64(rest, INT64_MAX, &bytes) && world_cut(w, uid, (int64_t)bytes))
		return TALK_DONE;
	buf_add_cstr(why, "no such file in cur/");
	return TALK_FAILED;
}

static enum talk_word
word_size(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	return str_u64(rest, UINT64_MAX, &w->message_max) ? TALK_DONE : TALK_UNKNOWN;
}

static enum talk_word
word_quota(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	return str_u64(rest, UINT64_MAX, &w->quota) ? TALK_DONE : TALK_UNKNOWN;
}

static enum talk_word
word_refuse_8bit(struct world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	w->refuse_8bit = true;
	return TALK_DONE;
}

static enum talk_word
word_limit(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	return str_u64(rest, UINT32_MAX, &w->message_limit) ? TALK_DONE : TALK_UNKNOWN;
}

static enum talk_word
word_save_limit(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	return str_u64(rest, UINT32_MAX, &w->save_limit) ? TALK_DONE : TALK_UNKNOWN;
}

static enum talk_word
word_compress(struct world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	w->compress = true;
	return TALK_DONE;
}

static enum talk_word
word_comment(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	buf_add(&w->comment, rest);
	return TALK_DONE;
}

static enum talk_word
word_no_index(struct world *w, struct str rest, struct buf *why)
{
	(void)rest;
	(void)why;
	world_drop_index(w);
	return TALK_DONE;
}

static enum talk_word
word_shared(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	w->shared = true;
	buf_add(&w->shared_owner, rest);
	return TALK_DONE;
}

static enum talk_word
word_owner(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	w->owner_when = str_eq(rest, STR("waits")) ? OWNER_WAITS : OWNER_MEETS_WORK;
	return TALK_DONE;
}

static enum talk_word
word_lock(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	buf_clear(&w->locked);
	buf_add(&w->locked, rest);
	return TALK_DONE;
}

static enum talk_word
word_tick(struct world *w, struct str rest, struct buf *why)
{
	uint64_t ms = 0;

	(void)why;
	if (!str_u64(rest, INT32_MAX, &ms))
		return TALK_UNKNOWN;
	w->tick_ms = (int64_t)ms;
	return TALK_DONE;
}

static enum talk_word
word_deflate(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	w->conns[conn_of(rest)].deflate = compress_new();
	return TALK_DONE;
}

static void
end_stream(struct compress *z, struct str how, struct str line, struct buf *out)
{
	if (!str_eq(how, STR("finish")))
		compress_deflate(z, line, out);
	if (!str_eq(how, STR("flush")))
		compress_deflate_last(z, str_eq(how, STR("both")) ? STR("") : line, out);
}

static enum talk_word
word_leave(struct world *w, struct str rest, struct buf *why)
{
	struct imap_conn *c = &w->conns[1];
	struct str how = { 0 };
	struct buf bytes;
	bool slow;

	str_cut(&rest, ' ', &how);
	slow = str_starts(how, STR("slow-"));
	buf_init(&bytes, SIZE_MAX);
	end_stream(c->deflate, slow ? str_sub(how, 5, how.n) : how, STR("u UNAUTHENTICATE\r\n"), &bytes);
	if (!talk_expand(&bytes, rest))
		buf_add_cstr(why, "escapes");
	for (size_t i = 0; i < bytes.n && slow; i++) {
		buf_add_char(&c->inbox, bytes.p[i]);
		world_drive(w);
	}
	if (!slow)
		buf_add(&c->inbox, buf_str(&bytes));
	world_drive(w);
	buf_fini(&bytes);
	return why->n == 0 ? TALK_DONE : TALK_FAILED;
}

static enum talk_word
word_stall(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	w->conns[conn_of(rest)].stalled = true;
	return TALK_DONE;
}

static enum talk_word
word_read(struct world *w, struct str rest, struct buf *why)
{
	(void)why;
	w->conns[conn_of(rest)].stalled = false;
	world_read(w, conn_of(rest));
	return TALK_DONE;
}

static enum talk_word
idle_over(struct world *w, struct str rest, bool want, struct buf *why)
{
	if (imap_session_timeout(w->conns[conn_of(rest)].session) == want)
		return TALK_DONE;
	buf_add_cstr(why, want ? "the session goes on" : "the session ended");
	return TALK_FAILED;
}

static enum talk_word
word_timeout(struct world *w, struct str rest, struct buf *why)
{
	return idle_over(w, rest, true, why);
}

static enum talk_word
word_busy(struct world *w, struct str rest, struct buf *why)
{
	return idle_over(w, rest, false, why);
}

static bool
log_has(const struct world *w, struct str pattern)
{
	struct str all = buf_str(&w->log);
	struct str line;

	while (str_cut(&all, '\n', &line))
		if (talk_match(pattern, line))
			return true;
	return false;
}

static enum talk_word
expect(bool ok, struct buf *why, const char *words, uint64_t got)
{
	if (!ok)
		buf_addf(why, "%s (%llu)", words, (unsigned long long)got);
	return ok ? TALK_DONE : TALK_FAILED;
}

static enum talk_word
word_expect(struct world *w, struct str rest, struct buf *why)
{
	struct str what = { 0 };
	uint64_t n = 0;

	str_cut(&rest, ' ', &what);
	if (str_eq(what, STR("log")))
		return expect(log_has(w, rest), why, "no such line in the log", w->log.n);
	if (str_eq(what, STR("no")) && str_starts(rest, STR("log ")))
		return expect(!log_has(w, str_sub(rest, 4, rest.n)), why, "such a line is in the log", w->log.n);
	if (!str_u64(rest, UINT64_MAX, &n))
		return TALK_UNKNOWN;
	if (str_eq(what, STR("opened")))
		return expect(w->opened == n, why, "accounts asked for", w->opened);
	if (str_eq(what, STR("asked")))
		return expect(w->questions == n, why, "questions to auth", w->questions);
	if (str_eq(what, STR("unread")))
		return expect(w->conns[1].pending_max <= n, why, "bytes were written ahead", w->conns[1].pending_max);
	return TALK_UNKNOWN;
}

static const struct {
	const char *word;
	enum talk_word (*run)(struct world *w, struct str rest, struct buf *why);
} words[] = {
	{ "imaps", word_imaps }, { "login", word_login }, { "deliver", word_deliver }, { "deliver_to", word_deliver_to },
	{ "drop", word_drop },
	{ "lose", word_lose }, { "cut", word_cut },
	{ "size", word_size }, { "quota", word_quota }, { "stall", word_stall }, { "read", word_read },
	{ "limit", word_limit }, { "save_limit", word_save_limit },
	{ "tick", word_tick }, { "shared", word_shared }, { "lock", word_lock }, { "owner", word_owner },
	{ "compress", word_compress }, { "refuse_8bit", word_refuse_8bit }, { "comment", word_comment }, { "no_index", word_no_index }, { "deflate", word_deflate },
	{ "leave", word_leave },
	{ "timeout", word_timeout }, { "busy", word_busy }, { "expect", word_expect },
};

enum talk_word
world_word(void *ctx, struct str word, struct str rest, struct buf *why)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_eq(word, str_of(words[i].word)))
			return words[i].run(ctx, rest, why);
	return TALK_UNKNOWN;
}
