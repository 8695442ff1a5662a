/* smtp_data.c - the DATA reader and the line rules, cut anywhere, against naive readings of the same bytes. */
#include <stdlib.h>

#include <postern/core/buf.h>

#include "../../src/smtp/data.h"
#include "../../src/smtp/rules.h"
#include "fuzz.h"

/* One byte at a time, straight from RFC 5321 4.1.1.4: the bytes up to the end, or all. */
static size_t
naive(struct str in, struct buf *out, bool *ended)
{
	bool bol = true;

	for (size_t i = 0; i < in.n; i++) {
		if (bol && in.p[i] == '.') {
			*ended = str_starts(str_sub(in, i + 1, in.n), STR("\r\n"));
			if (*ended)
				return i + 3;
			bol = false;
			continue;
		}
		buf_add_char(out, in.p[i]);
		bol = in.p[i] == '\n' && i > 0 && in.p[i - 1] == '\r';
	}
	return in.n;
}

static unsigned
naive_rules(struct str in, size_t max)
{
	unsigned seen = 0;
	size_t line = 0;

	for (size_t i = 0; i < in.n; i++) {
		bool lf_next = i + 1 < in.n && in.p[i + 1] == '\n';
		bool cr_before = i > 0 && in.p[i - 1] == '\r';

		if ((in.p[i] == '\r' && !lf_next) || (in.p[i] == '\n' && !cr_before))
			seen |= RULES_BARE;
		if (in.p[i] == '\0')
			seen |= RULES_NUL;
		if ((unsigned char)in.p[i] > 127)
			seen |= RULES_8BIT;
		if (++line > max)
			seen |= RULES_LONG;
		if (in.p[i] == '\n')
			line = 0;
	}
	return seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t step = n > 0 ? 1 + p[0] % 17 : 1;
	struct str in = str_sub(str_from(p, n), 1, n);
	struct buf want, got;
	struct data_reader r;
	struct rules rules;
	enum data_step found = DATA_MORE;
	bool ended = false;
	size_t used = 0, end;

	buf_init(&want, n + 1);
	buf_init(&got, n + 1);
	end = naive(in, &want, &ended);
	data_begin(&r);
	rules_begin(&rules, 20);
	while (found != DATA_END && used < in.n) {
		struct str part = str_sub(in, used, used + step);
		struct str left = part;
		struct str piece;

		while ((found = data_next(&r, &left, &piece)) == DATA_PIECE) {
			buf_add(&got, piece);
			rules_feed(&rules, piece);
		}
		used += part.n - left.n;
	}
	rules_end(&rules);
	if ((found == DATA_END) != ended || (ended && (used != end || !str_eq(buf_str(&got), buf_str(&want)))))
		abort();
	if (!ended && !str_starts(buf_str(&want), buf_str(&got)))
		abort();
	if (rules.seen != naive_rules(buf_str(&got), 20))
		abort();
	buf_fini(&want);
	buf_fini(&got);
	return 0;
}
