/* in_log.c - what the log learns of a session: one line per accepted message, one per refusal (docs/log.md). */
#include <postern/core/log.h>

#include "in_session.h"

static void
log_peer(const struct smtp_in *s, struct log_line *l)
{
	log_str(l, "client", s->address);
	log_str(l, "helo", s->helo);
}

/* Whom a refusal is about: of the command that is under way, else of the transaction. */
static struct str
sender(const struct smtp_in *s)
{
	return s->verb != NULL && s->verb->run == mail_run ? s->args.path : s->tx.envelope.sender;
}

static struct str
recipient(const struct smtp_in *s)
{
	if (s->verb != NULL && s->verb->run == rcpt_run)
		return s->args.path;
	return s->tx.nrcpts > 0 ? s->tx.rcpts[0].rcpt.address : (struct str){ 0 };
}

void
in_log_refuse(const struct smtp_in *s, const struct smtp_reply *r)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "refuse");
	log_str(&l, "sid", s->sid);
	log_peer(s, &l);
	log_str(&l, "from", sender(s));
	log_str(&l, "to", recipient(s));
	log_num(&l, "code", r->code);
	log_str(&l, "reply", r->text);
	log_fmt(&l, "why", "%.*s%s%s", s->verb != NULL ? (int)s->verb->name.n : 0,
	    s->verb != NULL ? s->verb->name.p : "", s->verb != NULL && r->why != NULL ? ": " : "",
	    r->why != NULL ? r->why : "");
	log_end(&l);
}

void
in_log_accept(const struct smtp_in *s)
{
	struct log_line l;
	char qid[ID_TEXT_SIZE];

	id_text(s->tx.envelope.qid, qid);
	log_begin(&l, LEVEL_INFO, "accept");
	log_str(&l, "sid", s->sid);
	log_cstr(&l, "qid", qid);
	log_peer(s, &l);
	log_str(&l, "auth", s->profile == SMTP_LOCAL ? s->user : s->login);
	log_str(&l, "from", s->tx.envelope.sender);
	log_num(&l, "nrcpt", s->tx.nrcpts);
	log_num(&l, "size", (int64_t)s->tx.size);
	log_str(&l, "msgid", s->tx.msgid);
	if (s->has_tls)
		log_fmt(&l, "tls", "%.*s:%.*s", STR_ARG(s->tls.version), STR_ARG(s->tls.cipher));
	else
		log_cstr(&l, "tls", "none");
	log_end(&l);
}

void
in_log_lost(const struct smtp_in *s, const char *why)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "refuse");
	log_str(&l, "sid", s->sid);
	log_peer(s, &l);
	log_str(&l, "from", s->tx.envelope.sender);
	log_str(&l, "to", recipient(s));
	log_num(&l, "code", 0);
	log_cstr(&l, "why", why);
	log_end(&l);
}
