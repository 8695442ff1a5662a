/* name.c - names of mailboxes and their directories. */
#include "name.h"

#include <postern/core/utf8.h>
#include <postern/store/mutf7.h>
#include <postern/store/store.h>

enum { DIR_MAX = 255 };

static bool
refuse(const char **why, const char *words)
{
	if (why != NULL)
		*why = words;
	return false;
}

static bool
level_ok(struct str level, const char **why)
{
	uint32_t code;
	size_t used;

	if (level.n == 0)
		return refuse(why, "a level of the name is empty");
	for (; utf8_next(level, &code, &used); level = str_sub(level, used, level.n))
		if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029)
			return refuse(why, "control characters cannot be in a name");
	return true;
}

bool
name_canonical(struct buf *out, struct str name, const char **why)
{
	struct str rest = name, level, first;
	size_t depth = 0;

	if (name.n == 0 || name.n > STORE_NAME_SIZE || !utf8_valid(name))
		return refuse(why, "the name is empty, too long or not UTF-8");
	if (str_has(name, '%') || str_has(name, '*'))
		return refuse(why, "wildcards cannot be in a name");
	if (name.p[name.n - 1] == '/')
		return refuse(why, "a level of the name is empty");
	while (str_cut(&rest, '/', &level)) {
		if (!level_ok(level, why))
			return false;
		if (++depth > STORE_DEPTH_MAX)
			return refuse(why, "the name has too many levels");
	}
	first = str_sub(name, 0, str_find(name, '/'));
	if (str_eq_nocase(first, STR("INBOX"))) {
		buf_add(out, STR("INBOX"));
		name = str_sub(name, first.n, name.n);
	}
	buf_add(out, name);
	return true;
}

static bool
add_level(struct buf *out, struct str level)
{
	struct buf coded;
	bool ok;

	buf_init(&coded, (size_t)STORE_NAME_SIZE * 4);
	ok = mutf7_encode(&coded, level);
	for (size_t i = 0; ok && i < coded.n; i++) {
		if (coded.p[i] == '.' || coded.p[i] == '\\')
			buf_addf(out, "\\%02x", (unsigned)coded.p[i]);
		else
			buf_add_char(out, coded.p[i]);
	}
	buf_fini(&coded);
	return ok;
}

bool
name_to_dir(struct buf *out, struct str name)
{
	struct str level;
	size_t from = out->n;

	if (str_eq(name, STR("INBOX")))
		return true;
	while (str_cut(&name, '/', &level)) {
		buf_add_char(out, '.');
		if (!add_level(out, level))
			return false;
	}
	return !out->over && out->n - from <= DIR_MAX;
}

static void
unescape(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		struct str three = str_sub(s, i, i + 3);

		if (str_eq_nocase(three, STR("\\2e")) || str_eq_nocase(three, STR("\\5c"))) {
			buf_add_char(out, three.p[1] == '2' ? '.' : '\\');
			i += 2;
		} else {
			buf_add_char(out, s.p[i]);
		}
	}
}

static bool
add_dir_level(struct buf *out, struct str level)
{
	struct buf coded;
	bool ok;

	buf_init(&coded, DIR_MAX);
	unescape(&coded, level);
	ok = mutf7_decode(out, buf_str(&coded));
	if (!ok && utf8_valid(buf_str(&coded))) { /* another program's own idea of a name: shown as it is */
		buf_add(out, buf_str(&coded));
		ok = true;
	}
	buf_fini(&coded);
	return ok;
}

bool
name_from_dir(struct buf *out, struct str dir)
{
	struct str rest = str_sub(dir, 1, dir.n), level;
	struct buf name;
	bool ok = dir.n > 1 && dir.n <= DIR_MAX && dir.p[0] == '.' && dir.p[dir.n - 1] != '.';

	buf_init(&name, STORE_NAME_SIZE);
	while (ok && str_cut(&rest, '.', &level)) {
		if (name.n > 0)
			buf_add_char(&name, '/');
		ok = level.n > 0 && add_dir_level(&name, level);
	}
	ok = ok && !name.over && !str_eq_nocase(buf_str(&name), STR("INBOX")) &&
	     name_canonical(out, buf_str(&name), NULL);
	buf_fini(&name);
	return ok;
}

bool
name_below(struct str child, struct str parent)
{
	return child.n > parent.n && str_starts(child, parent) && child.p[parent.n] == '/';
}

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '.' || c == '_' || c == '+' || c == '-';
}

static void
add_escaped(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		/* a leading dot is escaped, too: "." and ".." are directories of their own */
		if (is_plain(c) && (c != '.' || i > 0))
			buf_add_char(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

bool
name_user_dir(struct buf *out, struct str address)
{
	size_t at = str_rfind(address, '@');
	struct str local = str_sub(address, 0, at), domain = str_sub(address, at + 1, address.n);
	size_t from = out->n;

	if (local.n == 0 || domain.n == 0 || local.n > 64 || domain.n > 253)
		return false;
	add_escaped(out, domain);
	if (out->n - from > DIR_MAX)
		return false;
	buf_add_char(out, '/');
	add_escaped(out, local);
	return !out->over && !str_has(address, '\0');
}
