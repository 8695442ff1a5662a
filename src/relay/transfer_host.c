/* transfer_host.c - the hosts of a plan, one after the other: connect, greet, and what follows a failure.
 *
 * What goes wrong before a host has taken MAIL is the host's: the next one is tried. TLS that falls short of the demand
 * is answered by the decision (tls/policy.h), and by nothing else. */
#include <stdio.h>
#include <string.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "idle.h"
#include "transfer.h"

static const struct relay_host *
host_of(const struct transfer *t)
{
	return &t->plan->hosts[t->at];
}

void
transfer_close(struct transfer *t)
{
	connect_free(t->connect);
	t->connect = NULL;
	if (t->link != NULL)
		link_free(t->link);
	t->link = NULL;
	if (t->has_slot)
		relay_slot_free(t->relay);
	t->has_slot = false;
}

void
transfer_next_host(struct transfer *t)
{
	t->at++;
	t->plain = t->v4_only = false;
	transfer_next(t);
}

/* What of the host under way may still be tried, into out unless that is NULL. */
static unsigned
addresses_of(const struct transfer *t, struct addr *out, bool v4_only)
{
	const struct relay_host *h = host_of(t);
	unsigned left = RELAY_ADDRESSES_MAX - t->addresses, n = 0;

	for (unsigned i = 0; i < h->naddrs && n < left; i++) {
		if (v4_only && !addr_is_v4(&h->addrs[i]))
			continue;
		if (out != NULL)
			out[n] = h->addrs[i];
		n++;
	}
	return n;
}

/* --- failures --- */

/* Who wants TLS. Under `may' it is nobody but the operator, for a while or for ever. */
static void
tls_demand(const struct transfer *t, const struct tls_decision *d, char *out, size_t size)
{
	unsigned after = t->conf->relay.plain_after;

	if (d->level != TLS_LEVEL_MAY)
		snprintf(out, size, "TLS is demanded (%s)", d->why);
	else if (after == 0)
		snprintf(out, size, "TLS failed, and relay.plain_after = 0 allows no plain text");
	else
		snprintf(out, size, "TLS failed, time %u of %u before plain text is tried",
		    t->what.handshakes_failed + 1, after);
}

/* This host will not do. REQUIRETLS ends the message where nothing but TLS is in the way (RFC 8689 4.2.1). */
static void
fail_tls(struct transfer *t, const char *words)
{
	const struct relay_host *h = host_of(t);
	bool required = h->decision.requiretls;
	char demand[TLS_WHY_SIZE + 40];

	tls_demand(t, &h->decision, demand, sizeof demand);
	t->own_fault = t->own_fault || t->class == TLS_MESSAGE_REQUIRES;
	t->greeted += !required; /* else every host is to be asked */
	transfer_fail(t, TRANSFER_TURNED_AWAY, required ? QUEUE_PERM : QUEUE_TEMP, required ? "5.7.10" : "4.7.5",
	    "%s: %s", demand, words);
}

/* A plan's host that is not connected to. */
static void
forbid(struct transfer *t, const struct relay_host *h)
{
	bool required = h->decision.requiretls;

	transfer_hop_refused(t, h);
	t->own_fault = t->own_fault || required;
	transfer_fail(
	    t, TRANSFER_FORBIDDEN, required ? QUEUE_PERM : QUEUE_TEMP, required ? "5.7.10" : "4.7.5", "%s", h->words);
}

/* What the decision says about a session that ended without the TLS it asks for; false: TLS was not why. */
static bool
what_now(const struct transfer *t, const struct smtp_out_end *end, enum tls_next *next)
{
	const struct tls_decision *d = &host_of(t)->decision;

	switch (end->why) {
	case SMTP_OUT_NO_TLS:
	case SMTP_OUT_TLS_REFUSED:
		*next = d->on[TLS_FAILURE_NOT_OFFERED];
		return true;
	case SMTP_OUT_TLS_FAILED:
		*next = d->on[t->link->tls.outcome.failure];
		return true;
	default:
		return false;
	}
}

/* Another connection to the same host. */
static void
connect_again(struct transfer *t)
{
	t->link = NULL;
	if (relay_slot_take(t->relay)) {
		t->has_slot = true;
		transfer_connect(t);
	} else {
		transfer_wait(t, &t->relay->waiting);
	}
}

/* The same address, without TLS. */
static void
fall_back(struct transfer *t, const char *words)
{
	transfer_hop_say(t, "%s; plain text instead, as nothing forbids", words);
	t->plain = true;
	connect_again(t);
}

/* It answered, and then fell silent or broke: so half-broken IPv6 looks, which connects and loses large packets. */
static bool
is_broken_path(const struct transfer *t, const struct smtp_out_end *end)
{
	bool quiet = end->why == SMTP_OUT_LOST || end->why == SMTP_OUT_SLOW ||
		     (end->why == SMTP_OUT_TLS_FAILED && t->link->tls.outcome.failure == TLS_FAILURE_HANDSHAKE);

	return quiet && !t->v4_only && t->greeted < RELAY_SESSIONS_MAX && !addr_is_v4(&t->peer) &&
	       addresses_of(t, NULL, true) > 0;
}

bool
transfer_use_v4(struct transfer *t, const struct smtp_out_end *end)
{
	char words[QUEUE_TEXT_SIZE];

	if (!is_broken_path(t, end))
		return false;
	transfer_copy(words, end->words);
	transfer_hop_say(t, "%s; IPv4 instead of IPv6", words);
	t->v4_only = true;
	t->plain = false;
	connect_again(t);
	return true;
}

/* 521: this host never takes mail (RFC 7504 3). Where TLS is demanded anybody on the way may have said it before. */
static bool
is_never(const struct transfer *t, const struct smtp_out_end *end)
{
	return end->why == SMTP_OUT_REFUSED && end->code == 521 &&
	       (t->link->tls.stands || host_of(t)->decision.level <= TLS_LEVEL_MAY);
}

/* Other 5xx of a greeting say that it does not want us now. */
static void
fail_session(struct transfer *t, const struct smtp_out_end *end)
{
	bool never = is_never(t, end);
	char status[QUEUE_STATUS_SIZE], text[QUEUE_TEXT_SIZE];

	snprintf(status, sizeof status, "%s", end->enhanced);
	status[0] = never ? '5' : '4';
	transfer_words(text, end->code, end->enhanced, end->words, end->stage);
	t->crowded = t->crowded || end->why == SMTP_OUT_GOING ||
		     (end->why == SMTP_OUT_REFUSED && end->code >= 400 && end->code < 500);
	t->greeted += end->stage > SMTP_OUT_AT_BANNER;
	transfer_hop_say(t, "%s", text);
	transfer_fail(t, TRANSFER_TURNED_AWAY, never ? QUEUE_PERM : QUEUE_TEMP, status, "%s", text);
}

static void
on_over(void *ctx, const struct smtp_out_end *end)
{
	struct transfer *t = ctx;
	char words[QUEUE_TEXT_SIZE];
	enum tls_next next;

	transfer_copy(words, end->words);
	transfer_hop_tls(t, &host_of(t)->decision, end);
	if (transfer_use_v4(t, end))
		return;
	if (!what_now(t, end, &next)) {
		fail_session(t, end);
		next = TLS_NEXT_HOST;
	} else if (next == TLS_NEXT_PLAIN && !t->plain) {
		fall_back(t, words);
		return;
	} else {
		transfer_hop_say(t, "%s", words);
		fail_tls(t, words);
	}
	t->link = NULL;
	if (next == TLS_NEXT_WAIT)
		transfer_finish(t);
	else
		transfer_next_host(t);
}

/* --- connecting --- */

/* RFC 5321 6.3: the server is us by another name. Ports other than 25 and LMTP are where the operator puts servers of
 * his own that bear his name. */
static bool
is_ourselves(const struct transfer *t)
{
	struct str name = smtp_out_server(t->link->out);

	if (t->route.protocol != PROTOCOL_SMTP || (t->route.finding != RELAY_BY_MX && t->peer.port != 25))
		return false;
	return str_eq_nocase(name, t->conf->hostname);
}

static void
fail_loop(struct transfer *t, const char *words)
{
	transfer_hop_say(t, "%s", words);
	transfer_fail(t, TRANSFER_TURNED_AWAY, QUEUE_PERM, "5.4.6", "%s: the mail would run in a circle", words);
}

static void
on_greeted(void *ctx)
{
	struct transfer *t = ctx;
	struct link *l = t->link;

	transfer_hop_tls(t, &host_of(t)->decision, NULL);
	transfer_hop(t)->connect_ms = (uint32_t)mono_ms_between(mono_now(), t->began);
	if (is_ourselves(t)) {
		t->link = NULL;
		link_quit(l);
		fail_loop(t, "the host bears our own name");
		transfer_next_host(t);
		return;
	}
	transfer_hop(t)->plain = t->plain;
	transfer_send(t);
}

const struct link_ops transfer_greeting_ops = { .greeted = on_greeted, .over = on_over };

static void
greet(struct transfer *t, const struct connect_result *r)
{
	const struct conf_route *login = t->route.login;
	struct link_query q = { .conf = t->conf,
		.fd = r->fd,
		.peer = r->peer,
		.decision = &host_of(t)->decision,
		.protocol = t->route.protocol,
		.plain = t->plain };

	if (login != NULL) {
		q.user = login->user;
		q.password = t->relay->ops->password(t->relay->ctx, login);
		q.to_anybody = login->tls == DEMAND_ENCRYPT;
	}
	t->has_slot = false;
	t->peer = r->peer;
	t->link = link_new(t->relay, &q, &transfer_greeting_ops, t);
}

static void
on_connected(void *ctx, const struct connect_result *r)
{
	struct transfer *t = ctx;

	t->addresses += t->plain ? 0 : r->tried;
	transfer_hop_peer(t, &r->peer);
	if (r->words[0] != '\0')
		transfer_hop_say(t, "%s", r->words);
	if (r->fd != -1) {
		greet(t, r);
	} else {
		t->own_fault = t->own_fault || r->ours;
		transfer_fail(t, TRANSFER_UNREACHABLE, QUEUE_TEMP, "4.4.1", "%s", r->words);
		t->has_slot = false;
		relay_slot_free(t->relay);
	}
	connect_free(t->connect);
	t->connect = NULL;
	if (t->link == NULL)
		transfer_next_host(t);
}

static unsigned
sources_of(const struct conf *c, struct addr out[static CONNECT_SOURCES_MAX])
{
	unsigned n = 0;

	for (size_t i = 0; i < c->relay.source.n && n < CONNECT_SOURCES_MAX; i++)
		n += addr_from_sockaddr(
		    (const struct sockaddr *)&c->relay.source.v[i].sa, sizeof(struct sockaddr_storage), &out[n]);
	return n;
}

void
transfer_connect(struct transfer *t)
{
	struct addr addrs[RELAY_ADDRESSES_MAX] = { t->peer }, sources[CONNECT_SOURCES_MAX];
	struct connect_query q = { .addrs = addrs,
		.n = t->plain ? 1 : addresses_of(t, addrs, t->v4_only),
		.timeout_ms = t->conf->relay.connect_ms,
		.sources = sources };

	q.nsources = sources_of(t->conf, sources);
	if (!t->plain && !t->v4_only)
		t->began = mono_now();
	t->connect = connect_new(t->relay->loop, &q, on_connected, t);
}

/* --- the hosts in their order --- */

/* The one of the connection that was there. */
static bool
was_used(const struct transfer *t, const struct relay_host *h)
{
	return t->used.n > 0 && str_eq_nocase(t->used, h->name);
}

static bool
has_password(const struct transfer *t)
{
	const struct conf_route *login = t->route.login;

	return login == NULL || t->relay->ops->password(t->relay->ctx, login).n > 0;
}

static void
fail_password(struct transfer *t)
{
	static const char words[] = "the password of the route cannot be read";

	transfer_hop_begin(t, host_of(t)->name, &host_of(t)->decision);
	transfer_hop_say(t, "%s", words);
	transfer_fail(t, TRANSFER_FORBIDDEN, QUEUE_TEMP, "4.7.0", "%s", words);
}

static void
begin_host(struct transfer *t)
{
	const struct relay_host *h = host_of(t);

	transfer_hop_begin(t, h->name, &h->decision);
	if (relay_slot_take(t->relay)) {
		t->has_slot = true;
		transfer_connect(t);
	} else {
		transfer_wait(t, &t->relay->waiting);
	}
}

static bool
may_go_on(const struct transfer *t)
{
	return !t->relay->draining && transfer_is_open(t) && t->at < t->plan->nhosts &&
	       t->greeted < RELAY_SESSIONS_MAX && t->addresses < RELAY_ADDRESSES_MAX;
}

void
transfer_next(struct transfer *t)
{
	for (; may_go_on(t); t->at++) {
		const struct relay_host *h = host_of(t);

		if (was_used(t, h))
			continue;
		if (!has_password(t)) {
			fail_password(t);
			break;
		}
		if (h->decision.connect) {
			begin_host(t);
			return;
		}
		forbid(t, h);
		if (h->decision.next == TLS_NEXT_WAIT)
			break;
	}
	transfer_finish(t);
}
