/* annotation_file.c - `postern-annotations`: a line per row, names and values in base64, for they may hold any byte. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <postern/core/base64.h>
#include <postern/store/metadata.h>
#include <postern/store/rights.h>

#include "annotation.h"
#include "path.h"

static const struct {
	struct str word;
	enum table table;
} kinds[] = {
	{ STR_INIT("entry"), T_METADATA },
	{ STR_INIT("rights"), T_RIGHTS },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* --- writing --- */

struct writing {
	struct buf *out;
	struct str word;
};

static void
write_row(void *ctx, struct str name, struct str value)
{
	struct writing *w = ctx;

	buf_add(w->out, w->word);
	buf_add_char(w->out, ' ');
	base64_add(w->out, name);
	buf_add_char(w->out, ' ');
	base64_add(w->out, value);
	buf_add_char(w->out, '\n');
}

/* Adds the file's text; nothing when the mailbox has neither entries nor rights. */
static void
write_text(struct snap *s, uint32_t mailbox, struct buf *out)
{
	size_t begin = out->n, empty;

	buf_add_cstr(out, ANNOTATIONS_NAME " 1\n");
	empty = out->n;
	for (size_t i = 0; i < KINDS; i++) {
		struct writing w = { out, kinds[i].word };

		annotation_each(s, kinds[i].table, mailbox, write_row, &w);
	}
	if (out->n > empty)
		buf_add_cstr(out, "end\n");
	else
		buf_cut(out, begin);
}

static bool
remove_file(int dirfd)
{
	if (unlinkat(dirfd, ANNOTATIONS_NAME, 0) == 0)
		return fsync(dirfd) == 0;
	return errno == ENOENT;
}

bool
annotations_save(struct snap *s, int dirfd, uint32_t mailbox)
{
	struct buf b;
	bool ok;

	buf_init(&b, ANNOTATIONS_FILE_MAX);
	write_text(s, mailbox, &b);
	ok = b.n == 0 ? remove_file(dirfd) : path_replace(dirfd, ANNOTATIONS_NAME, buf_str(&b));
	buf_fini(&b);
	return ok;
}

/* --- reading --- */

static bool
row_ok(enum table t, struct str name, struct str value)
{
	unsigned rights;

	if (t == T_METADATA)
		return store_entry_ok(name) && value.n <= STORE_VALUE_MAX;
	return store_identifier_ok(name) && store_rights_parse(value, &rights);
}

struct reading {
	void (*fn)(void *ctx, enum table t, struct str name, struct str value);
	void *ctx;
};

static bool
read_row(const struct reading *r, enum table t, struct str rest)
{
	struct buf name, value;
	struct str word;
	bool ok;

	buf_init(&name, ANNOTATION_NAME_SIZE);
	buf_init(&value, STORE_VALUE_MAX);
	ok = str_has(rest, ' ') && str_cut(&rest, ' ', &word) && base64_decode(&name, word) && base64_decode(&value, rest) && !name.over &&
	    !value.over && row_ok(t, buf_str(&name), buf_str(&value));
	if (ok && r->fn != NULL)
		r->fn(r->ctx, t, buf_str(&name), buf_str(&value));
	buf_fini(&name);
	buf_fini(&value);
	return ok;
}

static bool
read_line(const struct reading *r, struct str line)
{
	struct str word = { 0 };

	str_cut(&line, ' ', &word); /* of an empty line nothing */
	for (size_t i = 0; i < KINDS; i++)
		if (str_eq(word, kinds[i].word))
			return read_row(r, kinds[i].table, line);
	return false;
}

bool
annotations_parse(struct str text, void (*fn)(void *ctx, enum table t, struct str name, struct str value), void *ctx)
{
	struct reading r = { fn, ctx };
	struct str line;

	if (!str_cut(&text, '\n', &line) || !str_eq(line, STR(ANNOTATIONS_NAME " 1")))
		return false;
	while (str_cut(&text, '\n', &line)) {
		if (str_eq(line, STR("end")))
			return text.n == 0;
		if (!read_line(&r, line))
			return false;
	}
	return false;
}

struct taking {
	struct txn *t;
	uint32_t mailbox;
};

static void
take_row(void *ctx, enum table t, struct str name, struct str value)
{
	struct taking *to = ctx;

	annotation_put(to->t, t, to->mailbox, name, value);
}

void
annotations_take(struct txn *t, uint32_t mailbox, struct str text)
{
	struct taking to = { t, mailbox };

	if (text.n > 0)
		annotations_parse(text, take_row, &to);
}

static void
read_file(int dirfd, struct buf *text)
{
	int fd = path_open(dirfd, ANNOTATIONS_NAME, O_RDONLY | O_NONBLOCK, 0);

	if (fd != -1 && !io_read_fd(fd, text))
		buf_clear(text);
	io_close(&fd);
}

void
annotations_load(int dirfd, struct buf *text)
{
	read_file(dirfd, text);
	if (!annotations_parse(buf_str(text), NULL, NULL))
		buf_clear(text);
}

bool
annotations_fit(struct snap *s, int dirfd, uint32_t mailbox)
{
	struct buf is, want;
	bool ok;

	buf_init(&is, ANNOTATIONS_FILE_MAX);
	buf_init(&want, ANNOTATIONS_FILE_MAX);
	read_file(dirfd, &is);
	write_text(s, mailbox, &want);
	ok = str_eq(buf_str(&is), buf_str(&want));
	buf_fini(&is);
	buf_fini(&want);
	return ok;
}
