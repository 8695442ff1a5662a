/* pages.c - files of LMDB tables that end before their last page: whole when what they lack is free, damaged otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../src/store/schema.h"

enum { MAP = 64 << 20, SMALL = 300, LARGE = 60000, PAGE = 4096, TURNS = 300 };

struct file {
	char dir[64];
	char path[96];
	MDB_env *env;
	MDB_dbi rows;
};

static unsigned
roll(unsigned n)
{
	return (unsigned)rand() % n;
}

static int
file_open(struct file *f)
{
	MDB_txn *t;
	int rc = index_env_open(&f->env, f->path, MAP, 4, MDB_NOSYNC);

	if (rc == 0 && (rc = mdb_txn_begin(f->env, NULL, 0, &t)) == 0 &&
	    (rc = mdb_dbi_open(t, "rows", MDB_CREATE, &f->rows)) == 0)
		rc = mdb_txn_commit(t);
	return rc;
}

static void
begin(struct file *f)
{
	snprintf(f->dir, sizeof f->dir, "/tmp/postern-pages-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/rows", f->dir);
	assert_int_equal(file_open(f), 0);
}

static void
end(struct file *f)
{
	char lock[128];

	if (f->env != NULL)
		mdb_env_close(f->env);
	snprintf(lock, sizeof lock, "%s-lock", f->path);
	unlink(f->path);
	unlink(lock);
	assert_int_equal(rmdir(f->dir), 0);
}

static void
put_or_remove(struct file *f, MDB_txn *t, const char *bytes)
{
	char name[16];
	MDB_val key = { 6, name };
	MDB_val value = { roll(4) != 0 ? roll(SMALL) : roll(LARGE), (void *)(uintptr_t)bytes };
	int rc;

	snprintf(name, sizeof name, "k%05u", roll(400));
	rc = roll(3) != 0 ? mdb_put(t, f->rows, &key, &value, 0) : mdb_del(t, f->rows, &key, NULL);
	assert_true(rc == 0 || rc == MDB_NOTFOUND);
}

static void
change(struct file *f)
{
	static char bytes[LARGE];
	MDB_txn *t;

	assert_int_equal(mdb_txn_begin(f->env, NULL, 0, &t), 0);
	for (unsigned n = 1 + roll(20); n > 0; n--)
		put_or_remove(f, t, bytes);
	assert_int_equal(mdb_txn_commit(t), 0);
}

static long
size_of(struct file *f)
{
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	return st.st_size;
}

/* Pages that the file lacks up to its last one. */
static long
lacking(struct file *f)
{
	MDB_envinfo info;

	assert_int_equal(mdb_env_info(f->env, &info), 0);
	return (long)info.me_last_pgno + 1 - size_of(f) / PAGE;
}

/* A file of which a transaction took the last pages and freed them again. Not every course of work comes to that. */
static void
begin_short(struct file *f)
{
	for (unsigned turns = 0;; turns++) {
		if (turns % TURNS == 0) {
			if (turns > 0)
				end(f);
			begin(f);
		}
		assert_true(turns < 50 * TURNS);
		change(f);
		if (lacking(f) > 0)
			return;
	}
}

static void
read_all(struct file *f)
{
	MDB_txn *t;
	MDB_cursor *c;
	MDB_val key, value;
	size_t sum = 0;

	assert_int_equal(mdb_txn_begin(f->env, NULL, MDB_RDONLY, &t), 0);
	assert_int_equal(mdb_dbi_open(t, "rows", 0, &f->rows), 0);
	assert_int_equal(mdb_cursor_open(t, f->rows, &c), 0);
	while (mdb_cursor_get(c, &key, &value, MDB_NEXT) == 0)
		for (size_t i = 0; i < value.mv_size; i++)
			sum += ((const unsigned char *)value.mv_data)[i];
	assert_int_equal(sum, 0);
	mdb_cursor_close(c);
	mdb_txn_abort(t);
}

static void
free_pages_may_lack(void **state)
{
	struct file f;

	(void)state;
	for (unsigned seed = 1; seed <= 3; seed++) {
		srand(seed);
		begin_short(&f);
		mdb_env_close(f.env);
		assert_int_equal(index_env_open(&f.env, f.path, MAP, 4, MDB_NOSYNC), 0);
		mdb_env_close(f.env);
		assert_int_equal(file_open(&f), 0);
		read_all(&f);
		for (unsigned i = 0; i < 100; i++)
			change(&f);
		read_all(&f);
		end(&f);
	}
}

/* True: it was opened, and could be read to its end. */
static bool
cut_to(struct file *f, long pages)
{
	int rc;

	if (f->env != NULL)
		mdb_env_close(f->env);
	assert_int_equal(truncate(f->path, pages * PAGE), 0);
	rc = index_env_open(&f->env, f->path, MAP, 4, MDB_NOSYNC);
	if (rc == 0)
		read_all(f);
	else
		assert_int_equal(rc, MDB_CORRUPTED);
	assert_true(rc == 0 || size_of(f) == pages * PAGE);
	return rc == 0;
}

static void
k09_used_pages_may_not(void **state)
{
	struct file f;
	unsigned refused = 0;

	(void)state;
	srand(1);
	begin_short(&f);
	for (long pages = size_of(&f) / PAGE - 1; pages >= 2; pages--)
		refused += !cut_to(&f, pages);
	assert_true(refused > 100);
	end(&f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_pages_may_lack),
		cmocka_unit_test(k09_used_pages_may_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
