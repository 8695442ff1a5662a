/* job_mail.c - the message over a link, and what the replies mean for its recipients.
 *
 * A 5xx is final. A 4xx before the message was sent may be another at the next host, and so may what this server
 * merely cannot do (code 0: no 8-bit content, too large, no SMTPUTF8). After the end of the message nothing is tried
 * twice in one go: the server may have it. */
#include <stdio.h>

#include "idle.h"
#include "job.h"

/* --- what is sent --- */

static size_t
choose(struct job *j)
{
	size_t n = 0;

	for (size_t i = 0; i < j->what.n; i++) {
		const struct queue_job_rcpt *r = &j->what.rcpts[i];

		if (j->states[i] == JOB_FINAL)
			continue;
		j->sending[n] = (struct smtp_out_rcpt){ .address = r->address, .notify = r->notify, .orcpt = r->orcpt };
		j->which[n++] = i;
	}
	return n;
}

static void
use_old(struct job *j)
{
	const struct link_about *a = &j->link->about;

	j->reused = true;
	j->used = arena_str(&j->mem, str_of(a->host));
	j->alone = a->alone;
	j->relay->counts.reused++;
	job_hop_reused(j);
}

/* The server had closed a connection that seemed open: nothing was tried yet. */
static void
lose_old(struct job *j)
{
	for (size_t i = 0; i < j->mail.nrcpts; i++)
		j->states[j->which[i]] = JOB_OPEN;
	job_hop_drop(j);
	j->used = STR("");
	j->greeted--;
	j->reached = false;
	if (j->plan != NULL)
		job_next(j);
	else
		job_plan(j);
}

static void
lose(struct job *j)
{
	j->link = NULL;
	if (j->old) {
		lose_old(j);
		return;
	}
	job_fail(j, JOB_TURNED_AWAY, QUEUE_TEMP, "4.4.2", "the connection broke");
	job_next_host(j);
}

/* Over the link that was just greeted, or one that was there. */
void
job_send(struct job *j)
{
	j->old = j->link->ops != &job_greeting_ops;
	link_use(j->link, &job_mail_ops, j);
	if (j->old)
		use_old(j);
	j->greeted++;
	j->reached = true;
	j->answered = false;
	j->sent = mono_now();
	j->mail = (struct smtp_out_mail){ .sender = j->what.sender, .ret = j->what.ret, .envid = j->what.envid,
		.flags = j->what.flags, .size = j->message.prefix_n + j->message.body_n, .rcpts = j->sending,
		.nrcpts = choose(j) };
	if (!link_send(j->link, &j->mail, &j->message))
		lose(j);
}

/* --- what comes back --- */

static enum queue_verdict
verdict_of(const struct smtp_out_result *r)
{
	static const enum queue_verdict verdicts[] = { [SMTP_OUT_DELIVERED] = QUEUE_DONE, [SMTP_OUT_TEMP] = QUEUE_TEMP,
		[SMTP_OUT_PERM] = QUEUE_PERM, [SMTP_OUT_CONVERT] = QUEUE_PERM };

	return verdicts[r->outcome];
}

/* An address that is malformed here is so everywhere. */
static bool
is_about_address(const struct smtp_out_result *r)
{
	return str_starts(str_of(r->enhanced), STR("5.1."));
}

static enum job_rcpt_state
state_of(const struct smtp_out_result *r)
{
	if (r->outcome == SMTP_OUT_DELIVERED || r->unsure)
		return JOB_FINAL;
	if (r->outcome == SMTP_OUT_TEMP)
		return r->stage < SMTP_OUT_AT_END || r->code == 0 ? JOB_LATER : JOB_FINAL;
	return r->code == 0 && !is_about_address(r) ? JOB_LATER : JOB_FINAL;
}

static void
write_words(char text[static QUEUE_TEXT_SIZE], const struct smtp_out_result *r)
{
	static const char unsure[] = "no answer to the end of the message: it may have arrived, and will be sent again";

	if (r->unsure)
		snprintf(text, QUEUE_TEXT_SIZE, "%s (%.*s)", unsure, STR_ARG(str_sub(r->words, 0, 100)));
	else
		job_words(text, r->code, r->enhanced, r->words, r->stage);
}

static void
on_result(void *ctx, size_t i, const struct smtp_out_result *r)
{
	struct job *j = ctx;
	size_t at = j->which[i];
	struct queue_relayed_rcpt *out = &j->rcpts[at];

	*out = (struct queue_relayed_rcpt){ .verdict = verdict_of(r), .dsn_passed = r->dsn };
	out->hop = (unsigned)j->nhops - 1;
	snprintf(out->status, sizeof out->status, "%s", r->enhanced);
	write_words(out->text, r);
	j->states[at] = (uint8_t)state_of(r);
	j->answered = j->answered || r->unsure || (r->code != 0 && r->code != 421);
}

static void
go_on(struct job *j)
{
	if (j->plan != NULL && j->old)
		job_next(j);
	else if (j->plan != NULL)
		job_next_host(j);
	else if (job_is_open(j) && !j->alone && !j->relay->draining)
		job_plan(j);
	else
		job_finish(j);
}

static void
on_done(void *ctx, const struct smtp_out_end *end)
{
	struct job *j = ctx;
	struct link *l = j->link;

	j->link = NULL;
	job_hop(j)->transfer_ms = (uint32_t)mono_ms_between(mono_now(), j->sent);
	j->crowded = j->crowded || (end != NULL && end->why == SMTP_OUT_GOING);
	if (end == NULL)
		idle_put(j->relay, l);
	if (end != NULL && j->old && !j->answered)
		lose_old(j);
	else
		go_on(j);
}

const struct link_ops job_mail_ops = { .result = on_result, .done = on_done };
