/* read_message.c - from the message file to a submission: checks the descriptor, copies the envelope, joins
 * duplicates.
 *
 * The bytes come from smtp, which may have been taken over: the reader (message/envelope.h) has checked every text;
 * here it is checked that the file is one that nobody changes any more, or an unlinked spool file of ours. */
#include "submission.h"

static bool
check_descriptor(struct submission *s, struct err *e)
{
	enum envelope_file what;

	if (!envelope_check_fd(s->fd, s->q->options.limits.message_size, &what, e))
		return false;
	if (what == ENVELOPE_SPOOL && !spool_is_new(&s->q->spool, s->fd))
		return err_perm(e, "the message file is damaged",
		    "message file: a file that the queue did not hand out");
	s->message.in_file = what == ENVELOPE_SPOOL;
	return true;
}

static void
copy_envelope(struct submission *s, const struct envelope_reader *r)
{
	struct row_message *m = &s->message;
	const struct envelope *v = &r->envelope;

	s->qid = v->qid;
	m->in_file = m->in_file || r->size > QUEUE_INLINE_MAX;
	m->file_size = r->size;
	m->message_size = r->prefix_n + r->body_n;
	m->received = v->received;
	m->flags = r->flags;
	m->ret = v->ret;
	m->sid = arena_str(&s->mem, v->sid);
	m->client = arena_str(&s->mem, v->client);
	m->helo = arena_str(&s->mem, v->helo);
	m->login = arena_str(&s->mem, v->login);
	m->sender = arena_str(&s->mem, v->sender);
	m->envid = arena_str(&s->mem, v->envid);
}

/* What both senders want: silence only when both do. */
static unsigned
join_notify(unsigned a, unsigned b)
{
	const unsigned usual = ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_DELAY;
	unsigned both = (a != 0 ? a : usual) | (b != 0 ? b : usual);

	return both == ENVELOPE_NOTIFY_NEVER ? both : both & ~(unsigned)ENVELOPE_NOTIFY_NEVER;
}

/* The same user (and detail) twice gets one copy. */
static bool
join_duplicate(struct map *seen, const struct envelope_target *t, unsigned notify, struct target *fresh)
{
	struct target *old;
	struct buf key;

	buf_init(&key, ENVELOPE_ADDRESS_MAX + ENVELOPE_DETAIL_MAX + 8);
	buf_add_char(&key, (char)t->kind);
	buf_add(&key, t->address);
	buf_add_char(&key, '\0');
	buf_add(&key, t->detail);
	old = map_get(seen, buf_str(&key));
	if (old != NULL)
		old->notify = join_notify(old->notify, notify);
	else
		map_put(seen, buf_str(&key), fresh);
	buf_fini(&key);
	return old != NULL;
}

struct reading {
	struct submission *s;
	struct map seen;
	struct str address, orcpt; /* of the recipient whose targets come */
	unsigned notify;
	uint32_t first_target; /* of that recipient, in file order */
	uint32_t targets_here;
};

static void
take_target(struct reading *g, const struct envelope_target *t)
{
	struct submission *s = g->s;
	struct target *to = &s->targets[s->ntargets];

	g->targets_here++;
	if (join_duplicate(&g->seen, t, g->notify, to))
		return;
	s->ntargets++;
	*to = (struct target){ .local = t->kind == ENVELOPE_LOCAL, .notify = g->notify, .orcpt = g->orcpt };
	to->delivery = id_new();
	to->to.user = arena_str(&s->mem, t->address);
	to->to.detail = arena_str(&s->mem, t->detail);
	to->to.orig_to = g->address;
	if (to->local)
		to->store = s->q->ops->store_of(s->q->ctx, to->to.user);
}

/* RFC 3461 5.2.7.3 (c): the sender hears once that the alias was expanded, and of its targets only when they fail. */
static void
end_recipient(struct reading *g)
{
	struct submission *s = g->s;

	if (g->targets_here < 2 || (g->notify & ENVELOPE_NOTIFY_SUCCESS) == 0)
		return;
	s->expanded[s->nexpanded++] = (struct expanded){ g->address, g->orcpt };
	for (uint32_t i = g->first_target; i < s->ntargets; i++) {
		unsigned *notify = &s->targets[i].notify;

		*notify &= ~(unsigned)ENVELOPE_NOTIFY_SUCCESS;
		if (*notify == 0)
			*notify = ENVELOPE_NOTIFY_NEVER;
	}
}

static void
take_recipient(struct reading *g, const struct envelope_recipient *r)
{
	end_recipient(g);
	g->address = arena_str(&g->s->mem, r->address);
	g->orcpt = arena_str(&g->s->mem, r->orcpt);
	g->notify = r->notify;
	g->first_target = g->s->ntargets;
	g->targets_here = 0;
	g->s->nrecipients++;
}

static bool
read_items(struct reading *g, struct envelope_reader *r, struct err *e)
{
	struct envelope_item it;

	for (;;) {
		switch (envelope_next(r, &it, e)) {
		case ENVELOPE_ITEM_RECIPIENT:
			take_recipient(g, &it.recipient);
			break;
		case ENVELOPE_ITEM_TARGET:
			take_target(g, &it.target);
			break;
		case ENVELOPE_ITEM_END:
			end_recipient(g);
			return true;
		case ENVELOPE_ITEM_BAD:
			return false;
		}
	}
}

bool
submission_read(struct submission *s, struct err *e)
{
	struct reading g = { .s = s };
	struct envelope_reader r;
	bool ok;

	if (!check_descriptor(s, e))
		return false;
	if (!envelope_open(&r, s->fd, e)) {
		envelope_close(&r);
		return false;
	}
	copy_envelope(s, &r);
	s->targets = arena_array(&s->mem, r.targets, sizeof *s->targets);
	s->expanded = arena_array(&s->mem, r.recipients, sizeof *s->expanded);
	map_init(&g.seen);
	ok = read_items(&g, &r, e);
	map_fini(&g.seen);
	envelope_close(&r);
	return ok;
}
