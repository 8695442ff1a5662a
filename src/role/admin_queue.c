/* admin_queue.c - `postern queue …` as rows: list, show, hold, release, retry, delete.
 *
 * list   → [{id, size, received, sender, recipients: [{number, address, target, local, state, attempts, next_try, last_try, status, reason}]}]
 * show   → the same for one message, with client, helo, login, sid, envid, header
 * others → {recipients: how many were concerned} */
#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/queue/admin.h>
#include <postern/role/verbs.h>

enum { PAGE = 20, HEADER_SHOWN = 32 * 1024 };

/* A JSON string of bytes that may not be UTF-8: those that are not become U+FFFD. */
static json_t *
text(struct str s)
{
	json_t *j = json_stringn(s.p != NULL ? s.p : "", s.n);
	struct buf b;

	if (j != NULL)
		return j;
	buf_init(&b, s.n * 3 + 1);
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x80)
			buf_add_char(&b, s.p[i]);
		else
			buf_add(&b, STR("\xef\xbf\xbd"));
	}
	j = json_stringn(buf_cstr(&b), b.n);
	buf_fini(&b);
	return j;
}

static json_t *
id_json(struct id id)
{
	char s[ID_TEXT_SIZE];

	id_text(id, s);
	return json_string(s);
}

static json_t *
time_json(struct wall t)
{
	char s[WALL_RFC3339_SIZE];

	if (t.us == 0)
		return json_null();
	wall_rfc3339(t, s);
	return json_string(s);
}

static const char *
state_name(enum queue_state state)
{
	static const char *const names[] = { [QUEUE_WAITING] = "waiting", [QUEUE_HELD] = "held", [QUEUE_FAILED] = "failed" };

	return names[state];
}

/* The page being made. */
struct page {
	json_t *messages;
	json_t *recipients; /* of the last message */
	bool whole;         /* show: everything that is known */
};

static void
add_message(void *ctx, const struct queue_message_info *m)
{
	struct page *p = ctx;
	json_t *o = json_object();

	json_object_set_new(o, "id", id_json(m->qid));
	json_object_set_new(o, "size", json_integer((json_int_t)m->size));
	json_object_set_new(o, "received", time_json(m->received));
	json_object_set_new(o, "sender", text(m->sender));
	if (p->whole) {
		json_object_set_new(o, "client", text(m->client));
		json_object_set_new(o, "helo", text(m->helo));
		json_object_set_new(o, "login", text(m->login));
		json_object_set_new(o, "sid", text(m->sid));
		json_object_set_new(o, "envid", text(m->envid));
	}
	p->recipients = json_array();
	json_object_set_new(o, "recipients", p->recipients);
	json_array_append_new(p->messages, o);
}

static void
add_recipient(void *ctx, const struct queue_recipient_info *r)
{
	struct page *p = ctx;
	json_t *o = json_object();

	json_object_set_new(o, "number", json_integer(r->number));
	json_object_set_new(o, "address", text(r->address));
	json_object_set_new(o, "target", text(r->target));
	json_object_set_new(o, "local", json_boolean(r->local));
	json_object_set_new(o, "state", json_string(state_name(r->state)));
	json_object_set_new(o, "attempts", json_integer(r->attempts));
	json_object_set_new(o, "next_try", time_json(r->next_try));
	json_object_set_new(o, "last_try", time_json(r->last_try));
	json_object_set_new(o, "status", text(r->status));
	json_object_set_new(o, "reason", text(r->reason));
	json_array_append_new(p->recipients, o);
}

static const struct queue_view view = { .message = add_message, .recipient = add_recipient };

/* The next page that fits one answer: a message of many recipients is a page of its own. */
static bool
run_list(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct id at = { 0 };
	struct page p = { .messages = json_array() };
	bool more = true;

	if (ask->after.n > 0 && !id_parse(ask->after, &at))
		return control_fail(out, ask->arena, ADMIN_USAGE, "no queue id: %.*s", STR_ARG(ask->after));
	for (int i = 0; more && i < PAGE; i++) {
		struct id before = at;
		size_t size = json_dumpb(p.messages, NULL, 0, JSON_COMPACT);

		more = queue_list(ctx, &at, 1, &view, &p);
		if (i > 0 && json_dumpb(p.messages, NULL, 0, JSON_COMPACT) > CONTROL_JSON_MAX) {
			json_array_remove(p.messages, json_array_size(p.messages) - 1);
			at = before;
			more = true;
			break;
		}
		if (size > CONTROL_JSON_MAX / 2)
			break;
	}
	out->json = p.messages;
	if (more) {
		char *text_of_id = arena_alloc(ask->arena, ID_TEXT_SIZE);

		id_text(at, text_of_id);
		out->more = str_from(text_of_id, ID_TEXT_SIZE - 1);
	}
	return true;
}

static bool
run_show(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct page p = { .messages = json_array(), .whole = true };
	struct buf header;
	struct id id;
	bool found;

	buf_init(&header, HEADER_SHOWN);
	found = id_parse(ask->args.v[0], &id) && queue_show(ctx, id, &view, &p, &header);
	if (found) {
		out->json = json_incref(json_array_get(p.messages, 0));
		json_object_set_new(out->json, "header", text(buf_str(&header)));
	}
	json_decref(p.messages);
	buf_fini(&header);
	return found || control_fail(out, ask->arena, ADMIN_FAILED, "no message with the id %.*s is in the queue", STR_ARG(ask->args.v[0]));
}

static void
on_acted(void *ctx, uint64_t recipients, const struct err *e)
{
	struct control_answer out = { .status = ADMIN_DONE };

	if (e != NULL && e->class != ERR_NONE) {
		out.status = ADMIN_FAILED;
		out.why = str_of(e->log);
	}
	out.json = json_pack("{s:I}", "recipients", (json_int_t)recipients);
	control_reply(ctx, &out);
}

/* ID…, --all, or --to DOMAIN. */
static bool
act(struct queue *q, enum queue_action action, const struct control_ask *ask, struct control_answer *out)
{
	struct queue_selection sel = { .domain = STR("") };
	struct id *ids = arena_array(ask->arena, ask->args.n, sizeof *ids);
	const struct str *words = ask->args.v;

	if (str_eq(words[0], STR("--to")) && ask->args.n == 2) {
		sel.all = true;
		sel.domain = words[1];
	} else if (str_eq(words[0], STR("--all")) && ask->args.n == 1) {
		sel.all = true;
	} else {
		for (uint32_t i = 0; i < ask->args.n; i++)
			if (!id_parse(words[i], &ids[i]))
				return control_fail(out, ask->arena, ADMIN_USAGE, "no queue id: %.*s", STR_ARG(words[i]));
		sel.ids = ids;
		sel.n = ask->args.n;
	}
	queue_act(q, action, &sel, on_acted, ask->question);
	return false;
}

static bool
run_hold(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	return act(ctx, QUEUE_ACT_HOLD, ask, out);
}

static bool
run_release(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	return act(ctx, QUEUE_ACT_RELEASE, ask, out);
}

static bool
run_delete(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	return act(ctx, QUEUE_ACT_DELETE, ask, out);
}

static bool
run_retry(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	return act(ctx, QUEUE_ACT_RETRY, ask, out);
}

const struct control_verb queue_verbs[] = {
	{ "queue", "list", 0, 0, run_list },
	{ "queue", "show", 1, 1, run_show },
	{ "queue", "hold", 1, 1000, run_hold },
	{ "queue", "release", 1, 1000, run_release },
	{ "queue", "delete", 1, 1000, run_delete },
	{ "queue", "retry", 1, 1000, run_retry },
	{ 0 },
};
