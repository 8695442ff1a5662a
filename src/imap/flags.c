/* flags.c - parsing of flag lists. \Recent is nobody's to set and passed over (RFC 3501 2.3.2); other unknown system
 * flags are an error. */
#include "flags.h"

#include "out.h"

static void
add_system(struct lex *l, struct flag_args *a, struct str name)
{
	if (str_eq_nocase(name, STR("\\Recent")))
		return;
	for (size_t i = 0; i < FLAG_NAMES; i++) {
		if (str_eq_nocase(name, flag_names[i].name)) {
			a->flags |= flag_names[i].flag;
			return;
		}
	}
	lex_fail(l, "unknown system flag");
}

static void
flag(struct lex *l, struct flag_args *a)
{
	struct str name = lex_flag(l);

	if (!lex_ok(l))
		return;
	if (name.p[0] == '\\')
		add_system(l, a, name);
	else if (a->n == FLAGS_MAX)
		lex_fail(l, "too many flags");
	else
		a->keywords[a->n++] = name;
}

static void
flags(struct lex *l, struct flag_args *a)
{
	*a = (struct flag_args){ .keywords = arena_array(l->arena, FLAGS_MAX, sizeof(*a->keywords)) };
	if (cur_peek(&l->c) == ')')
		return;
	do
		flag(l, a);
	while (lex_ok(l) && lex_take(l, ' '));
}

void
lex_flag_list(struct lex *l, struct flag_args *a)
{
	lex_want(l, '(');
	flags(l, a);
	lex_want(l, ')');
}

void
lex_store_flags(struct lex *l, struct flag_args *a)
{
	if (cur_peek(&l->c) == '(') {
		lex_flag_list(l, a);
		return;
	}
	flags(l, a);
	if (lex_ok(l) && a->flags == 0 && a->n == 0)
		lex_fail(l, "expected a flag");
}
