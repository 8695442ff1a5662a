/* plan.c - a planning: the questions under way, its deadline and its end. What is asked, and why, is in the stages
 * (planning.h).
 *
 * Each stage asks all it needs at once and goes on when all is answered. Past the deadline what is open, and whatever
 * would be asked then, is answered FAILED, so that every planning ends, with what it has learned till then. */
#include "planning.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/mem.h>

struct plan_question {
	struct relay_planning *planning;
	struct plan_question *next;
	void *asked;
	void (*on)(struct relay_planning *p, void *about, const struct dns_answer *a);
	void *about;
};

enum tls_dns
relay_plan_status(const struct dns_answer *a)
{
	static const enum tls_dns meaning[DNS_STATUSES] = {
		[DNS_FAILED] = TLS_DNS_FAILED,
		[DNS_BOGUS] = TLS_DNS_BOGUS,
		[DNS_SECURE] = TLS_DNS_SECURE,
		[DNS_INSECURE] = TLS_DNS_INSECURE,
		[DNS_NXDOMAIN] = TLS_DNS_NXDOMAIN,
		[DNS_NODATA] = TLS_DNS_NODATA,
	};

	return meaning[a->status];
}

unsigned
plan_random(unsigned n)
{
	return randombytes_uniform(n);
}

static void
go_on(struct relay_planning *p)
{
	void (*next)(struct relay_planning *) = p->next;

	if (p->open != NULL || next == NULL)
		return;
	p->next = NULL;
	next(p);
}

void
plan_then(struct relay_planning *p, void (*next)(struct relay_planning *p))
{
	p->next = next;
	go_on(p);
}

static void
unlink_question(struct plan_question *q)
{
	struct plan_question **at = &q->planning->open;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct plan_question *q = arg;
	struct relay_planning *p = q->planning;

	unlink_question(q);
	q->on(p, q->about, a);
	go_on(p);
}

static const struct dns_answer too_late = { .status = DNS_FAILED, .why = STR_INIT("no answer in time") };

void
plan_ask(struct relay_planning *p, enum dns_type type, struct str name,
    void (*on)(struct relay_planning *p, void *about, const struct dns_answer *a), void *about)
{
	struct plan_question *q;

	if (p->late) {
		on(p, about, &too_late);
		return;
	}
	q = ARENA_NEW(&p->arena, struct plan_question);
	*q = (struct plan_question){ .planning = p, .next = p->open, .on = on, .about = about };
	p->open = q;
	q->asked = p->ops->lookup(p->ops_ctx, type, name, on_answer, q);
}

static void
on_deadline(struct relay_planning *p)
{
	struct plan_question *q;

	p->late = true;
	while ((q = p->open) != NULL) {
		p->open = q->next;
		p->ops->cancel(p->ops_ctx, q->asked);
		q->on(p, q->about, &too_late);
	}
	go_on(p);
}

static void
on_timer(void *ctx)
{
	struct relay_planning *p = ctx;

	if (p->started) {
		on_deadline(p);
		return;
	}
	p->started = true;
	loop_timer_start(&p->timer, p->within_ms);
	go_on(p);
}

static void
clean(char *words)
{
	for (; *words != '\0'; words++)
		if (!ascii_is_print(*words))
			*words = '?';
}

void
plan_refuse(struct relay_planning *p, enum queue_verdict verdict, const char *status, const char *format, ...)
{
	va_list args;

	p->plan.verdict = verdict;
	snprintf(p->plan.status, sizeof p->plan.status, "%s", status);
	va_start(args, format);
	vsnprintf(p->plan.text, sizeof p->plan.text, format, args);
	va_end(args);
	clean(p->plan.text);
}

const char *
plan_words(struct relay_planning *p, const char *format, ...)
{
	char words[QUEUE_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	clean(words);
	return arena_cstr(&p->arena, str_of(words));
}

void
plan_note(struct relay_planning *p, struct plan_host *h, const struct dns_answer *a)
{
	if (a->ttl < h->ttl)
		h->ttl = a->ttl;
	if (a->status == DNS_BOGUS || a->status == DNS_FAILED)
		h->dns_words = arena_str(&p->arena, a->why);
}

void
plan_end(struct relay_planning *p)
{
	loop_timer_stop(&p->timer);
	p->done(p->ctx, &p->plan);
}

static void
copy_route(struct relay_planning *p, const struct relay_route *from)
{
	struct str *names = arena_array(&p->arena, from->names.n, sizeof *names);

	p->route = *from;
	p->route.name = arena_str(&p->arena, from->name);
	for (size_t i = 0; i < from->names.n; i++)
		names[i] = arena_str(&p->arena, from->names.v[i]);
	p->route.names.v = names;
}

/* A policy that does not parse any more is no policy that is gone: nothing is planned without it. */
static bool
read_sts(struct relay_planning *p, struct str text)
{
	struct sts_policy *policy = ARENA_NEW(&p->arena, struct sts_policy);
	struct err e;

	if (text.n == 0)
		return true;
	if (!tls_sts_parse_policy(arena_str(&p->arena, text), policy, &e)) {
		plan_refuse(
		    p, QUEUE_TEMP, "4.7.5", "the MTA-STS policy that is kept of the destination is damaged: %s", e.log);
		return false;
	}
	p->sts = policy;
	return true;
}

struct relay_planning *
relay_plan_ask(const struct relay_ops *ops, void *ops_ctx, struct loop *loop, const struct relay_plan_query *q,
    void (*done)(void *ctx, const struct relay_plan *p), void *ctx)
{
	struct relay_planning *p = NEW(struct relay_planning);

	p->ops = ops;
	p->ops_ctx = ops_ctx;
	p->conf = q->conf;
	p->message = q->message;
	p->handshakes_failed = q->handshakes_failed;
	p->within_ms = q->within_ms > 0 ? q->within_ms : RELAY_PLAN_MS;
	p->done = done;
	p->ctx = ctx;
	arena_init(&p->arena);
	copy_route(p, &q->route);
	p->next = read_sts(p, q->sts) ? plan_start : plan_end;
	loop_timer_init(&p->timer, loop, on_timer, p);
	loop_timer_start(&p->timer, 0);
	return p;
}

void
relay_plan_free(struct relay_planning *p)
{
	for (struct plan_question *q = p->open; q != NULL; q = q->next)
		p->ops->cancel(p->ops_ctx, q->asked);
	loop_timer_fini(&p->timer);
	arena_fini(&p->arena);
	free(p);
}
