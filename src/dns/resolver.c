/* resolver.c - questions from the asking to the answer: waiting, under way, answered.
 *
 * libunbound may call back from inside ub_resolve_event and is not called from inside its callbacks; so what it
 * says is only noted there, and every next step is taken from the loop (`turn`).
 *
 * libunbound gives one security status for a whole answer. Where aliases lead to an insecure one, the proved links
 * are found by asking for each CNAME by itself, from the cache (RFC 7672 2.2.2 wants to know). */
#include <postern/dns/resolver.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <unbound-event.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "engine.h"
#include "packet.h"

enum { CLASS_IN = 1, SEC_BOGUS = 1, SEC_SECURE = 2 };

/* Where a question stands: waiting for a place; libunbound has it; it answered and the next step is due; all is
 * known. */
enum stage { WAITING, FLYING, LANDED, DONE };

struct dns_ask {
	TAILQ_ENTRY(dns_ask) link;
	struct dns *dns;
	enum dns_type type;
	struct str name;
	enum stage stage;
	bool placed; /* has one of the places */
	bool in_call; /* inside ub_resolve_event */
	int id; /* libunbound's, while FLYING */
	bool has_answer; /* what flies now are questions about its aliases */
	bool links_known; /* no more of these questions */
	struct dns_answer answer;
	struct arena arena;
	struct loop_timer turn;
	struct loop_timer limit;
	void (*on)(void *ctx, const struct dns_answer *a);
	void *ctx;
};

struct dns {
	struct loop *loop;
	struct ub_ctx *ub;
	int64_t ask_ms;
	unsigned max_flying;
	TAILQ_HEAD(, dns_ask) asks; /* in the order of asking */
	struct dns_counts counts;
};

static void
fail(struct dns_ask *q, enum dns_status status, const char *why)
{
	struct str canonical = q->name.n <= DNS_NAME_TEXT_MAX ? q->name : STR(""); /* an answer fits one message */

	q->answer =
	    (struct dns_answer){ .status = status, .canonical = canonical, .why = arena_str(&q->arena, str_of(why)) };
}

static void
finish(struct dns_ask *q)
{
	q->stage = DONE;
	loop_timer_start(&q->turn, 0);
}

/* --- what libunbound says --- */

static void
judge(struct dns_ask *q, int security)
{
	struct dns_answer *a = &q->answer;

	a->secure = security == SEC_SECURE;
	if (!a->secure)
		return;
	a->naliases_secure = a->naliases;
	if (a->status == DNS_INSECURE)
		a->status = DNS_SECURE;
}

static void
take_answer(struct dns_ask *q, int rcode, struct str packet, int security, const char *bogus)
{
	const char *why;

	q->has_answer = true;
	if (security == SEC_BOGUS)
		fail(q, DNS_BOGUS, bogus != NULL ? bogus : "DNSSEC validation failed");
	else if (rcode != 0)
		fail(q, DNS_FAILED, "no server gave an answer");
	else if (dns_packet_parse(packet, q->type, q->name, &q->arena, &q->answer, &why))
		judge(q, security);
}

/* One more proved link, or the end of what is proved. */
static void
take_alias(struct dns_ask *q, int rcode, struct str packet, int security)
{
	struct dns_answer *a = &q->answer;
	struct dns_answer one;
	const char *why;

	if (rcode == 0 && security == SEC_SECURE &&
	    dns_packet_parse(packet, DNS_CNAME, a->alias[a->naliases_secure], &q->arena, &one, &why) &&
	    one.nrecords > 0)
		a->naliases_secure++;
	else
		q->links_known = true;
}

static void
on_unbound(void *ctx, int rcode, void *bytes, int n, int security, char *bogus, int ratelimited)
{
	struct dns_ask *q = ctx;
	struct str packet = str_from(bytes, bytes != NULL && n > 0 ? (size_t)n : 0);

	(void)ratelimited;
	if (q->has_answer)
		take_alias(q, rcode, packet, security);
	else
		take_answer(q, rcode, packet, security, bogus);
	q->stage = LANDED;
	if (!q->in_call)
		loop_timer_start(&q->turn, 0);
}

/* --- steps --- */

static void
fly(struct dns_ask *q, enum dns_type type, struct str name)
{
	char text[DNS_NAME_TEXT_MAX + 2];
	int r;

	/* a name with odd bytes is not asked for: only dns_name_valid ones, with the dot that keeps them absolute */
	snprintf(text, sizeof text, "%.*s%s", STR_ARG(name), str_ends(name, STR(".")) ? "" : ".");
	q->stage = FLYING;
	q->in_call = true;
	r = ub_resolve_event(q->dns->ub, text, (int)type, CLASS_IN, q, on_unbound, &q->id);
	q->in_call = false;
	if (r != 0 && !q->has_answer)
		fail(q, DNS_FAILED, ub_strerror(r));
	if (r != 0) {
		q->links_known = true;
		q->stage = LANDED;
	}
	if (q->stage == LANDED)
		loop_timer_start(&q->turn, 0);
}

/* The next alias whose security is not known; NULL: there is nothing more to find out. */
static const struct str *
open_alias(const struct dns_ask *q)
{
	const struct dns_answer *a = &q->answer;

	if (q->links_known || a->naliases_secure == a->naliases || !dns_name_valid(a->alias[a->naliases_secure]))
		return NULL;
	return &a->alias[a->naliases_secure];
}

static void
start_waiting(struct dns *d)
{
	struct dns_ask *q;

	TAILQ_FOREACH(q, &d->asks, link)
	{
		if (d->counts.flying == d->max_flying || d->counts.waiting == 0)
			return;
		if (q->stage != WAITING)
			continue;
		d->counts.waiting--;
		d->counts.flying++;
		q->placed = true;
		fly(q, q->type, q->name);
	}
}

/* Out of the list, its place free for the next. */
static void
leave(struct dns_ask *q)
{
	struct dns *d = q->dns;

	if (q->stage == FLYING)
		ub_cancel(d->ub, q->id);
	d->counts.flying -= q->placed;
	d->counts.waiting -= q->stage == WAITING;
	TAILQ_REMOVE(&d->asks, q, link);
	loop_timer_fini(&q->turn);
	loop_timer_fini(&q->limit);
}

static void
release(struct dns_ask *q)
{
	arena_fini(&q->arena);
	free(q);
}

static void
deliver(struct dns_ask *q)
{
	struct dns *d = q->dns;

	leave(q);
	d->counts.by_status[q->answer.status]++;
	q->on(q->ctx, &q->answer);
	release(q);
}

static void
on_turn(void *ctx)
{
	struct dns_ask *q = ctx;
	struct dns *d = q->dns;
	const struct str *alias = q->stage == LANDED ? open_alias(q) : NULL;

	if (alias != NULL) {
		fly(q, DNS_CNAME, *alias);
		return;
	}
	deliver(q);
	start_waiting(d);
}

static void
on_limit(void *ctx)
{
	struct dns_ask *q = ctx;
	struct dns *d = q->dns;
	char why[80];

	if (q->stage == FLYING)
		ub_cancel(d->ub, q->id);
	d->counts.waiting -= q->stage == WAITING;
	snprintf(why, sizeof why, "no answer within %lld seconds", (long long)((d->ask_ms + 999) / 1000));
	if (!q->has_answer)
		fail(q, DNS_FAILED, why);
	finish(q);
}

struct dns_ask *
dns_ask(
    struct dns *d, enum dns_type type, struct str name, void (*on)(void *ctx, const struct dns_answer *a), void *ctx)
{
	struct dns_ask *q = NEW(struct dns_ask);

	q->dns = d;
	q->type = type;
	q->on = on;
	q->ctx = ctx;
	arena_init(&q->arena);
	q->name = arena_str(&q->arena, name);
	loop_timer_init(&q->turn, d->loop, on_turn, q);
	loop_timer_init(&q->limit, d->loop, on_limit, q);
	TAILQ_INSERT_TAIL(&d->asks, q, link);
	d->counts.asked++;
	if (!dns_name_valid(name) || !dns_type_valid(type)) {
		fail(q, DNS_FAILED, "not a name that can be asked for");
		finish(q);
	} else if (d->counts.waiting == DNS_WAITING_MAX) {
		fail(q, DNS_FAILED, "too many questions at once");
		finish(q);
	} else {
		d->counts.waiting++;
		loop_timer_start(&q->limit, d->ask_ms);
		start_waiting(d);
	}
	return q;
}

void
dns_cancel(struct dns_ask *q)
{
	struct dns *d;

	if (q == NULL)
		return;
	d = q->dns;
	leave(q);
	release(q);
	start_waiting(d);
}

/* "192.0.2.53:5300" as libunbound has it: "192.0.2.53@5300". */
const char *
dns_forwarder(const struct conf_addr *at, struct arena *a)
{
	size_t colon = str_rfind(at->text, ':');
	struct str host = str_sub(at->text, 0, colon);

	if (str_starts(host, STR("[")))
		host = str_sub(host, 1, host.n - 1);
	return arena_strf(a, "%.*s@%.*s", STR_ARG(host), STR_ARG(str_sub(at->text, colon + 1, at->text.n))).p;
}

struct dns *
dns_open(struct loop *l, const struct dns_options *o, struct err *e)
{
	struct ub_ctx *ub = engine_open(l, o, e);
	struct dns *d;

	if (ub == NULL)
		return NULL;
	d = NEW(struct dns);
	d->loop = l;
	d->ub = ub;
	d->ask_ms = o->ask_ms > 0 ? o->ask_ms : DNS_ASK_MS;
	d->max_flying = o->flying > 0 ? o->flying : DNS_FLYING_MAX;
	TAILQ_INIT(&d->asks);
	return d;
}

void
dns_close(struct dns *d)
{
	struct dns_ask *q;

	if (d == NULL)
		return;
	while ((q = TAILQ_FIRST(&d->asks)) != NULL) {
		fail(q, DNS_FAILED, "the resolver is starting again");
		deliver(q);
	}
	ub_ctx_delete(d->ub);
	free(d);
}

void
dns_count(const struct dns *d, struct dns_counts *out)
{
	*out = d->counts;
}
