/* man.c - postern(8) in mdoc, made from the table of commands. */
#include "man.h"

static const char head[] =
    ".Dd November 20, 2026\n"
    ".Dt POSTERN 8\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm postern\n"
    ".Nd a mail server\n"
    ".Sh SYNOPSIS\n"
    ".Nm\n"
    ".Op Fl c Ar file\n"
    ".Ar command ...\n"
    ".Nm sendmail\n"
    ".Op Ar option ...\n"
    ".Op Ar address ...\n"
    ".Nm mailq\n"
    ".Nm newaliases\n"
    ".Sh DESCRIPTION\n"
    ".Nm\n"
    "takes mail over SMTP and submission, keeps it in Maildirs, and serves it over IMAP.\n"
    "One program is all of it: the server, each of its processes, and the commands that look after it.\n"
    ".Pp\n"
    "Commands that change accounts or look at the queue ask the process that owns the thing through a socket in\n"
    ".Pa run\n"
    "below the state directory; only root and the user of the server may.\n"
    "Where no server is needed, as for accounts, they work without one, too.\n"
    ".Pp\n"
    "Options stand anywhere behind the command; behind\n"
    ".Fl Fl\n"
    "nothing is an option.\n"
    ".Fl Fl help\n"
    "explains a command.\n"
    ".Bl -tag -width Ds\n"
    ".It Fl c Ar file\n"
    "The configuration,\n"
    ".Xr postern.conf 5 .\n"
    ".El\n"
    ".Sh COMMANDS\n"
    ".Bl -tag -width Ds\n";

static const char middle[] = ".El\n"
			     ".Pp\n"
			     "Their options:\n"
			     ".Bl -tag -width Ds\n";

static const char tail[] =
    ".El\n"
    ".Ss sendmail\n"
    "It reads a message from standard input and hands it to the running server.\n"
    "It needs no rights.\n"
    "Of the options of other sendmails it knows\n"
    ".Fl t\n"
    "(recipients from To, Cc and Bcc),\n"
    ".Fl i\n"
    "(a line with a dot does not end the message),\n"
    ".Fl f Ar address\n"
    "(the sender),\n"
    ".Fl F Ar name ,\n"
    ".Fl N ,\n"
    ".Fl R\n"
    "and\n"
    ".Fl V\n"
    "(delivery notifications),\n"
    ".Fl bs\n"
    "(SMTP on standard input and output),\n"
    ".Fl bp\n"
    "(as\n"
    ".Nm mailq )\n"
    "and\n"
    ".Fl bi\n"
    "(as\n"
    ".Nm newaliases ,\n"
    "which has nothing to do: aliases are in force at once).\n"
    "Others are read over.\n"
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width Ds\n"
    ".It Ev POSTERN_CONF\n"
    "The configuration when\n"
    ".Fl c\n"
    "is not given.\n"
    ".El\n"
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa /etc/postern/postern.conf\n"
    "The configuration when neither names another.\n"
    ".It Pa /var/lib/postern\n"
    "Mail, queue, accounts and keys, unless the configuration names another directory.\n"
    ".El\n"
    ".Sh EXIT STATUS\n"
    "0: done.\n"
    "1: failed.\n"
    "2: wrong usage.\n"
    "75: not now, try later.\n"
    "For anything but 0 one line on standard error says why and what to do.\n"
    ".Pp\n"
    "The server reads its configuration again on\n"
    ".Dv SIGHUP\n"
    "and ends its sessions and then itself on\n"
    ".Dv SIGTERM .\n"
    ".Sh EXAMPLES\n"
    "A site from nothing:\n"
    ".Bd -literal -offset indent\n"
    "postern init alice@example.org\n"
    "postern serve\n"
    ".Ed\n"
    ".Pp\n"
    "An account by a script:\n"
    ".Bd -literal -offset indent\n"
    "echo \"$password\" | postern user add bob@example.org --password-stdin\n"
    ".Ed\n"
    ".Pp\n"
    "Is everything published, and what do others see of our TLS:\n"
    ".Bd -literal -offset indent\n"
    "postern dns check\n"
    "postern tls probe example.org\n"
    ".Ed\n"
    ".Pp\n"
    "Why does this address get no mail:\n"
    ".Bd -literal -offset indent\n"
    "postern explain info@example.org\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr postern.conf 5\n";

/* Arguments in the table's own form: upper case is what is replaced. */
static void
add_command(const struct cli_command *row, struct buf *out)
{
	buf_addf(out, ".It Ic %s", row->noun);
	if (row->verb != NULL)
		buf_addf(out, " %s", row->verb);
	if (*row->args != '\0')
		buf_addf(out, " Ar \"%s\"", row->args);
	for (unsigned i = 0; i < OPT_COUNT; i++)
		if (cli_option_is_extra(row, i))
			buf_addf(out, " Oo Fl %s Oc", cli_options[i].name + 1);
	buf_addf(out, "\n%c%s.\n", row->help[0] - 'a' + 'A', row->help + 1);
}

static void
add_option(const struct cli_option_row *row, struct buf *out)
{
	buf_addf(out, ".It Fl %s", row->name + 1);
	if (row->value != NULL)
		buf_addf(out, " Ar %s", row->value);
	buf_addf(out, "\n%c%s.\n", row->help[0] - 'a' + 'A', row->help + 1);
}

void
man_write(struct buf *out)
{
	buf_add_cstr(out, head);
	for (const struct cli_command *row = cli_commands; row->noun != NULL; row++)
		add_command(row, out);
	buf_add_cstr(out, middle);
	for (unsigned i = 0; i < OPT_COUNT; i++)
		add_option(&cli_options[i], out);
	buf_add_cstr(out, tail);
}
