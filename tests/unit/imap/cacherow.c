/* cacherow.c - tests of what the cache keeps of a message: header lines byte by byte, keys, and what damage does to either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/mem.h>
#include <postern/message/charset.h>
#include <postern/message/header.h>
#include <postern/message/imaptext.h>

#include "cacherow.h"
#include "mailkeys.h"

static const char header[] =
	"Return-Path: <joe@x.test>\r\nReceived: from a by b\r\nfrom : \"J\xf6rg, M.\" <joerg@example.test>\r\nSUBJECT:Re: [list]"
	"  =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\tand more\r\nTo: Alice Example <alice@example.test>,\r\n bob@example.test\r\n"
	"no colon here\r\nX-Spam-Flag:\tYES\r\nDate: Fri, 20 Nov 2026 00:30:00 +0100\r\nMessage-ID: <one@x.test>\r\n"
	"References: <a@x> junk <b@x>\r\n <c@x>\r\nX-Priority: 1\r\nTo: second@example.test\r\n\r\n";

static void
make(struct str message, struct store_made *made)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	struct arena arena;

	assert_true(fd != -1 && io_write_all(fd, message));
	arena_init(&arena);
	buf_init(&made->row, SIZE_MAX);
	buf_init(&made->keys, SIZE_MAX);
	cacherow_write(made, mime_parse(&arena, message, 0), fd, false);
	arena_fini(&arena);
	close(fd);
}

static void
unmake(struct store_made *made)
{
	buf_fini(&made->row);
	buf_fini(&made->keys);
}

/* Every choice of names gives what HEADER.FIELDS finds in the header itself. */
static void
lines_as_they_stand(void **state)
{
	static const struct str names[] = { STR_INIT("FROM"), STR_INIT("subject"), STR_INIT("To"), STR_INIT("x-spam-flag"),
		STR_INIT("References"), STR_INIT("Cc"), STR_INIT("X-Priority"), STR_INIT("Return-Path") };
	enum { N = sizeof(names) / sizeof(*names) };
	struct store_made made;
	struct cacherow r;

	(void)state;
	make(str_of(header), &made);
	assert_true(cacherow_read(buf_str(&made.row), &r));
	assert_int_equal(r.lines.left_out, 0);
	for (unsigned choice = 0; choice < 1 << N; choice++) {
		struct str wanted[N];
		struct buf kept, whole;
		uint64_t bits;
		size_t n = 0;

		for (unsigned i = 0; i < N; i++)
			if (choice >> i & 1)
				wanted[n++] = names[i];
		buf_init(&kept, SIZE_MAX);
		buf_init(&whole, SIZE_MAX);
		assert_true(headlines_bits(wanted, n, &bits));
		headlines_select(&kept, &r.lines, bits);
		header_select(&whole, str_of(header), HEADER_ONLY, wanted, n);
		assert_string_equal(buf_cstr(&kept), buf_cstr(&whole));
		buf_fini(&kept);
		buf_fini(&whole);
	}
	unmake(&made);
}

static void
unlisted_names(void **state)
{
	static const struct str one[] = { STR_INIT("From"), STR_INIT("Received") };
	uint64_t bits;

	(void)state;
	assert_false(headlines_bits(one, 2, &bits));
	assert_true(headlines_bits(one, 1, &bits));
	assert_int_equal(bits, 1);
}

/* The empty line is part of HEADER.FIELDS when the header has one. */
static void
ends_of_headers(void **state)
{
	static const char *const headers[] = { "", "\r\n", "\n", "Subject: x\r\n\r\n", "Subject: x\n\n", "Subject: x\r\n", "Subject: x" };

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		struct str subject = STR("Subject");
		struct headlines h;
		struct buf record, kept, whole;
		uint64_t bits;

		buf_init(&record, SIZE_MAX);
		buf_init(&kept, SIZE_MAX);
		buf_init(&whole, SIZE_MAX);
		headlines_write(&record, str_of(headers[i]));
		assert_true(headlines_read(buf_str(&record), &h));
		headlines_bits(&subject, 1, &bits);
		headlines_select(&kept, &h, bits);
		header_select(&whole, str_of(headers[i]), HEADER_ONLY, &subject, 1);
		assert_string_equal(buf_cstr(&kept), buf_cstr(&whole));
		buf_fini(&record);
		buf_fini(&kept);
		buf_fini(&whole);
	}
}

static void
add_field(struct buf *out, const char *name, size_t octets)
{
	size_t end = out->n + octets;

	buf_add_cstr(out, name);
	while (out->n < end - 2)
		buf_add_char(out, 'x');
	buf_add_cstr(out, "\r\n");
}

static uint64_t
left_out_of(struct buf *fields)
{
	struct buf record;
	struct headlines h;
	uint64_t left_out;

	buf_init(&record, SIZE_MAX);
	buf_add_cstr(fields, "\r\n");
	headlines_write(&record, buf_str(fields));
	assert_true(headlines_read(buf_str(&record), &h));
	left_out = h.left_out;
	assert_true(record.n < HEADLINES_ALL_MAX + 1000);
	buf_fini(&record);
	return left_out;
}

/* HEADLINES_NAME_MAX and HEADLINES_ALL_MAX: what is too much is not half kept, and what comes first in the list stays. */
static void
limits(void **state)
{
	static const char *const names[] = { "X-Mailer:", "Cc:", "From:", "To:", "Subject:" };
	uint64_t mailer, to;
	struct buf fields;

	(void)state;
	headlines_bits(&(struct str){ "X-Mailer", 8 }, 1, &mailer);
	headlines_bits(&(struct str){ "To", 2 }, 1, &to);
	buf_init(&fields, SIZE_MAX);
	add_field(&fields, "To: ", HEADLINES_NAME_MAX);
	assert_int_equal(left_out_of(&fields), 0);
	buf_clear(&fields);
	add_field(&fields, "To: ", HEADLINES_NAME_MAX / 2);
	add_field(&fields, "To: ", HEADLINES_NAME_MAX / 2 + 1);
	assert_int_equal(left_out_of(&fields), to);
	buf_clear(&fields);
	for (size_t i = 0; i < 5; i++)
		add_field(&fields, names[i], HEADLINES_NAME_MAX);
	assert_int_equal(left_out_of(&fields), mailer);
	buf_fini(&fields);
}

/* A string that stands in the lines is not kept twice; all come back. */
static void
strings_are_shared(void **state)
{
	const struct mime_envelope *e;
	struct store_made made;
	struct arena arena;
	struct cacherow r;

	(void)state;
	arena_init(&arena);
	make(str_of(header), &made);
	assert_true(cacherow_read(buf_str(&made.row), &r));
	assert_int_equal(str_search(r.data, STR("alice")), r.data.n);
	e = cacherow_envelope(&arena, &r);
	assert_non_null(e);
	assert_true(str_eq(e->to.first->local, STR("alice")));
	assert_true(str_eq(e->message_id, STR("<one@x.test>")));
	assert_true(str_eq(e->references, STR("<a@x> junk <b@x> <c@x>")));
	assert_int_equal(e->to.n, 3);
	unmake(&made);
	arena_fini(&arena);
}

static void
keys(void **state)
{
	struct store_made made;
	struct mailkeys k, other;

	(void)state;
	make(str_of(header), &made);
	assert_true(mailkeys_read(buf_str(&made.keys), &k));
	assert_int_equal(k.flags, MAILKEYS_FLAGS);
	assert_int_equal(k.sent, 1795131000);
	assert_int_equal(k.day, 1795131000 / 86400 + 1); /* in its own zone it is the next day already */
	assert_memory_equal(k.text[KEY_SUBJECT].p, "RE: [LIST]", 10);
	assert_true(str_ends(k.text[KEY_SUBJECT], STR("E\tAND MORE")));
	assert_true(str_ends(k.text[KEY_BASE_SUBJECT], STR("E AND MORE")));
	assert_memory_equal(k.text[KEY_BASE_SUBJECT].p, "GRU", 3);
	assert_true(str_eq(k.text[KEY_TO], STR("ALICE")));
	assert_true(str_starts(k.text[KEY_ALL_TO], STR("ALICE EXAMPLE <ALICE@")));
	assert_int_equal(k.text[KEY_ALL_CC].n, 0);
	assert_true(mailkeys_read_first(buf_str(&made.keys), &other, KEY_ALL_FROM));
	assert_true(str_eq(other.text[KEY_SUBJECT], k.text[KEY_SUBJECT]));
	assert_true(str_eq(k.text[KEY_DISPLAY_TO], STR("ALICE EXAMPLE")));
	assert_int_equal(k.text[KEY_CC].n, 0);
	assert_int_equal(k.nreferences, 3);
	assert_true(mailkeys_reference(&k, 0) != mailkeys_reference(&k, 2));
	unmake(&made);
	make(STR("In-Reply-To: <one@x.test> <two@x.test>\r\nMessage-ID: <c@x>\r\n\r\n"), &made);
	assert_true(mailkeys_read(buf_str(&made.keys), &other));
	assert_int_equal(other.flags, MAILKEYS_ID | MAILKEYS_WHOLE);
	assert_int_equal(other.nreferences, 1);
	assert_int_equal(other.subject, 0);
	unmake(&made);
}

/* Long lists of addresses would make every walk over the keys long. */
static void
long_lists(void **state)
{
	struct buf head;
	struct store_made made;
	struct mailkeys k;

	(void)state;
	buf_init(&head, SIZE_MAX);
	buf_add_cstr(&head, "From: a@x.test\r\nTo: a@x.test");
	while (head.n < MAILKEYS_ADDRESSES_MAX)
		buf_add_cstr(&head, ",\r\n b@x.test");
	buf_add_cstr(&head, "\r\n\r\n");
	make(buf_str(&head), &made);
	assert_true(mailkeys_read(buf_str(&made.keys), &k));
	assert_int_equal(k.flags, MAILKEYS_WHOLE);
	assert_true(str_search(k.text[KEY_ALL_TO], STR("<A@X.TEST>")) < 2);
	unmake(&made);
	buf_cut(&head, head.n - 4);
	for (int i = 0; i < 50; i++)
		buf_add_cstr(&head, ",\r\n b@x.test");
	buf_add_cstr(&head, "\r\n\r\n");
	make(buf_str(&head), &made);
	assert_true(mailkeys_read(buf_str(&made.keys), &k));
	assert_int_equal(k.flags, 0);
	assert_int_equal(k.text[KEY_ALL_FROM].n + k.text[KEY_ALL_TO].n, 0);
	assert_true(str_eq(k.text[KEY_TO], STR("A")));
	unmake(&made);
	buf_fini(&head);
}

static void
check_row(struct str row)
{
	struct arena arena;
	struct cacherow r;
	struct buf out;

	if (!cacherow_read(row, &r))
		return;
	arena_init(&arena);
	buf_init(&out, SIZE_MAX);
	headlines_select(&out, &r.lines, ~UINT64_C(0));
	assert_true(out.n <= row.n);
	cacherow_envelope(&arena, &r);
	if (cacherow_tree(&arena, &r) != NULL)
		imaptext_bodystructure(&out, cacherow_tree(&arena, &r)->root, IMAPTEXT_GLOBAL_MESSAGE);
	buf_fini(&out);
	arena_fini(&arena);
}

static void
check_keys(struct str row)
{
	struct mailkeys k;
	struct buf all;

	if (!mailkeys_read(row, &k))
		return;
	buf_init(&all, SIZE_MAX);
	for (size_t i = 0; i < KEY_TEXTS; i++)
		buf_add(&all, k.text[i]);
	for (size_t i = 0; i < k.nreferences; i++)
		buf_add_u64(&all, mailkeys_reference(&k, i));
	buf_fini(&all);
}

/* Every truncation is refused; every changed byte is, or reads as something that does no harm. */
static void
damage(struct str row, void (*check)(struct str))
{
	for (size_t i = 0; i < row.n; i++) {
		char *copy = mem_cstr(row);
		char *cut = mem_cstr(str_sub(row, 0, i));

		check(str_from(cut, i));
		for (unsigned bit = 0; bit < 8; bit++) {
			copy[i] = (char)(row.p[i] ^ 1 << bit);
			check(str_from(copy, row.n));
		}
		copy[i] = (char)0xff;
		check(str_from(copy, row.n));
		free(copy);
		free(cut);
	}
}

static void
damaged(void **state)
{
	struct store_made made;
	struct mailkeys k;
	struct cacherow r;

	(void)state;
	make(str_of(header), &made);
	damage(buf_str(&made.row), check_row);
	damage(buf_str(&made.keys), check_keys);
	for (size_t i = 0; i < made.keys.n; i++)
		assert_false(mailkeys_read(str_sub(buf_str(&made.keys), 0, i), &k));
	made.keys.p[0]--;
	made.row.p[0]--;
	assert_false(mailkeys_read(buf_str(&made.keys), &k));
	assert_false(cacherow_read(buf_str(&made.row), &r));
	assert_false(cacherow_read(STR(""), &r));
	unmake(&made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_as_they_stand),
		cmocka_unit_test(unlisted_names),
		cmocka_unit_test(ends_of_headers),
		cmocka_unit_test(limits),
		cmocka_unit_test(strings_are_shared),
		cmocka_unit_test(keys),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(damaged),
	};
	int failed;

	charset_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	charset_fini();
	return failed;
}
