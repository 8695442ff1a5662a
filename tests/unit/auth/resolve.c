/* resolve.c - tests of what RCPT does with an address, and of whose address a login may send as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include <postern/auth/resolve.h>
#include <postern/core/buf.h>

#include "site.h"

struct fixture {
	struct site site;
	struct usage usage;
	struct resolver resolver;
	struct arena arena;
	struct resolve_answer answer;
};

static void
open_with(struct fixture *f, const char *top)
{
	site_open(&f->site, "", top);
	usage_init(&f->usage);
	arena_init(&f->arena);
	f->resolver = (struct resolver){ .dir = f->site.directory, .conf = f->site.conf, .usage = &f->usage };
}

static void
open_empty(struct fixture *f)
{
	open_with(f, "relay_from = { \"192.0.2.0/24\" }\n");
}

static void
open_full(struct fixture *f)
{
	static const char *info[] = { "alice@example.test", "bob@example.test", "carol@elsewhere.test" };

	open_empty(f);
	site_user(&f->site, "alice@example.test", "pw");
	site_user(&f->site, "bob@example.test", "pw");
	site_alias(&f->site, "info@example.test", info, 3);
}

static void
done(struct fixture *f)
{
	usage_fini(&f->usage);
	arena_fini(&f->arena);
	site_close(&f->site);
}

static void
ask(struct fixture *f, const struct resolve_ask *q)
{
	arena_reset(&f->arena);
	resolve(&f->resolver, q, &f->arena, &f->answer);
	if (f->answer.verdict == RESOLVE_TAKE)
		assert_true(f->answer.ntargets > 0 && f->answer.code == 250);
	else
		assert_true(f->answer.ntargets == 0 && f->answer.code >= 400);
	assert_true((f->answer.verdict == RESOLVE_LATER) == (f->answer.code / 100 == 4));
	assert_true(f->answer.enhanced[0] == (char)('0' + f->answer.code / 100));
}

static void
gives(struct fixture *f, struct str address, unsigned code, const char *enhanced)
{
	ask(f, &(struct resolve_ask){ .address = address, .client = site_source("203.0.113.1"), .smtputf8 = true });
	if (f->answer.code != code || strcmp(f->answer.enhanced, enhanced) != 0)
		fail_msg("%.*s: %u %s %s, not %u %s", STR_ARG(address), f->answer.code, f->answer.enhanced,
		    f->answer.words, code, enhanced);
}

static void
goes_to(struct fixture *f, const char *address, const char *want)
{
	struct buf got;

	gives(f, str_of(address), 250, "2.1.5");
	buf_init(&got, 4096);
	for (size_t i = 0; i < f->answer.ntargets; i++) {
		const struct resolve_target *t = &f->answer.targets[i];

		buf_addf(&got, "%s%s%.*s", i > 0 ? " " : "", t->local ? "" : "=>", STR_ARG(t->address));
		if (t->detail.n > 0)
			buf_addf(&got, "/%.*s", STR_ARG(t->detail));
	}
	if (strcmp(buf_cstr(&got), want) != 0)
		fail_msg("%s goes to %s, not %s", address, buf_cstr(&got), want);
	buf_fini(&got);
}

static void
e18_users_and_tags(void **state)
{
	struct fixture f;

	(void)state;
	open_full(&f);
	goes_to(&f, "alice@example.test", "alice@example.test");
	goes_to(&f, "ALICE@EXAMPLE.test", "alice@example.test");
	goes_to(&f, "alice@example.test.", "alice@example.test");
	goes_to(&f, "\"alice\"@example.test", "alice@example.test");
	goes_to(&f, "Alice+Lists@example.test", "alice@example.test/Lists");
	goes_to(&f, "alice+a+b@example.test", "alice@example.test/a+b");
	goes_to(&f, "alice+@example.test", "alice@example.test");
	goes_to(&f, "alice+/etc/x@example.test",
	    "alice@example.test//etc/x"); /* the store takes it for a folder that is not there */
	gives(&f, STR("alice+../../x@example.test"), 553, "5.1.3");
	gives(&f, STR("nobody@example.test"), 550, "5.1.1");
	gives(&f, STR("nobody+alice@example.test"), 550, "5.1.1");
	gives(&f, STR("+alice@example.test"), 550, "5.1.1");
	gives(&f, STR("alice@xn--bcher-kva.test"), 550, "5.1.1");
	done(&f);
}

/* One domain in all its forms (RFC 5891); a look-alike is another one. */
static void
one_domain(void **state)
{
	struct fixture f;

	(void)state;
	open_empty(&f);
	site_user(&f.site,
	    "j\xc3\xa9r\xc3\xb4me@b\xc3\xbc"
	    "cher.test",
	    "pw");
	goes_to(&f, "j\xc3\xa9r\xc3\xb4me@xn--bcher-kva.test", "j\xc3\xa9r\xc3\xb4me@xn--bcher-kva.test");
	goes_to(&f,
	    "j\xc3\xa9r\xc3\xb4me@B\xc3\x9c"
	    "CHER.Test",
	    "j\xc3\xa9r\xc3\xb4me@xn--bcher-kva.test");
	goes_to(&f,
	    "je\xcc\x81ro\xcc\x82me@bu\xcc\x88"
	    "cher.test",
	    "j\xc3\xa9r\xc3\xb4me@xn--bcher-kva.test");
	goes_to(&f, "j\xc3\xa9r\xc3\xb4me@XN--BCHER-KVA.test.", "j\xc3\xa9r\xc3\xb4me@xn--bcher-kva.test");
	gives(&f, STR("alice@ex\xd0\xb0mple.test"), 550, "5.7.1"); /* Cyrillic а */
	done(&f);
}

static void
e05_nothing_is_executed(void **state)
{
	static const struct str odd[] = { STR_INIT("\"$(touch${IFS}/tmp/p)\"@example.test"),
		STR_INIT("\"|id\"@example.test"), STR_INIT("|id@example.test"), STR_INIT("/etc/x@example.test"),
		STR_INIT("\":include:x\"@example.test"), STR_INIT("u%elsewhere.test@example.test"),
		STR_INIT("elsewhere.test!u@example.test"), STR_INIT("\"u@elsewhere.test\"@example.test"),
		STR_INIT("\" \"@example.test"), STR_INIT("`id`@example.test"), STR_INIT("..@example.test"),
		STR_INIT("\"\"@example.test"), STR_INIT("\"\\\"@example.test"), STR_INIT("@example.test"),
		STR_INIT("\xe2\x93\x90lice@example.test"), STR_INIT("alice\xef\xbc\xa0@example.test"),
		STR_INIT("a\xe2\x80\xaelice@example.test"), STR_INIT("al\xef\xac\x81@example.test"),
		STR_INIT("a\xc3@example.test"), STR_INIT(""), STR_INIT("@"), STR_INIT("alice"), STR_INIT("alice@"),
		STR_INIT("alice\0@example.test"), STR_INIT("@example.test:alice@elsewhere.test") };
	struct fixture f;

	(void)state;
	open_full(&f);
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		ask(&f,
		    &(struct resolve_ask){ .address = odd[i], .client = site_source("203.0.113.1"), .smtputf8 = true });
		if (f.answer.verdict != RESOLVE_REFUSE || (f.answer.code != 550 && f.answer.code != 553))
			fail_msg("%.*s: %u", STR_ARG(odd[i]), f.answer.code);
	}
	ask(&f,
	    &(struct resolve_ask){ .address = STR("j\xc3\xa9@example.test"), .client = site_source("203.0.113.1") });
	assert_int_equal(f.answer.code, 553);
	assert_string_equal(f.answer.enhanced, "5.6.7");
	done(&f);
}

static void
foreign(void **state)
{
	struct resolve_ask q = { .address = STR("Carol@Elsewhere.TEST"), .client = site_source("203.0.113.1") };
	struct fixture f;

	(void)state;
	open_full(&f);
	gives(&f, q.address, 550, "5.7.1");
	gives(&f, STR("x@[192.0.2.1]"), 550, "5.7.1");
	gives(&f, STR("x@example.test.elsewhere.test"), 550, "5.7.1");
	gives(&f, STR("x@sub.example.test"), 550, "5.7.1");
	q.login = STR("alice@example.test");
	ask(&f, &q);
	assert_true(f.answer.verdict == RESOLVE_TAKE && !f.answer.targets[0].local);
	assert_true(str_eq(f.answer.targets[0].address, STR("Carol@elsewhere.test")));
	q.login = STR("");
	q.client = site_source("192.0.2.77");
	ask(&f, &q);
	assert_int_equal(f.answer.verdict, RESOLVE_TAKE);
	q.client = site_source("192.0.3.77");
	ask(&f, &q);
	assert_int_equal(f.answer.code, 550);
	q.ours = true; /* a bounce */
	ask(&f, &q);
	assert_true(f.answer.verdict == RESOLVE_TAKE && !f.answer.targets[0].local);
	done(&f);
}

static void
aliases(void **state)
{
	static const char *team[] = { "info@example.test", "alice@example.test", "bob+team@example.test" };
	static const char *with_copy[] = { "bob@example.test", "bob@elsewhere.test" };
	static const char *dangling[] = { "nobody@example.test", "alice@example.test" };
	static const char *all[] = { "alice@example.test" };
	struct fixture f;

	(void)state;
	open_full(&f);
	goes_to(&f, "info@example.test", "alice@example.test bob@example.test =>carol@elsewhere.test");
	goes_to(&f, "Info+x@example.test", "alice@example.test bob@example.test =>carol@elsewhere.test");
	site_alias(&f.site, "team@example.test", team, 3);
	goes_to(&f, "team@example.test",
	    "alice@example.test bob@example.test =>carol@elsewhere.test bob@example.test/team");
	site_alias(&f.site, "bob@example.test", with_copy, 2);
	goes_to(&f, "bob@example.test", "bob@example.test =>bob@elsewhere.test");
	site_alias(&f.site, "half@example.test", dangling, 2);
	goes_to(&f, "half@example.test", "alice@example.test");
	gives(&f, STR("whoever@example.test"), 550, "5.1.1");
	site_alias(&f.site, "@example.test", all, 1);
	goes_to(&f, "whoever@example.test", "alice@example.test");
	gives(&f, STR("whoever@xn--bcher-kva.test"), 550, "5.1.1");
	done(&f);
}

static void
e21_loops(void **state)
{
	static const char *to_b[] = { "b@example.test" };
	static const char *to_a[] = { "a@example.test" };
	static const char *to_c_and_d[] = { "c@example.test", "d@example.test" };
	static const char *to_alice[] = { "x@example.test", "alice@example.test" };
	static const char *to_x[] = { "x@example.test" };
	struct fixture f;

	(void)state;
	open_full(&f);
	site_alias(&f.site, "a@example.test", to_b, 1);
	site_alias(&f.site, "b@example.test", to_a, 1);
	gives(&f, STR("a@example.test"), 550, "5.4.6");
	gives(&f, STR("b@example.test"), 550, "5.4.6");
	site_alias(&f.site, "y@example.test", to_alice, 2); /* x → y → x and alice: she gets it */
	site_alias(&f.site, "x@example.test", (const char *[]){ "y@example.test" }, 1);
	goes_to(&f, "x@example.test", "alice@example.test");
	site_alias(&f.site, "top@example.test", to_c_and_d, 2); /* two ways to one alias are no loop */
	site_alias(&f.site, "c@example.test", to_x, 1);
	site_alias(&f.site, "d@example.test", to_x, 1);
	goes_to(&f, "top@example.test", "alice@example.test");
	done(&f);
}

static void
deep_and_wide(void **state)
{
	struct fixture f;
	struct str *wide;

	(void)state;
	open_full(&f);
	for (int i = 0; i <= RESOLVE_DEPTH_MAX; i++) {
		char from[32];
		char to[32];
		const char *targets[] = { to };

		snprintf(from, sizeof from, "n%d@example.test", i);
		snprintf(to, sizeof to, i == 0 ? "alice@example.test" : "n%d@example.test", i - 1);
		site_alias(&f.site, from, targets, 1);
	}
	goes_to(&f, "n9@example.test", "alice@example.test");
	gives(&f, STR("n10@example.test"), 550, "5.4.6");

	wide = arena_array(&f.arena, ALIAS_TARGETS_MAX, sizeof *wide);
	for (int k = 0; k < 6; k++) {
		struct arena a;
		struct err e;
		char name[32];

		arena_init(&a);
		for (int i = 0; i < ALIAS_TARGETS_MAX; i++)
			wide[i] = arena_strf(&a, "r%d.%d@elsewhere.test", k, i);
		snprintf(name, sizeof name, "w%d@example.test", k);
		assert_true(admin_alias_add(&f.site.admin, str_of(name), wide, ALIAS_TARGETS_MAX, NULL, 0, &e));
		arena_fini(&a);
	}
	site_alias(&f.site, "five@example.test",
	    (const char *[]){
		"w0@example.test", "w1@example.test", "w2@example.test", "w3@example.test", "w4@example.test" },
	    5);
	gives(&f, STR("five@example.test"), 250, "2.1.5");
	assert_int_equal(f.answer.ntargets, RESOLVE_TARGETS_MAX);
	site_alias(&f.site, "six@example.test", (const char *[]){ "five@example.test", "w5@example.test" }, 2);
	gives(&f, STR("six@example.test"), 451, "4.3.5");
	done(&f);
}

static void
postmaster(void **state)
{
	struct fixture f;

	(void)state;
	open_empty(&f);
	gives(&f, STR("postmaster@example.test"), 451, "4.3.0");
	gives(&f, STR("Abuse@example.test"), 451, "4.3.0");
	site_user(&f.site, "zoe@example.test", "pw");
	site_user(&f.site, "alice@example.test", "pw");
	goes_to(&f, "postmaster@example.test", "zoe@example.test");
	goes_to(&f, "POSTMASTER", "zoe@example.test");
	goes_to(&f, "abuse@xn--bcher-kva.test", "zoe@example.test");
	goes_to(&f, "root@example.test", "zoe@example.test");
	gives(&f, STR("hostmaster@example.test"), 550, "5.1.1");
	gives(&f, STR("postmaster@elsewhere.test"), 550, "5.7.1");
	site_user(&f.site, "abuse@example.test", "pw");
	goes_to(&f, "abuse@example.test", "abuse@example.test");
	done(&f);

	open_with(&f, "postmaster = \"hm@elsewhere.test\"");
	goes_to(&f, "postmaster@example.test", "=>hm@elsewhere.test");
	done(&f);
	open_with(&f, "postmaster = \"postmaster@example.test\"");
	gives(&f, STR("postmaster@example.test"), 550, "5.4.6");
	done(&f);
}

static void
quota_and_status(void **state)
{
	struct resolve_ask q = {
		.address = STR("alice@example.test"), .client = site_source("203.0.113.1"), .size = 100
	};
	struct fixture f;
	struct err e;

	(void)state;
	open_full(&f);
	assert_true(admin_user_quota(&f.site.admin, STR("alice@example.test"), 1000, &e));
	usage_note(&f.usage, STR("alice@example.test"), 900);
	ask(&f, &q);
	assert_true(f.answer.verdict == RESOLVE_TAKE && f.answer.targets[0].quota == 1000);
	q.size = 101;
	ask(&f, &q);
	assert_true(f.answer.code == 452 && strcmp(f.answer.enhanced, "4.2.2") == 0);
	q.size = 1001;
	ask(&f, &q);
	assert_true(f.answer.code == 552 && strcmp(f.answer.enhanced, "5.2.2") == 0);
	q.size = 0;
	usage_note(&f.usage, STR("alice@example.test"), 1000);
	ask(&f, &q);
	assert_int_equal(f.answer.code, 452);
	goes_to(&f, "info@example.test", "alice@example.test bob@example.test =>carol@elsewhere.test");
	usage_forget(&f.usage, STR("alice@example.test"));
	gives(&f, q.address, 250, "2.1.5");
	q.size = UINT64_MAX;
	ask(&f, &q);
	assert_int_equal(f.answer.code, 552);

	assert_true(admin_user_disable(&f.site.admin, STR("alice@example.test"), &e));
	gives(&f, STR("alice@example.test"), 550, "5.2.1");
	goes_to(&f, "info@example.test", "bob@example.test =>carol@elsewhere.test");
	done(&f);
}

static void
explained(void **state)
{
	struct fixture f;
	struct buf text;

	(void)state;
	open_full(&f);
	buf_init(&text, 4096);
	gives(&f, STR("info+x@example.test"), 250, "2.1.5");
	resolve_explain(&f.answer, &text);
	assert_non_null(strstr(buf_cstr(&text), "250 2.1.5"));
	assert_non_null(strstr(buf_cstr(&text), "info@example.test is an alias for 3 addresses"));
	assert_non_null(strstr(buf_cstr(&text), "on to carol@elsewhere.test"));
	buf_clear(&text);
	gives(&f, STR("nobody@example.test"), 550, "5.1.1");
	resolve_explain(&f.answer, &text);
	assert_non_null(strstr(buf_cstr(&text), "nobody@example.test is no user and no alias"));
	buf_fini(&text);
	done(&f);
}

/* --- senders --- */

static void
may(struct fixture *f, const char *login, const char *address, enum may_send want)
{
	const char *why = NULL;
	enum may_send got = resolve_may_send(&f->resolver, str_of(login), str_of(address), &why);

	if (got != want)
		fail_msg("%s as %s: %d (%s)", login, address, got, why);
	assert_non_null(why);
}

static void
senders(void **state)
{
	static const struct str shop = STR_INIT("alice@example.test");
	static const struct str bob = STR_INIT("bob@example.test");
	const char *alice = "alice@example.test";
	struct fixture f;
	struct err e;

	(void)state;
	open_full(&f);
	may(&f, alice, alice, MAY_SEND);
	may(&f, alice, "Alice@EXAMPLE.test", MAY_SEND);
	may(&f, alice, "alice+shop@example.test", MAY_SEND);
	may(&f, alice, "", MAY_SEND);
	may(&f, alice, "bob@example.test", MAY_NOT_SEND);
	may(&f, alice, "bob+alice@example.test", MAY_NOT_SEND);
	may(&f, alice, "nobody@example.test", MAY_NOT_SEND);
	may(&f, alice, "alice@elsewhere.test", MAY_NOT_SEND);
	may(&f, alice, "alice@xn--bcher-kva.test", MAY_NOT_SEND);
	may(&f, alice, "\xe2\x93\x90lice@example.test", MAY_NOT_SEND);
	may(&f, alice, "alice", MAY_NOT_SEND);
	may(&f, alice, "info@example.test", MAY_SEND);
	may(&f, "bob@example.test", "info+x@example.test", MAY_SEND);
	may(&f, "nobody@example.test", "nobody@example.test", MAY_NOT_SEND);

	assert_true(admin_alias_add(&f.site.admin, STR("shop@example.test"), &shop, 1, &bob, 1, &e));
	may(&f, alice, "shop@example.test", MAY_NOT_SEND);
	may(&f, "bob@example.test", "shop@example.test", MAY_SEND);

	may(&f, alice, "postmaster@example.test", MAY_SEND); /* the first account */
	may(&f, "bob@example.test", "postmaster@example.test", MAY_NOT_SEND);
	may(&f, alice, "postmaster@elsewhere.test", MAY_NOT_SEND);
	site_user(&f.site, "abuse@example.test", "pw");
	may(&f, alice, "abuse@example.test", MAY_NOT_SEND);

	assert_true(admin_alias_add(&f.site.admin, STR("@example.test"), &bob, 1, NULL, 0, &e));
	may(&f, "bob@example.test", "anything@example.test", MAY_SEND);
	may(&f, "bob@example.test", alice, MAY_NOT_SEND);
	may(&f, "bob@example.test", "alice+x@example.test", MAY_NOT_SEND);
	may(&f, alice, "anything@example.test", MAY_NOT_SEND);

	assert_true(admin_user_disable(&f.site.admin, STR("alice@example.test"), &e));
	may(&f, alice, alice, MAY_NOT_SEND);
	done(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(e18_users_and_tags),
		cmocka_unit_test(one_domain),
		cmocka_unit_test(e05_nothing_is_executed),
		cmocka_unit_test(foreign),
		cmocka_unit_test(aliases),
		cmocka_unit_test(e21_loops),
		cmocka_unit_test(deep_and_wide),
		cmocka_unit_test(postmaster),
		cmocka_unit_test(quota_and_status),
		cmocka_unit_test(explained),
		cmocka_unit_test(senders),
	};

	return cmocka_run_group_tests_name("auth/resolve", tests, NULL, NULL);
}
