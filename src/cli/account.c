/* account.c - `postern user', `alias', `domain', `explain': what they add to the words, and how answers look.
 *
 * The owner is the auth process; without a server the same rows run here on the directory. */
#include "account.h"

#include <stdio.h>
#include <string.h>

#include <postern/auth/admin.h>
#include <postern/auth/password.h>
#include <postern/role/state.h>
#include <postern/role/verbs.h>

#include "ask.h"
#include "secret.h"

static const struct cli_column user_columns[] = {
	{ "address", "ADDRESS", AS_TEXT },
	{ "quota", "QUOTA", AS_QUOTA },
	{ "disabled", "DISABLED", AS_YES },
	{ "damaged", "DAMAGED", AS_YES },
	{ "created", "CREATED", AS_TIME },
	{ .key = NULL },
};
const struct cli_show show_users = { SHOW_LIST, user_columns,
	.none = "no accounts, add one with `postern user add ADDRESS'" };

static const struct cli_column user_fields[] = {
	{ "address", "address", AS_TEXT },
	{ "disabled", "disabled", AS_TEXT },
	{ "quota", "quota", AS_QUOTA },
	{ "quota_in_force", "quota in force", AS_QUOTA },
	{ "used", "used", AS_SIZE },
	{ "scheme", "password", AS_TEXT },
	{ "scram", "SCRAM keys", AS_TEXT },
	{ "created", "created", AS_TIME },
	{ .key = NULL },
};
const struct cli_show show_user = { SHOW_FIELDS, user_fields, .none = NULL };

static const struct cli_column alias_columns[] = {
	{ "alias", "ALIAS", AS_TEXT },
	{ "damaged", "DAMAGED", AS_YES },
	{ "created", "CREATED", AS_TIME },
	{ "senders", "SENDERS", AS_LIST },
	{ "targets", "TARGETS", AS_LIST },
	{ .key = NULL },
};
const struct cli_show show_aliases = { SHOW_LIST, alias_columns, .none = "no aliases" };

static const struct cli_column domain_columns[] = {
	{ "domain", "DOMAIN", AS_TEXT },
	{ "configured", "IN THE FILE", AS_YES },
	{ "damaged", "DAMAGED", AS_YES },
	{ "created", "ADDED", AS_TIME },
	{ .key = NULL },
};
const struct cli_show show_domains = { SHOW_LIST, domain_columns,
	.none = "no domains, name them in the configuration or with `postern domain add DOMAIN'" };

const struct cli_show show_explained = { SHOW_TEXT, .key = "text" };

static void
run_alone(
    const struct conf *conf, const struct strs *words, struct str after, struct arena *a, struct control_answer *out)
{
	struct directory *dir;
	struct resolver resolver;
	struct auth_admin ctx;
	char path[4096];
	struct err e;

	snprintf(path, sizeof(path), "%s/auth", conf->state.p);
	dir = state_make(conf, &e) ? directory_open(path, &e) : NULL;
	if (dir == NULL) {
		control_fail(out, a, ADMIN_FAILED, "%s", e.log);
		return;
	}
	resolver = (struct resolver){ .dir = dir, .conf = conf };
	ctx = (struct auth_admin){ .admin = { .dir = dir, .conf = conf }, .resolver = &resolver };
	control_run(NULL, auth_verbs, &ctx, words, after, a, out);
	directory_close(dir);
}

const struct cli_owner cli_auth = { "auth", ROLE_AUTH, run_alone };

/* Asks auth and shows what comes. */
static int
ask_auth(struct cli *c, const struct str *words, uint32_t n)
{
	struct conf *conf = cli_conf(c);
	json_t *json = NULL;
	int status;
	int shown;

	if (conf == NULL)
		return CLI_FAILED;
	status = cli_ask(conf, &cli_auth, &(struct strs){ words, n }, &json);
	shown = cli_show(c, json);
	conf_unref(conf);
	return status != CLI_DONE ? status : shown;
}

/* "none", "default" or a size, as the verb wants it. */
static int
quota_word(const char *typed, char word[static 24])
{
	uint64_t bytes;

	if (strcmp(typed, "none") == 0 || strcmp(typed, "default") == 0)
		snprintf(word, 24, "%s", typed);
	else if (conf_parse_size(str_of(typed), &bytes) && bytes <= INT64_MAX)
		snprintf(word, 24, "%ju", (uintmax_t)bytes);
	else
		return cli_say(CLI_USAGE, "%s is no quota, give a size like 5G, or none, or default", typed);
	return CLI_DONE;
}

static struct str
secret_kind(const struct cli *c)
{
	return c->given[OPT_HASH_STDIN] != NULL ? STR("hash") : STR("password");
}

int
do_user_add(struct cli *c)
{
	const char *quota = c->given[OPT_QUOTA] != NULL ? c->given[OPT_QUOTA] : "default";
	struct buf secret;
	char bytes[24];
	int status = quota_word(quota, bytes);

	if (status != CLI_DONE)
		return status;
	buf_init(&secret, PASSWORD_MAX);
	status = secret_read(c, SECRET_TWICE, &secret);
	if (status == CLI_DONE)
		status = ask_auth(c,
		    (struct str[]){
			STR("user"), STR("add"), str_of(c->args[0]), secret_kind(c), buf_str(&secret), str_of(bytes) },
		    6);
	buf_wipe(&secret);
	return status;
}

int
do_user_passwd(struct cli *c)
{
	struct buf secret;
	int status;

	buf_init(&secret, PASSWORD_MAX);
	status = secret_read(c, SECRET_TWICE, &secret);
	if (status == CLI_DONE)
		status = ask_auth(c, (struct str[]){ STR("user"), STR("passwd"), str_of(c->args[0]), secret_kind(c),
					 buf_str(&secret) }, 5);
	buf_wipe(&secret);
	return status;
}

int
do_user_check(struct cli *c)
{
	struct buf secret;
	int status;

	buf_init(&secret, PASSWORD_MAX);
	status = secret_read(c, SECRET_ONCE, &secret);
	if (status == CLI_DONE)
		status =
		    ask_auth(c, (struct str[]){ STR("user"), STR("check"), str_of(c->args[0]), buf_str(&secret) }, 4);
	buf_wipe(&secret);
	return status;
}

int
do_user_quota(struct cli *c)
{
	char bytes[24];
	int status = quota_word(c->args[1], bytes);

	if (status != CLI_DONE)
		return status;
	return ask_auth(c, (struct str[]){ STR("user"), STR("quota"), str_of(c->args[0]), str_of(bytes) }, 4);
}

/* The line of the file that has the domain, or 0. */
static unsigned
configured_line(const struct conf *conf, const char *typed)
{
	struct arena a;
	struct str name;
	struct err e;
	unsigned line = 0;

	arena_init(&a);
	if (admin_domain(str_of(typed), &a, &name, &e))
		for (size_t i = 0; i < conf->domains.n; i++)
			if (str_eq(conf->domains.v[i], name))
				line = conf_item_line(conf, "", "domains", i);
	arena_fini(&a);
	return line;
}

/* The auth process does not know the lines of the file; we do. */
int
do_domain_del(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	unsigned line;

	if (conf == NULL)
		return CLI_FAILED;
	line = configured_line(conf, c->args[0]);
	conf_unref(conf);
	if (line > 0)
		return cli_say(
		    CLI_FAILED, "%s is in the configuration, delete it at %s:%u", c->args[0], c->conf_path, line);
	return cli_run_asked(c);
}
