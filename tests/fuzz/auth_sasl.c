/* auth_sasl.c - every SASL mechanism under any bytes.
 *
 * Input: one byte that chooses mechanism, channel and whether the user is there, then responses, each with two bytes of length before
 * it. What the mechanism asks for is answered as the service would; success of who is not there is the bug looked for. Who
 * is there has the password "pencil", which a seed knows. */
#include <stdlib.h>

#include <postern/auth/sasl.h>

#include "fuzz.h"

static const struct str names[] = { STR_INIT("PLAIN"), STR_INIT("LOGIN"), STR_INIT("SCRAM-SHA-256"),
	STR_INIT("SCRAM-SHA-256-PLUS") };

enum choice { MECHANISM = 3, INITIAL = 4, EXPORTER = 8, END_POINT = 16, KNOWN = 32, SOMEBODY_ELSE = 64 };

static struct str
take(const uint8_t **p, size_t *n)
{
	size_t want = *n >= 2 ? (size_t)(*p)[0] << 8 | (*p)[1] : 0;
	struct str s;

	if (*n < 2)
		return str_from(*p, 0);
	*p += 2;
	*n -= 2;
	if (want > *n)
		want = *n;
	s = str_from(*p, want);
	*p += want;
	*n -= want;
	return s;
}

static void
take_keys(struct sasl *s, bool known, struct scram_keys *keys)
{
	static const uint8_t secret[32] = { 7 };
	static struct scram_keys pencil;
	static bool made;

	if (!made && !scram_keys_make(&pencil, STR("pencil"), STR("0123456789abcdef"), 4096))
		abort();
	made = true;
	if (known)
		*keys = pencil;
	else
		scram_keys_fake(keys, buf_str(&s->authcid), secret, 4096);
}

static enum sasl_next
answer(struct sasl *s, enum sasl_next next, unsigned choice)
{
	bool known = (choice & KNOWN) != 0;
	struct scram_keys keys;

	s->other = (choice & SOMEBODY_ELSE) != 0;
	if (next == SASL_CHECK_PASSWORD) {
		if (s->authcid.n == 0 || s->authcid.n > SASL_NAME_MAX || s->password.n > SASL_MESSAGE_MAX)
			abort();
		return sasl_checked(s, known && str_eq(buf_str(&s->password), STR("pencil")));
	}
	if (next == SASL_WANT_KEYS) {
		take_keys(s, known, &keys);
		return sasl_keys(s, &keys, known);
	}
	return next;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sasl_channel channel = { .tls = true, .scram = true };
	enum sasl_next next;
	struct str initial;
	struct sasl s;
	unsigned choice = n > 0 ? p[0] : 0;

	if (n > 0) {
		p++;
		n--;
	}
	sasl_fix_nonce("server");
	if (choice & EXPORTER)
		channel.exporter = STR("an exporter of thirty-two bytes.");
	if (choice & END_POINT)
		channel.end_point = STR("an end point");
	initial = take(&p, &n);
	next = answer(&s, sasl_start(&s, names[choice & MECHANISM], choice & INITIAL ? &initial : NULL, &channel), choice);
	for (int i = 0; i < 8 && next == SASL_CHALLENGE; i++)
		next = answer(&s, sasl_step(&s, take(&p, &n)), choice);
	if ((choice & KNOWN) == 0 && (next == SASL_OK || next == SASL_FORBIDDEN))
		abort();
	if (s.out.over || s.first.over || s.header.over || s.nonce.over)
		abort();
	sasl_fini(&s);
	return 0;
}
