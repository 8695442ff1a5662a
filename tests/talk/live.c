/* live.c - transcripts against a live server, over TCP and TLS:
 *
 *   talk_live --port mx=127.0.0.1:2525 --port submission=127.0.0.1:2587 … --user alice@example.test:secret … FILE…
 *
 * A transcript says by `profile NAME` which of the ports it wants (without that word the first one given); it is
 * skipped when that port, a user of `users`, or what some word asks of a fake world is not there. What words look at
 * behind the scenes cannot be seen from here: there only the wire counts. Certificates are not verified: that is not
 * what transcripts are about. */
#include "talk.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <postern/core/io.h>
#include <postern/core/mem.h>

enum { PORTS_MAX = 10, USERS_MAX = 50, WAIT_MS = 4000 };

struct port {
	struct str profile;
	struct str host;
	struct str number;
};

struct line {
	int fd;
	SSL *ssl;
	bool eof;
};

/* What the command line said; one for all transcripts. */
static struct port ports[PORTS_MAX];
static size_t nports;
static struct str users[USERS_MAX];
static size_t nusers;
static SSL_CTX *tls;

struct live {
	const struct port *port;
	struct line lines[TALK_CONNECTIONS + 1];
};

/* --- sockets --- */

static int
connect_to(const struct port *p)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char *host = mem_cstr(p->host);
	char *number = mem_cstr(p->number);
	int fd = -1;

	if (getaddrinfo(host, number, &hints, &found) == 0) {
		fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd != -1 && connect(fd, found->ai_addr, found->ai_addrlen) == -1)
			io_close(&fd);
		freeaddrinfo(found);
	}
	free(host);
	free(number);
	return fd;
}

static void
on_open(void *ctx, unsigned conn)
{
	struct live *v = ctx;

	v->lines[conn].fd = connect_to(v->port);
	v->lines[conn].eof = v->lines[conn].fd == -1;
}

/* A server that has closed may refuse what comes late: that is the transcript's business, not an error here. */
static void
on_feed(void *ctx, unsigned conn, struct str bytes)
{
	struct line *l = &((struct live *)ctx)->lines[conn];
	size_t n;

	if (l->ssl == NULL) {
		while (bytes.n > 0) {
			ssize_t sent = send(l->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

			if (sent <= 0)
				return;
			bytes = str_sub(bytes, (size_t)sent, bytes.n);
		}
	} else if (bytes.n > 0) {
		SSL_write_ex(l->ssl, bytes.p, bytes.n, &n);
	}
	ERR_clear_error();
}

static bool
readable(const struct line *l, int wait_ms)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	return (l->ssl != NULL && SSL_pending(l->ssl) > 0) || poll(&p, 1, wait_ms) > 0;
}

static size_t
read_some(struct line *l, char *at, size_t room)
{
	size_t n = 0;
	ssize_t got;

	if (l->ssl != NULL) {
		if (SSL_read_ex(l->ssl, at, room, &n) != 1)
			l->eof = SSL_get_error(l->ssl, 0) != SSL_ERROR_WANT_READ;
		ERR_clear_error();
		return n;
	}
	got = recv(l->fd, at, room, 0);
	l->eof = got <= 0;
	return got > 0 ? (size_t)got : 0;
}

static void
on_take(void *ctx, unsigned conn, struct buf *out, int wait_ms)
{
	struct line *l = &((struct live *)ctx)->lines[conn];
	size_t before = out->n;

	while (!l->eof && readable(l, out->n > before ? 0 : wait_ms))
		out->n += read_some(l, buf_room(out, 65536), 65536);
}

static bool
on_closed(void *ctx, unsigned conn, int wait_ms)
{
	struct line *l = &((struct live *)ctx)->lines[conn];
	char byte;

	while (!l->eof && readable(l, wait_ms))
		if (read_some(l, &byte, 1) == 1)
			return false;
	return l->eof;
}

static void
on_close(void *ctx, unsigned conn)
{
	struct line *l = &((struct live *)ctx)->lines[conn];

	SSL_free(l->ssl);
	l->ssl = NULL;
	io_close(&l->fd);
	l->eof = true;
}

static bool
on_tls(void *ctx, unsigned conn)
{
	struct line *l = &((struct live *)ctx)->lines[conn];

	if (l->eof)
		return false;
	l->ssl = SSL_new(tls);
	SSL_set_fd(l->ssl, l->fd);
	return SSL_connect(l->ssl) == 1;
}

/* --- words --- */

static enum talk_word
word_profile(struct live *v, struct str rest)
{
	for (size_t i = 0; i < nports; i++)
		if (str_eq(ports[i].profile, rest)) {
			v->port = &ports[i];
			return TALK_DONE;
		}
	return TALK_SKIP;
}

static enum talk_word
word_users(struct live *v, struct str rest)
{
	struct str item;
	bool known;

	(void)v;
	while (str_cut(&rest, ' ', &item)) {
		known = false;
		for (size_t i = 0; i < nusers && !known; i++)
			known = str_eq(users[i], item) || (str_starts(users[i], item) && users[i].p[item.n] == ':');
		if (!known)
			return TALK_SKIP;
	}
	return TALK_DONE;
}

static enum talk_word
word_unseen(struct live *v, struct str rest)
{
	(void)v;
	(void)rest;
	return TALK_DONE;
}

static const struct {
	const char *word;
	enum talk_word (*run)(struct live *v, struct str rest);
} words[] = {
	{ "profile", word_profile },
	{ "users", word_users },
	{ "spool", word_unseen },
	{ "body", word_unseen },
	{ "bodysize", word_unseen },
	{ "body-like", word_unseen },
	{ "body-end", word_unseen },
	{ "prefix", word_unseen },
	{ "sender", word_unseen },
	{ "rcpt", word_unseen },
	{ "orcpt", word_unseen },
	{ "envid", word_unseen },
	{ "protocol", word_unseen },
	{ "login", word_unseen },
	{ "nrcpt", word_unseen },
	{ "notify", word_unseen },
	{ "ret", word_unseen },
	{ "flags", word_unseen },
	{ "auths", word_unseen },
	{ "log", word_unseen },
	{ "nolog", word_unseen },
	{ "logged", word_unseen },
	{ "client", word_unseen },
	{ "writes", word_unseen },
};

/* Other words want a fake world. */
static enum talk_word
on_word(void *ctx, struct str word, struct str rest, struct buf *why)
{
	(void)why;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(word, str_of(words[i].word)))
			return words[i].run(ctx, rest);
	return TALK_SKIP;
}

/* --- main --- */

static enum talk_result
run_file(const char *path, struct buf *why)
{
	struct live v = { .port = &ports[0] };
	const struct talk_peer peer = {
		.ctx = &v,
		.open = on_open,
		.feed = on_feed,
		.take = on_take,
		.closed = on_closed,
		.close = on_close,
		.tls = on_tls,
		.word = on_word,
	};
	const struct talk_options options = { .wait_ms = WAIT_MS };
	enum talk_result result;

	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++)
		v.lines[i].fd = -1;
	result = talk_run(path, &peer, &options, why);
	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++)
		on_close(&v, i);
	return result;
}

/* NAME=HOST:PORT; an IPv6 host without brackets. */
static bool
add_port(const char *text)
{
	struct str rest = str_of(text);
	struct port *p = &ports[nports];

	if (nports == PORTS_MAX || !str_cut(&rest, '=', &p->profile) || rest.n == 0)
		return false;
	p->host = str_sub(rest, 0, str_rfind(rest, ':'));
	p->number = str_sub(rest, p->host.n + 1, rest.n);
	nports++;
	return p->number.n > 0;
}

static bool
add_user(const char *text)
{
	if (nusers == USERS_MAX)
		return false;
	users[nusers++] = str_of(text);
	return true;
}

/* Takes options; the index of the first file, or 0. */
static int
parse_options(int argc, char **argv)
{
	int i = 1;

	for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		bool is_port = strcmp(argv[i], "--port") == 0;

		if (!is_port && strcmp(argv[i], "--user") != 0)
			return 0;
		if (!(is_port ? add_port(argv[i + 1]) : add_user(argv[i + 1])))
			return 0;
	}
	return nports > 0 && i < argc ? i : 0;
}

int
main(int argc, char **argv)
{
	unsigned count[3] = { 0 };
	int first = parse_options(argc, argv);
	struct buf why;

	if (first == 0) {
		fprintf(stderr, "usage: talk_live --port PROFILE=HOST:PORT… [--user ADDRESS:PASSWORD…] FILE…\n");
		return 2;
	}
	tls = SSL_CTX_new(TLS_client_method());
	buf_init(&why, 1 << 16);
	for (int i = first; i < argc; i++) {
		enum talk_result result = run_file(argv[i], &why);

		count[result]++;
		if (result != TALK_PASS)
			printf("%s %s\n", result == TALK_FAIL ? "FAIL" : "skip", buf_cstr(&why));
		buf_clear(&why);
	}
	buf_fini(&why);
	SSL_CTX_free(tls);
	printf("%u passed, %u failed, %u skipped\n", count[TALK_PASS], count[TALK_FAIL], count[TALK_SKIPPED]);
	return count[TALK_FAIL] == 0 && count[TALK_PASS] > 0 ? 0 : 1;
}
