/* imap_session.c - a logged-in session under any bytes, over a store in a temporary directory. The first byte says
 * in which state it begins, and whether the stream is compressed. Everything the session says is parsed by the strict
 * client; the store is made anew now and then. */
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/message/charset.h>

#include "compress.h"
#include "imap_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { RUNS_PER_STORE = 8 }; /* a new one takes as long as two inputs; what they leave behind changes and slows those after them */

static struct world world;
static unsigned runs;

static void
remove_world(void)
{
	world_fini(&world);
}

static void
new_world(void)
{
	static const struct str message = STR_INIT("Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
		"--b\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8K\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
		"From: a@b\r\n\r\ninner\r\n--b--\r\n");

	if (runs == 0) {
		charset_init();
		setenv("TMPDIR", "/dev/shm", 0); /* in memory: nobody waits for a disk */
		atexit(remove_world);
	} else
		world_fini(&world);
	world = (struct world){ .message_max = 4096, .quota = 1 << 20, .compress = true, .message_limit = 5 };
	world_init(&world);
	for (int i = 0; i < 3; i++)
		if (!world_deliver(&world, STR("alice@example.test"), STR(""), message))
			log_panic("delivery");
}

static void
end_session(struct imap_conn *c)
{
	imap_session_free(c->session);
	c->session = NULL;
	imap_front_free(c->front); /* after UNAUTHENTICATE */
	c->front = NULL;
	c->released = false;
	buf_clear(&c->rest);
	buf_clear(&c->inbox);
	buf_clear(&c->said);
	compress_free(c->deflate);
	c->deflate = NULL;
	buf_clear(&world.log);
	grammar_fini(&c->grammar);
	grammar_init(&c->grammar);
	c->closed = false;
	c->again = false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct str states[] = { STR_INIT(""), STR_INIT("s SELECT INBOX\r\n"), STR_INIT("s EXAMINE INBOX\r\n"),
		STR_INIT("s ENABLE IMAP4rev2\r\nt SELECT INBOX\r\n") };

	if (runs % RUNS_PER_STORE == 0)
		new_world();
	runs++;
	if (n == 0 || !world_login(&world, 1, STR("alice")))
		return 0;
	world_feed(&world, 1, states[p[0] & 3]);
	if (p[0] & 4) {
		world_feed(&world, 1, STR("c COMPRESS DEFLATE\r\n"));
		world.conns[1].deflate = compress_new();
	}
	world_feed(&world, 1, str_from(p + 1, n - 1));
	end_session(&world.conns[1]);
	return 0;
}
