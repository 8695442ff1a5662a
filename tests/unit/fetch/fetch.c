/* fetch.c - tests of HTTPS gets against a server in a process of its own: what comes, what is refused, what ends in time. The
 * server shows the certificate that its client's server name asks for, and does what the path says. */
#include "../tls/pki.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/pem.h>

#include <postern/core/clock.h>
#include <postern/core/io.h>
#include <postern/fetch/fetch.h>

#include "../../../src/fetch/own.h"

enum { BODY_MAX = 64 * 1024, PATH_SIZE = 4200, ANSWER_MS = 30000 };

/* --- the server --- */

/* Server names and what is wrong with their certificates. */
static const struct {
	const char *name;
	const char *san;
	bool stranger; /* signed by a CA that nobody knows */
	long from_s, to_s;
} certificates[] = {
	{ "good.test", "DNS:good.test", false, 0, 0 },
	{ "one.wild.test", "DNS:*.wild.test", false, 0, 0 },
	{ "two.one.wild.test", "DNS:*.wild.test", false, 0, 0 },
	{ "part.test", "DNS:p*.test", false, 0, 0 },
	{ "other.test", "DNS:good.test", false, 0, 0 },
	{ "common.test", NULL, false, 0, 0 },
	{ "expired.test", "DNS:expired.test", false, -7200, -3600 },
	{ "early.test", "DNS:early.test", false, 3600, 7200 },
	{ "stranger.test", "DNS:stranger.test", true, 0, 0 },
};
enum { CERTIFICATES = sizeof certificates / sizeof *certificates };

/* What a path gets: bytes, then so many more, then the end of the connection or silence. */
static const struct row {
	const char *path;
	const char *answer;
	size_t more;
	bool hang;
} rows[] = {
	{ "/ok", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n", 0, false },
	{ "/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n3\r\nlo\n\r\n0\r\n\r\n", 0, false },
	{ "/full", "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n", 65536, false },
	{ "/announced", "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", 0, true },
	{ "/unannounced", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 65537, true },
	{ "/moved", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", 0, false },
	{ "/none", "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n", 0, false },
	{ "/header", "HTTP/1.1 200 OK\r\n", FETCH_HEADER_MAX, true },
	{ "/short", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello\n", 0, false },
	{ "/garbage", "what is HTTP?\r\n", 0, false },
	{ "/packed", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nzip!", 0, false },
	{ "/nothing", "", 0, false },
	{ "/hang", "", 0, true },
};

/* What the server tells the tests. */
struct shared {
	unsigned now, peak; /* connections */
	char request[4096]; /* the last */
};

static struct world {
	struct loop *loop;
	struct fetch *fetch;
	char module[PATH_SIZE];
	char ca_file[64];
	struct pki_cert ca, unknown, leaf[CERTIFICATES];
	struct shared *shared;
	pid_t server;
	uint16_t port;
} w;

static int
on_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)arg;
	for (size_t i = 0; name != NULL && i < CERTIFICATES; i++)
		if (strcmp(certificates[i].name, name) == 0) {
			SSL_use_certificate(ssl, w.leaf[i].x);
			SSL_use_PrivateKey(ssl, w.leaf[i].key);
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static const struct row *
row_of(const char *request)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = strlen(rows[i].path);

		if (strncmp(request, "GET ", 4) == 0 && strncmp(request + 4, rows[i].path, n) == 0 && request[4 + n] == ' ')
			return &rows[i];
	}
	return NULL;
}

static void
converse(SSL *ssl)
{
	static char filler[BODY_MAX + 1];
	const struct row *row;
	char request[sizeof w.shared->request];
	int n = SSL_read(ssl, request, sizeof request - 1);

	if (n <= 0)
		return;
	request[n] = '\0';
	memcpy(w.shared->request, request, (size_t)n + 1);
	row = row_of(request);
	for (size_t i = 0; i < sizeof filler; i++)
		filler[i] = "x: y\r\n"[i % 6]; /* lines of a header, if that is where they come */
	if (row == NULL || (row->answer[0] != '\0' && SSL_write(ssl, row->answer, (int)strlen(row->answer)) <= 0))
		return;
	if (row->more > 0 && SSL_write(ssl, filler, (int)row->more) <= 0)
		return;
	if (row->hang)
		SSL_read(ssl, request, 1); /* until the client goes */
}

_Noreturn static void
attend(int fd, int max_version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	unsigned now = __atomic_add_fetch(&w.shared->now, 1, __ATOMIC_SEQ_CST);
	SSL *ssl;

	if (now > w.shared->peak)
		w.shared->peak = now;
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, max_version);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		converse(ssl);
		SSL_shutdown(ssl);
	}
	__atomic_sub_fetch(&w.shared->now, 1, __ATOMIC_SEQ_CST);
	_exit(0);
}

_Noreturn static void
serve(int fd, int max_version)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int client = accept(fd, NULL, NULL);

		if (client != -1 && fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			attend(client, max_version);
		}
		close(client);
	}
}

static pid_t
start_server(int max_version, uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*port = ntohs(at.sin_port);
	pid = fork();
	if (pid == 0)
		serve(fd, max_version);
	close(fd);
	return pid;
}

static void
stop_server(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- the client --- */

struct answer {
	bool done;
	enum fetch_problem problem;
	unsigned code;
	char type[64], words[256];
	struct buf body;
};

static void
on_answer(void *ctx, const struct fetch_result *r)
{
	struct answer *a = ctx;

	assert_false(a->done);
	a->done = true;
	a->problem = r->problem;
	a->code = r->code;
	snprintf(a->type, sizeof a->type, "%.*s", STR_ARG(r->content_type));
	snprintf(a->words, sizeof a->words, "%.*s", STR_ARG(r->words));
	buf_add(&a->body, r->body);
}

static struct addr
at(const char *ip)
{
	struct addr a;

	assert_true(addr_parse_ip(str_of(ip), &a));
	return a;
}

static struct fetch_get *
ask(const char *host, const char *path, uint16_t port, int64_t ms, struct answer *a)
{
	struct addr addrs[] = { at("127.0.0.1") };

	memset(a, 0, sizeof *a);
	buf_init(&a->body, 1 << 20);
	return fetch_get(w.fetch, &(struct fetch_request){ .host = str_of(host), .path = str_of(path), .port = port, .addrs = addrs,
	    .naddrs = 1, .max = BODY_MAX, .ms = ms }, on_answer, a);
}

static void
wait_for(const struct answer *a)
{
	struct mono until = mono_add_ms(mono_now(), ANSWER_MS);

	while (!a->done && mono_before(mono_now(), until))
		loop_once(w.loop);
	assert_true(a->done);
}

static void
get(const char *host, const char *path, struct answer *a)
{
	ask(host, path, w.port, ANSWER_MS, a);
	assert_false(a->done);
	wait_for(a);
}

/* Until the server has noticed that nobody is there any more. */
static void
wait_for_quiet(void)
{
	struct mono until = mono_add_ms(mono_now(), ANSWER_MS);

	while (__atomic_load_n(&w.shared->now, __ATOMIC_SEQ_CST) > 0) {
		assert_true(mono_before(mono_now(), until));
		usleep(1000);
	}
}

/* --- tests --- */

static void
a_document_comes(void **state)
{
	struct answer a;

	(void)state;
	get("good.test", "/ok", &a);
	assert_int_equal(a.problem, FETCH_OK);
	assert_int_equal(a.code, 200);
	assert_string_equal(a.type, "text/plain");
	assert_string_equal(a.words, "");
	assert_string_equal(buf_cstr(&a.body), "hello\n");
	buf_fini(&a.body);
}

static void
the_request_says_no_more_than_it_must(void **state)
{
	struct answer a;
	char wanted[200];

	(void)state;
	get("good.test", "/ok", &a);
	snprintf(wanted, sizeof wanted, "GET /ok HTTP/1.1\r\nHost: good.test:%u\r\nUser-Agent: postern\r\nAccept: */*\r\n\r\n", w.port);
	assert_string_equal(w.shared->request, wanted);
	buf_fini(&a.body);
}

static void
answers_of_all_kinds(void **state)
{
	static const struct {
		const char *path;
		enum fetch_problem problem;
		unsigned code;
		size_t n; /* of the body */
	} kinds[] = {
		{ "/chunked", FETCH_OK, 200, 6 },
		{ "/full", FETCH_OK, 200, BODY_MAX },
		{ "/announced", FETCH_TOO_LARGE, 200, 0 },
		{ "/unannounced", FETCH_TOO_LARGE, 200, 0 },
		{ "/header", FETCH_TOO_LARGE, 200, 0 },
		{ "/moved", FETCH_OK, 302, 0 },
		{ "/none", FETCH_OK, 404, 3 },
		{ "/packed", FETCH_OK, 200, 4 }, /* as it came */
		{ "/short", FETCH_UNREACHABLE, 200, 0 },
		{ "/garbage", FETCH_UNREACHABLE, 0, 0 },
		{ "/nothing", FETCH_UNREACHABLE, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct answer a;

		get("good.test", kinds[i].path, &a);
		if (a.problem != kinds[i].problem || a.body.n != kinds[i].n)
			fail_msg("%s: problem %u, %zu bytes: %s", kinds[i].path, a.problem, a.body.n, a.words);
		assert_true((a.problem == FETCH_OK) == (a.words[0] == '\0'));
		if (a.problem == FETCH_OK)
			assert_int_equal(a.code, kinds[i].code);
		buf_fini(&a.body);
	}
}

static void
certificates_are_looked_at(void **state)
{
	static const struct {
		const char *host;
		enum fetch_problem problem;
	} hosts[] = {
		{ "good.test", FETCH_OK },
		{ "one.wild.test", FETCH_OK },
		{ "two.one.wild.test", FETCH_CERTIFICATE },
		{ "part.test", FETCH_CERTIFICATE },
		{ "other.test", FETCH_CERTIFICATE },
		{ "common.test", FETCH_CERTIFICATE },
		{ "expired.test", FETCH_CERTIFICATE },
		{ "early.test", FETCH_CERTIFICATE },
		{ "stranger.test", FETCH_CERTIFICATE },
		{ "nobody.test", FETCH_UNREACHABLE }, /* an alert */
	};

	(void)state;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		struct answer a;

		get(hosts[i].host, "/ok", &a);
		if (a.problem != hosts[i].problem)
			fail_msg("%s: problem %u: %s", hosts[i].host, a.problem, a.words);
		buf_fini(&a.body);
	}
}

static void
old_tls_is_refused(void **state)
{
	struct answer a;
	uint16_t port;
	pid_t old = start_server(TLS1_1_VERSION, &port);

	(void)state;
	ask("good.test", "/ok", port, ANSWER_MS, &a);
	wait_for(&a);
	assert_int_equal(a.problem, FETCH_UNREACHABLE);
	buf_fini(&a.body);
	wait_for_quiet(); /* a child that is killed would be counted for ever */
	stop_server(old);
}

static void
the_second_address_is_tried(void **state)
{
	struct addr addrs[] = { at("127.0.0.2"), at("127.0.0.1") };
	struct answer a = { 0 };

	(void)state;
	buf_init(&a.body, 100);
	fetch_get(w.fetch, &(struct fetch_request){ .host = STR("good.test"), .path = STR("/ok"), .port = w.port, .addrs = addrs,
	    .naddrs = 2, .max = BODY_MAX, .ms = ANSWER_MS }, on_answer, &a);
	wait_for(&a);
	assert_int_equal(a.problem, FETCH_OK);
	buf_fini(&a.body);
}

/* What one get was told of a name is not what the next one uses. */
static void
addresses_are_those_of_the_request(void **state)
{
	struct addr nobody = at("127.0.0.2");
	struct answer a;

	(void)state;
	get("good.test", "/ok", &a);
	assert_int_equal(a.problem, FETCH_OK);
	buf_fini(&a.body);
	memset(&a, 0, sizeof a);
	fetch_get(w.fetch, &(struct fetch_request){ .host = STR("good.test"), .path = STR("/ok"), .port = w.port, .addrs = &nobody,
	    .naddrs = 1, .max = BODY_MAX, .ms = ANSWER_MS }, on_answer, &a);
	wait_for(&a);
	assert_int_equal(a.problem, FETCH_UNREACHABLE);
}

static void
silence_ends_in_time(void **state)
{
	struct mono begin = mono_now();
	struct answer a;

	(void)state;
	ask("good.test", "/hang", w.port, 300, &a);
	wait_for(&a);
	assert_int_equal(a.problem, FETCH_UNREACHABLE);
	assert_in_range(mono_ms_between(mono_now(), begin), 290, 10000);
	buf_fini(&a.body);
}

enum { CROWD = FETCH_AT_ONCE_MAX + 10 };

static void
no_more_than_so_many_at_once(void **state)
{
	static struct answer a[CROWD];
	unsigned no_turn = 0;

	(void)state;
	wait_for_quiet();
	w.shared->peak = 0;
	for (size_t i = 0; i < CROWD; i++)
		ask("good.test", "/hang", w.port, 2000, &a[i]);
	for (size_t i = 0; i < CROWD; i++) {
		wait_for(&a[i]);
		assert_int_equal(a[i].problem, FETCH_UNREACHABLE);
		no_turn += strstr(a[i].words, "no turn") != NULL;
		buf_fini(&a[i].body);
	}
	assert_in_range(w.shared->peak, 2, FETCH_AT_ONCE_MAX);
	assert_int_equal(no_turn, CROWD - FETCH_AT_ONCE_MAX);
}

static void
who_waits_gets_his_turn(void **state)
{
	static struct answer a[CROWD];

	(void)state;
	for (size_t i = 0; i < CROWD; i++)
		ask("good.test", "/ok", w.port, ANSWER_MS, &a[i]);
	for (size_t i = 0; i < CROWD; i++) {
		wait_for(&a[i]);
		assert_int_equal(a[i].problem, FETCH_OK);
		buf_fini(&a[i].body);
	}
}

static void
what_is_cancelled_is_not_heard_of(void **state)
{
	struct fetch_get *waits, *runs;
	struct answer a, b, c;

	(void)state;
	fetch_cancel(NULL);
	waits = ask("good.test", "/ok", w.port, ANSWER_MS, &a);
	fetch_cancel(waits);
	runs = ask("good.test", "/hang", w.port, ANSWER_MS, &b);
	get("good.test", "/ok", &c);
	fetch_cancel(runs);
	assert_int_equal(c.problem, FETCH_OK);
	buf_fini(&c.body);
	get("good.test", "/ok", &c);
	assert_false(a.done || b.done);
	buf_fini(&c.body);
}

static void
no_module_no_bundle(void **state)
{
	char empty[] = "/tmp/postern-fetch-XXXXXX";
	int fd = mkstemp(empty);
	struct err e;

	(void)state;
	close(fd);
	assert_null(fetch_open_module(w.loop, "/nonexistent/postern-fetch.so", str_of(w.ca_file), &e));
	assert_non_null(strstr(e.log, "/nonexistent/postern-fetch.so"));
	assert_null(fetch_open_module(w.loop, "libm.so.6", str_of(w.ca_file), &e));
	assert_non_null(strstr(e.log, "not the one that belongs"));
	assert_null(fetch_open_module(w.loop, w.module, STR("/nonexistent/ca.pem"), &e));
	assert_non_null(strstr(e.log, "CA bundle /nonexistent/ca.pem: No such file"));
	assert_null(fetch_open_module(w.loop, w.module, str_of(empty), &e));
	assert_non_null(strstr(e.log, "no certificate"));
	assert_null(fetch_open(w.loop, str_of(w.ca_file), &e)); /* beside this program there is none */
	assert_non_null(strstr(e.log, "not installed"));
	unlink(empty);
}

/* --- the world --- */

static void
make_certificates(void)
{
	w.ca = pki_cert_new(&(struct pki_make){ .cn = "ca", .ca = true });
	w.unknown = pki_cert_new(&(struct pki_make){ .cn = "unknown", .ca = true });
	for (size_t i = 0; i < CERTIFICATES; i++)
		w.leaf[i] = pki_cert_new(&(struct pki_make){ .cn = certificates[i].name, .san = certificates[i].san,
		    .issuer = certificates[i].stranger ? &w.unknown : &w.ca, .from_s = certificates[i].from_s, .to_s = certificates[i].to_s });
}

static void
write_bundle(void)
{
	struct buf pem;
	int fd;

	buf_init(&pem, 65536);
	buf_add_cstr(&pem, "# of the tests\n");
	pki_cert_pem(&w.ca, &pem);
	strcpy(w.ca_file, "/tmp/postern-fetch-XXXXXX");
	fd = mkstemp(w.ca_file);
	assert_true(io_write_all(fd, buf_str(&pem)));
	close(fd);
	buf_fini(&pem);
}

/* At the top of the build directory, this program in tests/unit. */
static void
find_module(void)
{
	ssize_t n = readlink("/proc/self/exe", w.module, sizeof w.module - 64);

	assert_true(n > 0);
	w.module[str_rfind(str_from(w.module, (size_t)n), '/')] = '\0';
	strcat(w.module, "/../../postern-fetch.so");
}

static int
set_up(void **state)
{
	struct err e;

	(void)state;
	/* none of this may matter */
	setenv("https_proxy", "http://127.0.0.1:9", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	signal(SIGPIPE, SIG_IGN);
	make_certificates();
	write_bundle();
	find_module();
	w.shared = mmap(NULL, sizeof *w.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(w.shared != MAP_FAILED);
	w.server = start_server(TLS1_3_VERSION, &w.port);
	w.loop = loop_new();
	w.fetch = fetch_open_module(w.loop, w.module, str_of(w.ca_file), &e);
	if (w.fetch == NULL)
		fail_msg("%s", e.log);
	return 0;
}

static int
tear_down(void **state)
{
	struct answer unheard;

	(void)state;
	ask("good.test", "/hang", w.port, ANSWER_MS, &unheard);
	loop_turn(w.loop);
	fetch_close(w.fetch);
	assert_false(unheard.done);
	loop_free(w.loop);
	stop_server(w.server);
	unlink(w.ca_file);
	pki_cert_free(&w.ca);
	pki_cert_free(&w.unknown);
	for (size_t i = 0; i < CERTIFICATES; i++)
		pki_cert_free(&w.leaf[i]);
	munmap(w.shared, sizeof *w.shared);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_comes),
		cmocka_unit_test(the_request_says_no_more_than_it_must),
		cmocka_unit_test(answers_of_all_kinds),
		cmocka_unit_test(certificates_are_looked_at),
		cmocka_unit_test(old_tls_is_refused),
		cmocka_unit_test(the_second_address_is_tried),
		cmocka_unit_test(addresses_are_those_of_the_request),
		cmocka_unit_test(silence_ends_in_time),
		cmocka_unit_test(no_more_than_so_many_at_once),
		cmocka_unit_test(who_waits_gets_his_turn),
		cmocka_unit_test(what_is_cancelled_is_not_heard_of),
		cmocka_unit_test(no_module_no_bundle),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
