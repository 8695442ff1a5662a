/* queue_row.c - ledger rows and records under any bytes; what parses is canonical, but for rows of an older version. First byte:
 * which, and whether the rest is a row, or what a row is made of that must then be read again. */
#include <stdlib.h>

#include "../../src/queue/record.h"
#include "fuzz.h"

/* Takes values from the input, zeros behind its end. */
struct source {
	struct str in;
};

static uint64_t
number(struct source *s, uint64_t most)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8 && s->in.n > 0 && (i == 0 || most >> (8 * i) != 0); i++) {
		v = v << 8 | (unsigned char)s->in.p[0];
		s->in = str_sub(s->in, 1, s->in.n);
	}
	return most == UINT64_MAX ? v : v % (most + 1);
}

static struct wall
moment(struct source *s)
{
	return (struct wall){ (int64_t)number(s, INT64_MAX) };
}

/* Text that may stand in a row. */
static struct str
text(struct source *s, size_t most)
{
	struct str t = str_sub(s->in, 0, (size_t)number(s, most));

	s->in = str_sub(s->in, t.n, s->in.n);
	return envelope_text_ok(t, most) ? t : STR("");
}

static void
make_message(struct source *s, struct buf *b)
{
	struct row_message m = { .origin = (enum row_origin)number(s, ROW_DOUBLE), .in_file = number(s, 1) != 0 };

	m.file_size = number(s, INT64_MAX);
	m.message_size = number(s, m.file_size);
	m.received = moment(s);
	m.flags = (unsigned)number(s, ENVELOPE_FLAGS_ALL) & ENVELOPE_FLAGS_ALL;
	m.ret = (enum envelope_ret)number(s, ENVELOPE_RET_HDRS);
	m.next_number = (uint32_t)number(s, UINT32_MAX);
	m.helo = text(s, 20);
	m.sender = text(s, 20);
	row_write_message(b, &m);
	MUST(row_parse_message(buf_str(b), &m));
}

static void
make_recipient(struct source *s, struct buf *b)
{
	struct row_recipient r = { .kind = (enum row_kind)(ROW_RESOLVE + number(s, ROW_REMOTE - ROW_RESOLVE)) };

	r.warned = number(s, 1) != 0;
	r.attempts = (uint32_t)number(s, UINT32_MAX);
	r.next_try = moment(s);
	r.address = text(s, 20);
	r.target = r.kind == ROW_RESOLVE ? STR("") : text(s, 20);
	r.reason = text(s, 40);
	r.source = number(s, UINT64_MAX);
	r.deadline = moment(s);
	row_write_recipient(b, &r);
	row_parse_recipient(buf_str(b), &r); /* not every combination is one */
}

static void
make_record(struct source *s, struct buf *b)
{
	static const enum tlsrpt_result results[] = { TLSRPT_OK, TLSRPT_CERTIFICATE_EXPIRED, TLSRPT_VALIDATION_FAILURE };
	struct record r = { .used = moment(s), .unreached = (uint32_t)number(s, UINT32_MAX) };
	struct wall now = { INT64_C(1777636800) * 1000000 };

	while (s->in.n > 0) {
		struct queue_hop hop = { .counted = true, .plain = number(s, 1) != 0, .handshake_failed = number(s, 1) != 0,
			.policy = (enum tlsrpt_policy)number(s, TLSRPT_POLICIES - 1), .result = results[number(s, 2)] };

		hop.got = (enum tls_level)number(s, TLS_LEVELS - 1);
		hop.host = text(s, 60);
		hop.ip = text(s, 40);
		hop.reason = text(s, 120);
		now.us += (int64_t)number(s, 255) * 1000000000;
		record_hop(&r, &hop, now);
	}
	record_write(b, &r);
	MUST(b->over || record_parse(buf_str(b), &r));
}

static void
make_sts(struct source *s, struct buf *b)
{
	struct record_sts sts = { .fetched = moment(s) };

	sts.id = text(s, 32);
	sts.policy = s->in;
	record_write_sts(b, &sts);
	MUST(sts.policy.n > QUEUE_STS_MAX || record_parse_sts(buf_str(b), &sts));
}

static void
make(unsigned which, struct str in)
{
	static void (*const makers[])(struct source *, struct buf *) = { make_recipient, make_message, make_record, make_sts };
	struct source s = { in };
	struct buf b;

	buf_init(&b, RECORD_MAX + QUEUE_STS_MAX);
	makers[which](&s, &b);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p + 1, n > 0 ? n - 1 : 0);
	struct row_message m;
	struct row_recipient r;
	struct record_sts sts;
	struct record record;
	bool parsed = false;
	struct buf b;

	if (n < 2)
		return 0;
	if (p[0] & 4) {
		make(p[0] % 4, in);
		return 0;
	}
	buf_init(&b, RECORD_MAX + QUEUE_STS_MAX);
	switch (p[0] % 4) {
	case 0:
		if ((parsed = row_parse_recipient(in, &r)))
			row_write_recipient(&b, &r);
		parsed = parsed && p[1] == ROW_RECIPIENT_VERSION;
		break;
	case 1:
		if ((parsed = row_parse_message(in, &m)))
			row_write_message(&b, &m);
		break;
	case 2:
		if (record_parse(in, &record))
			record_write(&b, &record); /* one with fewer results than are known grows */
		break;
	case 3:
		if ((parsed = record_parse_sts(in, &sts)))
			record_write_sts(&b, &sts);
		break;
	}
	if (parsed && !str_eq(buf_str(&b), in))
		abort();
	buf_fini(&b);
	return 0;
}
