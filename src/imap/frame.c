/* frame.c - lines and literals, byte by byte if need be. Used by the front and by the session; the invariant is that
 * `bytes` never passes limits.bytes_max and that no byte of a literal is ever taken for a command. */
#include "frame.h"

#include <postern/core/log.h>

enum {
	KEEP_CAP = 1024, /* what an idle session's frame may hold on to */
};

void
frame_init(struct frame *f, const struct frame_limits *limits)
{
	*f = (struct frame){ .limits = *limits };
	buf_init(&f->bytes, limits->bytes_max);
}

void
frame_fini(struct frame *f)
{
	if (f->limits.secret)
		buf_wipe(&f->bytes);
	else
		buf_fini(&f->bytes);
}

void
frame_reset(struct frame *f)
{
	if (f->limits.secret || f->bytes.cap > KEEP_CAP)
		frame_fini(f);
	buf_clear(&f->bytes);
	f->state = FRAME_IN_LINE;
	f->line_at = 0;
	f->left = 0;
	f->literals = 0;
	f->plain = false;
	f->refused = false;
	f->literal = (struct frame_literal){ 0 };
}

void
frame_expect_line(struct frame *f)
{
	frame_reset(f);
	f->plain = true;
}

bool
frame_is_empty(const struct frame *f)
{
	return f->state == FRAME_IN_LINE && f->bytes.n == 0 && !f->refused;
}

/* number64 ["+"] between the braces; more than 63 bits is huge. */
static bool
parse_count(struct str s, struct frame_literal *literal)
{
	size_t digits = 0;

	literal->nonsync = s.n > 0 && s.p[s.n - 1] == '+';
	s.n -= literal->nonsync;
	while (digits < s.n && ascii_is_digit(s.p[digits]))
		digits++;
	if (digits == 0 || digits != s.n)
		return false;
	if (!str_u64(s, INT64_MAX, &literal->size))
		literal->size = FRAME_LITERAL_HUGE;
	return true;
}

/* Does the line (without CRLF) end in "{n}", "{n+}", "~{n}" or "~{n+}"? */
static bool
parse_literal(struct str line, struct frame_literal *literal)
{
	size_t open;

	*literal = (struct frame_literal){ 0 };
	if (line.n < 3 || line.p[line.n - 1] != '}')
		return false;
	open = str_rfind(line, '{');
	if (open == line.n || !parse_count(str_sub(line, open + 1, line.n - 1), literal))
		return false;
	literal->binary = open > 0 && line.p[open - 1] == '~';
	return true;
}

/* A literal inside a command that was refused: the client of a synchronizing one has had its tagged answer. */
static enum frame_event
skip_literal(struct frame *f)
{
	buf_clear(&f->bytes);
	f->line_at = 0;
	if (!f->literal.nonsync) {
		frame_reset(f);
		return FRAME_MORE;
	}
	f->left = f->literal.size;
	f->state = f->left > 0 ? FRAME_IN_SKIP : FRAME_IN_LINE;
	return FRAME_MORE;
}

/* A line is complete in bytes, its LF included. */
static enum frame_event
end_line(struct frame *f)
{
	struct str line = str_sub(buf_str(&f->bytes), f->line_at, f->bytes.n);

	if (line.n < 2 || line.p[line.n - 2] != '\r') {
		frame_reset(f);
		return FRAME_BARE_LF;
	}
	line.n -= 2;
	if (!f->plain && parse_literal(line, &f->literal)) {
		if (f->refused)
			return skip_literal(f);
		f->state = FRAME_UNDECIDED;
		return FRAME_LITERAL;
	}
	if (f->refused) {
		frame_reset(f);
		return FRAME_MORE;
	}
	buf_cut(&f->bytes, f->bytes.n - 2);
	f->state = FRAME_UNDECIDED;
	return FRAME_COMMAND;
}

static size_t
feed_line(struct frame *f, struct str in, enum frame_event *event)
{
	size_t lf = str_find(in, '\n');
	size_t n = lf < in.n ? lf + 1 : in.n;

	if (f->bytes.n - f->line_at + n > f->limits.line_max) {
		*event = FRAME_TOO_LONG;
		return n;
	}
	if (f->limits.secret && f->bytes.cap == 0)
		buf_room(&f->bytes, f->limits.bytes_max); /* growing would leave copies of a password behind */
	buf_add(&f->bytes, str_sub(in, 0, n));
	if (f->bytes.over)
		*event = FRAME_TOO_LONG;
	else if (lf < in.n)
		*event = end_line(f);
	return n;
}

static size_t
feed_literal(struct frame *f, struct str in, enum frame_event *event)
{
	size_t n = in.n < f->left ? in.n : (size_t)f->left;

	f->left -= n;
	if (f->state == FRAME_IN_LITERAL)
		buf_add(&f->bytes, str_sub(in, 0, n));
	if (f->state == FRAME_IN_STREAM) {
		f->chunk = str_sub(in, 0, n);
		*event = FRAME_DATA;
	}
	if (f->left == 0) {
		f->state = FRAME_IN_LINE;
		f->line_at = f->bytes.n;
	}
	return n;
}

size_t
frame_feed(struct frame *f, struct str in, enum frame_event *event)
{
	size_t used = 0;

	*event = FRAME_MORE;
	ASSERT(f->state != FRAME_UNDECIDED);
	while (used < in.n && *event == FRAME_MORE) {
		struct str rest = str_sub(in, used, in.n);

		used += f->state == FRAME_IN_LINE ? feed_line(f, rest, event) : feed_literal(f, rest, event);
	}
	return used;
}

bool
frame_fits(const struct frame *f)
{
	return f->literal.size <= f->limits.literal_max && f->literals < f->limits.literals_max
		&& f->literal.size + f->limits.line_max <= f->limits.bytes_max - f->bytes.n;
}

static void
begin_literal(struct frame *f, enum frame_state state)
{
	f->literals++;
	f->left = f->literal.size;
	f->line_at = f->bytes.n;
	f->state = f->left > 0 ? state : FRAME_IN_LINE;
}

void
frame_keep(struct frame *f)
{
	ASSERT(frame_fits(f));
	begin_literal(f, FRAME_IN_LITERAL);
}

void
frame_stream(struct frame *f)
{
	begin_literal(f, FRAME_IN_STREAM);
}

void
frame_refuse(struct frame *f)
{
	f->refused = true;
	skip_literal(f);
}
