/* status.c - enhanced status codes. */
#include <postern/message/status.h>

enum { DIGITS_MAX = 3 }; /* of subject and detail */

/* A longer row of digits is no number cut short. */
static void
take_digits(struct cur *c)
{
	size_t n = cur_while(c, ascii_is_digit).n;

	if (n < 1 || n > DIGITS_MAX)
		cur_fail(c, "digits");
}

struct str
status_take(struct cur *c)
{
	const char *begin = c->p;

	cur_want_while(c, ascii_is_digit, 1, "class");
	for (int i = 0; i < 2; i++) {
		cur_want(c, ".");
		take_digits(c);
	}
	return cur_ok(c) ? str_from(begin, (size_t)(c->p - begin)) : (struct str){ 0 };
}

bool
status_is_of(struct str text, char class)
{
	struct cur c = cur_init(text);

	status_take(&c);
	return cur_end(&c) && text.p[0] == class;
}
