/* crlf.c - a file's octets in the message's numbering. */
#include <postern/message/crlf.h>

#include <postern/core/io.h>

enum { CHUNK = 16 * 1024 };

/* The octets wanted: [at, end) in the message. */
struct window {
	uint64_t at;
	uint64_t end;
	struct buf *out;
};

void
crlf_reader_init(struct crlf_reader *r, int fd, bool lf)
{
	*r = (struct crlf_reader){ .fd = fd, .lf = lf };
}

/* Gives what of s, which stands at r->virt, lies in the window; takes no more than up to its end. */
static size_t
give(struct crlf_reader *r, struct str s, const struct window *w)
{
	size_t skip = r->virt < w->at ? (size_t)(w->at - r->virt) : 0;
	size_t n = s.n < w->end - r->virt ? s.n : (size_t)(w->end - r->virt);

	buf_add(w->out, str_sub(s, skip, n));
	r->virt += n;
	return n;
}

/* A bare LF is two octets; the window may end between them. */
static bool
give_line_end(struct crlf_reader *r, const struct window *w)
{
	struct str line_end = r->cr ? STR("\n") : STR("\r\n");

	if (r->half)
		line_end = STR("\n");
	r->half = give(r, line_end, w) < line_end.n && r->virt == w->end;
	return !r->half;
}

static void
give_chunk(struct crlf_reader *r, struct str raw, const struct window *w)
{
	while (raw.n > 0 && r->virt < w->end) {
		size_t n = str_find(raw, '\n');
		size_t used;

		if (n > 0) {
			used = give(r, str_sub(raw, 0, n), w);
			r->cr = used > 0 && raw.p[used - 1] == '\r';
		} else {
			used = give_line_end(r, w);
			r->cr = used == 0 && r->cr;
		}
		r->raw += used;
		raw = str_sub(raw, used, raw.n);
	}
}

static bool
read_converted(struct crlf_reader *r, const struct window *w)
{
	char chunk[CHUNK];

	if (w->at < r->virt)
		crlf_reader_init(r, r->fd, r->lf);
	while (r->virt < w->end) {
		ssize_t n = io_pread(r->fd, chunk, sizeof chunk, (off_t)r->raw);

		if (n <= 0)
			return n == 0;
		give_chunk(r, str_from(chunk, (size_t)n), w);
	}
	return true;
}

static bool
read_plain(struct crlf_reader *r, uint64_t at, size_t n, struct buf *out)
{
	char *to = buf_room(out, n);

	while (to != NULL && n > 0) {
		ssize_t got = io_pread(r->fd, to, n, (off_t)at);

		if (got <= 0)
			return got == 0;
		to += got;
		out->n += (size_t)got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return true;
}

bool
crlf_read(struct crlf_reader *r, uint64_t at, size_t n, struct buf *out)
{
	if (n > out->max - out->n)
		n = out->max - out->n;
	if (!r->lf)
		return read_plain(r, at, n, out);
	return read_converted(r, &(struct window){ at, at + n, out });
}

void
crlf_mask_nul(char *p, size_t n)
{
	char *at;

	while (n > 0 && (at = memchr(p, '\0', n)) != NULL) {
		*at = (char)0x80;
		n -= (size_t)(at + 1 - p);
		p = at + 1;
	}
}
