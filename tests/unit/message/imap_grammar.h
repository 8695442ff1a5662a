/* imap_grammar.h - a strict reader of ENVELOPE and BODYSTRUCTURE, written from RFC 9051 9 alone: what a client that
 * forgives nothing would accept. For unit tests and the fuzz target. */
#ifndef TESTS_UNIT_MESSAGE_IMAP_GRAMMAR_H
#define TESTS_UNIT_MESSAGE_IMAP_GRAMMAR_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/cur.h>

static inline bool
grammar_number(struct cur *c)
{
	cur_number(c, UINT32_MAX);
	return cur_ok(c);
}

static inline void
grammar_quoted(struct cur *c)
{
	int b;

	cur_want(c, "\"");
	while ((b = cur_peek(c)) != '"') {
		if (b <= 0 || b == '\r' || b == '\n' || b >= 0x80) {
			cur_fail(c, "QUOTED-CHAR");
			return;
		}
		c->p++;
		if (b == '\\' && !cur_take(c, "\"") && !cur_take(c, "\\"))
			cur_fail(c, "quoted-specials");
	}
	c->p++;
}

static inline void
grammar_string(struct cur *c)
{
	struct str s;
	uint64_t n;

	if (cur_peek(c) == '"') {
		grammar_quoted(c);
		return;
	}
	cur_want(c, "{");
	n = cur_number(c, UINT32_MAX);
	cur_want(c, "}\r\n");
	s = cur_bytes(c, n);
	if (cur_ok(c) && str_has(s, '\0'))
		cur_fail(c, "CHAR8");
}

/* True for a string, false for NIL. */
static inline bool
grammar_nstring(struct cur *c)
{
	if (cur_take(c, "NIL"))
		return false;
	grammar_string(c);
	return true;
}

static inline void
grammar_sp_nstring(struct cur *c)
{
	cur_want(c, " ");
	grammar_nstring(c);
}

static inline void
grammar_address(struct cur *c, bool *in_group)
{
	bool mailbox, host;

	cur_want(c, "(");
	grammar_nstring(c);
	grammar_sp_nstring(c);
	cur_want(c, " ");
	mailbox = grammar_nstring(c);
	cur_want(c, " ");
	host = grammar_nstring(c);
	cur_want(c, ")");
	if (host && !mailbox)
		cur_fail(c, "addr-mailbox");
	if (!host)
		*in_group = mailbox;
}

static inline void
grammar_addresses(struct cur *c)
{
	bool in_group = false;

	cur_want(c, " ");
	if (cur_take(c, "NIL"))
		return;
	cur_want(c, "(");
	do
		grammar_address(c, &in_group);
	while (cur_peek(c) == '(');
	cur_want(c, ")");
}

static inline void
grammar_envelope(struct cur *c)
{
	cur_want(c, "(");
	grammar_nstring(c);
	grammar_sp_nstring(c);
	for (int i = 0; i < 6; i++)
		grammar_addresses(c);
	grammar_sp_nstring(c);
	grammar_sp_nstring(c);
	cur_want(c, ")");
}

static inline void
grammar_params(struct cur *c)
{
	if (cur_take(c, "NIL"))
		return;
	cur_want(c, "(");
	do {
		grammar_string(c);
		cur_want(c, " ");
		grammar_string(c);
	} while (cur_take(c, " "));
	cur_want(c, ")");
}

/* SP body-fld-dsp SP body-fld-lang SP body-fld-loc */
static inline void
grammar_extension(struct cur *c)
{
	cur_want(c, " ");
	if (cur_take(c, "(")) {
		grammar_string(c);
		cur_want(c, " ");
		grammar_params(c);
		cur_want(c, ")");
	} else {
		cur_want(c, "NIL");
	}
	cur_want(c, " ");
	if (cur_take(c, "(")) {
		do
			grammar_string(c);
		while (cur_take(c, " "));
		cur_want(c, ")");
	} else {
		grammar_nstring(c);
	}
	grammar_sp_nstring(c);
}

static inline void grammar_body(struct cur *c, bool extended, int depth);

static inline void
grammar_multipart(struct cur *c, bool extended, int depth)
{
	do
		grammar_body(c, extended, depth + 1);
	while (cur_peek(c) == '(');
	cur_want(c, " ");
	grammar_string(c);
	if (extended) {
		cur_want(c, " ");
		grammar_params(c);
		grammar_extension(c);
	}
}

static inline void
grammar_single(struct cur *c, bool extended, int depth)
{
	bool text = str_starts_nocase(cur_rest(c), STR("\"text\""));
	bool message = str_starts_nocase(cur_rest(c), STR("\"message\" \"rfc822\"")) ||
		       str_starts_nocase(cur_rest(c), STR("\"message\" \"global\""));

	grammar_string(c);
	cur_want(c, " ");
	grammar_string(c);
	cur_want(c, " ");
	grammar_params(c);
	grammar_sp_nstring(c);
	grammar_sp_nstring(c);
	cur_want(c, " ");
	grammar_string(c);
	cur_want(c, " ");
	grammar_number(c);
	if (message) {
		cur_want(c, " ");
		grammar_envelope(c);
		cur_want(c, " ");
		grammar_body(c, extended, depth + 1);
	}
	if (message || text) {
		cur_want(c, " ");
		grammar_number(c);
	}
	if (extended) {
		grammar_sp_nstring(c);
		grammar_extension(c);
	}
}

static inline void
grammar_body(struct cur *c, bool extended, int depth)
{
	if (depth > 200)
		cur_fail(c, "fewer levels");
	if (!cur_want(c, "("))
		return;
	if (cur_peek(c) == '(')
		grammar_multipart(c, extended, depth);
	else
		grammar_single(c, extended, depth);
	cur_want(c, ")");
}

static inline bool
imap_grammar_envelope(struct str text)
{
	struct cur c = cur_init(text);

	grammar_envelope(&c);
	return cur_end(&c);
}

static inline bool
imap_grammar_body(struct str text, bool extended)
{
	struct cur c = cur_init(text);

	grammar_body(&c, extended, 1);
	return cur_end(&c);
}

#endif
