/* trace_sieve.c - a set of hashes of the last bytes of each word, looked up at every place of the text. */
#include "trace_sieve.h"

/* Stands in a line as it is. */
static bool
is_raw(char c)
{
	return (unsigned char)c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
}

/* The longest part of the word that stands in a line as it is; characters beyond ASCII may be escaped, too. */
static struct str
raw_part(struct str word)
{
	struct str best = { word.p, 0 };
	size_t begin = 0;

	for (size_t i = 0; i <= word.n; i++) {
		if (i < word.n && is_raw(word.p[i]) && (unsigned char)word.p[i] < 0x80)
			continue;
		if (i - begin > best.n)
			best = str_sub(word, begin, i);
		begin = i + 1;
	}
	return best;
}

static uint64_t
load(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static unsigned
hash(uint64_t v)
{
	return (unsigned)((v * 0x9e3779b97f4a7c15u) >> (64 - SIEVE_BITS));
}

static void
add(struct trace_sieve *s, struct str part)
{
	char bytes[sizeof(uint64_t)] = { 0 };
	unsigned h;

	for (unsigned i = 0; i < s->bytes; i++)
		bytes[i] = part.p[part.n - s->bytes + i];
	h = hash(load(bytes));
	s->bits[h / 8] |= (uint8_t)(1 << h % 8);
}

void
trace_sieve_init(struct trace_sieve *s, const struct str *words, size_t n)
{
	char mask[sizeof(uint64_t)] = { 0 };

	*s = (struct trace_sieve){ .bytes = SIEVE_BYTES_MAX };
	for (size_t i = 0; i < n; i++) {
		size_t bytes = raw_part(words[i]).n;

		s->bytes = bytes < s->bytes ? (unsigned)bytes : s->bytes;
	}
	memset(mask, 0xff, s->bytes);
	s->mask = load(mask);
	for (size_t i = 0; i < n; i++)
		add(s, raw_part(words[i]));
	if (n == 1)
		s->only = raw_part(words[0]);
}

/* Many addresses end alike; one word can be looked at whole. */
static bool
is_there(const struct trace_sieve *s, const char *text, size_t place)
{
	size_t before = s->only.n - s->bytes;

	return s->only.n == 0 || (place >= before && memcmp(text + place - before, s->only.p, s->only.n) == 0);
}

size_t
trace_sieve_last(const struct trace_sieve *s, const char *text, size_t before)
{
	while (before-- > 0) {
		unsigned h = hash(load(text + before) & s->mask);

		if ((s->bits[h / 8] & (1 << h % 8)) != 0 && is_there(s, text, before))
			return before;
	}
	return SIZE_MAX;
}
