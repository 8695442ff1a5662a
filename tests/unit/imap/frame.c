/* frame.c - tests of framing: lines and literals, however the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "frame.h"

static const struct frame_limits limits = {
	.line_max = 64,
	.bytes_max = 256,
	.literal_max = 32,
	.literals_max = 3,
};

/* What came out of a frame: one letter per event, with the commands. */
struct heard {
	struct frame frame;
	struct buf events;
	enum literals { KEEP, STREAM, REFUSE } literals;
};

static void
heard_init(struct heard *h)
{
	frame_init(&h->frame, &limits);
	buf_init(&h->events, SIZE_MAX);
	h->literals = KEEP;
}

static void
heard_fini(struct heard *h)
{
	frame_fini(&h->frame);
	buf_fini(&h->events);
}

static void
on_literal(struct heard *h)
{
	buf_addf(&h->events, "L%llu%s%s%s;", (unsigned long long)h->frame.literal.size,
	    h->frame.literal.nonsync ? "+" : "", h->frame.literal.binary ? "~" : "", frame_fits(&h->frame) ? "" : "!");
	if (h->literals == STREAM)
		frame_stream(&h->frame);
	else if (h->literals == KEEP && frame_fits(&h->frame))
		frame_keep(&h->frame);
	else
		frame_refuse(&h->frame);
}

static void
on_event(struct heard *h, enum frame_event event)
{
	switch (event) {
	case FRAME_COMMAND:
		buf_add_cstr(&h->events, "C");
		buf_add(&h->events, buf_str(&h->frame.bytes));
		buf_add_cstr(&h->events, ";");
		frame_reset(&h->frame);
		break;
	case FRAME_LITERAL:
		on_literal(h);
		break;
	case FRAME_DATA:
		buf_add(&h->events, h->frame.chunk);
		break;
	case FRAME_BARE_LF:
		buf_add_cstr(&h->events, "B;");
		break;
	case FRAME_TOO_LONG:
		buf_add_cstr(&h->events, "T;");
		break;
	case FRAME_MORE:
		break;
	}
}

/* Feeds in pieces of the size; stops where the stream cannot be followed. */
static void
feed(struct heard *h, struct str in, size_t piece)
{
	while (in.n > 0) {
		struct str part = str_sub(in, 0, piece);

		in = str_sub(in, piece, in.n);
		while (part.n > 0) {
			enum frame_event event;
			size_t n = frame_feed(&h->frame, part, &event);

			on_event(h, event);
			if (event == FRAME_TOO_LONG)
				return;
			part = str_sub(part, n, part.n);
		}
	}
}

static void
expect(struct str in, enum literals literals, const char *events)
{
	for (size_t piece = 1; piece <= in.n; piece++) {
		struct heard h;

		heard_init(&h);
		h.literals = literals;
		feed(&h, in, piece);
		assert_string_equal(buf_cstr(&h.events), events);
		heard_fini(&h);
	}
}

static void
lines(void **state)
{
	(void)state;
	expect(STR("a NOOP\r\nb X\r\n"), KEEP, "Ca NOOP;Cb X;");
	expect(STR("\r\na\r\n"), KEEP, "C;Ca;");
	expect(STR("a NOOP\nb X\r\n"), KEEP, "B;Cb X;");
	expect(STR("a\rb\r\n"), KEEP, "Ca\rb;");
}

static void
literals_kept(void **state)
{
	(void)state;
	expect(STR("a L {3}\r\nx\r\n {2+}\r\nyz\r\n"), KEEP, "L3;L2+;Ca L {3}\r\nx\r\n {2+}\r\nyz;");
	expect(STR("a L {0}\r\n\r\n"), KEEP, "L0;Ca L {0}\r\n;");
	expect(STR("a {x}\r\nb {}\r\nc {1 }\r\n"), KEEP, "Ca {x};Cb {};Cc {1 };");
	expect(STR("a ~{2}\r\nxy\r\n"), KEEP, "L2~;Ca ~{2}\r\nxy;");
}

/* A command inside a literal is never a command. */
static void
literals_hide_commands(void **state)
{
	(void)state;
	expect(STR("a {8+}\r\nb NOOP\r\n\r\nc\r\n"), KEEP, "L8+;Ca {8+}\r\nb NOOP\r\n;Cc;");
	expect(STR("a {8+}\r\nb NOOP\r\n\r\nc\r\n"), REFUSE, "L8+;Cc;");
	expect(STR("a {2+}\r\nxx {8+}\r\nb NOOP\r\n\r\nc\r\n"), REFUSE, "L2+;Cc;");
}

static void
literals_streamed(void **state)
{
	(void)state;
	expect(STR("a {5}\r\nhello\r\n"), STREAM, "L5;helloCa {5}\r\n;");
	expect(STR("a {40}\r\n0123456789012345678901234567890123456789\r\n"), STREAM,
	    "L40!;0123456789012345678901234567890123456789Ca {40}\r\n;");
}

static void
literals_refused(void **state)
{
	(void)state;
	expect(STR("a {33}\r\nb\r\n"), KEEP, "L33!;Cb;");
	expect(STR("a {4294967295}\r\nb\r\n"), KEEP, "L4294967295!;Cb;");
	expect(STR("a {99999999999999999999}\r\nb\r\n"), KEEP, "L18446744073709551615!;Cb;");
}

static void
limits_hold(void **state)
{
	char line[100];

	(void)state;
	memset(line, 'x', sizeof(line));
	expect(str_from(line, 100), KEEP, "T;");
	memcpy(line + 62, "\r\n", 2);
	expect(str_from(line, 64), KEEP, "Cxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;");
	expect(STR("a {1}\r\nx{1}\r\nx{1}\r\nx{1}\r\nz\r\n"), KEEP, "L1;L1;L1;L1!;Cz;");
}

static void
expected_lines_have_no_literals(void **state)
{
	struct heard h;

	(void)state;
	heard_init(&h);
	frame_expect_line(&h.frame);
	feed(&h, STR("DONE {5}\r\nb\r\n"), 3);
	assert_string_equal(buf_cstr(&h.events), "CDONE {5};Cb;");
	heard_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(literals_kept),
		cmocka_unit_test(literals_hide_commands),
		cmocka_unit_test(literals_streamed),
		cmocka_unit_test(literals_refused),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(expected_lines_have_no_literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
