/* smtp_sink.c - takes mail and throws it away, as cheaply as it can: what a relay delivers to while it is measured.
 *
 *   smtp_sink HOST PORT
 *
 * Any number of connections and messages on each, PIPELINING, no TLS. A connection that says COUNT hears how many messages were taken:
 * "250 N". Ends with the process that started it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_MAX = 1 << 17, OUT_MAX = 1 << 14, COMMAND_MAX = 4096, EVENTS = 256 };

struct peer {
	int fd;
	bool data;       /* between DATA and its dot */
	bool over;       /* QUIT was said */
	unsigned matched; /* of CRLF . CRLF */
	size_t line_n;
	char line[COMMAND_MAX];
	size_t out_n;
	char out[OUT_MAX];
};

static unsigned long taken;

static void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void
say(struct peer *p, const char *words)
{
	size_t n = strlen(words);

	if (p->out_n + n > OUT_MAX) {
		p->over = true;
		return;
	}
	memcpy(p->out + p->out_n, words, n);
	p->out_n += n;
}

static void
say_count(struct peer *p)
{
	char text[32];

	snprintf(text, sizeof text, "250 %lu\r\n", taken);
	say(p, text);
}

static const struct verb {
	const char *name;
	const char *reply;
} verbs[] = {
	{ "EHLO", "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n" },
	{ "MAIL", "250 2.1.0 ok\r\n" },
	{ "RCPT", "250 2.1.5 ok\r\n" },
	{ "DATA", "354 go on\r\n" },
	{ "RSET", "250 2.0.0 ok\r\n" },
	{ "NOOP", "250 2.0.0 ok\r\n" },
	{ "HELO", "250 sink.test\r\n" },
	{ "QUIT", "221 2.0.0 bye\r\n" },
};

static void
on_line(struct peer *p)
{
	if (strncasecmp(p->line, "COUNT", 5) == 0) {
		say_count(p);
		return;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strncasecmp(p->line, verbs[i].name, 4) != 0)
			continue;
		say(p, verbs[i].reply);
		p->data = strcmp(verbs[i].name, "DATA") == 0;
		p->matched = 2; /* the line before the first is over */
		p->over = strcmp(verbs[i].name, "QUIT") == 0;
		return;
	}
	say(p, "500 5.5.1 what?\r\n");
}

/* How much of the bytes is message; the dot line belongs to it. */
static size_t
eat_data(struct peer *p, const char *bytes, size_t n)
{
	static const char end[] = "\r\n.\r\n";

	for (size_t i = 0; i < n; i++) {
		const char *cr;

		if (p->matched == 0) {
			cr = memchr(bytes + i, '\r', n - i);
			if (cr == NULL)
				return n;
			i = (size_t)(cr - bytes);
		}
		p->matched = bytes[i] == end[p->matched] ? p->matched + 1 : bytes[i] == '\r' ? 1 : 0;
		if (p->matched == 5) {
			p->data = false;
			taken++;
			say(p, "250 2.0.0 taken\r\n");
			return i + 1;
		}
	}
	return n;
}

static size_t
eat_line(struct peer *p, const char *bytes, size_t n)
{
	const char *end = memchr(bytes, '\n', n);
	size_t part = end != NULL ? (size_t)(end - bytes) + 1 : n;

	if (p->line_n + part >= COMMAND_MAX) {
		p->over = true;
		return n;
	}
	memcpy(p->line + p->line_n, bytes, part);
	p->line_n += part;
	if (end != NULL) {
		p->line[p->line_n] = '\0';
		p->line_n = 0;
		on_line(p);
	}
	return part;
}

/* False: the connection is over. */
static bool
on_bytes(struct peer *p)
{
	static char in[IN_MAX];
	ssize_t n = recv(p->fd, in, IN_MAX, 0);

	if (n <= 0)
		return n == -1 && errno == EAGAIN;
	for (size_t at = 0; at < (size_t)n && !p->over;)
		at += p->data ? eat_data(p, in + at, (size_t)n - at) : eat_line(p, in + at, (size_t)n - at);
	if (p->out_n > 0 && send(p->fd, p->out, p->out_n, MSG_NOSIGNAL) != (ssize_t)p->out_n)
		return false; /* replies are short: a full socket means that nobody reads them */
	p->out_n = 0;
	return !p->over;
}

static void
add(int epoll, int fd, void *what)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == -1)
		die("epoll_ctl");
}

static void
on_connection(int epoll, int listening)
{
	static const char greeting[] = "220 sink.test ESMTP\r\n";
	int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct peer *p;
	int one = 1;

	if (fd == -1)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	p = calloc(1, sizeof *p);
	if (p == NULL)
		die("calloc");
	p->fd = fd;
	send(fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL);
	add(epoll, fd, p);
}

static int
open_port(const char *host, const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd == -1 || inet_pton(AF_INET, host, &at.sin_addr) != 1)
		die(host);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) == -1 || listen(fd, 1024) == -1)
		die(port);
	return fd;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int listening;
	int epoll;

	if (argc != 3) {
		fprintf(stderr, "usage: smtp_sink HOST PORT\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	listening = open_port(argv[1], argv[2]);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	add(epoll, listening, NULL);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;

			if (p == NULL) {
				on_connection(epoll, listening);
			} else if (!on_bytes(p)) {
				close(p->fd);
				free(p);
			}
		}
	}
}
