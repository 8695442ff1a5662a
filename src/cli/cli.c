/* cli.c - from argv to a command: options, the row, how many arguments, help. */
#include <postern/cli/cli.h>

#include <stdlib.h>
#include <string.h>

#include <postern/core/mem.h>

#include "command.h"
#include "man.h"

#define CONF_PATH "/etc/postern/postern.conf"

const struct cli_option_row cli_options[OPT_COUNT] = {
	[OPT_JSON] = { "--json", NULL, "print JSON" },
	[OPT_MAN] = { "--man", NULL, "print the manual page, with --help that of the program" },
	[OPT_QUOTA] = { "--quota", "SIZE", "how much mail it may keep: 5G, none or default" },
	[OPT_PASSWORD_STDIN] = { "--password-stdin", NULL,
	    "read the password from standard input, not from the terminal" },
	[OPT_HASH_STDIN] = { "--hash-stdin", NULL,
	    "read a hash of another system from standard input: {SHA512-CRYPT}$6$…" },
	[OPT_ALL] = { "--all", NULL, "all messages" },
	[OPT_TO] = { "--to", "DOMAIN", "messages to this domain" },
	[OPT_DAYS] = { "--days", "N", "look no further back than so many days" },
	[OPT_HEALTH] = { "--health", NULL, "print nothing; status 0 when all is well, else 1" },
};

/* The command line as it was taken apart. */
struct words {
	const char **v;
	unsigned n;
	const char *conf_path;
	bool help;
	const char *given[OPT_COUNT];
};

static const char *
default_conf_path(void)
{
	const char *path = getenv("POSTERN_CONF");

	return path != NULL && *path != '\0' ? path : CONF_PATH;
}

/* The value in "--name=value", else the next word; NULL when there is none. */
static const char *
option_value(const char *word, char *const **rest)
{
	const char *equals = strchr(word, '=');

	if (equals != NULL)
		return equals + 1;
	return **rest != NULL ? *(*rest)++ : NULL;
}

static int
take_option(struct words *w, const char *word, char *const **rest)
{
	size_t n = strcspn(word, "=");

	for (unsigned i = 0; i < OPT_COUNT; i++) {
		if (strlen(cli_options[i].name) != n || strncmp(cli_options[i].name, word, n) != 0)
			continue;
		if (cli_options[i].value == NULL && word[n] == '=')
			return cli_say(CLI_USAGE, "%s takes no value", cli_options[i].name);
		w->given[i] = cli_options[i].value == NULL ? "" : option_value(word, rest);
		return w->given[i] != NULL
			   ? CLI_DONE
			   : cli_say(CLI_USAGE, "%s wants a value: %s", cli_options[i].name, cli_options[i].value);
	}
	return cli_say(CLI_USAGE, "there is no option %s, see `postern --help'", word);
}

static int
take_word(struct words *w, const char *word, char *const **rest)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		w->help = true;
	else if (strcmp(word, "-c") == 0) {
		w->conf_path = **rest != NULL ? *(*rest)++ : NULL;
		return w->conf_path != NULL ? CLI_DONE : cli_say(CLI_USAGE, "-c wants a file");
	} else if (word[0] == '-' && word[1] != '\0')
		return take_option(w, word, rest);
	else
		w->v[w->n++] = word;
	return CLI_DONE;
}

/* sendmail has options of its own: what stands behind it is its affair. */
static bool
is_sendmail(const struct words *w)
{
	return w->n > 0 && strcmp(w->v[0], "sendmail") == 0;
}

/* Words behind "--" are never options. */
static int
take_words(struct words *w, char *const *argv)
{
	int status = CLI_DONE;

	while (status == CLI_DONE && *argv != NULL && !is_sendmail(w)) {
		const char *word = *argv++;

		if (strcmp(word, "--") == 0)
			break;
		status = take_word(w, word, &argv);
	}
	while (status == CLI_DONE && *argv != NULL)
		w->v[w->n++] = *argv++;
	w->help = w->help || (is_sendmail(w) && w->n == 2 && strcmp(w->v[1], "--help") == 0);
	return status;
}

/* The names that other programs know us by. */
static void
take_name(struct words *w, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash != NULL ? slash + 1 : name;

	if (strcmp(base, "sendmail") != 0 && strcmp(base, "mailq") != 0 && strcmp(base, "newaliases") != 0)
		return;
	w->v[w->n++] = "sendmail";
	if (base[0] != 's')
		w->v[w->n++] = base[0] == 'm' ? "-bp" : "-bi";
}

static unsigned
words_of(const struct cli_command *row)
{
	return row->verb != NULL ? 2 : 1;
}

static bool
matches(const struct cli_command *row, const struct words *w)
{
	if (w->n == 0 || strcmp(row->noun, w->v[0]) != 0)
		return false;
	return row->verb == NULL || (w->n > 1 && strcmp(row->verb, w->v[1]) == 0);
}

static const struct cli_command *
find_command(const struct words *w)
{
	for (const struct cli_command *row = cli_commands; row->noun != NULL; row++)
		if (matches(row, w))
			return row;
	return NULL;
}

bool
cli_option_is_extra(const struct cli_command *row, unsigned option)
{
	return (row->options & ALLOW(option)) != 0 && strstr(row->args, cli_options[option].name) == NULL;
}

static void
add_usage(const struct cli_command *row, struct buf *out)
{
	buf_add_cstr(out, row->noun);
	if (row->verb != NULL)
		buf_addf(out, " %s", row->verb);
	if (*row->args != '\0')
		buf_addf(out, " %s", row->args);
	for (unsigned i = 0; i < OPT_COUNT; i++)
		if ((row->options & ALLOW(i)) != 0)
			buf_addf(out, cli_options[i].value != NULL ? " [%s %s]" : " [%s]", cli_options[i].name,
			    cli_options[i].value);
}

enum { HELP_COLUMN = 40 };

/* "  user add ADDRESS      what it does", the words on the next line when the command is long. */
static void
add_row(const struct cli_command *row, struct buf *out)
{
	size_t start = out->n;
	size_t wide;

	buf_addf(out, "  %s", row->noun);
	if (row->verb != NULL)
		buf_addf(out, " %s", row->verb);
	if (*row->args != '\0')
		buf_addf(out, " %s", row->args);
	wide = cli_width(str_sub(buf_str(out), start, out->n));
	if (wide + 2 > HELP_COLUMN)
		buf_add_char(out, '\n');
	for (wide = wide + 2 > HELP_COLUMN ? 0 : wide; wide < HELP_COLUMN; wide++)
		buf_add_char(out, ' ');
	buf_addf(out, "%s\n", row->help);
}

/* All rows, or those of one noun. False when there is none. */
static bool
add_rows(const char *noun, struct buf *out)
{
	size_t before = out->n;

	for (const struct cli_command *row = cli_commands; row->noun != NULL; row++)
		if (noun == NULL || strcmp(noun, row->noun) == 0)
			add_row(row, out);
	return out->n > before;
}

static int
help_command(const struct cli_command *row)
{
	struct buf out;
	int status;

	buf_init(&out, SIZE_MAX);
	buf_add_cstr(&out, "usage: postern [-c FILE] ");
	add_usage(row, &out);
	buf_addf(&out, "\n\n%s\n\n", row->help);
	for (unsigned i = 0; i < OPT_COUNT; i++)
		if ((row->options & ALLOW(i)) != 0)
			buf_addf(&out, "  %s%s%s  %s\n", cli_options[i].name, cli_options[i].value != NULL ? " " : "",
			    cli_options[i].value != NULL ? cli_options[i].value : "", cli_options[i].help);
	buf_addf(&out, "  -c FILE  the configuration; else $POSTERN_CONF, else %s\n", CONF_PATH);
	status = cli_print(&out);
	buf_fini(&out);
	return status;
}

static int
help_all(const char *noun)
{
	struct buf out;
	int status;

	buf_init(&out, SIZE_MAX);
	buf_add_cstr(&out, "postern " POSTERN_VERSION ", a mail server\n\nusage: postern [-c FILE] COMMAND …\n\n");
	if (!add_rows(noun, &out))
		status = cli_say(CLI_USAGE, "there is no command %s, `postern --help' lists them all", noun);
	else {
		buf_addf(&out,
		    "\n`postern COMMAND --help' tells more. FILE is %s unless -c or $POSTERN_CONF names another.\n"
		    "Exit status: 0 done, 1 failed, 2 wrong usage, 75 try later.\n",
		    CONF_PATH);
		status = cli_print(&out);
	}
	buf_fini(&out);
	return status;
}

static int
help_man(void)
{
	struct buf out;
	int status;

	buf_init(&out, SIZE_MAX);
	man_write(&out);
	status = cli_print(&out);
	buf_fini(&out);
	return status;
}

static int
refuse_usage(const struct cli_command *row, const char *why)
{
	struct buf usage;
	int status;

	buf_init(&usage, SIZE_MAX);
	add_usage(row, &usage);
	status = cli_say(CLI_USAGE, "%s, usage: postern %s", why, buf_cstr(&usage));
	buf_fini(&usage);
	return status;
}

static int
run_command(const struct cli_command *row, const struct words *w)
{
	unsigned used = words_of(row);
	struct cli c = { .conf_path = w->conf_path, .command = row, .args = w->v + used, .nargs = w->n - used };

	for (unsigned i = 0; i < OPT_COUNT; i++)
		if (w->given[i] != NULL && (row->options & ALLOW(i)) == 0)
			return refuse_usage(row, "this command does not know that option");
	if (c.nargs < row->least)
		return refuse_usage(row, "something is missing");
	if (c.nargs > row->most)
		return refuse_usage(row, "too many arguments");
	memcpy(c.given, w->given, sizeof(c.given));
	return row->run(&c);
}

static int
refuse_command(const struct words *w)
{
	if (w->n == 0)
		return cli_say(CLI_USAGE, "a command is missing, `postern --help' lists them");
	return cli_say(CLI_USAGE, "there is no command %s%s%s, `postern --help' lists them all", w->v[0],
	    w->n > 1 ? " " : "", w->n > 1 ? w->v[1] : "");
}

static int
run_words(const struct words *w)
{
	const struct cli_command *row = find_command(w);

	if (w->help && w->given[OPT_MAN] != NULL)
		return help_man();
	if (w->help)
		return row != NULL ? help_command(row) : help_all(w->n > 0 ? w->v[0] : NULL);
	return row != NULL ? run_command(row, w) : refuse_command(w);
}

int
cli_main(int argc, char **argv)
{
	struct words w = { .v = mem_array((size_t)argc + 3, sizeof(w.v[0])), .conf_path = default_conf_path() };
	int status = CLI_DONE;

	if (argc > 0) {
		take_name(&w, argv[0]);
		status = take_words(&w, argv + 1);
	}
	if (status == CLI_DONE)
		status = run_words(&w);
	free(w.v);
	return status;
}
