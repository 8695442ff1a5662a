/* rules.c - line rules of a message, a few passes of memchr per piece. */
#include <string.h>

#include <postern/core/utf8.h>

#include "rules.h"

void
rules_begin(struct rules *r, size_t max)
{
	*r = (struct rules){ .max = max };
}

static void
grow_line(struct rules *r, size_t n)
{
	r->line += n;
	if (r->line > r->max)
		r->seen |= RULES_LONG;
}

/* One run without LF; a CR may only be its last byte, and then an LF must follow. */
static void
feed_run(struct rules *r, struct str run)
{
	if (run.n == 0)
		return;
	if (r->cr || str_find(run, '\r') < run.n - 1)
		r->seen |= RULES_BARE;
	r->cr = run.p[run.n - 1] == '\r';
	grow_line(r, run.n);
}

static void
feed_lf(struct rules *r)
{
	if (!r->cr)
		r->seen |= RULES_BARE;
	grow_line(r, 1);
	r->cr = false;
	r->line = 0;
}

void
rules_feed(struct rules *r, struct str bytes)
{
	size_t lf;

	if (!(r->seen & RULES_8BIT) && !ascii_only(bytes))
		r->seen |= RULES_8BIT;
	if (!(r->seen & RULES_NUL) && str_has(bytes, '\0'))
		r->seen |= RULES_NUL;
	while (bytes.n > 0) {
		lf = str_find(bytes, '\n');
		feed_run(r, str_sub(bytes, 0, lf));
		if (lf < bytes.n)
			feed_lf(r);
		bytes = str_sub(bytes, lf + 1, bytes.n);
	}
}

void
rules_end(struct rules *r)
{
	if (r->cr)
		r->seen |= RULES_BARE;
	r->cr = false;
}
