/* envelope.c - the reading half of the message file, in queue, store and relay.
 *
 * The writer may be an enemy: each number is checked against what it must fit into before it is used, each text before
 * it is handed out. What passes here is canonical: written again it gives the same bytes. */
#include <postern/message/envelope.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <postern/core/be.h>
#include <postern/core/cur.h>
#include <postern/core/utf8.h>

#include "envelope_wire.h"

#define SAY_DAMAGED "the message file is damaged"

/* C0, DEL and C1: nothing that ends a line in a header, a log or a terminal. */
bool
envelope_text_ok(struct str s, size_t max)
{
	uint32_t code;
	size_t used;

	if (s.n > max)
		return false;
	for (struct str rest = s; rest.n > 0; rest = str_sub(rest, used, rest.n)) {
		if (!utf8_next(rest, &code, &used))
			return false;
		if (code < 0x20 || (code >= 0x7f && code <= 0x9f))
			return false;
	}
	return true;
}

static bool
bad(struct err *e, const char *why)
{
	return err_perm(e, SAY_DAMAGED, "message file: %s", why);
}

static bool
read_at(const struct envelope_reader *r, void *p, size_t n, uint64_t at, struct err *e)
{
	if (io_pread_all(r->fd, p, n, (off_t)at))
		return true;
	if (errno == 0)
		return bad(e, "it ends early");
	return err_temp(e, SAY_LATER, "message file: read: %s", strerror(errno));
}

bool
envelope_check_fd(int fd, uint64_t max, enum envelope_file *what, struct err *e)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;
	int seals;

	if (fstat(fd, &st) == -1)
		return err_temp(e, SAY_LATER, "message file: fstat: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return bad(e, "no regular file");
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return bad(e, "too large");
	seals = fcntl(fd, F_GET_SEALS);
	/* a file on tmpfs answers, too: with F_SEAL_SEAL alone, as a memfd made without MFD_ALLOW_SEALING does */
	if (seals == -1 || seals == F_SEAL_SEAL)
		*what = ENVELOPE_SPOOL;
	else if ((seals & wanted) == wanted)
		*what = ENVELOPE_MEMFD;
	else
		return bad(e, "a memfd that is not sealed");
	return true;
}

static bool
parse_header(struct envelope_reader *r, struct cur *c, struct err *e)
{
	uint64_t record_n;
	struct str pad;

	if (!str_eq(cur_bytes(c, ENVELOPE_MAGIC_SIZE), str_from(ENVELOPE_MAGIC, ENVELOPE_MAGIC_SIZE)))
		return bad(e, "not a finished message file");
	if (cur_be(c, 4) != ENVELOPE_VERSION)
		return bad(e, "another version of the format");
	record_n = cur_be(c, 4);
	r->recipients = (uint32_t)cur_be(c, 4);
	r->targets = (uint32_t)cur_be(c, 4);
	r->flags = (unsigned)cur_be(c, 4);
	if (cur_be(c, 4) != 0 || (r->flags & ~ENVELOPE_FLAGS_ALL) != 0)
		return bad(e, "unknown flags");
	r->body_n = cur_be(c, 8);
	r->prefix_n = cur_be(c, 8);
	pad = cur_bytes(c, ENVELOPE_HEADER_PAD);
	if (!cur_end(c) || str_find(pad, '\0') != 0 || memcmp(pad.p, pad.p + 1, pad.n - 1) != 0)
		return bad(e, "the header's end is not empty");
	if (record_n > ENVELOPE_RECORD_MAX || r->prefix_n > ENVELOPE_PREFIX_MAX || r->body_n > r->size)
		return bad(e, "a length is out of bounds");
	if (r->recipients == 0 || r->recipients > ENVELOPE_RECIPIENTS_MAX)
		return bad(e, "number of recipients");
	if (r->targets < r->recipients || r->targets > ENVELOPE_TARGETS_MAX)
		return bad(e, "number of targets");
	r->record_end = ENVELOPE_HEADER_SIZE + record_n;
	r->body_at = r->record_end;
	r->prefix_at = r->body_at + r->body_n;
	if (r->prefix_at + r->prefix_n != r->size)
		return bad(e, "the lengths are not those of the file");
	return true;
}

static bool
read_header(struct envelope_reader *r, struct err *e)
{
	char bytes[ENVELOPE_HEADER_SIZE];
	struct cur c = cur_init(str_from(bytes, sizeof bytes));
	struct stat st;

	if (fstat(r->fd, &st) == -1)
		return err_temp(e, SAY_LATER, "message file: fstat: %s", strerror(errno));
	r->size = (uint64_t)st.st_size;
	return read_at(r, bytes, sizeof bytes, 0, e) && parse_header(r, &c, e);
}

/* At least n bytes of the record in the window, from window_used on. */
static bool
fill(struct envelope_reader *r, size_t n, struct err *e)
{
	size_t have = r->window_n - r->window_used;
	size_t more;

	if (have >= n)
		return true;
	memmove(r->window, r->window + r->window_used, have);
	r->window_used = 0;
	r->window_n = have;
	more = ENVELOPE_WINDOW - have;
	if (r->record_end - r->at < more)
		more = (size_t)(r->record_end - r->at);
	if (have + more < n)
		return bad(e, "the record ends inside an item");
	if (!read_at(r, r->window + have, more, r->at, e))
		return false;
	r->at += more;
	r->window_n += more;
	return true;
}

/* The next item's payload in *c; it stays in the window until the next call. */
static bool
next_item(struct envelope_reader *r, unsigned *kind, struct cur *c, struct err *e)
{
	size_t n;

	if (!fill(r, WIRE_ITEM_HEAD, e))
		return false;
	*kind = (unsigned char)r->window[r->window_used];
	n = (size_t)be_load(r->window + r->window_used + 1, 2);
	if (n + WIRE_ITEM_HEAD > ENVELOPE_ITEM_MAX)
		return bad(e, "an item is too long");
	if (!fill(r, WIRE_ITEM_HEAD + n, e))
		return false;
	*c = cur_init(str_from(r->window + r->window_used + WIRE_ITEM_HEAD, n));
	r->window_used += WIRE_ITEM_HEAD + n;
	return true;
}

struct str
envelope_take_text(struct cur *c, size_t max)
{
	struct str s = cur_str16(c);

	if (!envelope_text_ok(s, max))
		cur_fail(c, "text without control bytes");
	return s;
}

static struct str
keep_text(struct envelope_reader *r, struct cur *c, size_t max)
{
	return arena_str(&r->texts, envelope_take_text(c, max));
}

static bool
parse_head(struct envelope_reader *r, struct cur *c, struct err *e)
{
	struct envelope *v = &r->envelope;
	struct str qid = cur_bytes(c, sizeof v->qid.b);

	if (qid.n == sizeof v->qid.b)
		memcpy(v->qid.b, qid.p, qid.n);
	v->received.us = (int64_t)cur_be(c, 8);
	v->ret = (enum envelope_ret)cur_be(c, 1);
	v->sid = keep_text(r, c, ENVELOPE_WORD_MAX);
	v->client = keep_text(r, c, ENVELOPE_WORD_MAX);
	v->helo = keep_text(r, c, ENVELOPE_HELO_MAX);
	v->protocol = keep_text(r, c, ENVELOPE_WORD_MAX);
	v->login = keep_text(r, c, ENVELOPE_ADDRESS_MAX);
	v->sender = keep_text(r, c, ENVELOPE_ADDRESS_MAX);
	v->envid = keep_text(r, c, ENVELOPE_ENVID_MAX);
	if (!cur_end(c) || v->ret > ENVELOPE_RET_HDRS || v->received.us < 0)
		return bad(e, "the envelope's head is malformed");
	return true;
}

static void
rewind_record(struct envelope_reader *r)
{
	r->at = ENVELOPE_HEADER_SIZE;
	r->window_n = r->window_used = 0;
	r->recipients_seen = r->targets_seen = r->targets_here = 0;
}

bool
envelope_open(struct envelope_reader *r, int fd, struct err *e)
{
	struct cur c;
	unsigned kind;

	*r = (struct envelope_reader){ .fd = fd };
	arena_init(&r->texts);
	if (!read_header(r, e))
		return false;
	rewind_record(r);
	if (!next_item(r, &kind, &c, e))
		return false;
	if (kind != WIRE_HEAD)
		return bad(e, "the envelope's head is missing");
	return parse_head(r, &c, e);
}

void
envelope_close(struct envelope_reader *r)
{
	arena_fini(&r->texts);
}

void
envelope_rewind(struct envelope_reader *r)
{
	struct err e;
	struct cur c;
	unsigned kind;

	rewind_record(r);
	/* skips the head; a failure shows again at the first envelope_next */
	if (!next_item(r, &kind, &c, &e))
		rewind_record(r);
}

static bool
parse_recipient(struct envelope_reader *r, struct cur *c, struct envelope_recipient *to, struct err *e)
{
	if (r->recipients_seen == r->recipients)
		return bad(e, "more recipients than promised");
	if (r->recipients_seen++ > 0 && r->targets_here == 0)
		return bad(e, "a recipient without target");
	r->targets_here = 0;
	to->notify = (unsigned)cur_be(c, 1);
	to->address = envelope_take_text(c, ENVELOPE_ADDRESS_MAX);
	to->orcpt = envelope_take_text(c, ENVELOPE_ORCPT_MAX);
	if (!cur_end(c) || (to->notify & ~ENVELOPE_NOTIFY_ALL) != 0 || to->address.n == 0)
		return bad(e, "a recipient is malformed");
	if ((to->notify & ENVELOPE_NOTIFY_NEVER) != 0 && to->notify != ENVELOPE_NOTIFY_NEVER)
		return bad(e, "NOTIFY=NEVER with others");
	return true;
}

static bool
parse_target(struct envelope_reader *r, struct cur *c, struct envelope_target *to, struct err *e)
{
	if (r->targets_seen == r->targets)
		return bad(e, "more targets than promised");
	if (r->recipients_seen == 0)
		return bad(e, "a target without recipient");
	r->targets_seen++;
	r->targets_here++;
	to->kind = (enum envelope_target_kind)cur_be(c, 1);
	to->address = envelope_take_text(c, ENVELOPE_ADDRESS_MAX);
	to->detail = envelope_take_text(c, ENVELOPE_DETAIL_MAX);
	if (!cur_end(c) || to->address.n == 0 || (to->kind != ENVELOPE_LOCAL && to->kind != ENVELOPE_REMOTE))
		return bad(e, "a target is malformed");
	return true;
}

static bool
counts_hold(const struct envelope_reader *r, struct err *e)
{
	if (r->recipients_seen != r->recipients || r->targets_seen != r->targets || r->targets_here == 0)
		return bad(e, "not as many recipients as promised");
	return true;
}

enum envelope_item_kind
envelope_next(struct envelope_reader *r, struct envelope_item *item, struct err *e)
{
	struct cur c;
	unsigned kind;
	bool ok;

	*item = (struct envelope_item){ .kind = ENVELOPE_ITEM_BAD };
	if (r->at == r->record_end && r->window_used == r->window_n)
		return item->kind = counts_hold(r, e) ? ENVELOPE_ITEM_END : ENVELOPE_ITEM_BAD;
	if (!next_item(r, &kind, &c, e))
		return item->kind;
	if (kind == WIRE_RECIPIENT) {
		ok = parse_recipient(r, &c, &item->recipient, e);
		item->kind = ENVELOPE_ITEM_RECIPIENT;
	} else if (kind == WIRE_TARGET) {
		ok = parse_target(r, &c, &item->target, e);
		item->kind = ENVELOPE_ITEM_TARGET;
	} else {
		ok = bad(e, "an unknown item");
	}
	return item->kind = ok ? item->kind : ENVELOPE_ITEM_BAD;
}

bool
envelope_read_message(const struct envelope_reader *r, uint64_t offset, size_t max, struct buf *b, struct err *e)
{
	while (max > 0 && offset < r->prefix_n + r->body_n) {
		bool in_prefix = offset < r->prefix_n;
		uint64_t left = in_prefix ? r->prefix_n - offset : r->prefix_n + r->body_n - offset;
		uint64_t at = in_prefix ? r->prefix_at + offset : r->body_at + (offset - r->prefix_n);
		size_t n = left < max ? (size_t)left : max;
		char *p = buf_room(b, n);

		if (p == NULL)
			return err_temp(e, SAY_LATER, "message file: %zu bytes do not fit the buffer", n);
		if (!read_at(r, p, n, at, e))
			return false;
		b->n += n;
		offset += n;
		max -= n;
	}
	return true;
}
