/* in_check.c - the stage table: what a connection, a sender, a recipient and a message are checked for.
 *
 * A row looks and gives one verdict: a reply that is ok (the next row's turn) or a refusal, now or LATER. A row that
 * asks somebody ends its answer's continuation with verdict(). Rows run in the order of the table. */
#include "in_session.h"

static struct smtp_reply go_on(struct smtp_in *s);

static struct smtp_reply
verdict(struct smtp_in *s, struct smtp_reply r)
{
	return smtp_reply_is_ok(&r) ? go_on(s) : r;
}

static struct smtp_reply
may_send_reply(enum smtp_in_verdict v, enum smtp_reply_name no)
{
	if (v == SMTP_VERDICT_YES)
		return smtp_reply(SMTP_OK);
	return smtp_reply(v == SMTP_VERDICT_NO ? no : SMTP_LATER_PLEASE);
}

/* --- mail --- */

static struct smtp_reply
on_sender(struct smtp_in *s)
{
	return verdict(s, may_send_reply(s->verdict, SMTP_SENDER_FOREIGN));
}

/* RFC 6409 6.1. The null sender is allowed: receipts for read mail must have it (RFC 8098 3), and From: is checked
 * later. */
static struct smtp_reply
sender_is_own(struct smtp_in *s)
{
	if (s->login.n == 0 || s->tx.envelope.sender.n == 0)
		return smtp_reply(SMTP_OK);
	in_asking(s, ASK_MAY_SEND, on_sender);
	s->ops->may_send(s->ctx, s->login, s->tx.envelope.sender);
	return smtp_reply_later();
}

/* --- content --- */

/* What the stream brought to light, the first of it. */
static struct smtp_reply
content_is_sound(struct smtp_in *s)
{
	struct smtp_reply r = smtp_reply(s->tx.bad);

	if (s->tx.bad_log[0] != '\0')
		r.why = s->tx.bad_log;
	return r;
}

/* RFC 5321 6.3. One 5xx to the one who brought it; nothing is accepted and bounced. */
static struct smtp_reply
hops_are_few(struct smtp_in *s)
{
	unsigned max = s->conf->hops > 0 ? s->conf->hops : SMTP_HOPS_MAX;

	return smtp_reply(s->tx.hops > max ? SMTP_TOO_MANY_HOPS : SMTP_OK);
}

static struct smtp_reply on_owner(struct smtp_in *s);

/* Asks for the next address; ok when all have been asked for. */
static struct smtp_reply
ask_owner(struct smtp_in *s)
{
	struct in_owner *next = s->tx.owners;

	if (next == NULL)
		return smtp_reply(SMTP_OK);
	s->tx.owners = next->next;
	in_asking(s, ASK_MAY_SEND, on_owner);
	s->ops->may_send(s->ctx, s->login, next->address);
	return smtp_reply_later();
}

static struct smtp_reply
on_owner(struct smtp_in *s)
{
	struct smtp_reply r = may_send_reply(s->verdict, SMTP_FROM_FOREIGN);

	return verdict(s, smtp_reply_is_ok(&r) ? ask_owner(s) : r);
}

/* All addresses of From: belong to the login, and Sender: when there is one, because mail programs show either as the
 * one who wrote (RFC 6409 6.1). A resent message (Resent-From:) is no exception: its From: would still claim to come
 * from here, and without the right of the domain in From: it fails DMARC elsewhere anyway. */
static struct smtp_reply
from_is_own(struct smtp_in *s)
{
	if (s->login.n == 0)
		return smtp_reply(SMTP_OK);
	if (s->tx.from_fields != 1 || s->tx.from_bad)
		return smtp_reply(SMTP_FROM_MISSING);
	if (s->tx.from_crowded)
		return smtp_reply(SMTP_FROM_CROWDED);
	return ask_owner(s);
}

static const struct {
	const char *name;
	enum in_stage stage;
	struct smtp_reply (*run)(struct smtp_in *s);
	const char *rfc;
} rows[] = {
	{ "sender", STAGE_MAIL, sender_is_own, "6409 6.1" },
	{ "content", STAGE_CONTENT, content_is_sound, "5321 2.3.8" },
	{ "hops", STAGE_CONTENT, hops_are_few, "5321 6.3" },
	{ "from", STAGE_CONTENT, from_is_own, "6409 6.1" },
};

static struct smtp_reply
go_on(struct smtp_in *s)
{
	struct smtp_reply r;

	while (s->check_next < sizeof(rows) / sizeof(rows[0])) {
		if (rows[s->check_next++].stage != s->stage)
			continue;
		r = rows[s->check_next - 1].run(s);
		if (!smtp_reply_is_ok(&r))
			return r;
	}
	return s->checked(s);
}

struct smtp_reply
in_check(struct smtp_in *s, enum in_stage stage, in_then *then)
{
	s->stage = stage;
	s->check_next = 0;
	s->checked = then;
	return go_on(s);
}
