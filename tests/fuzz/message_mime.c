/* message_mime.c - whole messages under any bytes: the tree is sound and does not depend on the cuts, its record
 * reads back as the same tree, and ENVELOPE, BODY and BODYSTRUCTURE keep to the grammar. The first byte chooses LF
 * and the cut. */
#include <postern/message/charset.h>
#include <postern/message/imapdata.h>
#include <postern/message/imaptext.h>
#include <postern/message/mime.h>

#include "../unit/message/imap_grammar.h"
#include "fuzz.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	charset_init();
	return 0;
}

static const struct mime *
parse(struct arena *a, struct str message, unsigned options, size_t piece)
{
	struct mime_parser *p = mime_parser_new(a, options);
	const struct mime *m;

	for (size_t at = 0; at < message.n; at += piece)
		mime_parser_feed(p, str_sub(message, at, at + piece));
	m = mime_parser_end(p);
	mime_parser_free(p);
	return m;
}

static void
check_tree(const struct mime *m)
{
	for (const struct mime_part *p = m->root; p != NULL; p = mime_next(p)) {
		uint64_t after = p->body_at;

		MUST(p->header_at + p->header_size == p->body_at && p->body_at + p->body_size <= m->size);
		MUST(p->lines <= p->body_size && (p->child != NULL) == (p->kind != MIME_LEAF));
		for (const struct mime_part *c = p->child; c != NULL; c = c->next) {
			MUST(c->parent == p && c->header_at >= after);
			after = c->body_at + c->body_size;
		}
		MUST(after <= p->body_at + p->body_size);
	}
}

static void
check_grammar(const struct mime *m)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 16);
	imaptext_envelope(&b, m->root->envelope);
	MUST(imap_grammar_envelope(buf_str(&b)));
	buf_clear(&b);
	imaptext_body(&b, m->root, IMAPTEXT_GLOBAL_MESSAGE);
	MUST(imap_grammar_body(buf_str(&b), false));
	buf_clear(&b);
	imaptext_bodystructure(&b, m->root, IMAPTEXT_GLOBAL_MESSAGE);
	MUST(imap_grammar_body(buf_str(&b), true));
	buf_fini(&b);
}

static void
check_message(struct arena *a, struct str message, unsigned options, size_t piece)
{
	const struct mime *whole = parse(a, message, options, message.n + 1);
	const struct mime *again;
	struct buf one, two;

	check_tree(whole);
	check_grammar(whole);
	buf_init(&one, SIZE_MAX / 16);
	buf_init(&two, SIZE_MAX / 16);
	imapdata_write(&one, whole, STR(""));
	imapdata_write(&two, parse(a, message, options, piece), STR(""));
	MUST(str_eq(buf_str(&one), buf_str(&two)));
	again = imapdata_read(a, buf_str(&one), STR(""));
	MUST(again != NULL && again->parts == whole->parts);
	check_tree(again);
	buf_clear(&two);
	imapdata_write(&two, again, STR(""));
	MUST(str_eq(buf_str(&one), buf_str(&two)));
	buf_fini(&one);
	buf_fini(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct mime *m;
	struct arena a;

	if (n == 0)
		return 0;
	arena_init(&a);
	check_message(&a, str_from(p + 1, n - 1), p[0] & MIME_LF, 1 + p[0] / 2);
	m = imapdata_read(&a, str_from(p + 1, n - 1), STR(""));
	if (m != NULL)
		check_grammar(m);
	imapdata_read_envelope(&a, str_from(p + 1, n - 1), STR(""));
	arena_fini(&a);
	return 0;
}
