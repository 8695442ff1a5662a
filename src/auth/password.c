/* password.c - PRECIS and SASLprep on what people type.
 *
 * libunistring knows the Unicode tables; the profiles are the few rules here. Printable ASCII, the usual case, is taken
 * as it is. Contextual rules of RFC 8264 are kept for joiners only: a middle dot in a password harms nobody. */
#include <postern/auth/password.h>

#include <stdlib.h>

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

#include <postern/core/mem.h>
#include <postern/core/utf8.h>

enum { VIRAMA = 9 }; /* canonical combining class */

static bool
fail(const char **why, const char *words)
{
	if (why != NULL)
		*why = words;
	return false;
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_print(s.p[i]))
			return false;
	return true;
}

/* RFC 4013 2.1, 2.3: StringPrep C.1.2. */
static bool
is_foreign_space(uint32_t c)
{
	return c > 0x7f && uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Zs);
}

/* StringPrep B.1, "commonly mapped to nothing". */
static bool
is_nothing(uint32_t c)
{
	return c == 0xad || c == 0x34f || c == 0x1806 || (c >= 0x180b && c <= 0x180d) || (c >= 0x200b && c <= 0x200d) ||
	       c == 0x2060 || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff;
}

static bool
is_conjoining_jamo(uint32_t c)
{
	return (c >= 0x1100 && c <= 0x11ff) || (c >= 0xa960 && c <= 0xa97f) || (c >= 0xd7b0 && c <= 0xd7ff);
}

static bool
is_text(uint32_t c)
{
	return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N |
						       UC_CATEGORY_MASK_P | UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_Zs);
}

/* RFC 8264 4.3: the FreeformClass. before: the code point before c, 0 at the start. */
static bool
is_freeform(uint32_t c, uint32_t before)
{
	if (c == 0x200c || c == 0x200d) /* RFC 5892 A.1, A.2 */
		return before != 0 && uc_combining_class(before) == VIRAMA;
	return is_text(c) && !is_conjoining_jamo(c) && !uc_is_property_default_ignorable_code_point(c);
}

static bool
all_freeform(struct str s)
{
	uint32_t before = 0;
	uint32_t c;
	size_t used;

	for (; s.n > 0; s = str_sub(s, used, s.n)) {
		if (!utf8_next(s, &c, &used) || !is_freeform(c, before))
			return false;
		before = c;
	}
	return true;
}

/* RFC 3454 6: text that runs right to left must do so from the first to the last character. */
static bool
bidi_is_sound(struct str s)
{
	bool right = false;
	bool left = false;
	bool edge = false;
	bool first = false;
	uint32_t c;
	size_t used;

	for (bool start = true; s.n > 0; s = str_sub(s, used, s.n), start = false) {
		int category;

		if (!utf8_next(s, &c, &used))
			return false;
		category = uc_bidi_category(c);
		edge = category == UC_BIDI_R || category == UC_BIDI_AL;
		right = right || edge;
		left = left || category == UC_BIDI_L;
		if (start)
			first = edge;
	}
	return !right || (!left && first && edge);
}

/* The bytes with `form` applied, behind what out holds. */
static bool
add_normalised(struct buf *out, struct str s, uninorm_t form)
{
	size_t n = 0;
	uint8_t *p = u8_normalize(form, (const uint8_t *)s.p, s.n, NULL, &n);

	if (p == NULL)
		return false;
	buf_add(out, str_from(p, n));
	mem_wipe(p, n);
	free(p);
	return true;
}

/* Calls map for every code point; false on bytes that are no UTF-8. */
static bool
map_all(struct buf *out, struct str s, void (*map)(struct buf *out, uint32_t c))
{
	uint32_t c;
	size_t used;

	for (; s.n > 0; s = str_sub(s, used, s.n)) {
		if (!utf8_next(s, &c, &used))
			return false;
		map(out, c);
	}
	return true;
}

static void
map_opaque(struct buf *out, uint32_t c)
{
	utf8_add(out, is_foreign_space(c) ? ' ' : c);
}

static void
map_saslprep(struct buf *out, uint32_t c)
{
	if (!is_nothing(c))
		utf8_add(out, is_foreign_space(c) ? ' ' : c);
}

/* RFC 8265 3.1: full-width and half-width letters become the ordinary ones. */
static void
map_width(struct buf *out, uint32_t c)
{
	ucs4_t to[UC_DECOMPOSITION_MAX_LENGTH];
	int tag = 0;
	int n = uc_decomposition(c, &tag, to);

	if (n < 1 || (tag != UC_DECOMP_WIDE && tag != UC_DECOMP_NARROW)) {
		utf8_add(out, c);
		return;
	}
	for (int i = 0; i < n; i++)
		utf8_add(out, to[i]);
}

struct profile {
	void (*map)(struct buf *out, uint32_t c);
	uninorm_t form;
	bool bidi;
};

static bool
prepare(struct buf *out, struct str typed, const struct profile *f, const char **why)
{
	size_t before = out->n;
	struct buf mapped;
	bool ok;

	if (typed.n == 0)
		return fail(why, "it is empty");
	if (typed.n > PASSWORD_MAX)
		return fail(why, "it is longer than 1024 bytes");
	if (is_plain(typed)) {
		buf_add(out, typed);
		return true;
	}
	buf_init(&mapped, typed.n * 4 + 4); /* no mapping makes more of a code point */
	ok = map_all(&mapped, typed, f->map) && !mapped.over && add_normalised(out, buf_str(&mapped), f->form);
	buf_wipe(&mapped);
	if (ok) {
		struct str made = str_sub(buf_str(out), before, out->n);

		ok = !out->over && made.n > 0 && all_freeform(made) && (!f->bidi || bidi_is_sound(made));
	}
	if (!ok) {
		if (out->n > before)
			mem_wipe(out->p + before, out->n - before);
		buf_cut(out, before);
		return fail(
		    why, "it has bytes that are not UTF-8, control characters or characters that no keyboard makes");
	}
	return true;
}

bool
password_prepare(struct buf *out, struct str typed, const char **why)
{
	return prepare(out, typed, &(struct profile){ map_opaque, UNINORM_NFC, false }, why);
}

bool
password_prepare_scram(struct buf *out, struct str typed, const char **why)
{
	return prepare(out, typed, &(struct profile){ map_saslprep, UNINORM_NFKC, true }, why);
}

static bool
add_lower(struct buf *out, struct str s)
{
	size_t n = 0;
	uint8_t *p = u8_tolower((const uint8_t *)s.p, s.n, NULL, UNINORM_NFC, NULL, &n);

	if (p == NULL)
		return false;
	buf_add(out, str_from(p, n));
	free(p);
	return true;
}

bool
login_name_prepare(struct buf *out, struct str typed, const char **why)
{
	struct buf wide;
	bool ok;

	buf_init(&wide, PASSWORD_MAX * 4);
	ok = prepare(&wide, typed, &(struct profile){ map_width, UNINORM_NFC, false }, why);
	if (ok && !add_lower(out, buf_str(&wide)))
		ok = fail(why, "it cannot be put in lower case");
	buf_fini(&wide);
	return ok;
}
