/* mail.c - a message of a local program: line ends, addresses, the header that is completed, and its way over SMTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/io.h>

#include "../../../src/cli/mail.h"

static int
file_of(struct str text)
{
	int fd = memfd_create("mail", MFD_CLOEXEC);

	assert_true(fd != -1 && io_write_all(fd, text) && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void
check_read(struct str raw, enum mail_end end, struct str want)
{
	struct mail m;
	int fd = file_of(raw);

	mail_init(&m, 1 << 20);
	assert_true(mail_read(&m, fd, end));
	assert_int_equal(m.message.n, want.n);
	assert_memory_equal(buf_cstr(&m.message), want.p, want.n);
	close(fd);
	mail_fini(&m);
}

static void
lines_end_in_crlf(void **state)
{
	(void)state;
	check_read(STR("a\nb\r\nc\rd"), MAIL_ENDS_WITH_FILE, STR("a\r\nb\r\nc\r\nd\r\n"));
	check_read(STR("a\n\n\r\r\n"), MAIL_ENDS_WITH_FILE, STR("a\r\n\r\n\r\n\r\n"));
	check_read(STR("a\n.\nb\n"), MAIL_ENDS_WITH_FILE, STR("a\r\n.\r\nb\r\n"));
	check_read(STR("a\n.\nb\n"), MAIL_ENDS_WITH_DOT, STR("a\r\n"));
	check_read(STR("a\n..\n.b\n"), MAIL_ENDS_WITH_DOT, STR("a\r\n..\r\n.b\r\n"));
	check_read(STR(""), MAIL_ENDS_WITH_FILE, STR(""));
	check_read(STR("a\0b\n"), MAIL_ENDS_WITH_FILE, STR("a\0b\r\n"));
}

static void
size_has_a_ceiling(void **state)
{
	struct mail m;
	int fd = file_of(STR("123456789\n"));

	(void)state;
	mail_init(&m, 8);
	assert_false(mail_read(&m, fd, MAIL_ENDS_WITH_FILE));
	mail_fini(&m);
	close(fd);
}

static void
check_recipients(struct mail *m, const char *want)
{
	struct buf all;

	buf_init(&all, SIZE_MAX);
	for (size_t i = 0; i < m->nrecipients; i++) {
		buf_add(&all, m->recipients[i]);
		buf_add_char(&all, ' ');
	}
	assert_string_equal(buf_cstr(&all), want);
	buf_fini(&all);
}

static void
addresses_are_completed(void **state)
{
	struct mail m;

	(void)state;
	mail_init(&m, 1 << 20);
	m.origin = STR("example.test");
	assert_true(mail_add_recipients(&m, STR("bob, Alice <alice@remote.test>,\n \"a b\"@x.test; team: c@x.test;")));
	check_recipients(&m, "bob@example.test alice@remote.test \"a b\"@x.test c@x.test ");
	assert_false(mail_add_recipients(&m, STR("a@b@c")));
	assert_false(mail_add_recipients(&m, STR("<@x.test>")));
	assert_true(mail_set_sender(&m, STR("root")));
	assert_string_equal(m.sender.p, "root@example.test");
	assert_true(mail_set_sender(&m, STR("<>")) && m.sender.n == 0);
	assert_false(mail_set_sender(&m, STR("a@x.test, b@x.test")));
	mail_fini(&m);
}

static void
headers_name_recipients(void **state)
{
	struct mail m;

	(void)state;
	mail_init(&m, 1 << 20);
	m.origin = STR("example.test");
	buf_add_cstr(
	    &m.message, "to: a@x.test,\r\n b@x.test\r\nSubject: s\r\nBCC: c\r\nCc: d@x.test\r\n\r\nTo: e@x.test\r\n");
	assert_true(mail_take_recipients(&m));
	check_recipients(&m, "a@x.test b@x.test c@example.test d@x.test ");
	mail_fini(&m);
}

static void
from_is_added_when_it_lacks(void **state)
{
	struct mail m;

	(void)state;
	mail_init(&m, 1 << 20);
	m.sender = STR("root@example.test");
	buf_add_cstr(&m.message, "Subject: s\r\n\r\nFrom: x\r\n");
	mail_complete(&m, STR("The \"Root\""));
	mail_complete(&m, STR("again"));
	assert_string_equal(
	    buf_cstr(&m.message), "From: \"The \\\"Root\\\"\" <root@example.test>\r\nSubject: s\r\n\r\nFrom: x\r\n");
	mail_fini(&m);
}

/* The server's side of a dialogue: says what stands behind ">" and reads what comes until its line. */
struct script {
	int fd;
	const char *say;    /* one reply per line, in order; each answers one line of the client */
	struct buf heard;
};

static void
hear(struct script *s, const char *until)
{
	char c;

	while (read(s->fd, &c, 1) == 1) {
		buf_add_char(&s->heard, c);
		if (str_ends(buf_str(&s->heard), str_of(until)))
			return;
	}
}

static void *
serve(void *arg)
{
	struct script *s = arg;
	struct str rest = str_of(s->say);
	struct str line;
	bool data = false;

	while (str_cut(&rest, '\n', &line)) {
		io_write_all(s->fd, line);
		io_write_all(s->fd, STR("\r\n"));
		if (line.n > 3 && line.p[3] == '-')
			continue;
		data = str_starts(line, STR("354"));
		hear(s, data ? "\r\n.\r\n" : "\r\n");
	}
	shutdown(s->fd, SHUT_RDWR);
	return NULL;
}

static int
talk(const struct mail *m, const char *say, struct buf *heard)
{
	struct script s = { .say = say };
	pthread_t server;
	int ends[2];
	int status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	s.fd = ends[1];
	buf_init(&s.heard, SIZE_MAX);
	pthread_create(&server, NULL, serve, &s);
	status = mail_talk(m, ends[0], STR("mx.example.test"));
	close(ends[0]);
	pthread_join(server, NULL);
	close(ends[1]);
	*heard = s.heard;
	return status;
}

static void
check_talk(const struct mail *m, const char *say, int status, const char *want)
{
	struct buf heard;

	assert_int_equal(talk(m, say, &heard), status);
	assert_string_equal(buf_cstr(&heard), want);
	buf_fini(&heard);
}

#define HELLO "220 mx\n250-mx\n250 SIZE\n"

static void
smtp_is_spoken(void **state)
{
	struct mail m;

	(void)state;
	mail_init(&m, 1 << 20);
	m.sender = STR("a@x.test");
	assert_true(mail_add_recipients(&m, STR("b@x.test, c@x.test")));
	buf_add_cstr(&m.message, "Subject: s\r\n\r\n.dot\r\n..\r\nd\r\n");
	check_talk(&m, HELLO "250 ok\n250 ok\n251 ok\n354 go\n250 queued\n221 bye", 0,
	    "EHLO mx.example.test\r\nMAIL FROM:<a@x.test> SIZE=27\r\nRCPT TO:<b@x.test>\r\nRCPT "
	    "TO:<c@x.test>\r\nDATA\r\n"
	    "Subject: s\r\n\r\n..dot\r\n...\r\nd\r\n.\r\nQUIT\r\n");
	m.notify = "NEVER";
	m.ret = "HDRS";
	m.envid = "x1";
	buf_add_cstr(&m.message, "\xc3\xbc\r\n");
	check_talk(&m, HELLO "250 ok\n250 ok\n550 no such user\n221 bye", 1,
	    "EHLO mx.example.test\r\nMAIL FROM:<a@x.test> SIZE=31 BODY=8BITMIME RET=HDRS ENVID=x1\r\nRCPT "
	    "TO:<b@x.test> NOTIFY=NEVER"
	    "\r\nRCPT TO:<c@x.test> NOTIFY=NEVER\r\nQUIT\r\n");
	mail_fini(&m);
}

static void
refusals_tell_whether_to_come_again(void **state)
{
	static const struct {
		const char *say;
		int status;
	} rows[] = {
		{ "554 go away\n221 bye", 1 },
		{ "421 later", 75 },
		{ HELLO "452 full\n221 bye", 75 },
		{ HELLO "250 ok\n250 ok\n250 ok\n451 later\n221 bye", 75 },
		{ HELLO "250 ok\n250 ok\n250 ok\n354 go\n552 too large\n221 bye", 1 },
		{ HELLO "250 ok\n250 ok", 75 }, /* gone */
		{ "what", 75 },
	};
	struct mail m;

	(void)state;
	mail_init(&m, 1 << 20);
	assert_true(mail_add_recipients(&m, STR("b@x.test, c@x.test")));
	buf_add_cstr(&m.message, "\r\nx\r\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf heard;

		assert_int_equal(talk(&m, rows[i].say, &heard), rows[i].status);
		buf_fini(&heard);
	}
	mail_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_in_crlf),
		cmocka_unit_test(size_has_a_ceiling),
		cmocka_unit_test(addresses_are_completed),
		cmocka_unit_test(headers_name_recipients),
		cmocka_unit_test(from_is_added_when_it_lacks),
		cmocka_unit_test(smtp_is_spoken),
		cmocka_unit_test(refusals_tell_whether_to_come_again),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("cli_mail", tests, NULL, NULL);
}
