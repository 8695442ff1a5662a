/* ask.c - asking the owners, page by page, and showing what they answer. */
#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <postern/core/io.h>

enum { ASK_MS = 10 * 60 * 1000, WORDS_MAX = 1024 }; /* a rebuild of a large mailbox takes its time */

/* Where the answers come from while a command runs. */
struct source {
	const struct conf *conf;
	const struct cli_owner *owner;
	const struct strs *words;
	int fd; /* -1: no server */
};

int
cli_connect(const struct conf *conf, const char *name, int type)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/run/%s", conf->state.p, name);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd != -1 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == -1)
		io_close(&fd);
	return fd;
}

static bool
no_server(int error)
{
	return error == ENOENT || error == ECONNREFUSED;
}

/* The bytes of the answer live in a. */
static int
ask_server(const struct source *s, struct str after, struct arena *a, struct control_answer *out)
{
	struct admin_ask question = { .words = *s->words, .after = after };
	struct admin_answer answer;
	const char *why;

	if (!ipc_wait(s->fd, ROLE_CLI, s->owner->role, IPC_ADMIN, &question, &answer, a, ASK_MS, &why))
		return cli_say(CLI_FAILED,
		    "no answer from the server's %s process: %s; only root and the server's own user may ask",
		    s->owner->socket, why);
	out->status = answer.status;
	out->why = answer.why;
	out->more = answer.more;
	out->json = answer.json.n > 0 ? json_loadb(answer.json.p, answer.json.n, JSON_DECODE_ANY, NULL) : NULL;
	return CLI_DONE;
}

static int
ask_page(const struct source *s, struct str after, struct arena *a, struct control_answer *out)
{
	*out = (struct control_answer){ .status = ADMIN_DONE };
	if (s->fd != -1)
		return ask_server(s, after, a, out);
	s->owner->alone(s->conf, s->words, after, a, out);
	return CLI_DONE;
}

/* Lists grow page by page; anything else comes in one. */
static bool
add_page(void *ctx, json_t *page)
{
	json_t **all = ctx;

	if (*all == NULL) {
		*all = page;
		return true;
	}
	if (json_is_array(*all) && json_is_array(page))
		json_array_extend(*all, page);
	json_decref(page);
	return true;
}

static int
ask_pages(const struct source *s, bool (*take)(void *ctx, json_t *json), void *ctx)
{
	struct control_answer page = { .more = STR("") };
	struct arena a;
	bool enough;
	int status;

	arena_init(&a);
	do {
		status = ask_page(s, page.more, &a, &page);
		if (status != CLI_DONE)
			break;
		enough = !take(ctx, page.json);
		if (page.status != ADMIN_DONE)
			status = cli_say((int)page.status, "%.*s", STR_ARG(page.why));
	} while (status == CLI_DONE && page.more.n > 0 && !enough);
	arena_fini(&a);
	return status;
}

int
cli_ask_each(const struct conf *conf, const struct cli_owner *owner, const struct strs *words,
    bool (*page)(void *ctx, json_t *json), void *ctx)
{
	struct source s = { .conf = conf, .owner = owner, .words = words };
	int status;

	s.fd = cli_connect(conf, owner->socket, SOCK_SEQPACKET);
	if (s.fd == -1 && !no_server(errno))
		return cli_say(CLI_FAILED, "%s/run/%s: %m, run this as root or as the server's user", conf->state.p,
		    owner->socket);
	if (s.fd == -1 && owner->alone == NULL)
		return cli_say(CLI_LATER, "no server runs on %s, start it with `postern serve'", conf->state.p);
	status = ask_pages(&s, page, ctx);
	io_close(&s.fd);
	return status;
}

int
cli_ask(const struct conf *conf, const struct cli_owner *owner, const struct strs *words, json_t **json)
{
	*json = NULL;
	return cli_ask_each(conf, owner, words, add_page, json);
}

static void
show_text(const struct cli_show *show, const json_t *json, struct buf *out)
{
	const json_t *text = json_object_get(json, show->key);

	cli_text_write(str_from(json_string_value(text), json_string_length(text)), MANY_LINES, out);
}

static void
show_list(const struct cli_show *show, const json_t *json, struct buf *out)
{
	if (json_array_size(json) > 0)
		cli_columns_write(json, show->columns, out);
	else
		buf_addf(out, "%s\n", show->none);
}

static int
show_words(const struct cli_show *show, const json_t *json)
{
	struct buf out;
	int status;

	buf_init(&out, SIZE_MAX);
	if (show->as == SHOW_LIST)
		show_list(show, json, &out);
	else if (show->as == SHOW_FIELDS)
		cli_fields_write(json, show->columns, &out);
	else if (show->as == SHOW_TEXT)
		show_text(show, json, &out);
	status = cli_print(&out);
	buf_fini(&out);
	return status;
}

int
cli_show(const struct cli *c, json_t *json)
{
	int status = CLI_DONE;

	if (json == NULL)
		return CLI_DONE;
	if (cli_json(c))
		return cli_print_json(json);
	if (c->command->show != NULL)
		status = show_words(c->command->show, json);
	json_decref(json);
	return status;
}

static struct strs
words_of(const struct cli *c, struct str words[static WORDS_MAX])
{
	uint32_t n = 0;

	words[n++] = str_of(c->command->noun);
	if (c->command->verb != NULL)
		words[n++] = str_of(c->command->verb);
	for (unsigned i = 0; i < c->nargs && n < WORDS_MAX; i++)
		words[n++] = str_of(c->args[i]);
	return (struct strs){ words, n };
}

int
cli_run_asked(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	struct str room[WORDS_MAX];
	struct strs words = words_of(c, room);
	json_t *json;
	int status;
	int shown;

	if (conf == NULL)
		return CLI_FAILED;
	status = cli_ask(conf, c->command->owner, &words, &json);
	shown = cli_show(c, json);
	conf_unref(conf);
	return status != CLI_DONE ? status : shown;
}
