/* facts.c - tests of the log line and of the channel bindings. */
#include "site.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include <postern/core/log.h>
#include <postern/tls/facts.h>

static char line[4200];

static void
keep_line(void *ctx, struct str s)
{
	(void)ctx;
	snprintf(line, sizeof line, "%.*s", STR_ARG(s));
}

static void
assert_line_has(const char *text)
{
	if (strstr(line, text) == NULL)
		fail_msg("no %s in %s", text, line);
}

static void
the_line_of_a_handshake(void **state)
{
	struct site s;
	struct link l;
	char words[TLS_WORDS_SIZE];

	(void)state;
	site_open(&s, TLS_IMAPS);
	SSL_CTX_set_alpn_protos(s.client, (const unsigned char *)"\x04imap", 5);
	assert_true(link_to(&l, &s, "mail.example.test"));
	tls_facts_log(TLS_IMAPS, STR("sid1"), STR("192.0.2.1:4000"), conn_ssl(l.conn));
	assert_line_has("info ");
	assert_line_has(" event=tls sid=sid1 client=192.0.2.1:4000 service=imaps version=TLSv1.3 ");
	assert_line_has(" cipher=TLS_AES_128_GCM_SHA256 group=x25519 sni=mail.example.test alpn=imap ");
	assert_line_has(" client_cert=\"\" resumed=no");
	assert_string_equal(tls_facts_words(conn_ssl(l.conn), words), "TLSv1.3:TLS_AES_128_GCM_SHA256:128");
	assert_string_equal(tls_facts_words(NULL, words), "");
	link_close(&l);
	site_close(&s);
}

static void
a_client_certificate_is_named(void **state)
{
	struct buf cert, key;
	struct site s;
	struct link l;
	struct tls_facts f;
	BIO *bio;
	X509 *x;
	EVP_PKEY *pair;

	(void)state;
	site_open(&s, TLS_SMTP);
	site_make_pair("P-256", "DNS:client.test", &cert, &key);
	bio = BIO_new_mem_buf(cert.p, (int)cert.n);
	x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	bio = BIO_new_mem_buf(key.p, (int)key.n);
	pair = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	SSL_CTX_use_cert_and_key(s.client, x, pair, NULL, 1);
	assert_true(link_to(&l, &s, NULL));
	tls_facts_read(conn_ssl(l.conn), &f);
	assert_string_equal(f.client_subject, ""); /* nobody asked */
	link_close(&l);
	tls_server_ask_client(s.server, true);
	assert_true(link_to(&l, &s, NULL));
	tls_facts_read(conn_ssl(l.conn), &f);
	assert_string_equal(f.client_subject, "CN=test");
	link_close(&l);
	X509_free(x);
	EVP_PKEY_free(pair);
	buf_fini(&cert);
	buf_fini(&key);
	site_close(&s);
}

static void
the_line_of_a_failure(void **state)
{
	struct site s;
	struct link l;

	(void)state;
	site_open(&s, TLS_SUBMISSION);
	SSL_CTX_set_max_proto_version(s.client, TLS1_1_VERSION);
	SSL_CTX_set_min_proto_version(s.client, TLS1_1_VERSION);
	SSL_CTX_set_cipher_list(s.client, "ALL:@SECLEVEL=0");
	assert_false(link_to(&l, &s, NULL));
	tls_facts_log_failure(TLS_SUBMISSION, STR("sid2"), STR("192.0.2.1:4000"), conn_ssl(l.conn), l.error, NULL);
	assert_line_has(" event=tls sid=sid2 client=192.0.2.1:4000 service=submission ");
	assert_line_has("why=\"the client offers no TLS version from 1.2 on\"");
	tls_facts_log_failure(TLS_SUBMISSION, STR("sid2"), STR("192.0.2.1:4000"), NULL, 0, "timeout");
	assert_line_has("why=timeout");
	assert_string_equal(tls_facts_failure(ERR_PACK(ERR_LIB_SSL, 0, 9999)), "TLS failed for a reason without words");
	link_close(&l);
	site_close(&s);
}

/* The hash of the certificate as the client saw it: SHA-256, that being what it is signed with. */
static void
client_end_point(struct link *l, uint8_t out[static 32])
{
	unsigned n;

	assert_int_equal(X509_digest(SSL_get0_peer_certificate(l->ssl), EVP_sha256(), out, &n), 1);
	assert_int_equal(n, 32);
}

static void
both_sides_bind_alike(int version)
{
	uint8_t ours[TLS_BINDING_MAX], theirs[TLS_BINDING_MAX], again[TLS_BINDING_MAX];
	struct site s;
	struct link l, other;

	site_open(&s, TLS_IMAP);
	SSL_CTX_set_max_proto_version(s.client, version);
	assert_true(link_to(&l, &s, NULL));
	assert_true(link_to(&other, &s, NULL));
	assert_int_equal(tls_binding_exporter(conn_ssl(l.conn), ours), 32);
	assert_int_equal(SSL_export_keying_material(
			     l.ssl, theirs, 32, "EXPORTER-Channel-Binding", 24, (const unsigned char *)"", 0, 1),
	    1);
	assert_memory_equal(ours, theirs, 32);
	assert_int_equal(tls_binding_exporter(conn_ssl(other.conn), again), 32);
	assert_memory_not_equal(ours, again, 32); /* of this connection only */
	assert_int_equal(tls_binding_end_point(conn_ssl(l.conn), ours), 32);
	client_end_point(&l, theirs);
	assert_memory_equal(ours, theirs, 32);
	link_close(&l);
	link_close(&other);
	site_close(&s);
}

static void
bindings(void **state)
{
	(void)state;
	both_sides_bind_alike(TLS1_2_VERSION);
	both_sides_bind_alike(TLS1_3_VERSION);
}

static void
no_exporter_without_extended_master_secret(void **state)
{
	uint8_t ours[TLS_BINDING_MAX];
	struct site s;
	struct link l;

	(void)state;
	site_open(&s, TLS_IMAP);
	SSL_CTX_set_max_proto_version(s.client, TLS1_2_VERSION);
	SSL_CTX_set_options(s.client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	assert_true(link_to(&l, &s, NULL));
	assert_int_equal(tls_binding_exporter(conn_ssl(l.conn), ours), 0);
	assert_int_equal(tls_binding_end_point(conn_ssl(l.conn), ours), 32);
	link_close(&l);
	site_close(&s);
}

/* The session began with one certificate, the resumption comes when another is in force: the client compares with the first. */
static void
the_end_point_of_a_resumed_session(int version)
{
	uint8_t ours[TLS_BINDING_MAX], theirs[32];
	struct tls_ticket_ring ring;
	struct tls_cert cert;
	SSL_SESSION *session;
	struct site s;
	struct link l;
	struct err e;

	site_open(&s, TLS_IMAP);
	SSL_CTX_set_max_proto_version(s.client, version);
	tls_ticket_init(&ring);
	tls_server_tickets(s.server, &ring);
	assert_true(link_to(&l, &s, NULL));
	client_end_point(&l, theirs);
	link_write(&l, "x");
	SSL_read(l.ssl, (char[1]){ 0 }, 1);
	session = SSL_get1_session(l.ssl);
	link_close(&l);
	cert = site_cert(&s, "next", "P-256", "DNS:next.test");
	assert_true(tls_server_replace(s.server, &cert, 1, &e));
	for (int i = 0; i < 2; i++) { /* the second time with a ticket that came from a resumed session */
		link_open(&l, &s);
		link_secure(&l, s.server);
		SSL_set_session(l.ssl, session);
		assert_true(link_shake(&l));
		assert_true(SSL_session_reused(l.ssl));
		assert_int_equal(tls_binding_end_point(conn_ssl(l.conn), ours), 32);
		assert_memory_equal(ours, theirs, 32);
		link_write(&l, "x");
		SSL_read(l.ssl, (char[1]){ 0 }, 1);
		SSL_SESSION_free(session);
		session = SSL_get1_session(l.ssl);
		link_close(&l);
	}
	SSL_SESSION_free(session);
	site_close(&s);
}

static void
end_points_of_resumed_sessions(void **state)
{
	(void)state;
	the_end_point_of_a_resumed_session(TLS1_2_VERSION);
	the_end_point_of_a_resumed_session(TLS1_3_VERSION);
}

static void
no_end_point_without_a_hash(void **state)
{
	uint8_t ours[TLS_BINDING_MAX];
	struct tls_cert cert;
	struct site s;
	struct link l;
	struct err e;

	(void)state;
	site_open(&s, TLS_IMAP);
	cert = site_cert(&s, "ed", "ED25519", "DNS:ed.test");
	assert_true(tls_server_replace(s.server, &cert, 1, &e));
	assert_true(link_to(&l, &s, NULL));
	assert_int_equal(tls_binding_end_point(conn_ssl(l.conn), ours), 0); /* RFC 5929 4.1: undefined */
	assert_int_equal(tls_binding_exporter(conn_ssl(l.conn), ours), 32);
	link_close(&l);
	site_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_of_a_handshake),
		cmocka_unit_test(the_line_of_a_failure),
		cmocka_unit_test(a_client_certificate_is_named),
		cmocka_unit_test(bindings),
		cmocka_unit_test(no_exporter_without_extended_master_secret),
		cmocka_unit_test(end_points_of_resumed_sessions),
		cmocka_unit_test(no_end_point_without_a_hash),
	};

	log_to(keep_line, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
