/* imapdata.c - the record: there and back, damaged, and its words under a strict reader. */
#include "tree.h"

#include "imap_grammar.h"

static const char message[] =
    "Date: x\r\nSubject: quote \" back \\ nul ?\r\nFrom: \"a\\\"b\" <a@b>, g: c@d;\r\nTo: <>, joe, J\xf6rg <j@x>\r\n"
    "Message-ID: lone\rCR\r\nIn-Reply-To:\r\n"
    "Content-Type: multipart/mixed; boundary=b; x=\"a\\\"\\\\\"\r\n"
    "Content-Disposition: attachment; filename*0*=utf-8''%22; filename*1=\"\xc3\xb6\"\r\n"
    "Content-Language: a, b\r\n\r\n"
    "--b\r\nContent-Type: message/rfc822\r\nContent-Description: caf\xe9\r\n\r\nSubject: inner ?\r\n\r\nx\r\n"
    "--b\r\nContent-Type: text/html; name=\"c:\\x\"\r\nContent-ID: <\"q\">\r\n\r\ny\r\n"
    "--b\r\nContent-Type: image/gif\r\nContent-Location: a\r\nContent-MD5: \\\r\n\r\nz\r\n--b--\r\n";

static const struct mime *
parsed(struct arena *a)
{
	char *text = arena_cstr(a, str_of(message));

	for (size_t i = 0; i < strlen(message); i++)
		if (message[i] == '?')
			text[i] = '\0';
	return mime_parse(a, str_from(text, strlen(message)), 0);
}

static void
check_grammar(const struct mime *m)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 16);
	imaptext_envelope(&b, m->root->envelope);
	assert_true(imap_grammar_envelope(buf_str(&b)));
	buf_clear(&b);
	imaptext_body(&b, m->root, IMAPTEXT_GLOBAL_MESSAGE);
	assert_true(imap_grammar_body(buf_str(&b), false));
	buf_clear(&b);
	imaptext_bodystructure(&b, m->root, IMAPTEXT_GLOBAL_MESSAGE);
	assert_true(imap_grammar_body(buf_str(&b), true));
	buf_fini(&b);
}

static void
round_trip(void **state)
{
	struct arena a;
	struct str record;
	const struct mime *m, *back;

	(void)state;
	arena_init(&a);
	m = parsed(&a);
	assert_int_equal(m->parts, 5);
	record = tree_record(&a, m);
	back = imapdata_read(&a, record, STR(""));
	assert_non_null(back);
	ASSERT_STR(tree_record(&a, back), record, "record");
	ASSERT_STR(tree_bodystructure(&a, back), tree_bodystructure(&a, m), "text");
	assert_true(back->has_nul && back->has_8bit && !back->has_bare_lf && !back->limited);
	assert_int_equal(back->parts, 5);
	check_grammar(back);
	ASSERT_STR(imapdata_read_envelope(&a, record, STR(""))->subject, m->root->envelope->subject, "subject");
	arena_fini(&a);
}

/* For threading; ENVELOPE has no place for it. */
static void
references(void **state)
{
	struct arena a;
	struct str record;

	(void)state;
	arena_init(&a);
	record = tree_record(&a, mime_parse(&a, STR("References: <a@b>\r\n <c@d>\r\n\r\n"), 0));
	ASSERT_STR(imapdata_read(&a, record, STR(""))->root->envelope->references, STR("<a@b> <c@d>"), "references");
	ASSERT_STR(imapdata_read_envelope(&a, record, STR(""))->references, STR("<a@b> <c@d>"), "references");
	arena_fini(&a);
}

/* Every truncation and every changed byte: refused, or read as a tree that still speaks the grammar. */
static void
f07_damaged(void **state)
{
	struct arena a, scratch;
	struct str record;

	(void)state;
	arena_init(&a);
	arena_init(&scratch);
	record = tree_record(&a, parsed(&a));
	for (size_t i = 0; i < record.n; i++) {
		char *copy = mem_cstr(record);

		assert_null(imapdata_read(&scratch, str_sub(record, 0, i), STR("")));
		for (int change = 1; change < 256; change = change * 2 + 1) {
			const struct mime *m;

			copy[i] = (char)(record.p[i] ^ change);
			m = imapdata_read(&scratch, str_from(copy, record.n), STR(""));
			if (m != NULL)
				check_grammar(m);
			imapdata_read_envelope(&scratch, str_from(copy, record.n), STR(""));
			arena_reset(&scratch);
		}
		free(copy);
	}
	assert_null(imapdata_read(
	    &scratch, (struct str){ arena_cstr(&a, record), record.n + 1 }, STR(""))); /* its NUL is one too many */
	arena_fini(&scratch);
	arena_fini(&a);
}

static void
strings(void **state)
{
	static const struct {
		struct str text;
		const char *want;
	} rows[] = {
		{ { NULL, 0 }, "NIL" },
		{ STR_INIT(""), "\"\"" },
		{ STR_INIT("a b"), "\"a b\"" },
		{ STR_INIT("\"\\"), "\"\\\"\\\\\"" },
		{ STR_INIT("a\tb\x7f"), "\"a\tb\x7f\"" },
		{ STR_INIT("a\rb"), "{3}\r\na\rb" },
		{ STR_INIT("a\nb"), "{3}\r\na\nb" },
		{ STR_INIT("a\0b"), "{3}\r\na\x80"
				    "b" },
		{ STR_INIT("\xc3\xb6"), "{2}\r\n\xc3\xb6" },
	};
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&b);
		imaptext_nstring(&b, rows[i].text);
		ASSERT_STR(buf_str(&b), str_of(rows[i].want), rows[i].want);
	}
	buf_fini(&b);
}

static void
missing(void **state)
{
	struct arena a;
	struct buf b;

	(void)state;
	arena_init(&a);
	buf_init(&b, 1000);
	imaptext_envelope(&b, mime_parse(&a, STR("From: <>, joe\r\nTo: :;\r\n\r\n"), 0)->root->envelope);
	assert_true(str_search(buf_str(&b), STR("((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")"
						"(NIL NIL \"joe\" \"MISSING_DOMAIN\"))")) < b.n);
	assert_true(str_search(buf_str(&b), STR("((NIL NIL \"\" NIL)(NIL NIL NIL NIL))")) < b.n);
	assert_true(imap_grammar_envelope(buf_str(&b)));
	buf_fini(&b);
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(references),
		cmocka_unit_test(f07_damaged),
		cmocka_unit_test(strings),
		cmocka_unit_test(missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
