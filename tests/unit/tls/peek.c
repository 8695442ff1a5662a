/* peek.c - tests of looking at servers from outside: hellos by hand against OpenSSL's server, answers cut and changed at
 * every byte, elimination against servers that lie. */
#include "pki.h"

#include <openssl/err.h>
#include <string.h>

#include <postern/core/base64.h>
#include <postern/tls/trial.h>

struct server {
	const char *ciphers12;
	const char *ciphers13;
	const char *groups;
	int min, max;
	bool own_order;
};

static struct pki_cert cert;

static int
set_up(void **state)
{
	(void)state;
	cert = pki_cert_new(&(struct pki_make){ .cn = "x", .san = "DNS:mx.d.test" });
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	pki_cert_free(&cert);
	return 0;
}

static SSL_CTX *
server_ctx(const struct server *s)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_set_security_level(ctx, 0);
	assert_int_equal(SSL_CTX_set_min_proto_version(ctx, s->min), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, s->max), 1);
	assert_int_equal(SSL_CTX_set_cipher_list(ctx, s->ciphers12), 1);
	assert_int_equal(SSL_CTX_set_ciphersuites(ctx, s->ciphers13), 1);
	assert_int_equal(SSL_CTX_set1_groups_list(ctx, s->groups), 1);
	SSL_CTX_set_dh_auto(ctx, 1);
	if (s->own_order)
		SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert.x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, cert.key), 1);
	return ctx;
}

/* What OpenSSL's server says to an offer. */
static void
answer_of(SSL_CTX *ctx, const struct tls_peek_offer *o, struct buf *said)
{
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());
	SSL *ssl = SSL_new(ctx);
	struct buf hello;
	char *p;
	long n;

	buf_init(&hello, 65536);
	tls_peek_write(o, &hello);
	BIO_write(in, hello.p, (int)hello.n);
	SSL_set_bio(ssl, in, out);
	SSL_accept(ssl);
	n = BIO_get_mem_data(out, &p);
	buf_add(said, str_from(p, (size_t)n));
	SSL_free(ssl);
	buf_fini(&hello);
	ERR_clear_error();
}

static enum tls_peek_found
read_in(struct str said, size_t step, struct tls_peek_answer *a)
{
	enum tls_peek_found found = TLS_PEEK_MORE;
	struct tls_peek p;

	tls_peek_init(&p);
	for (size_t at = 0; at < said.n && found == TLS_PEEK_MORE; at += step)
		found = tls_peek_feed(&p, str_sub(said, at, at + step));
	*a = p.answer;
	tls_peek_fini(&p);
	return found;
}

static void
run_trial(struct tls_trial *t, SSL_CTX *ctx)
{
	struct tls_peek_offer o;
	unsigned asked = 0;

	while (tls_trial_offer(t, &o)) {
		struct tls_peek_answer a;
		enum tls_peek_found found;
		struct buf said;

		buf_init(&said, 65536);
		answer_of(ctx, &o, &said);
		found = read_in(buf_str(&said), said.n, &a);
		buf_fini(&said);
		assert_true(found == TLS_PEEK_CHOSEN || found == TLS_PEEK_REFUSED);
		if (found == TLS_PEEK_CHOSEN)
			tls_trial_chosen(t, &a);
		else
			tls_trial_refused(t);
		assert_true(++asked < TLS_SUITES_MAX + 3);
	}
}

static const struct server modern = { "ECDHE+AESGCM:ECDHE+CHACHA20:DHE-RSA-AES128-SHA",
	"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256", "X25519:P-384:P-256", TLS1_2_VERSION, TLS1_3_VERSION,
	true };
static const struct server ancient = { "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:AECDH-AES128-SHA:ADH-AES128-SHA:"
				       "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0",
	"", "P-256", TLS1_VERSION, TLS1_VERSION, false };

static void
eliminates_suites(void **state)
{
	static const struct {
		const struct server *server;
		uint16_t version;
		enum tls_order order;
		uint16_t chosen[6];
	} rows[] = {
		{ &modern, 0x0304, TLS_ORDER_SERVER, { 0x1301, 0x1303 } },
		{ &modern, 0x0303, TLS_ORDER_SERVER, { 0xc02c, 0xc02b, 0xcca9 } },
		{ &modern, 0x0302, TLS_ORDER_UNKNOWN, { 0 } },
		{ &modern, 0x0300, TLS_ORDER_UNKNOWN, { 0 } },
		{ &ancient, 0x0301, TLS_ORDER_CLIENT, { 0xc009, 0xc00a, 0x0034, 0xc018, 0xc006 } },
		{ &ancient, 0x0304, TLS_ORDER_UNKNOWN, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		SSL_CTX *ctx = server_ctx(rows[i].server);
		struct tls_trial t;

		tls_trial_suites(&t, rows[i].version, STR("mx.d.test"));
		run_trial(&t, ctx);
		assert_true(t.complete && !t.strange);
		for (size_t j = 0; j < t.nchosen || rows[i].chosen[j] != 0; j++) {
			assert_true(j < t.nchosen);
			assert_int_equal(t.chosen[j], rows[i].chosen[j]);
		}
		assert_int_equal(t.order, rows[i].order);
		SSL_CTX_free(ctx);
	}
}

static void
sees_groups_and_fields(void **state)
{
	SSL_CTX *ctx = server_ctx(&modern);
	SSL_CTX *old = server_ctx(&ancient);
	struct tls_trial t;

	(void)state;
	tls_trial_groups(&t, 0x0304, STR("mx.d.test"), (const uint16_t[]){ 0x1301 }, 1);
	run_trial(&t, ctx);
	assert_true(t.complete);
	assert_int_equal(t.nchosen, 3);
	assert_int_equal(t.chosen[0], 0x001d);
	assert_string_equal(tls_group_name(t.chosen[0]), "x25519");
	tls_trial_suites(&t, 0x0301, STR(""));
	run_trial(&t, old);
	assert_int_equal(t.dh_bits, 0); /* who takes no certificate gets what he asked for */
	assert_int_equal(t.curve, 0x0017);
	tls_trial_suites(&t, 0x0301, STR(""));
	tls_trial_chosen(&t, &(struct tls_peek_answer){ .version = 0x0301, .suite = 0x0033, .dh_bits = 2048 });
	tls_trial_chosen(&t, &(struct tls_peek_answer){ .version = 0x0301, .suite = 0x0039, .dh_bits = 1024 });
	assert_int_equal(t.dh_bits, 1024);
	tls_trial_groups(&t, 0x0303, STR(""), (const uint16_t[]){ 0x009c }, 1);
	assert_int_equal(t.step, TLS_TRIAL_OVER); /* RSA key exchange has no groups */
	SSL_CTX_free(ctx);
	SSL_CTX_free(old);
}

static void
reads_details(void **state)
{
	SSL_CTX *ctx = server_ctx(&modern);
	struct tls_peek_answer a;
	struct tls_peek_offer o;
	struct tls_trial t;
	struct buf said;

	(void)state;
	buf_init(&said, 65536);
	tls_trial_suites(&t, 0x0303, STR("mx.d.test"));
	assert_true(tls_trial_offer(&t, &o));
	assert_true(o.compression);
	answer_of(ctx, &o, &said);
	assert_int_equal(read_in(buf_str(&said), said.n, &a), TLS_PEEK_CHOSEN);
	assert_true(a.secure_renegotiation && a.extended_secret && a.ticket && !a.compressed);
	assert_int_equal(a.group, 0x001d);
	for (size_t cut = 0; cut < said.n; cut++) { /* in any pieces, and never clear too early */
		struct tls_peek_answer again;
		enum tls_peek_found found = read_in(str_sub(buf_str(&said), 0, cut), cut > 0 ? cut : 1, &again);

		assert_true(found == TLS_PEEK_MORE || found == TLS_PEEK_CHOSEN);
	}
	assert_int_equal(read_in(buf_str(&said), 1, &a), TLS_PEEK_CHOSEN);
	assert_int_equal(a.suite, 0xc02c);
	for (size_t at = 0; at < said.n; at++) /* a changed byte breaks nothing */
		for (int bit = 0; bit < 8; bit++) {
			said.p[at] = (char)(said.p[at] ^ (1 << bit));
			read_in(buf_str(&said), said.n, &a);
			said.p[at] = (char)(said.p[at] ^ (1 << bit));
		}
	buf_fini(&said);
	SSL_CTX_free(ctx);
}

/* Bytes in hexadecimal. */
static enum tls_peek_found
read_hex(const char *hex, struct tls_peek_answer *a)
{
	enum tls_peek_found found;
	struct buf b;

	buf_init(&b, 65536);
	assert_true(hex_decode(&b, str_of(hex)));
	found = read_in(buf_str(&b), b.n, a);
	buf_fini(&b);
	return found;
}

#define RANDOM32                                                                                                       \
	"00000000000000000000000000000000"                                                                             \
	"00000000000000000000000000000000"

static void
reads_by_hand(void **state)
{
	struct tls_peek_answer a;

	(void)state;
	assert_int_equal(read_hex("15030100020228", &a), TLS_PEEK_REFUSED);
	assert_int_equal(a.alert, 40);
	assert_int_equal(read_hex("15030100020170"
				  "15030100020246",
			     &a),
	    TLS_PEEK_REFUSED); /* behind a warning */
	assert_int_equal(a.alert, 70);
	assert_int_equal(read_hex("323230206f6b0d0a", &a), TLS_PEEK_BROKEN); /* "220 ok" */
	assert_int_equal(read_hex("1603010004"
				  "0b000000",
			     &a),
	    TLS_PEEK_BROKEN); /* no ServerHello first */
	assert_int_equal(read_hex("1603ffffff", &a), TLS_PEEK_BROKEN); /* a record too long */
	assert_int_equal(read_hex("1603000004"
				  "02ffffff",
			     &a),
	    TLS_PEEK_BROKEN); /* a message too long */
	/* SSL 3, RC4, DEFLATE, no extensions */
	assert_int_equal(read_hex("160300002a"
				  "02000026"
				  "0300" RANDOM32 "00"
				  "0005"
				  "01",
			     &a),
	    TLS_PEEK_CHOSEN);
	assert_int_equal(a.version, 0x0300);
	assert_int_equal(a.suite, 0x0005);
	assert_true(a.compressed);
	/* an extension longer than the list */
	assert_int_equal(read_hex("1603030030"
				  "0200002c"
				  "0303" RANDOM32 "00"
				  "002f"
				  "00"
				  "0004"
				  "ff010009",
			     &a),
	    TLS_PEEK_BROKEN);
	/* a field of 512 bits: p begins with a zero byte */
	assert_int_equal(read_hex("160301002a"
				  "02000026"
				  "0301" RANDOM32 "00"
				  "0033"
				  "00"
				  "1603010047"
				  "0c000043"
				  "0041"
				  "00"
				  "80" RANDOM32 "00000000000000000000000000000000000000000000000000000000000000",
			     &a),
	    TLS_PEEK_CHOSEN);
	assert_int_equal(a.dh_bits, 512);
}

/* What a server says that does not play by the rules ends the questions. */
static void
stays_calm(void **state)
{
	struct tls_peek_offer o;
	struct tls_trial t;

	(void)state;
	tls_trial_suites(&t, 0x0303, STR(""));
	assert_true(tls_trial_offer(&t, &o));
	tls_trial_chosen(&t, &(struct tls_peek_answer){ .version = 0x0303, .suite = 0xc02f });
	assert_true(tls_trial_offer(&t, &o));
	for (size_t i = 0; i < o.nsuites; i++)
		assert_int_not_equal(o.suites[i], 0xc02f);
	tls_trial_chosen(&t, &(struct tls_peek_answer){ .version = 0x0303, .suite = 0xc02f }); /* again */
	assert_false(tls_trial_offer(&t, &o));
	assert_true(t.strange && !t.complete && t.nchosen == 1);

	tls_trial_suites(&t, 0x0304, STR(""));
	tls_trial_chosen(&t, &(struct tls_peek_answer){ .version = 0x0303, .suite = 0xc02f }); /* an older version */
	assert_true(t.strange && t.nchosen == 0);

	tls_trial_suites(&t, 0x0303, STR(""));
	for (size_t n = 0; tls_trial_offer(&t, &o); n++) { /* one that takes everything, in our order */
		assert_true(n < TLS_SUITES_MAX + 2);
		tls_trial_chosen(&t, &(struct tls_peek_answer){ .version = 0x0303, .suite = o.suites[0] });
	}
	assert_true(t.complete && t.order == TLS_ORDER_CLIENT);

	tls_trial_suites(&t, 0x0303, STR(""));
	tls_trial_lost(&t);
	assert_false(tls_trial_offer(&t, &o));
	assert_false(t.complete);
}

static void
knows_worth(void **state)
{
	static const struct {
		uint16_t id;
		enum tls_worth worth;
		const char *why;
	} rows[] = {
		{ 0x1301, TLS_WORTH_GOOD, "" },
		{ 0xc02f, TLS_WORTH_GOOD, "" },
		{ 0x009e, TLS_WORTH_GOOD, "" },
		{ 0xc013, TLS_WORTH_OLD, "CBC with HMAC" },
		{ 0x009c, TLS_WORTH_WEAK, "no forward secrecy" },
		{ 0xc004, TLS_WORTH_WEAK, "no forward secrecy" },
		{ 0xc012, TLS_WORTH_WEAK, "blocks of 64 bits (CVE-2016-2183)" },
		{ 0xc018, TLS_WORTH_ANON, "no certificate: anybody may be at the other end" },
		{ 0xc016, TLS_WORTH_BROKEN, "RC4 can be read (RFC 7465)" },
		{ 0x0005, TLS_WORTH_BROKEN, "RC4 can be read (RFC 7465)" },
		{ 0x0009, TLS_WORTH_BROKEN, "the key has 56 bits" },
		{ 0x0003, TLS_WORTH_BROKEN, "the key has 40 bits" },
		{ 0x003b, TLS_WORTH_BROKEN, "nothing is encrypted" },
	};
	uint16_t ids[TLS_SUITES_MAX];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(tls_suite_worth(tls_suite_find(rows[i].id)), rows[i].worth);
		assert_string_equal(tls_suite_why(tls_suite_find(rows[i].id)), rows[i].why);
	}
	assert_null(tls_suite_find(0x00ff));
	n = tls_suite_list(0x0303, ids);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(ids[i], ids[j]);
	n = tls_suite_list(0x0300, ids);
	for (size_t i = 0; i < n; i++)
		assert_null(strstr(tls_suite_find(ids[i])->name, "ECDH"));
	assert_string_equal(tls_version_name(0x0300), "SSL 3");
	assert_string_equal(tls_version_name(0x0305), "?");
	assert_null(tls_group_name(7));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eliminates_suites),
		cmocka_unit_test(sees_groups_and_fields),
		cmocka_unit_test(reads_details),
		cmocka_unit_test(reads_by_hand),
		cmocka_unit_test(stays_calm),
		cmocka_unit_test(knows_worth),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
