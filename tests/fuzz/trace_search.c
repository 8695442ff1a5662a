/* trace_search.c - a file of the record with any bytes in it, searched for a word from the last line to the first: as much is found
 * when every line ends a page. The first byte says how many of the next bytes are the word. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/io.h>

#include "fuzz.h"
#include "trace.h"

#define NAME "20261120T110312481.mail"

static char dir[] = "/dev/shm/trace-XXXXXX";
static int dirfd = -1;

static void
remove_dir(void)
{
	unlinkat(dirfd, NAME, 0);
	rmdir(dir);
}

static void
make_dir(void)
{
	if (dirfd != -1)
		return;
	MUST(mkdtemp(dir) != NULL);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(dirfd != -1);
	atexit(remove_dir);
}

static void
write_file(struct str text)
{
	int fd = openat(dirfd, NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	MUST(fd != -1 && io_write_all(fd, text));
	close(fd);
}

struct count {
	unsigned found;
	bool stop; /* after each line: the next page begins with it */
	bool again;
};

static bool
on_line(void *ctx, const struct logline *l)
{
	struct count *c = ctx;

	MUST(l->n <= LOGLINE_FIELDS_MAX);
	if (c->stop && !c->again) {
		c->again = true;
		return false;
	}
	c->again = false;
	c->found++;
	return true;
}

static unsigned
search(struct str word, bool pages)
{
	struct trace_place at = { .name = "" };
	struct count c = { .stop = pages };
	struct trace_query q = { .words = &word, .nwords = 1, .kinds = 1u << TRACE_MAIL, .found = on_line, .ctx = &c };

	for (unsigned i = 0; trace_search(dirfd, &q, &at); i++)
		MUST(i < 100000); /* it gets on */
	return c.found;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct trace_file f;
	struct str word, text;
	char name[64];

	if (n < 2)
		return 0;
	make_dir();
	word = str_sub(str_from(p + 1, n - 1), 0, 1 + p[0] % 32);
	text = str_from(p + 1 + word.n, n - 1 - word.n);
	snprintf(name, sizeof name, "%.*s", STR_ARG(str_sub(text, 0, 40)));
	MUST(!trace_name_parse(name, &f) || strcmp(name, f.name) == 0);
	write_file(text);
	MUST(search(word, false) == search(word, true));
	return 0;
}
