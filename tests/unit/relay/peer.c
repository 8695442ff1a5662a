/* peer.c - a mail server that does as it is told. */
#include "peer.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/mem.h>
#include <postern/net/conn.h>

enum { CLIENTS_MAX = 64, ENDLESS_LINES = 2000 };

struct client {
	struct peer *peer;
	struct conn *conn;
	struct buf line;
	struct buf *mail; /* being taken */
	const struct peer_script *script;
	char taken[4][64]; /* recipients of the transaction */
	unsigned ntaken, nmails;
	bool tls, hangs, endless, slow, secure_next, deaf, empty;
};

struct peer {
	struct loop *loop;
	struct peer_script script;
	struct addr addr, client;
	int fd;
	struct loop_io io;
	SSL_CTX *ctx;
	struct client *clients[CLIENTS_MAX];
	unsigned connections, begun, mails;
	struct buf heard, delivered;
	unsigned in_clear;
	struct buf mail[PEER_MAILS_MAX];
	char sni[256];
};

static const struct peer_script good = { .banner = NULL };

/* --- doing as told --- */

static const char *
or_usual(const char *told, const char *usual)
{
	return told != NULL ? told : usual;
}

static void
reset(struct client *c)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(conn_fd(c->conn), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void
go_on_for_ever(struct client *c)
{
	for (int i = 0; c->endless && i < ENDLESS_LINES; i++)
		conn_write(c->conn, STR("250-and another thing that this server can do very well\r\n"));
}

static void
client_end(struct client *c)
{
	struct peer *p = c->peer;

	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (p->clients[i] == c)
			p->clients[i] = NULL;
	conn_free(c->conn);
	buf_fini(&c->line);
	free(c);
}

/* False: the client is gone. */
static bool
say(struct client *c, const char *reply)
{
	const char *deed = strchr(reply, '!');
	size_t n = deed != NULL ? (size_t)(deed - reply) : strlen(reply);

	conn_write(c->conn, str_from(reply, n));
	if (deed == NULL)
		return true;
	if (strcmp(deed, "!close") == 0)
		conn_close(c->conn);
	else if (strcmp(deed, "!hang") == 0)
		c->hangs = true;
	else if (strcmp(deed, "!slow") == 0)
		c->slow = true;
	else if (strcmp(deed, "!endless") == 0)
		c->endless = true;
	go_on_for_ever(c);
	if (strcmp(deed, "!rst") != 0 && strcmp(deed, "!lost") != 0)
		return true;
	if (n > 0) /* what was said goes first */
		send(conn_fd(c->conn), reply, n, MSG_NOSIGNAL);
	reset(c);
	client_end(c);
	return false;
}

/* --- the dialogue --- */

static const char *
usual_ehlo(const struct client *c)
{
	if (c->script->cert != NULL && !c->tls)
		return "250-mx.remote.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n250-STARTTLS\r\n250 SIZE "
		       "1000000\r\n";
	return "250-mx.remote.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n250 SIZE 1000000\r\n";
}

static const char *
on_hello(struct client *c)
{
	if (c->tls && c->script->ehlo_tls != NULL)
		return c->script->ehlo_tls;
	return c->tls ? usual_ehlo(c) : or_usual(c->script->ehlo, usual_ehlo(c));
}

static const char *
on_rcpt(struct client *c, struct str line)
{
	const char *reply = or_usual(c->script->rcpt, "250 2.1.5 ok\r\n");

	for (int i = 0; i < 4 && c->script->rcpts[i].address != NULL; i++)
		if (str_search(line, str_of(c->script->rcpts[i].address)) < line.n)
			reply = c->script->rcpts[i].reply;
	if (reply[0] == '2' && c->ntaken < 4)
		snprintf(c->taken[c->ntaken++], sizeof *c->taken, "%.*s", STR_ARG(line));
	return reply;
}

static const char *
on_data_verb(struct client *c)
{
	const char *usual = c->ntaken > 0 ? "354 go on\r\n" : "554 5.5.1 no valid recipients\r\n";
	const char *reply = or_usual(c->script->data, usual);

	if (reply[0] == '3') {
		assert_true(c->peer->begun < PEER_MAILS_MAX);
		c->mail = &c->peer->mail[c->peer->begun++];
	}
	return reply;
}

static const char *
on_starttls(struct client *c)
{
	const char *reply = or_usual(c->script->starttls, "220 go ahead\r\n");

	c->secure_next = reply[0] == '2' && strchr(reply, '!') == NULL;
	return reply;
}

static const char *
answer(struct client *c, struct str line)
{
	if (str_starts(line, STR("EHLO")) || str_starts(line, STR("LHLO")))
		return on_hello(c);
	if (str_starts(line, STR("STARTTLS")))
		return on_starttls(c);
	if (str_starts(line, STR("AUTH")))
		return "235 2.7.0 welcome\r\n";
	if (str_starts(line, STR("MAIL"))) {
		c->ntaken = 0;
		c->peer->in_clear += !c->tls;
		if (c->nmails++ > 0 && c->script->mail_again != NULL)
			return c->script->mail_again;
		return or_usual(c->script->mail, "250 2.1.0 ok\r\n");
	}
	if (str_starts(line, STR("RCPT")))
		return on_rcpt(c, line);
	if (str_starts(line, STR("DATA")))
		return on_data_verb(c);
	return str_starts(line, STR("QUIT")) ? "221 2.0.0 bye\r\n!close" : "250 2.0.0 ok\r\n";
}

/* The reply is for these recipients; of an empty message (RFC 2920 3.1: nobody was to get it) there are no copies. */
static bool
deliver(struct client *c, unsigned from, unsigned to, const char *reply)
{
	bool taken = reply[0] == '2' || strcmp(reply, "!lost") == 0;

	for (unsigned i = from; i < to && taken && !c->empty; i++)
		buf_add_cstr(&c->peer->delivered, c->taken[i]);
	return say(c, reply);
}

static bool
end_of_mail(struct client *c)
{
	c->empty = c->mail->n == 0;
	c->mail = NULL;
	c->peer->mails++;
	if (!c->script->lmtp)
		return deliver(c, 0, c->ntaken, or_usual(c->script->end, "250 2.0.0 accepted\r\n"));
	for (unsigned i = 0; i < c->ntaken; i++)
		if (!deliver(c, i, i + 1, or_usual(c->script->ends[i], "250 2.0.0 stored\r\n")))
			return false;
	return true;
}

static bool
take_line(struct client *c, struct str line)
{
	if (c->mail == NULL) {
		buf_add(&c->peer->heard, line);
		return say(c, answer(c, line));
	}
	if (str_eq(line, STR(".\r\n")))
		return end_of_mail(c);
	buf_add(c->mail, line);
	return true;
}

static void
secure(struct client *c)
{
	c->secure_next = false;
	c->deaf = c->script->no_tls_after_220;
	if (!c->deaf)
		conn_secure(c->conn, SSL_new(c->peer->ctx), CONN_SERVER, CONN_INJECTED_DROP, STR(""));
}

static size_t
on_data(void *ctx, struct str bytes)
{
	struct client *c = ctx;
	size_t n = bytes.n;

	if (c->deaf)
		conn_write(c->conn, STR("500 this is no TLS, whatever was said before\r\n"));
	if (c->hangs || c->deaf)
		return n;
	if (c->slow)
		conn_pause(c->conn);
	buf_add(&c->line, bytes);
	while (!c->secure_next && !c->hangs && str_has(buf_str(&c->line), '\n')) {
		size_t end = str_find(buf_str(&c->line), '\n') + 1;
		char *copy = mem_cstr(str_sub(buf_str(&c->line), 0, end));
		bool here;

		buf_drop(&c->line, end);
		here = take_line(c, str_from(copy, end));
		free(copy);
		if (!here)
			return n;
	}
	if (c->secure_next)
		secure(c);
	return n;
}

static void
on_secure(void *ctx)
{
	struct client *c = ctx;
	const char *name = SSL_get_servername(conn_ssl(c->conn), TLSEXT_NAMETYPE_host_name);

	snprintf(c->peer->sni, sizeof c->peer->sni, "%s", name != NULL ? name : "");
	c->tls = true;
	if (c->script->tls_first)
		say(c, or_usual(c->script->banner, "220 mx.remote.test ESMTP\r\n"));
}

static void
on_drained(void *ctx)
{
	go_on_for_ever(ctx);
}

static void
on_end(void *ctx, enum conn_end why)
{
	(void)why;
	client_end(ctx);
}

static const struct conn_ops ops = {
	.on_data = on_data, .on_secure = on_secure, .on_drained = on_drained, .on_end = on_end
};

/* --- connections --- */

static void
on_accept(void *ctx, int ready)
{
	struct peer *p = ctx;
	int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = NEW(struct client);
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;

	(void)ready;
	assert_true(fd != -1 && p->connections < CLIENTS_MAX);
	assert_int_equal(getpeername(fd, (struct sockaddr *)&ss, &n), 0);
	assert_true(addr_from_sockaddr((struct sockaddr *)&ss, n, &p->client));
	c->peer = p;
	c->script = p->script.once && p->connections > 0 ? &good : &p->script;
	buf_init(&c->line, 1 << 20);
	p->clients[p->connections++] = c;
	c->conn = conn_new(p->loop, fd, &ops, c);
	if (c->script->tls_first)
		secure(c);
	else
		say(c, or_usual(c->script->banner, "220 mx.remote.test ESMTP\r\n"));
}

static void
make_ctx(struct peer *p)
{
	const struct pki_cert *cert = p->script.cert;

	if (cert == NULL)
		return;
	p->ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(p->ctx, cert->x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(p->ctx, cert->key), 1);
}

static int
listen_at(struct addr *a, int backlog)
{
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(a, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&ss, n), 0);
	assert_int_equal(listen(fd, backlog), 0);
	n = sizeof ss;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	assert_true(addr_from_sockaddr((struct sockaddr *)&ss, n, a));
	return fd;
}

struct peer *
peer_new(struct loop *l, const char *ip, const struct peer_script *script)
{
	struct peer *p = NEW(struct peer);

	p->loop = l;
	p->script = *script;
	assert_true(addr_parse_ip(str_of(ip), &p->addr));
	p->fd = listen_at(&p->addr, 100);
	make_ctx(p);
	buf_init(&p->heard, 1 << 20);
	buf_init(&p->delivered, 1 << 20);
	for (int i = 0; i < PEER_MAILS_MAX; i++)
		buf_init(&p->mail[i], 64 << 20);
	loop_io_init(&p->io, l, p->fd, on_accept, p);
	loop_io_watch(&p->io, LOOP_READ);
	return p;
}

void
peer_free(struct peer *p)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (p->clients[i] != NULL)
			client_end(p->clients[i]);
	loop_io_fini(&p->io);
	close(p->fd);
	SSL_CTX_free(p->ctx);
	buf_fini(&p->heard);
	buf_fini(&p->delivered);
	for (int i = 0; i < PEER_MAILS_MAX; i++)
		buf_fini(&p->mail[i]);
	free(p);
}

struct addr
peer_addr(const struct peer *p)
{
	return p->addr;
}

struct addr
peer_client(const struct peer *p)
{
	return p->client;
}

unsigned
peer_connections(const struct peer *p)
{
	return p->connections;
}

unsigned
peer_open(const struct peer *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		n += p->clients[i] != NULL;
	return n;
}

void
peer_say(struct peer *p, const char *text)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (p->clients[i] != NULL)
			conn_write(p->clients[i]->conn, str_of(text));
}

void
peer_read(struct peer *p)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (p->clients[i] != NULL)
			conn_resume(p->clients[i]->conn);
}

const char *
peer_heard(struct peer *p)
{
	return buf_cstr(&p->heard);
}

unsigned
peer_delivered(const struct peer *p, const char *address)
{
	struct str rest = buf_str(&p->delivered);
	unsigned n = 0;
	size_t at;

	while ((at = str_search(rest, str_of(address))) < rest.n) {
		n++;
		rest = str_sub(rest, at + 1, rest.n);
	}
	return n;
}

unsigned
peer_in_clear(const struct peer *p)
{
	return p->in_clear;
}

unsigned
peer_mails(const struct peer *p)
{
	return p->mails;
}

struct str
peer_mail(const struct peer *p, unsigned i)
{
	assert_true(i < p->mails);
	return buf_str(&p->mail[i]);
}

const char *
peer_sni(const struct peer *p)
{
	return p->sni;
}

/* --- where nobody answers --- */

/* A full queue of connections that nobody accepts: the kernel drops what comes then. */
void
hole_open(struct hole *h, const char *ip)
{
	struct sockaddr_storage ss;
	socklen_t n;

	assert_true(addr_parse_ip(str_of(ip), &h->addr));
	h->addr.port = 0;
	h->listener = listen_at(&h->addr, 0);
	n = addr_to_sockaddr(&h->addr, &ss);
	for (size_t i = 0; i < sizeof h->plugs / sizeof *h->plugs; i++) {
		h->plugs[i] = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(h->plugs[i], (struct sockaddr *)&ss, n);
	}
}

void
hole_close(struct hole *h)
{
	for (size_t i = 0; i < sizeof h->plugs / sizeof *h->plugs; i++)
		close(h->plugs[i]);
	close(h->listener);
}

struct addr
refusing_addr(const char *ip)
{
	struct addr a;

	assert_true(addr_parse_ip(str_of(ip), &a));
	close(listen_at(&a, 1));
	return a;
}
