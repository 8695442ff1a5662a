/* route.c - from a domain to its destination, and from a destination to what the operator wants done there. */
#include <postern/relay/route.h>

#include <stdio.h>

#include <postern/dns/answer.h>
#include <postern/net/addr.h>

enum { PORT_SMTP = 25 };

static const struct conf_route *
route_of_match(const struct conf *c, struct str match)
{
	for (size_t i = 0; i < c->routes.n; i++)
		if (str_eq(c->routes.v[i].match, match))
			return &c->routes.v[i];
	return NULL;
}

static bool
is_literal(struct str domain)
{
	return domain.n > 2 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']';
}

/* ".b.test" behind "a.b.test"; empty: no more. */
static struct str
parent_of(struct str domain)
{
	return str_sub(domain, domain.n > 0 ? 1 + str_find(str_sub(domain, 1, domain.n), '.') : 0, domain.n);
}

/* The most specific route for a domain (A-labels, lower case): the name itself, then ".parent" from the longest to the
 * shortest, then "*". NULL: none. */
static const struct conf_route *
find_route(const struct conf *c, struct str domain)
{
	const struct conf_route *found;

	if (is_literal(domain))
		return route_of_match(c, STR("*"));
	found = route_of_match(c, domain);
	for (struct str at = parent_of(domain); found == NULL && at.n > 0; at = parent_of(at))
		found = route_of_match(c, at);
	return found != NULL ? found : route_of_match(c, STR("*"));
}

static bool
has_host(const struct conf_route *route)
{
	return route != NULL && route->to.name.n > 0;
}

void
relay_route_destination(const struct conf *c, struct str domain, struct queue_destination *out)
{
	const struct conf_route *route = find_route(c, domain);
	struct str name = has_host(route) ? route->match : domain;

	*out = (struct queue_destination){ .sts = !has_host(route) && !is_literal(domain) };
	memcpy(out->name, name.p, name.n < sizeof out->name ? name.n : sizeof out->name - 1);
}

static void
set_host(struct relay_route *out, struct str name, uint16_t port)
{
	struct addr a;

	out->finding = addr_parse_ip(name, &a) ? RELAY_BY_ADDRESS : RELAY_BY_HOST;
	out->name = name;
	out->port = port;
	out->named = true;
	out->private_allowed = true;
}

static void
set_demand(struct relay_route *out, const struct conf_route *route)
{
	out->has_rule = route->tls != DEMAND_POLICY;
	out->tls = route->tls;
	out->names = route->names;
}

/* What holds for the host that a route names, however the mail came to go there. */
static void
set_fixed(struct relay_route *out, const struct conf_route *route)
{
	set_host(out, route->to.name, route->to.port);
	set_demand(out, route);
	out->protocol = route->protocol;
	out->login = route->user.n > 0 ? route : NULL;
}

/* The route that sends mail to exactly that host. */
static const struct conf_route *
route_to(const struct conf *c, struct str host, uint16_t port)
{
	for (size_t i = 0; i < c->routes.n; i++)
		if (str_eq(c->routes.v[i].to.name, host) && c->routes.v[i].to.port == port)
			return &c->routes.v[i];
	return NULL;
}

static bool
is_name(struct str name)
{
	return dns_name_valid(name) && !str_eq(name, STR("."));
}

/* "host:port" or "[2001:db8::1]:port". */
static bool
split_host(struct str text, struct str *host, uint16_t *port)
{
	size_t colon = str_rfind(text, ':');
	uint64_t number;
	struct addr a;

	*host = str_sub(text, 0, colon);
	if (colon == text.n || !str_u64(str_sub(text, colon + 1, text.n), UINT16_MAX, &number) || number == 0)
		return false;
	*port = (uint16_t)number;
	if (is_literal(*host)) {
		*host = str_sub(*host, 1, host->n - 1);
		return addr_parse_ip(*host, &a);
	}
	return is_name(*host);
}

/* The operator's own word is obeyed as one of the configuration: a host that a route names is treated as the route says. */
static bool
route_of_detour(const struct conf *c, struct str text, struct relay_route *out)
{
	const struct conf_route *route;
	struct str host;
	uint16_t port;

	if (!split_host(text, &host, &port))
		return false;
	set_host(out, host, port);
	route = route_to(c, host, port);
	if (route != NULL)
		set_fixed(out, route);
	return true;
}

static bool
route_of_domain(const struct conf *c, struct str domain, struct relay_route *out)
{
	const struct conf_route *route = find_route(c, domain);
	struct addr a;

	out->port = PORT_SMTP;
	out->finding = is_literal(domain) ? RELAY_BY_ADDRESS : RELAY_BY_MX;
	out->name = is_literal(domain) ? str_sub(domain, 1, domain.n - 1) : domain;
	if (str_starts_nocase(out->name, STR("IPv6:")))
		out->name = str_sub(out->name, 5, out->name.n);
	if (route != NULL) {
		set_demand(out, route);
		out->private_allowed = route->private;
	}
	return out->finding == RELAY_BY_MX ? is_name(domain) : addr_parse_ip(out->name, &a);
}

bool
relay_route_of(const struct conf *c, struct str destination, struct relay_route *out)
{
	const struct conf_route *route = route_of_match(c, destination);
	struct queue_destination now;

	*out = (struct relay_route){ 0 };
	if (str_starts(destination, STR("=")))
		return route_of_detour(c, str_sub(destination, 1, destination.n), out);
	if (has_host(route)) {
		set_fixed(out, route);
		return true;
	}
	/* mail of a domain that another destination takes now is sorted anew */
	relay_route_destination(c, destination, &now);
	return str_eq(str_of(now.name), destination) && route_of_domain(c, destination, out);
}
