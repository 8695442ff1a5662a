/* server.c - `postern serve', `stop', `status'. */
#include "server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/role/serve.h>

#include "ask.h"
#include "columns.h"

enum { STOP_MS = 120 * 1000 };

const struct cli_owner cli_parent = { "parent", ROLE_PARENT, NULL };

int
do_server_serve(struct cli *c)
{
	return role_serve(c->conf_path);
}

/* The server is gone when its end of a connection is: it holds it to the last. */
static int
wait_end(int fd)
{
	struct pollfd end = { .fd = fd, .events = POLLIN };
	char byte;

	if (poll(&end, 1, STOP_MS) == 1 && read(fd, &byte, 1) <= 0)
		return CLI_DONE;
	return cli_say(CLI_LATER, "the server still ends its sessions, `postern status' shows them");
}

int
do_server_stop(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	int watch;
	int status;

	if (conf == NULL)
		return CLI_FAILED;
	watch = cli_connect(conf, cli_parent.socket, SOCK_SEQPACKET);
	conf_unref(conf);
	status = cli_run_asked(c);
	if (status == CLI_DONE && watch != -1)
		status = wait_end(watch);
	io_close(&watch);
	return status;
}

static const struct cli_column process_columns[] = {
	{ "role", "ROLE", AS_TEXT },
	{ "index", "INDEX", AS_NUMBER },
	{ "pid", "PID", AS_NUMBER },
	{ "ready", "READY", AS_TEXT },
	{ "starts", "STARTS", AS_NUMBER },
	{ "uptime_ms", "UP", AS_SPAN },
	{ .key = NULL },
};

static const struct cli_column server_fields[] = {
	{ "version", "postern", AS_TEXT },
	{ "hostname", "hostname", AS_TEXT },
	{ "uptime_ms", "up", AS_SPAN },
	{ "healthy", "healthy", AS_TEXT },
	{ "draining", "draining", AS_YES },
	{ "gone_without", "gone without", AS_TEXT },
	{ .key = NULL },
};

static void
add_counters(const json_t *process, struct buf *out)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(process, "counters"), name, value) {
		if (json_integer_value(value) == 0)
			continue;
		cli_text_write(str_of(json_string_value(json_object_get(process, "role"))), ONE_LINE, out);
		buf_addf(out, ".%lld ", (long long)json_integer_value(json_object_get(process, "index")));
		cli_text_write(str_of(name), ONE_LINE, out);
		buf_addf(out, " %lld\n", (long long)json_integer_value(value));
	}
}

static int
print_status(const json_t *state)
{
	const json_t *processes = json_object_get(state, "processes");
	struct buf out;
	json_t *process;
	size_t i;
	int status;

	buf_init(&out, SIZE_MAX);
	cli_fields_write(state, server_fields, &out);
	buf_add_char(&out, '\n');
	cli_columns_write(processes, process_columns, &out);
	buf_add_char(&out, '\n');
	json_array_foreach(processes, i, process)
		add_counters(process, &out);
	status = cli_print(&out);
	buf_fini(&out);
	return status;
}

static int
show_status(const struct cli *c, json_t *state)
{
	bool healthy = json_is_true(json_object_get(state, "healthy"));
	int status = CLI_DONE;

	if (cli_json(c))
		status = cli_print_json(json_incref(state));
	else if (c->given[OPT_HEALTH] == NULL)
		status = print_status(state);
	if (status == CLI_DONE && c->given[OPT_HEALTH] != NULL && !healthy)
		status = cli_say(CLI_FAILED, "not every process is ready, `postern status' shows which");
	return status;
}

/* With --health the only answers are 0 and 1. */
int
do_server_status(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	json_t *state;
	int status;

	if (conf == NULL)
		return CLI_FAILED;
	status = cli_ask(conf, &cli_parent, &(struct strs){ (struct str[]){ STR("status") }, 1 }, &state);
	if (status == CLI_DONE)
		status = show_status(c, state);
	json_decref(state);
	conf_unref(conf);
	return status != CLI_DONE && c->given[OPT_HEALTH] != NULL ? CLI_FAILED : status;
}
