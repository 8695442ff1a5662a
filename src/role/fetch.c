/* fetch.c - the fetch role: the MTA-STS policy files of other domains, by HTTPS (RFC 8461 3.3), for queue. It has the network, no
 * files, and libcurl, which no other process loads; addresses come from dns.
 *
 * Without the module or the CA bundle it runs all the same: every question is answered with the reason, policies that are known
 * stay in force, and the log and `status` say so. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <postern/core/clock.h>
#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/dns/answer.h>
#include <postern/fetch/fetch.h>
#include <postern/relay/plan.h>
#include <postern/tls/sts.h>
#include <postern/tls/tlsrpt.h>

#include "env.h"
#include "roles.h"

enum {
	POLICIES_MAX = 1000, /* questions under way */
	WHY_MAX = 400,
	HTTPS_PORT = 443,
	HTTP_OK = 200,
};

struct fetch_role {
	struct env *env;
	struct fetch *fetch; /* NULL: broken says why */
	char broken[ERR_LOG_MAX];
	unsigned open;
	uint64_t asked, fetched;
};

struct policy;

/* What DNS says of one family. */
struct family {
	struct policy *policy;
	enum dns_type type;
	struct addr addrs[FETCH_ADDRESSES_MAX];
	unsigned n;
};

/* A question under way. */
struct policy {
	struct fetch_role *role;
	struct ipc_question *question;
	struct mono since;
	char host[sizeof "mta-sts." + DNS_NAME_MAX];
	struct family families[2];
	unsigned lookups; /* not answered yet */
	char why[WHY_MAX]; /* why there is no address */
};

static struct fetch_role *
role_of(struct env *env)
{
	return env->role;
}

/* --- the answer --- */

static void
log_outcome(const struct policy *p, enum tlsrpt_result result, const char *why)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "fetch");
	log_cstr(&l, "host", p->host);
	log_cstr(&l, "result", result == TLSRPT_OK ? "ok" : tlsrpt_result_name(result));
	if (result != TLSRPT_OK)
		log_cstr(&l, "why", why);
	log_num(&l, "ms", mono_ms_between(mono_now(), p->since));
	log_end(&l);
}

static void
answer(struct policy *p, enum tlsrpt_result result, const char *why, int body)
{
	log_outcome(p, result, why);
	p->role->fetched += result == TLSRPT_OK;
	p->role->open--;
	answer_fetch_policy(
	    p->question, &(struct fetch_policy_answer){ .result = (uint8_t)result, .why = str_of(why), .body = body });
	free(p);
}

__attribute__((format(printf, 3, 4))) static void
refuse(struct policy *p, enum tlsrpt_result result, const char *format, ...)
{
	char why[WHY_MAX];
	size_t n = (size_t)snprintf(why, sizeof why, "https://%s/: ", p->host);
	va_list args;

	va_start(args, format);
	vsnprintf(why + n, sizeof why - n, format, args);
	va_end(args);
	answer(p, result, why, -1);
}

/* --- the document --- */

static int
sealed(struct str body)
{
	int fd = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd != -1 && (!io_write_all(fd, body) ||
	                    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1))
		io_close(&fd);
	return fd;
}

static void
take_policy(struct policy *p, struct str body)
{
	struct sts_policy parsed;
	struct err e;
	int fd;

	if (!tls_sts_parse_policy(body, &parsed, &e)) {
		refuse(p, TLSRPT_STS_POLICY_INVALID, "%s", e.log);
		return;
	}
	fd = sealed(body);
	if (fd == -1)
		refuse(p, TLSRPT_STS_POLICY_FETCH_ERROR, "memfd: %m");
	else
		answer(p, TLSRPT_OK, "", fd);
	io_close(&fd);
}

/* RFC 8461 3.2, 3.3 */
static void
on_document(void *ctx, const struct fetch_result *r)
{
	struct policy *p = ctx;

	if (r->problem == FETCH_TOO_LARGE)
		refuse(p, TLSRPT_STS_POLICY_FETCH_ERROR, "more than %u bytes", STS_POLICY_MAX);
	else if (r->problem == FETCH_CERTIFICATE)
		refuse(p, TLSRPT_STS_WEBPKI_INVALID, "%.*s", STR_ARG(r->words));
	else if (r->problem != FETCH_OK)
		refuse(p, TLSRPT_STS_POLICY_FETCH_ERROR, "%.*s", STR_ARG(r->words));
	else if (r->code != HTTP_OK)
		refuse(p, TLSRPT_STS_POLICY_FETCH_ERROR, "HTTP status %u; only 200 counts, redirects are not followed",
		    r->code);
	else if (!tls_sts_is_text(r->content_type))
		refuse(p, TLSRPT_STS_POLICY_INVALID, "its media type is not text/plain");
	else
		take_policy(p, r->body);
}

/* IPv6 and IPv4 in turn, so that a family that is broken here costs one try. */
static unsigned
merge(const struct policy *p, struct addr out[static FETCH_ADDRESSES_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < FETCH_ADDRESSES_MAX; i++)
		for (unsigned k = 0; k < 2 && n < FETCH_ADDRESSES_MAX; k++)
			if (i < p->families[k].n)
				out[n++] = p->families[k].addrs[i];
	return n;
}

static void
get(struct policy *p)
{
	struct addr addrs[FETCH_ADDRESSES_MAX];
	unsigned n = merge(p, addrs);

	if (n == 0)
		refuse(p, TLSRPT_STS_POLICY_FETCH_ERROR, "%s", p->why);
	else
		fetch_get(p->role->fetch,
		    &(struct fetch_request){ .host = str_of(p->host),
			.path = STR("/.well-known/mta-sts.txt"),
			.port = HTTPS_PORT,
			.addrs = addrs,
			.naddrs = n,
			.max = STS_POLICY_MAX,
			.ms = STS_FETCH_MS },
		    on_document, p);
}

/* --- its addresses --- */

static void
take_address(struct family *f, const struct dns_record *record)
{
	struct addr a = { .port = HTTPS_PORT };
	char text[ADDR_TEXT_SIZE];
	const char *why;

	memcpy(a.ip, record->ip, sizeof a.ip);
	if (f->n == FETCH_ADDRESSES_MAX)
		return;
	if (relay_address_ok(&a, &why)) {
		f->addrs[f->n++] = a;
		return;
	}
	addr_text_ip(&a, text);
	snprintf(f->policy->why, sizeof f->policy->why, "the address %s is refused: %s", text, why);
}

static void
take_addresses(struct family *f, const struct dns_answer *answer)
{
	struct policy *p = f->policy;

	for (uint32_t i = 0; i < answer->nrecords; i++)
		take_address(f, &answer->records[i]);
	if (p->why[0] != '\0' || answer->nrecords > 0)
		return;
	snprintf(p->why, sizeof p->why, "no address: %s%s%.*s", dns_status_name(answer->status),
	    answer->why.n > 0 ? ", " : "", STR_ARG(answer->why));
}

static void
on_addresses(void *ctx, const struct lookup_answer *said)
{
	struct family *f = ctx;
	struct policy *p = f->policy;
	struct dns_answer answer;
	struct arena a;

	arena_init(&a);
	dns_answer_unpack(said, f->type, &a, &answer);
	take_addresses(f, &answer);
	arena_fini(&a);
	if (--p->lookups == 0)
		get(p);
}

static void
look_up(struct policy *p)
{
	static const enum dns_type types[] = { DNS_AAAA, DNS_A };

	for (unsigned i = 0; i < 2; i++) {
		p->families[i].policy = p;
		p->families[i].type = types[i];
		p->lookups++;
		ask_lookup(env_peer(p->role->env, ROLE_DNS, 0),
		    &(struct lookup_ask){ .type = (uint16_t)types[i], .name = str_of(p->host) }, on_addresses,
		    &p->families[i]);
	}
}

/* --- the question --- */

static bool
write_host(struct policy *p, struct str domain)
{
	struct str d = str_sub(domain, 0, DNS_NAME_MAX);
	int n = snprintf(p->host, sizeof p->host, "mta-sts.%.*s", STR_ARG(d));

	return d.n > 0 && d.n == domain.n && n <= DNS_NAME_MAX && !str_has(d, '\0') && !str_ends(d, STR(".")) &&
	    dns_name_valid(str_of(p->host));
}

static void
on_fetch_policy(void *ctx, struct ipc_question *q, const struct fetch_policy_ask *ask)
{
	struct fetch_role *r = role_of(ctx);
	struct policy *p = NEW(struct policy);

	*p = (struct policy){ .role = r, .question = q, .since = mono_now() };
	r->open++;
	r->asked++;
	if (!write_host(p, ask->domain))
		answer(p, TLSRPT_STS_POLICY_FETCH_ERROR, "not a domain that can have a policy", -1);
	else if (r->fetch == NULL)
		refuse(p, TLSRPT_STS_POLICY_FETCH_ERROR, "no HTTPS here: %s", r->broken);
	else if (r->open > POLICIES_MAX)
		refuse(p, TLSRPT_STS_POLICY_FETCH_ERROR, "too many policies are being fetched");
	else
		look_up(p);
}

/* --- the role --- */

static void
open_outside(struct env *env)
{
	struct fetch_role *r = NEW(struct fetch_role);
	struct err e;

	env->role = r;
	r->env = env;
	r->fetch = fetch_open(env->loop, env->conf->relay.ca_file, &e);
	if (r->fetch != NULL)
		return;
	snprintf(r->broken, sizeof r->broken, "%s", e.log);
	log_say(LEVEL_WARN, "fetch", "MTA-STS policies are not fetched: %s", r->broken);
}

static void
counters(struct env *env, struct counters_out *out)
{
	const struct fetch_role *r = role_of(env);

	counter_add(out, "out_of_service", r->fetch == NULL);
	counter_add(out, "asked", r->asked);
	counter_add(out, "fetched", r->fetched);
	counter_add(out, "open", r->open);
}

static const struct ipc_handlers handlers = { .fetch_policy = on_fetch_policy };

const struct role_ops fetch_ops = {
	.handlers = &handlers,
	.open = open_outside,
	.counters = counters,
};
