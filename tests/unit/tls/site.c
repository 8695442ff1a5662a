/* site.c - what the TLS tests share. */
#include "site.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static EVP_PKEY *
make_key(const char *kind)
{
	if (strcmp(kind, "RSA") == 0)
		return EVP_RSA_gen(2048);
	if (strcmp(kind, "ED25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_EC_gen(kind);
}

static void
take_bio(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	buf_init(out, 65536);
	buf_add(out, str_from(p, (size_t)n));
	BIO_free(bio);
}

static void
write_pair(X509 *x, EVP_PKEY *key, struct buf *cert, struct buf *secret)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	take_bio(bio, cert);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	take_bio(bio, secret);
}

void
site_make_pair(const char *kind, const char *san, struct buf *cert, struct buf *key)
{
	EVP_PKEY *pair = make_key(kind);
	X509 *x = X509_new();
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);

	assert_non_null(pair);
	assert_non_null(ext);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, pair);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	assert_true(X509_sign(x, pair, strcmp(kind, "ED25519") == 0 ? NULL : EVP_sha256()) > 0);
	write_pair(x, pair, cert, key);
	X509_EXTENSION_free(ext);
	X509_free(x);
	EVP_PKEY_free(pair);
}

static bool
sign(void *ctx, struct str key_id, enum tls_scheme scheme, struct str tbs, struct buf *sig)
{
	struct site *s = ctx;
	struct err e;

	s->signatures++;
	return !s->signer_dead && keystore_sign(s->keys, SITE_CALLER, key_id, scheme, tbs, sig, &e);
}

struct tls_signer
site_signer(struct site *s)
{
	return (struct tls_signer){ sign, s };
}

struct tls_cert
site_cert(struct site *s, const char *id, const char *kind, const char *san)
{
	struct buf cert, key;
	struct err e;

	site_make_pair(kind, san, &cert, &key);
	if (!keystore_load(s->keys, str_of(id), UINT32_C(1) << SITE_CALLER, buf_str(&cert), buf_str(&key), id, &e))
		fail_msg("%s", e.log);
	buf_fini(&cert);
	buf_wipe(&key);
	return (struct tls_cert){ .key_id = str_of(id), .chain = keystore_chain(s->keys, str_of(id)) };
}

void
site_open(struct site *s, enum tls_service service)
{
	struct tls_signer signer;
	struct tls_cert cert;
	struct err e;

	*s = (struct site){ .loop = loop_new(), .keys = keystore_new() };
	signer = site_signer(s);
	cert = site_cert(s, "main", "P-256", "DNS:mail.example.test");
	s->server = tls_server_new(service, &cert, 1, &signer, &e);
	if (s->server == NULL)
		fail_msg("%s", e.log);
	s->client = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(s->client, 0);
}

void
site_close(struct site *s)
{
	for (int i = 0; i < 3; i++)
		loop_turn(s->loop);
	SSL_CTX_free(s->client);
	tls_server_free(s->server);
	keystore_free(s->keys);
	loop_free(s->loop);
}

void
site_set_list(SSL_CTX *ctx, int what, const char *list)
{
	char copy[256];

	snprintf(copy, sizeof copy, "%s", list);
	assert_int_equal(SSL_CTX_ctrl(ctx, what, 0, copy), 1);
}

static size_t
on_data(void *ctx, struct str bytes)
{
	struct link *l = ctx;
	size_t n = bytes.n < l->take ? bytes.n : l->take;

	buf_add(&l->got, str_sub(bytes, 0, n));
	if (l->echo)
		conn_write(l->conn, str_sub(bytes, 0, n));
	return n;
}

static void
on_secure(void *ctx)
{
	struct link *l = ctx;

	l->secure = true;
	if (l->answer)
		conn_write(l->conn, STR("220 hello\r\n"));
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct link *l = ctx;

	l->ended = true;
	l->why = why;
	l->error = conn_tls_error(l->conn);
}

static const struct conn_ops ops = { .on_data = on_data, .on_secure = on_secure, .on_end = on_end };

void
link_open(struct link *l, struct site *s)
{
	int fd[2];

	*l = (struct link){ .site = s, .take = SIZE_MAX };
	buf_init(&l->got, 64 << 20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	l->conn = conn_new(s->loop, fd[0], &ops, l);
	l->fd = fd[1];
	fcntl(l->fd, F_SETFL, O_NONBLOCK);
	l->ssl = SSL_new(s->client);
	SSL_set_fd(l->ssl, l->fd);
}

void
link_secure(struct link *l, struct tls_server *server)
{
	conn_secure(l->conn, tls_server_session(server), CONN_SERVER, CONN_INJECTED_DROP, STR("554 no TLS\r\n"));
}

void
link_close(struct link *l)
{
	/* or OpenSSL takes the session for damaged and never resumes it */
	SSL_set_shutdown(l->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(l->ssl);
	if (l->fd != -1)
		close(l->fd);
	conn_free(l->conn);
	buf_fini(&l->got);
}

void
link_turn(struct link *l)
{
	loop_turn(l->site->loop);
}

static bool
wants_more(struct link *l, int result)
{
	int error = SSL_get_error(l->ssl, result);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return true;
	if (l->client_error == 0)
		l->client_error = ERR_peek_error();
	ERR_clear_error();
	return false;
}

void
link_name(struct link *l, const char *name)
{
	char copy[256];

	snprintf(copy, sizeof copy, "%s", name != NULL ? name : "");
	if (name != NULL)
		SSL_set_tlsext_host_name(l->ssl, copy);
}

bool
link_shake(struct link *l)
{
	bool done = false;

	for (int i = 0; i < 100 && !(done && l->secure) && !l->ended; i++) {
		int result;

		ERR_clear_error();
		result = done ? 1 : SSL_connect(l->ssl);
		done = result == 1;
		if (!done && !wants_more(l, result))
			shutdown(l->fd, SHUT_WR);
		link_turn(l);
	}
	return done && l->secure && !l->ended;
}

bool
link_to(struct link *l, struct site *s, const char *name)
{
	link_open(l, s);
	link_secure(l, s->server);
	link_name(l, name);
	return link_shake(l);
}

bool
link_read(struct link *l, char *to, size_t n)
{
	size_t at = 0;

	for (int idle = 0; at < n && idle < 1000; idle++) {
		int got = SSL_read(l->ssl, to + at, (int)(n - at));

		if (got > 0) {
			at += (size_t)got;
			idle = 0;
		} else if (!wants_more(l, got)) {
			return false;
		}
		link_turn(l);
	}
	return at == n;
}

void
link_write(struct link *l, const char *text)
{
	assert_int_equal(SSL_write(l->ssl, text, (int)strlen(text)), (int)strlen(text));
	link_turn(l);
	link_turn(l);
}

void
link_wait_end(struct link *l)
{
	for (int i = 0; i < 5000 && !l->ended; i++)
		loop_once(l->site->loop);
	assert_true(l->ended);
}
