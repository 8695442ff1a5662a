/* imap_session.c - a logged-in session under any bytes, over a store in a temporary directory. The first byte says
 * in which state it begins, whether the stream is compressed, and whether it is a guest's, in a mailbox that another user has lent
 * him: then that one is there, too, and a byte 0x01 is where the other of both goes on. Everything the sessions say is parsed by the
 * strict client; the store is made anew now and then. */
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/message/charset.h>

#include "compress.h"
#include "fuzz.h"
#include "imap_peer.h"

enum { RUNS_PER_STORE = 8 }; /* a new one takes as long as two inputs; what they leave behind changes and slows those after them */

enum { COMPRESSED = 4, LENT = 8, OTHER_GOES_ON = 0x01 }; /* bits of the first byte; the byte between two that take turns */

static struct world world;
static unsigned runs;

static void
remove_world(void)
{
	world_fini(&world);
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

/* What bob lends to alice: a mailbox in which she may do all, one that she may read, and one that she knows of. */
static void
lend(void)
{
	if (!world_login(&world, 2, STR("bob")))
		log_panic("login");
	world_feed(&world, 2, STR("a CREATE Lent\r\nb SETACL Lent alice lrswipkxtea\r\nd SELECT INBOX\r\n"
		"e COPY 1:2 Lent\r\nf SETACL INBOX alice lr\r\ng CREATE Known\r\nh SETACL Known anyone l\r\n"));
	end_session(&world.conns[2]);
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
	world = (struct world){ .message_max = 4096, .quota = 1 << 20, .compress = true, .message_limit = 5, .shared = true };
	world_init(&world);
	for (int i = 0; i < 3; i++)
		if (!world_deliver(&world, STR("alice@example.test"), STR(""), message) ||
		    !world_deliver(&world, STR("bob@example.test"), STR(""), message))
			log_panic("delivery");
	lend();
}

/* The owner looks at the same mailbox; both take turns. */
static void
feed_both(struct str bytes)
{
	struct str part;

	if (!world_login(&world, 2, STR("bob")))
		return;
	world_feed(&world, 1, STR("s SELECT Users/bob@example.test/Lent\r\n"));
	world_feed(&world, 2, STR("s SELECT Lent\r\n"));
	for (unsigned conn = 1; bytes.n > 0; conn = 3 - conn) {
		str_cut(&bytes, OTHER_GOES_ON, &part);
		world_feed(&world, conn, part);
	}
	end_session(&world.conns[2]);
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
	if (p[0] & COMPRESSED) {
		world_feed(&world, 1, STR("c COMPRESS DEFLATE\r\n"));
		world.conns[1].deflate = compress_new();
	}
	if (p[0] & LENT)
		feed_both(str_from(p + 1, n - 1));
	else
		world_feed(&world, 1, str_from(p + 1, n - 1));
	end_session(&world.conns[1]);
	return 0;
}
