/* log_out.c - writing the server's standard error. A terminal or a pipe is written only when it has room for a piece of ours; what it does
 * not take waits here, and what finds no room here is counted, and told when there is room again. */
#include "log_out.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/log.h>

enum { AGAIN_MS = 50 };

/* Whole lines that a pipe or a terminal takes at once, or the beginning of one that is too long. */
static struct str
next_write(const struct log_out *o, struct str text)
{
	struct str some = str_sub(text, 0, LOG_LINE_MAX);
	size_t end = str_rfind(some, '\n');

	if (o->is_file || text.n <= LOG_LINE_MAX)
		return text;
	return end < some.n ? str_sub(some, 0, end + 1) : some;
}

/* Writes what is taken without waiting longer than ms; returns the rest. */
static struct str
write_some(struct log_out *o, struct str text, int ms)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };

	while (text.n > 0 && poll(&room, 1, ms) == 1) {
		struct str s = next_write(o, text);
		ssize_t n = write(STDERR_FILENO, s.p, s.n);

		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			break;
		text = str_sub(text, n == -1 ? s.n : (size_t)n, text.n); /* a reader that is gone takes everything */
	}
	return text;
}

static uint64_t
count_lines(struct str text)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

static void
drop(struct log_out *o, struct str text)
{
	uint64_t n = count_lines(text);

	o->dropped += n;
	o->untold += n;
}

/* The rest of a line that is half written always finds room. */
static void
keep(struct log_out *o, struct str text)
{
	struct str begun = str_sub(text, 0, str_find(text, '\n') + 1);

	if (o->unwritten.n == 0) {
		buf_add(&o->unwritten, begun);
		text = str_sub(text, begun.n, text.n);
	}
	if (o->unwritten.n + text.n <= LOG_OUT_MAX)
		buf_add(&o->unwritten, text);
	else
		drop(o, text);
	loop_timer_start(&o->again, AGAIN_MS);
}

void
log_out_add(struct log_out *o, struct str text)
{
	if (o->unwritten.n == 0)
		text = write_some(o, text, 0);
	if (text.n > 0)
		keep(o, text);
}

static void
tell_dropped(struct log_out *o)
{
	struct log_line l;

	if (o->untold == 0)
		return;
	log_begin(&l, LEVEL_ERROR, "lost");
	log_num(&l, "lines", (int64_t)o->untold);
	log_cstr(&l, "why", "standard error took nothing");
	log_end(&l);
	o->untold = 0;
}

static void
on_again(void *ctx)
{
	struct log_out *o = ctx;
	struct str rest = write_some(o, buf_str(&o->unwritten), 0);

	buf_drop(&o->unwritten, o->unwritten.n - rest.n);
	if (o->unwritten.n > 0)
		loop_timer_start(&o->again, AGAIN_MS);
	else
		tell_dropped(o);
}

void
log_out_take(struct log_out *o, int fd)
{
	struct stat st;

	o->is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (dup2(fd, STDERR_FILENO) == -1)
		log_fatal("standard error: %s", strerror(errno));
	close(fd);
}

void
log_out_start(struct log_out *o, struct loop *l)
{
	buf_init(&o->unwritten, LOG_OUT_MAX + LOG_OUT_ONCE);
	loop_timer_init(&o->again, l, on_again, o);
}

void
log_out_end(struct log_out *o, int ms)
{
	write_some(o, buf_str(&o->unwritten), ms);
}
