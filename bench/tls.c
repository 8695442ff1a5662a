/* tls.c - what a TLS handshake costs and what an idle TLS connection weighs.
 *
 * Three processes as in the server: keys (signs what comes through a SOCK_SEQPACKET pair), front (listens, shakes hands,
 * greets) and the client, whose cost does not count. Prints a table: CPU of a full handshake in keys and front, CPU of
 * a resumed one, and the growth of the front's PSS for each idle connection. */
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <postern/core/log.h>
#include <postern/net/conn.h>
#include <postern/net/listen.h>
#include <postern/tls/keystore.h>
#include <postern/tls/selfsigned.h>
#include <postern/tls/server.h>

enum { HANDSHAKES = 2000, IDLE = 1000, CALLER = 1 };

struct ask {
	uint32_t scheme;
	uint32_t n;
	char tbs[TLS_TBS_MAX];
};

struct bench {
	int sign_fd; /* front's end towards keys */
	int listen_fd;
	struct addr at;
	struct buf cert;
	struct buf key;
	pid_t keys;
	pid_t front;
};

_Noreturn static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* keys: one request, one answer. */
_Noreturn static void
run_keys(struct bench *b, int fd)
{
	struct keystore *k = keystore_new();
	struct err e;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "keys");
	close(b->sign_fd); /* or the end of the front would not be seen */
	if (!keystore_load(k, STR("k"), 1u << CALLER, buf_str(&b->cert), buf_str(&b->key), "bench", &e))
		log_fatal("%s", e.log);
	for (;;) {
		struct ask q;
		struct buf sig;
		ssize_t n = recv(fd, &q, sizeof q, 0);

		if (n <= 0)
			_exit(0);
		buf_init(&sig, TLS_SIGNATURE_MAX);
		keystore_sign(k, CALLER, STR("k"), (enum tls_scheme)q.scheme, str_from(q.tbs, q.n), &sig, &e);
		send(fd, sig.n > 0 ? sig.p : "", sig.n, 0);
		buf_fini(&sig);
	}
}

static bool
sign(void *ctx, struct str id, enum tls_scheme scheme, struct str tbs, struct buf *sig)
{
	struct bench *b = ctx;
	struct ask q = { .scheme = scheme, .n = (uint32_t)tbs.n };
	char answer[TLS_SIGNATURE_MAX];
	ssize_t n;

	(void)id;
	memcpy(q.tbs, tbs.p, tbs.n);
	if (send(b->sign_fd, &q, offsetof(struct ask, tbs) + tbs.n, 0) == -1)
		return false;
	n = recv(b->sign_fd, answer, sizeof answer, 0);
	if (n <= 0)
		return false;
	buf_add(sig, str_from(answer, (size_t)n));
	return true;
}

struct front {
	struct loop *loop;
	struct listen_gate *gate;
	struct tls_server *server;
};

struct session {
	struct front *front;
	struct conn *conn;
	struct addr peer;
};

static size_t
on_data(void *ctx, struct str bytes)
{
	(void)ctx;
	return bytes.n;
}

static void
on_secure(void *ctx)
{
	struct session *s = ctx;

	conn_write(s->conn, STR("* OK ready\r\n"));
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct session *s = ctx;

	(void)why;
	listen_gate_left(s->front->gate, &s->peer);
	conn_free(s->conn);
	free(s);
}

static const struct conn_ops session_ops = { .on_data = on_data, .on_secure = on_secure, .on_end = on_end };

static void
on_accept(void *ctx, int fd, const struct addr *peer, const struct addr *local)
{
	struct session *s = calloc(1, sizeof *s);

	(void)local;
	s->front = ctx;
	s->peer = *peer;
	s->conn = conn_new(s->front->loop, fd, &session_ops, s);
	conn_secure(s->conn, tls_server_session(s->front->server), CONN_SERVER, CONN_INJECTED_CLOSE, STR(""));
}

static const struct listen_ops listen_ops = { .on_accept = on_accept };

_Noreturn static void
run_front(struct bench *b)
{
	struct listen_limits limits = { 0 };
	struct front f = { .loop = loop_new(), .gate = listen_gate_new(&limits, NULL, 0) };
	struct tls_cert cert = { .key_id = STR("k"), .chain = buf_str(&b->cert) };
	struct tls_signer signer = { sign, b };
	struct tls_ticket_ring ring;
	struct err e;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "front"); /* for perf report --comm */
	f.server = tls_server_new(TLS_IMAPS, &cert, 1, &signer, &e);
	if (f.server == NULL)
		log_fatal("%s", e.log);
	tls_ticket_init(&ring);
	tls_server_tickets(f.server, &ring);
	listener_new(f.loop, b->listen_fd, f.gate, &listen_ops, &f);
	loop_run(f.loop);
	_exit(0);
}

static void
start(struct bench *b)
{
	struct addr_bind at;
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	struct err e;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
		die("socketpair");
	b->sign_fd = pair[0];
	addr_parse_bind(STR("127.0.0.1:0"), &at, &e);
	b->listen_fd = listen_open(&at, 128, &e);
	if (b->listen_fd == -1 || getsockname(b->listen_fd, (struct sockaddr *)&ss, &n) == -1)
		die("listen");
	addr_from_sockaddr((struct sockaddr *)&ss, n, &b->at);
	b->keys = fork();
	if (b->keys == 0)
		run_keys(b, pair[1]);
	close(pair[1]);
	b->front = fork();
	if (b->front == 0)
		run_front(b);
	close(b->sign_fd);
	close(b->listen_fd);
}

static void
stop(struct bench *b)
{
	kill(b->front, SIGKILL);
	waitpid(b->front, NULL, 0);
	waitpid(b->keys, NULL, 0);
}

static double
cpu_ms(pid_t pid)
{
	clockid_t clock;
	struct timespec t = { 0 };

	if (clock_getcpuclockid(pid, &clock) == 0)
		clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
pss_kib(pid_t pid)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "Pss: %lf kB", &kib) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kib;
}

static SSL *
connect_to(struct bench *b, SSL_CTX *ctx, SSL_SESSION *session)
{
	SSL *ssl = SSL_new(ctx);
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(&b->at, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[64];

	if (fd == -1 || connect(fd, (struct sockaddr *)&ss, n) == -1)
		die("connect");
	SSL_set_fd(ssl, fd);
	if (session != NULL)
		SSL_set_session(ssl, session);
	if (SSL_connect(ssl) != 1 || SSL_read(ssl, line, sizeof line) <= 0)
		die("handshake");
	return ssl;
}

static void
leave(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

static void
bench_handshakes(struct bench *b, SSL_CTX *ctx, const char *name, bool resume)
{
	SSL_SESSION *session = NULL;
	double keys, front;

	for (int i = 0; i < 20; i++) {
		SSL *ssl = connect_to(b, ctx, NULL);

		if (i == 0 && resume)
			session = SSL_get1_session(ssl);
		leave(ssl);
	}
	keys = cpu_ms(b->keys);
	front = cpu_ms(b->front);
	for (int i = 0; i < HANDSHAKES; i++)
		leave(connect_to(b, ctx, session));
	usleep(100000);
	printf("%-28s %6.3f ms in front %6.3f ms in keys %6.3f ms\n", name,
	    (cpu_ms(b->front) - front + cpu_ms(b->keys) - keys) / HANDSHAKES, (cpu_ms(b->front) - front) / HANDSHAKES,
	    (cpu_ms(b->keys) - keys) / HANDSHAKES);
	SSL_SESSION_free(session);
}

static void
bench_idle(struct bench *b, SSL_CTX *ctx, const char *name)
{
	static SSL *open[IDLE];
	double before;

	for (int i = 0; i < 100; i++) /* the process's own first use of everything */
		leave(connect_to(b, ctx, NULL));
	usleep(200000);
	before = pss_kib(b->front);
	for (int i = 0; i < IDLE; i++)
		open[i] = connect_to(b, ctx, NULL);
	usleep(200000);
	printf("%-28s %6.1f KiB of PSS for each (front as a whole %.0f KiB)\n", name,
	    (pss_kib(b->front) - before) / IDLE, pss_kib(b->front));
	for (int i = 0; i < IDLE; i++)
		leave(open[i]);
}

static void
make_rsa(struct bench *b)
{
	EVP_PKEY *pair = EVP_RSA_gen(2048);
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	X509_set_pubkey(x, pair);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_sign(x, pair, EVP_sha256());
	PEM_write_bio_X509(bio, x);
	PEM_write_bio_PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(bio, &p);
	buf_add(&b->cert, str_from(p, (size_t)n));
	buf_add(&b->key, str_from(p, (size_t)n));
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(pair);
}

static void
bench_kind(bool rsa)
{
	struct bench b = { 0 };
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct err e;

	buf_init(&b.cert, 65536);
	buf_init(&b.key, 65536);
	if (rsa)
		make_rsa(&b);
	else if (!selfsigned_make(STR("bench.test"), &b.cert, &b.key, &e))
		log_fatal("%s", e.log);
	start(&b);
	bench_handshakes(&b, ctx, rsa ? "RSA-2048, TLS 1.3, full" : "P-256, TLS 1.3, full", false);
	if (!rsa) {
		bench_handshakes(&b, ctx, "P-256, TLS 1.3, resumed", true);
		bench_idle(&b, ctx, "idle, TLS 1.3");
	}
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	bench_handshakes(&b, ctx, rsa ? "RSA-2048, TLS 1.2, full" : "P-256, TLS 1.2, full", false);
	stop(&b);
	buf_fini(&b.cert);
	buf_wipe(&b.key);
	SSL_CTX_free(ctx);
}

int
main(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	setlinebuf(stdout);
	bench_kind(false);
	bench_kind(true);
	return 0;
}
