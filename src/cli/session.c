/* session.c - `postern session list' and `session end': asked of every process that faces clients. */
#include <stdio.h>

#include "ask.h"
#include "server.h"

static const struct cli_column session_columns[] = {
	{ "sid", "SID", AS_TEXT },
	{ "service", "SERVICE", AS_TEXT },
	{ "client", "CLIENT", AS_TEXT },
	{ "user", "USER", AS_TEXT },
	{ "seconds", "SECONDS", AS_NUMBER },
	{ .key = NULL },
};
const struct cli_show show_sessions = { SHOW_LIST, session_columns, .none = "nobody is connected" };

/* One process's answer is added to *sum: rows, or the number that was ended. */
static int
ask_one(
    const struct conf *conf, enum role role, unsigned index, const struct strs *words, json_t *rows, json_int_t *ended)
{
	struct cli_owner owner = { .role = role };
	char name[32];
	json_t *json;
	int status;

	snprintf(name, sizeof(name), "%s.%u", role_name(role), index);
	owner.socket = name;
	status = cli_ask(conf, &owner, words, &json);
	if (status == CLI_DONE && json_is_array(json))
		json_array_extend(rows, json);
	else if (status == CLI_DONE)
		*ended += json_integer_value(json_object_get(json, "ended"));
	json_decref(json);
	return status;
}

static int
ask_all(const struct conf *conf, const struct strs *words, json_t *rows, json_int_t *ended)
{
	const struct {
		enum role role;
		unsigned n;
	} all[] = { { ROLE_SMTP, conf->smtp.processes }, { ROLE_IMAP, conf->imap.processes } };
	int status = CLI_DONE;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (unsigned j = 0; j < all[i].n && status == CLI_DONE; j++)
			status = ask_one(conf, all[i].role, j, words, rows, ended);
	return status;
}

int
do_session_list(struct cli *c)
{
	struct str words[] = { STR("session"), STR("list") };
	struct conf *conf = cli_conf(c);
	json_t *rows = json_array();
	json_int_t ended = 0;
	int status;

	if (conf == NULL) {
		json_decref(rows);
		return CLI_FAILED;
	}
	status = ask_all(conf, &(struct strs){ words, 2 }, rows, &ended);
	conf_unref(conf);
	if (status == CLI_DONE)
		return cli_show(c, rows);
	json_decref(rows);
	return status;
}

int
do_session_end(struct cli *c)
{
	struct str words[] = { STR("session"), STR("end"), str_of(c->args[0]) };
	struct conf *conf = cli_conf(c);
	json_int_t ended = 0;
	int status;

	if (conf == NULL)
		return CLI_FAILED;
	status = ask_all(conf, &(struct strs){ words, 3 }, NULL, &ended);
	conf_unref(conf);
	if (status == CLI_DONE && ended == 0)
		return cli_say(
		    CLI_FAILED, "no session of %s, `postern session list' shows who is connected", c->args[0]);
	return status;
}
