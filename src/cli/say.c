/* say.c - the calls that all commands speak with: words, output, the configuration. */
#include "command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/io.h>

#include "columns.h"

/* Some of the words are a process's of the server, which may have been taken over: nothing of them may bend a terminal. */
int
cli_say(int status, const char *format, ...)
{
	struct buf words;
	struct buf line;
	va_list args;

	buf_init(&words, 64 * 1024);
	va_start(args, format);
	buf_addv(&words, format, args);
	va_end(args);
	buf_init(&line, SIZE_MAX);
	buf_add_cstr(&line, "postern: ");
	cli_text_write(buf_str(&words), MANY_LINES, &line);
	buf_add_char(&line, '\n');
	io_write_all(STDERR_FILENO, buf_str(&line));
	buf_fini(&line);
	buf_fini(&words);
	return status;
}

int
cli_print(const struct buf *text)
{
	if (io_write_all(STDOUT_FILENO, buf_str(text)))
		return CLI_DONE;
	return cli_say(CLI_FAILED, "standard output: %m");
}

int
cli_print_json(json_t *root)
{
	char *text = json_dumps(root, JSON_INDENT(2) | JSON_ENCODE_ANY);
	struct buf out;
	int status;

	buf_init(&out, SIZE_MAX);
	buf_add_cstr(&out, text);
	buf_add_char(&out, '\n');
	status = cli_print(&out);
	buf_fini(&out);
	free(text);
	json_decref(root);
	return status;
}

struct conf *
cli_conf(const struct cli *c)
{
	struct conf_errors errors;
	struct conf *conf;
	struct buf text;

	conf_errors_init(&errors);
	conf = conf_load(c->conf_path, &errors);
	if (conf == NULL) {
		buf_init(&text, SIZE_MAX);
		conf_errors_write(&errors, &text);
		io_write_all(STDERR_FILENO, buf_str(&text));
		buf_fini(&text);
	}
	conf_errors_fini(&errors);
	return conf;
}
