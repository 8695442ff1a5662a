/* cmd_search.c - SEARCH and UID SEARCH: the walk over the messages (RFC 9051 6.4.4). SORT and THREAD begin with it, too.
 *
 *   walk    from message to message: the record may be enough
 *   parse   a message without cache row whose envelope is asked for
 *   deepen  more of one message is fetched, level by level, until the answer is known
 *   then    what comes of what was found: the answer (search_tell.c), or sorting first */
#include "search.h"

#include <postern/core/clock.h>

#include "cacherow.h"
#include "commands.h"
#include "context.h"
#include "limit.h"

enum {
	MATCHES_PER_STEP = 8000, /* keys asked, messages together */
	KEYS_COST = 3,           /* the keys of a message cost as much as so many records … */
	ENVELOPE_COST = 10,      /* … and an envelope */
	WORD_COST = 8,           /* a word behind FUZZY costs as much as so many keys */
	LOOKED_PER_STEP = 1 << 20, /* octets of long texts */
};

static enum step walk_step(struct imap_session *s, struct command *c);
static enum step deepen_step(struct imap_session *s, struct command *c);

/* --- one message --- */

/* The next number that is asked, from this one on; 0: none. */
static uint32_t
number_from(const struct search *q, uint32_t seq)
{
	if (q->only != NULL)
		return uidset_next(q->only, seq);
	return seq <= q->box->view.count ? seq : 0;
}

static void
found(struct search *q)
{
	if (uidset_empty(&q->found))
		q->first_modseq = q->m.modseq;
	q->last_modseq = q->m.modseq;
	if (q->m.modseq > q->highest)
		q->highest = q->m.modseq;
	uidset_add(&q->found, q->next, q->next);
	if (q->scored)
		scores_add(&q->scores, q->m.uid, q->score > 0 ? q->score : FUZZY_BEST);
}

/* The message is decided: on to the next. */
static void
decided(struct search *q, enum truth t)
{
	if (t == TRUTH_YES)
		found(q);
	q->level = LEVEL_RECORD;
	letter_close(&q->letter);
	search_forget_folds(q);
	q->next = number_from(q, q->next + 1);
}

/* What cannot be read does not match, and the client is told. */
static enum step
give_up(struct search *q, struct command *c)
{
	q->failed = true;
	decided(q, TRUTH_NO);
	c->step = walk_step;
	return STEP_MORE;
}

static enum step
parse_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	if (letter_parse(&q->letter, s) == STEP_MORE)
		return STEP_MORE;
	c->step = deepen_step;
	return q->letter.tree != NULL ? STEP_MORE : give_up(q, c);
}

static enum step
text_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;
	bool ok = true;

	(void)s;
	if (search_text_step(&q->text, &q->letter, &ok) == STEP_MORE)
		return STEP_MORE;
	if (!ok)
		return give_up(q, c);
	q->level = LEVEL_TEXT;
	decided(q, search_match(q));
	c->step = walk_step;
	return STEP_MORE;
}

static bool
read_header(struct search *q)
{
	uint64_t size = q->letter.tree->root->header_size;
	struct buf header;
	bool ok;

	buf_init(&header, SEARCH_HEADER_MAX);
	ok = letter_read(&q->letter, 0, size < SEARCH_HEADER_MAX ? (size_t)size : SEARCH_HEADER_MAX, &header);
	search_fold_header(q, buf_str(&header));
	buf_fini(&header);
	return ok;
}

/* The envelope is at hand; the file is opened if a key looks into it. */
static enum step
deepen_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;
	enum truth t;

	(void)s;
	q->level = LEVEL_ENVELOPE;
	t = search_match(q);
	if (t == TRUTH_OPEN && q->letter.fd == -1)
		return give_up(q, c);
	if (t == TRUTH_OPEN) {
		if (!read_header(q))
			return give_up(q, c);
		q->level = LEVEL_HEADER;
		t = search_match(q);
	}
	c->step = walk_step;
	if (t == TRUTH_OPEN) {
		search_text_begin(&q->text, q->letter.tree);
		c->step = text_step;
		return STEP_MORE;
	}
	decided(q, t);
	return STEP_MORE;
}

/* The record was not enough: what comes next? */
static enum step
deepen(struct search *q, struct command *c, struct store_view *v)
{
	bool cached;

	letter_begin(&q->letter, q->box->user, q->box->mailbox, &q->m);
	cached = letter_cached(&q->letter, v);
	if ((!cached || q->deepest > LEVEL_ENVELOPE) && !letter_open(&q->letter, q->s, v))
		return give_up(q, c);
	c->step = cached ? deepen_step : parse_step;
	return STEP_MORE;
}

/* RFC 8474: only when somebody asks. False: the message is gone. */
static bool
find_id(struct search *q, struct store_view *v)
{
	return !q->by_id || store_email_id(v, q->box->mailbox, q->m.uid, &q->email_id);
}

/* One that others expunged matches nothing. */
static bool
find_message(struct search *q, struct store_view *v, struct store_scan *scan, uint32_t uid)
{
	bool there = store_scan_find(scan, uid, &q->m) && find_id(q, v);

	q->missing |= !there;
	return there;
}

/* The keys of the message may decide. */
static enum truth
match_keys(struct search *q, struct store_rows_walk *rows)
{
	struct str row;

	if (!q->asks_keys || !store_rows_find(rows, q->m.uid, &row) || !mailkeys_read_first(row, &q->mailkeys, q->texts))
		return TRUTH_OPEN;
	q->level = LEVEL_KEYS;
	return search_match(q);
}

/* Keys of header fields that are kept (headlines.h) need no file. */
static enum truth
match_lines(struct search *q, const struct cacherow *r)
{
	struct buf header;
	enum truth t;

	if (q->unkept || q->lines == 0 || r->lines.left_out & q->lines)
		return TRUTH_OPEN;
	buf_init(&header, SEARCH_HEADER_MAX);
	headlines_select(&header, &r->lines, q->lines);
	search_fold_header(q, buf_str(&header));
	buf_fini(&header);
	q->level = LEVEL_HEADER;
	t = search_match(q);
	q->header = NULL;
	return t;
}

/* The envelope in the cache may, too, and the header lines. */
static enum truth
match_envelope(struct search *q, struct store_view *v)
{
	struct cacherow r;
	struct str row;
	enum truth t;

	if (!store_cache(v, q->box->mailbox, q->m.uid, &row) || !cacherow_read(row, &r))
		return TRUTH_OPEN;
	q->envelope = cacherow_envelope(&q->folds, &r);
	if (q->envelope == NULL)
		return TRUTH_OPEN;
	q->level = LEVEL_ENVELOPE;
	t = search_match(q);
	if (t == TRUTH_OPEN)
		t = match_lines(q, &r);
	q->envelope = NULL;
	return t;
}

/* Messages whose records decide. A message that others expunged matches nothing. */
static enum step
walk(struct search *q, struct command *c, struct store_view *v)
{
	unsigned cost = q->nkeys + WORD_COST * q->nwords;
	struct store_scan scan;
	struct store_rows_walk rows;
	enum step step = STEP_MORE;

	q->looked = 0;
	store_rows_open(&rows, v, q->box->mailbox, STORE_KEYS);
	store_scan_open(&scan, v, q->box->mailbox, view_uid(&q->box->view, q->next));
	for (unsigned n = 0; n < MATCHES_PER_STEP && q->looked < LOOKED_PER_STEP && q->next != 0 && c->step == walk_step; n += q->nkeys) {
		uint32_t uid = view_uid(&q->box->view, q->next);
		enum truth t = TRUTH_NO;

		if (search_may_match(q, v, uid) && find_message(q, v, &scan, uid))
			t = search_match(q);
		if (t == TRUTH_OPEN) {
			t = match_keys(q, &rows);
			n += KEYS_COST * cost;
		}
		if (t == TRUTH_OPEN) {
			t = match_envelope(q, v);
			n += ENVELOPE_COST * cost;
		}
		if (t == TRUTH_OPEN)
			step = deepen(q, c, v);
		else
			decided(q, t);
	}
	store_scan_close(&scan);
	store_rows_close(&rows);
	return step;
}

static enum step
walk_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;
	struct err e;
	struct store_view *v;
	enum step step;

	if (q->next == 0) {
		search_may_end(q);
		c->step = q->then;
		return STEP_MORE;
	}
	v = session_look(s, q->box->user, &e);
	if (v == NULL)
		return done_unreadable(s, c, &e);
	step = walk(q, c, v);
	store_view_close(v);
	return step;
}

/* --- before the walk --- */

static unsigned
keyword_bit(const struct str *keywords, size_t n, struct str name)
{
	for (unsigned i = 0; i < n; i++)
		if (str_eq_nocase(keywords[i], name))
			return i;
	return STORE_KEYWORDS_MAX;
}

/* What depends on the mailbox as it is now, and on the time: keywords become bits, ages become instants. */
static void
resolve(struct search_key *k, const struct str *keywords, size_t n)
{
	for (; k != NULL; k = k->next) {
		k->keyword = keyword_bit(keywords, n, k->word);
		k->second = wall_seconds(wall_now()) - (int64_t)k->number;
		resolve(k->child, keywords, n);
	}
}

/* RFC 9051 6.4.4.1: a failed SEARCH with SAVE empties "$". */
static enum step
refuse_charset(struct imap_session *s, struct command *c)
{
	const struct search *q = c->args;
	struct buf code;

	if (q->returns & RETURN_SAVE)
		uidset_clear(&s->box->saved);
	buf_init(&code, SIZE_MAX);
	buf_add_cstr(&code, "BADCHARSET (");
	charset_list(&code);
	buf_add_char(&code, ')');
	done_no(c, "", "unknown charset");
	c->reply.code = arena_str(&c->arena, buf_str(&code));
	buf_fini(&code);
	return STEP_DONE;
}

/* Keys that are true of every message; who is gone is found later by those that look at each (search.each). */
static bool
means_all(const struct search *q)
{
	for (const struct search_key *k = q->keys; k != NULL; k = k->next)
		if (k->row != search_find(STR("ALL")))
			return false;
	return q->each != NULL;
}

static void
find_all(struct search *q)
{
	if (q->only != NULL)
		uidset_copy(&q->found, q->only);
	else if (q->box->view.count > 0)
		uidset_add(&q->found, 1, q->box->view.count);
}

enum step
search_again(struct imap_session *s, struct command *c, const struct uidset *seqs)
{
	struct search *q = c->args;
	struct str keywords[STORE_KEYWORDS_MAX];
	struct err e;
	struct store_view *v = session_look(s, q->box->user, &e);

	if (v == NULL)
		return done_unreadable(s, c, &e);
	resolve(q->keys, keywords, store_keywords(v, q->box->mailbox, keywords));
	store_view_close(v);
	uidset_clear(&q->found);
	scores_fini(&q->scores);
	q->only = seqs;
	q->may.block = UINT32_MAX;
	q->next = number_from(q, 1);
	c->step = walk_step;
	if (means_all(q)) {
		find_all(q);
		c->step = q->then;
	}
	return STEP_MORE;
}

/* What was found and told in another mailbox is forgotten. */
static void
begin_anew(struct search *q)
{
	search_forget(q);
	arena_reset(&q->sets);
	q->may = (struct search_may){ .n = 0 };
	q->highest = q->first_modseq = q->last_modseq = 0;
	q->at = 0;
	q->at_number = 0;
	q->scores_told = false;
}

/* "$" is of the selected mailbox: in others it is as empty as theirs. */
enum step
search_begin_in(struct imap_session *s, struct command *c, struct selected *box)
{
	struct search *q = c->args;

	begin_anew(q);
	q->s = s;
	q->box = box;
	q->saved = &box->saved;
	search_may_begin(q, &q->sets);
	search_apply_sets(q, q->keys);
	search_find_within(q);
	c->progress = search_progress;
	if (q->limit == SEARCH_ALL_OR_NONE && limit_refuse(s, c, uidset_count(&q->within), &q->within) == STEP_DONE)
		return STEP_DONE;
	if (q->limit == SEARCH_THE_LAST)
		limit_cut(s, c, &q->within);
	return search_again(s, c, uidset_count(&q->within) < box->view.count ? &q->within : NULL);
}

bool
search_is_refused(struct imap_session *s, struct command *c)
{
	const struct search *q = c->args;

	if (q->charset_given && s->utf8)
		done_bad(c, "all is UTF-8 since ENABLE UTF8=ACCEPT: no CHARSET"); /* RFC 9755 3 */
	else if (q->bad_charset)
		refuse_charset(s, c);
	else
		return false;
	return true;
}

enum step
search_begin(struct imap_session *s, struct command *c)
{
	return search_is_refused(s, c) ? STEP_DONE : search_begin_in(s, c, s->box);
}

enum step
cmd_search_run(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	if (!context_begin(s, c))
		return done_bad(c, "this tag has a context already");
	q->limit = SEARCH_THE_LAST;
	q->then = search_tell_step;
	q->response = s->rev2 ? NULL : "SEARCH";
	return search_begin(s, c);
}
