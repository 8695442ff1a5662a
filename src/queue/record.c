/* record.c - records of destinations as bytes, and how they learn. */
#include "record.h"

#include <string.h>

#include <postern/core/be.h>
#include <postern/core/cur.h>

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void
add_text(struct buf *out, const char *text)
{
	buf_add_str16(out, str_of(text));
}

static void
add_time(struct buf *out, struct wall t)
{
	buf_add_be(out, 8, (uint64_t)t.us);
}

static void
write_day(struct buf *out, const struct record_day *d)
{
	buf_add_be(out, 4, d->day);
	for (int p = 0; p < TLSRPT_POLICIES; p++)
		for (int i = 0; i < TLSRPT_RESULTS; i++)
			buf_add_be(out, 8, d->counts[p].sessions[i]);
	buf_add_be(out, 1, d->nfailures);
	for (size_t i = 0; i < d->nfailures; i++) {
		const struct record_failure *f = &d->failures[i];

		buf_add_be(out, 1, f->policy);
		buf_add_be(out, 1, f->result);
		buf_add_be(out, 8, f->sessions);
		add_text(out, f->host);
		add_text(out, f->ip);
		add_text(out, f->reason);
	}
}

void
record_write(struct buf *out, const struct record *r)
{
	buf_add_be(out, 1, RECORD_VERSION);
	add_time(out, r->used);
	buf_add_be(out, 4, r->unreached);
	add_time(out, r->rest_until);
	add_text(out, r->status);
	add_text(out, r->text);
	buf_add_be(out, 4, r->handshakes_failed);
	add_time(out, r->tls_at);
	add_text(out, r->host);
	add_text(out, r->ip);
	add_text(out, r->why);
	buf_add_be(out, 1, r->wanted);
	buf_add_be(out, 1, r->got);
	buf_add_be(out, 1, r->plain);
	add_time(out, r->plain_at);
	add_time(out, r->sts_check);
	add_text(out, r->sts_words);
	buf_add_be(out, 1, TLSRPT_RESULTS); /* later ones have more */
	for (int i = 0; i < RECORD_DAYS; i++)
		write_day(out, &r->days[i]);
}

void
record_write_sts(struct buf *out, const struct record_sts *s)
{
	buf_add_be(out, 1, RECORD_VERSION);
	add_time(out, s->fetched);
	buf_add_str16(out, s->id);
	buf_add_str16(out, s->policy);
}

/* --- parsing ------------------------------------------------------------------------------------------------------ */

static struct wall
take_time(struct cur *c)
{
	return (struct wall){ (int64_t)cur_be_in(c, 8, 0, INT64_MAX) };
}

static void
take_text(struct cur *c, char *out, size_t size)
{
	struct str s = envelope_take_text(c, size - 1);

	if (!cur_ok(c))
		s = STR("");
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

static void
take_failure(struct cur *c, struct record_failure *f)
{
	f->policy = (enum tlsrpt_policy)cur_be_in(c, 1, 0, TLSRPT_POLICIES - 1);
	f->result = (enum tlsrpt_result)cur_be_in(c, 1, 0, TLSRPT_RESULTS - 1);
	f->sessions = cur_be(c, 8);
	take_text(c, f->host, sizeof f->host);
	take_text(c, f->ip, sizeof f->ip);
	take_text(c, f->reason, sizeof f->reason);
}

static void
take_day(struct cur *c, uint64_t results, struct record_day *d)
{
	d->day = (uint32_t)cur_be(c, 4);
	for (int p = 0; p < TLSRPT_POLICIES; p++)
		for (uint64_t i = 0; i < results; i++)
			d->counts[p].sessions[i] = cur_be(c, 8);
	d->nfailures = cur_be_in(c, 1, 0, RECORD_FAILURES_MAX);
	if (!cur_ok(c))
		d->nfailures = 0;
	for (size_t i = 0; i < d->nfailures; i++)
		take_failure(c, &d->failures[i]);
}

bool
record_parse(struct str bytes, struct record *r)
{
	struct cur c = cur_init(bytes);
	uint64_t results;

	*r = (struct record){ 0 };
	if (cur_be(&c, 1) != RECORD_VERSION)
		cur_fail(&c, "a version that is known");
	r->used = take_time(&c);
	r->unreached = (uint32_t)cur_be(&c, 4);
	r->rest_until = take_time(&c);
	take_text(&c, r->status, sizeof r->status);
	take_text(&c, r->text, sizeof r->text);
	r->handshakes_failed = (uint32_t)cur_be(&c, 4);
	r->tls_at = take_time(&c);
	take_text(&c, r->host, sizeof r->host);
	take_text(&c, r->ip, sizeof r->ip);
	take_text(&c, r->why, sizeof r->why);
	r->wanted = (enum tls_level)cur_be_in(&c, 1, 0, TLS_LEVELS - 1);
	r->got = (enum tls_level)cur_be_in(&c, 1, 0, TLS_LEVELS - 1);
	r->plain = cur_be_in(&c, 1, 0, 1) != 0;
	r->plain_at = take_time(&c);
	r->sts_check = take_time(&c);
	take_text(&c, r->sts_words, sizeof r->sts_words);
	results = cur_be_in(&c, 1, 0, TLSRPT_RESULTS);
	for (int i = 0; i < RECORD_DAYS && cur_ok(&c); i++)
		take_day(&c, results, &r->days[i]);
	return cur_end(&c);
}

bool
record_parse_sts(struct str bytes, struct record_sts *s)
{
	struct cur c = cur_init(bytes);

	if (cur_be(&c, 1) != RECORD_VERSION)
		cur_fail(&c, "a version that is known");
	s->fetched = take_time(&c);
	s->id = cur_str16(&c);
	s->policy = cur_str16(&c);
	if (s->id.n > STS_ID_MAX || s->policy.n > QUEUE_STS_MAX)
		cur_fail(&c, "a policy of known size");
	return cur_end(&c);
}

/* --- learning ----------------------------------------------------------------------------------------------------- */

void
record_text(char *out, size_t size, struct str s)
{
	s = str_sub(s, 0, size - 1);
	while (s.n > 0 && !envelope_text_ok(s, size - 1)) /* at least the half of a character at the end */
		s.n--;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

static uint32_t
day_of(struct wall t)
{
	return (uint32_t)(wall_seconds(t) / 86400);
}

/* The clock was set back. The day before may be the one; else it is counted where the last was, until a midnight has passed by this clock:
 * then the time ahead was the wrong one, and what was counted for it is this day's. */
static struct record_day *
today_again(struct record *r, uint32_t day)
{
	if (r->days[1].day == day)
		return &r->days[1];
	if (day_of(r->used) < day)
		r->days[0].day = day;
	return &r->days[0];
}

static struct record_day *
today(struct record *r, struct wall now)
{
	uint32_t day = day_of(now);

	if (r->days[0].day == day)
		return &r->days[0];
	if (r->days[0].day > day)
		return today_again(r, day);
	if (r->days[0].day != 0)
		r->days[1] = r->days[0];
	r->days[0] = (struct record_day){ .day = day };
	return &r->days[0];
}

static struct record_failure *
find_failure(struct record_day *d, const struct record_failure *like)
{
	for (size_t i = 0; i < d->nfailures; i++) {
		struct record_failure *f = &d->failures[i];

		if (f->policy == like->policy && f->result == like->result && strcmp(f->host, like->host) == 0 &&
		    strcmp(f->ip, like->ip) == 0)
			return f;
	}
	if (d->nfailures == RECORD_FAILURES_MAX)
		return NULL;
	d->failures[d->nfailures] = *like;
	return &d->failures[d->nfailures++];
}

void
record_count(struct record *r, enum tlsrpt_policy policy, enum tlsrpt_result result, const struct queue_hop *hop,
    struct wall now)
{
	struct record_day *d = today(r, now);
	struct record_failure like = { .policy = policy, .result = result };
	struct record_failure *f;

	tlsrpt_count(&d->counts[policy], result);
	if (result == TLSRPT_OK)
		return;
	record_text(like.host, sizeof like.host, hop->host);
	record_text(like.ip, sizeof like.ip, hop->ip);
	record_text(like.reason, sizeof like.reason, hop->reason);
	f = find_failure(d, &like);
	if (f != NULL)
		f->sessions++;
}

static void
learn_tls(struct record *r, const struct queue_hop *hop, struct wall now)
{
	r->tls_at = now;
	record_text(r->host, sizeof r->host, hop->host);
	record_text(r->ip, sizeof r->ip, hop->ip);
	record_text(r->why, sizeof r->why, hop->why);
	r->wanted = hop->wanted;
	r->got = hop->got;
	r->plain = hop->plain;
	if (hop->plain)
		r->plain_at = now;
}

void
record_hop(struct record *r, const struct queue_hop *hop, struct wall now)
{
	if (hop->host.n > 0 || hop->ip.n > 0)
		learn_tls(r, hop, now);
	if (hop->handshake_failed)
		r->handshakes_failed += r->handshakes_failed < UINT32_MAX;
	else if (hop->got > TLS_LEVEL_NONE)
		r->handshakes_failed = 0;
	if (hop->counted)
		record_count(r, hop->policy, hop->result, hop, now);
}
