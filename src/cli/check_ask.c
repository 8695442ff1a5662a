/* check_ask.c - asks in a loop of the command's own and keeps the answers. */
#include "check_ask.h"

struct asking {
	struct loop *loop;
	struct arena *arena;
	size_t open;
};

struct one {
	struct asking *asking;
	struct check_question *question;
};

static struct dns_record
copy_record(const struct dns_record *r, struct arena *a)
{
	struct dns_record copy = *r;

	copy.name = arena_str(a, r->name);
	copy.text = arena_str(a, r->text);
	copy.tlsa.data = arena_str(a, r->tlsa.data);
	return copy;
}

static void
copy_answer(const struct dns_answer *from, struct arena *a, struct dns_answer *to)
{
	struct str *alias = arena_array(a, from->naliases, sizeof *alias);
	struct dns_record *records = arena_array(a, from->nrecords, sizeof *records);

	*to = *from;
	to->canonical = arena_str(a, from->canonical);
	to->why = arena_str(a, from->why);
	for (uint32_t i = 0; i < from->naliases; i++)
		alias[i] = arena_str(a, from->alias[i]);
	for (uint32_t i = 0; i < from->nrecords; i++)
		records[i] = copy_record(&from->records[i], a);
	to->alias = alias;
	to->records = records;
}

static void
on_answer(void *ctx, const struct dns_answer *answer)
{
	struct one *one = ctx;

	copy_answer(answer, one->asking->arena, &one->question->answer);
	if (--one->asking->open == 0)
		loop_stop(one->asking->loop);
}

static void
ask_some(struct loop *l, struct dns *dns, struct check_question *v, size_t n, struct arena *a)
{
	struct asking asking = { l, a, n };
	struct one *ones = arena_array(a, n, sizeof *ones);

	for (size_t i = 0; i < n; i++) {
		ones[i] = (struct one){ &asking, &v[i] };
		dns_ask(dns, v[i].type, v[i].name, on_answer, &ones[i]);
	}
	loop_run(l);
}

/* No more at once than fly at once, so that none waits its time away. */
void
check_ask(struct loop *l, struct dns *dns, struct check_question *v, size_t n, struct arena *a)
{
	for (size_t at = 0; at < n; at += DNS_FLYING_MAX)
		ask_some(l, dns, v + at, n - at < DNS_FLYING_MAX ? n - at : DNS_FLYING_MAX, a);
}
