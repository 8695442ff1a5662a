/* sessions.c - rows of sessions, and which of them a word means. */
#include "sessions.h"

bool
session_page_begin(struct session_page *p, const struct control_ask *ask, struct control_answer *out)
{
	*p = (struct session_page){ .below = UINT64_MAX };
	if (ask->after.n > 0 && !str_u64(ask->after, UINT64_MAX, &p->below)) {
		control_fail(out, ask->arena, ADMIN_USAGE, "no such page");
		return false;
	}
	p->rows = json_array();
	return true;
}

void
session_page_add(struct session_page *p, const struct session_info *s)
{
	const char *service = s->service == SERVICE_COUNT ? "submit" : conf_service_name(s->service);

	if (s->number >= p->below)
		return;
	if (json_array_size(p->rows) == SESSIONS_PAGE) {
		p->more = true;
		return;
	}
	p->last = s->number;
	json_array_append_new(p->rows, json_pack("{s:s, s:s, s:s, s:s%, s:I}", "sid", s->sid, "service", service, "client", s->client,
	    "user", s->user.n > 0 ? s->user.p : "", s->user.n, "seconds",
	    (json_int_t)(mono_ms_between(mono_now(), s->since) / 1000)));
}

bool
session_page_end(struct session_page *p, const struct control_ask *ask, struct control_answer *out)
{
	out->json = p->rows;
	if (p->more)
		out->more = arena_strf(ask->arena, "%llu", (unsigned long long)p->last);
	return true;
}

bool
session_is(struct str word, const struct session_info *s)
{
	return str_eq(word, str_of(s->sid)) || (s->user.n > 0 && str_eq_nocase(word, s->user));
}

bool
session_ended(unsigned n, struct control_answer *out)
{
	out->json = json_pack("{s:i}", "ended", (int)n);
	return true;
}
