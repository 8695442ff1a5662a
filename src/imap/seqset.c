/* seqset.c - parsing of sequence-set. */
#include "seqset.h"

/* seq-number: nz-number or "*". */
static uint32_t
seq_number(struct lex *l)
{
	return lex_take(l, '*') ? 0 : lex_nz_number(l);
}

static struct seq_range
seq_range(struct lex *l)
{
	struct seq_range r;

	r.lo = seq_number(l);
	r.hi = lex_take(l, ':') ? seq_number(l) : r.lo;
	return r;
}

static bool
is_set(char c)
{
	return ascii_is_digit(c) || c == '*' || c == ':' || c == ',' || c == '$';
}

static size_t
count_items(const struct lex *l)
{
	struct str rest = cur_rest(&l->c);
	size_t n = 1;

	for (size_t i = 0; i < rest.n && is_set(rest.p[i]); i++)
		n += rest.p[i] == ',';
	return n;
}

bool
lex_at_seq_set(const struct lex *l)
{
	int c = cur_peek(&l->c);

	return c == '*' || c == '$' || (c >= '0' && c <= '9');
}

struct seq_set
lex_seq_set(struct lex *l)
{
	struct seq_set set = { .r = arena_array(l->arena, count_items(l), sizeof(*set.r)) };

	do {
		if (lex_take(l, '$'))
			set.saved = true;
		else
			set.r[set.n++] = seq_range(l);
	} while (lex_ok(l) && lex_take(l, ','));
	return set;
}
