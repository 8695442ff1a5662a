/* auth_sasl.c - every SASL mechanism under any bytes.
 *
 * Input: one byte that chooses mechanism and channel, then responses, each with two bytes of length before it. What the
 * mechanism asks for is answered as the service would; success without the right password is the bug looked for. */
#include <stdlib.h>

#include <postern/auth/sasl.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct str names[] = { STR_INIT("PLAIN"), STR_INIT("LOGIN"), STR_INIT("SCRAM-SHA-256"),
	STR_INIT("SCRAM-SHA-256-PLUS") };

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

static enum sasl_next
answer(struct sasl *s, enum sasl_next next)
{
	struct scram_keys keys;
	static const uint8_t secret[32] = { 7 };

	if (next == SASL_CHECK_PASSWORD) {
		if (s->authcid.n == 0 || s->authcid.n > SASL_NAME_MAX || s->password.n > SASL_MESSAGE_MAX)
			abort();
		return sasl_checked(s, false);
	}
	if (next == SASL_WANT_KEYS) {
		scram_keys_fake(&keys, buf_str(&s->authcid), secret, 4096);
		return sasl_keys(s, &keys, false);
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
	if (choice & 8)
		channel.exporter = STR("an exporter of thirty-two bytes.");
	if (choice & 16)
		channel.end_point = STR("an end point");
	initial = take(&p, &n);
	next = answer(&s, sasl_start(&s, names[choice & 3], choice & 4 ? &initial : NULL, &channel));
	for (int i = 0; i < 8 && next == SASL_CHALLENGE; i++)
		next = answer(&s, sasl_step(&s, take(&p, &n)));
	if (next == SASL_OK || next == SASL_FORBIDDEN || s.out.over || s.first.over || s.header.over || s.nonce.over)
		abort();
	sasl_fini(&s);
	return 0;
}
