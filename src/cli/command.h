/* command.h - what a command of the operator is: a row, the options it knows, and the few calls it speaks with. */
#ifndef POSTERN_CLI_COMMAND_H
#define POSTERN_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <postern/conf/conf.h>
#include <postern/core/buf.h>

#include "columns.h"

enum cli_status { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_LATER = 75 };

enum cli_option {
	OPT_JSON,
	OPT_MAN,
	OPT_QUOTA,
	OPT_PASSWORD_STDIN,
	OPT_HASH_STDIN,
	OPT_ALL,
	OPT_TO,
	OPT_HEALTH,
	OPT_DAYS,
	OPT_COUNT
};
#define ALLOW(option) (1u << (option))

struct cli {
	const char *conf_path;
	const struct cli_command *command;
	const char *const *args; /* behind noun, verb and options */
	unsigned nargs;
	const char *given[OPT_COUNT]; /* NULL: not given; "" for options without a value */
};

/* How an answer looks without --json. */
struct cli_show {
	enum { SHOW_NOTHING, SHOW_LIST, SHOW_FIELDS, SHOW_TEXT } as;
	const struct cli_column *columns; /* LIST, FIELDS; ends with a row without key */
	const char *none;                 /* LIST: what an empty one says */
	const char *key;                  /* TEXT: the member that is the text */
};

struct cli_owner;

struct cli_command {
	const char *noun;
	const char *verb; /* NULL: the noun stands alone */
	const char *args; /* as `--help' shows them */
	unsigned least, most; /* how many */
	unsigned options; /* ALLOW(…) bits; --help and -c are always known */
	int (*run)(struct cli *c);
	const char *help;
	const struct cli_owner *owner; /* who answers, for cli_run_asked */
	const struct cli_show *show;
};

/* The table, in the order of `--help'; ends with a row without noun. */
extern const struct cli_command cli_commands[];

/* "postern: …" on standard error; returns status, so that `return cli_say(CLI_FAILED, …)` reads well. */
int cli_say(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes to standard output; CLI_DONE, or CLI_FAILED with words when nobody takes it. */
int cli_print(const struct buf *text);
/* The same for a value of JSON, which is let go. */
int cli_print_json(json_t *root);

/* The configuration, or NULL when it has errors, which are on standard error then. */
struct conf *cli_conf(const struct cli *c);

static inline bool
cli_json(const struct cli *c)
{
	return c->given[OPT_JSON] != NULL;
}

#endif
