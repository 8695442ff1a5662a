/* check.c - values that are right each by itself and wrong together. One function per subject, listed at the end. */
#include <netinet/in.h>

#include "own.h"
#include "read.h"

/* The key is not given; one that is given but wrong has its error already. */
static bool
missing(const struct conf *c, const struct conf_errors *e, const char *section, const char *name, size_t i,
    struct str value)
{
	return value.n == 0 && !conf_errors_has(e, conf_line(c, section, name, i));
}

static void
check_pair(const struct conf *c, struct conf_errors *e, const char *section, size_t i, struct str certificate,
    struct str key)
{
	bool no_certificate = missing(c, e, section, "certificate", i, certificate);
	bool no_key = missing(c, e, section, "key", i, key);

	if (no_key && certificate.n > 0)
		conf_errors_add(
		    e, conf_line(c, section, "certificate", i), "certificate without its key, add key = \"…\"");
	if (no_certificate && key.n > 0)
		conf_errors_add(
		    e, conf_line(c, section, "key", i), "key without its certificate, add certificate = \"…\"");
}

static void
check_certificates(const struct conf *c, struct conf_errors *e)
{
	check_pair(c, e, "tls", 0, c->tls.certificate, c->tls.key);
	for (size_t i = 0; i < c->tls.named.n; i++) {
		const struct conf_certificate *named = &c->tls.named.v[i];

		check_pair(c, e, "server_name", i, named->certificate, named->key);
		if (named->certificate.n == 0 && named->key.n == 0 && named->name.n > 0)
			conf_errors_add(e, conf_title_line(c, conf_section_find("server_name"), i),
			    "server_name \"%s\" names no files, add certificate and key or delete it", named->name.p);
	}
}

static uint16_t
port_of(const struct conf_addr *a)
{
	return a->sa.ss_family == AF_INET ? ((const struct sockaddr_in *)&a->sa)->sin_port
					  : ((const struct sockaddr_in6 *)&a->sa)->sin6_port;
}

static bool
is_wildcard(const struct conf_addr *a)
{
	return a->sa.ss_family == AF_INET
		   ? ((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr == INADDR_ANY
		   : IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
}

/* Whether one of them takes connections that are meant for the other. */
static bool
overlap(const struct conf_addr *a, const struct conf_addr *b)
{
	if (port_of(a) != port_of(b))
		return false;
	if (a->any || b->any || str_eq(a->text, b->text))
		return true;
	return a->sa.ss_family == b->sa.ss_family && (is_wildcard(a) || is_wildcard(b));
}

static unsigned
listen_line(const struct conf *c, enum conf_service s, size_t i)
{
	return conf_item_line(c, "listen", conf_service_name(s), i);
}

static void
check_place(const struct conf *c, struct conf_errors *e, enum conf_service s, size_t i)
{
	const struct conf_addr *place = &c->listen[s].v[i];

	for (unsigned t = 0; t <= s; t++)
		for (size_t j = 0; j < (t == s ? i : c->listen[t].n); j++)
			if (overlap(place, &c->listen[t].v[j])) {
				unsigned line = listen_line(c, s, i);

				conf_errors_add(e, line > 0 ? line : listen_line(c, t, j),
				    "%s at %s and %s at %s are the same place, give one of them another port or "
				    "address",
				    conf_service_name(t), c->listen[t].v[j].text.p, conf_service_name(s),
				    place->text.p);
				return;
			}
}

enum { PLACES_MAX = 256 };

static void
check_listen(const struct conf *c, struct conf_errors *e)
{
	for (unsigned s = 0; s < SERVICE_COUNT; s++) {
		if (c->listen[s].n > PLACES_MAX)
			conf_errors_add(e, listen_line(c, s, 0), "%s listens at more than %d places, use *:port",
			    conf_service_name(s), PLACES_MAX);
		for (size_t i = 0; i < c->listen[s].n && i < PLACES_MAX; i++)
			check_place(c, e, s, i);
	}
}

static bool
has_str(const struct conf_strs *list, struct str s)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i], s))
			return true;
	return false;
}

static void
check_login(const struct conf *c, struct conf_errors *e, size_t i)
{
	const struct conf_route *r = &c->routes.v[i];
	unsigned line = conf_line(c, "route", "user", i);

	if (r->user.n > 0 && missing(c, e, "route", "password_file", i, r->password_file))
		conf_errors_add(e, line, "user without a password, add password_file = \"…\"");
	if (r->password_file.n > 0 && missing(c, e, "route", "user", i, r->user))
		conf_errors_add(
		    e, conf_line(c, "route", "password_file", i), "password_file without its user, add user = \"…\"");
	if (r->user.n > 0 && missing(c, e, "route", "to", i, r->to.name))
		conf_errors_add(e, line, "user without the host it is known at, add to = \"host:port\"");
	if (r->user.n > 0 && r->tls < DEMAND_ENCRYPT)
		conf_errors_add(e, conf_line(c, "route", "tls", i),
		    "a password never goes out without TLS, write tls = verify or encrypt, or delete user");
}

static void
check_route(const struct conf *c, struct conf_errors *e, size_t i)
{
	const struct conf_route *r = &c->routes.v[i];

	check_login(c, e, i);
	if (r->names.n > 0 && r->tls != DEMAND_VERIFY)
		conf_errors_add(
		    e, conf_line(c, "route", "names", i), "names are compared with tls = verify only, write that too");
	if (r->tls == DEMAND_DANE && missing(c, e, "dns", "trust_anchor", 0, c->dns.trust_anchor))
		conf_errors_add(e, conf_line(c, "route", "tls", i),
		    "tls = dane needs DNSSEC and dns.trust_anchor is empty, give it a file");
	if (r->match.n > 0 && has_str(&c->domains, r->match))
		conf_errors_add(e, conf_line(c, "", "domains", 0),
		    "%s is in domains and has a route, but its mail stays here: delete one", r->match.p);
}

static void
check_routes(const struct conf *c, struct conf_errors *e)
{
	for (size_t i = 0; i < c->routes.n; i++)
		check_route(c, e, i);
}

static void
check_limits(const struct conf *c, struct conf_errors *e)
{
	const struct conf_limits *l = &c->limits;

	if (l->connections_per_source > l->connections)
		conf_errors_add(e, conf_line(c, "limits", "connections", 0) > 0
				       ? conf_line(c, "limits", "connections", 0)
				       : conf_line(c, "limits", "connections_per_source", 0),
		    "connections_per_source (%u) is above connections (%u), change one", l->connections_per_source,
		    l->connections);
	if (l->quota > 0 && l->quota < l->message_size)
		conf_errors_add(e, conf_line(c, "limits", "quota", 0),
		    "quota is below message_size: such a message fits nowhere, change one");
}

/* RFC 9738 3: clients may count on 1000. */
static void
check_message_limit(const struct conf *c, struct conf_errors *e, const char *key, unsigned limit)
{
	enum { LIMIT_MIN = 1000 };

	if (limit != 0 && limit < LIMIT_MIN)
		conf_errors_add(e, conf_line(c, "imap", key, 0), "%s (%u) is below %d, make it more or 0", key, limit, LIMIT_MIN);
}

static void
check_imap(const struct conf *c, struct conf_errors *e)
{
	check_message_limit(c, e, "message_limit", c->imap.message_limit);
	check_message_limit(c, e, "save_limit", c->imap.save_limit);
	if (c->imap.message_limit != 0 && c->imap.save_limit != 0)
		conf_errors_add(e, conf_line(c, "imap", "save_limit", 0),
		    "message_limit counts for COPY and APPEND, too: leave one of the two");
	if (c->imap.shared && c->store.processes > 1)
		conf_errors_add(e, conf_line(c, "imap", "shared", 0),
		    "shared needs all users in one process, make store { processes = 1 } or leave shared out");
	if (c->imap.shared_owner.n > 0 && !c->imap.shared)
		conf_errors_add(e, conf_line(c, "imap", "shared_owner", 0), "shared_owner without shared, add shared = yes");
}

void
conf_check(const struct conf *c, struct conf_errors *e)
{
	static void (*const checks[])(const struct conf *c, struct conf_errors *e) = {
		check_certificates,
		check_listen,
		check_routes,
		check_limits,
		check_imap,
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](c, e);
}
