/* data.c - the reader of DATA. */
#include <string.h>

#include "data.h"

void
data_begin(struct data_reader *r)
{
	*r = (struct data_reader){ .state = DATA_BOL };
}

static struct str
take(struct str *in, size_t n)
{
	struct str head = str_sub(*in, 0, n);

	*in = str_sub(*in, n, in->n);
	return head;
}

/* The longest piece from here that holds no dot to be taken away: up to a CRLF before a dot, or before the input's end
 * where the next byte may be one. */
static struct str
take_text(struct data_reader *r, struct str *in)
{
	const char *lf;
	size_t at = 0;
	bool crlf;

	while ((lf = memchr(in->p + at, '\n', in->n - at)) != NULL) {
		at = (size_t)(lf - in->p) + 1;
		crlf = at >= 2 ? in->p[at - 2] == '\r' : r->cr;
		if (crlf && (at == in->n || in->p[at] == '.')) {
			r->state = DATA_BOL;
			return take(in, at);
		}
		if (at == in->n)
			break;
	}
	r->cr = in->p[in->n - 1] == '\r';
	return take(in, in->n);
}

/* At the begin of a line, perhaps behind its dot, perhaps behind a CR behind that. */
static void
begin_line(struct data_reader *r, struct str *in)
{
	if (r->state == DATA_BOL && in->p[0] == '.') {
		take(in, 1);
		r->state = DATA_DOT;
	} else if (r->state == DATA_DOT && in->p[0] == '\r') {
		take(in, 1);
		r->state = DATA_DOT_CR;
	} else {
		r->state = DATA_TEXT;
		r->cr = false;
	}
}

enum data_step
data_next(struct data_reader *r, struct str *in, struct str *out)
{
	while (in->n > 0) {
		if (r->state == DATA_TEXT) {
			*out = take_text(r, in);
			return DATA_PIECE;
		}
		if (r->state != DATA_DOT_CR) {
			begin_line(r, in);
			continue;
		}
		if (in->p[0] == '\n') {
			take(in, 1);
			return DATA_END;
		}
		r->state = DATA_TEXT; /* ".\rx": the CR that was held back is content */
		r->cr = true;
		*out = STR("\r");
		return DATA_PIECE;
	}
	return DATA_MORE;
}
