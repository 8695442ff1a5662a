/* tree.h - looking at structure trees in tests. */
#ifndef TESTS_UNIT_MESSAGE_TREE_H
#define TESTS_UNIT_MESSAGE_TREE_H

#include "testing.h"

#include <postern/message/imapdata.h>
#include <postern/message/imaptext.h>
#include <postern/message/mime.h>

/* The record of the tree, which holds all of it: two trees are equal when their records are. */
static inline struct str
tree_record(struct arena *a, const struct mime *m)
{
	struct buf b;
	struct str out;

	buf_init(&b, SIZE_MAX / 16);
	imapdata_write(&b, m, STR(""));
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static inline struct str
tree_bodystructure(struct arena *a, const struct mime *m)
{
	struct buf b;
	struct str out;

	buf_init(&b, SIZE_MAX / 16);
	imaptext_bodystructure(&b, m->root, IMAPTEXT_GLOBAL_MESSAGE);
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static inline const struct mime *
tree_parse(struct arena *a, struct str message, unsigned options, size_t piece)
{
	struct mime_parser *p = mime_parser_new(a, options);
	const struct mime *m;

	for (size_t at = 0; at < message.n; at += piece)
		mime_parser_feed(p, str_sub(message, at, at + piece));
	m = mime_parser_end(p);
	mime_parser_free(p);
	return m;
}

static inline uint64_t
line_ends(struct str s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

/* What holds of every part of every message; text is the message as IMAP shows it. */
static inline void
tree_check_part(const struct mime_part *part, struct str text)
{
	uint64_t end = part->body_at + part->body_size;
	uint64_t after = part->body_at;

	assert_int_equal(part->header_at + part->header_size, part->body_at);
	assert_true(end <= text.n);
	assert_int_equal(part->lines, line_ends(str_sub(text, part->body_at, end)));
	assert_true(part->type.n > 0 && part->subtype.n > 0 && part->encoding.n > 0);
	assert_int_equal(part->is_message, part->envelope != NULL);
	assert_int_equal(part->child != NULL, part->kind != MIME_LEAF);
	assert_true(
	    part->kind != MIME_MESSAGE || (part->child->next == NULL && part->child->header_at == part->body_at));
	for (const struct mime_part *c = part->child; c != NULL; c = c->next) {
		assert_ptr_equal(c->parent, part);
		assert_true(c->header_at >= after);
		assert_int_equal(c->is_message, part->kind == MIME_MESSAGE);
		after = c->body_at + c->body_size;
		assert_true(after <= end);
	}
}

static inline void
tree_check(const struct mime *m, struct str text)
{
	size_t parts = 0;

	assert_int_equal(m->size, text.n);
	assert_int_equal(m->root->header_at, 0);
	assert_int_equal(m->root->body_at + m->root->body_size, m->size);
	for (const struct mime_part *p = m->root; p != NULL; p = mime_next(p), parts++)
		tree_check_part(p, text);
	assert_int_equal(parts, m->parts);
	assert_true(parts <= MIME_PARTS_MAX);
}

/* The message with CRLF for every bare LF. */
static inline struct str
with_crlf(struct arena *a, struct str raw)
{
	char *p = arena_alloc(a, raw.n * 2 + 1);
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\n' && (i == 0 || raw.p[i - 1] != '\r'))
			p[n++] = '\r';
		p[n++] = raw.p[i];
	}
	return str_from(p, n);
}

#endif
