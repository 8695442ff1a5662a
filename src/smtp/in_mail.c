/* in_mail.c - MAIL (RFC 5321 4.1.1.2): a transaction begins, or ends. */
#include <stdlib.h>

#include <postern/core/utf8.h>

#include "in_session.h"

/* " FROM:" Reverse-path *( SP parameter ). A space behind the colon is wrong and common; it is tolerated. */
bool
mail_parse(struct cur *c, struct in_args *a)
{
	cur_want(c, " FROM:");
	cur_take(c, " ");
	if (!cur_ok(c))
		return false;
	a->bad = SMTP_BAD_SENDER;
	if (!address_parse_path(c, ADDRESS_UTF8 | ADDRESS_NULL, &a->address))
		return false;
	if (!address_is_null(&a->address))
		a->path = arena_strf(a->arena, "%.*s@%.*s", STR_ARG(a->address.local), STR_ARG(a->address.domain));
	return in_params_parse(c, PARAM_OF_MAIL, a);
}

/* A new transaction's values; everything in it lives in its arena. */
static void
begin(struct smtp_in *s, const struct in_args *a)
{
	struct in_tx *tx = &s->tx;
	struct envelope *e = &tx->envelope;

	e->qid = id_new();
	e->received = wall_now();
	e->ret = a->ret;
	e->sid = s->sid;
	e->client = s->address;
	e->helo = s->helo;
	e->login = s->login;
	e->sender = arena_str(&tx->arena, a->path);
	e->envid = arena_str(&tx->arena, a->envid);
	tx->announced = a->params & PARAM_SIZE ? a->size : 0;
	tx->body = a->body;
	tx->smtputf8 = (a->params & PARAM_SMTPUTF8) != 0;
	tx->requiretls = (a->params & PARAM_REQUIRETLS) != 0;
	e->protocol = str_of(in_protocol(s));
}

static struct smtp_reply
accepted(struct smtp_in *s)
{
	s->state = IN_MAIL;
	return smtp_reply(SMTP_SENDER_OK);
}

/* What can be said without asking anybody. */
static enum smtp_reply_name
refusal(const struct smtp_in *s, const struct in_args *a)
{
	if (!ascii_only(a->path) && !(a->params & PARAM_SMTPUTF8))
		return SMTP_NO_UTF8_SENDER;
	if ((a->params & PARAM_REQUIRETLS) && !s->has_tls)
		return SMTP_REQUIRETLS_IN_CLEAR;
	if (s->conf->message_size > 0 && a->size > s->conf->message_size)
		return SMTP_TOO_BIG;
	return SMTP_OK;
}

/* RFC 9422 4.1 counts all MAIL commands, whatever became of them. */
struct smtp_reply
mail_run(struct smtp_in *s, const struct in_args *a)
{
	enum smtp_reply_name no = refusal(s, a);

	if (s->mails++ >= s->conf->messages)
		return smtp_reply(SMTP_MAIL_TOO_MANY);
	if (no != SMTP_OK)
		return smtp_reply(no);
	in_tx_reset(s);
	begin(s, a);
	return in_check(s, STAGE_MAIL, accepted);
}

void
in_tx_reset(struct smtp_in *s)
{
	struct in_tx *tx = &s->tx;
	struct arena kept = tx->arena;

	if (tx->sink)
		s->ops->sink_abort(s->ctx);
	free(tx->rcpts);
	buf_fini(&tx->header);
	*tx = (struct in_tx){ .arena = kept };
	arena_reset(&tx->arena);
}
