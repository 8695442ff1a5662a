/* site.h - a store in a temporary directory, and requests that wait for their answers; for the tests of the store. */
#ifndef TESTS_STORE_SITE_H
#define TESTS_STORE_SITE_H

#include <postern/core/loop.h>
#include <postern/store/admin.h>
#include <postern/store/deliver.h>
#include <postern/store/request.h>
#include <postern/store/store.h>
#include <postern/store/user.h>

struct site {
	char root[256];
	struct loop *loop;
	struct store_config config;
	struct store *store;
	struct store_user *u;
	struct err err; /* of the last open */

	/* the last answer */
	enum store_code code;
	uint32_t mailbox;
	uint32_t uidvalidity;
	uint64_t modseq;
	struct uidset uids, source, failed;
	bool answered;
	enum store_delivered_state states[16];
	struct err outcome;
	size_t noutcomes;
	struct store_report report;
	char report_text[4096];
	char logged[4096]; /* the last line of the log */
};

#define USER "bob@example.test"
#define SITE_SHM "/dev/shm"

/* base: a directory for the root to be made in; threads as in store_config. */
void site_init(struct site *t, const char *base, unsigned threads);
void site_fini(struct site *t);
/* The same on the heap. */
struct site *site_new(const char *base, unsigned threads);
void site_free(struct site *t);
/* A test whose state is a site of its own, without threads and in memory: thousands of syncs that nobody needs there. */
int site_setup(void **state);
int site_teardown(void **state);
#define WITH_SITE(f) cmocka_unit_test_setup_teardown(f, site_setup, site_teardown)
/* Closes and opens the store and the user; what is in memory is lost, as after a crash, unless everything was settled. */
void site_reopen(struct site *t);
void site_open(struct site *t);
void site_close(struct site *t);
bool site_user(struct site *t, const char *address);

struct store_done site_done(struct site *t);
/* On behalf of somebody, whose rights are asked. */
struct store_done site_done_as(struct site *t, const char *who);
void site_wait(struct site *t);

void site_deliver(struct site *t, struct id id, const char *user, const char *body);
uint32_t site_append(struct site *t, uint32_t mailbox, const char *body, uint32_t flags, const char *keyword);
uint32_t site_find(struct site *t, const char *name);
struct store_mailbox site_mailbox(struct site *t, uint32_t mailbox);
bool site_message(struct site *t, uint32_t mailbox, uint32_t uid, struct store_message *m);
/* The bytes of a message file, to be freed; NULL when it cannot be opened. */
char *site_text(struct site *t, uint32_t mailbox, uint32_t uid);
void site_refresh(struct site *t, uint32_t mailbox);
void site_flags(struct site *t, uint32_t mailbox, const char *set, enum store_flags_mode mode, uint32_t flags,
    const char *keyword);
struct uidset site_set(const char *text);
/* All UIDs of the mailbox as "1:3,5". */
const char *site_uids(struct site *t, uint32_t mailbox);
/* Keeps the report. */
void site_on_report(void *ctx, const struct store_report *r);
/* store_check finds nothing. */
void site_check(struct site *t);
/* Path of the user's file or directory below Maildir; static memory. */
const char *site_path(struct site *t, const char *below);
/* How many entries the directory below Maildir has. */
int site_count(struct site *t, const char *below);
void site_put_file(struct site *t, const char *below, const char *text);

#endif
