/* cli.h - the operator's commands: `postern [-c FILE] COMMAND …`, and the names sendmail, mailq and newaliases. */
#ifndef POSTERN_CLI_CLI_H
#define POSTERN_CLI_CLI_H

/* Runs the command that argv tells and returns the exit status: 0 done, 1 failed, 2 wrong usage, 75 try later. For
 * anything but 0 one line on standard error says why and what to do. */
int cli_main(int argc, char **argv);

#endif
