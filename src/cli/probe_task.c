/* probe_task.c - the questions to one port as a table: when each can be asked, with what, and what its answer is good
 * for. */
#include "probe_task.h"

#include <stdio.h>

#include <postern/core/log.h>

enum { TLS_12 = 3, TLS_13 = 4 }; /* indexes of versions */

struct tls_trial *
task_trial(struct task_state *t)
{
	struct probe_port *p = t->port;
	size_t task = (size_t)(t - p->tasks);

	if (task == TASK_GROUPS)
		return &p->facts.groups;
	return task >= TASK_VERSIONS && task < TASK_RENEGOTIATE ? &p->facts.versions[task - TASK_VERSIONS] : NULL;
}

/* --- a look around --- */

static bool
ready_always(const struct probe_port *p)
{
	(void)p;
	return true;
}

static bool
ready_tls(const struct probe_port *p)
{
	return p->facts.reached == PORT_TLS;
}

static SSL *
new_ssl(const struct probe_port *p, SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL)
		log_fatal("TLS: out of memory");
	if (p->host->name[0] != '\0')
		SSL_set_tlsext_host_name(ssl, p->host->name);
	return ssl;
}

static bool
aim_look(struct probe_port *p, struct task_state *t, struct shot_aim *a)
{
	(void)t;
	a->guess = p->guess;
	a->goal = TALK_TO_LOOK;
	a->ssl = new_ssl(p, p->world->any);
	return true;
}

static void
note_tlsa(struct probe_port *p, SSL *ssl)
{
	const struct tls_decision *d = &p->host->decision;

	for (size_t i = 0; i < d->n_tlsa; i++)
		if (cert_fits(ssl, &d->tlsa[i]))
			p->facts.tlsa_fits |= 1u << i;
}

static void
note_tls(struct probe_port *p, const struct shot *s)
{
	SSL *ssl = conn_ssl(s->conn);
	struct port_facts *f = &p->facts;
	char ip[ADDR_TEXT_SIZE];

	addr_text_ip(&f->at, ip);
	f->reached = PORT_TLS;
	tls_facts_read(ssl, &f->tls);
	cert_look(ssl, p->world->store, p->host->name[0] != '\0' ? p->host->name : ip, wall_now(), &f->cert);
	if (p->host->name[0] == '\0' && !f->cert.name_ok)
		f->cert.name = NULL; /* hardly a certificate has addresses: no fault */
	note_tlsa(p, ssl);
	f->tickets = s->tickets;
	f->ticket_lifetime = s->ticket_lifetime;
	f->early_data = s->early_data;
}

/* The next address, or the other way of beginning; ENOUGH when there is none. */
static enum next
try_elsewhere(struct probe_port *p, const struct shot *s)
{
	if (s->end == SHOT_SILENT) {
		p->facts.implicit = true;
		return AGAIN;
	}
	if (s->end != SHOT_UNREACHED || ++p->address == p->host->naddrs)
		return ENOUGH;
	return AGAIN;
}

static enum next
take_look(struct probe_port *p, struct task_state *t, struct shot *s)
{
	struct port_facts *f = &p->facts;

	f->at = s->aim.at;
	f->clear = s->talk.caps[0];
	f->inside = s->talk.caps[1];
	f->stop = s->talk.stop;
	f->protocol = s->talk.protocol;
	if (p->guess && (f->implicit || f->protocol == TALK_IMAP))
		f->use = PORT_CLIENTS;
	snprintf(f->words, sizeof f->words, "%s", s->words);
	if (s->secure) {
		note_tls(p, s);
		return ENOUGH;
	}
	if (s->end == SHOT_LOST && !s->stalled && ++t->lost < PORT_LOST_MAX)
		return AGAIN;
	f->reached = s->end == SHOT_STOPPED ? PORT_STOPPED : s->end == SHOT_NO_TLS ? PORT_NO_TLS : PORT_UNREACHED;
	return try_elsewhere(p, s);
}

/* --- as the relay would deliver --- */

static bool
aim_deliver(struct probe_port *p, struct task_state *t, struct shot_aim *a)
{
	struct err e;

	(void)t;
	a->goal = TALK_TO_LOOK;
	if (!p->facts.has_dane || p->facts.dane->level != TLS_LEVEL_DANE || !p->facts.dane->connect)
		return false;
	a->ssl = tls_client_session(p->world->tls, p->facts.dane, &e);
	return a->ssl != NULL;
}

static enum next
take_deliver(struct probe_port *p, struct task_state *t, struct shot *s)
{
	SSL *ssl = s->conn != NULL ? conn_ssl(s->conn) : NULL;

	(void)t;
	if (s->secure)
		tls_client_outcome(ssl, &p->facts.outcome);
	else if (s->end == SHOT_NO_TLS)
		tls_client_failed(ssl, s->conn != NULL ? conn_tls_error(s->conn) : 0, &p->facts.outcome);
	else
		return AGAIN;
	p->facts.delivered = p->facts.outcome.got == TLS_LEVEL_DANE ? ANSWER_YES : ANSWER_NO;
	return ENOUGH;
}

/* --- a command behind STARTTLS --- */

static bool
aim_inject(struct probe_port *p, struct task_state *t, struct shot_aim *a)
{
	(void)t;
	a->goal = TALK_TO_INJECT;
	a->ssl = p->facts.implicit ? NULL : new_ssl(p, p->world->any);
	return !p->facts.implicit;
}

/* A server that hangs up on it, or refuses, has not carried it out. */
static enum next
take_inject(struct probe_port *p, struct task_state *t, struct shot *s)
{
	(void)t;
	if (s->talk.step < TALK_AT_STARTTLS)
		return AGAIN;
	p->facts.injected = s->talk.injected ? ANSWER_YES : ANSWER_NO;
	return ENOUGH;
}

/* --- renegotiation --- */

static bool
ready_old(const struct probe_port *p)
{
	return p->tasks[TASK_VERSIONS + TLS_12].state == OVER;
}

/* The newest version below 1.3 that is spoken, by index; -1: none. */
static int
old_version(const struct probe_port *p)
{
	int v = TLS_12;

	while (v >= 1 && p->facts.versions[v].nchosen == 0)
		v--;
	return v >= 1 ? v : -1;
}

static bool
aim_renegotiate(struct probe_port *p, struct task_state *t, struct shot_aim *a)
{
	(void)t;
	a->goal = TALK_TO_LOOK;
	a->renegotiate = true;
	a->ssl = old_version(p) == -1 ? NULL : new_ssl(p, p->world->old);
	return a->ssl != NULL;
}

static enum next
take_renegotiate(struct probe_port *p, struct task_state *t, struct shot *s)
{
	(void)t;
	if (!s->secure)
		return AGAIN;
	p->facts.renegotiates = s->renegotiated ? ANSWER_YES : ANSWER_NO;
	return ENOUGH;
}

/* --- elimination --- */

static bool
aim_trial(struct probe_port *p, struct task_state *t, struct shot_aim *a)
{
	(void)p;
	a->goal = TALK_TO_TLS;
	a->offer = &t->offer;
	return tls_trial_offer(task_trial(t), &t->offer);
}

static enum next
take_trial(struct probe_port *p, struct task_state *t, struct shot *s)
{
	struct tls_trial *trial = task_trial(t);

	(void)p;
	if (s->end == SHOT_OVER)
		tls_trial_chosen(trial, &s->peek.answer);
	else if (s->end == SHOT_NO_TLS)
		tls_trial_refused(trial);
	else
		return AGAIN;
	t->lost = 0;
	return trial->step == TLS_TRIAL_OVER ? ENOUGH : AGAIN;
}

/* Known when all suites of the newest version are. */
static bool
ready_groups(const struct probe_port *p)
{
	return p->tasks[TASK_VERSIONS + TLS_13].state == OVER && p->tasks[TASK_VERSIONS + TLS_12].state == OVER;
}

static bool
aim_groups(struct probe_port *p, struct task_state *t, struct shot_aim *a)
{
	const struct tls_trial *v = &p->facts.versions[TLS_13];

	if (p->facts.groups.version == 0) {
		v = v->nchosen > 0 ? v : &p->facts.versions[TLS_12];
		tls_trial_groups(&p->facts.groups, v->version, str_of(p->host->name), v->chosen, v->nchosen);
	}
	return aim_trial(p, t, a);
}

#define TRIAL                                                                                                          \
	{                                                                                                              \
		ready_tls, aim_trial, take_trial                                                                       \
	}
const struct task_row task_rows[TASKS] = {
	[TASK_LOOK] = { ready_always, aim_look, take_look },
	[TASK_DELIVER] = { ready_tls, aim_deliver, take_deliver },
	[TASK_INJECT] = { ready_tls, aim_inject, take_inject },
	[TASK_VERSIONS] = TRIAL,
	[TASK_VERSIONS + 1] = TRIAL,
	[TASK_VERSIONS + 2] = TRIAL,
	[TASK_VERSIONS + TLS_12] = TRIAL,
	[TASK_VERSIONS + TLS_13] = TRIAL,
	[TASK_RENEGOTIATE] = { ready_old, aim_renegotiate, take_renegotiate },
	[TASK_GROUPS] = { ready_groups, aim_groups, take_trial },
};
