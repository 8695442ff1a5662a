/* sendmail.c - `postern sendmail', and what programs call as sendmail, mailq and newaliases.
 *
 * It needs no rights: it speaks SMTP on <state>/run/submit, which every local user may. Without a server it says so
 * with status 75 and has taken nothing. The options are those that programs use of other sendmails; -o… and the modes of
 * delivery are read over, since there is only one way to deliver. */
#include "sendmail.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <postern/core/io.h>

#include "ask.h"
#include "mail.h"
#include "server.h"

enum mode { MODE_SEND, MODE_SMTP, MODE_QUEUE, MODE_ALIASES };

struct options {
	enum mode mode;
	bool from_header;  /* -t */
	bool ignore_dots;  /* -i */
	const char *from;  /* -f */
	const char *name;  /* -F */
	const char *notify;
	const char *ret;
	const char *envid;
	const char *const *rest;
	unsigned nrest;
};

/* Letters with a value, in the same word or the next one; others may stand together. */
#define VALUED "fFrNRVBChoOqpXbAL"

static int
set_mode(struct options *o, const char *value)
{
	switch (value[0]) {
	case 'm':
		return CLI_DONE;
	case 's':
		o->mode = MODE_SMTP;
		return CLI_DONE;
	case 'p':
		o->mode = MODE_QUEUE;
		return CLI_DONE;
	case 'i':
		o->mode = MODE_ALIASES;
		return CLI_DONE;
	default:
		return cli_say(CLI_USAGE, "there is no mode -b%s, only -bm, -bs, -bp and -bi", value);
	}
}

static int
set_valued(struct options *o, char letter, const char *value)
{
	switch (letter) {
	case 'b':
		return set_mode(o, value);
	case 'f':
	case 'r':
		o->from = value;
		break;
	case 'F':
		o->name = value;
		break;
	case 'N':
		o->notify = value;
		break;
	case 'R':
		o->ret = value;
		break;
	case 'V':
		o->envid = value;
		break;
	case 'o':
		o->ignore_dots = o->ignore_dots || value[0] == 'i';
		break;
	}
	return CLI_DONE;
}

static int
set_flag(struct options *o, char letter)
{
	if (letter == 't')
		o->from_header = true;
	else if (letter == 'i')
		o->ignore_dots = true;
	else if (strchr("mnvUGs", letter) == NULL)
		return cli_say(CLI_USAGE, "there is no option -%c", letter);
	return CLI_DONE;
}

/* One word of options; *used is 1 when the value was the next word. */
static int
take_letters(struct options *o, const char *letters, const char *next, unsigned *used)
{
	int status = CLI_DONE;

	for (*used = 0; status == CLI_DONE && *letters != '\0'; letters++) {
		if (strchr(VALUED, *letters) == NULL) {
			status = set_flag(o, *letters);
			continue;
		}
		if (letters[1] == '\0' && *letters != 'o' && *letters != 'q') {
			if (next == NULL)
				return cli_say(CLI_USAGE, "-%c wants a value", *letters);
			*used = 1;
			return set_valued(o, *letters, next);
		}
		return set_valued(o, *letters, letters + 1);
	}
	return status;
}

static int
take_options(struct options *o, const char *const *words, unsigned n)
{
	unsigned i = 0;
	int status = CLI_DONE;

	while (status == CLI_DONE && i < n && words[i][0] == '-' && words[i][1] != '\0') {
		unsigned used = 0;

		if (strcmp(words[i], "--") == 0) {
			i++;
			break;
		}
		status = take_letters(o, words[i] + 1, i + 1 < n ? words[i + 1] : NULL, &used);
		i += 1 + used;
	}
	o->rest = words + i;
	o->nrest = n - i;
	return status;
}

static struct str
user_name(struct mail *m, struct str *full)
{
	const struct passwd *pw = getpwuid(getuid());

	*full = STR("");
	if (pw == NULL)
		return arena_strf(&m->arena, "uid%u", (unsigned)getuid());
	*full = arena_str(&m->arena, str_sub(str_of(pw->pw_gecos), 0, str_find(str_of(pw->pw_gecos), ',')));
	return arena_str(&m->arena, str_of(pw->pw_name));
}

static int
collect_addresses(struct mail *m, const struct options *o)
{
	struct str full;
	struct str sender = o->from != NULL ? str_of(o->from) : user_name(m, &full);

	if (!mail_set_sender(m, sender))
		return cli_say(CLI_FAILED, "%s is no address for a sender", o->from != NULL ? o->from : sender.p);
	for (unsigned i = 0; i < o->nrest; i++)
		if (!mail_add_recipients(m, str_of(o->rest[i])))
			return cli_say(CLI_FAILED, "%s is no address", o->rest[i]);
	return CLI_DONE;
}

static int
collect_message(struct mail *m, const struct options *o)
{
	struct str full;

	if (!mail_read(m, STDIN_FILENO, o->ignore_dots ? MAIL_ENDS_WITH_FILE : MAIL_ENDS_WITH_DOT))
		return cli_say(CLI_FAILED,
		    errno == EFBIG ? "the message is larger than limits.message_size" : "standard input: %m");
	if (o->from_header && !mail_take_recipients(m))
		return cli_say(CLI_FAILED, "To, Cc or Bcc holds something that is no address");
	if (m->nrecipients == 0)
		return cli_say(CLI_USAGE, "no recipients, name them or let -t take them from the header");
	user_name(m, &full);
	mail_complete(m, o->name != NULL ? str_of(o->name) : full);
	return CLI_DONE;
}

static void
set_patience(int fd)
{
	struct timeval limit = { .tv_sec = 10 * 60 }; /* RFC 5321 4.5.3.2.6: the answer to the final dot */

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static int
connect_server(const struct conf *conf, int *fd)
{
	signal(SIGPIPE, SIG_IGN);
	*fd = cli_connect(conf, "submit", SOCK_STREAM);
	if (*fd == -1)
		return cli_say(
		    CLI_LATER, "%s/run/submit: %m, the server does not run, nothing was sent", conf->state.p);
	set_patience(*fd);
	return CLI_DONE;
}

static int
hand_over(const struct mail *m, const struct conf *conf)
{
	int fd;
	int status = connect_server(conf, &fd);

	if (status == CLI_DONE)
		status = mail_talk(m, fd, conf->hostname);
	io_close(&fd);
	return status;
}

static int
send_message(const struct conf *conf, const struct options *o)
{
	struct mail m;
	int status;

	mail_init(&m, conf->limits.message_size + 1);
	m.origin = conf->domains.n > 0 ? conf->domains.v[0] : conf->hostname;
	m.notify = o->notify;
	m.ret = o->ret;
	m.envid = o->envid;
	status = collect_addresses(&m, o);
	if (status == CLI_DONE)
		status = collect_message(&m, o);
	if (status == CLI_DONE)
		status = hand_over(&m, conf);
	mail_fini(&m);
	return status;
}

/* What came from one side goes to the other; false at its end. */
static bool
pump(int from, int to)
{
	char bytes[16 * 1024];
	ssize_t n = read(from, bytes, sizeof(bytes));

	return (n > 0 && io_write_all(to, str_from(bytes, (size_t)n))) || (n == -1 && errno == EINTR);
}

/* -bs: standard input and output are the client. */
static int
speak_smtp(const struct conf *conf)
{
	struct pollfd sides[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
	int fd;
	int status = connect_server(conf, &fd);

	sides[1].fd = fd;
	while (status == CLI_DONE && poll(sides, 2, -1) > 0) {
		if (sides[1].revents != 0 && !pump(fd, STDOUT_FILENO))
			break;
		if (sides[0].revents != 0 && !pump(STDIN_FILENO, fd)) {
			shutdown(fd, SHUT_WR);
			sides[0].fd = -1;
		}
	}
	io_close(&fd);
	return status;
}

static int
run_mode(struct cli *c, const struct options *o)
{
	struct conf *conf;
	int status;

	if (o->mode == MODE_QUEUE)
		return do_queue_list(c);
	if (o->mode == MODE_ALIASES)
		return CLI_DONE; /* aliases are in force as soon as `alias add' returns */
	conf = cli_conf(c);
	if (conf == NULL)
		return CLI_LATER;
	status = o->mode == MODE_SMTP ? speak_smtp(conf) : send_message(conf, o);
	conf_unref(conf);
	return status;
}

int
sendmail_run(struct cli *c)
{
	struct options o = { .mode = MODE_SEND };
	int status = take_options(&o, c->args, c->nargs);

	return status == CLI_DONE ? run_mode(c, &o) : status;
}
