/* trace_show.c - the lines of the log as sentences: one per line of the record, grouped by message.
 *
 * An event is a row of its words and of the fields behind them; fields that no row names follow as they are, so that nothing
 * that was logged is hidden. */
#include "trace.h"

#include <string.h>

#include "columns.h"

enum { PIECES_MAX = 12 };

/* " at host.example": written when the field is there and not empty. */
struct piece {
	const char *before;
	const char *key;
	const char *after;
};

struct sentence {
	const char *event;
	struct piece piece[PIECES_MAX];
};

#define WHO { " to ", "to", "" }, { " (for ", "orig_to", ")" }, { " at ", "host", "" }, { " [", "ip", "]" }
#define HOW                                                                                                            \
	{ ", after ", "delay", " s" }, { ": ", "dsn", "" }, { " ", "reply", "" }, { ", ", "why", "" },                 \
	    { "; TLS: ", "tls_got", "" }, { " (wanted: ", "tls_wanted", ")" },                                         \
	{                                                                                                              \
		", because: ", "tls_why", ""                                                                           \
	}

static const struct sentence sentences[] = {
	{ "accept", { { "accepted from ", "client", "" }, { " (", "helo", ")" }, { ", login ", "auth", "" },
			{ ", TLS ", "tls", "" }, { ", ", "size", " bytes" }, { ", recipients: ", "nrcpt", "" } } },
	{ "deliver", { { "delivered", "event", "" }, WHO, HOW } },
	{ "defer", { { "not delivered yet", "event", "" }, WHO, HOW } },
	{ "bounce", { { "given up, not delivered", "event", "" }, WHO, HOW } },
	{ "refuse",
	    { { "refused", "event", "" }, { " from ", "client", "" }, { " (", "helo", ")" }, { ": <", "from", ">" },
		{ " to <", "to", ">" }, { ": ", "code", "" }, { " ", "reply", "" }, { "; ", "why", "" } } },
	{ "tls",
	    { { "TLS handshake", "event", "" }, { " with ", "host", "" }, { " [", "ip", "]" }, { ": ", "version", "" },
		{ " ", "cipher", "" }, { " ", "group", "" }, { ", level ", "tls_got", "" },
		{ " (wanted: ", "tls_wanted", ")" }, { ", because: ", "tls_why", "" } } },
	{ "delete", { { "deleted", "event", "" }, { ": ", "why", "" } } },
};

/* Said above the lines, or of no use to people. */
static const char *const hidden[] = { "time", "level", "role", "event", "sid", "qid", "from", "msgid", "delays" };

static struct str
field(const json_t *line, const char *key)
{
	const json_t *value = json_object_get(line, key);

	return str_from(json_string_value(value), json_string_length(value));
}

static bool
is(const json_t *line, const char *event)
{
	return str_eq(field(line, "event"), str_of(event));
}

static const struct sentence *
sentence_of(const json_t *line)
{
	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
		if (is(line, sentences[i].event))
			return &sentences[i];
	return NULL;
}

/* The word for the event stands where "event" is the key. */
static void
add_piece(const json_t *line, const struct piece *p, struct buf *out)
{
	struct str value = field(line, p->key);

	if (value.n == 0)
		return;
	buf_add_cstr(out, p->before);
	if (strcmp(p->key, "event") != 0)
		cli_text_write(value, ONE_LINE, out);
	buf_add_cstr(out, p->after);
}

static bool
is_said(const struct sentence *s, const char *key)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (strcmp(hidden[i], key) == 0)
			return true;
	for (size_t i = 0; s != NULL && i < PIECES_MAX && s->piece[i].key != NULL; i++)
		if (strcmp(s->piece[i].key, key) == 0)
			return true;
	return false;
}

static void
add_others(const json_t *line, const struct sentence *s, struct buf *out)
{
	json_t *object = json_incref((json_t *)(uintptr_t)line); /* the iterator wants to write */
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		if (is_said(s, key) || json_string_length(value) == 0)
			continue;
		buf_add_cstr(out, ", ");
		cli_text_write(str_of(key), ONE_LINE, out);
		buf_add_char(out, ' ');
		cli_text_write(field(line, key), ONE_LINE, out);
	}
	json_decref(object);
}

/* "2026-05-01T12:00:00.123+02:00" with a blank: two words. */
static void
add_time(const json_t *line, struct buf *out)
{
	struct str time = field(line, "time");
	size_t t = str_find(time, 'T');

	cli_text_write(str_sub(time, 0, t), ONE_LINE, out);
	buf_add_char(out, ' ');
	cli_text_write(str_sub(time, t + 1, time.n), ONE_LINE, out);
}

static void
add_line(const json_t *line, struct buf *out)
{
	const struct sentence *s = sentence_of(line);

	buf_add_cstr(out, "  ");
	add_time(line, out);
	buf_add_cstr(out, "  ");
	for (size_t i = 0; s != NULL && i < PIECES_MAX && s->piece[i].key != NULL; i++)
		add_piece(line, &s->piece[i], out);
	if (s == NULL)
		cli_text_write(field(line, "event"), ONE_LINE, out);
	add_others(line, s, out);
	buf_add_char(out, '\n');
}

/* That it was taken stands first, though a local delivery comes before the 250. */
static void
add_lines(const json_t *events, struct buf *out)
{
	const json_t *line;
	size_t i;

	json_array_foreach(events, i, line)
		if (is(line, "accept"))
			add_line(line, out);
	json_array_foreach(events, i, line)
		if (!is(line, "accept"))
			add_line(line, out);
}

/* What the first line that knows it says. */
static struct str
any(const json_t *events, const char *key)
{
	const json_t *line;
	size_t i;

	json_array_foreach(events, i, line)
		if (json_object_get(line, key) != NULL)
			return field(line, key);
	return STR("");
}

json_t *
trace_waiting(const json_t *events)
{
	json_t *waiting = json_object(); /* recipient → true */
	json_t *list = json_array();
	const json_t *line;
	const char *who;
	json_t *value;
	size_t i;

	json_array_foreach(events, i, line) {
		struct str to = field(line, "to");

		if (is(line, "delete"))
			json_object_clear(waiting);
		else if (is(line, "defer"))
			json_object_setn_new(waiting, to.p, to.n, json_true());
		else if (is(line, "deliver") || is(line, "bounce"))
			json_object_deln(waiting, to.p, to.n);
	}
	json_object_foreach(waiting, who, value)
		json_array_append_new(list, json_string(who));
	json_decref(waiting);
	return list;
}

/* The answer to "where is it now?", where the lines alone leave that open. */
static void
add_now(const json_t *message, struct buf *out)
{
	const json_t *waiting = json_object_get(message, "waiting");
	const json_t *events = json_object_get(message, "events");
	static const struct cli_column list = { .as = AS_LIST };
	const char *what = "tells when it is tried again";

	if (json_array_size(waiting) > 0) {
		buf_add_cstr(out, "  still waits for ");
		cli_value_write(waiting, &list, out);
	} else if (json_array_size(events) == 1 && is(json_array_get(events, 0), "accept")) {
		buf_add_cstr(out, "  no outcome yet");
		what = "tells whether it waits";
	} else {
		return;
	}
	buf_add_cstr(out, "; `postern queue show ");
	cli_text_write(field(message, "qid"), ONE_LINE, out);
	buf_addf(out, "' %s\n", what);
}

static void
add_message(const json_t *message, struct buf *out)
{
	const json_t *events = json_object_get(message, "events");
	struct str msgid = any(events, "msgid");

	buf_add_cstr(out, "message ");
	cli_text_write(field(message, "qid"), ONE_LINE, out);
	buf_add_cstr(out, " from <");
	cli_text_write(any(events, "from"), ONE_LINE, out);
	buf_add_char(out, '>');
	if (msgid.n > 0)
		buf_add_cstr(out, ", Message-ID ");
	cli_text_write(msgid, ONE_LINE, out);
	buf_add_char(out, '\n');
	add_lines(events, out);
	add_now(message, out);
}

static void
add_refused(const json_t *session, struct buf *out)
{
	struct str sid = field(session, "sid");

	buf_add_cstr(out, sid.n > 0 ? "refused in session " : "refused");
	cli_text_write(sid, ONE_LINE, out);
	buf_add_char(out, '\n');
	add_lines(json_object_get(session, "events"), out);
}

void
trace_show(const json_t *story, struct buf *out)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(story, "messages"), i, item) {
		buf_add_cstr(out, out->n > 0 ? "\n" : "");
		add_message(item, out);
	}
	json_array_foreach(json_object_get(story, "refused"), i, item) {
		buf_add_cstr(out, out->n > 0 ? "\n" : "");
		add_refused(item, out);
	}
	if (json_is_true(json_object_get(story, "cut")))
		buf_add_cstr(out, "\nThere is more: these are the newest. --days takes fewer days.\n");
}
