/* man.h - postern(8), made from the table of commands. */
#ifndef POSTERN_CLI_MAN_H
#define POSTERN_CLI_MAN_H

#include "command.h"

struct cli_option_row {
	const char *name;
	const char *value; /* its name in help; NULL: takes none */
	const char *help;
};
extern const struct cli_option_row cli_options[OPT_COUNT];

/* The command knows the option, and its arguments do not tell of it already. */
bool cli_option_is_extra(const struct cli_command *row, unsigned option);

void man_write(struct buf *out);

#endif
