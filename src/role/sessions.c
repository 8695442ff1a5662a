/* sessions.c - the sessions of a role that faces clients. */
#include "sessions.h"

void
sessions_init(struct sessions *all, struct env *env, const struct session_kind *kind)
{
	*all = (struct sessions){ .env = env, .front = front_of(env), .kind = kind };
	LIST_INIT(&all->list);
}

void
sessions_start(struct env *env)
{
	const struct sessions *all = env->role;

	front_start(all->front);
}

void
sessions_reload(struct env *env, const struct conf *was)
{
	const struct sessions *all = env->role;

	(void)was;
	front_reload(all->front);
}

void *
sessions_admin(struct env *env)
{
	return env->role;
}

void
sessions_drain(struct env *env, unsigned seconds)
{
	struct sessions *all = env->role;
	struct session *next;

	front_close_doors(all->front);
	if (all->n == 0)
		env_end(all->env);
	front_drain_limit(all->env, seconds);
	for (struct session *s = LIST_FIRST(&all->list); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		if (!s->closing)
			all->kind->end(s);
	}
}

void
sessions_count(const struct sessions *all, struct counters_out *out)
{
	counter_add(out, "sessions", all->n);
	counter_add(out, "connections", all->connections);
}

void
session_begin(struct sessions *all, struct session *s, int fd, enum conf_service service, const struct addr *peer,
    const struct conn_ops *ops, void *ctx)
{
	*s = (struct session){ .of = all,
		.service = service,
		.peer = *peer,
		.conf = conf_ref(all->env->conf),
		.since = mono_now(),
		.number = all->connections++ };
	addr_text_ip(peer, s->client);
	front_sid(s->sid);
	s->conn = conn_new(all->env->loop, fd, ops, ctx);
	LIST_INSERT_HEAD(&all->list, s, link);
	all->n++;
}

struct sasl_start_ask
session_login(const struct session *s, struct str mechanism, const struct str *initial, struct front_bindings *b)
{
	front_bindings(s->conn, b);
	return (struct sasl_start_ask){ .service = str_of(conf_service_name(s->service)),
		.sid = str_of(s->sid),
		.client = str_of(s->client),
		.mechanism = mechanism,
		.has_initial = initial != NULL,
		.initial = initial != NULL ? *initial : STR(""),
		.tls = conn_is_secure(s->conn),
		.exporter = b->exporter,
		.end_point = b->end_point };
}

void
session_over(struct session *s)
{
	struct sessions *all = s->of;

	LIST_REMOVE(s, link);
	conn_free(s->conn);
	front_left(all->front, s->service, &s->peer);
	conf_unref(s->conf);
	all->n--;
	if (all->env->draining && all->n == 0)
		env_end(all->env);
}

/* --- `postern session list' --- */

static json_t *
row_of(const struct session *s)
{
	const char *service = s->service == SERVICE_COUNT ? "submit" : conf_service_name(s->service);
	struct str user = s->of->kind->user(s);

	return json_pack("{s:s, s:s, s:s, s:s%, s:I}", "sid", s->sid, "service", service, "client", s->client, "user",
	    user.n > 0 ? user.p : "", user.n, "seconds", (json_int_t)(mono_ms_between(mono_now(), s->since) / 1000));
}

static bool
run_list(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	const struct sessions *all = ctx;
	const struct session *s;
	uint64_t below = UINT64_MAX; /* the page begins there */
	uint64_t last = 0;

	if (ask->after.n > 0 && !str_u64(ask->after, UINT64_MAX, &below))
		return control_fail(out, ask->arena, ADMIN_USAGE, "no such page");
	out->json = json_array();
	LIST_FOREACH(s, &all->list, link) {
		if (s->number >= below)
			continue;
		if (json_array_size(out->json) == SESSIONS_PAGE) {
			out->more = arena_strf(ask->arena, "%llu", (unsigned long long)last);
			break;
		}
		last = s->number;
		json_array_append_new(out->json, row_of(s));
	}
	return true;
}

/* --- `postern session end' --- */

/* Does the word name this session, by id or by its user? */
static bool
is_meant(struct str word, const struct session *s)
{
	struct str user = s->of->kind->user(s);

	return str_eq(word, str_of(s->sid)) || (user.n > 0 && str_eq_nocase(word, user));
}

static bool
run_end(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct sessions *all = ctx;
	struct session *s;
	int n = 0;

	LIST_FOREACH(s, &all->list, link) {
		if (s->closing || !is_meant(ask->args.v[0], s))
			continue;
		all->kind->end(s);
		n++;
	}
	out->json = json_pack("{s:i}", "ended", n);
	return true;
}

const struct control_verb session_verbs[] = {
	{ "session", "list", 0, 0, run_list },
	{ "session", "end", 1, 1, run_end },
	{ 0 },
};
