/* trace_store.c - the files of the record: their names, writing, and what goes when it is too old or too much. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/mem.h>

#include "trace.h"

enum {
	SHARES = 4,       /* of the whole, in which refusals have one */
	FILES_OF_KIND = 8,
	FILE_MIN = 64 * 1024,
	FILE_MAX = 16 * 1024 * 1024,
	DAY = 24 * 60 * 60,
};

static const char *const kind_name[TRACE_KINDS] = { "mail", "refused" };

/* --- names --- */

const char *
trace_kind_name(enum trace_kind kind)
{
	return kind_name[kind];
}

static int64_t
day_of(struct wall t)
{
	return wall_seconds(t) / DAY;
}

static void
name_write(char out[static TRACE_NAME_SIZE], struct wall begin, enum trace_kind kind)
{
	time_t s = (time_t)wall_seconds(begin);
	char date[20];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(date, sizeof date, "%Y%m%dT%H%M%S", &tm);
	snprintf(out, TRACE_NAME_SIZE, "%s%03d.%s", date, (int)(begin.us / 1000 % 1000), kind_name[kind]);
}

bool
trace_name_parse(const char *name, struct trace_file *f)
{
	struct tm tm = { 0 };
	char again[TRACE_NAME_SIZE];
	char kind[16];
	int ms;

	*f = (struct trace_file){ 0 };
	if (sscanf(name, "%4d%2d%2dT%2d%2d%2d%3d.%15s", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
		&tm.tm_sec, &ms, kind) != 8)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	f->begin.us = (int64_t)timegm(&tm) * 1000000 + (int64_t)ms * 1000;
	f->kind = strcmp(kind, kind_name[TRACE_REFUSED]) == 0 ? TRACE_REFUSED : TRACE_MAIL;
	name_write(again, f->begin, f->kind);
	snprintf(f->name, sizeof f->name, "%s", again);
	return strcmp(name, again) == 0;
}

static int
newest_first(const void *a, const void *b)
{
	return -strcmp(((const struct trace_file *)a)->name, ((const struct trace_file *)b)->name);
}

static void
list_open(DIR *d, struct trace_file *files, size_t *n)
{
	const struct dirent *entry;
	struct stat st;

	while (*n < TRACE_FILES_MAX && (entry = readdir(d)) != NULL) {
		struct trace_file *f = &files[*n];

		if (!trace_name_parse(entry->d_name, f) || fstatat(dirfd(d), f->name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
		    !S_ISREG(st.st_mode))
			continue;
		f->size = (uint64_t)st.st_size;
		(*n)++;
	}
}

bool
trace_list(int dir, struct trace_file **files, size_t *n)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;

	if (d == NULL) {
		io_close(&fd);
		return false;
	}
	*n = 0;
	*files = mem_array(TRACE_FILES_MAX, sizeof **files);
	list_open(d, *files, n);
	closedir(d);
	qsort(*files, *n, sizeof **files, newest_first);
	return true;
}

/* --- limits --- */

static uint64_t
share(const struct trace_store *t, enum trace_kind kind)
{
	return kind == TRACE_REFUSED ? t->max / SHARES : t->max - t->max / SHARES;
}

static uint64_t
file_max(const struct trace_store *t, enum trace_kind kind)
{
	uint64_t max = share(t, kind) / FILES_OF_KIND;

	return max < FILE_MIN ? FILE_MIN : max > FILE_MAX ? FILE_MAX : max;
}

static void
tape_stop(struct trace_tape *tape)
{
	io_close(&tape->fd);
	tape->torn = false;
}

void
trace_trim(struct trace_store *t)
{
	int64_t oldest = day_of(wall_now()) - (int64_t)t->days;
	uint64_t sum[TRACE_KINDS];
	struct trace_file *files;
	size_t n;

	if (!trace_list(t->dir, &files, &n))
		return;
	for (int k = 0; k < TRACE_KINDS; k++)
		sum[k] = file_max(t, (enum trace_kind)k); /* what the file being written may still become */
	for (size_t i = 0; i < n; i++) {
		struct trace_file *f = &files[i];
		struct trace_tape *tape = &t->tape[f->kind];
		bool written = tape->fd != -1 && tape->begin.us == f->begin.us;

		sum[f->kind] += written ? 0 : f->size;
		if (day_of(f->begin) >= oldest && (written || sum[f->kind] <= share(t, f->kind)))
			continue;
		if (written)
			tape_stop(tape);
		unlinkat(t->dir, f->name, 0);
	}
	free(files);
}

void
trace_limit(struct trace_store *t, unsigned days, uint64_t max)
{
	t->days = days;
	t->max = max;
	trace_trim(t);
}

/* --- writing --- */

bool
trace_open(struct trace_store *t, const char *dir, struct err *e)
{
	*t = (struct trace_store){ .dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	for (int k = 0; k < TRACE_KINDS; k++) {
		t->tape[k].fd = -1;
		buf_init(&t->tape[k].waiting, FILE_MAX);
	}
	return t->dir != -1 || err_perm(e, "", "%s: %s", dir, strerror(errno));
}

void
trace_close(struct trace_store *t)
{
	trace_flush(t);
	for (int k = 0; k < TRACE_KINDS; k++) {
		tape_stop(&t->tape[k]);
		buf_fini(&t->tape[k].waiting);
	}
	io_close(&t->dir);
}

static bool
ends_whole(int fd, uint64_t size)
{
	char last = '\n';

	return size == 0 || (pread(fd, &last, 1, (off_t)size - 1) == 1 && last == '\n');
}

static bool
has_room(const struct trace_store *t, enum trace_kind kind, uint64_t size)
{
	return size == 0 || size + t->tape[kind].waiting.n < file_max(t, kind); /* a newline for a torn line included */
}

/* The file that a former life wrote today goes on, when there is room. */
static bool
tape_go_on(struct trace_store *t, enum trace_kind kind)
{
	struct trace_tape *tape = &t->tape[kind];
	struct trace_file *files;
	size_t n;

	if (!trace_list(t->dir, &files, &n))
		return false;
	if (n > 0 && files[0].begin.us > t->last.us)
		t->last = files[0].begin;
	for (size_t i = 0; i < n && tape->fd == -1; i++) {
		if (files[i].kind != kind)
			continue;
		if (day_of(files[i].begin) == day_of(wall_now()) && has_room(t, kind, files[i].size))
			tape->fd = openat(t->dir, files[i].name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
		tape->begin = files[i].begin;
		tape->size = files[i].size;
		break;
	}
	free(files);
	tape->torn = tape->fd != -1 && !ends_whole(tape->fd, tape->size);
	return tape->fd != -1;
}

/* Names sort by time also when the clock was set back. */
static bool
tape_begin(struct trace_store *t, enum trace_kind kind)
{
	struct trace_tape *tape = &t->tape[kind];
	struct wall now = wall_now();
	char name[TRACE_NAME_SIZE];

	if (now.us / 1000 <= t->last.us / 1000)
		now.us = t->last.us + 1000;
	now.us -= now.us % 1000;
	name_write(name, now, kind);
	tape->fd = openat(t->dir, name, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (tape->fd == -1)
		return false;
	t->last = tape->begin = now;
	tape->size = 0;
	trace_trim(t);
	return true;
}

/* Whatever is written now belongs to today, and to a file that is not full. */
static bool
tape_ready(struct trace_store *t, enum trace_kind kind)
{
	struct trace_tape *tape = &t->tape[kind];

	if (tape->fd != -1 && (day_of(tape->begin) != day_of(wall_now()) || !has_room(t, kind, tape->size)))
		tape_stop(tape);
	return tape->fd != -1 || tape_go_on(t, kind) || tape_begin(t, kind);
}

static bool
tape_write(struct trace_tape *tape)
{
	ssize_t n;

	if (tape->torn && write(tape->fd, "\n", 1) != 1)
		return false;
	tape->size += tape->torn;
	tape->torn = false;
	n = write(tape->fd, tape->waiting.p, tape->waiting.n);
	if (n > 0) {
		tape->size += (uint64_t)n;
		tape->torn = (size_t)n < tape->waiting.n && tape->waiting.p[n - 1] != '\n';
	}
	return n == (ssize_t)tape->waiting.n;
}

static void
tape_flush(struct trace_store *t, enum trace_kind kind)
{
	struct trace_tape *tape = &t->tape[kind];
	uint64_t lines = 0;

	if (tape->waiting.n == 0)
		return;
	for (size_t i = 0; i < tape->waiting.n; i++)
		lines += tape->waiting.p[i] == '\n';
	if (tape_ready(t, kind) && tape_write(tape)) {
		t->told = false;
	} else {
		if (!t->told)
			log_say(
			    LEVEL_ERROR, "trace", "what `postern trace' shows cannot be written: %s", strerror(errno));
		t->told = true;
		t->failed += lines;
	}
	t->lines += lines;
	buf_clear(&tape->waiting);
}

void
trace_flush(struct trace_store *t)
{
	for (int k = 0; k < TRACE_KINDS; k++)
		tape_flush(t, (enum trace_kind)k);
}

/* A queue id of its own, and not the words of a stranger inside another value: those stand between quotes, their own escaped. */
static bool
has_qid(struct str line)
{
	const struct str field = STR(" qid=");
	bool quoted = false;

	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] == '\\')
			i++;
		else if (line.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && line.p[i] == ' ' && str_starts(str_sub(line, i, line.n), field))
			return true;
	}
	return false;
}

bool
trace_wants(struct str line, const struct logline_head *h, enum trace_kind *kind)
{
	bool refused = str_eq(h->event, STR("refuse"));

	*kind = refused ? TRACE_REFUSED : TRACE_MAIL;
	return h->level > LEVEL_DEBUG && (refused || has_qid(line) || memmem(line.p, line.n, ",\"qid\":", 7) != NULL);
}

void
trace_add(struct trace_store *t, enum trace_kind kind, struct str line)
{
	struct buf *waiting = &t->tape[kind].waiting;

	if (waiting->n + line.n >= file_max(t, kind))
		tape_flush(t, kind);
	buf_add(waiting, line);
}
