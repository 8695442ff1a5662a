/* accept_tell.c - what log and sender hear of an accepted message. */
#include <postern/core/log.h>

#include "accept.h"
#include "report.h"
#include "submission.h"
#include "tell.h"

static void
tell_target(const struct submission *s, const char *event, const struct target *t, const char *status, const char *text)
{
	const struct tell line = { .qid = s->qid, .sid = s->message.sid, .from = s->message.sender, .to = t->to.user,
		.orig_to = t->to.orig_to, .received = s->message.received,
		.status = str_of(t->why != NULL ? t->why->status : status),
		.text = str_of(t->why != NULL ? t->why->text : text) };

	tell_outcome(event, &line);
}

void
accept_tell(const struct submission *s)
{
	for (uint32_t i = 0; i < s->ntargets; i++) {
		const struct target *t = &s->targets[i];

		if (t->fate == FATE_DONE)
			tell_target(s, "deliver", t, "2.0.0", "delivered");
		else if (t->fate == FATE_REFUSED)
			tell_target(s, "bounce", t, "5.3.0", "refused");
		else if (t->local)
			tell_target(s, "defer", t, SUBMISSION_GONE_STATUS, SUBMISSION_GONE_TEXT);
	}
}

static struct bounce_recipient
success_line(enum bounce_action action, struct str address, struct str orcpt)
{
	bool expanded = action == BOUNCE_EXPANDED;

	return (struct bounce_recipient){ .action = action, .address = address, .orcpt = orcpt, .status = STR("2.0.0"),
		.text = expanded ? STR("forwarded to several addresses") : STR("delivered"), .tried = wall_now() };
}

/* NOTIFY=SUCCESS, RFC 3461 5.2: one notification for all of the message. */
void
accept_report_success(struct submission *s)
{
	struct bounce_recipient *about = arena_array(&s->mem, (size_t)s->ntargets + s->nexpanded, sizeof *about);
	struct change *c;
	struct err e;
	size_t n = 0;

	for (uint32_t i = 0; i < s->ntargets; i++) {
		const struct target *t = &s->targets[i];

		if (t->fate == FATE_DONE && (t->notify & ENVELOPE_NOTIFY_SUCCESS) != 0)
			about[n++] = success_line(BOUNCE_DELIVERED, t->to.orig_to, t->orcpt);
	}
	for (uint32_t i = 0; i < s->nexpanded; i++)
		about[n++] = success_line(BOUNCE_EXPANDED, s->expanded[i].address, s->expanded[i].orcpt);
	if (n == 0 || s->message.sender.n == 0)
		return;
	c = report_new(s->q, s->qid, &s->message, s->fd, about, n, &e);
	if (c != NULL)
		change_submit(c, NULL, NULL);
	else
		log_say(LEVEL_WARN, "error", "success report: %s", e.log);
}
