/* imap_cacherow.c - row and keys as they come from the disk: any bytes read as none, or as something that speaks the grammar. The
 * first byte chooses: a row, keys, or a message whose row and keys must read again and give the header lines that the header has. */
#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/message/charset.h>
#include <postern/message/header.h>
#include <postern/message/imaptext.h>

#include "cacherow.h"
#include "fuzz.h"
#include "mailkeys.h"

static const struct str asked[] = { STR_INIT("from"), STR_INIT("SUBJECT"), STR_INIT("Date"), STR_INIT("x-spam-flag"),
	STR_INIT("References") };
enum { ASKED = sizeof(asked) / sizeof(*asked) };

static void
try_row(struct str bytes)
{
	struct arena arena;
	struct cacherow r;
	struct buf out;

	if (!cacherow_read(bytes, &r))
		return;
	arena_init(&arena);
	buf_init(&out, SIZE_MAX);
	headlines_select(&out, &r.lines, ~UINT64_C(0));
	if (out.n > bytes.n)
		log_panic("more lines than the row has");
	cacherow_envelope(&arena, &r);
	if (cacherow_tree(&arena, &r) != NULL)
		imaptext_bodystructure(&out, cacherow_tree(&arena, &r)->root, IMAPTEXT_GLOBAL_MESSAGE);
	buf_fini(&out);
	arena_fini(&arena);
}

static void
try_keys(struct str bytes)
{
	struct mailkeys k;
	uint64_t sum = 0;

	if (!mailkeys_read(bytes, &k))
		return;
	for (size_t i = 0; i < k.nreferences; i++)
		sum += mailkeys_reference(&k, i);
	for (size_t i = 0; i < KEY_TEXTS; i++)
		for (size_t j = 0; j < k.text[i].n; j++)
			sum += (unsigned char)k.text[i].p[j];
	if (sum == UINT64_MAX)
		log_panic("never");
}

/* What is kept is what HEADER.FIELDS would find. */
static void
compare_lines(const struct cacherow *r, struct str header)
{
	struct buf kept, whole;
	uint64_t bits;

	if (!headlines_bits(asked, ASKED, &bits))
		log_panic("a field is not in the list any more");
	if (bits & r->lines.left_out)
		return;
	buf_init(&kept, SIZE_MAX);
	buf_init(&whole, SIZE_MAX);
	headlines_select(&kept, &r->lines, bits);
	header_select(&whole, header, HEADER_ONLY, asked, ASKED);
	if (!str_eq(buf_str(&kept), buf_str(&whole)))
		log_panic("other lines");
	buf_fini(&kept);
	buf_fini(&whole);
}

static void
try_message(struct str message)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	struct store_made made;
	const struct mime *tree;
	struct arena arena;
	struct cacherow r;
	struct mailkeys k;

	if (fd == -1 || !io_write_all(fd, message))
		log_panic("memfd");
	arena_init(&arena);
	buf_init(&made.row, SIZE_MAX);
	buf_init(&made.keys, SIZE_MAX);
	tree = mime_parse(&arena, message, 0);
	cacherow_write(&made, tree, fd, false);
	if (!cacherow_read(buf_str(&made.row), &r) || cacherow_tree(&arena, &r) == NULL
	    || !mailkeys_read(buf_str(&made.keys), &k))
		log_panic("a row that cannot be read again");
	compare_lines(&r, str_sub(message, 0, (size_t)tree->root->header_size));
	buf_fini(&made.keys);
	buf_fini(&made.row);
	arena_fini(&arena);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const tries[])(struct str) = { try_row, try_keys, try_message };
	static bool ready;

	if (!ready)
		charset_init();
	ready = true;
	if (n > 0)
		tries[p[0] % 3](str_from(p + 1, n - 1));
	return 0;
}
