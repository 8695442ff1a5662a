/* mime.c - structures of messages: the examples of the RFCs, the broken, the hostile, the collected. */
#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <postern/core/io.h>

static const char nested[] =
    "From: a@x\r\nContent-Type: multipart/mixed; boundary=\"outer\"\r\n\r\n"
    "preamble\r\n"
    "--outer\r\n\r\nfirst\r\n"
    "--outer\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: BASE64\r\n\r\nAAAA\r\n"
    "--outer\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: inside\r\nContent-Type: multipart/mixed; boundary=\"in\"\r\n\r\n"
    "--in\r\n\r\nthree one\r\n--in\r\nContent-Type: image/gif\r\n\r\ngif\r\n--in--\r\n"
    "--outer\r\nContent-Type: multipart/mixed; boundary=four\r\n\r\n"
    "--four\r\nContent-Type: image/gif\r\n\r\nx\r\n"
    "--four\r\nContent-Type: message/rfc822\r\n\r\nSubject: plain\r\n\r\nonly text\r\n"
    "--four--\r\n\r\n"
    "--outer--\r\nepilogue\r\n";

struct section_row {
	uint32_t number[4];
	size_t n;
	enum mime_section what;
	const char *want; /* NULL: no such section */
};

/* RFC 9051 6.4.5.1 */
static const struct section_row sections[] = {
	{ { 0 }, 0, MIME_WHOLE, nested },
	{ { 0 }, 0, MIME_HEADER, "From: a@x\r\nContent-Type: multipart/mixed; boundary=\"outer\"\r\n\r\n" },
	{ { 0 }, 0, MIME_MIME, NULL },
	{ { 1 }, 1, MIME_WHOLE, "first" },
	{ { 1 }, 1, MIME_MIME, "\r\n" },
	{ { 1 }, 1, MIME_HEADER, NULL },
	{ { 1 }, 1, MIME_TEXT, NULL },
	{ { 1, 1 }, 2, MIME_WHOLE, NULL },
	{ { 2 }, 1, MIME_WHOLE, "AAAA" },
	{ { 2 }, 1, MIME_MIME, "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: BASE64\r\n\r\n" },
	{ { 3 }, 1, MIME_HEADER, "Subject: inside\r\nContent-Type: multipart/mixed; boundary=\"in\"\r\n\r\n" },
	{ { 3 }, 1, MIME_MIME, "Content-Type: message/rfc822\r\n\r\n" },
	{ { 3 }, 1, MIME_TEXT, "--in\r\n\r\nthree one\r\n--in\r\nContent-Type: image/gif\r\n\r\ngif\r\n--in--" },
	{ { 3, 1 }, 2, MIME_WHOLE, "three one" },
	{ { 3, 2 }, 2, MIME_WHOLE, "gif" },
	{ { 3, 2 }, 2, MIME_MIME, "Content-Type: image/gif\r\n\r\n" },
	{ { 3, 3 }, 2, MIME_WHOLE, NULL },
	{ { 4 }, 1, MIME_HEADER, NULL },
	{ { 4, 1 }, 2, MIME_WHOLE, "x" },
	{ { 4, 2 }, 2, MIME_HEADER, "Subject: plain\r\n\r\n" },
	{ { 4, 2 }, 2, MIME_TEXT, "only text" },
	{ { 4, 2 }, 2, MIME_WHOLE, "Subject: plain\r\n\r\nonly text" },
	{ { 4, 2, 1 }, 3, MIME_WHOLE, "only text" },
	{ { 4, 2, 1 }, 3, MIME_MIME, "Subject: plain\r\n\r\n" },
	{ { 4, 2, 2 }, 3, MIME_WHOLE, NULL },
	{ { 4, 2, 1, 1 }, 4, MIME_WHOLE, NULL },
	{ { 5 }, 1, MIME_WHOLE, NULL },
	{ { 0 }, 1, MIME_WHOLE, NULL },
};

static void
section_numbers(void **state)
{
	struct arena a;
	const struct mime *m;

	(void)state;
	arena_init(&a);
	m = mime_parse(&a, str_of(nested), 0);
	tree_check(m, str_of(nested));
	for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
		const struct section_row *r = &sections[i];
		struct mime_span span = { 0 };

		assert_int_equal(mime_section(m, r->number, r->n, r->what, &span), r->want != NULL);
		if (r->want != NULL)
			ASSERT_STR(str_sub(str_of(nested), span.at, span.at + span.size), str_of(r->want), r->want);
	}
	arena_fini(&a);
}

static void
single_parts(void **state)
{
	struct str plain = STR("Subject: x\r\n\r\nbody\r\n");
	struct str enclosed = STR("Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nbody\r\n");
	const struct mime *m;
	struct mime_span s;
	struct arena a;

	(void)state;
	arena_init(&a);
	m = mime_parse(&a, plain, 0);
	assert_true(mime_section(m, (uint32_t[]){ 1 }, 1, MIME_WHOLE, &s) && s.at == 14 && s.size == 6);
	assert_true(mime_section(m, (uint32_t[]){ 1 }, 1, MIME_MIME, &s) && s.at == 0 && s.size == 14);
	assert_false(mime_section(m, (uint32_t[]){ 1 }, 1, MIME_TEXT, &s));
	assert_false(mime_section(m, (uint32_t[]){ 2 }, 1, MIME_WHOLE, &s));
	m = mime_parse(&a, enclosed, 0);
	assert_true(mime_section(m, (uint32_t[]){ 1 }, 1, MIME_HEADER, &s) && s.at == 32 && s.size == 14);
	assert_true(mime_section(m, (uint32_t[]){ 1, 1 }, 2, MIME_WHOLE, &s) && s.at == 46 && s.size == 6);
	assert_false(mime_section(m, (uint32_t[]){ 1, 2 }, 2, MIME_WHOLE, &s));
	arena_fini(&a);
}

static const struct {
	const char *text, *want;
} structures[] = {
	{ "", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)" },
	{ "\r\n", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)" },
	{ "Subject: x\r\n\r\na\r\nb",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 1 NIL NIL NIL NIL)" },
	{ "Content-Type: text\r\n\r\na",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL)" },
	{ "Content-Type: TEXT/HTML\r\nContent-ID: <i@x>\r\nContent-Description: a\r\n b\r\nContent-Transfer-Encoding: "
	  "8Bit\r\n"
	  "Content-MD5: Q2hlY2s=\r\nContent-Disposition: INLINE; filename=x\r\nContent-Language: de, en (c)\r\n"
	  "Content-Location: http://\r\n x/\r\n\r\na\r\n",
	    "(\"text\" \"html\" NIL \"<i@x>\" \"a b\" \"8bit\" 3 1 \"Q2hlY2s=\" (\"inline\" (\"filename\" \"x\")) "
	    "(\"de\" \"en\") \"http://x/\")" },
	{ "Content-Type: application/pdf; name=\"a\\\"b\"\r\nContent-Language: de\r\n\r\nx",
	    "(\"application\" \"pdf\" (\"name\" \"a\\\"b\") NIL NIL \"7bit\" 1 NIL NIL \"de\" NIL)" },
	{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) \"mixed\" "
	    "(\"boundary\" \"b\") NIL NIL NIL)" },
	/* a digest's parts are messages by default */
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: i\r\n\r\nx\r\n--b--\r\n",
	    "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL \"i\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) "
	    "\"digest\" (\"boundary\" \"b\") NIL NIL NIL)" },
	/* IMAP has no multipart without parts */
	{ "Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL)" },
	{ "Content-Type: multipart/mixed\r\n\r\n--\r\n\r\nx\r\n",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 9 3 NIL NIL NIL NIL)" },
	{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1 NIL NIL NIL NIL)" },
	/* boundaries in headers, blanks after them, one that begins like another, none at the end */
	{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b \t\r\nContent-Type: "
	  "image/gif\r\n--b\r\n\r\n--bb\r\n--b--x\r\n--b",
	    "((\"image\" \"gif\" NIL NIL NIL \"7bit\" 0 NIL NIL NIL NIL)"
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 12 1 NIL NIL NIL NIL)"
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) \"mixed\" "
	    "(\"boundary\" \"b\") NIL NIL NIL)" },
	/* an outer boundary ends inner parts */
	{ "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/mixed; "
	  "boundary=i\r\n\r\n--i\r\n\r\nx\r\n--o\r\n\r\ny\r\n--o--\r\n",
	    "(((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) \"mixed\" "
	    "(\"boundary\" \"i\") NIL NIL NIL)"
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) \"mixed\" "
	    "(\"boundary\" \"o\") NIL NIL NIL)" },
	/* a message part without a body holds an empty message */
	{ "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: message/rfc822\r\n--o--\r\n",
	    "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) 0 NIL NIL NIL NIL) "
	    "\"mixed\" (\"boundary\" \"o\") NIL NIL NIL)" },
};

static void
bodystructures(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof structures / sizeof *structures; i++) {
		const struct mime *m = mime_parse(&a, str_of(structures[i].text), 0);

		tree_check(m, str_of(structures[i].text));
		ASSERT_STR(tree_bodystructure(&a, m), str_of(structures[i].want), structures[i].text);
	}
	arena_fini(&a);
}

/* Cut anywhere, with CRLF or LF, whole or truncated: the same tree, and a sound one. */
static void
check_everywhere(struct arena *a, struct str message)
{
	for (unsigned options = 0; options <= MIME_LF; options++) {
		struct str shown = options & MIME_LF ? with_crlf(a, message) : message;
		struct str whole = tree_record(a, tree_parse(a, message, options, message.n + 1));

		tree_check(tree_parse(a, message, options, message.n + 1), shown);
		for (size_t piece = 1; piece < message.n; piece = piece * 3 + 1)
			ASSERT_STR(tree_record(a, tree_parse(a, message, options, piece)), whole, "in pieces");
	}
}

static void
pieces(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	check_everywhere(&a, str_of(nested));
	for (size_t i = 0; i < sizeof structures / sizeof *structures; i++)
		check_everywhere(&a, str_of(structures[i].text));
	for (size_t n = 0; n < strlen(nested); n++) {
		check_everywhere(&a, str_sub(str_of(nested), 0, n));
		arena_reset(&a);
	}
	arena_fini(&a);
}

/* A file with LF is the same message as the one with CRLF. */
static void
lf_files(void **state)
{
	char lf[sizeof nested];
	const struct mime *m;
	struct arena a;
	size_t n = 0;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < strlen(nested); i++)
		if (nested[i] != '\r')
			lf[n++] = nested[i];
	m = mime_parse(&a, str_from(lf, n), MIME_LF);
	assert_true(m->has_bare_lf);
	assert_false(mime_parse(&a, str_of(nested), 0)->has_bare_lf);
	ASSERT_STR(tree_bodystructure(&a, m), tree_bodystructure(&a, mime_parse(&a, str_of(nested), 0)), "LF");
	assert_int_equal(m->size, strlen(nested));
	arena_fini(&a);
}

static void
envelopes(void **state)
{
	struct str text =
	    STR("Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nsubject: one\r\n two\r\nSubject: second\r\n"
		"From: =?UTF-8?Q?J?= <j@x>\r\nTo: a@x\r\nTo: b@x\r\nCc:\r\nMessage-ID: <m@x>\r\nIn-Reply-To:\r\n\r\n");
	struct arena a;
	struct buf b;

	(void)state;
	arena_init(&a);
	buf_init(&b, 10000);
	imaptext_envelope(&b, mime_parse(&a, text, 0)->root->envelope);
	ASSERT_STR(buf_str(&b),
	    STR("(\"Fri, 21 Nov 1997 09:55:06 -0600\" \"one two\" "
		"((\"=?UTF-8?Q?J?=\" NIL \"j\" \"x\")) ((\"=?UTF-8?Q?J?=\" NIL \"j\" \"x\")) ((\"=?UTF-8?Q?J?=\" NIL "
		"\"j\" \"x\")) "
		"((NIL NIL \"a\" \"x\")(NIL NIL \"b\" \"x\")) NIL NIL \"\" \"<m@x>\")"),
	    "envelope");
	buf_fini(&b);
	arena_fini(&a);
}

static struct str
deep_multiparts(struct arena *a, size_t levels)
{
	struct buf b;
	struct str out;

	buf_init(&b, SIZE_MAX / 16);
	for (size_t i = 0; i < levels; i++)
		buf_addf(&b, "Content-Type: multipart/mixed; boundary=b%zu\r\n\r\n--b%zu\r\n", i, i);
	buf_add(&b, STR("\r\ninnermost\r\n"));
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static size_t
depth_of(const struct mime_part *p)
{
	size_t n = 0;

	for (; p != NULL; p = p->parent)
		n++;
	return n;
}

static void
f02_depth(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (int kind = 0; kind < 2; kind++) {
		for (size_t levels = MIME_DEPTH_MAX - 2; levels < 10001;
		     levels = levels < MIME_DEPTH_MAX + 2 ? levels + 1 : levels * 9) {
			struct str text = kind == 0 ? deep_multiparts(&a, levels)
						    : repeated(&a, "Content-Type: message/rfc822\r\n\r\n", levels);
			const struct mime *m = mime_parse(&a, text, 0);
			size_t deepest = 0;

			tree_check(m, text);
			for (const struct mime_part *p = m->root; p != NULL; p = mime_next(p))
				deepest = depth_of(p) > deepest ? depth_of(p) : deepest;
			assert_int_equal(deepest, levels + 1 < MIME_DEPTH_MAX ? levels + 1 : MIME_DEPTH_MAX);
			assert_int_equal(m->limited, levels + 1 > MIME_DEPTH_MAX);
			assert_non_null(imapdata_read(&a, tree_record(&a, m), STR("")));
			arena_reset(&a);
		}
	}
	arena_fini(&a);
}

static void
f02_flat_parts(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t n = MIME_PARTS_MAX - 2; n < 100001; n = n < MIME_PARTS_MAX + 1 ? n + 1 : n * 9) {
		struct str text = arena_strf(
		    &a, "Content-Type: multipart/mixed; boundary=b\r\n\r\n%s", repeated(&a, "--b\r\n\r\nx\r\n", n).p);
		const struct mime *m = mime_parse(&a, text, 0);

		tree_check(m, text);
		assert_int_equal(m->parts, n + 1 < MIME_PARTS_MAX ? n + 1 : MIME_PARTS_MAX);
		assert_int_equal(m->limited, n + 1 >= MIME_PARTS_MAX);
		assert_non_null(imapdata_read(&a, tree_record(&a, m), STR("")));
		arena_reset(&a);
	}
	arena_fini(&a);
}

/* Much of everything: the tree stays small, the time linear, the sizes exact. */
static void
bounded(void **state)
{
	static const struct {
		const char *begin, *unit;
		size_t n;
	} big[] = {
		{ "Subject: x\r\n", " folded folded folded folded\r\n", 2000000 },
		{ "", "X: y\r\n", 1000000 },
		{ "", "To: a@b\r\n", 1000000 },
		{ "To: ", "a@b,", 1000000 },
		{ "To: ", "a@b,\r\n ", 100000 },
		{ "To: ", "g:;", 1000000 },
		{ "From: ", "(", 1000000 },
		{ "From: ", "<>", 1000000 },
		{ "Content-Type: a/b", ";a=b", 1000000 },
		{ "Content-Language: ", "a,", 1000000 },
		{ "", "a", 30000000 },
		{ "", "\r\n", 1000000 },
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--c\r\n", 1000000 },
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
		    "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", 100000 },
		{ "Content-Type: multipart/digest; boundary=b\r\n\r\n",
		    "--b\r\n\r\nSubject: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 100000 },
	};
	double start = cpu_seconds();
	struct arena a, tree;

	(void)state;
	arena_init(&a);
	arena_init(&tree);
	for (size_t i = 0; i < sizeof big / sizeof *big; i++) {
		struct str text = arena_strf(&a, "%s%s", big[i].begin, repeated(&a, big[i].unit, big[i].n).p);
		const struct mime *m = tree_parse(&tree, text, 0, 4096);

		assert_int_equal(m->size, text.n);
		assert_true(arena_used(&tree) < 3 * MIME_MEMORY_MAX / 2);
		arena_fini(&a);
		arena_fini(&tree);
	}
	assert_true(cpu_seconds() - start < 20);
}

static void
octets(void **state)
{
	const struct mime *m;
	struct arena a;

	(void)state;
	arena_init(&a);
	m = mime_parse(&a, STR("A: b\r\n\r\nx\0y"), 0);
	assert_true(m->has_nul && !m->has_8bit);
	m = mime_parse(&a, STR("A: \xc3\xb6\r\n\r\nx"), 0);
	assert_true(!m->has_nul && m->has_8bit);
	arena_fini(&a);
}

static void
check_file(int dir, const char *name)
{
	struct buf b;
	struct arena a;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	buf_init(&b, 1 << 24);
	arena_init(&a);
	assert_true(io_read_fd(fd, &b));
	check_everywhere(&a, buf_str(&b));
	arena_fini(&a);
	buf_fini(&b);
	close(fd);
}

static size_t
check_folder(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		struct str file = str_of(e->d_name);

		if (e->d_type == DT_DIR && *e->d_name != '.') {
			n += check_folder(dirfd(d), e->d_name);
		} else if (str_ends(file, STR(".eml")) || str_ends(file, STR(".msg")) || str_ends(file, STR(".txt"))) {
			check_file(dirfd(d), e->d_name);
			n++;
		}
	}
	closedir(d);
	return n;
}

/* The collections of other projects: only that parsing is sound and does not depend on the cuts; tests/mime_python.py
 * compares structures. */
static void
collections(void **state)
{
	static const char *const names[] = { "mime-mail-parser", "mime-mikel-mail", "mime-mime4j" };
	const char *vectors = getenv("POSTERN_VECTORS");
	int dir;
	size_t n = 0;

	(void)state;
	if (vectors == NULL)
		skip();
	dir = open(vectors, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		n += check_folder(dir, names[i]);
	close(dir);
	assert_true(n > 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(section_numbers),
		cmocka_unit_test(single_parts),
		cmocka_unit_test(bodystructures),
		cmocka_unit_test(pieces),
		cmocka_unit_test(lf_files),
		cmocka_unit_test(envelopes),
		cmocka_unit_test(f02_depth),
		cmocka_unit_test(f02_flat_parts),
		cmocka_unit_test(bounded),
		cmocka_unit_test(octets),
		cmocka_unit_test(collections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
