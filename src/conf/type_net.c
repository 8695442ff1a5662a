/* type_net.c - types of places: where to listen, whom to ask, networks, hosts with a port. */
#include "table.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { DNS_PORT = 53, ADDRESS_TEXT_MAX = 45, V4_PREFIX = 96 };

/* "[v6]:port", "v4:port", "host:port", "host", "v6": without brackets; *port stays as it is when there is none. */
static bool
port_split(struct str word, struct str *host, uint16_t *port)
{
	bool bracket = str_starts(word, STR("["));
	size_t close = bracket ? str_find(word, ']') : str_rfind(word, ':');
	struct str rest;
	uint64_t value;

	*host = word;
	if (!bracket && str_find(word, ':') != close) /* several colons: IPv6 without a port */
		return true;
	*host = str_sub(word, bracket, close);
	rest = str_sub(word, close + bracket, word.n);
	if (close == word.n)
		return !bracket;
	if (rest.n == 0)
		return bracket;
	if (rest.p[0] != ':' || !str_u64(str_sub(rest, 1, rest.n), UINT16_MAX, &value) || value == 0)
		return false;
	*port = (uint16_t)value;
	return true;
}

static bool
sockaddr_make(struct str host, uint16_t port, struct sockaddr_storage *sa)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)sa;
	char text[ADDRESS_TEXT_MAX + 1] = "";

	if (host.n > ADDRESS_TEXT_MAX)
		return false;
	memcpy(text, host.p, host.n);
	memset(sa, 0, sizeof(*sa));
	if (strlen(text) == host.n && inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return strlen(text) == host.n && inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
}

/* The address as text, without port and brackets. */
static void
sockaddr_text(const struct sockaddr_storage *sa, char text[static INET6_ADDRSTRLEN])
{
	const void *address = sa->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)sa)->sin_addr
						       : (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr;

	inet_ntop(sa->ss_family, address, text, INET6_ADDRSTRLEN);
}

static struct str
address_text(struct arena *a, const struct conf_addr *addr, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	if (addr->any)
		return arena_strf(a, "*:%u", port);
	sockaddr_text(&addr->sa, text);
	return arena_strf(a, addr->sa.ss_family == AF_INET ? "%s:%u" : "[%s]:%u", text, port);
}

static bool
addr_parse(struct arena *a, struct str word, uint16_t port, bool any, struct conf_addr *addr)
{
	struct str host;

	if (!port_split(word, &host, &port) || port == 0)
		return false;
	addr->any = any && str_eq(host, STR("*"));
	if (!sockaddr_make(addr->any ? STR("::") : host, port, &addr->sa))
		return false;
	addr->text = address_text(a, addr, port);
	return true;
}

static void
addr_write(const struct conf_key *k, const void *value, struct buf *out)
{
	(void)k;
	buf_add(out, ((const struct conf_addr *)value)->text);
}

static bool
listen_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	(void)k;
	return addr_parse(a, word, 0, true, out) ||
	    conf_refuse(w, "\"%.*s\" is not a place to listen, write *:port, 192.0.2.1:port or [2001:db8::1]:port",
		STR_ARG(conf_head(word)));
}

const struct conf_type type_listen = {
	.name = "list of addr:port",
	.syntax = "places in braces, like { \"*:25\", \"192.0.2.1:25\", \"[2001:db8::1]:25\" }",
	.size = sizeof(struct conf_addr),
	.list = true,
	.parse = listen_parse,
	.write = addr_write,
};

static bool
server_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	(void)k;
	return addr_parse(a, word, DNS_PORT, false, out) ||
	    conf_refuse(w, "\"%.*s\" is not an address, write 192.0.2.53, 2001:db8::53 or one with a port",
		STR_ARG(conf_head(word)));
}

const struct conf_type type_servers = {
	.name = "list of addresses",
	.syntax = "addresses in braces, like { \"192.0.2.53\", \"[2001:db8::53]:5353\" }",
	.size = sizeof(struct conf_addr),
	.list = true,
	.parse = server_parse,
	.write = addr_write,
};

static bool
source_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	struct conf_addr *addr = out;
	char text[INET6_ADDRSTRLEN];

	(void)k;
	if (!sockaddr_make(word, 0, &addr->sa))
		return conf_refuse(w, "\"%.*s\" is not an address, write 192.0.2.1 or 2001:db8::1, without a port",
		    STR_ARG(conf_head(word)));
	sockaddr_text(&addr->sa, text);
	addr->text = arena_str(a, str_of(text));
	return true;
}

const struct conf_type type_sources = {
	.name = "list of addresses without port",
	.syntax = "addresses in braces, like { \"192.0.2.1\", \"2001:db8::1\" }",
	.size = sizeof(struct conf_addr),
	.list = true,
	.parse = source_parse,
	.write = addr_write,
};

static bool
host_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	struct conf_host *host = out;
	struct sockaddr_storage sa;
	char text[INET6_ADDRSTRLEN];
	struct str name;

	host->port = (uint16_t)k->low;
	if (!port_split(word, &name, &host->port))
		return conf_refuse(w, "\"%.*s\" is not a host with a port, write one like relay.example.org:587",
		    STR_ARG(conf_head(word)));
	if (!sockaddr_make(name, host->port, &sa))
		return conf_domain_take(a, name, &host->name, w);
	sockaddr_text(&sa, text);
	host->name = arena_str(a, str_of(text));
	return true;
}

static void
host_write(const struct conf_key *k, const void *value, struct buf *out)
{
	const struct conf_host *host = value;

	(void)k;
	if (host->name.n > 0)
		buf_addf(out, str_has(host->name, ':') ? "[%s]:%u" : "%s:%u", host->name.p, host->port);
}

const struct conf_type type_host = {
	.name = "host",
	.syntax = "a name or address, with a port if need be, like relay.example.org:587",
	.size = sizeof(struct conf_host),
	.blank = true,
	.parse = host_parse,
	.write = host_write,
};

static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */

/* The 16 bytes that both families are compared by. */
static bool
address_bytes(const struct sockaddr *sa, uint8_t out[static 16])
{
	if (sa->sa_family == AF_INET6) {
		memcpy(out, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
		return true;
	}
	if (sa->sa_family != AF_INET)
		return false;
	memcpy(out, mapped, 12);
	memcpy(out + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	return true;
}

/* Clears the bits after the first n; true if none of them was set. */
static bool
bits_clear(uint8_t addr[static 16], unsigned n)
{
	bool clean = true;

	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = n >= (i + 1) * 8 ? 8 : n > i * 8 ? n - i * 8 : 0;
		uint8_t mask = (uint8_t)(0xff00 >> keep);

		clean = clean && (addr[i] & ~mask) == 0;
		addr[i] &= mask;
	}
	return clean;
}

static void
network_write(const struct conf_key *k, const void *value, struct buf *out)
{
	const struct conf_net *net = value;
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];
	bool v4;

	(void)k;
	memcpy(&address, net->addr, sizeof(address));
	v4 = IN6_IS_ADDR_V4MAPPED(&address) && net->bits >= V4_PREFIX;
	if (v4)
		inet_ntop(AF_INET, net->addr + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, net->addr, text, sizeof(text));
	buf_addf(out, "%s/%u", text, v4 ? net->bits - V4_PREFIX : net->bits);
}

static bool
network_clean(struct conf_net *net, struct conf_why *w)
{
	struct buf meant;

	if (bits_clear(net->addr, net->bits))
		return true;
	buf_init(&meant, 64);
	network_write(NULL, net, &meant);
	conf_refuse(w, "the address has bits beyond the network's, write \"%s\" or an address alone", buf_cstr(&meant));
	buf_fini(&meant);
	return false;
}

/* All of IPv4, or so much of IPv6 that all of IPv4 lies in it. */
static bool
network_is_everybody(const struct conf_net *net)
{
	uint8_t v4[16];

	memcpy(v4, mapped, sizeof(v4));
	bits_clear(v4, net->bits);
	return net->bits <= V4_PREFIX && memcmp(v4, net->addr, sizeof(v4)) == 0;
}

static bool
network_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	struct conf_net *net = out;
	size_t slash = str_find(word, '/');
	struct sockaddr_storage sa;
	uint64_t bits;
	unsigned max;

	(void)a;
	(void)k;
	if (!sockaddr_make(str_sub(word, 0, slash), 0, &sa))
		return conf_refuse(w, "\"%.*s\" is not a network, write one like 192.0.2.0/24 or 2001:db8::/32",
		    STR_ARG(conf_head(word)));
	max = sa.ss_family == AF_INET ? 32 : 128;
	bits = max;
	if (slash < word.n && !str_u64(str_sub(word, slash + 1, word.n), max, &bits))
		return conf_refuse(
		    w, "\"%.*s\" wants a number from 0 to %u after the slash", STR_ARG(conf_head(word)), max);
	address_bytes((struct sockaddr *)&sa, net->addr);
	net->bits = (unsigned)bits + (max == 32 ? V4_PREFIX : 0);
	if (!network_clean(net, w))
		return false;
	return !network_is_everybody(net) ||
	    conf_refuse(w, "\"%.*s\" is everybody and makes an open relay, name your own networks",
		STR_ARG(conf_head(word)));
}

const struct conf_type type_networks = {
	.name = "list of networks",
	.syntax = "networks in braces, like { \"192.0.2.0/24\", \"2001:db8::/32\", \"192.0.2.1\" }",
	.size = sizeof(struct conf_net),
	.list = true,
	.parse = network_parse,
	.write = network_write,
};

bool
conf_nets_has(const struct conf_nets *nets, const struct sockaddr *sa)
{
	uint8_t addr[16];

	if (!address_bytes(sa, addr))
		return false;
	for (size_t i = 0; i < nets->n; i++) {
		uint8_t prefix[16];

		memcpy(prefix, addr, sizeof(prefix));
		bits_clear(prefix, nets->v[i].bits);
		if (memcmp(prefix, nets->v[i].addr, sizeof(prefix)) == 0)
			return true;
	}
	return false;
}
