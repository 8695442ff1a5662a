/* fetch_parse.c - the grammar of FETCH (RFC 9051 9: fetch, fetch-att, section, partial). */
#include "fetch.h"

#include "commands.h"
#include "out.h"

/* section-part: nz-number *("." nz-number). A "." before a letter belongs to section-text. */
static void
section_part(struct lex *l, struct fetch_section *sec)
{
	sec->number = arena_array(l->arena, FETCH_SECTION_DEPTH_MAX, sizeof(*sec->number));
	while (lex_ok(l) && cur_left(&l->c) > 0 && ascii_is_digit((char)cur_peek(&l->c))) {
		if (sec->depth == FETCH_SECTION_DEPTH_MAX) {
			lex_fail(l, "section too deep");
			return;
		}
		sec->number[sec->depth++] = lex_nz_number(l);
		if (cur_peek(&l->c) == ']')
			return;
		lex_want(l, '.');
		if (lex_ok(l) && cur_peek(&l->c) == ']')
			lex_fail(l, "expected a section");
	}
}

/* header-fld-name: only what a field can be called (RFC 5322 2.2), for the answer repeats it. */
static struct str
field_name(struct lex *l)
{
	struct str name = lex_astring(l);

	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_print(name.p[i]))
			lex_fail(l, "bad header field name");
	return name;
}

/* SP header-list */
static void
field_names(struct lex *l, struct fetch_section *sec)
{
	lex_sp(l);
	lex_want(l, '(');
	sec->names = arena_array(l->arena, FETCH_FIELDS_MAX, sizeof(*sec->names));
	do {
		if (sec->nnames == FETCH_FIELDS_MAX)
			lex_fail(l, "too many header fields");
		else
			sec->names[sec->nnames++] = field_name(l);
	} while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
}

static const struct section_word {
	const char *word;
	enum mime_section what;
	enum fetch_fields fields;
	bool needs_part;
} section_words[] = {
	{ "HEADER.FIELDS.NOT", MIME_HEADER, FIELDS_EXCEPT, false },
	{ "HEADER.FIELDS", MIME_HEADER, FIELDS_ONLY, false },
	{ "HEADER", MIME_HEADER, FIELDS_ALL, false },
	{ "TEXT", MIME_TEXT, FIELDS_ALL, false },
	{ "MIME", MIME_MIME, FIELDS_ALL, true },
};

static void
section_text(struct lex *l, struct fetch_section *sec)
{
	for (size_t i = 0; i < sizeof(section_words) / sizeof(*section_words); i++) {
		const struct section_word *w = &section_words[i];

		if ((w->needs_part && sec->depth == 0) || !lex_word(l, w->word))
			continue;
		sec->what = w->what;
		sec->fields = w->fields;
		if (w->fields != FIELDS_ALL)
			field_names(l, sec);
		return;
	}
	lex_fail(l, "unknown section");
}

/* Fields of the message's own header that are kept need neither structure nor file. */
static void
use_kept_lines(struct fetch_item *i)
{
	const struct fetch_section *sec = &i->section;

	if (sec->fields != FIELDS_ONLY || sec->depth > 0 || !headlines_bits(sec->names, sec->nnames, &i->lines))
		return;
	i->flags &= ~(unsigned)(FETCH_TREE | FETCH_FILE);
	i->flags |= FETCH_LINES;
}

/* "[" [section-spec] "]" */
void
fetch_parse_section(struct lex *l, struct fetch_item *i)
{
	lex_want(l, '[');
	section_part(l, &i->section);
	if (lex_ok(l) && cur_peek(&l->c) != ']') {
		if (i->flags & FETCH_BINARY)
			lex_fail(l, "expected a part number");
		else
			section_text(l, &i->section);
	}
	lex_want(l, ']');
	if (i->section.depth == 0 && i->section.what == MIME_WHOLE && !(i->flags & FETCH_BINARY))
		i->flags &= ~(unsigned)FETCH_TREE;
	if (lex_ok(l))
		use_kept_lines(i);
}

/* ["<" number64 "." nz-number64 ">"] */
static void
partial(struct lex *l, struct fetch_item *i)
{
	if (!(i->flags & FETCH_PARTIAL) || !lex_take(l, '<'))
		return;
	i->partial = true;
	i->from = lex_number64(l);
	lex_want(l, '.');
	i->size = lex_number64(l);
	if (lex_ok(l) && i->size == 0)
		lex_fail(l, "expected a number above 0");
	lex_want(l, '>');
}

/* --- the label of the answer --- */

static void
add_names(struct buf *out, const struct fetch_section *sec)
{
	buf_add_cstr(out, " (");
	for (size_t n = 0; n < sec->nnames; n++) {
		if (n > 0)
			buf_add_char(out, ' ');
		out_astring(out, sec->names[n]);
	}
	buf_add_char(out, ')');
}

static void
add_section(struct buf *out, const struct fetch_section *sec)
{
	static const char *const words[] = { [MIME_WHOLE] = "", [MIME_HEADER] = "HEADER", [MIME_TEXT] = "TEXT",
		[MIME_MIME] = "MIME" };
	static const char *const fields[] = {
		[FIELDS_ALL] = "", [FIELDS_ONLY] = ".FIELDS", [FIELDS_EXCEPT] = ".FIELDS.NOT"
	};

	buf_add_char(out, '[');
	for (size_t n = 0; n < sec->depth; n++)
		buf_addf(out, "%s%u", n > 0 ? "." : "", sec->number[n]);
	if (sec->depth > 0 && sec->what != MIME_WHOLE)
		buf_add_char(out, '.');
	buf_add_cstr(out, words[sec->what]);
	buf_add_cstr(out, fields[sec->fields]);
	if (sec->fields != FIELDS_ALL)
		add_names(out, sec);
	buf_add_char(out, ']');
}

static struct str
make_label(struct arena *arena, const struct fetch_item *i)
{
	struct buf out;
	struct str label;

	buf_init(&out, SIZE_MAX);
	buf_add(&out, i->row->label.n > 0 ? i->row->label : i->row->name);
	if (i->row->flags & FETCH_SECTION)
		add_section(&out, &i->section);
	if (i->partial) {
		buf_add_char(&out, '<');
		buf_add_u64(&out, i->from);
		buf_add_char(&out, '>');
	}
	buf_add_char(&out, ' ');
	label = arena_str(arena, buf_str(&out));
	buf_fini(&out);
	return label;
}

/* --- items --- */

static bool
has_row(const struct fetch *f, const struct fetch_row *row)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].row == row)
			return true;
	return false;
}

/* The value of an item without section is the same however often it is asked for. */
static void
add_item(struct lex *l, struct fetch *f, struct fetch_item i)
{
	if (!lex_ok(l) || (!(i.flags & FETCH_SECTION) && has_row(f, i.row)))
		return;
	i.label = make_label(l->arena, &i);
	f->flags |= i.flags;
	f->lines |= i.lines;
	f->items[f->n++] = i;
}

/* RFC822.HEADER and RFC822.TEXT are sections under another name (RFC 3501 6.4.5). */
static void
set_old_section(struct fetch_item *i)
{
	if (str_eq(i->row->name, STR("RFC822.HEADER")))
		i->section.what = MIME_HEADER;
	else if (str_eq(i->row->name, STR("RFC822.TEXT")))
		i->section.what = MIME_TEXT;
}

/* [SP "(" "LAZY" *(SP "LAZY") ")"] (RFC 8970 6). What else follows a blank belongs to the command. */
static bool
lazy(struct lex *l)
{
	struct lex before = *l;

	if (lex_take(l, ' ') && lex_take(l, '(') && lex_word(l, "LAZY")) {
		while (lex_ok(l) && lex_take(l, ' '))
			if (!lex_word(l, "LAZY"))
				lex_fail(l, "unknown PREVIEW modifier");
		return lex_want(l, ')');
	}
	*l = before;
	return false;
}

void
fetch_add_named(struct lex *l, struct fetch *f, struct str name)
{
	bool sectioned = cur_peek(&l->c) == '[';
	struct fetch_item i = { .row = fetch_find(name, sectioned) };

	if (i.row == NULL) {
		lex_fail(l, "unknown data item");
		return;
	}
	i.flags = i.row->flags;
	if (sectioned) {
		fetch_parse_section(l, &i);
		partial(l, &i);
	}
	set_old_section(&i);
	if (i.flags & FETCH_LAZY && lazy(l))
		i.flags &= ~(unsigned)FETCH_TREE;
	add_item(l, f, i);
}

static void
fetch_att(struct lex *l, struct fetch *f)
{
	struct str name = lex_item(l);

	if (f->n == FETCH_ITEMS_MAX)
		lex_fail(l, "too many data items");
	if (lex_ok(l))
		fetch_add_named(l, f, name);
}

static void
macro_or_item(struct lex *l, struct fetch *f)
{
	struct str name = lex_item(l);
	const char *const *macro = lex_ok(l) ? fetch_macro(name) : NULL;

	if (macro == NULL && lex_ok(l))
		fetch_add_named(l, f, name);
	for (; macro != NULL && *macro != NULL; macro++)
		fetch_add_named(l, f, str_of(*macro));
}

static void
item_list(struct lex *l, struct fetch *f)
{
	lex_want(l, '(');
	do
		fetch_att(l, f);
	while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
}

/* What comes from the index is written first, what needs the file last: the answer's order is free. */
void
fetch_order_items(struct fetch *f, struct arena *arena)
{
	static const unsigned classes[] = { 0, FETCH_TREE, FETCH_FILE, FETCH_TREE | FETCH_FILE };
	struct fetch_item *sorted = arena_array(arena, f->n, sizeof(*sorted));
	size_t n = 0;

	for (size_t k = 0; k < sizeof(classes) / sizeof(*classes); k++)
		for (size_t i = 0; i < f->n; i++)
			if ((f->items[i].flags & (FETCH_TREE | FETCH_FILE)) == classes[k])
				sorted[n++] = f->items[i];
	f->items = sorted;
}

/* "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" / "PARTIAL" SP partial-range */
static void
modifier(struct lex *l, struct fetch *f)
{
	if (lex_word(l, "VANISHED")) {
		f->vanished = true;
	} else if (lex_word(l, "PARTIAL")) {
		lex_sp(l);
		lex_partial(l, &f->partial);
	} else if (!f->changedsince && lex_word(l, "CHANGEDSINCE")) {
		f->changedsince = true;
		lex_sp(l);
		f->resync.since = lex_number64(l);
	} else {
		lex_fail(l, "unknown FETCH modifier");
	}
}

/* "(" fetch-modifier *(SP fetch-modifier) ")" (RFC 4466 2.4) */
static void
modifiers(struct lex *l, const struct command *c, struct fetch *f)
{
	lex_want(l, '(');
	do
		modifier(l, f);
	while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
	if (lex_ok(l) && f->vanished && (!c->uid || !f->changedsince))
		lex_fail(l, "VANISHED needs UID FETCH and CHANGEDSINCE");
	if (lex_ok(l) && f->partial.given && !c->uid)
		lex_fail(l, "PARTIAL needs UID FETCH");
}

void
fetch_fini(struct fetch *f)
{
	uidset_fini(&f->seqs);
	uidset_fini(&f->seen);
	resync_fini(&f->resync);
	letter_fini(&f->letter);
}

static void
args_fini(struct command *c)
{
	fetch_fini(c->args);
}

struct fetch *
lex_fetch_unasked(struct lex *l)
{
	struct fetch *f = fetch_new_unasked(l->arena);

	f->items = arena_array(l->arena, FETCH_ITEMS_MAX, sizeof(*f->items));
	item_list(l, f);
	return f;
}

bool
cmd_fetch_parse(struct lex *l, struct command *c)
{
	struct fetch *f = ARENA_NEW(&c->arena, struct fetch);

	letter_init(&f->letter);
	c->args = f;
	c->fini = args_fini;
	f->items = arena_array(&c->arena, FETCH_ITEMS_MAX + FETCH_IMPLIED, sizeof(*f->items));
	lex_sp(l);
	f->set = lex_seq_set(l);
	lex_sp(l);
	if (cur_peek(&l->c) == '(')
		item_list(l, f);
	else
		macro_or_item(l, f);
	if (lex_take(l, ' '))
		modifiers(l, c, f);
	if (lex_ok(l) && c->uid && !c->uidonly) /* RFC 9586 3.3: the answer begins with it */
		fetch_add_named(l, f, STR("UID"));
	if (lex_ok(l) && f->changedsince)
		fetch_add_named(l, f, STR("MODSEQ"));
	c->condstore = f->changedsince || has_row(f, fetch_find(STR("MODSEQ"), false));
	fetch_order_items(f, &c->arena);
	return lex_ok(l);
}
