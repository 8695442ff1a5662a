/* names.c - tests of file names, mailbox names and the files beside a Maildir. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../../../src/store/dovecot.h"
#include "../../../src/store/fname.h"
#include "../../../src/store/name.h"
#include "../../../src/store/sidecar.h"

static void
k21_file_names(void **state)
{
	char base[FNAME_BASE_SIZE], fresh[FNAME_SIZE], cur[FNAME_SIZE];
	struct id id = id_new(), again;
	struct fname f;
	uint32_t flags;
	uint64_t keywords;
	char extra[8];

	(void)state;
	fname_base(base, INT64_C(1700000000000042), id, "mx.example.test");
	assert_true(str_starts(str_of(base), STR("1700000000.M000042I")));
	fname_fresh(fresh, INT64_C(1700000000000042), id, "mx.example.test", 77);
	assert_true(fname_parse(str_of(fresh), &f));
	assert_true(f.ours && f.clock == INT64_C(1700000000000042) && f.size == 77 && f.uid == 0);
	assert_true(fname_id(&f, &again) && id_eq(id, again) && str_eq(f.base, str_of(base)));
	assert_true(fname_write(cur, &f, 77, 9, STORE_SEEN | STORE_DRAFT, UINT64_C(1) << 35 | 1, STR("P")));
	assert_true(str_ends(str_of(cur), STR(",S=77,U=9:2,9DPSa")));
	/* a name of Dovecot keeps its fields and gets a UID */
	assert_true(fname_parse(STR("1.M2P3.host,S=5,W=6:2,Sz"), &f));
	assert_true(!f.ours && f.wire_size == 6 && str_eq(f.base, STR("1.M2P3.host")));
	fname_read_letters(f.letters, &flags, &keywords, extra, sizeof extra);
	assert_true(flags == STORE_SEEN && keywords == UINT64_C(1) << 25 && extra[0] == '\0');
	assert_true(fname_write(cur, &f, 5, 12, 0, 0, STR("")));
	assert_string_equal(cur, "1.M2P3.host,S=5,W=6,U=12:2,");
	assert_false(fname_ok(STR("")) || fname_ok(STR(".hidden")) || fname_ok(STR("a/b")) || fname_ok(STR(":2,")));
}

static void
mailbox_names(void **state)
{
	static const char *const pairs[][2] = { { "INBOX", "" }, { "Sent", ".Sent" }, { "a/b", ".a.b" }, { "v1.2\\x", ".v1\\2e2\\5cx" },
		{ "INBOX/x", ".INBOX.x" }, { "\xc3\xa9/&", ".&AOk-.&-" } };
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		buf_clear(&b);
		assert_true(name_to_dir(&b, str_of(pairs[i][0])));
		assert_string_equal(buf_cstr(&b), pairs[i][1]);
		buf_clear(&b);
		assert_true(i == 0 || (name_from_dir(&b, str_of(pairs[i][1])) && str_eq(buf_str(&b), str_of(pairs[i][0]))));
	}
	assert_false(name_from_dir(&b, STR(".")) || name_from_dir(&b, STR("..")) || name_from_dir(&b, STR(".a..b")) ||
	    name_from_dir(&b, STR(".inbox")) || name_from_dir(&b, STR("cur")));
	buf_clear(&b);
	assert_true(name_user_dir(&b, STR("../Etc@example.test")));
	assert_string_equal(buf_cstr(&b), "example.test/%2E.%2Fetc");
	assert_false(name_user_dir(&b, STR("nobody")) || name_user_dir(&b, STR("@x")));
	assert_true(name_below(STR("a/b"), STR("a")) && !name_below(STR("ab"), STR("a")) && !name_below(STR("a"), STR("a")));
	buf_fini(&b);
}

static void
sidecar_whole_or_nothing(void **state)
{
	struct sidecar s = { .id = id_new(), .uidvalidity = 5, .ceiling = 10001, .use = STORE_USE_JUNK, .subscribed = true,
		.nkeywords = 2, .keywords = { "$Forwarded", "x" } };
	struct sidecar again;
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	sidecar_write(&s, &b);
	assert_true(sidecar_parse(&again, buf_str(&b)));
	assert_memory_equal(&s, &again, sizeof s);
	for (size_t n = 0; n + 1 < b.n; n++) /* the last line end alone may be missing */
		assert_false(sidecar_parse(&again, str_sub(buf_str(&b), 0, n)));
	buf_add_char(&b, 'x');
	assert_false(sidecar_parse(&again, buf_str(&b)));
	buf_fini(&b);
}

static void
on_uid(void *ctx, uint32_t uid, struct str name)
{
	struct buf *b = ctx;

	buf_addf(b, "%u=%.*s ", uid, STR_ARG(name));
}

static void
on_dir(void *ctx, struct str dir)
{
	struct buf *b = ctx;

	buf_addf(b, "<%.*s>", STR_ARG(dir));
}

static void
dovecot_files(void **state)
{
	static const char text[] = "3 V7 N30 G0\n5 W10 :a,S=1:2,S\n4 :falls\nbad\n9 P1 S2 :b : c\n";
	char keywords[STORE_KEYWORDS_MAX][STORE_KEYWORD_SIZE + 1];
	struct dovecot_uidlist l;
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	assert_true(dovecot_uidlist_parse(&l, str_of(text), on_uid, &b));
	assert_true(l.uidvalidity == 7 && l.uidnext == 30);
	assert_string_equal(buf_cstr(&b), "5=a,S=1:2,S 9=b : c ");
	for (size_t n = 0; n < sizeof text; n++)
		dovecot_uidlist_parse(&l, str_from(text, n), on_uid, &b);
	assert_false(dovecot_uidlist_parse(&l, STR("1 7 30\n5 a\n"), on_uid, &b));
	assert_int_equal(dovecot_keywords_parse(STR("0 a\n3 d\n26 no\nx y\n1 b(\n"), keywords), 4);
	assert_string_equal(keywords[0], "a");
	assert_string_equal(keywords[1], "");
	assert_string_equal(keywords[3], "d");
	buf_clear(&b);
	dovecot_subscriptions_parse(STR("V\t2\n\nINBOX\nA\tB\n"), on_dir, &b);
	dovecot_subscriptions_parse(STR("INBOX\nINBOX.Sent\nA.B\n"), on_dir, &b);
	assert_string_equal(buf_cstr(&b), "<><.A.B><><.Sent><.A.B>");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(k21_file_names),
		cmocka_unit_test(mailbox_names),
		cmocka_unit_test(sidecar_whole_or_nothing),
		cmocka_unit_test(dovecot_files),
	};

	return cmocka_run_group_tests_name("store_names", tests, NULL, NULL);
}
