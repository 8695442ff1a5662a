/* fold.c - i;unicode-casemap: RFC 5051 2. Title case, then full decomposition, character by character. */
#include <postern/message/charset.h>

#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>

#include <postern/core/utf8.h>

static void
fold_code(struct buf *out, uint32_t code)
{
	ucs4_t folded[UC_DECOMPOSITION_MAX_LENGTH];
	size_t n = sizeof folded / sizeof *folded;
	ucs4_t title = uc_totitle(code);
	uint32_t *result;
	int tag;

	if (uc_decomposition(title, &tag, folded) < 0) {
		utf8_add(out, title);
		return;
	}
	result = u32_normalize(UNINORM_NFKD, &title, 1, folded, &n); /* all the way down */
	if (result == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		utf8_add(out, result[i]);
	if (result != folded)
		free(result);
}

static void
fold_ascii(struct buf *out, struct str s)
{
	char *to = buf_room(out, s.n);

	if (to == NULL)
		return;
	for (size_t i = 0; i < s.n; i++)
		to[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] & ~0x20) : s.p[i];
	out->n += s.n;
}

static size_t
ascii_run(struct str s)
{
	size_t n = 0;

	while (n < s.n && (unsigned char)s.p[n] < 0x80)
		n++;
	return n;
}

void
charset_fold(struct buf *out, struct str utf8)
{
	while (utf8.n > 0) {
		size_t used = ascii_run(utf8);
		uint32_t code;

		if (used > 0)
			fold_ascii(out, str_sub(utf8, 0, used));
		else if (utf8_next(utf8, &code, &used))
			fold_code(out, code);
		else
			buf_add_char(out, *utf8.p);
		utf8 = str_sub(utf8, used, utf8.n);
	}
}
