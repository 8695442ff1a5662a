/* trace_find.c - looking for messages in the record, backwards, a slice at a time: the role log goes on writing between two. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/arena.h>
#include <postern/core/io.h>
#include <postern/core/map.h>
#include <postern/core/mem.h>

#include "trace.h"
#include "trace_sieve.h"

enum {
	BLOCK = 128 * 1024,
	FILE_HOURS = 25, /* a file holds lines of the day it began and no other; an hour for clocks that are set */
};

/* What a word may be the value of. */
static const char *const names[] = { "qid", "msgid", "from", "to", "orig_to", "sid", "auth", "user" };

struct search {
	const struct trace_query *q;
	struct trace_place *at;
	int dir;
	struct trace_sieve sieve;
	struct map words; /* lower case, without <> */
	struct arena memory;
	struct arena line; /* of the line being looked at */
	uint64_t left;     /* bytes of the slice */
	bool stopped;
};

/* As words are compared: <A@B> is a@b. */
static struct str
plain(struct str s, struct arena *a)
{
	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = str_sub(s, 1, s.n - 1);
	return arena_lower(a, s);
}

/* "@example.net" means everybody there. */
static bool
is_wanted(struct search *s, struct str value)
{
	struct str v = plain(value, &s->line);
	size_t at = str_rfind(v, '@');

	if (v.n == 0)
		return false;
	return map_get(&s->words, v) != NULL || (at < v.n && map_get(&s->words, str_sub(v, at, v.n)) != NULL);
}

static bool
matches(struct search *s, const struct logline *l)
{
	struct wall t;

	if (!logline_time(l->head.time, &t) || t.us < s->q->since.us)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (is_wanted(s, logline_get(l, names[i])))
			return true;
	return false;
}

/* False: the one who asked has enough. */
static bool
look_at(struct search *s, struct str line)
{
	struct logline *l;
	bool go_on;

	arena_reset(&s->line);
	l = ARENA_NEW(&s->line, struct logline);
	go_on = !logline_parse(line, &s->line, l) || !matches(s, l) || s->q->found(s->q->ctx, l);
	s->stopped = !go_on;
	return go_on;
}

/* The block with what the sieve wants to see of it. */
static char block[BLOCK];
static char lower[BLOCK + SIEVE_BYTES_MAX];

/* The line around a place, with its newline. */
static struct str
line_around(struct str lines, size_t place)
{
	size_t before = str_rfind(str_sub(lines, 0, place), '\n');
	size_t end = place + str_find(str_sub(lines, place, lines.n), '\n');

	return str_sub(lines, before < place ? before + 1 : 0, end + 1);
}

/* The lines of the block (the last one is whole), from the last to the first whole one; the offset goes back with them. */
static void
look_through(struct search *s, struct str lines)
{
	uint64_t begin = s->at->offset - lines.n;
	size_t first = begin > 0 ? str_find(lines, '\n') + 1 : 0; /* what is before begins in the block before */
	size_t place = lines.n;

	for (size_t i = 0; i < lines.n; i++)
		lower[i] = ascii_lower(lines.p[i]);
	while ((place = trace_sieve_last(&s->sieve, lower, place)) != SIZE_MAX && place >= first) {
		struct str line = line_around(lines, place);

		place = (size_t)(line.p - lines.p);
		s->at->offset = begin + place + line.n;
		if (!look_at(s, line))
			return;
	}
	if (first < lines.n)
		s->at->offset = begin + first;
}

/* One block before the place. False: it cannot be read. */
static bool
step(struct search *s, int fd)
{
	uint64_t begin = s->at->offset > BLOCK ? s->at->offset - BLOCK : 0;
	size_t n = (size_t)(s->at->offset - begin);
	uint64_t before = s->at->offset;
	size_t end;

	if (!io_pread_all(fd, block, n, (off_t)begin))
		return false;
	s->left = s->left > n ? s->left - n : 0;
	end = str_rfind(str_from(block, n), '\n');
	n = end < n ? end + 1 : 0; /* behind it: a line without an end */
	s->at->offset = begin + n;
	look_through(s, str_from(block, n));
	if (s->at->offset == before && !s->stopped)
		s->at->offset = begin; /* nothing but one line, longer than any of ours */
	return true;
}

static void
search_file(struct search *s)
{
	int fd = openat(s->dir, s->at->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	while (fd != -1 && s->at->offset > 0 && s->left > 0 && !s->stopped)
		if (!step(s, fd))
			s->at->offset = 0;
	if (fd == -1)
		s->at->offset = 0;
	io_close(&fd);
}

/* The file of the place, or the next older one. False: there is none that may hold what is wanted. */
static bool
next_file(struct search *s, const struct trace_file *files, size_t n)
{
	int64_t oldest = s->q->since.us - (int64_t)FILE_HOURS * 3600 * 1000000;

	for (size_t i = 0; i < n; i++) {
		int order = s->at->name[0] == '\0' ? -1 : strcmp(files[i].name, s->at->name);

		if (order > 0 || (order == 0 && s->at->offset == 0) || (s->q->kinds & 1u << files[i].kind) == 0)
			continue;
		if (files[i].begin.us < oldest)
			return false;
		if (order < 0)
			s->at->offset = files[i].size;
		snprintf(s->at->name, sizeof s->at->name, "%s", files[i].name);
		return true;
	}
	return false;
}

static void
take_words(struct search *s)
{
	size_t n = s->q->nwords;
	struct str *words;

	map_init(&s->words);
	words = arena_array(&s->memory, n + 1, sizeof *words);
	for (size_t i = 0; i < n; i++) {
		words[i] = plain(s->q->words[i], &s->memory);
		map_put(&s->words, words[i], s);
	}
	trace_sieve_init(&s->sieve, words, n);
}

bool
trace_search(int dir, const struct trace_query *q, struct trace_place *at)
{
	struct search s = { .q = q, .at = at, .dir = dir, .left = TRACE_SLICE };
	struct trace_file *files;
	bool more;
	size_t n;

	if (!trace_list(dir, &files, &n))
		return false;
	arena_init(&s.memory);
	take_words(&s);
	arena_init(&s.line);
	while ((more = next_file(&s, files, n)) && s.left > 0 && !s.stopped)
		search_file(&s);
	arena_fini(&s.line);
	arena_fini(&s.memory);
	map_fini(&s.words);
	free(files);
	return more;
}
