/* world.c - a planning in a world of text. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct conf *
parse(const char *lines)
{
	struct conf_errors e;
	struct conf *c;
	struct buf text;

	buf_init(&text, 10000);
	buf_addf(&text, "%s%s", HEAD, lines != NULL ? lines : "");
	conf_errors_init(&e);
	c = conf_parse(buf_str(&text), "f", &e);
	if (c == NULL)
		fail_msg("%s", e.v[0].text);
	conf_errors_fini(&e);
	buf_fini(&text);
	return c;
}

void
world_init(struct world *w, const char *const *rows, const struct world_mail *mail)
{
	*w = (struct world){ .loop = loop_new(), .conf = parse(mail->conf), .names.rows = rows, .ops = names_ops };
	buf_init(&w->plan, 100000);
}

void
world_fini(struct world *w)
{
	if (w->planning != NULL)
		relay_plan_free(w->planning);
	assert_int_equal(w->names.open, 0);
	conf_unref(w->conf);
	buf_fini(&w->plan);
	loop_free(w->loop);
}

static void
write_host(const struct relay_host *h, struct buf *out)
{
	char text[ADDR_TEXT_SIZE];

	buf_addf(out, "; %.*s", STR_ARG(h->name.n > 0 ? h->name : STR("?")));
	if (h->decision.connect)
		buf_addf(out, " %s", tls_level_name(h->decision.level));
	else
		buf_add(out, STR(" -"));
	if (!h->decision.connect && h->decision.report != TLSRPT_OK)
		buf_addf(out, " %s", tlsrpt_result_name(h->decision.report));
	if (h->decision.n_tlsa > 0)
		buf_addf(out, " %zu", h->decision.n_tlsa);
	for (unsigned i = 0; i < h->naddrs; i++) {
		if (h->addrs[i].port == 25)
			addr_text_ip(&h->addrs[i], text);
		else
			addr_text(&h->addrs[i], text);
		buf_addf(out, " %s", text);
	}
}

void
world_write(const struct relay_plan *p, struct buf *out)
{
	static const char *const verdicts[] = { [QUEUE_DONE] = "DONE", [QUEUE_TEMP] = "TEMP", [QUEUE_PERM] = "PERM" };

	buf_addf(out, "%s%s%s", verdicts[p->verdict], p->status[0] != '\0' ? " " : "", p->status);
	for (unsigned i = 0; i < p->nhosts; i++)
		write_host(&p->hosts[i], out);
}

/* What holds for every plan. */
static void
check(const struct relay_plan *p)
{
	unsigned usable = 0, addresses = 0;

	for (unsigned i = 0; i < p->nhosts; i++) {
		const struct relay_host *h = &p->hosts[i];

		assert_int_equal(h->decision.connect, h->naddrs > 0);
		assert_int_equal(h->decision.connect, h->words[0] == '\0');
		assert_true(h->ttl <= DNS_TTL_MAX);
		usable += h->decision.connect;
		addresses += h->naddrs;
	}
	assert_int_equal(p->verdict == QUEUE_DONE, usable > 0);
	assert_int_equal(p->verdict == QUEUE_DONE, p->text[0] == '\0');
	assert_in_range(addresses, 0, RELAY_ADDRESSES_MAX);
	assert_in_range(p->nhosts, 0, RELAY_HOSTS_MAX);
}

static void
on_plan(void *ctx, const struct relay_plan *p)
{
	struct world *w = ctx;

	w->done++;
	w->last = p;
	check(p);
	world_write(p, &w->plan);
}

void
world_ask_route(struct world *w, const struct relay_plan_query *q)
{
	w->planning = relay_plan_ask(&w->ops, &w->names, w->loop, q, on_plan, w);
	assert_int_equal(w->names.n, 0);
	assert_int_equal(w->done, 0);
}

void
world_ask(struct world *w, const struct world_mail *mail)
{
	struct relay_plan_query q = { .conf = w->conf, .message = mail->message, .within_ms = mail->within_ms };

	assert_true(
	    relay_route_of(w->conf, str_of(mail->destination != NULL ? mail->destination : "d.test"), &q.route));
	if (mail->sts != NULL)
		q.sts = str_of(mail->sts);
	world_ask_route(w, &q);
	loop_once(w->loop);
}

void
world_run(struct world *w, enum names_order order)
{
	while (names_answer(&w->names, order))
		assert_int_equal(w->done <= 1, 1);
	while (w->done == 0)
		loop_once(w->loop);
	assert_int_equal(w->done, 1);
}
