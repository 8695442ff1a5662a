/* qresync.c - what a client that was away missed (RFC 7162 3.2.5, 3.2.6, 3.2.10). */
#include "qresync.h"

#include "sync.h"

enum {
	RANGES_PER_LINE = 500,
	MESSAGES_PER_STEP = 256,
};

/* --- the parameter --- */

/* known-uids and the like: no "*", no "$". */
static struct seq_set
plain_set(struct lex *l)
{
	struct seq_set set = lex_seq_set(l);

	for (size_t i = 0; i < set.n; i++)
		if (set.r[i].lo == 0 || set.r[i].hi == 0)
			lex_fail(l, "\"*\" is not allowed here");
	if (set.saved)
		lex_fail(l, "\"$\" is not allowed here");
	return set;
}

static struct seq_set
ascending_set(struct lex *l)
{
	struct seq_set set = plain_set(l);

	for (size_t i = 0; i < set.n && lex_ok(l); i++)
		if (set.r[i].lo > set.r[i].hi || (i > 0 && set.r[i].lo <= set.r[i - 1].hi))
			lex_fail(l, "expected numbers in ascending order");
	return set;
}

static uint64_t
count(const struct seq_set *set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += (uint64_t)set->r[i].hi - set->r[i].lo + 1;
	return n;
}

/* "(" known-sequence-set SP known-uid-set ")" */
static void
match_data(struct lex *l, struct qresync *q)
{
	lex_want(l, '(');
	q->seqs = ascending_set(l);
	lex_sp(l);
	q->uids = ascending_set(l);
	lex_want(l, ')');
	if (lex_ok(l) && count(&q->seqs) != count(&q->uids))
		lex_fail(l, "expected as many UIDs as sequence numbers");
}

/* "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" */
void
lex_qresync(struct lex *l, struct qresync *q)
{
	lex_want(l, '(');
	q->uidvalidity = lex_nz_number(l);
	lex_sp(l);
	q->modseq = lex_number64(l);
	if (lex_take(l, ' ') && cur_peek(&l->c) != '(') {
		q->limited = true;
		q->known = plain_set(l);
		if (lex_take(l, ' '))
			match_data(l, q);
	} else if (lex_ok(l) && cur_peek(&l->c) == '(') {
		match_data(l, q);
	}
	lex_want(l, ')');
}

/* --- match data --- */

/* The pairs that begin with seq and uid, n of them, as far as they are of one run of the view: the last UID if they
 * match, else 0. *n becomes how many were looked at. */
static uint32_t
match_run(const struct view *v, uint32_t seq, uint32_t uid, uint64_t *n)
{
	uint32_t left = view_run_left(v, seq);

	if (left == 0)
		return 0;
	if (*n > left)
		*n = left;
	return view_uid(v, seq) == uid ? uid + (uint32_t)*n - 1 : 0;
}

/* Two sets side by side, as the pieces in which both are consecutive. */
struct pairs {
	const struct qresync *q;
	size_t i;
	size_t j;
	uint64_t at_seq; /* pairs of range i that are done */
	uint64_t at_uid;
};

static uint64_t
next_pairs(const struct pairs *p, uint32_t *seq, uint32_t *uid)
{
	const struct seq_range *a = &p->q->seqs.r[p->i];
	const struct seq_range *b = &p->q->uids.r[p->j];
	uint64_t na = (uint64_t)a->hi - a->lo + 1 - p->at_seq;
	uint64_t nb = (uint64_t)b->hi - b->lo + 1 - p->at_uid;

	*seq = a->lo + (uint32_t)p->at_seq;
	*uid = b->lo + (uint32_t)p->at_uid;
	return na < nb ? na : nb;
}

static void
skip_pairs(struct pairs *p, uint64_t n)
{
	const struct seq_range *a = &p->q->seqs.r[p->i];
	const struct seq_range *b = &p->q->uids.r[p->j];

	p->at_seq += n;
	p->at_uid += n;
	if (p->at_seq > a->hi - a->lo) {
		p->at_seq = 0;
		p->i++;
	}
	if (p->at_uid > b->hi - b->lo) {
		p->at_uid = 0;
		p->j++;
	}
}

/* Messages only leave: where a number still has its UID, everything below is as the client knows it. */
uint32_t
qresync_match(const struct view *v, const struct qresync *q)
{
	struct pairs p = { .q = q };
	uint32_t best = 0;

	while (p.i < q->seqs.n && p.j < q->uids.n) {
		uint32_t seq, uid;
		uint64_t n = next_pairs(&p, &seq, &uid);
		uint32_t match = match_run(v, seq, uid, &n);

		if (match > best)
			best = match;
		skip_pairs(&p, n);
	}
	return best;
}

/* --- what happened --- */

void
resync_fini(struct resync *r)
{
	uidset_fini(&r->gone);
	uidset_fini(&r->changed);
}

static void
all_uids(const struct view *v, struct uidset *uids)
{
	struct uidset seqs;

	uidset_init(&seqs);
	if (v->count > 0)
		uidset_add(&seqs, 1, v->count);
	view_uids(v, &seqs, uids);
	uidset_fini(&seqs);
}

bool
resync_look(struct resync *r, struct imap_session *s, struct store_view *v, uint64_t since, const struct uidset *uids)
{
	struct store_changes c = { 0 };
	struct uidset here;
	bool ok = store_changes(v, s->box->mailbox, since, &c);

	resync_fini(r);
	*r = (struct resync){ .since = since, .gone = c.gone, .changed = c.changed };
	uidset_init(&here);
	all_uids(&s->box->view, &here);
	uidset_keep_set(&r->gone, uids);
	uidset_remove_set(&r->gone, &here);
	uidset_keep_set(&r->changed, uids);
	uidset_keep_set(&r->changed, &here);
	uidset_fini(&here);
	r->next = uidset_first(&r->changed);
	return ok;
}

bool
resync_tell_gone(struct resync *r, struct imap_session *s)
{
	if (r->gone_at >= r->gone.n)
		return false;
	qresync_write_vanished(&s->out, &r->gone, &r->gone_at, VANISHED_EARLIER);
	return true;
}

enum step
resync_tell_changed(struct resync *r, struct imap_session *s, struct store_view *v)
{
	struct str keywords[STORE_KEYWORDS_MAX];
	struct store_message m;

	if (r->next != 0 && store_keywords(v, s->box->mailbox, keywords) > s->box->keywords)
		sync_write_flags(s, v);
	for (unsigned n = 0; n < MESSAGES_PER_STEP && r->next != 0; n++) {
		if (store_message(v, s->box->mailbox, r->next, &m) && m.modseq > r->since)
			sync_write_fetch(s, view_seq(&s->box->view, r->next), &m, keywords);
		r->next = r->next < UINT32_MAX ? uidset_next(&r->changed, r->next + 1) : 0;
	}
	return r->next != 0 ? STEP_MORE : STEP_DONE;
}

void
qresync_write_vanished(struct buf *out, const struct uidset *uids, size_t *at, enum vanished when)
{
	size_t end = uids->n - *at > RANGES_PER_LINE ? *at + RANGES_PER_LINE : uids->n;
	struct uidset part = { .p = uids->p + *at, .n = end - *at };

	buf_add_cstr(out, when == VANISHED_EARLIER ? "* VANISHED (EARLIER) " : "* VANISHED ");
	uidset_write(&part, out);
	buf_add_cstr(out, "\r\n");
	*at = end;
}
