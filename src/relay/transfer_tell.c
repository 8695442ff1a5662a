/* transfer_tell.c - hops and words: what a job's answer says of the hosts that were tried. */
#include <stdarg.h>
#include <stdio.h>

#include <postern/core/log.h>
#include <postern/core/utf8.h>
#include <postern/tls/facts.h>

#include "transfer.h"

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

void
transfer_copy(char out[static QUEUE_TEXT_SIZE], struct str words)
{
	snprintf(out, QUEUE_TEXT_SIZE, "%.*s", STR_ARG(words));
	cut_clean(out);
}

__attribute__((format(printf, 3, 0))) static void
add_words(char *text, size_t size, const char *format, va_list args)
{
	size_t n = strlen(text);

	vsnprintf(text + n, size - n, format, args);
	cut_clean(text);
}

void
transfer_words(
    char out[static QUEUE_TEXT_SIZE], unsigned code, const char *enhanced, struct str words, enum smtp_out_stage stage)
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
transfer_hop(struct transfer *t)
{
	ASSERT(t->nhops > 0);
	return &t->hops[t->nhops - 1];
}

static bool
is_told_of(const struct transfer *t, size_t hop)
{
	for (size_t i = 0; i < t->what.n; i++)
		if (t->states[i] != TRANSFER_OPEN && t->rcpts[i].hop == hop)
			return true;
	return false;
}

/* Takes out a row; what points behind it moves. */
static void
remove_hop(struct transfer *t, size_t hop)
{
	t->nhops--;
	memmove(&t->hops[hop], &t->hops[hop + 1], (t->nhops - hop) * sizeof *t->hops);
	for (size_t i = 0; i < t->what.n; i++)
		t->rcpts[i].hop -= t->states[i] != TRANSFER_OPEN && t->rcpts[i].hop > hop;
	if (t->failure.hop > hop)
		t->failure.hop--;
	else if (t->failure.hop == hop)
		t->failure.hop = QUEUE_HOPS_MAX;
}

/* The rows are few: one that nobody's words are from goes first, and of those one that is not counted. */
static void
make_room(struct transfer *t)
{
	size_t which = 0;

	if (t->nhops < QUEUE_HOPS_MAX)
		return;
	while (which < t->nhops && (is_told_of(t, which) || t->hops[which].counted))
		which++;
	for (size_t i = 0; which == t->nhops && i < t->nhops; i++)
		which = is_told_of(t, i) ? which : i;
	remove_hop(t, which < t->nhops ? which : 0);
}

void
transfer_hop_begin(struct transfer *t, struct str host, const struct tls_decision *d)
{
	struct queue_hop *h;

	make_room(t);
	h = &t->hops[t->nhops++];
	*h = (struct queue_hop){ .host = arena_str(&t->mem, host), .ip = STR(""), .why = STR(""), .reason = STR("") };
	if (d == NULL)
		return;
	h->wanted = d->level;
	h->policy = d->policy;
	h->result = d->report;
	transfer_hop_say(t, "%s", d->why);
}

/* What was demanded of a host that was kept away: what its policy had come to, or what it would have come to. */
static enum tls_level
wanted_of(const struct tls_decision *d)
{
	if (d->level != TLS_LEVEL_NONE)
		return d->level;
	return d->policy == TLSRPT_TLSA ? TLS_LEVEL_DANE : d->policy == TLSRPT_STS ? TLS_LEVEL_VERIFY : TLS_LEVEL_NONE;
}

void
transfer_hop_refused(struct transfer *t, const struct relay_host *h)
{
	transfer_hop_begin(t, h->name, NULL);
	transfer_hop_say(t, "%s", h->words);
	transfer_hop(t)->wanted = wanted_of(&h->decision);
	transfer_hop(t)->policy = h->decision.policy;
	transfer_hop(t)->result = h->decision.report;
	transfer_hop(t)->counted = h->decision.report != TLSRPT_OK;
}

void
transfer_hop_drop(struct transfer *t)
{
	remove_hop(t, t->nhops - 1);
}

void
transfer_hop_peer(struct transfer *t, const struct addr *peer)
{
	char text[ADDR_TEXT_SIZE];

	transfer_hop(t)->ip = arena_str(&t->mem, str_from(text, addr_text(peer, text)));
}

void
transfer_hop_say(struct transfer *t, const char *format, ...)
{
	struct queue_hop *h = transfer_hop(t);
	char text[QUEUE_TEXT_SIZE];
	va_list args;

	snprintf(text, sizeof text, "%.*s%s", STR_ARG(h->why), h->why.n > 0 ? "; " : "");
	va_start(args, format);
	add_words(text, sizeof text, format, args);
	va_end(args);
	h->why = arena_str(&t->mem, str_of(text));
}

void
transfer_hop_reused(struct transfer *t)
{
	const struct link_about *a = &t->link->about;
	struct queue_hop *h;

	transfer_hop_begin(t, str_of(a->host), NULL);
	transfer_hop_peer(t, &t->link->peer);
	transfer_hop_say(t, "%s; the connection was open", a->why);
	h = transfer_hop(t);
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
log_tls(const struct transfer *t)
{
	const struct queue_hop *h = &t->hops[t->nhops - 1];
	SSL *ssl = conn_ssl(t->link->conn);
	char qid[ID_TEXT_SIZE];
	struct tls_facts f;
	struct log_line l;

	id_text(t->what.qid, qid);
	log_begin(&l, LEVEL_INFO, "tls");
	log_str(&l, "sid", t->what.sid);
	log_cstr(&l, "qid", qid);
	log_str(&l, "host", h->host);
	log_str(&l, "ip", h->ip);
	if (t->link->tls.stands) {
		tls_facts_read(ssl, &f);
		log_cstr(&l, "version", f.version);
		log_cstr(&l, "cipher", f.cipher);
		log_cstr(&l, "group", f.group);
	}
	log_cstr(&l, "tls_wanted", tls_level_name(h->wanted));
	log_cstr(&l, "tls_got", tls_level_name(h->got));
	log_fmt(&l, "tls_why", "%.*s%s%s", STR_ARG(h->why), t->link->tls.stands ? "" : "; ",
	    t->link->tls.stands ? "" : t->link->tls.outcome.words);
	log_end(&l);
}

static void
tell_handshake(struct transfer *t, const struct tls_decision *d)
{
	const struct link_tls *tls = &t->link->tls;
	struct queue_hop *h = transfer_hop(t);

	count(h, d, tls->outcome.report);
	h->got = tls->stands ? tls->outcome.got : TLS_LEVEL_NONE;
	h->reason = arena_str(&t->mem, str_of(tls->outcome.reason));
	h->handshake_failed = !tls->stands;
	if (tls->stands)
		transfer_hop_say(t, "%s", tls->outcome.words);
	log_tls(t);
}

static bool
has_no_starttls(const struct transfer *t, const struct smtp_out_end *end)
{
	if (end == NULL)
		return !t->plain && !t->link->tls.tried;
	return end->why == SMTP_OUT_NO_TLS || end->why == SMTP_OUT_TLS_REFUSED;
}

void
transfer_hop_tls(struct transfer *t, const struct tls_decision *d, const struct smtp_out_end *end)
{
	if (t->plain || d->level == TLS_LEVEL_NONE)
		return;
	if (t->link->tls.tried)
		tell_handshake(t, d);
	else if (end != NULL && end->why == SMTP_OUT_INJECTED)
		count(transfer_hop(t), d, TLSRPT_VALIDATION_FAILURE);
	else if (has_no_starttls(t, end))
		count(transfer_hop(t), d, TLSRPT_STARTTLS_NOT_SUPPORTED);
	if (end == NULL && !t->link->tls.tried)
		transfer_hop_say(t, "%s", tls_failure_words(TLS_FAILURE_NOT_OFFERED));
}

/* --- what is said to those that no server answered --- */

static bool
is_graver(const struct transfer_failure *f, enum transfer_gravity gravity, enum queue_verdict verdict)
{
	if (f->gravity == TRANSFER_NOTHING || f->verdict != verdict)
		return f->gravity == TRANSFER_NOTHING || verdict == QUEUE_TEMP;
	return gravity > f->gravity;
}

void
transfer_fail(struct transfer *t, enum transfer_gravity gravity, enum queue_verdict verdict, const char *status,
    const char *format, ...)
{
	struct transfer_failure *f = &t->failure;
	struct str host = transfer_hop(t)->host;
	va_list args;

	if (!is_graver(f, gravity, verdict))
		return;
	f->gravity = gravity;
	f->verdict = verdict;
	f->hop = (unsigned)t->nhops - 1;
	snprintf(f->status, sizeof f->status, "%s", status);
	snprintf(f->text, sizeof f->text, "%.*s%s", STR_ARG(str_sub(host, 0, 200)), host.n > 0 ? ": " : "");
	va_start(args, format);
	add_words(f->text, sizeof f->text, format, args);
	va_end(args);
}

void
transfer_answer_open(struct transfer *t, enum queue_verdict verdict, const char *status, const char *text)
{
	for (size_t i = 0; i < t->what.n; i++) {
		struct queue_relayed_rcpt *r = &t->rcpts[i];

		if (t->states[i] != TRANSFER_OPEN)
			continue;
		*r = (struct queue_relayed_rcpt){ .verdict = verdict, .hop = t->failure.hop };
		if (t->failure.gravity == TRANSFER_NOTHING || r->hop >= t->nhops)
			r->hop = (unsigned)t->nhops;
		snprintf(r->status, sizeof r->status, "%s", status);
		snprintf(r->text, sizeof r->text, "%s", text);
		t->states[i] = TRANSFER_FINAL;
	}
}
