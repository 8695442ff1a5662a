/* network.c - attempts to reach others over any kind of socket. */
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "inside.h"

enum { DESCRIPTORS = 256 };

static int
opens(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);
	int r = inside_outcome(fd);

	if (fd != -1)
		close(fd);
	return r;
}

#define OPENS(name, family, type, protocol)                                                                                      \
	static int name(const struct inside *in)                                                                       \
	{                                                                                                              \
		(void)in;                                                                                              \
		return opens(family, type, protocol);                                                                            \
	}

OPENS(tcp, AF_INET, SOCK_STREAM, 0)
OPENS(tcp6, AF_INET6, SOCK_STREAM, 0)
OPENS(udp, AF_INET, SOCK_DGRAM, 0)
OPENS(raw, AF_INET, SOCK_RAW, IPPROTO_TCP) /* without a protocol there is none, for nobody */
OPENS(raw6, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)
OPENS(local_stream, AF_UNIX, SOCK_STREAM, 0)
OPENS(local_datagram, AF_UNIX, SOCK_DGRAM, 0)
OPENS(netlink, AF_NETLINK, SOCK_RAW, 0)
OPENS(packets, AF_PACKET, SOCK_RAW, 0)
OPENS(vsock, 40, SOCK_STREAM, 0)
OPENS(kernel_crypto, 38, SOCK_SEQPACKET, 0)

static struct sockaddr_in
loopback(uint32_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static int
connects(const struct inside *in)
{
	struct sockaddr_in to = loopback(in->port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = fd == -1 ? -errno : inside_outcome(connect(fd, (const struct sockaddr *)&to, sizeof to));

	if (fd != -1)
		close(fd);
	return r;
}

/* A socket that is there, used for something else. */
static int
connects_what_is_there(const struct inside *in)
{
	struct sockaddr_in to = loopback(in->port);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int r = -ENOTSOCK;

	for (int fd = 3; fd < DESCRIPTORS && r != 0; fd++) {
		if (connect(fd, &none, sizeof none) == -1 && errno == EBADF)
			continue;
		r = inside_outcome(connect(fd, (const struct sockaddr *)&to, sizeof to));
	}
	return r;
}

static bool
is_internet(int fd)
{
	struct sockaddr_storage own;
	socklen_t n = sizeof own;

	return getsockname(fd, (struct sockaddr *)&own, &n) == 0 && (own.ss_family == AF_INET || own.ss_family == AF_INET6);
}

/* A local socket takes no notice of where to; MSG_FASTOPEN connects. */
static int
sends_from_what_is_there(const struct inside *in)
{
	struct sockaddr_in to = loopback(in->port);
	int r = -ENOTSOCK;

	for (int fd = 3; fd < DESCRIPTORS && r != 0; fd++)
		if (is_internet(fd) && sendto(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_FASTOPEN,
		    (const struct sockaddr *)&to, sizeof to) == 1)
			r = 0;
	return r;
}

/* The name of the abstract socket on which the test listens; its length. */
static socklen_t
abstract_name(const struct inside *in, struct sockaddr_un *to)
{
	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    (size_t)snprintf(to->sun_path + 1, sizeof to->sun_path - 1, "postern-inside-%d", (int)in->parent));
}

/* Such a socket has no file: no closed root hides it. */
static int
sends_to_an_abstract_socket(const struct inside *in)
{
	struct sockaddr_un to;
	socklen_t n = abstract_name(in, &to);
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -errno;
	r = sendto(pair[0], "x", 1, MSG_DONTWAIT, (const struct sockaddr *)&to, n) == 1 ? 0 : -errno;
	close(pair[0]);
	close(pair[1]);
	return r;
}

/* A pair of its own, one end turned towards a socket of the machine's. */
static int
sends_to_a_service(const struct inside *in)
{
	static const char *const services[] = { "/run/systemd/notify", "/run/systemd/journal/socket", "/dev/log" };
	int pair[2];
	int r = -ENOENT;

	(void)in;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -errno;
	for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
		struct sockaddr_un to = { .sun_family = AF_UNIX };

		strcpy(to.sun_path, services[i]);
		if (sendto(pair[0], "x", 1, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof to) == 1)
			r = 0;
	}
	close(pair[0]);
	close(pair[1]);
	return r;
}

static int
binds(const struct inside *in)
{
	struct sockaddr_in at = loopback(0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)in;
	return fd == -1 ? -errno : inside_outcome(bind(fd, (const struct sockaddr *)&at, sizeof at));
}

static int
listens(const struct inside *in)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)in;
	return fd == -1 ? -errno : inside_outcome(listen(fd, 1));
}

const struct attempt inside_network[] = {
	{ "open a TCP socket", tcp },
	{ "open a TCP6 socket", tcp6 },
	{ "open a UDP socket", udp },
	{ "open a raw socket", raw },
	{ "open a raw IPv6 socket", raw6 },
	{ "open a unix socket", local_stream },
	{ "open a unix datagram socket", local_datagram },
	{ "open a netlink socket", netlink },
	{ "open a packet socket", packets },
	{ "open a vsock", vsock },
	{ "open a socket of the kernel's crypto", kernel_crypto },
	{ "connect", connects },
	{ "connect a socket that is there", connects_what_is_there },
	{ "send from a socket that is there", sends_from_what_is_there },
	{ "send to a service of the machine", sends_to_a_service },
	{ "send to an abstract socket", sends_to_an_abstract_socket },
	{ "bind", binds },
	{ "listen", listens },
	{ 0 },
};
