/* mail.c - reading and completing a message of a program on this box. */
#include "mail.h"

#include <errno.h>
#include <unistd.h>

#include <postern/core/utf8.h>
#include <postern/message/address.h>
#include <postern/message/addrlist.h>
#include <postern/message/header.h>

enum { RECIPIENTS_MAX = 10000, CHUNK = 64 * 1024 };

void
mail_init(struct mail *m, uint64_t max)
{
	*m = (struct mail){ .sender = STR("") };
	arena_init(&m->arena);
	buf_init(&m->message, max);
}

void
mail_fini(struct mail *m)
{
	arena_fini(&m->arena);
	buf_fini(&m->message);
}

/* An item as it stands between the brackets of a path. */
static struct str
path_of(struct mail *m, const struct addrlist_item *item)
{
	struct buf path;
	struct str result;

	buf_init(&path, SIZE_MAX);
	address_write_local(&path, item->local);
	buf_add_char(&path, '@');
	buf_add(&path, item->domain.n > 0 ? item->domain : m->origin);
	result = arena_str(&m->arena, buf_str(&path));
	buf_fini(&path);
	return result;
}

/* The list is in an array that doubles; the arena keeps the old ones until the end. */
static void
add_recipient(struct mail *m, struct str path)
{
	if ((m->nrecipients & (m->nrecipients - 1)) == 0) { /* 0 and the powers of two: full */
		struct str *more = arena_array(&m->arena, m->nrecipients * 2 + 1, sizeof(more[0]));

		if (m->nrecipients > 0)
			memcpy(more, m->recipients, m->nrecipients * sizeof(more[0]));
		m->recipients = more;
	}
	m->recipients[m->nrecipients++] = path;
}

/* The path of a mailbox, or false: what is malformed is not guessed. One without a domain is one of ours. */
static bool
take_path(struct mail *m, const struct addrlist_item *item, struct str *path)
{
	struct address parts;

	if (item->local.n == 0)
		return false;
	*path = path_of(m, item);
	return address_parse(*path, ADDRESS_UTF8, &parts);
}

/* The list is not what the grammar says, and not because of a mailbox without a domain, or too long. */
static bool
is_guess(const struct addrlist *list)
{
	bool bare = false;

	for (const struct addrlist_item *i = list->first; i != NULL; i = i->next)
		bare = bare || (i->kind == ADDRLIST_MAILBOX && i->domain.n == 0);
	return list->truncated || (list->malformed && !bare);
}

bool
mail_add_recipients(struct mail *m, struct str list)
{
	struct addrlist found = { 0 };
	struct str path;

	addrlist_parse(&m->arena, list, RECIPIENTS_MAX, &found);
	if (is_guess(&found))
		return false;
	for (const struct addrlist_item *i = found.first; i != NULL; i = i->next) {
		if (i->kind != ADDRLIST_MAILBOX)
			continue;
		if (!take_path(m, i, &path))
			return false;
		add_recipient(m, path);
	}
	return true;
}

bool
mail_set_sender(struct mail *m, struct str address)
{
	struct addrlist found = { 0 };

	m->sender = STR("");
	if (address.n == 0 || str_eq(address, STR("<>")))
		return true;
	addrlist_parse(&m->arena, address, 2, &found);
	return !is_guess(&found) && found.mailboxes == 1 && found.n == 1 && take_path(m, found.first, &m->sender);
}

/* One line end at a time: where the next line of the input starts, with the line cut off it. False at the end. */
static bool
next_line(struct str *rest, struct str *line)
{
	size_t at = 0;

	if (rest->n == 0)
		return false;
	while (at < rest->n && rest->p[at] != '\n' && rest->p[at] != '\r')
		at++;
	*line = str_sub(*rest, 0, at);
	if (at + 1 < rest->n && rest->p[at] == '\r' && rest->p[at + 1] == '\n')
		at++;
	*rest = str_sub(*rest, at + 1, rest->n);
	return true;
}

static void
take_lines(struct mail *m, struct str raw, enum mail_end end)
{
	struct str line;

	while (next_line(&raw, &line)) {
		if (end == MAIL_ENDS_WITH_DOT && str_eq(line, STR(".")))
			return;
		buf_add(&m->message, line);
		buf_add(&m->message, STR("\r\n"));
	}
}

bool
mail_read(struct mail *m, int fd, enum mail_end end)
{
	struct buf raw;
	ssize_t n;
	char *room;

	buf_init(&raw, m->message.max);
	do {
		room = buf_room(&raw, CHUNK < raw.max - raw.n ? CHUNK : raw.max - raw.n);
		n = room != NULL ? read(fd, room, CHUNK < raw.max - raw.n ? CHUNK : raw.max - raw.n) : -1;
		raw.n += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && raw.n < raw.max) || (n == -1 && errno == EINTR));
	take_lines(m, buf_str(&raw), end);
	if (raw.n == raw.max || m->message.over) {
		errno = EFBIG;
		n = -1;
	}
	buf_fini(&raw);
	return n >= 0;
}

bool
mail_take_recipients(struct mail *m)
{
	struct header_walk walk = header_begin(str_sub(buf_str(&m->message), 0, header_size(buf_str(&m->message))));
	struct header_field f;
	bool ok = true;

	while (ok && header_next(&walk, &f))
		if (str_eq_nocase(f.name, STR("To")) || str_eq_nocase(f.name, STR("Cc")) ||
		    str_eq_nocase(f.name, STR("Bcc")))
			ok = mail_add_recipients(m, f.value);
	return ok;
}

/* RFC 5322 3.2.4: a name in quotes; one that is not ASCII is left out. */
static void
add_display(struct str name, struct buf *out)
{
	if (name.n == 0 || !ascii_only(name))
		return;
	buf_add_char(out, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_add_char(out, '\\');
		if (ascii_is_print(name.p[i]))
			buf_add_char(out, name.p[i]);
	}
	buf_add_cstr(out, "\" ");
}

void
mail_complete(struct mail *m, struct str name)
{
	struct str block = str_sub(buf_str(&m->message), 0, header_size(buf_str(&m->message)));
	struct header_field f;
	struct buf whole;

	if (header_find(block, STR("From"), &f))
		return;
	buf_init(&whole, SIZE_MAX);
	buf_add_cstr(&whole, "From: ");
	add_display(name, &whole);
	buf_add_char(&whole, '<');
	buf_add(&whole, m->sender);
	buf_add_cstr(&whole, ">\r\n");
	buf_add(&whole, buf_str(&m->message));
	buf_fini(&m->message);
	m->message = whole;
}
