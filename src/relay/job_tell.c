/* job_tell.c - hops and words: what a job's answer says of the hosts that were tried. */
#include <stdarg.h>
#include <stdio.h>

#include <postern/core/log.h>
#include <postern/core/utf8.h>
#include <postern/tls/facts.h>

#include "job.h"

/* --- words --- */

/* A text that was cut may end in half a character. */
static void
cut_clean(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && !utf8_valid(str_from(text, n)))
		n--;
	text[n] = '\0';
}

__attribute__((format(printf, 3, 0))) static void
add_words(char *text, size_t size, const char *format, va_list args)
{
	size_t n = strlen(text);

	vsnprintf(text + n, size - n, format, args);
	cut_clean(text);
}

void
job_words(char out[static QUEUE_TEXT_SIZE], unsigned code, const char *enhanced, struct str words,
    enum smtp_out_stage stage)
{
	enum { ROOM = QUEUE_TEXT_SIZE - 64 }; /* for code and stage */

	words = str_sub(words, 0, ROOM);
	if (code != 0)
		snprintf(out, QUEUE_TEXT_SIZE, "%u %s %.*s", code, enhanced, STR_ARG(words));
	else
		snprintf(out, QUEUE_TEXT_SIZE, "%.*s", STR_ARG(words));
	cut_clean(out);
	snprintf(out + strlen(out), QUEUE_TEXT_SIZE - strlen(out), code != 0 ? " (in reply to %s)" : " (at %s)",
	    smtp_out_stage_name(stage));
}

/* --- hops --- */

struct queue_hop *
job_hop(struct job *j)
{
	ASSERT(j->nhops > 0);
	return &j->hops[j->nhops - 1];
}

static bool
is_told_of(const struct job *j, size_t hop)
{
	for (size_t i = 0; i < j->what.n; i++)
		if (j->states[i] != JOB_OPEN && j->rcpts[i].hop == hop)
			return true;
	return false;
}

/* Takes out a row; what points behind it moves. */
static void
remove_hop(struct job *j, size_t hop)
{
	j->nhops--;
	memmove(&j->hops[hop], &j->hops[hop + 1], (j->nhops - hop) * sizeof *j->hops);
	for (size_t i = 0; i < j->what.n; i++)
		j->rcpts[i].hop -= j->states[i] != JOB_OPEN && j->rcpts[i].hop > hop;
	if (j->failure.hop > hop)
		j->failure.hop--;
	else if (j->failure.hop == hop)
		j->failure.hop = QUEUE_HOPS_MAX;
}

/* The rows are few: one that nobody's words are from goes first, and of those one that is not counted. */
static void
make_room(struct job *j)
{
	size_t which = 0;

	if (j->nhops < QUEUE_HOPS_MAX)
		return;
	while (which < j->nhops && (is_told_of(j, which) || j->hops[which].counted))
		which++;
	for (size_t i = 0; which == j->nhops && i < j->nhops; i++)
		which = is_told_of(j, i) ? which : i;
	remove_hop(j, which < j->nhops ? which : 0);
}

void
job_hop_begin(struct job *j, struct str host, const struct tls_decision *d)
{
	struct queue_hop *h;

	make_room(j);
	h = &j->hops[j->nhops++];
	*h = (struct queue_hop){ .host = arena_str(&j->mem, host), .ip = STR(""), .why = STR(""), .reason = STR("") };
	if (d == NULL)
		return;
	h->wanted = d->level;
	h->policy = d->policy;
	h->result = d->report;
	job_hop_say(j, "%s", d->why);
}

void
job_hop_refused(struct job *j, const struct relay_host *h)
{
	job_hop_begin(j, h->name, NULL);
	job_hop_say(j, "%s", h->words);
	job_hop(j)->policy = h->decision.policy;
	job_hop(j)->result = h->decision.report;
	job_hop(j)->counted = h->decision.report != TLSRPT_OK;
}

void
job_hop_drop(struct job *j)
{
	remove_hop(j, j->nhops - 1);
}

void
job_hop_peer(struct job *j, const struct addr *peer)
{
	char text[ADDR_TEXT_SIZE];

	job_hop(j)->ip = arena_str(&j->mem, str_from(text, addr_text(peer, text)));
}

void
job_hop_say(struct job *j, const char *format, ...)
{
	struct queue_hop *h = job_hop(j);
	char text[QUEUE_TEXT_SIZE];
	va_list args;

	snprintf(text, sizeof text, "%.*s%s", STR_ARG(h->why), h->why.n > 0 ? "; " : "");
	va_start(args, format);
	add_words(text, sizeof text, format, args);
	va_end(args);
	h->why = arena_str(&j->mem, str_of(text));
}

void
job_hop_reused(struct job *j)
{
	const struct link_about *a = &j->link->about;
	struct queue_hop *h;

	job_hop_begin(j, str_of(a->host), NULL);
	job_hop_peer(j, &j->link->peer);
	job_hop_say(j, "%s; the connection was open", a->why);
	h = job_hop(j);
	h->wanted = a->wanted;
	h->got = a->got;
	h->policy = a->policy;
	h->plain = a->plain;
}

/* --- TLS --- */

/* Counts the session for TLS reporting; what was wrong before it counts first (RFC 8460 4.3). */
static void
count(struct queue_hop *h, const struct tls_decision *d, enum tlsrpt_result result)
{
	h->counted = true;
	h->result = d->report != TLSRPT_OK ? d->report : result;
}

/* One line for each handshake, whatever came of it. */
static void
log_tls(const struct job *j)
{
	const struct queue_hop *h = &j->hops[j->nhops - 1];
	SSL *ssl = conn_ssl(j->link->conn);
	char qid[ID_TEXT_SIZE];
	struct tls_facts f;
	struct log_line l;

	id_text(j->what.qid, qid);
	log_begin(&l, LEVEL_INFO, "tls");
	log_str(&l, "sid", j->what.sid);
	log_cstr(&l, "qid", qid);
	log_str(&l, "host", h->host);
	log_str(&l, "ip", h->ip);
	if (j->link->tls.stands) {
		tls_facts_read(ssl, &f);
		log_cstr(&l, "version", f.version);
		log_cstr(&l, "cipher", f.cipher);
		log_cstr(&l, "group", f.group);
	}
	log_cstr(&l, "tls_wanted", tls_level_name(h->wanted));
	log_cstr(&l, "tls_got", tls_level_name(h->got));
	log_fmt(&l, "tls_why", "%.*s%s%s", STR_ARG(h->why), j->link->tls.stands ? "" : "; ",
	    j->link->tls.stands ? "" : j->link->tls.outcome.words);
	log_end(&l);
}

static void
tell_handshake(struct job *j, const struct tls_decision *d)
{
	const struct link_tls *tls = &j->link->tls;
	struct queue_hop *h = job_hop(j);

	count(h, d, tls->outcome.report);
	h->got = tls->stands ? tls->outcome.got : TLS_LEVEL_NONE;
	h->reason = arena_str(&j->mem, str_of(tls->outcome.reason));
	h->handshake_failed = !tls->stands;
	if (tls->stands)
		job_hop_say(j, "%s", tls->outcome.words);
	log_tls(j);
}

static bool
has_no_starttls(const struct job *j, const struct smtp_out_end *end)
{
	if (end == NULL)
		return !j->plain && !j->link->tls.tried;
	return end->why == SMTP_OUT_NO_TLS || end->why == SMTP_OUT_TLS_REFUSED;
}

void
job_hop_tls(struct job *j, const struct tls_decision *d, const struct smtp_out_end *end)
{
	if (j->plain || d->level == TLS_LEVEL_NONE)
		return;
	if (j->link->tls.tried)
		tell_handshake(j, d);
	else if (end != NULL && end->why == SMTP_OUT_INJECTED)
		count(job_hop(j), d, TLSRPT_VALIDATION_FAILURE);
	else if (has_no_starttls(j, end))
		count(job_hop(j), d, TLSRPT_STARTTLS_NOT_SUPPORTED);
	if (end == NULL && !j->link->tls.tried)
		job_hop_say(j, "%s", tls_failure_words(TLS_FAILURE_NOT_OFFERED));
}

/* --- what is said to those that no server answered --- */

static bool
is_graver(const struct job_failure *f, enum job_gravity gravity, enum queue_verdict verdict)
{
	if (f->gravity == JOB_NOTHING || f->verdict != verdict)
		return f->gravity == JOB_NOTHING || verdict == QUEUE_TEMP;
	return gravity > f->gravity;
}

void
job_fail(
    struct job *j, enum job_gravity gravity, enum queue_verdict verdict, const char *status, const char *format, ...)
{
	struct job_failure *f = &j->failure;
	struct str host = job_hop(j)->host;
	va_list args;

	if (!is_graver(f, gravity, verdict))
		return;
	f->gravity = gravity;
	f->verdict = verdict;
	f->hop = (unsigned)j->nhops - 1;
	snprintf(f->status, sizeof f->status, "%s", status);
	snprintf(f->text, sizeof f->text, "%.*s%s", STR_ARG(str_sub(host, 0, 200)), host.n > 0 ? ": " : "");
	va_start(args, format);
	add_words(f->text, sizeof f->text, format, args);
	va_end(args);
}

void
job_answer_open(struct job *j, enum queue_verdict verdict, const char *status, const char *text)
{
	for (size_t i = 0; i < j->what.n; i++) {
		struct queue_relayed_rcpt *r = &j->rcpts[i];

		if (j->states[i] != JOB_OPEN)
			continue;
		*r = (struct queue_relayed_rcpt){ .verdict = verdict, .hop = j->failure.hop };
		if (j->failure.gravity == JOB_NOTHING || r->hop >= j->nhops)
			r->hop = (unsigned)j->nhops;
		snprintf(r->status, sizeof r->status, "%s", status);
		snprintf(r->text, sizeof r->text, "%s", text);
		j->states[i] = JOB_FINAL;
	}
}
