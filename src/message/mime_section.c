/* mime_section.c - which octets a section names: RFC 9051 6.4.5.1. */
#include <postern/message/mime.h>

static const struct mime_part *
nth_child(const struct mime_part *part, uint32_t n)
{
	const struct mime_part *child = part->child;

	while (child != NULL && --n > 0)
		child = child->next;
	return child;
}

/* Inside a message: the parts of its multipart, or its only body as part 1. */
static const struct mime_part *
in_message(const struct mime_part *message, uint32_t n)
{
	if (message->kind == MIME_MULTIPART)
		return nth_child(message, n);
	return n == 1 ? message : NULL;
}

static const struct mime_part *
in_part(const struct mime_part *part, uint32_t n)
{
	if (part->kind == MIME_MULTIPART)
		return nth_child(part, n);
	return part->kind == MIME_MESSAGE ? in_message(part->child, n) : NULL;
}

const struct mime_part *
mime_find(const struct mime *m, const uint32_t *number, size_t n)
{
	const struct mime_part *part = m->root;

	for (size_t i = 0; i < n && part != NULL; i++) {
		if (number[i] == 0)
			return NULL;
		part = i == 0 ? in_message(part, number[i]) : in_part(part, number[i]);
	}
	return part;
}

static struct mime_span
header_span(const struct mime_part *part)
{
	return (struct mime_span){ part->header_at, part->header_size };
}

static struct mime_span
body_span(const struct mime_part *part)
{
	return (struct mime_span){ part->body_at, part->body_size };
}

static bool
whole_message(const struct mime *m, enum mime_section what, struct mime_span *out)
{
	if (what == MIME_WHOLE)
		*out = (struct mime_span){ 0, m->size };
	else if (what == MIME_HEADER)
		*out = header_span(m->root);
	else if (what == MIME_TEXT)
		*out = body_span(m->root);
	return what != MIME_MIME;
}

bool
mime_section(const struct mime *m, const uint32_t *number, size_t n, enum mime_section what, struct mime_span *out)
{
	const struct mime_part *part = mime_find(m, number, n);

	if (part == NULL)
		return false;
	if (n == 0)
		return whole_message(m, what, out);
	if (what == MIME_HEADER || what == MIME_TEXT) {
		if (part->kind != MIME_MESSAGE)
			return false;
		*out = what == MIME_HEADER ? header_span(part->child) : body_span(part->child);
		return true;
	}
	*out = what == MIME_MIME ? header_span(part) : body_span(part);
	return true;
}

const struct mime_part *
mime_next(const struct mime_part *part)
{
	if (part->child != NULL)
		return part->child;
	while (part != NULL && part->next == NULL)
		part = part->parent;
	return part != NULL ? part->next : NULL;
}
