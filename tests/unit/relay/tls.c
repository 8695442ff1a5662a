/* tls.c - tests of TLS as a decision demands it, over real sockets: what is sent in the clear, what follows a failure, and
 * what the answer says. */
#include "outbound.h"

#include <postern/core/buf.h>

static struct pki_cert ca, mx, other;

static int
make_certs(void **state)
{
	(void)state;
	ca = pki_cert_new(&(struct pki_make){ .cn = "Test CA", .ca = true });
	mx = pki_cert_new(&(struct pki_make){ .cn = "mx", .san = "DNS:mx.remote.test", .issuer = &ca });
	other = pki_cert_new(&(struct pki_make){ .cn = "other", .san = "DNS:other.test", .issuer = &ca });
	return 0;
}

static int
free_certs(void **state)
{
	(void)state;
	pki_cert_free(&ca);
	pki_cert_free(&mx);
	pki_cert_free(&other);
	return 0;
}

static void
open_world(struct outbound *w, const char *conf)
{
	struct buf pem;
	struct err e;

	out_open(w, conf);
	buf_init(&pem, 1 << 16);
	pki_cert_pem(&ca, &pem);
	assert_true(tls_client_add_ca(w->tls, buf_str(&pem), "test", NULL, &e));
	buf_fini(&pem);
}

static void
the_mail_goes_inside_tls(void **state)
{
	struct outbound w;
	struct out_result *r;
	struct peer *p;

	(void)state;
	open_world(&w, "");
	p = out_server(&w, "mx.remote.test", &(struct peer_script){ .cert = &mx });
	r = out_deliver(&w, &(struct out_mail){ .sender = NULL });
	assert_verdict(r, 0, QUEUE_DONE, "2.0.0", "250 2.0.0 accepted");
	assert_string_equal(peer_sni(p), "mx.remote.test");
	assert_int_equal(r->hops[0].wanted, TLS_LEVEL_MAY);
	assert_int_equal(r->hops[0].got, TLS_LEVEL_VERIFY);
	assert_true(r->hops[0].counted && r->hops[0].result == TLSRPT_OK);
	assert_says(peer_heard(p), "STARTTLS\r\nEHLO mail.example.test\r\nMAIL FROM");
	out_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mail_goes_inside_tls),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
