/* admin_queue.c - `postern queue …` as rows: list, show, hold, release, retry, delete, reroute; and tls show (admin_tls.c).
 *
 * list   → [{id, size, received, sender, recipients: [{number, address, target, local, state, attempts, next_try, last_try, status, reason,
 *           destination, under_way, host, ip, tls_wanted, tls_got, tls_why, plain}]}]; the last eight of those on other hosts
 * show   → the same for one message, with client, helo, login, sid, envid, header
 * others → {recipients: how many were concerned} */
#include <postern/dns/answer.h>
#include <postern/net/addr.h>
#include <postern/queue/admin.h>
#include <postern/role/verbs.h>

#include "admin_tls.h"

enum { PAGE = 20, HEADER_SHOWN = 32 * 1024 };

static json_t *
id_json(struct id id)
{
	char s[ID_TEXT_SIZE];

	id_text(id, s);
	return json_string(s);
}

static const char *
state_name(enum queue_state state)
{
	static const char *const names[] = {
		[QUEUE_WAITING] = "waiting", [QUEUE_HELD] = "held", [QUEUE_FAILED] = "failed"
	};

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
	json_object_set_new(o, "received", tls_time_json(m->received.us));
	json_object_set_new(o, "sender", control_text(m->sender));
	if (p->whole) {
		json_object_set_new(o, "client", control_text(m->client));
		json_object_set_new(o, "helo", control_text(m->helo));
		json_object_set_new(o, "login", control_text(m->login));
		json_object_set_new(o, "sid", control_text(m->sid));
		json_object_set_new(o, "envid", control_text(m->envid));
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
	json_object_set_new(o, "address", control_text(r->address));
	json_object_set_new(o, "target", control_text(r->target));
	json_object_set_new(o, "local", json_boolean(r->local));
	json_object_set_new(o, "state", json_string(state_name(r->state)));
	json_object_set_new(o, "attempts", json_integer(r->attempts));
	json_object_set_new(o, "next_try", tls_time_json(r->next_try.us));
	json_object_set_new(o, "last_try", tls_time_json(r->last_try.us));
	json_object_set_new(o, "status", control_text(r->status));
	json_object_set_new(o, "reason", control_text(r->reason));
	if (r->destination.n > 0) {
		json_object_set_new(o, "destination", control_text(r->destination));
		json_object_set_new(o, "under_way", json_boolean(r->under_way));
		tls_last_host_json(o, &r->last);
	}
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
		json_object_set_new(out->json, "header", control_text(buf_str(&header)));
	}
	json_decref(p.messages);
	buf_fini(&header);
	return found || control_fail(out, ask->arena, ADMIN_FAILED, "no message with the id %.*s is in the queue",
			    STR_ARG(ask->args.v[0]));
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

/* ID…, --all, or --to DOMAIN: the first n words. */
static bool
select_messages(const struct control_ask *ask, uint32_t n, struct queue_selection *sel, struct control_answer *out)
{
	struct id *ids = arena_array(ask->arena, n, sizeof *ids);
	const struct str *words = ask->args.v;

	*sel = (struct queue_selection){ .domain = STR(""), .destination = STR("") };
	if (n == 2 && str_eq(words[0], STR("--to"))) {
		sel->all = true;
		sel->domain = words[1];
		return true;
	}
	sel->all = n == 1 && str_eq(words[0], STR("--all"));
	for (uint32_t i = 0; i < n && !sel->all; i++)
		if (!id_parse(words[i], &ids[i])) {
			control_fail(out, ask->arena, ADMIN_USAGE, "no queue id: %.*s", STR_ARG(words[i]));
			return false;
		}
	sel->ids = ids;
	sel->n = sel->all ? 0 : n;
	return true;
}

static bool
act(struct queue *q, enum queue_action action, const struct control_ask *ask, struct control_answer *out)
{
	struct queue_selection sel;

	if (!select_messages(ask, ask->args.n, &sel, out))
		return true;
	queue_act(q, action, &sel, on_acted, ask->question);
	return false;
}

/* HOST, HOST:PORT, an address with brackets when a port follows, as the name of a destination; "-" is "". */
static bool
parse_detour(struct arena *a, struct str text, struct str *out)
{
	size_t end = str_rfind(text, ']');
	size_t colon = str_rfind(text, ':');
	struct str host = text, port = STR("25");
	struct addr ip;
	uint64_t number;

	if (str_eq(text, STR("-"))) {
		*out = STR("");
		return true;
	}
	if (!addr_parse_ip(text, &ip) && colon < text.n && (end == text.n || end < colon)) {
		host = str_sub(text, 0, colon);
		port = str_sub(text, colon + 1, text.n);
	}
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = str_sub(host, 1, host.n - 1);
	if (!str_u64(port, UINT16_MAX, &number) || number == 0 || host.n > DNS_NAME_MAX)
		return false;
	if (addr_parse_ip(host, &ip))
		*out = arena_strf(a, "=[%.*s]:%u", STR_ARG(host), (unsigned)number);
	else if (dns_name_valid(host) && host.n > 1)
		*out = arena_strf(a, "=%.*s:%u", STR_ARG(host), (unsigned)number);
	else
		return false;
	return true;
}

/* The same words, and the host behind them. */
static bool
run_reroute(void *ctx, const struct control_ask *ask, struct control_answer *out)
{
	struct str host = ask->args.v[ask->args.n - 1];
	struct queue_selection sel;

	if (!select_messages(ask, ask->args.n - 1, &sel, out))
		return true;
	if (!parse_detour(ask->arena, host, &sel.destination))
		return control_fail(out, ask->arena, ADMIN_USAGE, "no host: %.*s", STR_ARG(host));
	queue_act(ctx, QUEUE_ACT_REROUTE, &sel, on_acted, ask->question);
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
	{ "queue", "reroute", 2, 1001, run_reroute },
	{ "tls", "show", 0, 1, verb_tls_show },
	{ 0 },
};
