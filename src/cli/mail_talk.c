/* mail_talk.c - handing a message to our own server: SMTP (RFC 5321) on the local socket, one step at a time. */
#include "mail.h"

#include <errno.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/utf8.h>

#include "command.h"

enum { LINE_MAX_BYTES = 4096, REPLY_MAX = 16 * 1024 };

struct talk {
	int fd;
	struct buf in;    /* read and not yet taken */
	struct buf reply; /* the last one, its lines joined */
	unsigned code;    /* of the last reply; 0: the connection failed */
};

/* The next line without its end, or false. */
static bool
take_line(struct talk *t, struct buf *line)
{
	size_t end;
	char *room;
	ssize_t n;

	while ((end = str_find(buf_str(&t->in), '\n')) == t->in.n) {
		room = buf_room(&t->in, 512);
		n = room != NULL ? read(t->fd, room, 512) : 0;
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		t->in.n += (size_t)n;
	}
	buf_clear(line);
	buf_add(line, str_trim(str_sub(buf_str(&t->in), 0, end)));
	buf_drop(&t->in, end + 1);
	return true;
}

static bool
is_last(const struct buf *line)
{
	return line->n < 4 || line->p[3] != '-';
}

/* Reads one reply (RFC 5321 4.2.1) and returns its code. */
static unsigned
take_reply(struct talk *t)
{
	struct buf line;
	uint64_t code = 0;
	bool got;

	buf_init(&line, LINE_MAX_BYTES);
	buf_clear(&t->reply);
	do {
		got = take_line(t, &line);
		if (got && t->reply.n > 0)
			buf_add_char(&t->reply, ' ');
		if (got)
			buf_add(&t->reply, t->reply.n > 0 ? str_sub(buf_str(&line), 4, line.n) : buf_str(&line));
	} while (got && !is_last(&line));
	if (!got || !str_u64(str_sub(buf_str(&line), 0, 3), 599, &code))
		code = 0;
	buf_fini(&line);
	t->code = (unsigned)code;
	return t->code;
}

static unsigned
tell(struct talk *t, const struct buf *command)
{
	t->code = 0;
	buf_clear(&t->reply);
	return io_write_all(t->fd, buf_str(command)) ? take_reply(t) : 0;
}

/* What a refusal means for whoever started us; what is for the words. */
static int
refuse(const struct talk *t, const char *what)
{
	if (t->code == 0)
		return cli_say(CLI_LATER, "the server ended the connection, try again later");
	return cli_say(t->code < 500 ? CLI_LATER : CLI_FAILED, "%s: %.*s", what, STR_ARG(buf_str(&t->reply)));
}

static int
greet(struct talk *t, struct str hostname)
{
	struct buf line;
	int status = CLI_DONE;

	buf_init(&line, LINE_MAX_BYTES);
	buf_addf(&line, "EHLO %.*s\r\n", STR_ARG(hostname));
	if (take_reply(t) != 220 || tell(t, &line) != 250)
		status = refuse(t, "the server");
	buf_fini(&line);
	return status;
}

static bool
any_utf8(const struct mail *m)
{
	bool plain = ascii_only(m->sender);

	for (size_t i = 0; i < m->nrecipients; i++)
		plain = plain && ascii_only(m->recipients[i]);
	return !plain;
}

static int
tell_sender(struct talk *t, const struct mail *m)
{
	struct buf line;
	int status = CLI_DONE;

	buf_init(&line, LINE_MAX_BYTES);
	buf_addf(&line, "MAIL FROM:<%.*s> SIZE=%zu", STR_ARG(m->sender), m->message.n);
	buf_add_cstr(&line, ascii_only(buf_str(&m->message)) ? "" : " BODY=8BITMIME");
	buf_add_cstr(&line, any_utf8(m) ? " SMTPUTF8" : "");
	if (m->ret != NULL)
		buf_addf(&line, " RET=%s", m->ret);
	if (m->envid != NULL)
		buf_addf(&line, " ENVID=%s", m->envid);
	buf_add_cstr(&line, "\r\n");
	if (tell(t, &line) != 250)
		status = refuse(t, m->sender.n > 0 ? m->sender.p : "<>");
	buf_fini(&line);
	return status;
}

static int
tell_recipients(struct talk *t, const struct mail *m)
{
	struct buf line;
	int status = CLI_DONE;

	buf_init(&line, LINE_MAX_BYTES);
	for (size_t i = 0; status == CLI_DONE && i < m->nrecipients; i++) {
		buf_clear(&line);
		buf_addf(&line, "RCPT TO:<%.*s>", STR_ARG(m->recipients[i]));
		if (m->notify != NULL)
			buf_addf(&line, " NOTIFY=%s", m->notify);
		buf_add_cstr(&line, "\r\n");
		if (tell(t, &line) / 10 != 25)
			status = refuse(t, m->recipients[i].p);
	}
	buf_fini(&line);
	return status;
}

/* RFC 5321 4.5.2: a dot at the start of a line is doubled. */
static void
add_stuffed(struct str message, struct buf *out)
{
	struct str line;

	while (str_cut(&message, '\n', &line)) {
		if (str_starts(line, STR(".")))
			buf_add_char(out, '.');
		buf_add(out, line);
		buf_add_char(out, '\n');
	}
	buf_add_cstr(out, ".\r\n");
}

static int
tell_message(struct talk *t, const struct mail *m)
{
	struct buf data;
	int status = CLI_DONE;

	buf_init(&data, SIZE_MAX);
	buf_add_cstr(&data, "DATA\r\n");
	if (tell(t, &data) != 354) {
		buf_fini(&data);
		return refuse(t, "the message");
	}
	buf_clear(&data);
	add_stuffed(buf_str(&m->message), &data);
	if (tell(t, &data) != 250)
		status = refuse(t, "the message");
	buf_fini(&data);
	return status;
}

static void
leave(struct talk *t)
{
	struct buf line;

	buf_init(&line, 16);
	buf_add_cstr(&line, "QUIT\r\n");
	tell(t, &line);
	buf_fini(&line);
}

int
mail_talk(const struct mail *m, int fd, struct str hostname)
{
	struct talk t = { .fd = fd };
	int status;

	buf_init(&t.in, REPLY_MAX);
	buf_init(&t.reply, REPLY_MAX);
	status = greet(&t, hostname);
	if (status == CLI_DONE)
		status = tell_sender(&t, m);
	if (status == CLI_DONE)
		status = tell_recipients(&t, m);
	if (status == CLI_DONE)
		status = tell_message(&t, m);
	if (t.code != 0)
		leave(&t);
	buf_fini(&t.in);
	buf_fini(&t.reply);
	return status;
}
