/* conn.c - tests of connections under TLS: the change to it, floods, slow and wrong peers. */
#include "site.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/mem.h>
#include <postern/tls/facts.h>

static void
bytes_both_ways(void **state)
{
	struct site s;
	struct link l;
	char got[64] = "";

	(void)state;
	site_open(&s, TLS_IMAPS);
	assert_true(link_to(&l, &s, NULL));
	assert_true(conn_is_secure(l.conn));
	l.echo = true;
	link_write(&l, "a NOOP\r\n");
	assert_true(link_read(&l, got, 8));
	assert_string_equal(got, "a NOOP\r\n");
	assert_int_equal(conn_bytes_in(l.conn), 8);
	assert_int_equal(conn_bytes_out(l.conn), 8);
	link_close(&l);
	site_close(&s);
}

/* Moves what the client wrote to the server in pieces of `piece` bytes. */
struct slow {
	struct link *link;
	BIO *in, *out; /* the client's view */
};

static void
slow_open(struct slow *w, struct link *l)
{
	w->link = l;
	w->in = BIO_new(BIO_s_mem());
	w->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(w->in, -1);
	SSL_set_bio(l->ssl, w->in, w->out);
}

static void
slow_move(struct slow *w, size_t piece)
{
	char bytes[4096];
	int n;
	ssize_t got;

	while ((n = BIO_read(w->out, bytes, (int)(piece < sizeof bytes ? piece : sizeof bytes))) > 0) {
		assert_int_equal(send(w->link->fd, bytes, (size_t)n, MSG_NOSIGNAL), n);
		link_turn(w->link);
	}
	while ((got = recv(w->link->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		BIO_write(w->in, bytes, (int)got);
}

static void
byte_by_byte(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct site s;
	struct link l;
	struct slow w;
	char got[16] = "";

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		site_open(&s, TLS_IMAPS);
		SSL_CTX_set_max_proto_version(s.client, versions[i]);
		link_open(&l, &s);
		link_secure(&l, s.server);
		slow_open(&w, &l);
		for (int k = 0; k < 10 && SSL_connect(l.ssl) != 1; k++)
			slow_move(&w, 1);
		slow_move(&w, 1);
		assert_true(SSL_is_init_finished(l.ssl) && l.secure);
		l.echo = true;
		SSL_write(l.ssl, "hello", 5);
		slow_move(&w, 1);
		slow_move(&w, 1);
		assert_string_equal(buf_cstr(&l.got), "hello");
		assert_int_equal(SSL_read(l.ssl, got, 5), 5);
		assert_string_equal(got, "hello");
		link_close(&l);
		site_close(&s);
	}
}

/* The server's ticket and its first line come in one packet. */
static void
ticket_and_greeting_leave_together(void **state)
{
	struct tls_ticket_ring ring;
	struct site s;
	struct link l;
	struct slow w;
	char bytes[8192], got[16] = "";
	ssize_t n;

	(void)state;
	site_open(&s, TLS_SUBMISSIONS);
	tls_ticket_init(&ring);
	tls_server_tickets(s.server, &ring);
	link_open(&l, &s);
	l.answer = true;
	link_secure(&l, s.server);
	slow_open(&w, &l);
	SSL_connect(l.ssl);
	slow_move(&w, 4096);
	assert_int_equal(SSL_connect(l.ssl), 1);
	n = BIO_read(w.out, bytes, sizeof bytes);
	assert_int_equal(send(l.fd, bytes, (size_t)n, 0), n);
	link_turn(&l);
	n = recv(l.fd, bytes, sizeof bytes, MSG_DONTWAIT);
	assert_int_equal(recv(l.fd, got, sizeof got, MSG_DONTWAIT), -1); /* that was all there is to come */
	assert_true(n > 0);
	BIO_write(w.in, bytes, (int)n);
	assert_int_equal(SSL_read(l.ssl, got, sizeof got), 11);
	assert_memory_equal(got, "220 hello\r\n", 11);
	assert_true(SSL_SESSION_has_ticket(SSL_get_session(l.ssl)));
	link_close(&l);
	site_close(&s);
}

static void
much_data_both_ways(void **state)
{
	enum { MUCH = 3 << 20 };
	char *sent = mem_new(MUCH), *got = mem_new(MUCH);
	struct site s;
	struct link l;
	size_t at = 0, back = 0;

	(void)state;
	for (size_t i = 0; i < MUCH; i++)
		sent[i] = (char)(i * 7 + i / 256);
	site_open(&s, TLS_IMAPS);
	assert_true(link_to(&l, &s, NULL));
	l.echo = true;
	while (back < MUCH) {
		int n = at < MUCH ? SSL_write(l.ssl, sent + at, (int)(MUCH - at < 16384 ? MUCH - at : 16384)) : 0;

		at += n > 0 ? (size_t)n : 0;
		ERR_clear_error();
		link_turn(&l);
		n = SSL_read(l.ssl, got + back, (int)(MUCH - back));
		back += n > 0 ? (size_t)n : 0;
		assert_false(l.ended);
	}
	assert_memory_equal(sent, got, MUCH);
	free(sent);
	free(got);
	link_close(&l);
	site_close(&s);
}

/* STARTTLS on a plain connection, with injected bytes behind it. */
struct starttls {
	struct link *link;
	enum conn_injected injected;
	size_t take; /* how much of the line and what follows the owner says he took */
	bool done;
};

static size_t
on_line(void *ctx, struct str bytes)
{
	struct starttls *t = ctx;

	if (t->done) {
		buf_add(&t->link->got, bytes);
		return bytes.n;
	}
	t->done = true;
	conn_write(t->link->conn, STR("220 go\r\n"));
	conn_secure(t->link->conn, tls_server_session(t->link->site->server), CONN_SERVER, t->injected, STR(""));
	return t->take;
}

static void
on_secure(void *ctx)
{
	((struct starttls *)ctx)->link->secure = true;
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct starttls *t = ctx;

	t->link->ended = true;
	t->link->why = why;
}

static const struct conn_ops starttls_ops = { .on_data = on_line, .on_secure = on_secure, .on_end = on_end };

static void
inject(struct link *l, struct starttls *t, const char *line, enum conn_injected injected)
{
	char got[16] = "";

	link_open(l, l->site);
	*t = (struct starttls){ .link = l, .injected = injected, .take = 10 };
	conn_set_ops(l->conn, &starttls_ops, t);
	assert_int_equal(write(l->fd, line, strlen(line)), (ssize_t)strlen(line));
	link_turn(l);
	link_turn(l);
	if (l->ended)
		return;
	assert_int_equal(recv(l->fd, got, sizeof got, MSG_DONTWAIT), 8);
	assert_string_equal(got, "220 go\r\n"); /* in the clear, and nothing more */
}

static void
commands_behind_starttls_are_dropped(void **state)
{
	struct site s;
	struct link l = { .site = &s };
	struct starttls t;

	(void)state;
	site_open(&s, TLS_SUBMISSION);
	inject(&l, &t, "STARTTLS\r\nNOOP\r\n", CONN_INJECTED_DROP);
	assert_true(link_shake(&l));
	assert_int_equal(l.got.n, 0);
	link_write(&l, "EHLO x\r\n");
	assert_string_equal(buf_cstr(&l.got), "EHLO x\r\n");
	link_close(&l);
	site_close(&s);
}

static void
commands_behind_starttls_close(void **state)
{
	struct site s;
	struct link l = { .site = &s };
	struct starttls t;

	(void)state;
	site_open(&s, TLS_SUBMISSION);
	inject(&l, &t, "STARTTLS\r\nNOOP\r\n", CONN_INJECTED_CLOSE);
	assert_true(l.ended);
	assert_int_equal(l.why, CONN_END_INJECTED);
	link_close(&l);
	inject(&l, &t, "STARTTLS\r\n", CONN_INJECTED_CLOSE);
	assert_true(link_shake(&l));
	link_close(&l);
	site_close(&s);
}

/* Bytes that wait from before: the owner was paused, then begins TLS outside on_data. */
static void
bytes_left_before_tls_are_dropped(void **state)
{
	struct site s;
	struct link l;

	(void)state;
	site_open(&s, TLS_SUBMISSION);
	link_open(&l, &s);
	l.take = 0;
	assert_int_equal(write(l.fd, "NOOP\r\n", 6), 6);
	link_turn(&l);
	link_secure(&l, s.server);
	l.take = SIZE_MAX;
	assert_true(link_shake(&l));
	link_write(&l, "x");
	assert_string_equal(buf_cstr(&l.got), "x");
	link_close(&l);
	site_close(&s);
}

static void
speak_clear(const char *first, const char *answer)
{
	struct site s;
	struct link l;
	char got[64] = "";
	ssize_t n;

	site_open(&s, TLS_SUBMISSIONS);
	link_open(&l, &s);
	link_secure(&l, s.server);
	assert_int_equal(write(l.fd, first, strlen(first)), (ssize_t)strlen(first));
	link_turn(&l);
	link_turn(&l);
	n = recv(l.fd, got, sizeof got - 1, MSG_DONTWAIT);
	assert_int_equal(n, (ssize_t)strlen(answer));
	assert_string_equal(got, answer);
	shutdown(l.fd, SHUT_WR);
	link_wait_end(&l);
	assert_int_equal(l.why, CONN_END_NOT_TLS);
	assert_int_equal(l.got.n, 0);
	link_close(&l);
	site_close(&s);
}

static void
clear_text_on_a_tls_port(void **state)
{
	(void)state;
	speak_clear("EHLO client\r\n", "554 no TLS\r\n");
	speak_clear("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "");
}

static void
c17_a_client_who_never_finishes(void **state)
{
	struct site s;
	struct link l;

	(void)state;
	site_open(&s, TLS_IMAPS);
	link_open(&l, &s);
	conn_wait(l.conn, CONN_WAIT_HANDSHAKE, 100);
	link_secure(&l, s.server);
	assert_int_equal(write(l.fd, "\x16\x03\x01\x02", 4), 4);
	for (int i = 0; i < 3; i++) { /* a byte now and then does not help */
		usleep(20000);
		assert_int_equal(write(l.fd, "\x00", 1), 1);
		link_turn(&l);
		assert_false(l.ended);
	}
	link_wait_end(&l);
	assert_int_equal(l.why, CONN_END_WAIT);
	assert_int_equal(conn_ended_wait(l.conn), CONN_WAIT_HANDSHAKE);
	link_close(&l);
	site_close(&s);
}

static void
a_client_who_goes_in_the_handshake(void **state)
{
	struct site s;
	struct link l;

	(void)state;
	site_open(&s, TLS_IMAPS);
	link_open(&l, &s);
	link_secure(&l, s.server);
	assert_int_equal(SSL_connect(l.ssl), -1);
	link_turn(&l);
	shutdown(l.fd, SHUT_WR);
	link_wait_end(&l);
	assert_int_equal(l.why, CONN_END_TLS);
	assert_int_equal(l.error, 0);
	assert_string_equal(tls_facts_failure(l.error), "the client closed the connection");
	link_close(&l);
	site_close(&s);
}

static void
c12_a_flood_of_key_updates(void **state)
{
	struct site s;
	struct link l;
	int i;

	(void)state;
	site_open(&s, TLS_IMAPS);
	assert_true(link_to(&l, &s, NULL));
	for (i = 0; i < 1000; i++) {
		SSL_key_update(l.ssl, SSL_KEY_UPDATE_REQUESTED);
		SSL_do_handshake(l.ssl);
		link_turn(&l);
		if (SSL_get_error(l.ssl, SSL_read(l.ssl, (char[1]){ 0 }, 1)) != SSL_ERROR_WANT_READ)
			break;
	}
	ERR_clear_error();
	shutdown(l.fd, SHUT_WR);
	link_wait_end(&l);
	assert_in_range(i, CONN_TLS_CONTROL_MAX, CONN_TLS_CONTROL_MAX + 4);
	assert_int_equal(l.why, CONN_END_FLOOD);
	link_close(&l);
	site_close(&s);
}

static void
a_few_key_updates_are_fine(void **state)
{
	struct site s;
	struct link l;

	(void)state;
	site_open(&s, TLS_IMAPS);
	assert_true(link_to(&l, &s, NULL));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(SSL_key_update(l.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		link_write(&l, "x");
	}
	assert_string_equal(buf_cstr(&l.got), "xxxxx");
	assert_false(l.ended);
	link_close(&l);
	site_close(&s);
}

/* Dear to decrypt, so in one turn only so many: others get theirs in between. */
static void
c12_records_of_one_byte(void **state)
{
	enum { RECORDS = 8000, RECORD = 5 + 1 + 1 + 16 };
	static char bytes[RECORDS * RECORD];
	struct site s;
	struct link l;
	struct slow w;
	size_t before;

	(void)state;
	site_open(&s, TLS_IMAPS);
	assert_true(link_to(&l, &s, NULL));
	slow_open(&w, &l);
	for (int i = 0; i < RECORDS; i++)
		assert_int_equal(SSL_write(l.ssl, "x", 1), 1);
	assert_int_equal(BIO_read(w.out, bytes, sizeof bytes), sizeof bytes);
	assert_int_equal(send(l.fd, bytes, sizeof bytes, 0), sizeof bytes);
	for (int i = 0; i < 10 && l.got.n < RECORDS; i++) {
		before = l.got.n;
		loop_once(s.loop);
		assert_true(l.got.n - before <= CONN_TURN_BYTES / RECORD + 1);
	}
	assert_int_equal(l.got.n, RECORDS);
	link_close(&l);
	site_close(&s);
}

static void
c11_renegotiation_is_refused(void **state)
{
	struct site s;
	struct link l;
	int i;

	(void)state;
	site_open(&s, TLS_IMAPS);
	SSL_CTX_set_max_proto_version(s.client, TLS1_2_VERSION);
	assert_true(link_to(&l, &s, NULL));
	for (i = 0; i < 1000 && !l.ended; i++) {
		if (SSL_renegotiate(l.ssl) != 1)
			break;
		SSL_do_handshake(l.ssl);
		link_turn(&l);
		SSL_do_handshake(l.ssl);
		ERR_clear_error();
	}
	assert_int_equal(l.got.n, 0);
	assert_int_equal(s.signatures, 1); /* not one more private key operation */
	link_close(&l);
	site_close(&s);
}

/* A TLS 1.2 client that sends a ClientHello again and again inside the connection, whatever the server says. */
static void
c11_a_flood_of_renegotiations(void **state)
{
	struct site s;
	struct link l;
	struct slow w;

	(void)state;
	site_open(&s, TLS_IMAPS);
	SSL_CTX_set_max_proto_version(s.client, TLS1_2_VERSION);
	link_open(&l, &s);
	link_secure(&l, s.server);
	slow_open(&w, &l);
	for (int k = 0; k < 10 && SSL_connect(l.ssl) != 1; k++)
		slow_move(&w, 4096);
	slow_move(&w, 4096);
	assert_true(l.secure);
	for (int i = 0; i < 1000 && !l.ended; i++) {
		(void)BIO_reset(w.in); /* hears nothing */
		SSL_renegotiate(l.ssl);
		SSL_do_handshake(l.ssl);
		ERR_clear_error();
		if (BIO_pending(w.out) == 0)
			break;
		slow_move(&w, 4096);
	}
	assert_int_equal(s.signatures, 1);
	link_close(&l);
	site_close(&s);
}

static void
an_orderly_goodbye(void **state)
{
	struct site s;
	struct link l;
	char got[8] = "";

	(void)state;
	site_open(&s, TLS_IMAPS);
	assert_true(link_to(&l, &s, NULL));
	conn_write(l.conn, STR("BYE\r\n"));
	conn_close(l.conn);
	assert_true(link_read(&l, got, 5));
	assert_int_equal(SSL_read(l.ssl, got, 1), 0);
	assert_int_equal(SSL_get_error(l.ssl, 0), SSL_ERROR_ZERO_RETURN);
	SSL_shutdown(l.ssl);
	shutdown(l.fd, SHUT_WR);
	link_wait_end(&l);
	assert_int_equal(l.why, CONN_END_CLOSED);
	link_close(&l);
	site_close(&s);
}

static void
the_client_says_goodbye(void **state)
{
	struct site s;
	struct link l;

	(void)state;
	site_open(&s, TLS_IMAPS);
	assert_true(link_to(&l, &s, NULL));
	SSL_write(l.ssl, "LOGOUT", 6);
	SSL_shutdown(l.ssl);
	link_wait_end(&l);
	assert_string_equal(buf_cstr(&l.got), "LOGOUT");
	assert_int_equal(l.why, CONN_END_EOF);
	link_close(&l);
	site_close(&s);
}

static void
damaged_records_end_it(void **state)
{
	struct site s;
	struct link l;
	char got[64];

	(void)state;
	site_open(&s, TLS_IMAPS);
	assert_true(link_to(&l, &s, NULL));
	assert_int_equal(write(l.fd,
			     "\x17\x03\x03\x00\x20"
			     "0123456789abcdef0123456789abcdef",
			     37),
	    37);
	link_turn(&l);
	shutdown(l.fd, SHUT_WR);
	link_wait_end(&l);
	assert_int_equal(l.why, CONN_END_TLS);
	assert_string_equal(tls_facts_failure(l.error), "a record was damaged on its way");
	assert_true(recv(l.fd, got, sizeof got, MSG_DONTWAIT) > 0); /* an alert */
	assert_int_equal(l.got.n, 0);
	link_close(&l);
	site_close(&s);
}

/* The same conn as the client side: what delivery to other hosts will use. */
static void
as_a_client(void **state)
{
	struct site s;
	struct link server, client;

	(void)state;
	site_open(&s, TLS_SMTP);
	link_open(&server, &s);
	link_open(&client, &s);
	link_secure(&server, s.server);
	SSL_up_ref(client.ssl);
	conn_secure(client.conn, client.ssl, CONN_CLIENT, CONN_INJECTED_CLOSE, STR(""));
	/* what one end sends is carried to the other */
	for (int i = 0; i < 50 && !(server.secure && client.secure); i++) {
		char bytes[16384];
		ssize_t n;

		link_turn(&server);
		if ((n = recv(server.fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
			assert_int_equal(write(client.fd, bytes, (size_t)n), n);
		if ((n = recv(client.fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
			assert_int_equal(write(server.fd, bytes, (size_t)n), n);
	}
	assert_true(server.secure && client.secure);
	link_close(&server);
	link_close(&client);
	site_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_both_ways),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(ticket_and_greeting_leave_together),
		cmocka_unit_test(much_data_both_ways),
		cmocka_unit_test(commands_behind_starttls_are_dropped),
		cmocka_unit_test(commands_behind_starttls_close),
		cmocka_unit_test(bytes_left_before_tls_are_dropped),
		cmocka_unit_test(clear_text_on_a_tls_port),
		cmocka_unit_test(c17_a_client_who_never_finishes),
		cmocka_unit_test(a_client_who_goes_in_the_handshake),
		cmocka_unit_test(c12_a_flood_of_key_updates),
		cmocka_unit_test(a_few_key_updates_are_fine),
		cmocka_unit_test(c12_records_of_one_byte),
		cmocka_unit_test(c11_renegotiation_is_refused),
		cmocka_unit_test(c11_a_flood_of_renegotiations),
		cmocka_unit_test(an_orderly_goodbye),
		cmocka_unit_test(the_client_says_goodbye),
		cmocka_unit_test(damaged_records_end_it),
		cmocka_unit_test(as_a_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
