/* addr.h - internet addresses and networks as values.
 *
 * An IPv4 address is held in its v4-mapped IPv6 form (RFC 4291 2.5.5.2), so that a client of a dual-stack socket
 * and the same client of an IPv4 socket compare equal and print the same. */
#ifndef POSTERN_NET_ADDR_H
#define POSTERN_NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <postern/core/err.h>
#include <postern/core/str.h>

struct addr {
	uint8_t ip[16];  /* network order; IPv4 as ::ffff:a.b.c.d */
	uint16_t port;   /* host order */
	uint32_t scope;  /* interface of a link-local address, else 0 */
};

/* A network: the first `bits` of ip count, the others are zero. IPv4 /n is held as /(96 + n). */
struct addr_net {
	uint8_t ip[16];
	uint8_t bits;
};

enum {
	ADDR_TEXT_SIZE = 72 /* "[address%scope]:port" and its NUL */
};

/* What "*:port" means is kept apart from "[::]:port": the first also takes IPv4. */
struct addr_bind {
	struct addr at;
	bool any; /* "*": every address of both families */
};

/* An address without port: "192.0.2.1", "2001:db8::1", "IPv6:2001:db8::1"; nothing else (no names, no octal). */
bool addr_parse_ip(struct str text, struct addr *a);
/* "192.0.2.1:25", "[2001:db8::1]:25"; port 0 to 65535. */
bool addr_parse(struct str text, struct addr *a);
/* The same or "*:25", as the configuration's listen lists have it. False with words and remedy in e. */
bool addr_parse_bind(struct str text, struct addr_bind *b, struct err *e);
/* "192.0.2.0/24", "2001:db8::/32", or one address. Bits set beyond the length are refused: they are a slip. */
bool addr_parse_net(struct str text, struct addr_net *net, struct err *e);

/* From and to the kernel's form; false for a family that is neither AF_INET nor AF_INET6 (AF_UNIX: the zero
 * address). */
bool addr_from_sockaddr(const struct sockaddr *sa, socklen_t n, struct addr *a);
/* IPv4 comes out as AF_INET. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);

bool addr_is_v4(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
/* The ips are equal; ports and scopes do not count. */
bool addr_eq_ip(const struct addr *a, const struct addr *b);
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_in(const struct addr *a, const struct addr_net *net);
bool addr_in_any(const struct addr *a, const struct addr_net *nets, size_t n);

/* What limits and penalties count as one source: the IPv4 address, or the IPv6 /64 with the rest zero. 16 bytes. */
struct addr_source {
	uint8_t b[16];
};
struct addr_source addr_source_of(const struct addr *a);

/* "192.0.2.1" or "2001:db8::1" (RFC 5952 form); NUL-terminated; returns its length. */
size_t addr_text_ip(const struct addr *a, char out[static ADDR_TEXT_SIZE]);
/* "192.0.2.1:25" or "[2001:db8::1]:25". */
size_t addr_text(const struct addr *a, char out[static ADDR_TEXT_SIZE]);
/* "192.0.2.0/24". */
size_t addr_text_net(const struct addr_net *net, char out[static ADDR_TEXT_SIZE]);

#endif
