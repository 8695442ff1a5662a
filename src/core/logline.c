/* logline.c - lines of the log, taken apart.
 *
 *   text   2026-05-01T12:00:00.123+02:00 info smtp event=accept sid=… from="…"
 *   JSON   {"time":"2026-…","level":"info","role":"smtp","event":"accept","sid":"…","size":12} */
#include <postern/core/logline.h>

#include <time.h>

#include <postern/core/cur.h>

static bool
level_parse(struct str name, enum log_level *level)
{
	static const struct str names[] = { STR_INIT("debug"), STR_INIT("info"), STR_INIT("warn"), STR_INIT("error") };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_eq(name, names[i])) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

static bool
is_plain(char c)
{
	return ascii_is_print(c) && c != ' ' && c != '"' && c != '=' && c != '\\';
}

static bool
is_key(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '-';
}

/* Up to the closing quote; *escapes: the bytes between hold a backslash. */
static struct str
quoted(struct cur *c, bool *escapes)
{
	struct str rest = cur_rest(c);
	size_t n = 0;

	*escapes = false;
	while (n < rest.n && rest.p[n] != '"') {
		*escapes = *escapes || rest.p[n] == '\\';
		n += rest.p[n] == '\\' ? 2 : 1;
	}
	if (n >= rest.n) {
		cur_fail(c, "a closing quote");
		return STR("");
	}
	cur_bytes(c, n + 1);
	return str_sub(rest, 0, n);
}

static struct str
unescape(struct str s, struct arena *a)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == '"' || s.p[i + 1] == '\\'))
			i++;
		out[n++] = s.p[i];
	}
	return str_from(out, n);
}

static struct str
value(struct cur *c, struct arena *a)
{
	bool escapes;
	struct str s;

	if (!cur_take_char(c, '"'))
		return cur_want_while(c, is_plain, LOG_LINE_MAX, "a value");
	s = quoted(c, &escapes);
	return escapes ? unescape(s, a) : s;
}

/* --- text --- */

static void
text_head(struct cur *c, struct logline_head *h)
{
	struct str level;

	h->time = cur_want_while(c, is_plain, WALL_RFC3339_SIZE, "a time");
	cur_want(c, " ");
	level = cur_want_while(c, ascii_is_alpha, 8, "a level");
	cur_want(c, " ");
	h->role = cur_want_while(c, is_key, 32, "a role");
	cur_want(c, " event=");
	h->event = cur_want_while(c, is_key, 64, "an event");
	if (cur_ok(c) && !level_parse(level, &h->level))
		cur_fail(c, "a level");
}

static void
text_field(struct cur *c, struct arena *a, struct logline_field *f)
{
	cur_want(c, " ");
	f->key = cur_want_while(c, is_key, 64, "a key");
	cur_want(c, "=");
	f->value = value(c, a);
}

/* --- JSON: one object of strings and numbers, as log.c writes it --- */

static bool
is_number(char c)
{
	return ascii_is_digit(c) || c == '-';
}

static void
json_field(struct cur *c, struct arena *a, struct logline_field *f)
{
	cur_want(c, "\"");
	f->key = cur_want_while(c, is_key, 64, "a key");
	cur_want(c, "\":");
	f->value = cur_peek(c) == '"' ? value(c, a) : cur_want_while(c, is_number, 24, "a number");
}

static struct str
json_word(struct cur *c, const char *key)
{
	bool escapes;

	cur_want(c, key);
	cur_want(c, "\"");
	return cur_ok(c) ? quoted(c, &escapes) : STR("");
}

static void
json_head(struct cur *c, struct logline_head *h)
{
	struct str level;

	h->time = json_word(c, "{\"time\":");
	level = json_word(c, ",\"level\":");
	h->role = json_word(c, ",\"role\":");
	h->event = json_word(c, ",\"event\":");
	if (cur_ok(c) && !level_parse(level, &h->level))
		cur_fail(c, "a level");
}

/* --- both --- */

static struct str
without_newline(struct str line)
{
	return str_ends(line, STR("\n")) ? str_sub(line, 0, line.n - 1) : line;
}

static bool
is_json(struct str line)
{
	return str_starts(line, STR("{"));
}

bool
logline_head_parse(struct str line, struct logline_head *h)
{
	struct cur c = cur_init(line);

	*h = (struct logline_head){ 0 };
	if (is_json(line))
		json_head(&c, h);
	else
		text_head(&c, h);
	return cur_ok(&c);
}

static void
take_fields(struct cur *c, bool json, struct arena *a, struct logline *out)
{
	struct logline_field f;

	while (cur_ok(c) && !cur_at_end(c) && !(json && cur_peek(c) == '}')) {
		if (json) {
			cur_want(c, ",");
			json_field(c, a, &f);
		} else {
			text_field(c, a, &f);
		}
		if (cur_ok(c) && out->n < LOGLINE_FIELDS_MAX)
			out->field[out->n++] = f;
	}
}

bool
logline_parse(struct str line, struct arena *a, struct logline *out)
{
	struct cur c = cur_init(without_newline(line));
	bool json = is_json(line);

	out->n = 0;
	out->head = (struct logline_head){ 0 };
	if (json)
		json_head(&c, &out->head);
	else
		text_head(&c, &out->head);
	take_fields(&c, json, a, out);
	if (json)
		cur_want(&c, "}");
	return cur_end(&c);
}

static int
number(struct cur *c, size_t digits)
{
	uint64_t n = 0;
	struct str s = cur_bytes(c, digits);

	if (cur_ok(c) && !str_u64(s, 9999, &n))
		cur_fail(c, "digits");
	return (int)n;
}

/* "Z", "+02:00": seconds to take off. */
static int64_t
offset(struct cur *c)
{
	bool west = cur_take_char(c, '-');
	int64_t s;

	if (!west && !cur_take_char(c, '+')) {
		cur_want(c, "Z");
		return 0;
	}
	s = number(c, 2) * 3600;
	cur_want(c, ":");
	s += number(c, 2) * 60;
	return west ? -s : s;
}

bool
logline_time(struct str time, struct wall *t)
{
	struct cur c = cur_init(time);
	struct tm tm = { 0 };
	int ms;

	tm.tm_year = number(&c, 4) - 1900;
	cur_want(&c, "-");
	tm.tm_mon = number(&c, 2) - 1;
	cur_want(&c, "-");
	tm.tm_mday = number(&c, 2);
	cur_want(&c, "T");
	tm.tm_hour = number(&c, 2);
	cur_want(&c, ":");
	tm.tm_min = number(&c, 2);
	cur_want(&c, ":");
	tm.tm_sec = number(&c, 2);
	cur_want(&c, ".");
	ms = number(&c, 3);
	t->us = -offset(&c) * 1000000;
	t->us += (int64_t)timegm(&tm) * 1000000 + (int64_t)ms * 1000;
	return cur_end(&c);
}

struct str
logline_get(const struct logline *l, const char *key)
{
	struct str wanted = str_of(key);

	for (unsigned i = 0; i < l->n; i++)
		if (str_eq(l->field[i].key, wanted))
			return l->field[i].value;
	return (struct str){ 0 };
}
