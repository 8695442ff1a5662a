/* smtp_fake.c - the world that an SMTP session asks: users, logins, a spool in memory. */
#include <stdlib.h>

#include <postern/core/base64.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "smtp_peer.h"

static void
on_write(void *ctx, struct str bytes)
{
	struct conn *c = ctx;

	ASSERT(!c->closed && bytes.n > 0);
	c->writes++;
	buf_add(&c->said, bytes);
}

static void
on_close(void *ctx)
{
	struct conn *c = ctx;

	ASSERT(!c->closed && c->asked == ASKED_NOTHING && c->sink == NULL);
	c->closed = true;
}

static void
on_starttls(void *ctx)
{
	((struct conn *)ctx)->handshake = true;
}

static void
on_pause(void *ctx)
{
	struct conn *c = ctx;

	ASSERT(!c->paused);
	c->paused = true;
}

static void
on_resume(void *ctx)
{
	struct conn *c = ctx;

	ASSERT(c->paused);
	c->paused = false;
}

static enum smtp_in_load
on_load(void *ctx)
{
	return ((struct conn *)ctx)->world->load;
}

static void
on_cancel(void *ctx)
{
	struct conn *c = ctx;

	ASSERT(c->asked != ASKED_NOTHING);
	c->asked = ASKED_NOTHING;
}

/* --- answers: at once, or when the session has returned --- */

static void
give_sink(struct conn *c)
{
	struct err e;

	if (c->world->sink != SINK_WAITS_FAILS) {
		smtp_in_sink_ready(c->session, NULL);
		return;
	}
	buf_fini(&c->sink->body);
	c->sink = NULL;
	err_temp(&e, SAY_DISK, "fake: no file");
	smtp_in_sink_ready(c->session, &e);
}

static void
answer(struct conn *c)
{
	enum asked asked = c->asked;

	c->asked = ASKED_NOTHING;
	switch (asked) {
	case ASKED_RESOLVE:
		smtp_in_answer_resolve(c->session, &c->resolved);
		break;
	case ASKED_MAY_SEND:
		smtp_in_answer_may_send(c->session, c->verdict);
		break;
	case ASKED_AUTH:
		smtp_in_answer_auth(c->session, &c->authed);
		break;
	case ASKED_SUBMIT:
		smtp_in_answer_submit(c->session, &c->submitted);
		break;
	case ASKED_SINK:
		give_sink(c);
		break;
	case ASKED_NOTHING:
		break;
	}
}

static void
ask(struct conn *c, enum asked what)
{
	ASSERT(c->asked == ASKED_NOTHING && !c->closed);
	c->asked = what;
	if (c->world->answers == ANSWERS_NOW && what != ASKED_SINK)
		answer(c);
}

static void
feed_some(struct conn *c)
{
	struct str rest = str_sub(buf_str(&c->inbox), c->fed, c->inbox.n);
	struct str piece = str_sub(rest, 0, SMTP_FEED_MAX);

	/* a copy of exactly that size: the sanitizer sees a read behind it */
	char *copy = mem_cstr(piece);

	c->fed += piece.n;
	smtp_in_feed(c->session, str_from(copy, piece.n));
	free(copy);
	if (c->fed == c->inbox.n) {
		buf_fini(&c->inbox);
		c->fed = 0;
	}
}

void
conn_drive(struct conn *c)
{
	for (;;) {
		if (c->session == NULL || c->closed)
			return;
		if (c->asked != ASKED_NOTHING && c->world->answers != ANSWERS_HELD)
			answer(c);
		else if (!c->paused && !c->handshake && c->fed < c->inbox.n)
			feed_some(c);
		else
			return;
	}
}

/* --- who is who --- */

static const struct user *
find_user(const struct world *w, struct str address)
{
	for (size_t i = 0; i < w->nusers; i++)
		if (str_eq_nocase(w->users[i].address, address))
			return &w->users[i];
	return NULL;
}

static struct smtp_reply
no_way(const struct world *w, const struct smtp_in_resolve *q)
{
	if (w->refused.n > 0 && str_eq_nocase(w->refused, q->address))
		return w->refusal;
	if (str_ends_nocase(q->address, STR("@example.test")) || !str_has(q->address, '@'))
		return smtp_reply_with(550, "5.1.1", STR("no such user"));
	return smtp_reply_with(550, "5.7.1", STR("relaying denied"));
}

static bool
is_foreign(struct str address)
{
	return str_has(address, '@') && !str_ends_nocase(address, STR("@example.test"));
}

static void
on_resolve(void *ctx, const struct smtp_in_resolve *q)
{
	struct conn *c = ctx;
	struct world *w = c->world;
	const struct user *u = find_user(w, q->address);

	if (u == NULL && str_eq_nocase(q->address, STR("postmaster")) && w->nusers > 0)
		u = &w->users[0];
	c->resolved = (struct smtp_in_resolved){ .targets = &c->target, .ntargets = 1, .ok = true };
	if (str_eq_nocase(q->address, w->refused))
		u = NULL;
	if (u != NULL) {
		c->target = (struct envelope_target){ .kind = ENVELOPE_LOCAL, .address = u->address };
	} else if (is_foreign(q->address) && (q->login.n > 0 || w->relay || w->profile == SMTP_LOCAL) &&
		   w->refused.n == 0) {
		c->target.kind = ENVELOPE_REMOTE;
		c->target.address = arena_str(&w->arena, q->address);
	} else {
		c->resolved = (struct smtp_in_resolved){ .ok = false, .reply = no_way(w, q) };
	}
	ask(c, ASKED_RESOLVE);
}

static void
on_may_send(void *ctx, struct str login, struct str address)
{
	struct conn *c = ctx;
	const struct world *w = c->world;

	c->verdict = str_eq_nocase(login, address) ? SMTP_VERDICT_YES : SMTP_VERDICT_NO;
	for (size_t i = 0; i < w->ngrants; i++)
		if (str_eq(w->grants[i].address, login) && str_eq_nocase(w->grants[i].password, address))
			c->verdict = SMTP_VERDICT_YES;
	if (w->verdict_later)
		c->verdict = SMTP_VERDICT_LATER;
	ask(c, ASKED_MAY_SEND);
}

/* --- logins --- */

static void
check_password(struct conn *c, struct str name, struct str password)
{
	const struct user *u = find_user(c->world, name);

	c->authed = (struct smtp_in_authed){ .result = SMTP_AUTH_REFUSED };
	if (u != NULL && u->password.n > 0 && str_eq(u->password, password))
		c->authed = (struct smtp_in_authed){ .result = SMTP_AUTH_DONE, .user = u->address };
}

static void
plain(struct conn *c, struct str bytes)
{
	struct str rest = str_sub(bytes, str_find(bytes, '\0') + 1, bytes.n);
	struct str name = str_sub(rest, 0, str_find(rest, '\0'));

	if (rest.n == name.n)
		c->authed = (struct smtp_in_authed){ .result = SMTP_AUTH_MALFORMED };
	else
		check_password(c, name, str_sub(rest, name.n + 1, rest.n));
}

static void
challenge(struct conn *c, struct str text)
{
	c->authed = (struct smtp_in_authed){ .result = SMTP_AUTH_CHALLENGE, .data = text };
}

static void
on_auth_start(void *ctx, struct str mechanism, struct str initial)
{
	struct conn *c = ctx;

	c->world->auths++;
	c->mechanism = arena_str(&c->world->arena, mechanism);
	c->login_name = (struct str){ 0 };
	if (str_eq_nocase(mechanism, STR("BUSY")))
		c->authed = (struct smtp_in_authed){ .result = SMTP_AUTH_BUSY };
	else if (str_eq_nocase(mechanism, STR("LOGIN")))
		challenge(c, STR("Username:"));
	else if (!str_eq_nocase(mechanism, STR("PLAIN")))
		c->authed = (struct smtp_in_authed){ .result = SMTP_AUTH_UNKNOWN };
	else if (initial.p == NULL)
		challenge(c, STR(""));
	else
		plain(c, initial);
	ask(c, ASKED_AUTH);
}

static void
on_auth_step(void *ctx, struct str bytes)
{
	struct conn *c = ctx;

	if (str_eq_nocase(c->mechanism, STR("PLAIN"))) {
		plain(c, bytes);
	} else if (c->login_name.p == NULL) {
		c->login_name = arena_str(&c->world->arena, bytes);
		challenge(c, STR("Password:"));
	} else {
		check_password(c, c->login_name, bytes);
	}
	ask(c, ASKED_AUTH);
}

static void
on_auth_abort(void *ctx)
{
	((struct conn *)ctx)->mechanism = (struct str){ 0 };
}

/* --- the spool --- */

static struct smtp_in_rcpt *
copy_rcpts(struct world *w, const struct smtp_in_mail *mail)
{
	struct smtp_in_rcpt *copy = arena_array(&w->arena, mail->nrcpts, sizeof(*copy));

	for (size_t i = 0; i < mail->nrcpts; i++) {
		copy[i].rcpt.notify = mail->rcpts[i].rcpt.notify;
		copy[i].rcpt.address = arena_str(&w->arena, mail->rcpts[i].rcpt.address);
		copy[i].rcpt.orcpt = arena_str(&w->arena, mail->rcpts[i].rcpt.orcpt);
	}
	return copy;
}

static bool
on_sink_open(void *ctx, const struct smtp_in_mail *mail, struct err *e)
{
	struct conn *c = ctx;
	struct world *w = c->world;
	struct message *m = &w->messages[w->nmessages];
	const struct envelope *from = &mail->envelope;

	ASSERT(c->sink == NULL && w->nmessages < MESSAGES_MAX && mail->nrcpts > 0);
	if (w->sink == SINK_NO_OPEN)
		return err_temp(e, SAY_DISK, "fake: no sink");
	*m = (struct message){ .envelope = *from, .nrcpts = mail->nrcpts };
	m->envelope.sender = arena_str(&w->arena, from->sender);
	m->envelope.envid = arena_str(&w->arena, from->envid);
	m->envelope.helo = arena_str(&w->arena, from->helo);
	m->envelope.login = arena_str(&w->arena, from->login);
	m->envelope.sid = m->envelope.client = (struct str){ 0 };
	m->rcpts = copy_rcpts(w, mail);
	buf_init(&m->body, 256 << 20);
	buf_init(&m->prefix, ENVELOPE_PREFIX_MAX);
	c->sink = m;
	w->nmessages++; /* two connections may have one each */
	return true;
}

static void
drop_sink(struct conn *c)
{
	if (c->asked == ASKED_SINK)
		c->asked = ASKED_NOTHING;
	buf_fini(&c->sink->body);
	c->sink->nrcpts = 0; /* a slot without recipients is no message */
	c->sink = NULL;
	c->world->aborts++;
}

static enum smtp_in_sink
on_sink_write(void *ctx, struct str bytes, struct err *e)
{
	struct conn *c = ctx;
	struct world *w = c->world;

	ASSERT(c->sink != NULL && bytes.n > 0);
	if (w->sink == SINK_NO_WRITE) {
		err_temp(e, SAY_DISK, "fake: disk full");
		drop_sink(c);
		return SMTP_SINK_FAILED;
	}
	buf_add(&c->sink->body, bytes);
	if (w->sink != SINK_WAITS && w->sink != SINK_WAITS_FAILS)
		return SMTP_SINK_OK;
	if (c->asked == ASKED_NOTHING)
		ask(c, ASKED_SINK);
	return SMTP_SINK_WAIT;
}

static void
on_sink_abort(void *ctx)
{
	struct conn *c = ctx;

	ASSERT(c->sink != NULL);
	drop_sink(c);
}

static void
on_submit(void *ctx, struct str prefix, unsigned flags)
{
	struct conn *c = ctx;

	ASSERT(c->sink != NULL);
	buf_add(&c->sink->prefix, prefix);
	c->sink->flags = flags;
	c->submitted = c->world->submit_reply;
	if (smtp_reply_is_ok(&c->submitted))
		c->sink = NULL;
	else
		drop_sink(c);
	ask(c, ASKED_SUBMIT);
}

const struct smtp_in_ops fake_ops = {
	.write = on_write,
	.close = on_close,
	.starttls = on_starttls,
	.pause = on_pause,
	.resume = on_resume,
	.load = on_load,
	.cancel = on_cancel,
	.resolve = on_resolve,
	.may_send = on_may_send,
	.auth_start = on_auth_start,
	.auth_step = on_auth_step,
	.auth_abort = on_auth_abort,
	.sink_open = on_sink_open,
	.sink_write = on_sink_write,
	.sink_abort = on_sink_abort,
	.submit = on_submit,
};
