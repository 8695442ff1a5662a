/* config.c - `postern config check', `show', `doc' and `version': what needs no server. */
#include "config.h"

#include <jansson.h>
#include <lmdb.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include <postern/core/io.h>

static json_t *
errors_json(const struct conf_errors *e)
{
	json_t *all = json_array();

	for (size_t i = 0; i < e->n; i++)
		json_array_append_new(all,
		    json_pack("{s:s, s:i, s:s}", "file", e->file, "line", (int)e->v[i].line, "text", e->v[i].text));
	return json_pack("{s:b, s:o}", "ok", e->n == 0, "errors", all);
}

static int
print_errors(const struct conf_errors *e)
{
	struct buf out;

	buf_init(&out, SIZE_MAX);
	conf_errors_write(e, &out);
	io_write_all(STDERR_FILENO, buf_str(&out));
	buf_fini(&out);
	return CLI_FAILED;
}

static int
print_right(const char *path)
{
	struct buf out;
	int status;

	buf_init(&out, SIZE_MAX);
	buf_addf(&out, "%s: no errors\n", path);
	status = cli_print(&out);
	buf_fini(&out);
	return status;
}

int
do_config_check(struct cli *c)
{
	struct conf_errors errors;
	struct conf *conf;
	int status;

	conf_errors_init(&errors);
	conf = conf_load(c->conf_path, &errors);
	if (conf != NULL)
		conf_check_files(conf, &errors);
	status = errors.n > 0 ? CLI_FAILED : CLI_DONE;
	if (cli_json(c))
		cli_print_json(errors_json(&errors));
	else if (errors.n > 0)
		print_errors(&errors);
	else
		print_right(c->conf_path);
	conf_unref(conf);
	conf_errors_fini(&errors);
	return status;
}

int
do_config_show(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	struct buf out;
	int status;

	if (conf == NULL)
		return CLI_FAILED;
	buf_init(&out, SIZE_MAX);
	conf_show(conf, cli_json(c) ? CONF_JSON : CONF_TEXT, &out);
	status = cli_print(&out);
	buf_fini(&out);
	conf_unref(conf);
	return status;
}

int
do_config_doc(struct cli *c)
{
	struct buf out;
	int status;

	buf_init(&out, SIZE_MAX);
	if (c->given[OPT_MAN] != NULL)
		conf_doc_man(&out);
	else
		conf_doc(cli_json(c) ? CONF_JSON : CONF_TEXT, &out);
	status = cli_print(&out);
	buf_fini(&out);
	return status;
}

static json_t *
versions_json(void)
{
	char lmdb[32];
	int major, minor, patch;

	mdb_version(&major, &minor, &patch);
	snprintf(lmdb, sizeof(lmdb), "%d.%d.%d", major, minor, patch);
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "postern", POSTERN_VERSION, "openssl",
	    OpenSSL_version(OPENSSL_VERSION_STRING), "lmdb", lmdb, "libsodium", sodium_version_string(), "jansson",
	    jansson_version_str());
}

int
version_show(struct cli *c)
{
	json_t *versions = versions_json();
	struct buf out;
	const char *name;
	json_t *version;
	int status;

	if (cli_json(c))
		return cli_print_json(versions);
	buf_init(&out, SIZE_MAX);
	json_object_foreach(versions, name, version) buf_addf(&out, "%-11s %s\n", name, json_string_value(version));
	status = cli_print(&out);
	buf_fini(&out);
	json_decref(versions);
	return status;
}
