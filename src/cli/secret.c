/* secret.c - passwords from the terminal, without echo, or from standard input. */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <postern/auth/password.h>
#include <postern/core/io.h>

/* One line without its end; false when nothing came at all. */
static bool
read_line(int fd, struct buf *out)
{
	char c;
	ssize_t n;

	while ((n = read(fd, &c, 1)) == 1 || (n == -1 && errno == EINTR))
		if (n == 1 && c == '\n')
			return true;
		else if (n == 1 && c != '\r')
			buf_add_char(out, c);
	return out->n > 0;
}

static int
read_stdin(struct buf *out)
{
	if (!read_line(STDIN_FILENO, out))
		return cli_say(CLI_USAGE, "standard input has no line with the password");
	if (out->over)
		return cli_say(CLI_FAILED, "the password is longer than %d bytes", PASSWORD_MAX);
	return CLI_DONE;
}

static bool
ask_terminal(int tty, const char *prompt, struct buf *out)
{
	struct termios loud, silent;
	bool ok;

	if (tcgetattr(tty, &loud) == -1)
		return false;
	silent = loud;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(tty, TCSAFLUSH, &silent);
	io_write_all(tty, str_of(prompt)); /* after the echo is off: what is typed at once is neither shown nor lost */
	ok = read_line(tty, out);
	tcsetattr(tty, TCSAFLUSH, &loud);
	io_write_all(tty, STR("\n"));
	return ok;
}

static int
ask_again(int tty, struct buf *out)
{
	struct buf again;
	bool same;

	buf_init(&again, PASSWORD_MAX);
	same = ask_terminal(tty, "again: ", &again) && str_eq(buf_str(&again), buf_str(out));
	buf_wipe(&again);
	return same ? CLI_DONE : cli_say(CLI_FAILED, "the two passwords differ, start again");
}

static int
read_terminal(enum secret_asking asking, struct buf *out)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	int status = CLI_DONE;

	if (tty == -1)
		return cli_say(
		    CLI_USAGE, "there is no terminal to ask for the password, give it with --password-stdin");
	if (!ask_terminal(tty, asking == SECRET_TWICE ? "new password: " : "password: ", out))
		status = cli_say(CLI_FAILED, "no password was typed");
	else if (asking == SECRET_TWICE)
		status = ask_again(tty, out);
	close(tty);
	return status;
}

int
secret_read(const struct cli *c, enum secret_asking asking, struct buf *out)
{
	if (c->given[OPT_PASSWORD_STDIN] != NULL || c->given[OPT_HASH_STDIN] != NULL)
		return read_stdin(out);
	return read_terminal(asking, out);
}
