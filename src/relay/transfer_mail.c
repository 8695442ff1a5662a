/* transfer_mail.c - the message over a link, and what the replies mean for its recipients.
 *
 * A 5xx is final. A 4xx before the message was sent may be another at the next host, and so may what this server
 * merely cannot do (code 0: no 8-bit content, too large, no SMTPUTF8). After the end of the message nothing is tried
 * twice in one go: the server may have it. */
#include <stdio.h>

#include <postern/core/mem.h>

#include "idle.h"
#include "transfer.h"

/* --- what is sent --- */

static size_t
choose(struct transfer *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->what.n; i++) {
		const struct queue_job_rcpt *r = &t->what.rcpts[i];

		if (t->states[i] == TRANSFER_FINAL)
			continue;
		t->sending[n] = (struct smtp_out_rcpt){ .address = r->address, .notify = r->notify, .orcpt = r->orcpt };
		t->which[n++] = i;
	}
	return n;
}

/* As long as what DNS said holds, within reason: a resolver hands out answers in their last second, too. */
static int64_t
reuse_ms(const struct relay_host *h)
{
	int64_t ms = (int64_t)h->ttl * 1000;

	if (ms < RELAY_REUSE_MIN_MS)
		return RELAY_REUSE_MIN_MS;
	return ms < RELAY_REUSE_MS ? ms : RELAY_REUSE_MS;
}

/* Who takes the connection next knows by this whether it is for him. */
static void
describe_link(struct transfer *t)
{
	const struct queue_hop *hop = transfer_hop(t);
	struct link_about *a = &t->link->about;

	*a = (struct link_about){ .wanted = hop->wanted, .got = hop->got, .policy = hop->policy, .plain = hop->plain };
	a->key = mem_cstr(t->key);
	a->host = mem_cstr(hop->host);
	a->why = mem_cstr(hop->why);
	a->alone = t->plan->nhosts == 1;
	a->expires = mono_add_ms(mono_now(), reuse_ms(&t->plan->hosts[t->at]));
}

static void
use_old(struct transfer *t)
{
	const struct link_about *a = &t->link->about;

	t->reused = true;
	t->used = arena_str(&t->mem, str_of(a->host));
	t->alone = a->alone;
	t->relay->counts.reused++;
	transfer_hop_reused(t);
}

/* The server had closed a connection that seemed open: nothing was tried yet. */
static void
lose_old(struct transfer *t)
{
	for (size_t i = 0; i < t->mail.nrcpts; i++)
		t->states[t->which[i]] = TRANSFER_OPEN;
	transfer_hop_drop(t);
	t->used = STR("");
	t->greeted--;
	t->reached = false;
	if (t->plan != NULL)
		transfer_next(t);
	else
		transfer_plan(t);
}

static void
lose(struct transfer *t)
{
	t->link = NULL;
	if (t->old) {
		lose_old(t);
		return;
	}
	transfer_fail(t, TRANSFER_TURNED_AWAY, QUEUE_TEMP, "4.4.2", "the connection broke");
	transfer_next_host(t);
}

/* Over the link that was just greeted, or one that was there. */
void
transfer_send(struct transfer *t)
{
	t->old = t->link->ops != &transfer_greeting_ops;
	link_use(t->link, &transfer_mail_ops, t);
	if (t->old)
		use_old(t);
	else
		describe_link(t);
	t->greeted++;
	t->reached = true;
	t->answered = false;
	t->sent = mono_now();
	t->mail = (struct smtp_out_mail){ .sender = t->what.sender,
		.ret = t->what.ret,
		.envid = t->what.envid,
		.flags = t->what.flags,
		.size = t->message.prefix_n + t->message.body_n,
		.rcpts = t->sending,
		.nrcpts = choose(t) };
	if (!link_send(t->link, &t->mail, &t->message))
		lose(t);
}

/* --- what comes back --- */

static enum queue_verdict
verdict_of(const struct smtp_out_result *r)
{
	static const enum queue_verdict verdicts[] = { [SMTP_OUT_DELIVERED] = QUEUE_DONE,
		[SMTP_OUT_TEMP] = QUEUE_TEMP,
		[SMTP_OUT_PERM] = QUEUE_PERM,
		[SMTP_OUT_CONVERT] = QUEUE_PERM };

	return verdicts[r->outcome];
}

/* An address that is malformed here is so everywhere. */
static bool
is_about_address(const struct smtp_out_result *r)
{
	return str_starts(str_of(r->enhanced), STR("5.1."));
}

static enum transfer_rcpt_state
state_of(const struct smtp_out_result *r)
{
	if (r->outcome == SMTP_OUT_DELIVERED || r->unsure)
		return TRANSFER_FINAL;
	if (r->outcome == SMTP_OUT_TEMP)
		return r->stage < SMTP_OUT_AT_END || r->code == 0 ? TRANSFER_LATER : TRANSFER_FINAL;
	return r->code == 0 && !is_about_address(r) ? TRANSFER_LATER : TRANSFER_FINAL;
}

static void
write_words(char text[static QUEUE_TEXT_SIZE], const struct smtp_out_result *r)
{
	static const char unsure[] = "no answer to the end of the message: it may have arrived, and will be sent again";

	if (r->unsure)
		snprintf(text, QUEUE_TEXT_SIZE, "%s (%.*s)", unsure, STR_ARG(str_sub(r->words, 0, 100)));
	else
		transfer_words(text, r->code, r->enhanced, r->words, r->stage);
}

static void
on_result(void *ctx, size_t i, const struct smtp_out_result *r)
{
	struct transfer *t = ctx;
	size_t at = t->which[i];
	struct queue_relayed_rcpt *out = &t->rcpts[at];

	*out = (struct queue_relayed_rcpt){ .verdict = verdict_of(r), .dsn_passed = r->dsn };
	out->hop = (unsigned)t->nhops - 1;
	snprintf(out->status, sizeof out->status, "%s", r->enhanced);
	write_words(out->text, r);
	t->states[at] = (uint8_t)state_of(r);
	t->answered = t->answered || r->unsure || (r->code != 0 && r->code != 421);
}

static void
go_on(struct transfer *t)
{
	if (t->plan != NULL && t->old)
		transfer_next(t);
	else if (t->plan != NULL)
		transfer_next_host(t);
	else if (transfer_is_open(t) && !t->alone && !t->relay->draining)
		transfer_plan(t);
	else
		transfer_finish(t);
}

static void
on_done(void *ctx, const struct smtp_out_end *end)
{
	struct transfer *t = ctx;
	struct link *l = t->link;

	t->link = NULL;
	transfer_hop(t)->transfer_ms = (uint32_t)mono_ms_between(mono_now(), t->sent);
	t->crowded = end != NULL ? t->crowded || end->why == SMTP_OUT_GOING : t->crowded && !t->answered;
	t->greeted -= end == NULL && !t->answered; /* it could not do what the message needs: nothing was asked of it */
	if (end == NULL)
		idle_put(t->relay, l);
	if (end != NULL && t->old && !t->answered)
		lose_old(t);
	else if (end == NULL || t->old || !transfer_is_open(t) || t->relay->draining || !transfer_use_v4(t, end))
		go_on(t);
}

const struct link_ops transfer_mail_ops = { .result = on_result, .done = on_done };
