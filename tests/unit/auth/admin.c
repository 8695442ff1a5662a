/* admin.c - tests of the administrator's commands: what they do, and that each refusal says what is wrong and what to
 * do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <postern/auth/login.h>

#include "site.h"

static const struct admin_secret secret = { .password = STR_INIT("correct horse") };

static void
says(bool ok, const struct err *e, const char *words)
{
	assert_false(ok);
	if (strstr(e->log, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e->log, words);
	assert_null(strstr(e->log, "correct horse"));
}

static void
users(void **state)
{
	struct admin_secret hash = { .hash = STR("{MD5-CRYPT}$1$x$y") };
	struct admin_secret empty = { .password = STR("") };
	struct user u;
	struct arena a;
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, "", "");
	arena_init(&a);
	says(admin_user_add(&s.admin, STR("alice"), &secret, 0, &e), &e, "name@domain");
	says(admin_user_add(&s.admin, STR("alice@elsewhere.test"), &secret, 0, &e), &e,
	    "postern domain add elsewhere.test");
	says(admin_user_add(&s.admin, STR("a+b@example.test"), &secret, 0, &e), &e, "tag");
	says(admin_user_add(&s.admin, STR("@example.test"), &secret, 0, &e), &e, "name@domain");
	says(admin_user_add(&s.admin, STR("alice@example.test"), &empty, 0, &e), &e, "empty");
	says(admin_user_add(&s.admin, STR("alice@example.test"), &hash, 0, &e), &e, "MD5");
	assert_true(admin_user_add(&s.admin, STR(" Alice@Example.Test\n"), &secret, QUOTA_DEFAULT, &e));
	says(admin_user_add(&s.admin, STR("alice@example.test"), &secret, 0, &e), &e, "postern user passwd");
	assert_true(admin_user_show(&s.admin, STR("ALICE@example.test"), &a, &u, &e));
	assert_true(str_eq(u.address, STR("alice@example.test")));
	assert_int_equal(admin_quota(s.conf, &u), s.conf->limits.quota);
	assert_true(admin_user_quota(&s.admin, STR("alice@example.test"), 7, &e));
	assert_true(admin_user_show(&s.admin, STR("alice@example.test"), &a, &u, &e));
	assert_int_equal(admin_quota(s.conf, &u), 7);
	says(admin_user_quota(&s.admin, STR("bob@example.test"), 7, &e), &e, "postern user list");
	says(admin_user_del(&s.admin, STR("bob@example.test"), &e), &e, "no account");
	says(admin_user_passwd(&s.admin, STR("bob@example.test"), &secret, &e), &e, "no account");
	says(admin_user_show(&s.admin, STR("bob@example.test"), &a, &u, &e), &e, "no account");
	assert_true(admin_user_del(&s.admin, STR("alice@example.test"), &e));
	assert_false(admin_user_show(&s.admin, STR("alice@example.test"), &a, &u, &e));
	arena_fini(&a);
	site_close(&s);
}

static void
passwords(void **state)
{
	struct admin_secret other = { .password = STR("battery staple") };
	struct admin_secret hash = { .hash = STR(
					 "{CRYPT}$y$j75$SaltSaltSalt$8bLYxEHb2EL2oK.4ilFgwW24QyJJ.xlZqzG3IWuek2A") };
	struct str alice = STR("alice@example.test");
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, "", "");
	assert_true(admin_user_add(&s.admin, alice, &secret, 0, &e));
	assert_int_equal(login_check_now(s.directory, s.conf, alice, secret.password, &e), LOGIN_OK);
	assert_int_equal(login_check_now(s.directory, s.conf, STR("Alice"), secret.password, &e), LOGIN_OK);
	assert_int_equal(login_check_now(s.directory, s.conf, alice, other.password, &e), LOGIN_WRONG);
	says(false, &e, "not that of alice@example.test");
	assert_true(admin_user_passwd(&s.admin, alice, &other, &e));
	assert_int_equal(login_check_now(s.directory, s.conf, alice, secret.password, &e), LOGIN_WRONG);
	assert_int_equal(login_check_now(s.directory, s.conf, alice, other.password, &e), LOGIN_OK);
	assert_true(admin_user_passwd(&s.admin, alice, &hash, &e));
	assert_int_equal(login_check_now(s.directory, s.conf, alice, STR("pencil"), &e), LOGIN_OK);
	assert_true(admin_user_disable(&s.admin, alice, &e));
	assert_int_equal(login_check_now(s.directory, s.conf, alice, STR("pencil"), &e), LOGIN_WRONG);
	says(false, &e, "postern user enable");
	assert_true(admin_user_enable(&s.admin, alice, &e));
	assert_int_equal(login_check_now(s.directory, s.conf, alice, STR("pencil"), &e), LOGIN_OK);
	assert_int_equal(login_check_now(s.directory, s.conf, STR("bob"), STR("pencil"), &e), LOGIN_WRONG);
	says(false, &e, "bob@example.test is no account");
	site_close(&s);
}

static void
aliases(void **state)
{
	struct str alice = STR("alice@example.test");
	struct str nobody = STR("nobody@example.test");
	struct str self = STR("info@example.test");
	struct str bad = STR("not an address");
	struct alias al;
	struct arena a;
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, "", "");
	arena_init(&a);
	assert_true(admin_user_add(&s.admin, alice, &secret, 0, &e));
	says(admin_alias_add(&s.admin, STR("info@elsewhere.test"), &alice, 1, NULL, 0, &e), &e, "postern domain list");
	says(admin_alias_add(&s.admin, STR("info@example.test"), &bad, 1, NULL, 0, &e), &e, "name@domain");
	says(admin_alias_add(&s.admin, STR("info@example.test"), NULL, 0, NULL, 0, &e), &e, "at least one target");
	says(admin_alias_add(&s.admin, self, &self, 1, NULL, 0, &e), &e, "alias for itself");
	says(admin_alias_add(&s.admin, STR("info@example.test"), &alice, 1, &nobody, 1, &e), &e, "no such account");
	says(admin_alias_add(&s.admin, alice, &nobody, 1, NULL, 0, &e), &e, "among the targets");
	assert_true(admin_alias_add(
	    &s.admin, STR("Info@example.test"), (struct str[]){ alice, STR("ALICE@example.test") }, 2, NULL, 0, &e));
	assert_int_equal(directory_alias(s.directory, self, &a, &al, &e), DIRECTORY_FOUND);
	assert_true(al.ntargets == 1 && al.nsenders == 1 && str_eq(al.senders[0], alice));
	says(admin_alias_add(&s.admin, self, &alice, 1, NULL, 0, &e), &e, "postern alias del");
	says(admin_user_add(&s.admin, self, &secret, 0, &e), &e, "postern alias del info@example.test");
	assert_true(admin_alias_add(&s.admin, STR("@Example.test"), &alice, 1, NULL, 0, &e));
	assert_int_equal(directory_alias(s.directory, STR("@example.test"), &a, &al, &e), DIRECTORY_FOUND);
	assert_true(admin_alias_del(&s.admin, STR("INFO@example.test"), &e));
	says(admin_alias_del(&s.admin, STR("info@example.test"), &e), &e, "postern alias list");
	assert_true(admin_alias_del(&s.admin, STR("@example.test"), &e));
	arena_fini(&a);
	site_close(&s);
}

static void
domains(void **state)
{
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, "", "");
	says(admin_domain_add(&s.admin, STR("not a domain"), &e), &e, "no domain name");
	says(admin_domain_add(&s.admin, STR("Example.TEST"), &e), &e, "test.conf:2");
	says(admin_domain_del(&s.admin, STR("example.test"), &e), &e, "test.conf:2");
	says(admin_domain_free(s.conf,
		 STR("b\xc3\xbc"
		     "cher.test"),
		 &e),
	    &e, "test.conf:2");
	assert_true(admin_domain_free(s.conf, STR("two.test"), &e));
	s.admin.part = true;
	says(admin_domain_del(&s.admin, STR("example.test"), &e), &e, "the configuration file");
	assert_true(admin_domain_add(&s.admin, STR("Two.Test."), &e));
	says(admin_domain_add(&s.admin, STR("two.test"), &e), &e, "already");
	assert_true(admin_user_add(&s.admin, STR("x@two.test"), &secret, 0, &e));
	says(admin_domain_del(&s.admin, STR("two.test"), &e), &e, "x@two.test");
	assert_true(admin_user_del(&s.admin, STR("x@two.test"), &e));
	assert_true(admin_domain_del(&s.admin, STR("two.test"), &e));
	says(admin_domain_del(&s.admin, STR("two.test"), &e), &e, "postern domain list");
	site_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users),
		cmocka_unit_test(passwords),
		cmocka_unit_test(aliases),
		cmocka_unit_test(domains),
	};

	return cmocka_run_group_tests_name("auth/admin", tests, NULL, NULL);
}
