/* mime.c - the structure parser: lines in, parts out. The rules are in mime.h.
 *
 * Lines are looked at where they lie in the piece; only a line that is cut by the end of a piece is kept, up to the
 * ceiling of what can matter: a boundary in bodies, a field in headers. What a line means depends on its kept begin and
 * its full length only, so the cuts do not matter. */
#include "mime_parser.h"

#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/core/utf8.h>

enum { BODY_LINE_MAX = MIME_BOUNDARY_MAX + 512 }; /* boundary lines with longer padding are none */

static struct mime_node *
as_node(struct mime_part *part)
{
	return (struct mime_node *)part;
}

static struct mime_node *
parent_of(const struct mime_node *node)
{
	return as_node(node->part.parent);
}

static void
append_child(struct mime_node *parent, struct mime_node *child)
{
	child->part.parent = &parent->part;
	child->depth = parent->depth + 1;
	if (parent->last != NULL)
		parent->last->part.next = &child->part;
	else
		parent->part.child = &child->part;
	parent->last = child;
}

static void
begin_body(struct mime_parser *p, uint64_t at, uint64_t line_ends)
{
	struct mime_part *part = &p->node->part;

	part->header_size = at - part->header_at;
	part->body_at = at;
	if (part->encoding.p == NULL)
		part->encoding = STR("7bit");
	p->node->line_ends = line_ends;
	p->in_header = false;
}

/* A new innermost part, its header at this offset. The last one allowed is text to the end of the message. */
static void
begin_part(struct mime_parser *p, struct mime_node *parent, uint64_t at, uint64_t line_ends, bool is_message)
{
	struct mime_node *node = ARENA_NEW(p->arena, struct mime_node);

	node->part.header_at = at;
	node->part.is_message = is_message;
	if (is_message)
		node->part.envelope = ARENA_NEW(p->arena, struct mime_envelope);
	if (parent != NULL)
		append_child(parent, node);
	p->node = node;
	p->in_header = true;
	if (++p->mime->parts < MIME_PARTS_MAX)
		return;
	p->mime->limited = true;
	p->n_open = 0;
	mime_field_default_type(node);
	begin_body(p, at, line_ends);
}

static bool
is_enclosed_message(const struct mime_part *part)
{
	return str_eq(part->type, STR("message")) &&
	    (str_eq(part->subtype, STR("rfc822")) || str_eq(part->subtype, STR("global")));
}

/* The boundary, without the blanks at its end that no boundary line shows. */
static struct str
boundary_of(const struct mime_part *part)
{
	const struct param *param = part->params;
	struct str text;

	while (param != NULL && !str_eq(param->name, STR("boundary")))
		param = param->next;
	text = param != NULL ? param->value : STR("");
	while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
		text.n--;
	return text.n <= MIME_BOUNDARY_MAX ? text : STR("");
}

static void
set_default_type(struct mime_node *node)
{
	struct mime_node *parent = parent_of(node);

	if (node->has_type)
		return;
	mime_field_default_type(node);
	if (parent == NULL || parent->part.kind != MIME_MULTIPART || !str_eq(parent->part.subtype, STR("digest")))
		return;
	node->part.type = STR("message");
	node->part.subtype = STR("rfc822");
	node->part.params = NULL;
}

static void
open_multipart(struct mime_parser *p, struct str boundary)
{
	p->node->part.kind = MIME_MULTIPART;
	p->open[p->n_open++] = (struct mime_boundary){ boundary, p->node };
}

/* The header is complete: what is this part? line_ends counts those before the body. */
static void
end_header(struct mime_parser *p, uint64_t at, uint64_t line_ends)
{
	struct mime_node *node = p->node;
	struct mime_part *part = &node->part;
	bool multipart, message;

	mime_field_end(p);
	set_default_type(node);
	begin_body(p, at, line_ends);
	multipart = str_eq(part->type, STR("multipart"));
	message = is_enclosed_message(part);
	if ((multipart || message) && node->depth >= MIME_DEPTH_MAX) {
		p->mime->limited = true;
		mime_field_default_type(node);
	} else if (message) {
		part->kind = MIME_MESSAGE;
		begin_part(p, node, at, line_ends, true);
	} else if (multipart && boundary_of(part).n > 0) {
		open_multipart(p, boundary_of(part));
	} else if (multipart) {
		mime_field_default_type(node);
	}
}

/* Ends the innermost part at this offset, or later if it has something there already. */
static void
end_part(struct mime_parser *p, uint64_t end)
{
	struct mime_node *node = p->node;
	struct mime_part *part = &node->part;

	if (end < part->body_at)
		end = part->body_at;
	if (node->last != NULL && end < node->last->part.body_at + node->last->part.body_size)
		end = node->last->part.body_at + node->last->part.body_size;
	part->body_size = end - part->body_at;
	part->lines = p->line_ends - node->line_ends - (end < p->at);
	if (part->kind == MIME_MULTIPART && part->child == NULL)
		mime_field_default_type(node);
	p->node = parent_of(node);
}

/* Ends all parts inside this one (NULL: all). The current line begins with what ends them. */
static void
end_parts(struct mime_parser *p, const struct mime_node *outer, uint64_t end)
{
	while (p->in_header)
		end_header(p, p->at, p->line_ends);
	while (p->node != outer)
		end_part(p, end);
}

/* What a line can be for the multiparts around it. */
struct delimiter {
	unsigned index;
	bool closes;
};

static bool
match_one(struct str line, struct str boundary, bool *closes)
{
	*closes = line.n == boundary.n + 2 && str_ends(line, STR("--"));
	return (line.n == boundary.n || *closes) && memcmp(line.p, boundary.p, boundary.n) == 0;
}

/* line begins with "--". */
static bool
match_boundary(const struct mime_parser *p, struct str line, struct delimiter *d)
{
	struct str text = str_sub(line, 2, line.n);

	while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
		text.n--;
	for (unsigned i = p->n_open; i-- > 0;) {
		if (match_one(text, p->open[i].text, &d->closes)) {
			d->index = i;
			return true;
		}
	}
	return false;
}

static void
boundary_line(struct mime_parser *p, const struct delimiter *d, uint64_t next, uint64_t line_ends)
{
	struct mime_node *multipart = p->open[d->index].node;

	end_parts(p, multipart, p->at - p->last_end);
	p->n_open = d->index + !d->closes;
	if (!d->closes)
		begin_part(p, multipart, next, line_ends, false);
}

static void
header_line(struct mime_parser *p, struct str line, uint64_t size, uint64_t next, uint64_t line_ends)
{
	if (size == 0)
		end_header(p, next, line_ends);
	else
		mime_field_line(p, line);
}

/* A line: its begin (up to the ceiling), its octets without and of its line end (0: the message ends here). */
static void
take_line(struct mime_parser *p, struct str begin, uint64_t size, unsigned line_end)
{
	uint64_t next = p->at + size + line_end;
	uint64_t line_ends = p->line_ends + (line_end > 0);
	struct delimiter d;

	if (p->n_open > 0 && size <= BODY_LINE_MAX && begin.n > 2 && begin.p[0] == '-' && begin.p[1] == '-' &&
	    match_boundary(p, begin, &d))
		boundary_line(p, &d, next, line_ends);
	else if (p->in_header)
		header_line(p, begin, size, next, line_ends);
	p->at = next;
	p->line_ends = line_ends;
	p->last_end = line_end;
}

static size_t
line_ceiling(const struct mime_parser *p)
{
	return p->in_header ? MIME_FIELD_MAX : BODY_LINE_MAX;
}

/* A whole line whose last byte before LF is known. */
static void
take_ended_line(struct mime_parser *p, struct str begin, uint64_t size, char last)
{
	bool cr = size > 0 && last == '\r';

	if (cr && begin.n == size)
		begin.n--;
	if (!cr)
		p->mime->has_bare_lf = true;
	begin = str_sub(begin, 0, line_ceiling(p));
	take_line(p, begin, size - cr, cr || (p->options & MIME_LF) ? 2 : 1);
}

/* The part of a line that this piece holds, its end not being in sight. */
static void
keep_line(struct mime_parser *p, struct str s)
{
	size_t ceiling = line_ceiling(p) + 1; /* and the CR */

	if (s.n == 0)
		return;
	if (p->line.n < ceiling)
		buf_add(&p->line, str_sub(s, 0, ceiling - p->line.n));
	p->line_size += s.n;
	p->line_last = s.p[s.n - 1];
}

static void
end_kept_line(struct mime_parser *p)
{
	take_ended_line(p, buf_str(&p->line), p->line_size, p->line_last);
	buf_clear(&p->line);
	p->line_size = 0;
}

static void
note_octets(struct mime *m, struct str piece)
{
	if (!m->has_nul)
		m->has_nul = str_has(piece, '\0');
	if (!m->has_8bit)
		m->has_8bit = !ascii_only(piece);
}

void
mime_parser_feed(struct mime_parser *p, struct str piece)
{
	note_octets(p->mime, piece);
	while (piece.n > 0) {
		size_t n = str_find(piece, '\n');
		struct str line = str_sub(piece, 0, n);

		if (n == piece.n) {
			keep_line(p, line);
			return;
		}
		if (p->line_size > 0) {
			keep_line(p, line);
			end_kept_line(p);
		} else {
			take_ended_line(p, line, n, n > 0 ? line.p[n - 1] : '\0');
		}
		piece = str_sub(piece, n + 1, piece.n);
	}
}

struct mime_parser *
mime_parser_new(struct arena *a, unsigned options)
{
	struct mime_parser *p = NEW(struct mime_parser);

	p->arena = a;
	p->options = options;
	p->arena_before = arena_used(a);
	p->mime = ARENA_NEW(a, struct mime);
	p->addresses_left = MIME_ADDRESSES_MAX;
	buf_init(&p->line, MIME_FIELD_MAX + 1);
	buf_init(&p->value, MIME_FIELD_MAX);
	begin_part(p, NULL, 0, 0, true);
	p->node->depth = 1;
	p->mime->root = &p->node->part;
	return p;
}

const struct mime *
mime_parser_end(struct mime_parser *p)
{
	if (p->line_size > 0)
		take_line(p, str_sub(buf_str(&p->line), 0, line_ceiling(p)), p->line_size, 0);
	end_parts(p, NULL, p->at);
	p->mime->size = p->at;
	return p->mime;
}

void
mime_parser_free(struct mime_parser *p)
{
	if (p == NULL)
		return;
	buf_fini(&p->line);
	buf_fini(&p->value);
	free(p);
}

const struct mime *
mime_parse(struct arena *a, struct str message, unsigned options)
{
	struct mime_parser *p = mime_parser_new(a, options);
	const struct mime *m;

	mime_parser_feed(p, message);
	m = mime_parser_end(p);
	mime_parser_free(p);
	return m;
}
