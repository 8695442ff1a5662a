/* queue.c - `postern queue …' and mailq: what waits, and what to do with it. */
#include <string.h>

#include "ask.h"
#include "server.h"

const struct cli_owner cli_queue = { "queue", ROLE_QUEUE, NULL };

static const struct cli_column message_fields[] = {
	{ "id", "id", AS_TEXT },
	{ "received", "received", AS_TEXT },
	{ "size", "size", AS_SIZE },
	{ "sender", "from", AS_PATH },
	{ "client", "client", AS_TEXT },
	{ "helo", "helo", AS_TEXT },
	{ "login", "login", AS_TEXT },
	{ "sid", "session", AS_TEXT },
	{ "envid", "envid", AS_TEXT },
	{ .key = NULL },
};

static void
add_text(const json_t *object, const char *key, struct buf *out)
{
	static const struct cli_column column = { .as = AS_TEXT };

	cli_value_write(json_object_get(object, key), &column, out);
}

static bool
has_text(const json_t *object, const char *key)
{
	return json_string_length(json_object_get(object, key)) > 0;
}

/* "    mx.example.net 192.0.2.1:25, tls dane (wanted dane: why)" */
static void
add_host(const json_t *r, struct buf *out)
{
	if (!has_text(r, "tls_got"))
		return;
	buf_add_cstr(out, "    ");
	add_text(r, "host", out);
	buf_add_cstr(out, has_text(r, "host") && has_text(r, "ip") ? " " : "");
	add_text(r, "ip", out);
	buf_add_cstr(out, ", tls ");
	add_text(r, "tls_got", out);
	buf_add_cstr(out, " (wanted ");
	add_text(r, "tls_wanted", out);
	buf_add_cstr(out, ": ");
	add_text(r, "tls_why", out);
	buf_add_cstr(out, json_is_true(json_object_get(r, "plain")) ? "; fell back to plain text)\n" : ")\n");
}

/* What is not the domain of the address itself: a route, a detour. */
static void
add_destination(const json_t *r, struct buf *out)
{
	struct str target = str_of(json_string_value(json_object_get(r, "target")));
	struct str domain = str_sub(target, str_rfind(target, '@') + 1, target.n);

	if (!has_text(r, "destination") ||
	    str_eq_nocase(str_of(json_string_value(json_object_get(r, "destination"))), domain))
		return;
	buf_add_cstr(out, " by ");
	add_text(r, "destination", out);
}

/* "  to bob@example.test, waiting, attempts 2, next …: 4.3.0 why" */
static void
add_recipient(const json_t *r, struct buf *out)
{
	buf_add_cstr(out, "  to ");
	add_text(r, "address", out);
	if (has_text(r, "target") && !json_equal(json_object_get(r, "target"), json_object_get(r, "address"))) {
		buf_add_cstr(out, " as ");
		add_text(r, "target", out);
	}
	add_destination(r, out);
	buf_add_cstr(out, json_is_true(json_object_get(r, "under_way")) ? ", under way" : ", ");
	if (!json_is_true(json_object_get(r, "under_way")))
		add_text(r, "state", out);
	buf_addf(out, ", attempts %lld", (long long)json_integer_value(json_object_get(r, "attempts")));
	if (has_text(r, "next_try")) {
		buf_add_cstr(out, ", next ");
		add_text(r, "next_try", out);
	}
	if (has_text(r, "reason")) {
		buf_add_cstr(out, ": ");
		add_text(r, "status", out);
		buf_add_cstr(out, has_text(r, "status") ? " " : "");
		add_text(r, "reason", out);
	}
	buf_add_char(out, '\n');
	add_host(r, out);
}

static void
add_recipients(const json_t *message, struct buf *out)
{
	size_t i;
	json_t *r;

	json_array_foreach(json_object_get(message, "recipients"), i, r)
		add_recipient(r, out);
}

static void
add_message(const json_t *m, struct buf *out)
{
	static const struct cli_column size = { .as = AS_SIZE };

	add_text(m, "id", out);
	buf_add_char(out, ' ');
	add_text(m, "received", out);
	buf_add_char(out, ' ');
	cli_value_write(json_object_get(m, "size"), &size, out);
	buf_add_cstr(out, " from <");
	add_text(m, "sender", out);
	buf_add_cstr(out, ">\n");
	add_recipients(m, out);
}

static void
add_list(const json_t *messages, struct buf *out)
{
	size_t i;
	json_t *m;

	json_array_foreach(messages, i, m)
		add_message(m, out);
	if (json_array_size(messages) == 0)
		buf_add_cstr(out, "the queue is empty\n");
	else
		buf_addf(out, "%zu message%s\n", json_array_size(messages), json_array_size(messages) == 1 ? "" : "s");
}

static void
add_whole(const json_t *message, struct buf *out)
{
	const json_t *header = json_object_get(message, "header");

	cli_fields_write(message, message_fields, out);
	add_recipients(message, out);
	buf_add_char(out, '\n');
	cli_text_write(str_from(json_string_value(header), json_string_length(header)), MANY_LINES, out);
}

static void
add_concerned(const json_t *answer, struct buf *out)
{
	long long n = json_integer_value(json_object_get(answer, "recipients"));

	buf_addf(out, "%lld recipient%s\n", n, n == 1 ? "" : "s");
}

static int
print_answer(const struct cli *c, json_t *answer, void (*add)(const json_t *answer, struct buf *out))
{
	struct buf out;
	int status;

	if (answer == NULL)
		return CLI_DONE;
	if (cli_json(c))
		return cli_print_json(answer);
	buf_init(&out, SIZE_MAX);
	add(answer, &out);
	status = cli_print(&out);
	buf_fini(&out);
	json_decref(answer);
	return status;
}

int
cli_ask_queue(struct cli *c, const struct strs *words, void (*add)(const json_t *answer, struct buf *out))
{
	struct conf *conf = cli_conf(c);
	json_t *answer;
	int status;
	int printed;

	if (conf == NULL)
		return CLI_FAILED;
	status = cli_ask(conf, &cli_queue, words, &answer);
	printed = print_answer(c, answer, add);
	conf_unref(conf);
	return status != CLI_DONE ? status : printed;
}

int
do_queue_list(struct cli *c)
{
	return cli_ask_queue(c, &(struct strs){ (struct str[]){ STR("queue"), STR("list") }, 2 }, add_list);
}

int
do_queue_show(struct cli *c)
{
	return cli_ask_queue(
	    c, &(struct strs){ (struct str[]){ STR("queue"), STR("show"), str_of(c->args[0]) }, 3 }, add_whole);
}

enum { IDS_MAX = 1000 };

/* Exactly one of ID…, --all and --to DOMAIN; behind them, last words. */
static int
act(struct cli *c, unsigned ids, const char *last)
{
	struct str words[IDS_MAX + 4] = { STR("queue"), str_of(c->command->verb) };
	uint32_t n = 2;
	int ways = (ids > 0) + (c->given[OPT_ALL] != NULL) + (c->given[OPT_TO] != NULL);

	if (ways != 1)
		return cli_say(CLI_USAGE, "say which messages: their ids, --all or --to DOMAIN");
	for (unsigned i = 0; i < ids; i++)
		words[n++] = str_of(c->args[i]);
	if (c->given[OPT_ALL] != NULL)
		words[n++] = STR("--all");
	if (c->given[OPT_TO] != NULL) {
		words[n++] = STR("--to");
		words[n++] = str_of(c->given[OPT_TO]);
	}
	if (last != NULL)
		words[n++] = str_of(last);
	return cli_ask_queue(c, &(struct strs){ words, n }, add_concerned);
}

int
do_queue_act(struct cli *c)
{
	return act(c, c->nargs, NULL);
}

int
do_queue_reroute(struct cli *c)
{
	return act(c, c->nargs - 1, c->args[c->nargs - 1]);
}
