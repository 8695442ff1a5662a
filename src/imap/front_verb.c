/* front_verb.c - the commands before login but those that log in: a row each (RFC 9051 6.1, 6.2.1; RFC 2971). */
#include "front_priv.h"

#include "capability.h"
#include "id.h"
#include "rows.h"

void
imap_front_write_capabilities(const struct imap_front *f, struct buf *out)
{
	buf_add_cstr(out, "CAPABILITY");
	capability_write_base(out);
	if (f->state == FRONT_PLAIN)
		buf_add_cstr(out, " STARTTLS");
	if (f->state != FRONT_TLS) {
		buf_add_cstr(out, " LOGINDISABLED");
		return;
	}
	for (size_t i = 0; i < f->setup.nmechs; i++) {
		buf_add_cstr(out, " AUTH=");
		buf_add(out, f->setup.mechs[i]);
	}
}

static void
run_capability(struct imap_front *f, struct lex *l)
{
	struct buf out;

	if (!lex_end(l)) {
		imap_front_bad(f, l->c.why);
		return;
	}
	buf_init(&out, FRONT_OUT_MAX);
	buf_add_cstr(&out, "* ");
	imap_front_write_capabilities(f, &out);
	buf_add_cstr(&out, "\r\n");
	f->ops->write(f->ctx, buf_str(&out));
	buf_fini(&out);
	imap_front_reply(f, REPLY_OK, "", "done");
}

static void
run_noop(struct imap_front *f, struct lex *l)
{
	if (!lex_end(l)) {
		imap_front_bad(f, l->c.why);
		return;
	}
	imap_front_reply(f, REPLY_OK, "", "done");
}

/* RFC 9051 6.1.3: BYE comes before the tagged OK. */
static void
run_logout(struct imap_front *f, struct lex *l)
{
	static const struct reply bye = { REPLY_BYE, STR_INIT(""), STR_INIT("logging out") };

	if (!lex_end(l)) {
		imap_front_bad(f, l->c.why);
		return;
	}
	imap_front_write(f, STR("*"), &bye);
	imap_front_reply(f, REPLY_OK, "", "done");
	f->state = FRONT_DONE;
	f->ops->close(f->ctx);
}

static void
run_id(struct imap_front *f, struct lex *l)
{
	struct buf out;

	if (!lex_id_params(l) || !lex_end(l)) {
		imap_front_bad(f, l->c.why);
		return;
	}
	buf_init(&out, FRONT_OUT_MAX);
	id_write(&out);
	f->ops->write(f->ctx, buf_str(&out));
	buf_fini(&out);
	imap_front_reply(f, REPLY_OK, "", "done");
}

/* RFC 9051 6.2.1: bytes behind the command never reach a parser; the role throws them away. */
static void
run_starttls(struct imap_front *f, struct lex *l)
{
	if (!lex_end(l)) {
		imap_front_bad(f, l->c.why);
		return;
	}
	imap_front_reply(f, REPLY_OK, "", "begin TLS now");
	f->state = FRONT_HANDSHAKE;
	f->ops->starttls(f->ctx);
}

static const struct front_verb verbs[] = {
	{ STR_INIT("CAPABILITY"), FRONT_ANY, run_capability, "RFC 9051 6.1.1" },
	{ STR_INIT("NOOP"), FRONT_ANY, run_noop, "RFC 9051 6.1.2" },
	{ STR_INIT("LOGOUT"), FRONT_ANY, run_logout, "RFC 9051 6.1.3" },
	{ STR_INIT("ID"), FRONT_ANY, run_id, "RFC 2971 3.1" },
	{ STR_INIT("STARTTLS"), FRONT_PLAIN, run_starttls, "RFC 9051 6.2.1" },
	{ STR_INIT("AUTHENTICATE"), FRONT_TLS, imap_front_authenticate, "RFC 9051 6.2.2" },
	{ STR_INIT("LOGIN"), FRONT_TLS, imap_front_login, "RFC 9051 6.2.3" },
};

const struct front_verb *
imap_front_find_verb(struct str name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (str_eq_nocase(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

void
front_rows(const struct rows *r)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		rows_show(r, "command before login", verbs[i].name, NULL, verbs[i].rfc);
}
