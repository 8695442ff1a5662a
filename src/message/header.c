/* header.c - walking a header block; one memchr per line. */
#include <postern/message/header.h>

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static size_t
next_line(struct str block, size_t at)
{
	const char *lf = at < block.n ? memchr(block.p + at, '\n', block.n - at) : NULL;

	return lf != NULL ? (size_t)(lf - block.p) + 1 : block.n;
}

/* The length of the empty line at this place, or 0. */
static size_t
empty_line(struct str block, size_t at)
{
	if (at < block.n && block.p[at] == '\n')
		return 1;
	return at + 1 < block.n && block.p[at] == '\r' && block.p[at + 1] == '\n' ? 2 : 0;
}

size_t
header_fields_size(struct str bytes)
{
	size_t at = 0;

	while (at < bytes.n && empty_line(bytes, at) == 0)
		at = next_line(bytes, at);
	return at;
}

size_t
header_size(struct str bytes)
{
	size_t at = header_fields_size(bytes);

	return at + empty_line(bytes, at);
}

/* RFC 5322 2.2: printable ASCII but the colon; blanks before the colon are obsolete but allowed (4.5). */
static struct str
field_name(struct str line)
{
	struct str name = str_sub(line, 0, str_find(line, ':'));

	if (name.n == line.n)
		return str_sub(line, 0, 0);
	while (name.n > 0 && is_wsp(name.p[name.n - 1]))
		name.n--;
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_print(name.p[i]) || name.p[i] == ' ')
			return str_sub(line, 0, 0);
	return name;
}

static struct str
without_line_end(struct str s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	else
		return s;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

bool
header_next(struct header_walk *w, struct header_field *f)
{
	size_t end;
	struct str line;

	if (w->at >= w->block.n || empty_line(w->block, w->at) > 0)
		return false;
	end = next_line(w->block, w->at);
	line = str_sub(w->block, w->at, end);
	while (end < w->block.n && is_wsp(w->block.p[end]))
		end = next_line(w->block, end);
	f->at = w->at;
	f->whole = str_sub(w->block, w->at, end);
	f->name = field_name(line);
	f->value = without_line_end(f->whole);
	if (f->name.n > 0)
		f->value = str_sub(f->value, str_find(f->value, ':') + 1, f->value.n);
	w->at = end;
	return true;
}

bool
header_find(struct str block, struct str name, struct header_field *f)
{
	struct header_walk w = header_begin(block);

	while (header_next(&w, f))
		if (f->name.n > 0 && str_eq_nocase(f->name, name))
			return true;
	return false;
}

size_t
header_count(struct str block, struct str name)
{
	struct header_walk w = header_begin(block);
	struct header_field f;
	size_t n = 0;

	while (header_next(&w, &f))
		n += f.name.n > 0 && str_eq_nocase(f.name, name);
	return n;
}

void
header_unfold(struct buf *out, struct str value)
{
	struct str rest = str_trim(value);
	struct str line;

	while (str_cut(&rest, '\n', &line)) {
		if (rest.n > 0 && line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		buf_add(out, line);
	}
}

struct str
header_unfold_in(struct arena *a, struct str value)
{
	struct str trimmed = str_trim(value);
	struct buf b;
	struct str out;

	if (!str_has(trimmed, '\n'))
		return arena_str(a, trimmed);
	buf_init(&b, trimmed.n);
	header_unfold(&b, trimmed);
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static bool
among(struct str name, const struct str *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq_nocase(name, names[i]))
			return true;
	return false;
}

void
header_select(struct buf *out, struct str block, enum header_filter how, const struct str *names, size_t n)
{
	struct header_walk w = header_begin(block);
	struct header_field f;

	while (header_next(&w, &f)) {
		bool named = f.name.n > 0 && among(f.name, names, n);

		if (named == (how == HEADER_ONLY))
			buf_add(out, f.whole);
	}
	buf_add(out, str_sub(block, w.at, w.at + empty_line(block, w.at)));
}
