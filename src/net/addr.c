/* addr.c - internet addresses and networks: text, kernel form, comparison. */
#include <postern/net/addr.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

bool
addr_is_v4(const struct addr *a)
{
	return memcmp(a->ip, mapped, sizeof mapped) == 0;
}

bool
addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return addr_is_v4(a) ? a->ip[12] == 127 : memcmp(a->ip, one, sizeof one) == 0;
}

static bool
parse_v4(const char *text, struct addr *a)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1)
		return false;
	memcpy(a->ip, mapped, sizeof mapped);
	memcpy(a->ip + sizeof mapped, &in, sizeof in);
	return true;
}

/* "fe80::1%2": the zone of a link-local address (RFC 4007 11), as a number only: asking for the number of a name
 * takes a socket, which a role that parses a stranger's text may not have. */
static bool
parse_v6(char *text, struct addr *a)
{
	char *zone = strchr(text, '%');
	uint64_t number = 0;

	if (zone != NULL && (!str_u64(str_of(zone + 1), UINT32_MAX, &number) || number == 0))
		return false;
	if (zone != NULL)
		*zone = '\0';
	a->scope = (uint32_t)number;
	return inet_pton(AF_INET6, text, a->ip) == 1 && !(zone != NULL && addr_is_v4(a));
}

bool
addr_parse_ip(struct str text, struct addr *a)
{
	char copy[ADDR_TEXT_SIZE];

	*a = (struct addr){ 0 };
	if (str_starts_nocase(text, STR("IPv6:")))
		text = str_sub(text, 5, text.n);
	if (text.n == 0 || text.n >= sizeof copy || str_has(text, '\0'))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return str_has(text, ':') ? parse_v6(copy, a) : parse_v4(copy, a);
}

/* Cuts ":port" off the end of *text. */
static bool
cut_port(struct str *text, uint16_t *port)
{
	size_t colon = str_rfind(*text, ':');
	uint64_t number;

	if (colon == text->n || !str_u64(str_sub(*text, colon + 1, text->n), UINT16_MAX, &number))
		return false;
	*text = str_sub(*text, 0, colon);
	*port = (uint16_t)number;
	return true;
}

bool
addr_parse(struct str text, struct addr *a)
{
	uint16_t port;
	bool bracketed;

	if (!cut_port(&text, &port))
		return false;
	bracketed = text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';
	if (bracketed)
		text = str_sub(text, 1, text.n - 1);
	/* brackets exactly where colons need them */
	if (str_has(text, ':') != bracketed || !addr_parse_ip(text, a))
		return false;
	a->port = port;
	return true;
}

bool
addr_parse_bind(struct str text, struct addr_bind *b, struct err *e)
{
	struct str shown = str_sub(text, 0, 100);

	*b = (struct addr_bind){ .any = str_starts(text, STR("*:")) };
	if (b->any ? cut_port(&text, &b->at.port) && text.n == 1 : addr_parse(text, &b->at))
		return true;
	return err_perm(e, "", "\"%.*s\" is not an address with a port: write 192.0.2.1:25, [2001:db8::1]:25 or *:25",
	    STR_ARG(shown));
}

static bool
has_bits_beyond(const struct addr_net *net)
{
	for (unsigned bit = net->bits; bit < 128; bit++)
		if (net->ip[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

static bool
parse_net(struct str text, struct addr_net *net)
{
	size_t slash = str_find(text, '/');
	struct addr a;
	uint64_t bits;
	unsigned width;

	if (!addr_parse_ip(str_sub(text, 0, slash), &a) || a.scope != 0)
		return false;
	width = addr_is_v4(&a) && !str_has(text, ':') ? 32 : 128;
	bits = width;
	if (slash < text.n && !str_u64(str_sub(text, slash + 1, text.n), width, &bits))
		return false;
	memcpy(net->ip, a.ip, sizeof net->ip);
	net->bits = (uint8_t)(128 - width + bits);
	return true;
}

bool
addr_parse_net(struct str text, struct addr_net *net, struct err *e)
{
	struct str shown = str_sub(text, 0, 100);

	if (!parse_net(text, net))
		return err_perm(e, "", "\"%.*s\" is not a network: write 192.0.2.0/24, 2001:db8::/32 or one address",
		    STR_ARG(shown));
	if (has_bits_beyond(net))
		return err_perm(e, "",
		    "\"%.*s\" has bits set behind its length: write the first address of the network, "
		    "or a longer length",
		    STR_ARG(shown));
	return true;
}

bool
addr_from_sockaddr(const struct sockaddr *sa, socklen_t n, struct addr *a)
{
	*a = (struct addr){ 0 };
	if (sa->sa_family == AF_INET && n >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof in);
		memcpy(a->ip, mapped, sizeof mapped);
		memcpy(a->ip + sizeof mapped, &in.sin_addr, sizeof in.sin_addr);
		a->port = ntohs(in.sin_port);
		return true;
	}
	if (sa->sa_family == AF_INET6 && n >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof in6);
		memcpy(a->ip, &in6.sin6_addr, sizeof a->ip);
		a->port = ntohs(in6.sin6_port);
		a->scope = in6.sin6_scope_id;
		return true;
	}
	return false;
}

socklen_t
addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope };

	*ss = (struct sockaddr_storage){ 0 };
	if (addr_is_v4(a)) {
		memcpy(&in.sin_addr, a->ip + sizeof mapped, sizeof in.sin_addr);
		memcpy(ss, &in, sizeof in);
		return sizeof in;
	}
	memcpy(&in6.sin6_addr, a->ip, sizeof a->ip);
	memcpy(ss, &in6, sizeof in6);
	return sizeof in6;
}

bool
addr_eq_ip(const struct addr *a, const struct addr *b)
{
	return memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_eq_ip(a, b) && a->port == b->port && a->scope == b->scope;
}

bool
addr_in(const struct addr *a, const struct addr_net *net)
{
	size_t whole = net->bits / 8;
	unsigned rest = net->bits % 8;

	if (memcmp(a->ip, net->ip, whole) != 0)
		return false;
	return rest == 0 || ((a->ip[whole] ^ net->ip[whole]) >> (8 - rest)) == 0;
}

bool
addr_in_any(const struct addr *a, const struct addr_net *nets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (addr_in(a, &nets[i]))
			return true;
	return false;
}

struct addr_source
addr_source_of(const struct addr *a)
{
	struct addr_source s = { 0 };

	memcpy(s.b, a->ip, addr_is_v4(a) ? sizeof s.b : 8);
	return s;
}

static size_t
text_of_ip(const uint8_t ip[static 16], char out[static ADDR_TEXT_SIZE])
{
	bool v4 = memcmp(ip, mapped, sizeof mapped) == 0;

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip + sizeof mapped : ip, out, ADDR_TEXT_SIZE);
	return strlen(out);
}

size_t
addr_text_ip(const struct addr *a, char out[static ADDR_TEXT_SIZE])
{
	size_t n = text_of_ip(a->ip, out);

	if (a->scope != 0)
		n += (size_t)snprintf(out + n, ADDR_TEXT_SIZE - n, "%%%u", a->scope);
	return n;
}

size_t
addr_text(const struct addr *a, char out[static ADDR_TEXT_SIZE])
{
	char ip[ADDR_TEXT_SIZE];

	addr_text_ip(a, ip);
	return (size_t)snprintf(out, ADDR_TEXT_SIZE, strchr(ip, ':') != NULL ? "[%.60s]:%u" : "%.60s:%u", ip, a->port);
}

size_t
addr_text_net(const struct addr_net *net, char out[static ADDR_TEXT_SIZE])
{
	size_t n = text_of_ip(net->ip, out);
	unsigned bits = net->bits >= 96 && memcmp(net->ip, mapped, sizeof mapped) == 0 ? net->bits - 96u : net->bits;

	return n + (size_t)snprintf(out + n, ADDR_TEXT_SIZE - n, "/%u", bits);
}
