/* in_rcpt.c - RCPT (RFC 5321 4.1.1.3): who gets it is somebody else's knowledge; here it is asked and kept. */
#include <postern/core/mem.h>
#include <postern/core/utf8.h>

#include "in_session.h"

bool
rcpt_parse(struct cur *c, struct in_args *a)
{
	cur_want(c, " TO:");
	cur_take(c, " ");
	if (!cur_ok(c))
		return false;
	a->bad = SMTP_BAD_RCPT;
	if (!address_parse_path(c, ADDRESS_UTF8 | ADDRESS_POSTMASTER, &a->address))
		return false;
	a->path = a->address.domain.n == 0
		      ? a->address.local
		      : arena_strf(a->arena, "%.*s@%.*s", STR_ARG(a->address.local), STR_ARG(a->address.domain));
	return in_params_parse(c, PARAM_OF_RCPT, a);
}

/* Refused recipients have a count of their own: a list with twenty strangers on it is no attack. */
static struct smtp_reply
refuse(struct smtp_in *s, struct smtp_reply r)
{
	s->tx.refused++;
	s->counted = true;
	return ++s->guesses > SMTP_GUESSES_MAX ? smtp_reply(SMTP_RCPT_GUESSING) : r;
}

static void
keep(struct smtp_in *s)
{
	struct in_tx *tx = &s->tx;
	struct envelope_target *targets = arena_array(&tx->arena, s->resolved.ntargets, sizeof(*targets));
	struct smtp_in_rcpt *r;

	for (size_t i = 0; i < s->resolved.ntargets; i++) {
		targets[i].kind = s->resolved.targets[i].kind;
		targets[i].address = arena_str(&tx->arena, s->resolved.targets[i].address);
		targets[i].detail = arena_str(&tx->arena, s->resolved.targets[i].detail);
	}
	if (tx->nrcpts == tx->cap) {
		tx->cap = tx->cap > 0 ? tx->cap * 2 : 4;
		tx->rcpts = mem_resize(tx->rcpts, tx->cap * sizeof(*tx->rcpts));
	}
	r = &tx->rcpts[tx->nrcpts++];
	r->rcpt.notify = s->args.notify;
	r->rcpt.address = arena_str(&tx->arena, s->args.path);
	r->rcpt.orcpt = arena_str(&tx->arena, s->args.orcpt);
	r->targets = targets;
	r->ntargets = s->resolved.ntargets;
	tx->ntargets += (unsigned)s->resolved.ntargets;
}

static struct smtp_reply
checked(struct smtp_in *s)
{
	if (s->resolved.ntargets == 0 || s->tx.ntargets + s->resolved.ntargets > ENVELOPE_TARGETS_MAX)
		return refuse(s, smtp_reply(SMTP_RCPT_TOO_MANY));
	keep(s);
	s->state = IN_RCPT;
	return smtp_reply(SMTP_RCPT_OK);
}

static struct smtp_reply
on_resolved(struct smtp_in *s)
{
	if (!s->resolved.ok)
		return refuse(s, s->resolved.reply);
	return in_check(s, STAGE_RCPT, checked);
}

/* RFC 5321 4.5.3.1.10: 452, and what was accepted stands. */
static struct smtp_reply
overshoot(struct smtp_in *s)
{
	bool flood = ++s->overshoot > SMTP_OVERSHOOT_MAX;

	s->counted = true;
	s->told = s->overshoot > 1 && !flood;
	return smtp_reply(flood ? SMTP_RCPT_FLOOD : SMTP_RCPT_TOO_MANY);
}

struct smtp_reply
rcpt_run(struct smtp_in *s, const struct in_args *a)
{
	struct smtp_in_resolve q = {
		.address = a->path,
		.sender = s->tx.envelope.sender,
		.login = s->login,
		.size = s->tx.announced,
		.smtputf8 = s->tx.smtputf8,
	};

	if (!ascii_only(a->path) && !s->tx.smtputf8)
		return refuse(s, smtp_reply(SMTP_NO_UTF8_RCPT));
	if (s->tx.nrcpts >= s->conf->recipients)
		return overshoot(s);
	in_asking(s, ASK_RESOLVE, on_resolved);
	s->ops->resolve(s->ctx, &q);
	return smtp_reply_later();
}
