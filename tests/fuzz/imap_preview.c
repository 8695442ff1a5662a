/* imap_preview.c - the preview of any message, and the cache row around it. The first byte says whether its lines end in LF. A preview
 * is valid UTF-8 of at most 200 characters on one line, whatever the message holds. */
#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/utf8.h>
#include <postern/message/charset.h>

#include "cacherow.h"
#include "fuzz.h"
#include "preview.h"

static void
check(struct str preview)
{
	size_t characters = 0;

	for (size_t i = 0; i < preview.n; i++) {
		characters += ((unsigned char)preview.p[i] & 0xc0) != 0x80;
		if ((unsigned char)preview.p[i] < ' ')
			log_panic("a control character");
	}
	if (!utf8_valid(preview) || characters > PREVIEW_CHARACTERS)
		log_panic("%zu characters", characters);
}

static void
try_message(struct str message, bool lf)
{
	struct arena arena;
	struct store_made made;
	struct cacherow r;
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd == -1 || !io_write_all(fd, message))
		log_panic("memfd");
	arena_init(&arena);
	buf_init(&made.row, SIZE_MAX);
	buf_init(&made.keys, SIZE_MAX);
	cacherow_write(&made, mime_parse(&arena, message, lf ? MIME_LF : 0), fd, lf);
	if (!cacherow_read(buf_str(&made.row), &r) || cacherow_tree(&arena, &r) == NULL)
		log_panic("a row that cannot be read again");
	check(r.preview);
	buf_fini(&made.keys);
	buf_fini(&made.row);
	arena_fini(&arena);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool ready;

	if (!ready)
		charset_init();
	ready = true;
	if (n == 0)
		return 0;
	try_message(str_from(p + 1, n - 1), p[0] & 1);
	return 0;
}
