/* store_deliver.c - a message file of the queue becomes a file in each recipient's mailbox.
 *
 * The file is hostile input: whoever wrote it may be taken over. Only its bounds are used here, and envelope_open checks them. */
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/message/envelope.h>
#include <postern/queue/queue.h>
#include <postern/store/deliver.h>

#include "store.h"

struct delivery {
	struct store_role *role;
	struct ipc_question *question;
	bool settle; /* of a SETTLE question */
};

static struct delivery *
new_delivery(struct store_role *r, struct ipc_question *q, bool settle)
{
	struct delivery *d = NEW(struct delivery);

	*d = (struct delivery){ r, q, settle };
	return d;
}

static char
verdict_of(const struct store_outcome *o)
{
	switch (o->state) {
	case STORE_STORED:
		return QUEUE_DONE;
	case STORE_PREPARED:
		return QUEUE_PREPARED;
	default:
		return o->err.class == ERR_PERM ? QUEUE_PERM : QUEUE_TEMP;
	}
}

static void
reply(struct delivery *d, const struct store_outcome *outcomes, size_t n)
{
	char verdicts[QUEUE_BATCH_MAX];
	struct str statuses[QUEUE_BATCH_MAX];
	struct str texts[QUEUE_BATCH_MAX];
	uint32_t count = (uint32_t)(n < QUEUE_BATCH_MAX ? n : QUEUE_BATCH_MAX);

	for (uint32_t i = 0; i < count; i++) {
		bool refused = outcomes[i].state == STORE_REFUSED;

		verdicts[i] = verdict_of(&outcomes[i]);
		d->role->delivered += outcomes[i].state == STORE_STORED;
		statuses[i] = !refused ? STR("2.1.5") : outcomes[i].err.class == ERR_PERM ? STR("5.2.2") : STR("4.2.0");
		texts[i] = str_of(refused ? outcomes[i].err.say : "");
		if (refused)
			log_say(LEVEL_WARN, "deliver", "%s", outcomes[i].err.log);
	}
	if (d->settle)
		answer_settle(d->question, &(struct settle_answer){ .verdicts = str_from(verdicts, count),
					       .statuses = { statuses, count },
					       .texts = { texts, count } });
	else
		answer_deliver(d->question, &(struct deliver_answer){ .verdicts = str_from(verdicts, count),
						.statuses = { statuses, count },
						.texts = { texts, count } });
	free(d);
}

static void
on_delivered(void *ctx, const struct store_outcome *outcomes, size_t n)
{
	reply(ctx, outcomes, n);
}

static void
refuse_all(struct delivery *d, uint32_t n, const struct err *e)
{
	static struct store_outcome outcomes[QUEUE_BATCH_MAX];

	for (uint32_t i = 0; i < n; i++)
		outcomes[i] = (struct store_outcome){ .state = STORE_REFUSED, .err = *e };
	reply(d, outcomes, n);
}

/* Trace lines of the last hop (RFC 5321 4.4): who it came from, whose mailbox this is, and whom the sender meant. */
static struct str
head_of(struct arena *a, struct str sender, struct str user, struct str orig_to)
{
	struct str lines =
	    arena_strf(a, "Return-Path: <%.*s>\r\nDelivered-To: %.*s\r\n", STR_ARG(sender), STR_ARG(user));

	if (orig_to.n == 0 || str_eq_nocase(orig_to, user))
		return lines;
	return arena_strf(a, "%.*sX-Original-To: %.*s\r\n", STR_ARG(lines), STR_ARG(orig_to));
}

/* The texts go into a header: they must not hold a line end, whoever sent them. */
static bool
texts_ok(const struct deliver_ask *ask)
{
	if (ask->users.n == 0 || ask->users.n > QUEUE_BATCH_MAX || ask->details.n != ask->users.n ||
	    ask->orig_tos.n != ask->users.n || !envelope_text_ok(ask->sender, ENVELOPE_ADDRESS_MAX))
		return false;
	for (uint32_t i = 0; i < ask->users.n; i++)
		if (!envelope_text_ok(ask->users.v[i], ENVELOPE_ADDRESS_MAX) ||
		    !envelope_text_ok(ask->orig_tos.v[i], ENVELOPE_ADDRESS_MAX))
			return false;
	return true;
}

static bool
find_parts(int fd, struct store_part parts[static 2], struct err *e)
{
	static struct envelope_reader r; /* large; one at a time */
	bool ok = envelope_open(&r, fd, e);

	if (ok) {
		parts[0] = (struct store_part){ r.prefix_at, r.prefix_n };
		parts[1] = (struct store_part){ r.body_at, r.body_n };
	}
	envelope_close(&r);
	return ok;
}

void
store_on_deliver(void *ctx, struct ipc_question *q, const struct deliver_ask *ask)
{
	struct store_role *r = store_role_of(ctx);
	struct delivery *d = new_delivery(r, q, false);
	struct store_target targets[QUEUE_BATCH_MAX];
	struct store_delivery s = {
		.id = ask->delivery, .fd = ask->file, .targets = targets, .ntargets = ask->users.n
	};
	struct arena a;
	struct err e;

	if (ask->file == -1 || !texts_ok(ask)) {
		int fd = ask->file;

		io_close(&fd);
		err_perm(&e, "internal error", "delivery with wrong texts");
		refuse_all(d, ask->users.n < QUEUE_BATCH_MAX ? ask->users.n : QUEUE_BATCH_MAX, &e);
		return;
	}
	if (!find_parts(ask->file, s.parts, &e)) {
		close(ask->file);
		refuse_all(d, ask->users.n, &e);
		return;
	}
	arena_init(&a);
	for (uint32_t i = 0; i < ask->users.n; i++)
		targets[i] = (struct store_target){ .user = ask->users.v[i], .mailbox = ask->details.v[i],
			.head = head_of(&a, ask->sender, ask->users.v[i], ask->orig_tos.v[i]) };
	store_deliver(r->store, &s, ask->mode == QUEUE_PREPARE ? STORE_DELIVER_PREPARE : STORE_DELIVER_WHOLE,
	    (struct store_delivered){ on_delivered, d });
	arena_fini(&a);
}

void
store_on_settle(void *ctx, struct ipc_question *q, const struct settle_ask *ask)
{
	struct store_role *r = store_role_of(ctx);

	if (ask->how == QUEUE_PUBLISH) {
		store_publish(
		    r->store, ask->delivery, (struct store_delivered){ on_delivered, new_delivery(r, q, true) });
		return;
	}
	store_drop(r->store, ask->delivery);
	answer_settle(q, &(struct settle_answer){ .verdicts = STR("") });
}
