/* probe_talk.c - what a server says around TLS to a probe: the first byte chooses protocol and goal; whole and byte by byte
 * the same comes of it, and what is kept is short and printable. */
#include "fuzz.h"
#include "probe_talk.h"

static void
check_caps(const struct talk_caps *caps)
{
	MUST(str_of(caps->auth).n < TALK_AUTH_SIZE);
	for (const char *c = caps->auth; *c != '\0'; c++)
		MUST(ascii_is_print(*c));
}

/* A server that says go ahead is inside TLS from then on. */
static enum talk_found
run(unsigned kind, struct str in, size_t step, struct buf *said)
{
	enum talk_found found = TALK_MORE;
	struct talk t;

	talk_init(
	    &t, kind & 1 ? TALK_IMAP : TALK_SMTP, (enum talk_goal)(kind / 2 % 3), STR("us.test"), (kind & 8) != 0);
	while (in.n > 0 && (found == TALK_MORE || found == TALK_HANDSHAKE)) {
		struct str piece = str_sub(in, 0, step);
		size_t all = piece.n;

		found = talk_feed(&t, &piece);
		MUST(found != TALK_MORE || piece.n == 0);
		in = str_sub(in, all - piece.n, in.n);
		if (found == TALK_HANDSHAKE) {
			MUST(!t.inside); /* once */
			talk_secured(&t);
		}
		buf_add(said, buf_str(&t.out));
		buf_clear(&t.out);
	}
	check_caps(&t.caps[0]);
	check_caps(&t.caps[1]);
	buf_addf(said, "%d %d", t.injected, t.caps[0].starttls);
	talk_fini(&t);
	return found;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf whole, bytes;
	struct str in = str_from(p, n);
	unsigned kind = n > 0 ? p[0] : 0;
	enum talk_found a, b;

	buf_init(&whole, SIZE_MAX / 2);
	buf_init(&bytes, SIZE_MAX / 2);
	in = str_sub(in, 1, in.n);
	a = run(kind, in, SIZE_MAX / 2, &whole);
	b = run(kind, in, 1, &bytes);
	/* limits on a line and on everything are noticed earlier in small pieces */
	MUST((a == b && str_eq(buf_str(&whole), buf_str(&bytes))) ||
	     (n > 2048 && (a == TALK_STOPPED || b == TALK_STOPPED)));
	buf_fini(&whole);
	buf_fini(&bytes);
	return 0;
}
