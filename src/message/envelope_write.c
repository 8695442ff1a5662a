/* envelope_write.c - the writing half of the message file: record, body, prefix, and at last the fixed header. */
#include <postern/message/envelope.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/be.h>

#include "envelope_wire.h"

enum part { PART_RECORD, PART_BODY, PART_PREFIX, PART_DONE };
enum { FLUSH_AT = 16 << 10, COPY_PIECE = 16 << 10 };

int
envelope_memfd(void)
{
	return memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

bool
envelope_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

static bool
good(const struct envelope_writer *w)
{
	return w->err.class == ERR_NONE;
}

static bool
fail_io(struct envelope_writer *w)
{
	bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;

	return err_temp(&w->err, full ? SAY_DISK : SAY_LATER, "message file: write: %s", strerror(errno));
}

static bool
fail_use(struct envelope_writer *w, const char *why)
{
	return err_perm(&w->err, "the envelope does not fit", "message file: %s", why);
}

static bool
flush(struct envelope_writer *w)
{
	if (!io_pwrite_all(w->fd, buf_str(&w->pending), (off_t)w->at))
		return fail_io(w);
	w->at += w->pending.n;
	buf_clear(&w->pending);
	return true;
}

static bool
enter_part(struct envelope_writer *w, enum part part)
{
	if (!good(w))
		return false;
	if (w->part > (int)part)
		return fail_use(w, "parts out of order");
	if (w->part == PART_RECORD && part > PART_RECORD && (w->recipients == 0 || w->targets_here == 0))
		return fail_use(w, "a recipient without target");
	w->part = (int)part;
	return true;
}

static void
add_text(struct envelope_writer *w, struct buf *b, struct str s, size_t max)
{
	if (!envelope_text_ok(s, max))
		fail_use(w, "a text is too long or holds control bytes");
	buf_add_str16(b, s);
}

static bool
add_item(struct envelope_writer *w, enum envelope_wire_kind kind, struct buf *payload)
{
	size_t n = payload->n;

	if (good(w) && (payload->over || w->record_n + n + WIRE_ITEM_HEAD > ENVELOPE_RECORD_MAX))
		fail_use(w, "the record is too long");
	if (good(w)) {
		buf_add_be(&w->pending, 1, kind);
		buf_add_be(&w->pending, 2, n);
		buf_add(&w->pending, buf_str(payload));
		w->record_n += n + WIRE_ITEM_HEAD;
	}
	buf_fini(payload);
	if (good(w) && w->pending.n >= FLUSH_AT)
		flush(w);
	return good(w);
}

bool
envelope_write_begin(struct envelope_writer *w, int fd, const struct envelope *e)
{
	struct buf b;

	*w = (struct envelope_writer){ .fd = fd, .at = ENVELOPE_HEADER_SIZE };
	err_clear(&w->err);
	buf_init(&w->pending, FLUSH_AT + ENVELOPE_ITEM_MAX);
	buf_init(&b, ENVELOPE_ITEM_MAX - WIRE_ITEM_HEAD);
	buf_add(&b, str_from(e->qid.b, sizeof e->qid.b));
	buf_add_be(&b, 8, (uint64_t)e->received.us);
	buf_add_be(&b, 1, e->ret);
	add_text(w, &b, e->sid, ENVELOPE_WORD_MAX);
	add_text(w, &b, e->client, ENVELOPE_WORD_MAX);
	add_text(w, &b, e->helo, ENVELOPE_HELO_MAX);
	add_text(w, &b, e->protocol, ENVELOPE_WORD_MAX);
	add_text(w, &b, e->login, ENVELOPE_ADDRESS_MAX);
	add_text(w, &b, e->sender, ENVELOPE_ADDRESS_MAX);
	add_text(w, &b, e->envid, ENVELOPE_ENVID_MAX);
	return add_item(w, WIRE_HEAD, &b);
}

bool
envelope_write_recipient(struct envelope_writer *w, const struct envelope_recipient *r)
{
	struct buf b;

	if (!enter_part(w, PART_RECORD))
		return false;
	if (w->recipients > 0 && w->targets_here == 0)
		return fail_use(w, "a recipient without target");
	if (w->recipients == ENVELOPE_RECIPIENTS_MAX)
		return fail_use(w, "too many recipients");
	if (r->address.n == 0)
		return fail_use(w, "a recipient without address");
	if ((r->notify & ENVELOPE_NOTIFY_NEVER) != 0 && r->notify != ENVELOPE_NOTIFY_NEVER)
		return fail_use(w, "NOTIFY=NEVER with others");
	w->recipients++;
	w->targets_here = 0;
	buf_init(&b, ENVELOPE_ITEM_MAX - WIRE_ITEM_HEAD);
	buf_add_be(&b, 1, r->notify & ENVELOPE_NOTIFY_ALL);
	add_text(w, &b, r->address, ENVELOPE_ADDRESS_MAX);
	add_text(w, &b, r->orcpt, ENVELOPE_ORCPT_MAX);
	return add_item(w, WIRE_RECIPIENT, &b);
}

bool
envelope_write_target(struct envelope_writer *w, const struct envelope_target *t)
{
	struct buf b;

	if (!enter_part(w, PART_RECORD))
		return false;
	if (w->recipients == 0)
		return fail_use(w, "a target without recipient");
	if (w->targets == ENVELOPE_TARGETS_MAX)
		return fail_use(w, "too many targets");
	if (t->address.n == 0)
		return fail_use(w, "a target without address");
	w->targets++;
	w->targets_here++;
	buf_init(&b, ENVELOPE_ITEM_MAX - WIRE_ITEM_HEAD);
	buf_add_be(&b, 1, t->kind);
	add_text(w, &b, t->address, ENVELOPE_ADDRESS_MAX);
	add_text(w, &b, t->detail, ENVELOPE_DETAIL_MAX);
	return add_item(w, WIRE_TARGET, &b);
}

/* A small message is one write. */
static bool
append(struct envelope_writer *w, struct str bytes)
{
	if (w->pending.n + bytes.n <= FLUSH_AT) {
		buf_add(&w->pending, bytes);
		return true;
	}
	if (!flush(w))
		return false;
	if (!io_pwrite_all(w->fd, bytes, (off_t)w->at))
		return fail_io(w);
	w->at += bytes.n;
	return true;
}

bool
envelope_write_body(struct envelope_writer *w, struct str bytes)
{
	if (!enter_part(w, PART_BODY) || !append(w, bytes))
		return false;
	w->body_n += bytes.n;
	return true;
}

bool
envelope_write_prefix(struct envelope_writer *w, struct str bytes)
{
	if (!enter_part(w, PART_PREFIX))
		return false;
	if (w->prefix_n + bytes.n > ENVELOPE_PREFIX_MAX)
		return fail_use(w, "the prefix is too long");
	if (!append(w, bytes))
		return false;
	w->prefix_n += bytes.n;
	return true;
}

bool
envelope_write_move(struct envelope_writer *w, int fd)
{
	char piece[COPY_PIECE];

	if (!good(w) || !flush(w))
		return false;
	for (uint64_t at = ENVELOPE_HEADER_SIZE; at < w->at;) {
		size_t n = w->at - at < sizeof piece ? (size_t)(w->at - at) : sizeof piece;

		if (!io_pread_all(w->fd, piece, n, (off_t)at) || !io_pwrite_all(fd, str_from(piece, n), (off_t)at))
			return fail_io(w);
		at += n;
	}
	w->fd = fd;
	return true;
}

bool
envelope_write_finish(struct envelope_writer *w, unsigned flags)
{
	static const char pad[ENVELOPE_HEADER_PAD];
	struct buf b;

	if (!enter_part(w, PART_DONE) || !flush(w))
		return false;
	buf_init(&b, ENVELOPE_HEADER_SIZE);
	buf_add(&b, str_from(ENVELOPE_MAGIC, ENVELOPE_MAGIC_SIZE));
	buf_add_be(&b, 4, ENVELOPE_VERSION);
	buf_add_be(&b, 4, w->record_n);
	buf_add_be(&b, 4, w->recipients);
	buf_add_be(&b, 4, w->targets);
	buf_add_be(&b, 4, flags & ENVELOPE_FLAGS_ALL);
	buf_add_be(&b, 4, 0);
	buf_add_be(&b, 8, w->body_n);
	buf_add_be(&b, 8, w->prefix_n);
	buf_add(&b, str_from(pad, sizeof pad));
	if (!io_pwrite_all(w->fd, buf_str(&b), 0))
		fail_io(w);
	buf_fini(&b);
	return good(w);
}

void
envelope_write_end(struct envelope_writer *w)
{
	buf_fini(&w->pending);
}
