/* job_host.c - the hosts of a plan, one after the other: connect, greet, and what follows a failure.
 *
 * What goes wrong before a host has taken MAIL is the host's: the next one is tried. TLS that falls short of the demand
 * is answered by the decision (tls/policy.h), and by nothing else. */
#include <stdio.h>
#include <string.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "idle.h"
#include "job.h"

static const struct relay_host *
host_of(const struct job *j)
{
	return &j->plan->hosts[j->at];
}

void
job_close(struct job *j)
{
	connect_free(j->connect);
	j->connect = NULL;
	if (j->link != NULL)
		link_free(j->link);
	j->link = NULL;
	if (j->has_slot)
		relay_slot_free(j->relay);
	j->has_slot = false;
}

void
job_next_host(struct job *j)
{
	j->at++;
	j->plain = false;
	job_next(j);
}

/* --- failures --- */

/* This host will not do. REQUIRETLS ends the message where nothing but TLS is in the way (RFC 8689 4.2.1). */
static void
fail_tls(struct job *j, const char *words)
{
	const struct relay_host *h = host_of(j);
	bool required = h->decision.requiretls;

	j->own_fault = j->own_fault || j->class == TLS_MESSAGE_REQUIRES;
	job_fail(j, JOB_TURNED_AWAY, required ? QUEUE_PERM : QUEUE_TEMP, required ? "5.7.10" : "4.7.5",
	    "TLS is demanded (%s): %s", h->decision.why, words);
}

/* A plan's host that is not connected to. */
static void
forbid(struct job *j, const struct relay_host *h)
{
	bool required = h->decision.requiretls;

	job_hop_refused(j, h);
	j->own_fault = j->own_fault || required;
	job_fail(j, JOB_FORBIDDEN, required ? QUEUE_PERM : QUEUE_TEMP, required ? "5.7.10" : "4.7.5", "%s", h->words);
}

/* What the decision says about a session that ended without the TLS it asks for; false: TLS was not why. */
static bool
what_now(const struct job *j, const struct smtp_out_end *end, enum tls_next *next)
{
	const struct tls_decision *d = &host_of(j)->decision;

	switch (end->why) {
	case SMTP_OUT_NO_TLS:
	case SMTP_OUT_TLS_REFUSED:
		*next = d->on[TLS_FAILURE_NOT_OFFERED];
		return true;
	case SMTP_OUT_TLS_FAILED:
		*next = d->on[j->link->tls.outcome.failure];
		return true;
	default:
		return false;
	}
}

/* The same address again, on a new connection without TLS. */
static void
fall_back(struct job *j, const char *words)
{
	job_hop(j)->plain = true;
	job_hop_say(j, "%s; plain text instead, as nothing forbids", words);
	j->link = NULL;
	j->plain = true;
	if (relay_slot_take(j->relay)) {
		j->has_slot = true;
		job_connect(j);
	} else {
		job_wait(j, &j->relay->waiting);
	}
}

/* 521: this host never takes mail (RFC 7504 3). Other 5xx of a greeting say that it does not want us now. */
static void
fail_session(struct job *j, const struct smtp_out_end *end)
{
	bool never = end->why == SMTP_OUT_REFUSED && end->code == 521;
	char status[QUEUE_STATUS_SIZE], text[QUEUE_TEXT_SIZE];

	snprintf(status, sizeof status, "%s", end->enhanced);
	status[0] = never ? '5' : '4';
	job_words(text, end->code, end->enhanced, end->words, end->stage);
	j->crowded = j->crowded || end->why == SMTP_OUT_GOING ||
	    (end->why == SMTP_OUT_REFUSED && end->code >= 400 && end->code < 500);
	job_hop_say(j, "%s", text);
	job_fail(j, JOB_TURNED_AWAY, never ? QUEUE_PERM : QUEUE_TEMP, status, "%s", text);
}

static void
on_over(void *ctx, const struct smtp_out_end *end)
{
	struct job *j = ctx;
	char words[QUEUE_TEXT_SIZE];
	enum tls_next next;

	job_hop_tls(j, &host_of(j)->decision, end);
	if (!what_now(j, end, &next)) {
		fail_session(j, end);
		next = TLS_NEXT_HOST;
	} else if (next == TLS_NEXT_PLAIN && !j->plain) {
		snprintf(words, sizeof words, "%.*s", STR_ARG(end->words));
		fall_back(j, words);
		return;
	} else {
		snprintf(words, sizeof words, "%.*s", STR_ARG(end->words));
		job_hop_say(j, "%s", words);
		fail_tls(j, words);
	}
	j->link = NULL;
	j->greeted += end->stage > SMTP_OUT_AT_BANNER && j->failure.verdict != QUEUE_PERM;
	if (next == TLS_NEXT_WAIT)
		job_finish(j);
	else
		job_next_host(j);
}

/* --- connecting --- */

/* RFC 5321 6.3: the server is us by another name. Ports other than 25 and LMTP are where the operator puts servers of
 * his own that bear his name. */
static bool
is_ourselves(const struct job *j)
{
	struct str name = smtp_out_server(j->link->out);

	if (j->route.protocol != PROTOCOL_SMTP || (j->route.finding != RELAY_BY_MX && j->peer.port != 25))
		return false;
	return str_eq_nocase(name, j->conf->hostname);
}

static void
fail_loop(struct job *j, const char *words)
{
	job_hop_say(j, "%s", words);
	job_fail(j, JOB_TURNED_AWAY, QUEUE_PERM, "5.4.6", "%s: the mail would run in a circle", words);
}

static void
describe_link(struct job *j)
{
	const struct relay_host *h = host_of(j);
	const struct queue_hop *hop = job_hop(j);
	struct link_about *a = &j->link->about;
	int64_t ms = (int64_t)h->ttl * 1000;

	*a = (struct link_about){ .wanted = hop->wanted, .got = hop->got, .policy = hop->policy, .plain = hop->plain };
	a->key = mem_cstr(j->key);
	a->host = mem_cstr(hop->host);
	a->why = mem_cstr(hop->why);
	a->alone = j->plan->nhosts == 1;
	a->expires = mono_add_ms(mono_now(), ms < RELAY_REUSE_MS ? ms : RELAY_REUSE_MS);
}

static void
on_greeted(void *ctx)
{
	struct job *j = ctx;
	struct link *l = j->link;

	job_hop_tls(j, &host_of(j)->decision, NULL);
	job_hop(j)->connect_ms = (uint32_t)mono_ms_between(mono_now(), j->began);
	if (is_ourselves(j)) {
		j->link = NULL;
		link_quit(l);
		fail_loop(j, "the host bears our own name");
		job_next_host(j);
		return;
	}
	describe_link(j);
	job_send(j);
}

const struct link_ops job_greeting_ops = { .greeted = on_greeted, .over = on_over };

static void
greet(struct job *j, const struct connect_result *r)
{
	const struct conf_route *login = j->route.login;
	struct link_query q = { .conf = j->conf, .fd = r->fd, .peer = r->peer, .decision = &host_of(j)->decision,
		.protocol = j->route.protocol, .plain = j->plain };

	if (login != NULL) {
		q.user = login->user;
		q.password = j->relay->ops->password(j->relay->ctx, login);
	}
	j->has_slot = false;
	j->peer = r->peer;
	j->link = link_new(j->relay, &q, &job_greeting_ops, j);
}

static void
on_connected(void *ctx, const struct connect_result *r)
{
	struct job *j = ctx;

	j->addresses += j->plain ? 0 : r->tried;
	job_hop_peer(j, &r->peer);
	if (r->fd != -1) {
		greet(j, r);
	} else {
		job_hop_say(j, "%s", r->words);
		job_fail(j, JOB_UNREACHABLE, QUEUE_TEMP, "4.4.1", "%s", r->words);
		j->has_slot = false;
		relay_slot_free(j->relay);
	}
	connect_free(j->connect);
	j->connect = NULL;
	if (j->link == NULL)
		job_next_host(j);
}

static unsigned
sources_of(const struct conf *c, struct addr out[static CONNECT_SOURCES_MAX])
{
	unsigned n = 0;

	for (size_t i = 0; i < c->relay.source.n && n < CONNECT_SOURCES_MAX; i++)
		n += addr_from_sockaddr((const struct sockaddr *)&c->relay.source.v[i].sa, sizeof(struct sockaddr_storage),
		    &out[n]);
	return n;
}

void
job_connect(struct job *j)
{
	const struct relay_host *h = host_of(j);
	unsigned left = RELAY_ADDRESSES_MAX - j->addresses;
	struct addr sources[CONNECT_SOURCES_MAX];
	struct connect_query q = { .addrs = h->addrs, .n = h->naddrs < left ? h->naddrs : left,
		.timeout_ms = j->conf->relay.connect_ms, .sources = sources };

	q.nsources = sources_of(j->conf, sources);
	if (j->plain) {
		q.addrs = &j->peer;
		q.n = 1;
	} else {
		j->began = mono_now();
	}
	j->connect = connect_new(j->relay->loop, &q, on_connected, j);
}

/* --- the hosts in their order --- */

/* The one of the connection that was there. */
static bool
was_used(const struct job *j, const struct relay_host *h)
{
	return j->used.n > 0 && str_eq_nocase(j->used, h->name);
}

static bool
has_password(const struct job *j)
{
	const struct conf_route *login = j->route.login;

	return login == NULL || j->relay->ops->password(j->relay->ctx, login).n > 0;
}

static void
begin_host(struct job *j)
{
	const struct relay_host *h = host_of(j);

	job_hop_begin(j, h->name, &h->decision);
	if (relay_slot_take(j->relay)) {
		j->has_slot = true;
		job_connect(j);
	} else {
		job_wait(j, &j->relay->waiting);
	}
}

static bool
may_go_on(const struct job *j)
{
	return !j->relay->draining && job_is_open(j) && j->at < j->plan->nhosts && j->greeted < RELAY_SESSIONS_MAX &&
	    j->addresses < RELAY_ADDRESSES_MAX;
}

void
job_next(struct job *j)
{
	for (; may_go_on(j); j->at++) {
		const struct relay_host *h = host_of(j);

		if (was_used(j, h))
			continue;
		if (!has_password(j)) {
			job_hop_begin(j, h->name, &h->decision);
			job_hop_say(j, "the password of the route cannot be read");
			job_fail(j, JOB_FORBIDDEN, QUEUE_TEMP, "4.7.0", "the password of the route cannot be read");
			break;
		}
		if (h->decision.connect) {
			begin_host(j);
			return;
		}
		forbid(j, h);
		if (h->decision.next == TLS_NEXT_WAIT)
			break;
	}
	job_finish(j);
}
