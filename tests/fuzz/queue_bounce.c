/* queue_bounce.c - the DSN builder with any texts that pass an envelope, and any returned message: read back, the
 * parts and fields are there with the values that went in. */
#include <postern/core/be.h>
#include <postern/message/envelope.h>

#include "../../src/queue/bounce.h"
#include "../unit/queue/dsn.h"
#include "fuzz.h"

enum { RECIPIENTS = 3 };

/* The next text of the input, made fit for an envelope by cutting it at the first byte that is not. */
static struct str
take(struct cur *c, size_t max)
{
	struct str s = cur_bytes(c, cur_left(c) > 0 ? cur_be(c, 1) % (cur_left(c) + 1) : 0);

	s = str_sub(s, 0, max);
	while (s.n > 0 && !envelope_text_ok(s, max))
		s.n--;
	return s;
}

static void
check_value(const struct dsn *d, size_t group, const char *name, struct str want)
{
	struct str got;

	MUST(dsn_field(d, group, str_of(name), &got));
	MUST(str_eq(got, str_trim(want)));
}

static void
check_recipient(const struct dsn *d, size_t group, const struct bounce_recipient *r)
{
	struct str got;

	MUST(dsn_field(d, group, STR("Final-Recipient"), &got));
	MUST(str_ends(got, str_trim(r->address)));
	check_value(d, group, "Status", r->status);
	if (r->orcpt.n > 0)
		check_value(d, group, "Original-Recipient", r->orcpt);
	if (r->host.n > 0 && r->said) {
		MUST(dsn_field(d, group, STR("Remote-MTA"), &got));
		MUST(str_ends(got, str_trim(r->host)));
	}
	MUST(dsn_field(d, group, STR("Will-Retry-Until"), &got) == (r->action == BOUNCE_DELAYED));
}

static void
check(const struct bounce *b, struct str text)
{
	char boundary[ID_TEXT_SIZE];
	struct dsn d;

	id_text(b->id, boundary);
	MUST(dsn_parse(text, str_of(boundary), &d));
	MUST(d.parts == (b->returned.n > 0 ? 3 : 2));
	for (size_t i = 0; i < b->n; i++)
		check_recipient(&d, i + 1, &b->recipients[i]);
	if (b->envid.n > 0)
		check_value(&d, 0, "Original-Envelope-Id", b->envid);
	if (b->returned.n > 0)
		MUST(str_starts(str_from(d.body[2].p, d.body[2].n + 2), b->returned));
}

static void
take_recipient(struct cur *c, struct bounce_recipient *r)
{
	*r = (struct bounce_recipient){ .action = (enum bounce_action)(cur_be(c, 1) % 5), .status = STR("5.1.1") };
	r->address = take(c, ENVELOPE_ADDRESS_MAX);
	r->orcpt = take(c, ENVELOPE_ORCPT_MAX);
	r->text = take(c, 255);
	r->tried.us = (int64_t)cur_be(c, 4) * 1000000;
	r->said = (cur_be(c, 1) & 1) != 0;
	r->host = take(c, 255);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cur c = cur_init(str_from(p, n));
	struct bounce_recipient r[RECIPIENTS];
	struct bounce b = { .hostname = STR("mx.example.test"), .recipients = r, .id = id_new() };
	struct buf out;

	b.n = 1 + cur_be(&c, 1) % RECIPIENTS;
	for (size_t i = 0; i < b.n; i++)
		take_recipient(&c, &r[i]);
	b.to = take(&c, ENVELOPE_ADDRESS_MAX);
	b.envid = take(&c, ENVELOPE_ENVID_MAX);
	b.helo = take(&c, ENVELOPE_HELO_MAX);
	b.client = take(&c, ENVELOPE_WORD_MAX);
	b.whole = (cur_be(&c, 1) & 1) != 0;
	b.returned = cur_rest(&c);
	buf_init(&out, SIZE_MAX);
	bounce_write(&out, &b);
	check(&b, buf_str(&out));
	buf_fini(&out);
	return 0;
}
