/* tell.c - the fields of deliver, defer and bounce (docs: the log). */
#include "tell.h"

#include <postern/core/log.h>

static void
add_seconds(struct log_line *l, const char *key, int64_t ms)
{
	ms = ms > 0 ? ms : 0;
	log_fmt(l, key, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
}

static void
add_host(struct log_line *l, const struct tell *t)
{
	if (t->last.host.n > 0)
		log_str(l, "host", t->last.host);
	if (t->last.ip.n > 0)
		log_str(l, "ip", t->last.ip);
}

/* queue/connect/transfer, in seconds. */
static void
add_delays(struct log_line *l, const struct tell *t)
{
	int64_t queued = (t->began.us - t->received.us) / 1000;

	queued = queued > 0 ? queued : 0;
	log_fmt(l, "delays", "%lld.%03d/%u.%03u/%u.%03u", (long long)(queued / 1000), (int)(queued % 1000),
	    t->connect_ms / 1000, t->connect_ms % 1000, t->transfer_ms / 1000, t->transfer_ms % 1000);
}

/* Without a host nothing was wanted or got. */
static void
add_tls(struct log_line *l, const struct tell *t)
{
	if (t->last.host.n == 0 && t->last.ip.n == 0)
		return;
	log_cstr(l, "tls_wanted", tls_level_name(t->last.wanted));
	log_cstr(l, "tls_got", tls_level_name(t->last.got));
	log_str(l, "tls_why", t->last.why);
}

void
tell_outcome(const char *event, const struct tell *t)
{
	struct log_line l;
	char qid[ID_TEXT_SIZE];

	id_text(t->qid, qid);
	log_begin(&l, LEVEL_INFO, event);
	if (t->sid.n > 0)
		log_str(&l, "sid", t->sid);
	log_cstr(&l, "qid", qid);
	log_str(&l, "from", t->from);
	log_str(&l, "to", t->to);
	if (!str_eq(t->orig_to, t->to))
		log_str(&l, "orig_to", t->orig_to);
	add_host(&l, t);
	add_seconds(&l, "delay", (wall_now().us - t->received.us) / 1000);
	if (t->remote)
		add_delays(&l, t);
	log_str(&l, "dsn", t->status);
	log_str(&l, "reply", t->text);
	if (t->remote)
		add_tls(&l, t);
	log_end(&l);
}
