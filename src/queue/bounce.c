/* bounce.c - the text of a delivery status notification.
 *
 * Texts come from envelopes and ledger rows, where no control byte passes; the returned message comes as it is and
 * is the last part, closed by a boundary that is random. */
#include "bounce.h"

#include <postern/core/utf8.h>
#include <postern/message/date.h>

static const struct {
	const char *word;    /* RFC 3464 2.3.3 */
	const char *subject;
	const char *intro;
} action[] = {
	[BOUNCE_FAILED] = { "failed", "Undelivered mail returned to sender",
	    "Your message could not be delivered to the recipients below. It will not be\r\ntried again.\r\n" },
	[BOUNCE_DELAYED] = { "delayed", "Delayed mail (still being tried)",
	    "Your message could not be delivered to the recipients below yet. You need not\r\n"
	    "send it again: delivery goes on being tried.\r\n" },
	[BOUNCE_DELIVERED] = { "delivered", "Mail delivered",
	    "Your message was delivered, as you asked to be told.\r\n" },
	[BOUNCE_RELAYED] = { "relayed", "Mail relayed",
	    "Your message was handed to a mail server that does not report delivery.\r\n" },
	[BOUNCE_EXPANDED] = { "expanded", "Mail forwarded",
	    "Your message was forwarded to the addresses behind its recipient.\r\n" },
};

struct writer {
	struct buf *out;
	const struct bounce *b;
	char boundary[ID_TEXT_SIZE];
	bool utf8;     /* an address or text beyond ASCII: RFC 6533 */
	bool returns8; /* the returned part has bytes above 127 */
};

static void
line(struct buf *out, const char *name, struct str value)
{
	buf_add_cstr(out, name);
	buf_add_cstr(out, ": ");
	buf_add(out, value);
	buf_add_cstr(out, "\r\n");
}

static void
date_line(struct buf *out, const char *name, struct wall t)
{
	buf_add_cstr(out, name);
	buf_add_cstr(out, ": ");
	date_write_mail(out, date_local(t));
	buf_add_cstr(out, "\r\n");
}

/* "Name: type; value" */
static void
typed_line(struct buf *out, const char *name, const char *type, struct str value)
{
	buf_addf(out, "%s: %s; ", name, type);
	buf_add(out, value);
	buf_add_cstr(out, "\r\n");
}

static void
part(struct writer *w, const char *type, bool eight)
{
	buf_addf(w->out, "--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", w->boundary, type,
	    eight ? "8bit" : "7bit");
}

static enum bounce_action
main_action(const struct bounce *b)
{
	enum bounce_action first = b->n > 0 ? b->recipients[0].action : BOUNCE_FAILED;

	for (size_t i = 0; i < b->n; i++)
		if (b->recipients[i].action < first)
			first = b->recipients[i].action;
	return first;
}

/* RFC 3834 5: Auto-Submitted keeps responders quiet. */
static void
write_header(struct writer *w)
{
	const struct bounce *b = w->b;

	buf_addf(w->out, "From: Mail Delivery System <MAILER-DAEMON@%.*s>\r\nTo: <", STR_ARG(b->hostname));
	buf_add(w->out, b->to);
	buf_addf(w->out, ">\r\nSubject: %s\r\n", action[main_action(b)].subject);
	date_line(w->out, "Date", b->now);
	buf_addf(w->out, "Message-ID: <%s@%.*s>\r\n", w->boundary, STR_ARG(b->hostname));
	buf_addf(w->out,
	    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report;\r\n\t"
	    "report-type=%sdelivery-status; boundary=\"%s\"\r\n",
	    w->utf8 ? "global-" : "", w->boundary);
	if (w->utf8 || w->returns8)
		line(w->out, "Content-Transfer-Encoding", STR("8bit"));
	buf_add_cstr(w->out, "\r\n");
}

static void
write_words(struct writer *w)
{
	const struct bounce *b = w->b;

	part(w, "text/plain; charset=utf-8", w->utf8);
	buf_addf(w->out, "This is the mail server %.*s.\r\n\r\n%s\r\n", STR_ARG(b->hostname),
	    action[main_action(b)].intro);
	for (size_t i = 0; i < b->n; i++) {
		const struct bounce_recipient *r = &b->recipients[i];

		buf_add_cstr(w->out, "<");
		buf_add(w->out, r->address);
		buf_addf(w->out, ">: %s (%.*s)\r\n    ", action[r->action].word, STR_ARG(r->status));
		if (r->said && r->host.n > 0)
			buf_addf(w->out, "%.*s said: ", STR_ARG(r->host));
		buf_add(w->out, r->text);
		buf_add_cstr(w->out, "\r\n");
		if (r->action == BOUNCE_DELAYED)
			date_line(w->out, "    It is tried until", r->until);
	}
	buf_add_cstr(w->out, "\r\n");
}

/* RFC 3464 2.2 */
static void
write_message_fields(struct writer *w)
{
	const struct bounce *b = w->b;
	char qid[ID_TEXT_SIZE];

	id_text(b->qid, qid);
	if (b->envid.n > 0)
		line(w->out, "Original-Envelope-Id", b->envid);
	typed_line(w->out, "Reporting-MTA", "dns", b->hostname);
	if (b->helo.n > 0) {
		buf_add_cstr(w->out, "Received-From-MTA: dns; ");
		buf_add(w->out, b->helo);
		buf_add_cstr(w->out, " (");
		buf_add(w->out, b->client);
		buf_add_cstr(w->out, ")\r\n");
	}
	date_line(w->out, "Arrival-Date", b->arrived);
	line(w->out, "X-Queue-Id", str_of(qid));
}

/* A reply as SMTP writes it: RFC 3461 9.2. */
static bool
looks_like_reply(struct str s)
{
	return s.n > 4 && ascii_is_digit(s.p[0]) && ascii_is_digit(s.p[1]) && ascii_is_digit(s.p[2]) && s.p[3] == ' ';
}

/* The reply as it was, without what it was in reply to. */
static struct str
bare_reply(struct str s)
{
	struct str rest = s;
	size_t at;

	if (!str_ends(s, STR(")")))
		return s;
	while ((at = str_search(rest, STR(" (in reply to "))) < rest.n) {
		s.n = (size_t)(rest.p - s.p) + at;
		rest = str_sub(rest, at + 1, rest.n);
	}
	return s;
}

/* RFC 3464 2.3.5, 2.3.6: the host is named when the words are its own; a diagnostic of type smtp must look like a reply. */
static void
write_diagnostic(struct writer *w, const struct bounce_recipient *r)
{
	bool reply = r->said && looks_like_reply(r->text);

	if (r->host.n > 0 && (r->said || r->action == BOUNCE_RELAYED))
		typed_line(w->out, "Remote-MTA", "dns", r->host);
	if (r->action == BOUNCE_FAILED || r->action == BOUNCE_DELAYED || reply)
		typed_line(w->out, "Diagnostic-Code", reply ? "smtp" : "X-Postern",
		    reply ? bare_reply(r->text) : r->text);
}

/* RFC 3464 2.3 */
static void
write_recipient_fields(struct writer *w, const struct bounce_recipient *r)
{
	buf_add_cstr(w->out, "\r\n");
	if (r->orcpt.n > 0)
		line(w->out, "Original-Recipient", r->orcpt);
	typed_line(w->out, "Final-Recipient", ascii_only(r->address) ? "rfc822" : "utf-8", r->address);
	line(w->out, "Action", str_of(action[r->action].word));
	line(w->out, "Status", r->status);
	write_diagnostic(w, r);
	if (r->tried.us != 0)
		date_line(w->out, "Last-Attempt-Date", r->tried);
	if (r->action == BOUNCE_DELAYED)
		date_line(w->out, "Will-Retry-Until", r->until);
}

static void
write_status(struct writer *w)
{
	part(w, w->utf8 ? "message/global-delivery-status" : "message/delivery-status", w->utf8);
	write_message_fields(w);
	for (size_t i = 0; i < w->b->n; i++)
		write_recipient_fields(w, &w->b->recipients[i]);
	buf_add_cstr(w->out, "\r\n");
}

/* The header of the message; all of it when the header does not end. */
static struct str
header_of(struct str message)
{
	size_t n = str_search(message, STR("\r\n\r\n"));

	return n < message.n ? str_sub(message, 0, n + 4) : message;
}

static void
write_returned(struct writer *w)
{
	struct str r = w->b->returned;
	bool global = !ascii_only(header_of(r)); /* RFC 6532 header: message/rfc822 would be wrong */

	if (r.n == 0)
		return;
	if (w->b->whole)
		part(w, global ? "message/global" : "message/rfc822", w->returns8);
	else
		part(w, global ? "message/global-headers" : "text/rfc822-headers", w->returns8);
	buf_add(w->out, r);
	buf_add_cstr(w->out, "\r\n"); /* the boundary's own, RFC 2046 5.1.1 */
}

static bool
needs_utf8(const struct bounce *b)
{
	bool ascii = ascii_only(b->to) && ascii_only(b->helo) && ascii_only(b->envid);

	for (size_t i = 0; i < b->n && ascii; i++) {
		const struct bounce_recipient *r = &b->recipients[i];

		ascii = ascii_only(r->address) && ascii_only(r->orcpt) && ascii_only(r->text) && ascii_only(r->host);
	}
	return !ascii;
}

bool
bounce_write(struct buf *out, const struct bounce *b)
{
	struct writer w = { .out = out, .b = b, .utf8 = needs_utf8(b), .returns8 = !ascii_only(b->returned) };

	id_text(b->id, w.boundary);
	write_header(&w);
	write_words(&w);
	write_status(&w);
	write_returned(&w);
	buf_addf(out, "--%s--\r\n", w.boundary);
	return w.utf8 || w.returns8;
}
