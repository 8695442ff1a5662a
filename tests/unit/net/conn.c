/* conn.c - tests of the plain connection: bytes both ways, back pressure, deadlines, endings. TLS: tests/unit/tls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/mem.h>
#include <postern/net/conn.h>

struct side {
	struct loop *loop;
	struct conn *conn;
	int peer;
	struct buf got;
	size_t calls;
	size_t take; /* how many bytes on_data takes at most */
	bool echo;
	bool free_in_data;
	bool eof;
	bool ended;
	unsigned drained;
	enum conn_end why;
	const char *last_words;
};

static size_t
on_data(void *ctx, struct str bytes)
{
	struct side *s = ctx;
	size_t n = bytes.n < s->take ? bytes.n : s->take;

	s->calls++;
	buf_add(&s->got, str_sub(bytes, 0, n));
	if (s->echo)
		conn_write(s->conn, str_sub(bytes, 0, n));
	if (s->free_in_data) {
		conn_free(s->conn);
		s->conn = NULL;
	}
	return n;
}

static void
on_eof(void *ctx)
{
	struct side *s = ctx;

	s->eof = true;
	conn_write(s->conn, STR("bye"));
	conn_close(s->conn);
}

static void
on_drained(void *ctx)
{
	((struct side *)ctx)->drained++;
}

static void
on_wait(void *ctx, enum conn_wait what)
{
	struct side *s = ctx;

	(void)what;
	if (s->last_words == NULL)
		return;
	conn_write(s->conn, str_of(s->last_words));
	conn_close(s->conn);
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct side *s = ctx;

	assert_false(s->ended);
	s->ended = true;
	s->why = why;
	conn_free(s->conn);
	s->conn = NULL;
}

static const struct conn_ops ops = {
	.on_data = on_data,
	.on_drained = on_drained,
	.on_wait = on_wait,
	.on_end = on_end,
};

static void
side_open(struct side *s)
{
	int fd[2];

	*s = (struct side){ .loop = loop_new(), .take = SIZE_MAX };
	buf_init(&s->got, 64 << 20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	s->peer = fd[1];
	s->conn = conn_new(s->loop, fd[0], &ops, s);
}

static void
side_close(struct side *s)
{
	if (s->conn != NULL)
		conn_free(s->conn);
	for (int i = 0; i < 3; i++)
		loop_turn(s->loop);
	if (s->peer != -1)
		close(s->peer);
	buf_fini(&s->got);
	loop_free(s->loop);
}

static void
turns(struct side *s, int n)
{
	while (n-- > 0)
		loop_turn(s->loop);
}

static void
say(struct side *s, const char *text)
{
	assert_int_equal(write(s->peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void
assert_got(struct side *s, const char *text)
{
	assert_string_equal(buf_cstr(&s->got), text);
}

/* What the peer can read now, in one read. */
static void
assert_peer_reads(struct side *s, const char *text)
{
	char got[4096] = "";

	assert_int_equal(recv(s->peer, got, sizeof got - 1, MSG_DONTWAIT), (ssize_t)strlen(text));
	assert_string_equal(got, text);
}

static void
bytes_come_and_go(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	s.echo = true;
	say(&s, "hello");
	turns(&s, 2);
	assert_got(&s, "hello");
	assert_peer_reads(&s, "hello");
	assert_int_equal(conn_bytes_in(s.conn), 5);
	assert_int_equal(conn_bytes_out(s.conn), 5);
	side_close(&s);
}

/* The peer waits for an answer to all of it and sends nothing more. */
static void
what_is_left_comes_again(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	s.take = 2;
	say(&s, "abcde");
	turns(&s, 6);
	assert_got(&s, "abcde");
	assert_int_equal(s.calls, 3);
	side_close(&s);
}

static void
who_takes_nothing_is_not_asked_again(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	s.take = 0;
	say(&s, "ab");
	turns(&s, 6);
	assert_int_equal(s.calls, 1);
	say(&s, "c");
	turns(&s, 6);
	assert_int_equal(s.calls, 2);
	s.take = SIZE_MAX;
	conn_resume(s.conn);
	turns(&s, 2);
	assert_got(&s, "abc");
	side_close(&s);
}

static void
writes_of_a_turn_leave_together(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	conn_write(s.conn, STR("one "));
	conn_write(s.conn, STR("two "));
	conn_write(s.conn, STR("three"));
	assert_int_equal(recv(s.peer, (char[1]){ 0 }, 1, MSG_DONTWAIT), -1);
	turns(&s, 1);
	assert_peer_reads(&s, "one two three");
	side_close(&s);
}

static void
pausing_reads_a_bounded_amount(void **state)
{
	struct side s;
	char *piece = mem_new(65536);
	size_t sent = 0;
	ssize_t n;

	(void)state;
	side_open(&s);
	conn_pause(s.conn);
	for (int i = 0; i < 40; i++) {
		while ((n = send(s.peer, piece, 65536, MSG_DONTWAIT)) > 0)
			sent += (size_t)n;
		turns(&s, 2);
	}
	assert_int_equal(s.calls, 0);
	assert_true(sent < 2u * CONN_IN_MAX + 512u * 1024); /* and what the kernel holds */
	conn_resume(s.conn);
	while (s.got.n < sent)
		turns(&s, 1);
	assert_int_equal(s.got.n, sent);
	free(piece);
	side_close(&s);
}

static void
a_peer_who_does_not_read_stops_the_producer(void **state)
{
	struct side s;
	static char piece[16384];
	size_t written = 0, read_back = 0;
	ssize_t n;

	(void)state;
	side_open(&s);
	do {
		conn_write(s.conn, str_from(piece, sizeof piece));
		written += sizeof piece;
		turns(&s, 1);
	} while (!conn_full(s.conn) && written < 64u << 20);
	assert_true(conn_full(s.conn));
	assert_true(conn_queued(s.conn) <= CONN_HIGH + sizeof piece);
	say(&s, "more"); /* is not read while nothing leaves */
	turns(&s, 3);
	assert_int_equal(s.calls, 0);
	assert_int_equal(s.drained, 0);
	while (read_back < written) {
		n = recv(s.peer, piece, sizeof piece, MSG_DONTWAIT);
		read_back += n > 0 ? (size_t)n : 0;
		turns(&s, 1);
	}
	assert_int_equal(s.drained, 1);
	assert_got(&s, "more");
	assert_int_equal(conn_queued(s.conn), 0);
	side_close(&s);
}

static void
an_owner_who_writes_on_is_cut_off(void **state)
{
	struct side s;
	static char piece[65536];

	(void)state;
	side_open(&s);
	for (size_t n = 0; n < CONN_OUT_MAX + sizeof piece; n += sizeof piece)
		conn_write(s.conn, str_from(piece, sizeof piece));
	assert_false(s.ended);
	turns(&s, 2);
	assert_true(s.ended);
	assert_int_equal(s.why, CONN_END_OVERFLOW);
	side_close(&s);
}

static void
closing_delivers_the_last_words(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	say(&s, "QUIT\r\nunread");
	turns(&s, 1);
	conn_write(s.conn, STR("221 bye\r\n"));
	conn_close(s.conn);
	conn_write(s.conn, STR("ignored"));
	say(&s, "junk that nobody wants");
	turns(&s, 2);
	assert_peer_reads(&s, "221 bye\r\n");
	assert_false(s.ended); /* waits for the peer */
	assert_got(&s, "QUIT\r\nunread");
	close(s.peer);
	s.peer = -1;
	turns(&s, 2);
	assert_true(s.ended);
	assert_int_equal(s.why, CONN_END_CLOSED);
	side_close(&s);
}

static void
wait_for_end(struct side *s)
{
	while (!s->ended)
		loop_once(s->loop);
}

static void
lingering_ends_by_itself(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	conn_close(s.conn);
	wait_for_end(&s);
	assert_int_equal(s.why, CONN_END_CLOSED);
	side_close(&s);
}

static void
the_peer_closes(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	say(&s, "x");
	close(s.peer);
	s.peer = -1;
	turns(&s, 3);
	assert_got(&s, "x");
	assert_true(s.ended);
	assert_int_equal(s.why, CONN_END_EOF);
	side_close(&s);
}

static void
the_peer_closes_one_half(void **state)
{
	struct conn_ops with_eof = ops;
	struct side s;

	(void)state;
	with_eof.on_eof = on_eof;
	side_open(&s);
	conn_set_ops(s.conn, &with_eof, &s);
	say(&s, "question");
	shutdown(s.peer, SHUT_WR);
	turns(&s, 3);
	assert_true(s.eof);
	assert_got(&s, "question");
	assert_peer_reads(&s, "bye");
	assert_true(s.ended);
	assert_int_equal(s.why, CONN_END_CLOSED);
	side_close(&s);
}

static void
the_end_comes_behind_what_is_left(void **state)
{
	struct conn_ops with_eof = ops;
	struct side s;

	(void)state;
	with_eof.on_eof = on_eof;
	side_open(&s);
	conn_set_ops(s.conn, &with_eof, &s);
	s.take = 2;
	say(&s, "abcdefg");
	shutdown(s.peer, SHUT_WR);
	turns(&s, 8);
	assert_true(s.eof);
	assert_got(&s, "abcdefg");
	assert_peer_reads(&s, "bye");
	side_close(&s);
}

static void
an_end_of_file_waits_for_resume(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	conn_pause(s.conn);
	say(&s, "last");
	close(s.peer);
	s.peer = -1;
	turns(&s, 5);
	assert_int_equal(s.calls, 0);
	assert_false(s.ended);
	conn_resume(s.conn);
	turns(&s, 3);
	assert_got(&s, "last");
	assert_true(s.ended);
	side_close(&s);
}

static void
freeing_inside_a_callback(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	s.free_in_data = true;
	s.take = 1;
	conn_write(s.conn, STR("gone with it"));
	say(&s, "abc");
	turns(&s, 3);
	assert_null(s.conn);
	assert_false(s.ended);
	side_close(&s);
}

static void
idle_ends_with_last_words(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	s.last_words = "421 timeout\r\n";
	conn_wait(s.conn, CONN_WAIT_IDLE, 60);
	for (int i = 0; i < 4; i++) { /* stays alive while bytes come */
		usleep(30000);
		say(&s, ".");
		turns(&s, 2);
		assert_false(s.ended);
	}
	while (conn_ended_wait(s.conn) != CONN_WAIT_IDLE)
		loop_once(s.loop);
	turns(&s, 2);
	assert_peer_reads(&s, "421 timeout\r\n");
	close(s.peer);
	s.peer = -1;
	wait_for_end(&s);
	assert_int_equal(s.why, CONN_END_WAIT);
	side_close(&s);
}

static void
total_ends_whatever_comes(void **state)
{
	struct side s;

	(void)state;
	side_open(&s);
	conn_wait(s.conn, CONN_WAIT_TOTAL, 80);
	conn_wait(s.conn, CONN_WAIT_IDLE, 5000);
	while (!s.ended) {
		if (send(s.peer, ".", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == -1 && errno != EPIPE)
			break;
		if (s.conn != NULL && conn_ended_wait(s.conn) == CONN_WAIT_TOTAL)
			shutdown(s.peer, SHUT_WR);
		loop_once(s.loop);
		usleep(1000);
	}
	assert_true(s.ended);
	assert_int_equal(s.why, CONN_END_WAIT);
	side_close(&s);
}

static void
a_stalled_peer_ends(void **state)
{
	struct side s;
	static char piece[CONN_HIGH];

	(void)state;
	side_open(&s);
	conn_wait(s.conn, CONN_WAIT_STALL, 50);
	for (int i = 0; i < 8; i++)
		conn_write(s.conn, str_from(piece, sizeof piece));
	wait_for_end(&s);
	assert_int_equal(s.why, CONN_END_WAIT);
	side_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_and_go),
		cmocka_unit_test(what_is_left_comes_again),
		cmocka_unit_test(who_takes_nothing_is_not_asked_again),
		cmocka_unit_test(the_end_comes_behind_what_is_left),
		cmocka_unit_test(writes_of_a_turn_leave_together),
		cmocka_unit_test(pausing_reads_a_bounded_amount),
		cmocka_unit_test(a_peer_who_does_not_read_stops_the_producer),
		cmocka_unit_test(an_owner_who_writes_on_is_cut_off),
		cmocka_unit_test(closing_delivers_the_last_words),
		cmocka_unit_test(lingering_ends_by_itself),
		cmocka_unit_test(the_peer_closes),
		cmocka_unit_test(the_peer_closes_one_half),
		cmocka_unit_test(an_end_of_file_waits_for_resume),
		cmocka_unit_test(freeing_inside_a_callback),
		cmocka_unit_test(idle_ends_with_last_words),
		cmocka_unit_test(total_ends_whatever_comes),
		cmocka_unit_test(a_stalled_peer_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
