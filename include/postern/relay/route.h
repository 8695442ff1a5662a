/* route.h - the operator's routes: which destination a domain's mail belongs to, and what is to be done there. Pure
 * functions of the configuration; queue (which destination) and relay (how) use the same ones. */
#ifndef POSTERN_RELAY_ROUTE_H
#define POSTERN_RELAY_ROUTE_H

#include <postern/conf/conf.h>
#include <postern/queue/queue.h>

/* The destination of mail for a domain or an address literal ("[192.0.2.1]"): queue_ops.destination. */
void relay_route_destination(const struct conf *c, struct str domain, struct queue_destination *out);

enum relay_finding {
	RELAY_BY_MX,      /* name: the domain */
	RELAY_BY_HOST,    /* name: the host that the operator named */
	RELAY_BY_ADDRESS, /* name: an address without brackets; from the operator or from an address literal */
};

/* What a destination's name means under a configuration. Views point into the configuration or the name. */
struct relay_route {
	enum relay_finding finding;
	struct str name;
	uint16_t port;
	enum conf_protocol protocol;
	bool has_rule;       /* the operator's TLS demand */
	enum conf_demand tls;
	struct conf_strs names;
	bool named;          /* by the operator: finding is never BY_MX */
	bool private_allowed;
	const struct conf_route *login; /* with user and password, or NULL */
};
/* False for a name that no destination has (a route that is gone): the mail is sorted anew. */
bool relay_route_of(const struct conf *c, struct str destination, struct relay_route *out);

#endif
