/* directory.c - tests of the directory: every change, lists in pages, damaged rows, and ten thousand random steps
 * against a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <postern/core/mem.h>

#include "site.h"

static struct user
plain_user(const char *address)
{
	struct user u = { .address = str_of(address), .quota = QUOTA_DEFAULT };

	snprintf(u.verifier.hash, sizeof u.verifier.hash, "$6$x$%s", address);
	return u;
}

static void
users(void **state)
{
	struct user u = plain_user("alice@example.test");
	struct user other = plain_user("new");
	struct user got;
	struct site s;
	struct arena a;
	struct err e;
	uint64_t version;

	(void)state;
	site_open(&s, "", "");
	arena_init(&a);
	u.verifier.scram = (struct scram_keys){ .iterations = 20000, .salt = { 1 }, .stored = { 2 }, .server = { 3 } };
	assert_int_equal(directory_user(s.directory, u.address, &a, &got, &e), DIRECTORY_MISSING);
	assert_true(directory_user_add(s.directory, &u, &e));
	assert_false(directory_user_add(s.directory, &u, &e));
	assert_int_equal(e.class, ERR_PERM);
	site_reopen(&s);
	assert_int_equal(directory_user(s.directory, u.address, &a, &got, &e), DIRECTORY_FOUND);
	assert_true(str_eq(got.address, u.address) && !got.disabled && got.quota == QUOTA_DEFAULT && got.created > 0);
	assert_memory_equal(&got.verifier, &u.verifier, sizeof u.verifier);
	version = got.version;

	assert_true(directory_user_set_quota(s.directory, u.address, 5000, &e));
	assert_int_equal(directory_user(s.directory, u.address, &a, &got, &e), DIRECTORY_FOUND);
	assert_true(got.quota == 5000 && got.version == version);
	assert_true(directory_user_set_disabled(s.directory, u.address, true, &e));
	assert_int_equal(directory_user(s.directory, u.address, &a, &got, &e), DIRECTORY_FOUND);
	assert_true(got.disabled && got.version != version);
	version = got.version;
	assert_true(directory_user_set_verifier(s.directory, u.address, &other.verifier, &e));
	assert_int_equal(directory_user(s.directory, u.address, &a, &got, &e), DIRECTORY_FOUND);
	assert_true(
	    got.version != version && strcmp(got.verifier.hash, "$6$x$new") == 0 && got.verifier.scram.iterations == 0);

	assert_false(directory_user_upgrade(s.directory, u.address, version, &u.verifier, &e));
	assert_true(directory_user_upgrade(s.directory, u.address, got.version, &u.verifier, &e));
	version = got.version;
	assert_int_equal(directory_user(s.directory, u.address, &a, &got, &e), DIRECTORY_FOUND);
	assert_true(got.version == version && strcmp(got.verifier.hash, u.verifier.hash) == 0);

	assert_true(directory_user_del(s.directory, u.address, &e));
	assert_false(directory_user_del(s.directory, u.address, &e));
	assert_true(directory_user_add(s.directory, &u, &e));
	assert_int_equal(directory_user(s.directory, u.address, &a, &got, &e), DIRECTORY_FOUND);
	assert_true(got.version > version);
	arena_fini(&a);
	site_close(&s);
}

static void
expect_first(struct site *s, const char *want)
{
	struct arena a;
	struct str first = STR("");
	struct err e;

	arena_init(&a);
	assert_int_equal(
	    directory_first_user(s->directory, &a, &first, &e), want != NULL ? DIRECTORY_FOUND : DIRECTORY_MISSING);
	if (want != NULL)
		assert_true(str_eq(first, str_of(want)));
	arena_fini(&a);
}

static void
first_user(void **state)
{
	struct user z = plain_user("zoe@example.test");
	struct user b = plain_user("bob@example.test");
	struct user a = plain_user("alice@example.test");
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, "", "");
	expect_first(&s, NULL);
	assert_true(directory_user_add(s.directory, &z, &e) && directory_user_add(s.directory, &b, &e) &&
		    directory_user_add(s.directory, &a, &e));
	expect_first(&s, "zoe@example.test");
	assert_true(directory_user_del(s.directory, a.address, &e));
	expect_first(&s, "zoe@example.test");
	assert_true(directory_user_add(s.directory, &a, &e) && directory_user_del(s.directory, z.address, &e));
	expect_first(&s, "bob@example.test");
	assert_true(directory_user_del(s.directory, b.address, &e) && directory_user_del(s.directory, a.address, &e));
	expect_first(&s, NULL);
	site_close(&s);
}

static void
aliases_and_domains(void **state)
{
	struct str targets[] = { STR("a@example.test"), STR("b@elsewhere.test") };
	struct str senders[] = { STR("a@example.test") };
	struct alias al = { .address = STR("info@example.test"),
		.targets = targets,
		.ntargets = 2,
		.senders = senders,
		.nsenders = 1 };
	struct alias got;
	struct domain dom;
	struct directory_counts count;
	struct site s;
	struct arena a;
	struct err e;

	(void)state;
	site_open(&s, "", "");
	arena_init(&a);
	assert_true(directory_alias_add(s.directory, &al, &e));
	assert_false(directory_alias_add(s.directory, &al, &e));
	site_reopen(&s);
	assert_int_equal(directory_alias(s.directory, al.address, &a, &got, &e), DIRECTORY_FOUND);
	assert_true(got.ntargets == 2 && str_eq(got.targets[1], targets[1]) && got.nsenders == 1);
	al.ntargets = 0;
	al.address = STR("x@example.test");
	assert_false(directory_alias_add(s.directory, &al, &e));
	assert_true(directory_domain_add(s.directory, STR("two.test"), &e));
	assert_false(directory_domain_add(s.directory, STR("two.test"), &e));
	assert_int_equal(directory_domain(s.directory, STR("two.test"), &a, &dom, &e), DIRECTORY_FOUND);
	assert_true(directory_count(s.directory, &count, &e));
	assert_true(count.users == 0 && count.aliases == 1 && count.domains == 1);
	assert_true(directory_alias_del(s.directory, STR("info@example.test"), &e));
	assert_true(directory_domain_del(s.directory, STR("two.test"), &e));
	assert_int_equal(directory_domain(s.directory, STR("two.test"), &a, &dom, &e), DIRECTORY_MISSING);
	assert_false(directory_domain_del(s.directory, STR("two.test"), &e));
	arena_fini(&a);
	site_close(&s);
}

static void
largest_alias(void **state)
{
	static char names[ALIAS_TARGETS_MAX][DIRECTORY_NAME_MAX + 1];
	struct str targets[ALIAS_TARGETS_MAX];
	struct alias al = { .address = STR("all@example.test"), .targets = targets, .ntargets = ALIAS_TARGETS_MAX };
	struct alias got;
	struct site s;
	struct arena a;
	struct err e;

	(void)state;
	site_open(&s, "", "");
	arena_init(&a);
	for (int i = 0; i < ALIAS_TARGETS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "%0*d@example.test", DIRECTORY_NAME_MAX - 13, i);
		targets[i] = str_of(names[i]);
		assert_int_equal(targets[i].n, DIRECTORY_NAME_MAX);
	}
	assert_true(directory_alias_add(s.directory, &al, &e));
	assert_int_equal(directory_alias(s.directory, al.address, &a, &got, &e), DIRECTORY_FOUND);
	assert_int_equal(got.ntargets, ALIAS_TARGETS_MAX);
	assert_true(str_eq(got.targets[ALIAS_TARGETS_MAX - 1], targets[ALIAS_TARGETS_MAX - 1]));
	arena_fini(&a);
	site_close(&s);
}

static void
pages(void **state)
{
	struct directory_page page = { .max = 7, .more = true };
	struct user list[7];
	struct str after = STR("");
	struct site s;
	struct arena a;
	struct err e;
	size_t seen = 0;

	(void)state;
	site_open(&s, "", "");
	arena_init(&a);
	for (int i = 0; i < 30; i++) {
		char name[64];
		struct user u;

		snprintf(name, sizeof name, "u%02d@example.test", (i * 7) % 30);
		u = plain_user(name);
		assert_true(directory_user_add(s.directory, &u, &e));
	}
	while (page.more) {
		assert_true(directory_users(s.directory, after, &a, &page, list, &e));
		assert_true(page.n <= 7);
		for (size_t i = 0; i < page.n; i++, seen++) {
			assert_true(str_cmp(after, list[i].address) < 0);
			after = list[i].address;
		}
	}
	assert_int_equal(seen, 30);
	assert_true(directory_users(s.directory, STR("u28x"), &a, &page, list, &e));
	assert_true(page.n == 1 && !page.more);
	arena_fini(&a);
	site_close(&s);
}

/* Writes a row past the module, as a broken disk or hand would. */
static void
put_raw(struct site *s, const char *table, struct str key, struct str row)
{
	char path[128];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	char kept[64];
	MDB_val k = { key.n, kept };
	MDB_val v = { row.n, mem_cstr(row) };

	memcpy(kept, key.p, key.n);
	directory_close(s->directory);
	s->directory = NULL;
	snprintf(path, sizeof path, "%s/directory.mdb", s->dir);
	assert_int_equal(mdb_env_create(&env), 0);
	mdb_env_set_maxdbs(env, 8);
	assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	free(v.mv_data);
}

static void
damaged_row(void **state)
{
	struct user good = plain_user("good@example.test");
	struct str bad = STR("bad@example.test");
	struct directory_page page = { .max = 10 };
	struct user list[10];
	struct user got;
	struct site s;
	struct arena a;
	struct err e;

	(void)state;
	site_open(&s, "", "");
	arena_init(&a);
	assert_true(directory_user_add(s.directory, &good, &e));
	put_raw(&s, "user", bad, STR("\1\0garbage"));
	site_reopen(&s);
	assert_int_equal(directory_user(s.directory, bad, &a, &got, &e), DIRECTORY_FAILED);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.log, "bad@example.test"));
	assert_int_equal(directory_user(s.directory, good.address, &a, &got, &e), DIRECTORY_FOUND);
	assert_true(directory_users(s.directory, STR(""), &a, &page, list, &e));
	assert_int_equal(page.n, 2);
	assert_true(list[0].damaged && !list[1].damaged);
	assert_false(directory_user_set_quota(s.directory, bad, 1, &e));
	assert_true(directory_user_del(s.directory, bad, &e));
	arena_fini(&a);
	site_close(&s);
}

static void
newer_schema(void **state)
{
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, "", "");
	put_raw(&s, "meta", STR("schema"), str_from("\0\0\0\0\0\0\0\11", 8));
	assert_null(directory_open(s.dir, &e));
	assert_int_equal(e.class, ERR_PERM);
	assert_non_null(strstr(e.log, "newer"));
	site_close(&s);
}

static void
file_is_private(void **state)
{
	char path[128];
	struct stat st;
	struct site s;
	struct err e;

	(void)state;
	site_open(&s, "", "");
	snprintf(path, sizeof path, "%s/directory.mdb", s.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_null(directory_open("/nonexistent", &e));
	assert_int_equal(e.class, ERR_TEMP);
	site_close(&s);
}

/* --- against a model --- */

enum { MODEL_USERS = 60, STEPS = 10000 };

struct model {
	bool there[MODEL_USERS];
	bool disabled[MODEL_USERS];
	uint64_t quota[MODEL_USERS];
	uint64_t version[MODEL_USERS];
	uint64_t highest;
	unsigned secret[MODEL_USERS];
};

static uint32_t
next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

static void
compare_one(struct site *s, struct model *m, unsigned i, struct str name)
{
	struct arena a;
	struct user u;
	struct err e;
	char hash[32];

	arena_init(&a);
	assert_int_equal(
	    directory_user(s->directory, name, &a, &u, &e), m->there[i] ? DIRECTORY_FOUND : DIRECTORY_MISSING);
	if (m->there[i]) {
		snprintf(hash, sizeof hash, "$6$x$%u", m->secret[i]);
		assert_string_equal(u.verifier.hash, hash);
		assert_true(u.disabled == m->disabled[i] && u.quota == m->quota[i]);
		assert_true(u.version == m->version[i] || u.version > m->highest);
		m->version[i] = u.version;
		if (u.version > m->highest)
			m->highest = u.version;
	}
	arena_fini(&a);
}

static bool
step(struct site *s, struct model *m, unsigned i, struct str name, uint32_t dice, uint32_t value)
{
	struct user u = { .address = name, .quota = value };
	struct err e;
	bool ok = true;

	snprintf(u.verifier.hash, sizeof u.verifier.hash, "$6$x$%u", value);
	switch (dice % 5) {
	case 0:
		ok = directory_user_add(s->directory, &u, &e);
		assert_int_equal(ok, !m->there[i]);
		if (ok) {
			m->there[i] = true;
			m->disabled[i] = false;
			m->quota[i] = value;
			m->secret[i] = value;
			m->version[i] = 0;
		}
		return true;
	case 1:
		ok = directory_user_del(s->directory, name, &e);
		assert_int_equal(ok, m->there[i]);
		m->there[i] = false;
		return true;
	case 2:
		ok = directory_user_set_quota(s->directory, name, value, &e);
		m->quota[i] = value;
		break;
	case 3:
		ok = directory_user_set_disabled(s->directory, name, value % 2 == 0, &e);
		m->disabled[i] = value % 2 == 0;
		m->version[i] = 0;
		break;
	case 4:
		ok = directory_user_set_verifier(s->directory, name, &u.verifier, &e);
		m->secret[i] = value;
		m->version[i] = 0;
		break;
	}
	assert_int_equal(ok, m->there[i]);
	return ok;
}

static void
against_a_model(void **state)
{
	static struct model m;
	struct site s;
	uint32_t seed = 4711;

	(void)state;
	site_open(&s, "", "");
	for (int n = 0; n < STEPS; n++) {
		unsigned i = next_random(&seed) % MODEL_USERS;
		char text[64];

		snprintf(text, sizeof text, "user%u@example.test", i);
		step(&s, &m, i, str_of(text), next_random(&seed), next_random(&seed) % 1000);
		compare_one(&s, &m, i, str_of(text));
		if (n % 500 == 499)
			site_reopen(&s);
	}
	for (unsigned i = 0; i < MODEL_USERS; i++) {
		char text[64];

		snprintf(text, sizeof text, "user%u@example.test", i);
		compare_one(&s, &m, i, str_of(text));
	}
	site_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users),
		cmocka_unit_test(first_user),
		cmocka_unit_test(aliases_and_domains),
		cmocka_unit_test(largest_alias),
		cmocka_unit_test(pages),
		cmocka_unit_test(damaged_row),
		cmocka_unit_test(newer_schema),
		cmocka_unit_test(file_is_private),
		cmocka_unit_test(against_a_model),
	};

	return cmocka_run_group_tests_name("auth/directory", tests, NULL, NULL);
}
