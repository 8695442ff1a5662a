/* probe_talk.c - tests of the words around TLS: dialogues in any pieces, servers that say something else, that never stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../src/cli/probe_talk.h"

/* A dialogue: what the server says before TLS and inside it, and what must have come of it. */
struct row {
	enum talk_protocol protocol;
	enum talk_goal goal;
	const char *clear;
	const char *inside;
	enum talk_found end;
	enum talk_stop stop;
	const char *said; /* by us, all of it */
	const char *auth; /* offered in the clear */
	bool injected;
};

#define SMTP_CLEAR "220 mx ESMTP\r\n250-mx\r\n250-STARTTLS\r\n250 SIZE\r\n220 go\r\n"
#define SMTP_SAID "EHLO us.test\r\nSTARTTLS\r\n"
#define IMAP_CLEAR "* OK hi\r\n* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\nc1 OK\r\nc2 OK go\r\n"
#define IMAP_SAID "c1 CAPABILITY\r\nc2 STARTTLS\r\n"

static const struct row rows[] = {
	{ TALK_SMTP, TALK_TO_LOOK, SMTP_CLEAR, "250-mx\r\n250 AUTH PLAIN\r\n221 bye\r\n", TALK_DONE, TALK_GOES_ON,
	    SMTP_SAID "EHLO us.test\r\nQUIT\r\n", "", false },
	{ TALK_SMTP, TALK_TO_TLS, "220 mx\r\n250-mx\r\n250-auth Plain LOGIN\r\n250 starttls\r\n220 go\r\n", NULL,
	    TALK_HANDSHAKE, TALK_GOES_ON, SMTP_SAID, "Plain LOGIN", false },
	{ TALK_SMTP, TALK_TO_INJECT, SMTP_CLEAR, "221 bye\r\n", TALK_DONE, TALK_GOES_ON, SMTP_SAID "NOOP\r\nQUIT\r\n",
	    "", false },
	{ TALK_SMTP, TALK_TO_INJECT, SMTP_CLEAR, "250 ok\r\n221 bye\r\n", TALK_DONE, TALK_GOES_ON,
	    SMTP_SAID "NOOP\r\nQUIT\r\n", "", true },
	{ TALK_SMTP, TALK_TO_TLS, "421 busy\r\n", NULL, TALK_STOPPED, TALK_BUSY, "", "", false },
	{ TALK_SMTP, TALK_TO_TLS, "554 no\r\n", NULL, TALK_STOPPED, TALK_REFUSED, "", "", false },
	{ TALK_SMTP, TALK_TO_TLS, "* OK imap\r\n", NULL, TALK_STOPPED, TALK_STRANGE, "", "", false },
	{ TALK_SMTP, TALK_TO_TLS, "220 mx\r\n502 what?\r\n", NULL, TALK_STOPPED, TALK_NOT_OFFERED, "EHLO us.test\r\n",
	    "", false },
	{ TALK_SMTP, TALK_TO_TLS, "220 mx\r\n250-STARTTLS\r\n250 SIZE\r\n", NULL, TALK_STOPPED, TALK_NOT_OFFERED,
	    "EHLO us.test\r\n", "", false }, /* that is its name */
	{ TALK_SMTP, TALK_TO_TLS, "220 mx\r\n250-mx\r\n250 STARTTLS\r\n454 no\r\n", NULL, TALK_STOPPED, TALK_NOT_OBEYED,
	    SMTP_SAID, "", false },
	{ TALK_IMAP, TALK_TO_LOOK, IMAP_CLEAR, "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nc1 OK\r\n* BYE\r\nc4 OK\r\n",
	    TALK_DONE, TALK_GOES_ON, IMAP_SAID "c1 CAPABILITY\r\nc4 LOGOUT\r\n", "", false },
	/* answers to what was not asked yet, or is done: no second handshake */
	{ TALK_IMAP, TALK_TO_LOOK, "* OK hi\r\nc2 OK\r\nc4 OK\r\n* CAPABILITY STARTTLS\r\nc1 OK\r\nc2 OK go\r\n",
	    "c2 OK\r\nc4 OK\r\nc1 OK\r\nc1 OK\r\nc2 OK\r\nc4 OK\r\n", TALK_DONE, TALK_GOES_ON,
	    IMAP_SAID "c1 CAPABILITY\r\nc4 LOGOUT\r\n", "", false },
	{ TALK_IMAP, TALK_TO_INJECT, IMAP_CLEAR, "* BYE\r\nc4 OK\r\n", TALK_DONE, TALK_GOES_ON,
	    IMAP_SAID "c3 NOOP\r\nc4 LOGOUT\r\n", "", false },
	{ TALK_IMAP, TALK_TO_INJECT, IMAP_CLEAR, "c3 OK done\r\n* BYE\r\nc4 OK\r\n", TALK_DONE, TALK_GOES_ON,
	    IMAP_SAID "c3 NOOP\r\nc4 LOGOUT\r\n", "", true },
	{ TALK_IMAP, TALK_TO_TLS, "* OK\r\n* CAPABILITY IMAP4rev1 AUTH=LOGIN STARTTLS auth=plain\r\nc1 OK\r\nc2 OK\r\n",
	    NULL, TALK_HANDSHAKE, TALK_GOES_ON, IMAP_SAID, "LOGIN plain", false },
	{ TALK_IMAP, TALK_TO_TLS, "* PREAUTH hello\r\n", NULL, TALK_STOPPED, TALK_NO_START, "", "", false },
	{ TALK_IMAP, TALK_TO_TLS, "* BYE\r\n", NULL, TALK_STOPPED, TALK_REFUSED, "", "", false },
	{ TALK_IMAP, TALK_TO_TLS, "220 mx\r\n", NULL, TALK_STOPPED, TALK_STRANGE, "", "", false },
	{ TALK_IMAP, TALK_TO_TLS, "* OK\r\n* CAPABILITY IMAP4rev1\r\nc1 OK\r\n", NULL, TALK_STOPPED, TALK_NOT_OFFERED,
	    "c1 CAPABILITY\r\n", "", false },
	{ TALK_IMAP, TALK_TO_TLS, "* OK\r\n* CAPABILITY STARTTLS\r\nc1 OK\r\nc2 NO\r\n", NULL, TALK_STOPPED,
	    TALK_NOT_OBEYED, IMAP_SAID, "", false },
};

/* In pieces of step bytes; bytes behind the end are not taken. */
static enum talk_found
feed(struct talk *t, const char *text, size_t step, struct buf *said)
{
	struct str all = str_of(text);
	enum talk_found found = TALK_MORE;

	for (size_t at = 0; at < all.n && found == TALK_MORE; at += step) {
		struct str piece = str_sub(all, at, at + step);

		found = talk_feed(t, &piece);
		assert_true(found != TALK_MORE || piece.n == 0);
		buf_add(said, buf_str(&t->out));
		buf_clear(&t->out);
	}
	return found;
}

static void
run(const struct row *row, size_t step)
{
	enum talk_found found;
	struct talk t;
	struct buf said;

	buf_init(&said, 65536);
	talk_init(&t, row->protocol, row->goal, STR("us.test"), false);
	found = feed(&t, row->clear, step, &said);
	if (found == TALK_HANDSHAKE && row->inside != NULL) {
		talk_secured(&t);
		found = feed(&t, row->inside, step, &said);
	}
	assert_int_equal(found, row->end);
	assert_int_equal(t.stop, row->stop);
	assert_string_equal(buf_cstr(&said), row->said);
	assert_string_equal(t.caps[0].auth, row->auth);
	assert_int_equal(t.injected, row->injected);
	talk_fini(&t);
	buf_fini(&said);
}

static void
dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t step = 1; step < 200; step = step * 3 + 1)
			run(&rows[i], step);
}

static void
tls_first(void **state)
{
	struct buf said;
	struct talk t;

	(void)state;
	buf_init(&said, 65536);
	talk_init(&t, TALK_IMAP, TALK_TO_LOOK, STR("us.test"), true);
	assert_int_equal(
	    feed(&t, "* PREAUTH\r\n* CAPABILITY AUTH=PLAIN\r\nc1 OK\r\nc4 OK\r\n", 1000, &said), TALK_DONE);
	assert_true(t.caps[1].asked && !t.caps[0].asked);
	assert_string_equal(t.caps[1].auth, "PLAIN");
	talk_fini(&t);
	buf_fini(&said);
}

/* Whatever is said without end is cut off, and what is kept of it is short and printable. */
static void
floods(void **state)
{
	static const struct {
		enum talk_protocol protocol;
		const char *first, *again;
	} all[] = {
		{ TALK_SMTP, "", "220-hello\r\n" },
		{ TALK_SMTP, "", "2" },
		{ TALK_SMTP, "220 mx\r\n", "250-AUTH \x01\xff PLAIN\r\n" },
		{ TALK_IMAP, "", "*" },
		{ TALK_IMAP, "* OK\r\n", "* CAPABILITY AUTH=\x1b[2J AUTH=PLAIN\r\n" },
		{ TALK_IMAP, "* OK\r\n", "\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		enum talk_found found;
		size_t fed = 0;
		struct buf said;
		struct talk t;

		buf_init(&said, 65536);
		talk_init(&t, all[i].protocol, TALK_TO_LOOK, STR("us.test"), false);
		found = feed(&t, all[i].first, 1000, &said);
		while (found == TALK_MORE) {
			found = feed(&t, all[i].again, 1000, &said);
			fed += str_of(all[i].again).n;
			assert_true(fed <= TALK_BYTES_MAX + 100);
		}
		assert_int_equal(found, TALK_STOPPED);
		assert_int_equal(t.stop, TALK_STRANGE);
		for (const char *c = t.caps[0].auth; *c != '\0'; c++)
			assert_true(ascii_is_print(*c));
		assert_true(strlen(t.caps[0].auth) < TALK_AUTH_SIZE);
		talk_fini(&t);
		buf_fini(&said);
	}
}

static void
guesses(void **state)
{
	enum talk_protocol p;

	(void)state;
	assert_true(talk_guess(STR("220 mx"), &p) && p == TALK_SMTP);
	assert_true(talk_guess(STR("554-no"), &p) && p == TALK_SMTP);
	assert_true(talk_guess(STR("* OK"), &p) && p == TALK_IMAP);
	assert_false(talk_guess(STR("+OK pop"), &p));
	assert_false(talk_guess(STR("SSH-2.0"), &p));
	assert_false(talk_guess(STR(""), &p));
	for (int s = TALK_BUSY; s <= TALK_NO_START; s++)
		assert_true(strlen(talk_stop_words((enum talk_stop)s)) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues),
		cmocka_unit_test(tls_first),
		cmocka_unit_test(floods),
		cmocka_unit_test(guesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
