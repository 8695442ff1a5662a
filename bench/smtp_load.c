/* smtp_load.c - sends messages to an SMTP server, a new connection for each, and says how fast they were accepted.
 *
 *   smtp_load HOST PORT CONNECTIONS MESSAGES SIZE FROM TO…
 *
 * CONNECTIONS are open at a time; the recipients take turns. MAIL, RCPT and DATA go in one write when the server says
 * PIPELINING, as real senders do. Prints: accepted refused seconds, and quantiles of the time from connect to 250 in ms. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_MAX = 4096, EVENTS = 256 };

enum step { BANNER, HELLO, ENVELOPE, BODY, BYE };

struct client {
	int fd;
	enum step step;
	long number; /* of the message: another one, another connection */
	int replies_due; /* of the pipelined group */
	double began;
	size_t in_n;
	char in[IN_MAX];
	const char *out;
	size_t out_n;
	char commands[1024];
	char *body;
	size_t body_n;
};

static struct {
	struct sockaddr_in to;
	int epoll;
	long todo;
	long started;
	long accepted;
	long refused;
	size_t size;
	const char *from;
	char **rcpts;
	int nrcpts;
	double *took;
} load;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* A message of the wanted size, lines of 76, its number in the header. */
static void
make_body(struct client *c, long number)
{
	size_t n;

	free(c->body);
	c->body = malloc(load.size + 512);
	if (c->body == NULL)
		die("malloc");
	n = (size_t)sprintf(c->body, "From: <%s>\r\nTo: <%s>\r\nSubject: load %ld\r\nMessage-ID: <%ld.%d@load.test>\r\n"
	    "Date: Fri, 01 May 2026 12:00:00 +0000\r\n\r\n", load.from, load.rcpts[number % load.nrcpts], number, number, (int)getpid());
	while (n + 78 < load.size) {
		memset(c->body + n, 'a' + (int)(n / 78 % 26), 76);
		memcpy(c->body + n + 76, "\r\n", 2);
		n += 78;
	}
	memcpy(c->body + n, ".\r\n", 3);
	c->body_n = n + 3;
}

static void
watch(struct client *c, int op)
{
	struct epoll_event e = { .events = EPOLLIN | (c->out_n > 0 ? EPOLLOUT : 0), .data.ptr = c };

	if (epoll_ctl(load.epoll, op, c->fd, &e) == -1)
		die("epoll_ctl");
}

static void
start(struct client *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		die("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->began = now();
	if (connect(c->fd, (struct sockaddr *)&load.to, sizeof load.to) == -1 && errno != EINPROGRESS)
		die("connect");
	c->step = BANNER;
	c->in_n = c->out_n = 0;
	c->number = load.started++;
	make_body(c, c->number);
	watch(c, EPOLL_CTL_ADD);
}

static void
flush(struct client *c)
{
	while (c->out_n > 0) {
		ssize_t n = send(c->fd, c->out, c->out_n, MSG_NOSIGNAL);

		if (n == -1 && errno == EAGAIN)
			break;
		if (n == -1)
			return; /* the read side will see the end */
		c->out += n;
		c->out_n -= (size_t)n;
	}
	watch(c, EPOLL_CTL_MOD);
}

static void
say(struct client *c, const char *bytes, size_t n)
{
	c->out = bytes;
	c->out_n = n;
	flush(c);
}

static void
finish(struct client *c, bool ok)
{
	if (ok)
		load.took[load.accepted++] = now() - c->began;
	else
		load.refused++;
	close(c->fd);
	c->fd = -1;
	if (load.started < load.todo)
		start(c);
}

static void
complain(const char *reply)
{
	if (load.refused < 3)
		fprintf(stderr, "refused: %s\n", reply);
}

/* One whole reply with its code has come. */
static void
on_reply(struct client *c, int code, const char *text)
{
	switch (c->step) {
	case BANNER:
		c->step = HELLO;
		say(c, "EHLO load.test\r\n", 16);
		return;
	case HELLO:
		c->step = ENVELOPE;
		c->replies_due = 3;
		snprintf(c->commands, sizeof c->commands, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", load.from,
		    load.rcpts[c->number % load.nrcpts]);
		say(c, c->commands, strlen(c->commands));
		return;
	case ENVELOPE:
		if (code >= 400) {
			complain(text);
			finish(c, false);
			return;
		}
		if (--c->replies_due > 0)
			return;
		c->step = BODY;
		say(c, c->body, c->body_n);
		return;
	case BODY:
		if (code != 250) {
			complain(text);
			finish(c, false);
			return;
		}
		c->step = BYE;
		say(c, "QUIT\r\n", 6);
		finish(c, true);
		return;
	case BYE:
		return;
	}
}

static void
on_bytes(struct client *c)
{
	for (;;) {
		char *end = memchr(c->in, '\n', c->in_n);
		size_t n = end != NULL ? (size_t)(end - c->in) + 1 : 0;
		long one = c->number;

		if (n == 0)
			return;
		*end = '\0';
		if (n < 4 || c->in[3] != '-')
			on_reply(c, atoi(c->in), c->in);
		if (c->number != one || c->fd == -1)
			return; /* it is over */
		memmove(c->in, c->in + n, c->in_n - n);
		c->in_n -= n;
	}
}

static void
on_event(struct client *c, unsigned events)
{
	ssize_t n;

	if (events & EPOLLOUT)
		flush(c);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	n = recv(c->fd, c->in + c->in_n, IN_MAX - c->in_n, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		finish(c, false);
		return;
	}
	c->in_n += (size_t)n;
	on_bytes(c);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	struct client *clients;
	double begin;
	double seconds;
	int n;

	if (argc < 8) {
		fprintf(stderr, "usage: smtp_load HOST PORT CONNECTIONS MESSAGES SIZE FROM TO...\n");
		return 2;
	}
	load.to.sin_family = AF_INET;
	load.to.sin_port = htons((uint16_t)atoi(argv[2]));
	if (inet_pton(AF_INET, argv[1], &load.to.sin_addr) != 1)
		die("address");
	n = atoi(argv[3]);
	load.todo = atol(argv[4]);
	load.size = (size_t)atol(argv[5]);
	load.from = argv[6];
	load.rcpts = argv + 7;
	load.nrcpts = argc - 7;
	load.took = calloc((size_t)load.todo, sizeof *load.took);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	clients = calloc((size_t)n, sizeof *clients);
	if (load.epoll == -1 || clients == NULL || load.took == NULL)
		die("set-up");
	begin = now();
	for (int i = 0; i < n && load.started < load.todo; i++)
		start(&clients[i]);
	while (load.accepted + load.refused < load.todo) {
		int got = epoll_wait(load.epoll, events, EVENTS, 30000);

		if (got == 0) {
			fprintf(stderr, "nothing happened for 30 s\n");
			return 1;
		}
		for (int i = 0; i < got; i++)
			on_event(events[i].data.ptr, events[i].events);
	}
	seconds = now() - begin;
	qsort(load.took, (size_t)load.accepted, sizeof *load.took, by_size);
	printf("%ld %ld %.3f", load.accepted, load.refused, seconds);
	for (int i = 0; i < 3 && load.accepted > 0; i++)
		printf(" %.2f", load.took[(size_t)((double)(load.accepted - 1) * ((double[]){ 0.5, 0.9, 0.99 })[i])] * 1e3);
	printf("\n");
	return load.refused > 0;
}
