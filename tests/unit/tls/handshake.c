/* handshake.c - tests of what is offered: versions, ciphers, groups, protocols. */
#include "site.h"

#include <openssl/err.h>
#include <string.h>

#include <postern/tls/facts.h>

/* A client of which a part was set tries; the server's reason must hold `why`, or the handshake succeed when it is NULL. */
static void
try(enum tls_service service, void (*set)(SSL_CTX *client, const char *value), const char *value, const char *why)
{
	struct site s;
	struct link l;
	bool ok;

	site_open(&s, service);
	set(s.client, value);
	ok = link_to(&l, &s, "mail.example.test");
	if (why == NULL) {
		if (!ok)
			fail_msg("%s refused: %s", value, tls_facts_failure(l.error));
	} else {
		assert_false(ok);
		assert_true(l.ended);
		assert_int_equal(l.why, CONN_END_TLS);
		if (strstr(tls_facts_failure(l.error), why) == NULL)
			fail_msg("%s: %s", value, tls_facts_failure(l.error));
	}
	link_close(&l);
	site_close(&s);
}

static void
set_version(SSL_CTX *client, const char *value)
{
	int version = strcmp(value, "1.3") == 0   ? TLS1_3_VERSION
		      : strcmp(value, "1.2") == 0 ? TLS1_2_VERSION
		      : strcmp(value, "1.1") == 0 ? TLS1_1_VERSION
						  : TLS1_VERSION;

	SSL_CTX_set_min_proto_version(client, version);
	SSL_CTX_set_max_proto_version(client, version);
	SSL_CTX_set_cipher_list(client, "ALL:@SECLEVEL=0");
}

static void
versions(void **state)
{
	(void)state;
	for (int i = 0; i <= TLS_IMAPS; i++) {
		enum tls_service service = (enum tls_service)i;

		try(service, set_version, "1.0", "no TLS version from 1.2 on");
		try(service, set_version, "1.1", "no TLS version from 1.2 on");
		try(service, set_version, "1.2", NULL);
		try(service, set_version, "1.3", NULL);
	}
}

static void
set_cipher12(SSL_CTX *client, const char *value)
{
	SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(client, value), 1);
}

static void
c13_ciphers(void **state)
{
	static const char none[] = "no cipher that we do";

	(void)state;
	try(TLS_IMAP, set_cipher12, "ECDHE-ECDSA-AES128-GCM-SHA256", NULL);
	try(TLS_IMAP, set_cipher12, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL);
	try(TLS_IMAP, set_cipher12, "ECDHE-ECDSA-AES128-SHA", none);
	try(TLS_SUBMISSION, set_cipher12, "ECDHE-ECDSA-AES256-SHA384", none);
	try(TLS_SMTP, set_cipher12, "ECDHE-ECDSA-AES128-SHA", NULL);
	for (int i = 0; i <= TLS_IMAPS; i++) {
		enum tls_service service = (enum tls_service)i;

		try(service, set_cipher12, "DHE-RSA-AES128-GCM-SHA256", none);
		try(service, set_cipher12, "AES128-GCM-SHA256", none); /* key exchange by RSA: no forward secrecy */
		try(service, set_cipher12, "ADH-AES128-GCM-SHA256:@SECLEVEL=0", none);
		try(service, set_cipher12, "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0", none);
	}
}

static void
set_groups(SSL_CTX *client, const char *value)
{
	site_set_list(client, SSL_CTRL_SET_GROUPS_LIST, value);
}

static void
c13_groups(void **state)
{
	(void)state;
	try(TLS_IMAP, set_groups, "X25519", NULL);
	try(TLS_IMAP, set_groups, "P-256", NULL);
	try(TLS_IMAP, set_groups, "P-384", NULL);
	try(TLS_IMAP, set_groups, "P-521:P-256", NULL); /* a retry: the key share was for P-521 */
	try(TLS_IMAP, set_groups, "P-521", "no group");
	for (int i = 0; i <= TLS_IMAPS; i++)
		try((enum tls_service)i, set_groups, "ffdhe2048:ffdhe3072", "no group");
}

static void
set_alpn(SSL_CTX *client, const char *value)
{
	unsigned char list[64];
	size_t n = 0;
	struct str rest = str_of(value), id;

	while (str_cut(&rest, ',', &id)) {
		list[n++] = (unsigned char)id.n;
		memcpy(list + n, id.p, id.n);
		n += id.n;
	}
	assert_int_equal(SSL_CTX_set_alpn_protos(client, list, (unsigned)n), 0);
}

static void
protocols(void **state)
{
	static const char other[] = "another protocol";

	(void)state;
	try(TLS_IMAPS, set_alpn, "imap", NULL);
	try(TLS_IMAPS, set_alpn, "h2,imap", NULL);
	try(TLS_IMAPS, set_alpn, "h2,http/1.1", other);
	try(TLS_IMAPS, set_alpn, "pop3", other);
	try(TLS_POP3S, set_alpn, "imap", other);
	try(TLS_POP3S, set_alpn, "pop3", NULL);
	try(TLS_SMTP, set_alpn, "h2,http/1.1", other);
	try(TLS_SUBMISSIONS, set_alpn, "h2", other);
	try(TLS_SUBMISSIONS, set_alpn, "smtp", NULL);
	try(TLS_HTTPS, set_alpn, "h2,http/1.1", NULL);
}

/* RFC 7301 3.2: alert 120 and no other */
static void
the_alert_for_a_wrong_protocol(void **state)
{
	struct site s;
	struct link l;

	(void)state;
	site_open(&s, TLS_IMAPS);
	set_alpn(s.client, "h2");
	assert_false(link_to(&l, &s, NULL));
	assert_int_equal(ERR_GET_REASON(l.client_error), SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL);
	link_close(&l);
	site_close(&s);
}

static void
c16_early_data_is_never_taken(void **state)
{
	struct tls_ticket_ring ring;
	struct site s;
	struct link l;
	SSL_SESSION *session;
	size_t n;

	(void)state;
	site_open(&s, TLS_IMAPS);
	tls_ticket_init(&ring);
	tls_server_tickets(s.server, &ring);
	assert_true(link_to(&l, &s, NULL));
	SSL_read(l.ssl, (char[1]){ 0 }, 1); /* takes the ticket */
	session = SSL_get1_session(l.ssl);
	assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
	assert_int_equal(SSL_SESSION_set_max_early_data(session, 16384), 1);
	link_close(&l);

	link_open(&l, &s);
	link_secure(&l, s.server);
	SSL_set_session(l.ssl, session);
	assert_int_equal(SSL_write_early_data(l.ssl, "a LOGIN", 7, &n), 1);
	link_shake(&l);
	assert_int_not_equal(SSL_get_early_data_status(l.ssl), SSL_EARLY_DATA_ACCEPTED);
	assert_int_equal(l.got.n, 0);
	SSL_SESSION_free(session);
	link_close(&l);
	site_close(&s);
}

static void
the_table(void **state)
{
	enum tls_service service;

	(void)state;
	assert_true(tls_profile_find(STR("submissions"), &service));
	assert_int_equal(service, TLS_SUBMISSIONS);
	assert_false(tls_profile_find(STR("gopher"), &service));
	for (int i = 0; i < TLS_SERVICES; i++) {
		const struct tls_profile *p = tls_profile_of((enum tls_service)i);

		assert_true(p->min_version >= TLS1_2_VERSION);
		assert_null(strstr(p->groups, "ffdhe"));
		assert_non_null(p->alpn[0]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(versions),
		cmocka_unit_test(c13_ciphers),
		cmocka_unit_test(c13_groups),
		cmocka_unit_test(protocols),
		cmocka_unit_test(the_alert_for_a_wrong_protocol),
		cmocka_unit_test(c16_early_data_is_never_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
