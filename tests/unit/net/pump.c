/* pump.c - tests of the byte pump between a client and the process that serves it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/net/pump.h>

struct scene {
	struct loop *loop;
	struct conn *conn;
	struct pump *pump;
	int client;
	int process;
	bool ended;
	bool gone;
	enum conn_end why;
	bool back;
	struct buf behind; /* what the conn gives after that */
};

static size_t
before_login(void *ctx, struct str bytes)
{
	(void)ctx;
	return str_starts(bytes, STR("LOGIN\n")) ? 6 : 0; /* leaves what was pipelined behind it */
}

static void
conn_ended(void *ctx, enum conn_end why)
{
	(void)ctx;
	(void)why;
	fail();
}

static const struct conn_ops front = { .on_data = before_login, .on_end = conn_ended };

static void
on_end(void *ctx, enum conn_end why, bool gone)
{
	struct scene *s = ctx;

	s->ended = true;
	s->gone = gone;
	s->why = why;
	pump_free(s->pump);
	conn_free(s->conn);
}

static size_t
after_login(void *ctx, struct str bytes)
{
	buf_add(&((struct scene *)ctx)->behind, bytes);
	return bytes.n;
}

static const struct conn_ops front_again = { .on_data = after_login, .on_end = conn_ended };

static void
on_back(void *ctx, bool eof)
{
	struct scene *s = ctx;

	assert_false(eof);
	s->back = true;
	pump_free(s->pump);
	s->pump = NULL;
	conn_set_ops(s->conn, &front_again, s);
	conn_resume(s->conn);
}

static const struct pump_ops ops = { .on_end = on_end, .on_back = on_back };

static void
turns(struct scene *s, int n)
{
	while (n-- > 0)
		loop_turn(s->loop);
}

static void
open_scene(struct scene *s)
{
	int c[2], p[2];

	*s = (struct scene){ .loop = loop_new() };
	buf_init(&s->behind, SIZE_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
	s->client = c[1];
	s->process = p[1];
	s->conn = conn_new(s->loop, c[0], &front, s);
	assert_int_equal(write(s->client, "LOGIN\nSELECT", 12), 12);
	turns(s, 2);
	s->pump = pump_new(s->loop, s->conn, p[0], &ops, s);
	turns(s, 2);
}

static void
close_scene(struct scene *s)
{
	if (!s->ended) {
		if (s->pump != NULL)
			pump_free(s->pump);
		conn_free(s->conn);
	}
	buf_fini(&s->behind);
	turns(s, 3);
	close(s->client);
	close(s->process);
	loop_free(s->loop);
}

static void
assert_reads(int fd, const char *text)
{
	char got[256] = "";

	assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), (ssize_t)strlen(text));
	assert_string_equal(got, text);
}

static void
bytes_go_both_ways(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	assert_reads(s.process, "SELECT");
	assert_int_equal(write(s.process, "* OK\r\n", 6), 6);
	assert_int_equal(write(s.client, "NOOP\r\n", 6), 6);
	turns(&s, 3);
	assert_reads(s.client, "* OK\r\n");
	assert_reads(s.process, "NOOP\r\n");
	close_scene(&s);
}

static void
the_process_ends_first(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	assert_int_equal(write(s.process, "* BYE\r\n", 7), 7);
	shutdown(s.process, SHUT_RDWR);
	turns(&s, 3);
	assert_reads(s.client, "* BYE\r\n");
	shutdown(s.client, SHUT_WR);
	turns(&s, 3);
	assert_true(s.ended);
	assert_true(s.gone);
	assert_int_equal(s.why, CONN_END_CLOSED);
	close_scene(&s);
}

static void
the_client_closes_his_half(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	assert_reads(s.process, "SELECT");
	assert_int_equal(write(s.client, "LOGOUT\r\n", 8), 8);
	shutdown(s.client, SHUT_WR);
	turns(&s, 3);
	assert_reads(s.process, "LOGOUT\r\n");
	assert_int_equal(recv(s.process, (char[1]){ 0 }, 1, MSG_DONTWAIT), 0);
	assert_false(s.ended);
	assert_int_equal(write(s.process, "* BYE\r\n", 7), 7);
	turns(&s, 2);
	assert_reads(s.client, "* BYE\r\n");
	shutdown(s.process, SHUT_RDWR);
	turns(&s, 3);
	assert_true(s.ended);
	assert_false(s.gone);
	close_scene(&s);
}

/* Pushes into one end until nothing goes any more; returns how much did. */
static size_t
push(struct scene *s, int fd, char fill)
{
	static char piece[65536];
	size_t sent = 0;
	int idle = 0;

	memset(piece, fill, sizeof piece);
	while (idle < 5 && sent < 32u << 20) {
		ssize_t n = send(fd, piece, sizeof piece, MSG_DONTWAIT);

		turns(s, 2);
		sent += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
	}
	return sent;
}

static size_t
drain(struct scene *s, int fd, char fill, size_t most)
{
	static char piece[65536];
	size_t got = 0;
	int idle = 0;

	while (got < most && idle < 10) {
		ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);

		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(piece[i], fill);
		got += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		turns(s, 2);
	}
	return got;
}

static void
both_ways_are_bounded(void **state)
{
	struct scene s;
	size_t up, down;

	(void)state;
	open_scene(&s);
	assert_reads(s.process, "SELECT");
	up = push(&s, s.client, 'u');
	down = push(&s, s.process, 'd');
	assert_true(up < 2u << 20);
	assert_true(down < 2u << 20);
	assert_true(conn_queued(s.conn) <= CONN_HIGH + 65536);
	/* a client who does not read is not read either, so his way goes first */
	assert_int_equal(drain(&s, s.client, 'd', down), down);
	assert_int_equal(drain(&s, s.process, 'u', up), up);
	assert_int_equal(write(s.client, "x", 1), 1);
	turns(&s, 3);
	assert_reads(s.process, "x");
	close_scene(&s);
}

/* What the process says to its end reaches the client; what the client sends from then on stays with the conn. */
static void
the_connection_comes_back(void **state)
{
	struct scene s;
	char got[8];

	(void)state;
	open_scene(&s);
	assert_reads(s.process, "SELECT");
	pump_take_back(s.pump);
	assert_int_equal(write(s.client, "a LOGIN\r\n", 9), 9);
	turns(&s, 3);
	assert_int_equal(recv(s.process, got, sizeof got, MSG_DONTWAIT), 0);
	assert_int_equal(write(s.process, "u OK\r\n", 6), 6);
	turns(&s, 3);
	assert_reads(s.client, "u OK\r\n");
	assert_false(s.back);
	close(s.process);
	s.process = -1;
	turns(&s, 4);
	assert_true(s.back);
	assert_string_equal(buf_cstr(&s.behind), "a LOGIN\r\n");
	conn_write(s.conn, STR("a OK\r\n"));
	turns(&s, 2);
	assert_reads(s.client, "a OK\r\n");
	assert_false(s.ended);
	close_scene(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(the_process_ends_first),
		cmocka_unit_test(the_client_closes_his_half),
		cmocka_unit_test(both_ways_are_bounded),
		cmocka_unit_test(the_connection_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
