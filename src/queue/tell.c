/* tell.c - the fields of deliver, defer and bounce (docs: the log). */
#include "tell.h"

#include <postern/core/log.h>

void
tell_outcome(const char *event, const struct tell *t)
{
	struct log_line l;
	char qid[ID_TEXT_SIZE];
	int64_t ms = (wall_now().us - t->received.us) / 1000;

	id_text(t->qid, qid);
	log_begin(&l, LEVEL_INFO, event);
	if (t->sid.n > 0)
		log_str(&l, "sid", t->sid);
	log_cstr(&l, "qid", qid);
	log_str(&l, "from", t->from);
	log_str(&l, "to", t->to);
	if (!str_eq(t->orig_to, t->to))
		log_str(&l, "orig_to", t->orig_to);
	log_fmt(&l, "delay", "%lld.%03d", (long long)(ms / 1000), ms >= 0 ? (int)(ms % 1000) : 0);
	log_str(&l, "dsn", t->status);
	log_str(&l, "reply", t->text);
	log_end(&l);
}
