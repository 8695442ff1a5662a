/* names.c - mailbox names between store (UTF-8) and client (modified UTF-7 or UTF-8: RFC 9051 5.1, A.1). */
#include "names.h"

#include "owners.h"

#include <stdlib.h>
#include <uninorm.h>

#include <postern/core/utf8.h>
#include <postern/store/mutf7.h>

void
out_mailbox(struct buf *out, struct str name, enum names names)
{
	struct buf encoded;

	if (names == NAMES_UTF8) {
		out_quoted(out, name);
		return;
	}
	buf_init(&encoded, SIZE_MAX);
	mutf7_encode(&encoded, name);
	out_quoted(out, buf_str(&encoded));
	buf_fini(&encoded);
}

bool
name_from_client(struct buf *utf8, struct str s, enum names names)
{
	if (names == NAMES_MUTF7)
		return mutf7_decode(utf8, s);
	buf_add(utf8, s);
	return utf8_valid(s) && !str_has(s, '\0');
}

static bool
is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

bool
name_has_control(struct str utf8)
{
	uint32_t code;
	size_t used;

	for (; utf8_next(utf8, &code, &used); utf8 = str_sub(utf8, used, utf8.n))
		if (is_control(code))
			return true;
	return false;
}

bool
name_is_normal(struct str utf8)
{
	size_t n = 0;
	uint8_t *normal;
	bool same;

	if (ascii_only(utf8))
		return true;
	normal = u8_normalize(UNINORM_NFC, (const uint8_t *)utf8.p, utf8.n, NULL, &n);
	same = normal != NULL && str_eq(str_from(normal, n), utf8);
	free(normal);
	return same;
}

struct str
name_of_store(struct arena *a, struct str name)
{
	struct str first = str_sub(name, 0, str_find(name, '/'));
	struct str rest = str_sub(name, first.n, name.n);

	return str_eq_nocase(first, STR("INBOX")) ? arena_strf(a, "INBOX%.*s", STR_ARG(rest)) : name;
}

struct str
lex_mailbox(struct lex *l, struct command *c)
{
	struct str raw = lex_astring(l);
	struct buf name;
	struct str result;

	buf_init(&name, NAME_BYTES_MAX);
	if (!lex_ok(l) || !name_from_client(&name, raw, c->names))
		buf_clear(&name);
	result = arena_str(&c->arena, name.over ? STR("") : buf_str(&name));
	buf_fini(&name);
	owners_note(c, result);
	return result;
}

bool
parse_one_mailbox(struct lex *l, struct command *c)
{
	struct str *name = ARENA_NEW(&c->arena, struct str);

	lex_sp(l);
	*name = lex_mailbox(l, c);
	c->args = name;
	return lex_ok(l);
}
