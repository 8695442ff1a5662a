/* store.c - `postern store …' and `postern mailbox list': asked of the store process that owns the user. */
#include <stdio.h>

#include <postern/auth/admin.h>
#include <postern/role/owner.h>
#include <postern/role/verbs.h>

#include "ask.h"
#include "server.h"

static const struct cli_column store_fields[] = {
	{ "mailboxes", "mailboxes", AS_NUMBER },
	{ "messages", "messages", AS_NUMBER },
	{ "bytes", "size", AS_SIZE },
	{ "problems", "problems", AS_NUMBER },
	{ "index_bytes", "index", AS_SIZE },
	{ "index_free", "of that free", AS_SIZE },
	{ "search_bytes", "search index", AS_SIZE },
	{ "waiting", "file actions waiting", AS_NUMBER },
	{ .key = NULL },
};
const struct cli_show show_store = { SHOW_FIELDS, store_fields, .none = NULL };

static const struct cli_column mailbox_columns[] = {
	{ "name", "MAILBOX", AS_TEXT },
	{ "messages", "MESSAGES", AS_NUMBER },
	{ "unseen", "UNSEEN", AS_NUMBER },
	{ "bytes", "SIZE", AS_SIZE },
	{ "uidvalidity", "UIDVALIDITY", AS_NUMBER },
	{ "uidnext", "UIDNEXT", AS_NUMBER },
	{ "subscribed", "SUBSCRIBED", AS_YES },
	{ "use", "USE", AS_TEXT },
	{ .key = NULL },
};
const struct cli_show show_mailboxes = { SHOW_LIST, mailbox_columns, .none = "no mailboxes" };

/* The lines of text that come with a report: one per problem. */
static int
print_text(const struct cli *c, const json_t *json)
{
	const json_t *text = json_object_get(json, "text");
	struct buf out;
	int status;

	if (cli_json(c) || json_string_length(text) == 0)
		return CLI_DONE;
	buf_init(&out, SIZE_MAX);
	cli_text_write(str_from(json_string_value(text), json_string_length(text)), MANY_LINES, &out);
	status = cli_print(&out);
	buf_fini(&out);
	return status;
}

static int
ask_store(struct cli *c, const struct conf *conf, struct str address)
{
	struct str words[] = { str_of(c->command->noun), str_of(c->command->verb), address };
	struct cli_owner owner = { .role = ROLE_STORE, .alone = store_run_alone };
	char name[32];
	json_t *json;
	int status;
	int shown;

	snprintf(name, sizeof(name), "store.%u", owner_of(address, conf->store.processes));
	owner.socket = name;
	status = cli_ask(conf, &owner, &(struct strs){ words, 3 }, &json);
	shown = print_text(c, json);
	if (shown == CLI_DONE)
		shown = cli_show(c, json);
	else
		json_decref(json);
	return status != CLI_DONE ? status : shown;
}

/* The store would make a mailbox for whatever it is asked about, a mistyped name too. */
static int
want_account(const struct conf *conf, struct str address)
{
	struct str words[] = { STR("user"), STR("show"), address };
	json_t *json;
	int status = cli_ask(conf, &cli_auth, &(struct strs){ words, 3 }, &json);

	json_decref(json);
	return status;
}

int
do_store_run(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	struct str address;
	struct arena a;
	struct err e;
	int status;

	if (conf == NULL)
		return CLI_FAILED;
	arena_init(&a);
	if (admin_address(str_of(c->args[0]), &a, &address, &e))
		status = want_account(conf, address);
	else
		status = cli_say(CLI_USAGE, "%s", e.log);
	if (status == CLI_DONE)
		status = ask_store(c, conf, address);
	arena_fini(&a);
	conf_unref(conf);
	return status;
}
