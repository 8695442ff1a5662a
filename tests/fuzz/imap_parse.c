/* imap_parse.c - framing and the parsers of all commands: tokens, sets, FETCH items, SEARCH keys, LIST patterns.
 *
 * The first byte says how the rest is cut into pieces. What a command's parser takes is thrown away, except that
 * patterns are matched and sets are applied to a view, for both must be quick whatever they hold. */
#include <stdlib.h>

#include "commands.h"
#include "frame.h"
#include "fuzz.h"
#include "list.h"
#include "pattern.h"
#include "view.h"

static const struct frame_limits limits = {
	.line_max = IMAP_LINE_MAX,
	.bytes_max = IMAP_COMMAND_MAX,
	.literal_max = IMAP_LITERAL_MAX,
	.literals_max = IMAP_LITERALS_MAX,
};

static void
try_set(struct str bytes, struct arena *arena)
{
	struct lex l = lex_init(bytes, arena);
	struct seq_set set = lex_seq_set(&l);
	struct view v = { 0 };
	struct uidset saved;
	struct uidset seqs;

	if (!lex_ok(&l))
		return;
	uidset_init(&saved);
	uidset_init(&seqs);
	view_append(&v, 5, 9);
	view_append(&v, 4294967290u, 4294967295u);
	view_apply(&v, &set, SEQ_UIDS, &saved, &seqs);
	view_apply(&v, &set, SEQ_NUMBERS, &saved, &seqs);
	if (uidset_last(&seqs) > v.count)
		abort();
	uidset_fini(&saved);
	uidset_fini(&seqs);
	view_fini(&v);
}

static void
try_patterns(const struct command *c)
{
	const struct list_args *a = c->args;

	for (size_t i = 0; i < a->n; i++)
		pattern_match(a->patterns[i], STR("INBOX/some/deep/name/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void
try_command(struct str bytes)
{
	static struct imap_session nobody; /* sees no mailboxes of others */
	struct command c = { .session = &nobody };
	struct lex l;
	struct str name;

	arena_init(&c.arena);
	l = lex_init(bytes, &c.arena);
	lex_tag(&l);
	lex_sp(&l);
	name = lex_atom(&l);
	c.uid = lex_ok(&l) && str_eq_nocase(name, STR("UID")) && lex_sp(&l);
	if (c.uid)
		name = lex_atom(&l);
	c.verb = lex_ok(&l) ? commands_find(name, c.uid) : NULL;
	if (c.verb != NULL && c.verb->parse(&l, &c) && lex_end(&l) && c.verb->run == cmd_list_run)
		try_patterns(&c);
	if (c.fini != NULL)
		c.fini(&c);
	try_set(bytes, &c.arena);
	arena_fini(&c.arena);
}

static void
on_event(struct frame *f, enum frame_event event)
{
	if (event == FRAME_COMMAND) {
		try_command(buf_str(&f->bytes));
		frame_reset(f);
	} else if (event == FRAME_LITERAL) {
		if (frame_fits(f))
			frame_keep(f);
		else
			frame_refuse(f);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p, n);
	size_t piece = n > 0 ? 1 + p[0] : 1;
	struct frame f;

	in = str_sub(in, 1, in.n);
	frame_init(&f, &limits);
	while (in.n > 0) {
		enum frame_event event;
		size_t used = frame_feed(&f, str_sub(in, 0, piece), &event);

		on_event(&f, event);
		if (event == FRAME_TOO_LONG)
			break;
		in = str_sub(in, used, in.n);
	}
	frame_fini(&f);
	return 0;
}
