/* envelope.c - the message file's reader under any bytes; what it accepts is canonical: written again, the same
 * bytes. */
#include <unistd.h>

#include <postern/message/envelope.h>

#include "fuzz.h"

enum { INPUT_MAX = 64 << 10 };

/* Copies item by item; false when the reader finds the record bad. */
static bool
copy_items(struct envelope_reader *r, struct envelope_writer *w)
{
	struct envelope_item it;
	struct err e;
	uint32_t recipients = 0, targets = 0;

	for (;;) {
		switch (envelope_next(r, &it, &e)) {
		case ENVELOPE_ITEM_RECIPIENT:
			MUST(++recipients <= r->recipients);
			MUST(envelope_write_recipient(w, &it.recipient));
			break;
		case ENVELOPE_ITEM_TARGET:
			MUST(++targets <= r->targets);
			MUST(envelope_write_target(w, &it.target));
			break;
		case ENVELOPE_ITEM_END:
			return true;
		case ENVELOPE_ITEM_BAD:
			return false;
		}
	}
}

static void
finish_copy(struct envelope_reader *r, struct envelope_writer *w, struct buf *message)
{
	struct err e;

	MUST(envelope_read_message(r, 0, INPUT_MAX, message, &e));
	MUST(message->n == r->prefix_n + r->body_n);
	MUST(envelope_write_body(w, str_sub(buf_str(message), r->prefix_n, message->n)));
	MUST(envelope_write_prefix(w, str_sub(buf_str(message), 0, r->prefix_n)));
	MUST(envelope_write_finish(w, r->flags));
}

static void
check(int fd, struct str in)
{
	struct envelope_reader r;
	struct envelope_writer w;
	struct buf b;
	struct err e;
	int copy;

	if (!envelope_open(&r, fd, &e)) {
		envelope_close(&r);
		return;
	}
	copy = envelope_memfd();
	buf_init(&b, INPUT_MAX);
	MUST(envelope_write_begin(&w, copy, &r.envelope));
	if (copy_items(&r, &w)) {
		finish_copy(&r, &w, &b);
		buf_clear(&b);
		MUST(io_read_fd(copy, &b) && str_eq(buf_str(&b), in));
	}
	buf_fini(&b);
	envelope_write_end(&w);
	envelope_close(&r);
	close(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int fd;

	if (n > INPUT_MAX)
		return 0;
	fd = envelope_memfd();
	MUST(fd != -1 && io_write_all(fd, str_from(p, n)));
	check(fd, str_from(p, n));
	close(fd);
	return 0;
}
