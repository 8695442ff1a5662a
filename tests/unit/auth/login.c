/* login.c - tests of whole logins: passwords, keys, penalties, the cache, queue and deadlines, with real hashing
 * threads and a fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include <openssl/evp.h>

#include <postern/auth/login.h>
#include <postern/core/base64.h>
#include <postern/core/log.h>

#include "site.h"

struct fixture {
	struct site site;
	struct loop *loop;
	struct login *login;
	struct buf log;
};

/* What came back. */
struct got {
	unsigned answers;
	enum login_verdict verdict;
	bool close;
	uint64_t exchange;
	struct id ticket;
	char data[512];
	char user[512];
};

static void
keep_line(void *ctx, struct str line)
{
	struct fixture *f = ctx;

	buf_clear(&f->log);
	buf_add(&f->log, line);
}

static void
open_with(struct fixture *f, const char *auth)
{
	clock_fake((struct mono){ 1000000000 }, wall_from_seconds(1777777777));
	site_open(&f->site, auth, "");
	f->loop = loop_new();
	f->login = login_new(f->loop, f->site.directory, f->site.conf);
	buf_init(&f->log, LOG_LINE_MAX);
	log_to(keep_line, f);
	site_user(&f->site, "alice@example.test", "correct horse");
	site_user(&f->site, "bob@example.test", "battery staple");
}

static void
done(struct fixture *f)
{
	log_to(NULL, NULL);
	login_free(f->login);
	loop_free(f->loop);
	buf_fini(&f->log);
	site_close(&f->site);
	clock_real();
}

static void
on_answer(void *ctx, const struct login_answer *a)
{
	struct got *g = ctx;

	g->answers++;
	g->verdict = a->verdict;
	g->close = a->close;
	g->exchange = a->exchange;
	g->ticket = a->ticket;
	snprintf(g->data, sizeof g->data, "%.*s", STR_ARG(a->data));
	snprintf(g->user, sizeof g->user, "%.*s", STR_ARG(a->user));
	assert_non_null(a->words);
}

static struct login_ask
ask_from(const char *client, const char *mechanism, const struct str *initial)
{
	return (struct login_ask){ .owner = 7,
		.service = STR("imap"),
		.sid = STR("s1"),
		.client = site_source(client),
		.mechanism = str_of(mechanism),
		.initial = initial,
		.channel = { .tls = true } };
}

static void
start_plain(struct fixture *f, struct got *g, const char *client, struct str message)
{
	struct login_ask q = ask_from(client, "PLAIN", &message);

	*g = (struct got){ 0 };
	login_start(f->login, &q, on_answer, g);
}

static void
wait_for(struct fixture *f, const struct got *g)
{
	while (g->answers == 0)
		loop_once(f->loop);
	assert_int_equal(g->answers, 1);
}

static enum login_verdict
plain(struct fixture *f, const char *client, struct str message)
{
	struct got g;

	start_plain(f, &g, client, message);
	wait_for(f, &g);
	return g.verdict;
}

static void
logged(struct fixture *f, const char *words)
{
	if (strstr(buf_cstr(&f->log), words) == NULL)
		fail_msg("\"%s\" is not in %s", words, buf_cstr(&f->log));
	assert_null(strstr(buf_cstr(&f->log), "horse"));
}

static struct login_stats
stats(struct fixture *f)
{
	struct login_stats s;

	login_stats(f->login, &s);
	return s;
}

#define ALICE STR("\0alice@example.test\0correct horse")
#define ALICE_WRONG STR("\0alice@example.test\0wrong horse")
#define BOB STR("\0bob@example.test\0battery staple")

static void
d05_right_and_wrong(void **state)
{
	struct fixture f;
	struct got g;

	(void)state;
	open_with(&f, "");
	start_plain(&f, &g, "192.0.2.1", ALICE);
	wait_for(&f, &g);
	assert_int_equal(g.verdict, LOGIN_OK);
	assert_string_equal(g.user, "alice@example.test");
	assert_false(id_eq(g.ticket, (struct id){ { 0 } }));
	logged(&f, "event=login sid=s1 service=imap client=192.0.2.1 user=alice@example.test mech=PLAIN ok=yes");
	assert_int_equal(plain(&f, "192.0.2.1", ALICE_WRONG), LOGIN_WRONG);
	logged(&f, "ok=no why=\"wrong password\"");
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0nobody@example.test\0correct horse")), LOGIN_WRONG);
	logged(&f, "user=nobody@example.test mech=PLAIN ok=no why=\"no such user\"");
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0correct horse\0alice@example.test")), LOGIN_WRONG);
	logged(&f, "user=?");
	assert_int_equal(plain(&f, "2001:db8::1", STR("\0nobody@elsewhere.test\0x")), LOGIN_WRONG);
	logged(&f, "client=2001:db8::1");
	assert_int_equal(plain(&f, "192.0.2.1", STR("junk")), LOGIN_MALFORMED);
	assert_int_equal(stats(&f).exchanges, 0);
	done(&f);
}

/* One account under every spelling that is the same name, and none that only looks like it. */
static void
d13_spellings(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, "");
	site_user(&f.site, "r\xc3\xa9mi@example.test", "caf\xc3\xa9");
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0ALICE@Example.Test\0correct horse")), LOGIN_OK);
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0alice\0correct horse")), LOGIN_OK);
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0\xef\xbd\x81lice@example.test\0correct horse")), LOGIN_OK);
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0re\xcc\x81mi@example.test\0cafe\xcc\x81")), LOGIN_OK);
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0\xd0\xb0lice@example.test\0correct horse")), LOGIN_WRONG);
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0\xe2\x93\x90lice@example.test\0correct horse")), LOGIN_WRONG);
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0alice+x@example.test\0correct horse")), LOGIN_WRONG);
	done(&f);
}

static void
acting_as_others(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, "");
	assert_int_equal(
	    plain(&f, "192.0.2.1", STR("alice@example.test\0alice@example.test\0correct horse")), LOGIN_OK);
	assert_int_equal(plain(&f, "192.0.2.1", STR("Alice\0alice@example.test\0correct horse")), LOGIN_OK);
	assert_int_equal(
	    plain(&f, "192.0.2.1", STR("bob@example.test\0alice@example.test\0correct horse")), LOGIN_FORBIDDEN);
	assert_int_equal(plain(&f, "192.0.2.1", STR("bob@example.test\0alice@example.test\0wrong")), LOGIN_WRONG);
	assert_int_equal(plain(&f, "192.0.2.1", STR("nobody\0alice@example.test\0correct horse")), LOGIN_FORBIDDEN);
	done(&f);
}

/* --- the cache --- */

static void
cache_is_used_and_ended(void **state)
{
	struct admin_secret other = { .password = STR("new horse") };
	struct str alice = STR("alice@example.test");
	struct fixture f;
	struct err e;

	(void)state;
	open_with(&f, "cache = 60s");
	assert_int_equal(plain(&f, "192.0.2.1", ALICE), LOGIN_OK);
	assert_int_equal(plain(&f, "192.0.2.2", ALICE), LOGIN_OK);
	assert_true(stats(&f).checked == 1 && stats(&f).cached == 1);
	assert_int_equal(plain(&f, "192.0.2.1", ALICE_WRONG), LOGIN_WRONG);
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0bob@example.test\0correct horse")), LOGIN_WRONG);
	assert_true(stats(&f).checked == 3 && stats(&f).cached == 1);
	clock_fake_step(59999);
	assert_int_equal(plain(&f, "192.0.2.1", ALICE), LOGIN_OK);
	assert_int_equal(stats(&f).cached, 2);
	clock_fake_step(1);
	assert_int_equal(plain(&f, "192.0.2.1", ALICE), LOGIN_OK);
	assert_int_equal(stats(&f).cached, 2);

	assert_true(admin_user_disable(&f.site.admin, alice, &e));
	assert_int_equal(plain(&f, "192.0.2.1", ALICE), LOGIN_WRONG);
	logged(&f, "the account is disabled");
	assert_true(admin_user_enable(&f.site.admin, alice, &e));
	assert_int_equal(plain(&f, "192.0.2.1", ALICE), LOGIN_OK);
	assert_int_equal(stats(&f).cached, 2);
	assert_true(admin_user_passwd(&f.site.admin, alice, &other, &e));
	assert_int_equal(plain(&f, "192.0.2.1", ALICE), LOGIN_WRONG);
	assert_true(admin_user_del(&f.site.admin, alice, &e));
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0alice@example.test\0new horse")), LOGIN_WRONG);
	done(&f);
}

/* Where name and password meet must not matter: "ab" with "c" is not "a" with "bc". */
static void
d14_cache_keeps_users_apart(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, "cache = 60s");
	site_user(&f.site, "a@example.test", "same");
	site_user(&f.site, "b@example.test", "same");
	for (int round = 0; round < 2; round++) {
		struct got a;
		struct got b;

		start_plain(&f, &a, "192.0.2.1", STR("\0a@example.test\0same"));
		start_plain(&f, &b, "192.0.2.1", STR("\0b@example.test\0same"));
		wait_for(&f, &a);
		wait_for(&f, &b);
		assert_string_equal(a.user, "a@example.test");
		assert_string_equal(b.user, "b@example.test");
	}
	assert_int_equal(stats(&f).cached, 2);
	done(&f);
}

/* --- imported accounts --- */

static void
imported_is_upgraded(void **state)
{
	struct admin_secret old = { .hash = STR(
					"{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5") };
	struct fixture f;
	struct arena a;
	struct user u;
	struct err e;

	(void)state;
	open_with(&f, "");
	arena_init(&a);
	assert_true(admin_user_add(&f.site.admin, STR("old@example.test"), &old, 0, &e));
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0old@example.test\0wrong")), LOGIN_WRONG);
	assert_true(admin_user_show(&f.site.admin, STR("old@example.test"), &a, &u, &e));
	assert_string_equal(verifier_scheme(&u.verifier), "sha256-crypt");
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0old@example.test\0Hello world!")), LOGIN_OK);
	assert_true(admin_user_show(&f.site.admin, STR("old@example.test"), &a, &u, &e));
	assert_string_equal(verifier_scheme(&u.verifier), "argon2id");
	assert_int_equal(u.verifier.scram.iterations, SCRAM_ITERATIONS);
	assert_int_equal(plain(&f, "192.0.2.1", STR("\0old@example.test\0Hello world!")), LOGIN_OK);
	arena_fini(&a);
	done(&f);
}

/* --- penalties --- */

/* Guesses from one address; how many of them were refused unheard. */
static int
guess(struct fixture *f)
{
	struct got g;
	int refused = 0;

	for (int i = 0; i < 20; i++) {
		char message[64];
		int n = snprintf(message, sizeof message, "_alice@example.test_guess%d", i);

		message[0] = message[19] = '\0';
		start_plain(f, &g, "203.0.113.5", str_from(message, (size_t)n));
		while (g.answers == 0 && stats(f).hashing > 0)
			loop_once(f->loop);
		if (g.answers == 0) { /* held back */
			clock_fake_step(PENALTY_DELAY_MAX_MS);
			login_tick(f->login);
			wait_for(f, &g);
		}
		refused += g.verdict == LOGIN_LATER;
		assert_true(g.close == (g.verdict == LOGIN_LATER));
	}
	return refused;
}

static void
d07_guesser_is_shut_out(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, "");
	assert_true(guess(&f) >= 5);
	logged(&f, "too many failed logins from this address");
	assert_int_equal(plain(&f, "192.0.2.1", BOB), LOGIN_OK);
	done(&f);
}

/* The wall clock has no say: it neither forgives nor punishes for ever. */
static void
penalties_go_by_time_that_passed(void **state)
{
	static const int days[] = { 400, -400, -40 };
	struct fixture f;

	(void)state;
	open_with(&f, "");
	guess(&f);
	for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
		clock_fake(mono_now(), wall_from_seconds(wall_seconds(wall_now()) + days[i] * INT64_C(86400)));
		assert_int_equal(plain(&f, "203.0.113.5", BOB), LOGIN_LATER);
	}
	clock_fake((struct mono){ mono_now().ns + (int64_t)PENALTY_COUNT_MAX * PENALTY_FORGIVE_MS * 1000000 }, wall_now());
	assert_int_equal(plain(&f, "203.0.113.5", BOB), LOGIN_OK);
	done(&f);
}

/* A thousand connections at once are no way around: those that wait are refused when the ledger says so. */
static void
d09_burst_of_guesses(void **state)
{
	enum { BURST = 300 };
	static struct got g[BURST];
	struct fixture f;
	unsigned hashed;

	(void)state;
	open_with(&f, "");
	for (int i = 0; i < BURST; i++) {
		char message[64];
		int n = snprintf(message, sizeof message, "_alice@example.test_guess%d", i);

		message[0] = message[19] = '\0';
		start_plain(&f, &g[i], "203.0.113.5", str_from(message, (size_t)n));
	}
	for (int i = 0; i < BURST; i++)
		wait_for(&f, &g[i]);
	hashed = (unsigned)stats(&f).checked;
	assert_true(hashed >= PENALTY_SOURCE_REFUSE && hashed <= PENALTY_SOURCE_REFUSE + 3);
	done(&f);
}

static void
burst_of_right_ones(void **state)
{
	enum { BURST = 300 };
	static struct got g[BURST];
	struct fixture f;

	(void)state;
	open_with(&f, "cache = 0s");
	for (int i = 0; i < BURST; i++)
		start_plain(&f, &g[i], "203.0.113.5", i % 2 ? ALICE : BOB);
	assert_true(stats(&f).hashing <= 2 && stats(&f).waiting == BURST - 2);
	for (int i = 0; i < BURST; i++) {
		wait_for(&f, &g[i]);
		assert_int_equal(g[i].verdict, LOGIN_OK);
	}
	assert_int_equal(stats(&f).checked, BURST);
	done(&f);
}

static void
d09_waiting_has_an_end(void **state)
{
	static struct got g[20];
	struct fixture f;
	unsigned late = 0;

	(void)state;
	open_with(&f, "hash_wait = 5s\ncache = 0s");
	for (int i = 0; i < 20; i++)
		start_plain(&f, &g[i], "203.0.113.5", ALICE);
	clock_fake_step(5000);
	login_tick(f.login);
	for (int i = 0; i < 20; i++) {
		wait_for(&f, &g[i]);
		late += g[i].verdict == LOGIN_LATER;
		assert_true(g[i].verdict == LOGIN_LATER || g[i].verdict == LOGIN_OK);
		assert_false(g[i].close);
	}
	assert_int_equal(late, 18);
	assert_int_equal(stats(&f).too_late, 18);
	done(&f);
}

/* --- exchanges --- */

static void
capped_and_timed(void **state)
{
	static struct got g[LOGIN_EXCHANGES_MAX + 1];
	struct login_ask q = ask_from("192.0.2.1", "PLAIN", NULL);
	struct fixture f;

	(void)state;
	open_with(&f, "");
	for (int i = 0; i <= LOGIN_EXCHANGES_MAX; i++) {
		g[i] = (struct got){ 0 };
		login_start(f.login, &q, on_answer, &g[i]);
		assert_int_equal(g[i].verdict, i < LOGIN_EXCHANGES_MAX ? LOGIN_CHALLENGE : LOGIN_LATER);
	}
	assert_int_equal(stats(&f).exchanges, LOGIN_EXCHANGES_MAX);
	clock_fake_step(LOGIN_EXCHANGE_MS - 1);
	login_tick(f.login);
	assert_int_equal(stats(&f).exchanges, LOGIN_EXCHANGES_MAX);
	clock_fake_step(1);
	login_tick(f.login);
	assert_int_equal(stats(&f).exchanges, 0);
	login_step(f.login, 7, g[0].exchange, ALICE, on_answer, &g[0]);
	assert_int_equal(g[0].verdict, LOGIN_LATER);
	done(&f);
}

static void
d03_strangers_and_aborts(void **state)
{
	struct login_ask q = ask_from("192.0.2.1", "PLAIN", NULL);
	struct fixture f;
	struct got g = { 0 };
	struct got late = { 0 };

	(void)state;
	open_with(&f, "");
	login_start(f.login, &q, on_answer, &g);
	assert_int_equal(g.verdict, LOGIN_CHALLENGE);
	login_step(f.login, 8, g.exchange, ALICE, on_answer, &late); /* another channel's number */
	assert_int_equal(late.verdict, LOGIN_LATER);
	login_abort(f.login, 8, g.exchange);
	assert_int_equal(stats(&f).exchanges, 1);
	late = (struct got){ 0 };
	login_step(f.login, 7, g.exchange, ALICE, on_answer, &late);
	login_abort(f.login, 7, g.exchange); /* while it is hashed */
	assert_true(late.answers == 1 && late.verdict == LOGIN_LATER);
	while (stats(&f).hashing > 0)
		loop_once(f.loop);
	assert_int_equal(late.answers, 1);
	for (int i = 0; i < 100; i++) {
		start_plain(&f, &late, "192.0.2.1", ALICE);
		login_drop(f.login, 7);
	}
	assert_int_equal(stats(&f).exchanges, 0);
	assert_int_equal(late.answers, 0);
	late = (struct got){ 0 };
	login_start(f.login, &q, on_answer, &g);
	login_abort(f.login, 7, g.exchange); /* the client's turn: no answer is due */
	assert_int_equal(g.answers, 2);
	assert_int_equal(plain(&f, "192.0.2.1", ALICE), LOGIN_OK);
	done(&f);
}

/* After a restart of auth, what a front still asks about an old exchange must not hit the new one of another client. */
static void
numbers_are_of_one_life(void **state)
{
	struct login_ask q = ask_from("192.0.2.1", "PLAIN", NULL);
	struct got before = { 0 };
	struct got now = { 0 };
	struct got late = { 0 };
	struct fixture f;

	(void)state;
	open_with(&f, "");
	login_start(f.login, &q, on_answer, &before);
	login_free(f.login);
	f.login = login_new(f.loop, f.site.directory, f.site.conf);
	login_start(f.login, &q, on_answer, &now);
	login_step(f.login, 7, before.exchange, ALICE, on_answer, &late);
	assert_int_equal(late.verdict, LOGIN_LATER);
	assert_int_equal(stats(&f).exchanges, 1);
	done(&f);
}

/* A guess whose client hangs up at once counts all the same. */
static void
hanging_up_counts(void **state)
{
	struct fixture f;
	struct got g;

	(void)state;
	open_with(&f, "");
	for (int i = 0; i < 4 * PENALTY_SOURCE_REFUSE; i++) {
		char message[64];
		int n = snprintf(message, sizeof message, "_alice@example.test_guess%d", i);

		message[0] = message[19] = '\0';
		start_plain(&f, &g, "203.0.113.5", str_from(message, (size_t)n));
		clock_fake_step(PENALTY_DELAY_MAX_MS / 4);
		login_tick(f.login);
		login_drop(f.login, 7);
		while (stats(&f).hashing > 0)
			loop_once(f.loop);
	}
	start_plain(&f, &g, "203.0.113.5", ALICE);
	if (g.answers == 0) {
		clock_fake_step(PENALTY_DELAY_MAX_MS);
		login_tick(f.login);
	}
	assert_true(stats(&f).checked < 4 * PENALTY_SOURCE_REFUSE);
	done(&f);
}

/* --- SCRAM --- */

static void
hmac(uint8_t out[32], const uint8_t *key, struct str text)
{
	crypto_auth_hmacsha256_state h;

	crypto_auth_hmacsha256_init(&h, key, 32);
	crypto_auth_hmacsha256_update(&h, (const unsigned char *)text.p, text.n);
	crypto_auth_hmacsha256_final(&h, out);
}

static void
make_final(struct buf *out, const char *first, const char *challenge, const char *password)
{
	struct str text = str_of(challenge);
	size_t s = str_search(text, STR(",s="));
	size_t i = str_search(text, STR(",i="));
	uint8_t salted[32];
	uint8_t key[32];
	uint8_t stored[32];
	uint8_t signature[32];
	struct buf salt;
	struct buf message;

	buf_init(&salt, 64);
	buf_init(&message, 2048);
	assert_true(base64_decode(&salt, str_sub(text, s + 3, i)));
	buf_addf(out, "c=biws,%.*s", (int)s, challenge);
	buf_addf(&message, "%s,%s,%s", first, challenge, buf_cstr(out));
	PKCS5_PBKDF2_HMAC(password, -1, (const unsigned char *)salt.p, (int)salt.n, atoi(challenge + i + 3),
	    EVP_sha256(), 32, salted);
	hmac(key, salted, STR("Client Key"));
	crypto_hash_sha256(stored, key, 32);
	hmac(signature, stored, buf_str(&message));
	for (int k = 0; k < 32; k++)
		key[k] ^= signature[k];
	buf_add_cstr(out, ",p=");
	base64_add(out, str_from(key, 32));
	buf_fini(&salt);
	buf_fini(&message);
}

static enum login_verdict
scram(struct fixture *f, const char *first, const char *password, char salt[64])
{
	struct buf initial;
	struct buf final;
	struct got g = { 0 };
	struct login_ask q;

	buf_init(&initial, 1024);
	buf_init(&final, 2048);
	buf_addf(&initial, "n,,%s", first);
	q = ask_from("192.0.2.9", "SCRAM-SHA-256", &(struct str){ initial.p, initial.n });
	login_start(f->login, &q, on_answer, &g);
	assert_int_equal(g.verdict, LOGIN_CHALLENGE);
	if (salt != NULL)
		snprintf(salt, 64, "%s", strstr(g.data, ",s="));
	make_final(&final, first, g.data, password);
	login_step(f->login, 7, g.exchange, buf_str(&final), on_answer, &g);
	if (g.verdict == LOGIN_CHALLENGE) {
		assert_int_equal(strncmp(g.data, "v=", 2), 0);
		login_step(f->login, 7, g.exchange, STR(""), on_answer, &g);
	}
	buf_fini(&initial);
	buf_fini(&final);
	return g.verdict;
}

static void
scram_logins(void **state)
{
	char salt[64];
	char again[64];
	struct fixture f;
	struct err e;

	(void)state;
	open_with(&f, "");
	assert_int_equal(scram(&f, "n=alice@example.test,r=abc", "correct horse", salt), LOGIN_OK);
	logged(&f, "mech=SCRAM-SHA-256 ok=yes");
	assert_int_equal(scram(&f, "n=Alice,r=abc", "correct horse", again), LOGIN_OK);
	assert_string_equal(salt, again);
	assert_int_equal(scram(&f, "n=alice@example.test,r=abc", "wrong", NULL), LOGIN_WRONG);
	logged(&f, "why=\"wrong password\"");
	assert_int_equal(scram(&f, "n=nobody@example.test,r=abc", "correct horse", salt), LOGIN_WRONG);
	logged(&f, "why=\"no such user\"");
	clock_fake_step(600000);
	assert_int_equal(scram(&f, "n=nobody@example.test,r=xyz", "correct horse", again), LOGIN_WRONG);
	assert_string_equal(salt, again);
	assert_true(admin_user_disable(&f.site.admin, STR("alice@example.test"), &e));
	assert_int_equal(scram(&f, "n=alice@example.test,r=abc", "correct horse", NULL), LOGIN_WRONG);
	logged(&f, "the account is disabled");
	assert_int_equal(stats(&f).checked, 0);
	done(&f);
}

/* Whose salt changes with a restart would not exist. */
static void
d05_salts_outlive_a_restart(void **state)
{
	char salt[64];
	char again[64];
	struct fixture f;

	(void)state;
	open_with(&f, "");
	assert_int_equal(scram(&f, "n=nobody@example.test,r=abc", "correct horse", salt), LOGIN_WRONG);
	login_free(f.login);
	site_reopen(&f.site);
	f.login = login_new(f.loop, f.site.directory, f.site.conf);
	assert_int_equal(scram(&f, "n=nobody@example.test,r=abc", "correct horse", again), LOGIN_WRONG);
	assert_string_equal(salt, again);
	assert_int_equal(scram(&f, "n=nobody2@example.test,r=abc", "correct horse", again), LOGIN_WRONG);
	assert_string_not_equal(salt, again);
	done(&f);
}

/* The account goes while the client computes: what was right a moment ago does not log in any more. */
static void
changed_meanwhile(void **state)
{
	struct admin_secret other = { .password = STR("another one") };
	struct login_ask q = ask_from("192.0.2.9", "SCRAM-SHA-256", &STR("n,,n=alice@example.test,r=abc"));
	struct fixture f;
	struct got g = { 0 };
	struct buf final;
	struct err e;

	(void)state;
	open_with(&f, "");
	buf_init(&final, 2048);
	login_start(f.login, &q, on_answer, &g);
	make_final(&final, "n=alice@example.test,r=abc", g.data, "correct horse");
	assert_true(admin_user_passwd(&f.site.admin, STR("alice@example.test"), &other, &e));
	login_step(f.login, 7, g.exchange, buf_str(&final), on_answer, &g);
	assert_int_equal(g.verdict, LOGIN_CHALLENGE);
	login_step(f.login, 7, g.exchange, STR(""), on_answer, &g);
	assert_int_equal(g.verdict, LOGIN_WRONG);
	buf_fini(&final);
	done(&f);
}

static void
scram_switched_off(void **state)
{
	struct login_ask q = ask_from("192.0.2.9", "SCRAM-SHA-256", NULL);
	struct fixture f;
	struct got g = { 0 };

	(void)state;
	open_with(&f, "scram = no");
	login_start(f.login, &q, on_answer, &g);
	assert_int_equal(g.verdict, LOGIN_UNKNOWN);
	q.mechanism = STR("PLAIN");
	q.channel.tls = false;
	login_start(f.login, &q, on_answer, &g);
	assert_int_equal(g.verdict, LOGIN_UNKNOWN);
	assert_int_equal(plain(&f, "192.0.2.1", ALICE), LOGIN_OK);
	done(&f);
}

static void
ends_in_the_middle(void **state)
{
	static struct got g[50];
	struct fixture f;

	(void)state;
	open_with(&f, "cache = 0s");
	for (int i = 0; i < 50; i++)
		start_plain(&f, &g[i], "203.0.113.5", ALICE);
	done(&f); /* with hashing, waiting and finished ones: the sanitizers see what is left behind */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(d05_right_and_wrong),
		cmocka_unit_test(d13_spellings),
		cmocka_unit_test(acting_as_others),
		cmocka_unit_test(cache_is_used_and_ended),
		cmocka_unit_test(d14_cache_keeps_users_apart),
		cmocka_unit_test(imported_is_upgraded),
		cmocka_unit_test(d07_guesser_is_shut_out),
		cmocka_unit_test(penalties_go_by_time_that_passed),
		cmocka_unit_test(d09_burst_of_guesses),
		cmocka_unit_test(burst_of_right_ones),
		cmocka_unit_test(d09_waiting_has_an_end),
		cmocka_unit_test(capped_and_timed),
		cmocka_unit_test(d03_strangers_and_aborts),
		cmocka_unit_test(numbers_are_of_one_life),
		cmocka_unit_test(hanging_up_counts),
		cmocka_unit_test(scram_logins),
		cmocka_unit_test(d05_salts_outlive_a_restart),
		cmocka_unit_test(changed_meanwhile),
		cmocka_unit_test(scram_switched_off),
		cmocka_unit_test(ends_in_the_middle),
	};

	return cmocka_run_group_tests_name("auth/login", tests, NULL, NULL);
}
