/* tls_peek.c - what a server answers to a ClientHello: whole and byte by byte the reader finds the same, and elimination
 * ends whatever is answered. */
#include <postern/tls/trial.h>

#include "fuzz.h"

static enum tls_peek_found
read_in(struct str said, size_t step, struct tls_peek_answer *a)
{
	enum tls_peek_found found = TLS_PEEK_MORE;
	struct tls_peek p;

	tls_peek_init(&p);
	for (size_t at = 0; at < said.n && found == TLS_PEEK_MORE; at += step)
		found = tls_peek_feed(&p, str_sub(said, at, at + step));
	*a = p.answer;
	tls_peek_fini(&p);
	return found;
}

static void
check_answer(const struct tls_peek_answer *a)
{
	MUST(a->version >> 8 == 3);
	MUST(a->dh_bits <= 8 * UINT16_MAX);
}

/* The same answer to every question. */
static void
check_trial(const struct tls_peek_answer *a)
{
	struct tls_peek_offer o;
	struct tls_trial t;
	unsigned asked = 0;

	tls_trial_suites(&t, a->version, STR("mx.example.test"));
	while (tls_trial_offer(&t, &o)) {
		struct buf hello;

		buf_init(&hello, SIZE_MAX / 2);
		tls_peek_write(&o, &hello);
		MUST(hello.n > 5 && hello.n < 16384);
		buf_fini(&hello);
		tls_trial_chosen(&t, a);
		MUST(++asked < 4);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str said = str_from(p, n);
	struct tls_peek_answer whole, bytes;
	enum tls_peek_found found = read_in(said, n > 0 ? n : 1, &whole);

	if (n > TLS_PEEK_BYTES_MAX)
		return 0;
	MUST(read_in(said, 1, &bytes) == found);
	if (found == TLS_PEEK_CHOSEN) {
		MUST(whole.suite == bytes.suite && whole.group == bytes.group && whole.dh_bits == bytes.dh_bits);
		check_answer(&whole);
		check_trial(&whole);
	}
	return 0;
}
