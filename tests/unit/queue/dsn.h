/* dsn.h - reads a delivery status notification back, strictly, as the builder's check in test and fuzz target. */
#ifndef POSTERN_TESTS_QUEUE_DSN_H
#define POSTERN_TESTS_QUEUE_DSN_H

#include <postern/core/str.h>
#include <postern/message/header.h>

enum { DSN_PARTS_MAX = 4 };

struct dsn {
	struct str header;
	struct str type[DSN_PARTS_MAX];  /* value of Content-Type */
	struct str body[DSN_PARTS_MAX];
	size_t parts;
};

/* Lines end with CRLF, boundaries match, header fields have names. False: it is no such message. */
static inline bool
dsn_parse(struct str all, struct str boundary, struct dsn *d)
{
	char delimiter[64] = "\r\n--";
	size_t n = 4 + boundary.n;
	struct str rest;
	struct header_field f;

	*d = (struct dsn){ .parts = 0 };
	d->header = str_sub(all, 0, header_size(all));
	if (boundary.n > 40 || d->header.n == all.n)
		return false;
	memcpy(delimiter + 4, boundary.p, boundary.n);
	rest = str_sub(all, d->header.n - 2, all.n); /* the first delimiter's CRLF is the header's end */
	for (;;) {
		size_t at = str_search(rest, str_from(delimiter, n));
		struct str part;

		if (at == rest.n)
			return false;
		rest = str_sub(rest, at + n, rest.n);
		if (str_eq(rest, STR("--\r\n")))
			return d->parts >= 2;
		if (!str_starts(rest, STR("\r\n")) || d->parts == DSN_PARTS_MAX)
			return false;
		rest = str_sub(rest, 2, rest.n);
		part = str_sub(rest, 0, str_search(rest, str_from(delimiter, n)));
		if (!header_find(part, STR("Content-Type"), &f))
			return false;
		d->type[d->parts] = str_trim(f.value);
		d->body[d->parts++] = str_sub(part, header_size(part), part.n);
	}
}

/* The value of a field in a group of the status part: group 0 is the message, 1 the first recipient. */
static inline bool
dsn_field(const struct dsn *d, size_t group, struct str name, struct str *value)
{
	struct str rest = d->body[1];
	struct header_field f;

	for (; group > 0; group--)
		rest = str_sub(rest, header_size(rest), rest.n);
	rest = str_sub(rest, 0, header_size(rest));
	if (!header_find(rest, name, &f))
		return false;
	*value = str_trim(f.value);
	return true;
}

#endif
