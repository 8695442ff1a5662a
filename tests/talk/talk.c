/* talk.c - runs a transcript against a peer. */
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern/core/cur.h>
#include <postern/core/io.h>

#include <fcntl.h>

enum { FILE_MAX = 16 << 20, OUT_MAX = 64 << 20 };

/* One connection as the client sees it. */
struct side {
	bool open;
	bool closed_by_us;
	struct buf said; /* by the server, not yet expected */
	struct buf pending; /* from the client, goes out in one write */
};

struct talk {
	const char *path;
	unsigned line;
	const struct talk_peer *peer;
	const struct talk_options *options;
	size_t split;
	bool ruled;
	struct buf *why;
	struct side sides[TALK_CONNECTIONS + 1];
};

static enum talk_result
fail(struct talk *t, const char *what, struct str expected, struct str got)
{
	buf_addf(t->why, "%s:%u: %s", t->path, t->line, what);
	if (expected.p != NULL)
		buf_addf(t->why, ": expected \"%.*s\"", STR_ARG(str_sub(expected, 0, 200)));
	if (got.p != NULL)
		buf_addf(t->why, ", got \"%.*s\"", STR_ARG(str_sub(got, 0, 200)));
	return TALK_FAIL;
}

static enum talk_result
fail_plain(struct talk *t, const char *what)
{
	return fail(t, what, (struct str){ 0 }, (struct str){ 0 });
}

/* --- the client's side --- */

static void
open_side(struct talk *t, unsigned conn)
{
	if (t->sides[conn].open)
		return;
	t->sides[conn].open = true;
	t->peer->open(t->peer->ctx, conn);
}

static void
flush(struct talk *t)
{
	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++) {
		struct str rest = buf_str(&t->sides[i].pending);
		size_t step = t->split > 0 ? t->split : rest.n;

		for (; rest.n > 0; rest = str_sub(rest, step, rest.n))
			t->peer->feed(t->peer->ctx, i, str_sub(rest, 0, step));
		buf_clear(&t->sides[i].pending);
	}
}

static enum talk_result
client_line(struct talk *t, unsigned conn, struct str text, bool crlf)
{
	struct side *side = &t->sides[conn];

	open_side(t, conn);
	if (!talk_expand(&side->pending, text))
		return fail_plain(t, "wrong escape");
	if (crlf)
		buf_add(&side->pending, STR("\r\n"));
	return TALK_PASS;
}

/* --- the server's side --- */

static void
take(struct talk *t, unsigned conn, int wait_ms)
{
	t->peer->take(t->peer->ctx, conn, &t->sides[conn].said, wait_ms);
}

/* The next line without its CRLF; false when none comes in time. *whole: its length with line end. */
static bool
next_line(struct talk *t, unsigned conn, struct str *line, size_t *whole)
{
	struct side *side = &t->sides[conn];
	size_t lf;

	for (size_t before = SIZE_MAX; before != side->said.n;) {
		lf = str_find(buf_str(&side->said), '\n');
		if (lf < side->said.n) {
			*line = str_sub(buf_str(&side->said), 0, lf);
			*whole = lf + 1;
			return true;
		}
		before = side->said.n;
		take(t, conn, t->options->wait_ms);
	}
	return false;
}

static enum talk_result
expect_line(struct talk *t, unsigned conn, struct str pattern)
{
	bool any = str_starts(pattern, STR("... "));
	struct str line = { 0 };
	size_t whole = 0;
	bool match;

	if (any)
		pattern = str_sub(pattern, 4, pattern.n);
	do {
		if (!next_line(t, conn, &line, &whole))
			return fail(t, "nothing more is said", pattern, buf_str(&t->sides[conn].said));
		if (!str_ends(line, STR("\r")))
			return fail(t, "a line without CRLF", pattern, line);
		line.n--;
		match = talk_match(pattern, line);
		if (!match && !any)
			return fail(t, "another line", pattern, line);
		buf_drop(&t->sides[conn].said, whole);
	} while (!match);
	return TALK_PASS;
}

static enum talk_result
expect_silence(struct talk *t, unsigned conn)
{
	struct side *side = &t->sides[conn];

	take(t, conn, t->options->wait_ms > 300 ? 300 : t->options->wait_ms);
	return side->said.n == 0 ? TALK_PASS : fail(t, "no silence", (struct str){ 0 }, buf_str(&side->said));
}

static enum talk_result
expect_bytes(struct talk *t, unsigned conn, struct str text)
{
	struct side *side = &t->sides[conn];
	struct buf want;
	enum talk_result result = TALK_PASS;

	buf_init(&want, OUT_MAX);
	if (!talk_expand(&want, text))
		result = fail_plain(t, "wrong escape");
	for (size_t before = SIZE_MAX; side->said.n < want.n && before != side->said.n;) {
		before = side->said.n;
		take(t, conn, t->options->wait_ms);
	}
	if (result == TALK_PASS && !str_starts(buf_str(&side->said), buf_str(&want)))
		result = fail(t, "other bytes", text, buf_str(&side->said));
	buf_drop(&side->said, want.n);
	buf_fini(&want);
	return result;
}

static enum talk_result
server_line(struct talk *t, unsigned conn, struct str text)
{
	open_side(t, conn);
	if (str_eq(text, STR("-")))
		return expect_silence(t, conn);
	return expect_line(t, conn, text);
}

/* --- the runner's own words --- */

static enum talk_result
word_rule(struct talk *t, unsigned conn, struct str rest)
{
	(void)conn;
	t->ruled = rest.n > 0;
	return TALK_PASS;
}

static enum talk_result
word_tls(struct talk *t, unsigned conn, struct str rest)
{
	(void)rest;
	open_side(t, conn);
	return t->peer->tls(t->peer->ctx, conn) ? TALK_PASS : fail_plain(t, "no TLS handshake");
}

static enum talk_result
word_closed(struct talk *t, unsigned conn, struct str rest)
{
	(void)rest;
	if (!t->peer->closed(t->peer->ctx, conn, t->options->wait_ms))
		return fail_plain(t, "the connection is not closed");
	take(t, conn, 0);
	return expect_silence(t, conn);
}

static enum talk_result
word_close(struct talk *t, unsigned conn, struct str rest)
{
	(void)rest;
	open_side(t, conn);
	t->sides[conn].closed_by_us = true;
	t->peer->close(t->peer->ctx, conn);
	return TALK_PASS;
}

static enum talk_result
word_wait(struct talk *t, unsigned conn, struct str rest)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	struct cur c = cur_init(rest);
	int64_t n = (int64_t)cur_number(&c, 1000000);

	(void)conn;
	if (t->peer->step == NULL) {
		buf_addf(t->why, "%s: its clock cannot be moved", t->path);
		return TALK_SKIPPED;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_eq(cur_rest(&c), str_of(units[i].unit))) {
			t->peer->step(t->peer->ctx, n * units[i].ms);
			return TALK_PASS;
		}
	return fail_plain(t, "wait for how long?");
}

static enum talk_result
word_split(struct talk *t, unsigned conn, struct str rest)
{
	uint64_t n;

	(void)conn;
	if (!str_u64(rest, SIZE_MAX, &n))
		return fail_plain(t, "split by how much?");
	t->split = (size_t)n;
	return TALK_PASS;
}

static enum talk_result
word_whole(struct talk *t, unsigned conn, struct str rest)
{
	(void)conn;
	(void)rest;
	if (t->options->split == 0)
		return TALK_PASS;
	buf_addf(t->why, "%s: only whole", t->path);
	return TALK_SKIPPED;
}

static const struct {
	const char *word;
	enum talk_result (*run)(struct talk *t, unsigned conn, struct str rest);
} words[] = {
	{ "rule", word_rule },
	{ "tls", word_tls },
	{ "closed", word_closed },
	{ "close", word_close },
	{ "wait", word_wait },
	{ "split", word_split },
	{ "whole", word_whole },
};

static enum talk_result
peer_word(struct talk *t, struct str word, struct str rest)
{
	struct buf why;
	enum talk_result result = TALK_PASS;

	buf_init(&why, 4096);
	switch (t->peer->word(t->peer->ctx, word, rest, &why)) {
	case TALK_DONE:
		break;
	case TALK_SKIP:
		buf_addf(t->why, "%s: %.*s", t->path, STR_ARG(word));
		result = TALK_SKIPPED;
		break;
	case TALK_FAILED:
		result = fail(t, "not so", rest, buf_str(&why));
		break;
	case TALK_UNKNOWN:
		result = fail(t, "what is that?", (struct str){ 0 }, word);
		break;
	}
	buf_fini(&why);
	return result;
}

/* --- lines --- */

/* Cuts the connection's number off the end of a word ("C2:" has lost its colon before). */
static unsigned
cut_number(struct str *word)
{
	unsigned conn = 1;

	if (word->n > 1 && word->p[word->n - 1] >= '1' && word->p[word->n - 1] <= '9')
		conn = (unsigned)(word->p[--word->n] - '0');
	return conn;
}

static enum talk_result
own_word(struct talk *t, struct str word, struct str rest)
{
	struct str name = word;
	unsigned conn = cut_number(&name);

	flush(t);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(name, str_of(words[i].word)))
			return words[i].run(t, conn, rest);
	return peer_word(t, word, rest);
}

/* "C:", "S2=", …: who speaks, on which connection. False: another word. */
static bool
is_speech(struct str word, char *who, unsigned *conn, char *how)
{
	struct str name = str_sub(word, 0, word.n > 0 ? word.n - 1 : 0);

	if (word.n < 2 || (word.p[0] != 'C' && word.p[0] != 'S'))
		return false;
	*who = word.p[0];
	*how = word.p[word.n - 1];
	*conn = cut_number(&name);
	return name.n == 1 && (*how == ':' || *how == '=');
}

static enum talk_result
speech(struct talk *t, char who, unsigned conn, char how, struct str text)
{
	if (who == (t->peer->is_client ? 'S' : 'C'))
		return client_line(t, conn, text, how == ':');
	flush(t);
	if (how == ':')
		return server_line(t, conn, text);
	open_side(t, conn);
	return expect_bytes(t, conn, text);
}

static struct str
strip_comment(struct str line)
{
	size_t at = str_search(line, STR("  #"));

	line = str_sub(line, 0, at);
	while (line.n > 0 && strchr(" \t\r", line.p[line.n - 1]) != NULL)
		line.n--;
	return line.n > 0 && line.p[0] == '#' ? (struct str){ 0 } : line;
}

static enum talk_result
run_line(struct talk *t, struct str line)
{
	struct str rest = strip_comment(line);
	struct str word = { 0 };
	char who, how;
	unsigned conn;

	if (!str_cut(&rest, ' ', &word))
		return TALK_PASS;
	if (is_speech(word, &who, &conn, &how))
		return speech(t, who, conn, how, rest);
	return own_word(t, word, str_trim(rest));
}

/* What nobody expected must not have been said. */
static enum talk_result
run_end(struct talk *t)
{
	flush(t);
	if (!t->ruled)
		return fail_plain(t, "no rule: what does this transcript show?");
	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++) {
		if (!t->sides[i].open || t->sides[i].closed_by_us)
			continue;
		take(t, i, 0);
		if (t->sides[i].said.n > 0)
			return fail(t, "unexpected at the end", (struct str){ 0 }, buf_str(&t->sides[i].said));
	}
	return TALK_PASS;
}

static enum talk_result
run_text(struct talk *t, struct str text)
{
	struct str line;
	enum talk_result result = TALK_PASS;

	while (result == TALK_PASS && str_cut(&text, '\n', &line)) {
		t->line++;
		result = run_line(t, line);
	}
	return result == TALK_PASS ? run_end(t) : result;
}

enum talk_result
talk_run(const char *path, const struct talk_peer *peer, const struct talk_options *o, struct buf *why)
{
	struct talk t = { .path = path, .peer = peer, .options = o, .split = o->split, .why = why };
	struct buf text;
	enum talk_result result;

	buf_init(&text, FILE_MAX);
	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++) {
		buf_init(&t.sides[i].said, OUT_MAX);
		buf_init(&t.sides[i].pending, OUT_MAX);
	}
	if (io_read_file(AT_FDCWD, path, &text))
		result = run_text(&t, buf_str(&text));
	else
		result = fail_plain(&t, "cannot be read");
	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++) {
		buf_fini(&t.sides[i].said);
		buf_fini(&t.sides[i].pending);
	}
	buf_fini(&text);
	return result;
}
