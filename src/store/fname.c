/* fname.c - names of message files. */
#include "fname.h"

#include <inttypes.h>
#include <stdio.h>

#include <postern/store/read.h>

static const char keyword_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
_Static_assert(sizeof keyword_letters - 1 == STORE_KEYWORDS_MAX, "a letter for each keyword");

static const struct {
	char letter;
	uint32_t flag;
} flag_letters[] = {
	{ 'D', STORE_DRAFT },
	{ 'F', STORE_FLAGGED },
	{ 'R', STORE_ANSWERED },
	{ 'S', STORE_SEEN },
	{ 'T', STORE_DELETED },
};

char
fname_keyword_letter(unsigned bit)
{
	return keyword_letters[bit];
}

static bool
is_name(struct str name)
{
	if (name.n == 0 || name.n > FNAME_MAX || name.p[0] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == '/' || name.p[i] == 0x7f)
			return false;
	return true;
}

bool
fname_ok(struct str name)
{
	return is_name(name) && name.p[0] != ',' && name.p[0] != ':';
}

static bool
digits(struct str s, size_t n, uint64_t *value)
{
	return s.n == n && str_u64(s, UINT64_MAX, value);
}

enum { DOT = 10, ID = 19, HOST = ID + ID_TEXT_SIZE - 1 };

static bool
is_id(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_digit(s.p[i]) && (s.p[i] < 'a' || s.p[i] > 'v'))
			return false;
	return true;
}

bool
fname_id(const struct fname *f, struct id *id)
{
	return f->ours && id_parse(str_sub(f->base, ID, HOST), id);
}

/* 0123456789.M012345I<26>.host */
static bool
parse_ours(struct fname *f)
{
	struct str b = f->base;
	uint64_t seconds, us;

	if (b.n < HOST + 2 || b.p[DOT] != '.' || b.p[DOT + 1] != 'M' || b.p[ID - 1] != 'I' || b.p[HOST] != '.')
		return false;
	if (!digits(str_sub(b, 0, DOT), 10, &seconds) || !digits(str_sub(b, DOT + 2, ID - 1), 6, &us))
		return false;
	f->clock = (int64_t)(seconds * 1000000 + us);
	return is_id(str_sub(b, ID, HOST));
}

static void
parse_field(struct fname *f, struct str field)
{
	uint64_t v;

	if (str_starts(field, STR("S=")))
		f->has_size = str_u64(str_sub(field, 2, field.n), INT64_MAX, &f->size);
	else if (str_starts(field, STR("W=")))
		f->has_wire_size = str_u64(str_sub(field, 2, field.n), INT64_MAX, &f->wire_size);
	else if (str_starts(field, STR("U=")) && str_u64(str_sub(field, 2, field.n), UINT32_MAX - 1, &v))
		f->uid = (uint32_t)v;
}

bool
fname_parse(struct str name, struct fname *f)
{
	size_t colon = str_rfind(name, ':'), comma;
	struct str rest, field;

	*f = (struct fname){ 0 };
	if (!fname_ok(name))
		return false;
	if (colon < name.n && str_starts(str_sub(name, colon, name.n), STR(":2,")))
		f->letters = str_sub(name, colon + 3, name.n);
	else
		colon = str_find(name, ':');
	comma = str_find(str_sub(name, 0, colon), ',');
	f->base = str_sub(name, 0, comma);
	f->fields = str_sub(name, comma, colon);
	rest = str_sub(f->fields, 1, f->fields.n);
	while (str_cut(&rest, ',', &field))
		parse_field(f, field);
	f->ours = parse_ours(f);
	return true;
}

static bool
read_letter(char c, uint32_t *flags, uint64_t *keywords)
{
	const char *at = strchr(keyword_letters, c);

	if (at != NULL) {
		*keywords |= UINT64_C(1) << (at - keyword_letters);
		return true;
	}
	for (size_t i = 0; i < sizeof flag_letters / sizeof flag_letters[0]; i++)
		if (flag_letters[i].letter == c) {
			*flags |= flag_letters[i].flag;
			return true;
		}
	return false;
}

void
fname_read_letters(struct str letters, uint32_t *flags, uint64_t *keywords, char *extra, size_t extra_size)
{
	size_t n = 0;

	*flags = 0;
	*keywords = 0;
	for (size_t i = 0; i < letters.n; i++) {
		char c = letters.p[i];

		if (c == '\0' || read_letter(c, flags, keywords))
			continue;
		if (extra != NULL && n + 1 < extra_size && ascii_is_alpha(c) && memchr(extra, c, n) == NULL)
			extra[n++] = c;
	}
	if (extra != NULL)
		extra[n] = '\0';
}

void
fname_base(char out[static FNAME_BASE_SIZE], int64_t clock, struct id id, const char *host)
{
	char text[ID_TEXT_SIZE];

	id_text(id, text);
	snprintf(out, FNAME_BASE_SIZE, "%010u.M%06uI%.26s.%.60s", (unsigned)(clock / 1000000),
	    (unsigned)(clock % 1000000), text, host);
}

void
fname_fresh(char out[static FNAME_SIZE], int64_t clock, struct id id, const char *host, uint64_t size)
{
	size_t n;

	fname_base(out, clock, id, host);
	n = strlen(out);
	snprintf(out + n, FNAME_SIZE - n, ",S=%" PRIu64, size);
}

/* Everything in ASCII order, as the Maildir rules ask: digits, capitals, small letters. */
static void
add_letters(struct buf *b, uint32_t flags, uint64_t keywords, struct str extra)
{
	for (int c = '0'; c <= 'z'; c++) {
		uint32_t flag = 0;
		uint64_t keyword = 0;

		if ((read_letter((char)c, &flag, &keyword) && ((flag & flags) | (keyword & keywords)) != 0) ||
		    str_has(extra, (char)c))
			buf_add_char(b, (char)c);
	}
}

bool
fname_write(char out[static FNAME_SIZE], const struct fname *f, uint64_t size, uint32_t uid, uint32_t flags,
    uint64_t keywords, struct str extra)
{
	struct str rest = str_sub(f->fields, 1, f->fields.n), field;
	struct buf b;
	bool ok;

	buf_init(&b, FNAME_MAX);
	buf_add(&b, f->base);
	if (!f->has_size)
		buf_addf(&b, ",S=%" PRIu64, size);
	while (str_cut(&rest, ',', &field)) {
		if (field.n == 0 || str_starts(field, STR("U=")))
			continue;
		buf_add_char(&b, ',');
		buf_add(&b, field);
	}
	if (uid != 0)
		buf_addf(&b, ",U=%" PRIu32, uid);
	buf_add(&b, STR(":2,"));
	add_letters(&b, flags, keywords, extra);
	ok = !b.over;
	snprintf(out, FNAME_SIZE, "%s", buf_cstr(&b));
	buf_fini(&b);
	return ok;
}
