/* compress.c - zlib streams of a session. A window and little memory on the way out; what the client chooses on the way
 * in. */
#include "compress.h"

#include <stdlib.h>

#define ZLIB_CONST /* what goes in is only read */
#include <zlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

enum {
	LEVEL = 3,
	WINDOW_OUT = -13,  /* raw DEFLATE (RFC 4978 4), 8 KiB: 64 KiB of memory with MEMORY_OUT */
	MEMORY_OUT = 6,
	WINDOW_IN = -15,   /* a client may use 32 KiB */
	BLOCK_ENDED = 128, /* z_stream.data_type behind a Z_BLOCK */
	LAST_BLOCK_ENDED = 128 | 64,
};

struct compress {
	z_stream out;
	z_stream in;
	struct buf input;           /* not inflated yet */
	char plain[COMPRESS_PIECE];
	size_t at;                  /* used of plain */
	size_t n;
	bool more;                  /* plain was filled: zlib may hold more without input */
	bool ended;                 /* the client's stream */
	unsigned quiet;             /* blocks that ended since the last octet came out */
};

static void *
zlib_alloc(void *ctx, unsigned n, unsigned size)
{
	(void)ctx;
	return mem_array(n, size);
}

static void
zlib_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

struct compress *
compress_new(void)
{
	struct compress *z = NEW(struct compress);

	z->out.zalloc = z->in.zalloc = zlib_alloc;
	z->out.zfree = z->in.zfree = zlib_free;
	if (deflateInit2(&z->out, LEVEL, Z_DEFLATED, WINDOW_OUT, MEMORY_OUT, Z_DEFAULT_STRATEGY) != Z_OK
	    || inflateInit2(&z->in, WINDOW_IN) != Z_OK)
		log_panic("zlib");
	buf_init(&z->input, COMPRESS_INPUT_MAX);
	return z;
}

void
compress_free(struct compress *z)
{
	if (z == NULL)
		return;
	deflateEnd(&z->out);
	inflateEnd(&z->in);
	buf_fini(&z->input);
	free(z);
}

/* --- out --- */

static void
deflate_all(struct compress *z, struct str plain, int flush, struct buf *out)
{
	z->out.next_in = (const Bytef *)plain.p;
	z->out.avail_in = (uInt)plain.n;
	do {
		size_t room = plain.n / 2 + 256;
		char *p = buf_room(out, room);

		z->out.next_out = (Bytef *)p;
		z->out.avail_out = (uInt)room;
		deflate(&z->out, flush);
		out->n += room - z->out.avail_out;
	} while (z->out.avail_out == 0);
}

void
compress_deflate(struct compress *z, struct str plain, struct buf *out)
{
	deflate_all(z, plain, Z_SYNC_FLUSH, out);
}

void
compress_deflate_last(struct compress *z, struct str plain, struct buf *out)
{
	deflate_all(z, plain, Z_FINISH, out);
}

/* --- in --- */

size_t
compress_take(struct compress *z, struct str bytes)
{
	size_t room = COMPRESS_INPUT_MAX - z->input.n;
	size_t n = bytes.n < room ? bytes.n : room;

	buf_add(&z->input, str_sub(bytes, 0, n));
	return n;
}

/* Up to the end of a block: behind the last one of a stream nothing is taken that may be plain. */
static bool
inflate_some(struct compress *z)
{
	int rc;

	z->in.next_in = (const Bytef *)z->input.p;
	z->in.avail_in = (uInt)z->input.n;
	z->in.next_out = (Bytef *)z->plain;
	z->in.avail_out = COMPRESS_PIECE;
	rc = inflate(&z->in, Z_BLOCK);
	buf_drop(&z->input, z->input.n - z->in.avail_in);
	z->at = 0;
	z->n = COMPRESS_PIECE - z->in.avail_out;
	z->more = z->in.avail_out == 0;
	z->ended = rc == Z_STREAM_END || (z->in.data_type & LAST_BLOCK_ENDED) == LAST_BLOCK_ENDED;
	if (z->n > 0)
		z->quiet = 0;
	if (z->in.data_type & BLOCK_ENDED)
		z->quiet++;
	return rc == Z_OK || rc == Z_BUF_ERROR || z->ended;
}

struct str
compress_plain(struct compress *z, bool *ok)
{
	*ok = true;
	if (z->at == z->n && compress_has_input(z))
		*ok = !z->ended && inflate_some(z);
	return str_from(z->plain + z->at, *ok ? z->n - z->at : 0);
}

void
compress_use(struct compress *z, size_t n)
{
	z->at += n;
}

bool
compress_has_input(const struct compress *z)
{
	return z->at < z->n || z->more || z->input.n > 0;
}

bool
compress_ended(const struct compress *z)
{
	return z->ended;
}

/* The block of the last octets and the empty one of a flush are behind us, or the stream's end. A client may flush and then
 * end the stream: an empty last block, which no command begins with. */
static bool
is_at_end(struct compress *z)
{
	static const char last_block[] = { 3, 0 };

	if (z->ended)
		return true;
	if (z->quiet < 2)
		return false;
	if (z->input.n >= sizeof(last_block) && memcmp(z->input.p, last_block, sizeof(last_block)) == 0)
		buf_drop(&z->input, sizeof(last_block));
	return true;
}

enum compress_end
compress_find_end(struct compress *z, struct str *rest)
{
	while (z->at == z->n && !is_at_end(z)) {
		if (z->input.n == 0)
			return COMPRESS_WAIT;
		if (!inflate_some(z))
			return COMPRESS_BROKEN;
	}
	*rest = buf_str(&z->input);
	return z->at == z->n ? COMPRESS_FOUND : COMPRESS_BROKEN;
}
