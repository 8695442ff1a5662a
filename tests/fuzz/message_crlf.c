/* message_crlf.c - a file with LF line ends as IMAP shows it, read in windows of any place and size: the same octets as when the whole
 * is converted at once. The first bytes are the windows. */
#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/message/crlf.h>

#include "fuzz.h"

enum { WINDOWS = 8, INPUT_MAX = 1 << 16 };

static void
convert(struct str raw, bool lf, struct buf *out)
{
	for (size_t i = 0; i < raw.n; i++) {
		if (lf && raw.p[i] == '\n' && (i == 0 || raw.p[i - 1] != '\r'))
			buf_add_char(out, '\r');
		buf_add_char(out, raw.p[i]);
	}
}

static void
check(int fd, struct str raw, bool lf, const uint8_t *windows)
{
	struct crlf_reader r;
	struct buf whole, part;

	buf_init(&whole, SIZE_MAX);
	buf_init(&part, SIZE_MAX);
	convert(raw, lf, &whole);
	crlf_reader_init(&r, fd, lf);
	for (size_t i = 0; i + 1 < WINDOWS; i += 2) {
		size_t at = windows[i] * (whole.n + 2) / 256, n = windows[i + 1];

		buf_clear(&part);
		MUST(crlf_read(&r, at, n, &part));
		MUST(str_eq(buf_str(&part), str_sub(buf_str(&whole), at, at + n)));
		crlf_mask_nul(part.p, part.n);
		MUST(part.n == 0 || memchr(part.p, '\0', part.n) == NULL);
	}
	buf_fini(&whole);
	buf_fini(&part);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str raw;
	int fd;

	if (n < WINDOWS || n > INPUT_MAX)
		return 0;
	raw = str_from(p + WINDOWS, n - WINDOWS);
	fd = memfd_create("message", MFD_CLOEXEC);
	MUST(fd != -1 && io_write_all(fd, raw));
	check(fd, raw, true, p);
	check(fd, raw, false, p);
	close(fd);
	return 0;
}
