/* ticket.c - tests of resumption: where a ticket works and where it does not. */
#include "site.h"

#include <malloc.h>
#include <string.h>

#include <postern/tls/facts.h>
#include <postern/tls/ticket.h>

/* Both ends take what the other has sent after the handshake. */
static SSL_SESSION *
take_session(struct link *l)
{
	char byte;

	link_turn(l);
	SSL_read(l->ssl, &byte, 1);
	return SSL_get1_session(l->ssl);
}

static SSL_SESSION *
first_visit(struct site *s, const char *name)
{
	struct link l;
	SSL_SESSION *session;

	assert_true(link_to(&l, s, name));
	assert_false(SSL_session_reused(l.ssl));
	session = take_session(&l);
	link_close(&l);
	return session;
}

static bool
is_resumed(struct site *s, struct tls_server *server, const char *name, SSL_SESSION *session)
{
	struct link l;
	bool reused;

	link_open(&l, s);
	link_secure(&l, server);
	link_name(&l, name);
	SSL_set_session(l.ssl, session);
	assert_true(link_shake(&l));
	reused = SSL_session_reused(l.ssl);
	assert_int_equal(SSL_session_reused(conn_ssl(l.conn)), reused);
	link_close(&l);
	return reused;
}

static void
a_ticket_works_where_it_was_given(int version)
{
	struct tls_ticket_ring ring, other_ring;
	struct tls_server *submission, *twin, *imap_with_same_keys;
	struct tls_signer signer;
	struct tls_cert cert;
	SSL_SESSION *session;
	struct site s;
	struct err e;

	site_open(&s, TLS_SMTP);
	SSL_CTX_set_max_proto_version(s.client, version);
	signer = site_signer(&s);
	cert = (struct tls_cert){ .key_id = STR("main"), .chain = keystore_chain(s.keys, STR("main")) };
	twin = tls_server_new(TLS_SMTP, &cert, 1, &signer, &e);
	submission = tls_server_new(TLS_SUBMISSION, &cert, 1, &signer, &e);
	imap_with_same_keys = tls_server_new(TLS_IMAP, &cert, 1, &signer, &e);
	tls_ticket_init(&ring);
	tls_ticket_init(&other_ring);
	tls_server_tickets(s.server, &ring);
	tls_server_tickets(twin, &ring);
	tls_server_tickets(submission, &other_ring);
	tls_server_tickets(imap_with_same_keys, &ring);

	session = first_visit(&s, "mail.example.test");
	assert_true(SSL_SESSION_has_ticket(session));
	s.signatures = 0;
	assert_true(is_resumed(&s, s.server, "mail.example.test", session));
	assert_int_equal(s.signatures, 0);
	assert_true(is_resumed(&s, twin, "mail.example.test", session)); /* another process of the service */
	assert_false(is_resumed(&s, submission, "mail.example.test", session));
	assert_false(is_resumed(&s, imap_with_same_keys, "mail.example.test", session));
	assert_false(is_resumed(&s, s.server, "other.example.test", session));
	assert_false(is_resumed(&s, s.server, NULL, session));

	tls_ticket_rotate(&ring);
	tls_server_tickets(s.server, &ring);
	assert_true(is_resumed(&s, s.server, "mail.example.test", session)); /* old keys still open */
	tls_ticket_rotate(&ring);
	tls_ticket_rotate(&ring);
	tls_server_tickets(s.server, &ring);
	assert_false(is_resumed(&s, s.server, "mail.example.test", session));
	SSL_SESSION_free(session);
	tls_server_free(twin);
	tls_server_free(submission);
	tls_server_free(imap_with_same_keys);
	site_close(&s);
}

static void
tickets_of_tls12(void **state)
{
	(void)state;
	a_ticket_works_where_it_was_given(TLS1_2_VERSION);
}

static void
tickets_of_tls13(void **state)
{
	(void)state;
	a_ticket_works_where_it_was_given(TLS1_3_VERSION);
}

static void
without_keys_nothing_is_resumed(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	SSL_SESSION *session;
	struct site s;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		site_open(&s, TLS_IMAP);
		SSL_CTX_set_max_proto_version(s.client, versions[i]);
		session = first_visit(&s, NULL);
		assert_false(SSL_SESSION_has_ticket(session));
		assert_false(is_resumed(&s, s.server, NULL, session));
		SSL_SESSION_free(session);
		site_close(&s);
	}
}

static void
a_damaged_ticket_is_a_full_handshake(void **state)
{
	struct tls_ticket_ring ring;
	SSL_SESSION *session;
	unsigned char *der = NULL;
	const unsigned char *p, *ticket;
	size_t n;
	struct site s;
	int nder;

	(void)state;
	site_open(&s, TLS_IMAP);
	tls_ticket_init(&ring);
	tls_server_tickets(s.server, &ring);
	session = first_visit(&s, NULL);
	SSL_SESSION_get0_ticket(session, &ticket, &n);
	nder = i2d_SSL_SESSION(session, &der);
	for (size_t i = 0; i < n; i += n / 40 + 1) {
		SSL_SESSION *bad;
		unsigned char *at = memmem(der, (size_t)nder, ticket, n);

		assert_non_null(at);
		at[i] ^= 0x55;
		p = der;
		bad = d2i_SSL_SESSION(NULL, &p, nder);
		assert_non_null(bad);
		assert_false(is_resumed(&s, s.server, NULL, bad));
		SSL_SESSION_free(bad);
		at[i] ^= 0x55;
	}
	OPENSSL_free(der);
	SSL_SESSION_free(session);
	site_close(&s);
}

static void
c15_memory_stays_flat(void **state)
{
	struct tls_ticket_ring ring;
	struct site s;
	size_t before = 0, after;

	(void)state;
	site_open(&s, TLS_IMAP);
	tls_ticket_init(&ring);
	tls_server_tickets(s.server, &ring);
	for (int i = 0; i < 300; i++) {
		SSL_SESSION *session = first_visit(&s, "mail.example.test");

		assert_true(is_resumed(&s, s.server, "mail.example.test", session));
		SSL_SESSION_free(session);
		if (i == 99)
			before = mallinfo2().uordblks;
	}
	after = mallinfo2().uordblks;
	assert_true(after < before + 64 * 1024); /* a session kept in a cache would be 200 times some KiB */
	site_close(&s);
}

static void
rings(void **state)
{
	struct tls_ticket_ring r, was;
	size_t at;

	(void)state;
	tls_ticket_init(&r);
	was = r;
	tls_ticket_rotate(&r);
	assert_memory_equal(&r.key[1], &was.key[0], sizeof r.key[0]);
	assert_memory_equal(&r.key[2], &was.key[1], sizeof r.key[0]);
	assert_ptr_equal(tls_ticket_find(&r, was.key[0].name, &at), &r.key[1]);
	assert_int_equal(at, 1);
	assert_null(tls_ticket_find(&r, was.key[2].name, &at));
	tls_ticket_wipe(&r);
	assert_int_equal(r.key[0].aes[0] | r.key[1].mac[31], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings),
		cmocka_unit_test(tickets_of_tls12),
		cmocka_unit_test(tickets_of_tls13),
		cmocka_unit_test(without_keys_nothing_is_resumed),
		cmocka_unit_test(a_damaged_ticket_is_a_full_handshake),
		cmocka_unit_test(c15_memory_stays_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
